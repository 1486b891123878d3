"""What a layout says it would read of a source, and how the user wants it read."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sightlab.data.imageset import Allocate, Parts, Progress
from sightlab.data.inventory import Inventory
from sightlab.data.pictures.decode import Decoding
from sightlab.errors import DataError

Read = Callable[[Allocate, Progress | None], Parts]
Pairs = Sequence[tuple[str, str]]

# How much speaks for a layout. A stronger one is taken before a weaker one that says nothing else of the same pictures.
POSSIBLE, STRUCTURE, STATED, KNOWN = 1, 2, 3, 4


@dataclass(frozen=True)
class ReadOptions:
    """How the user wants a source read. What is None, or empty, is left to the evidence.

    layout: name of an entry of LAYOUTS. label: column (name or number from 0) that holds labels; of shards, the
    extension or JSON key. classes: the class names to read, in this order; others are left aside. split:
    `train:DIR,test:DIR` (folders or lists), or the column that says a row's split. config: folder or configuration to
    read, where a source holds several. list: the list to read, where a folder holds several. label_from: pattern of
    file names, as in `{label}.{number}.jpg`. shape: height, width and, if need be, channels of flattened images.
    ignore: patterns of files to leave aside. encoding: of texts, and of names in old zips. names: class name for each
    label of the source (`data.yaml` alone). one_class: whether one class will do, as for testing.
    """

    decoding: Decoding = field(default_factory=Decoding)
    layout: str | None = None
    label: str | None = None
    classes: tuple[str, ...] = ()
    split: str | None = None
    config: str | None = None
    list: str | None = None
    label_from: str | None = None
    shape: tuple[int, ...] = ()
    ignore: tuple[str, ...] = ()
    encoding: str | None = None
    names: tuple[tuple[str, str], ...] = ()
    one_class: bool = False

    def identity(self) -> dict[str, Any]:
        """All of it as plain values, for a key of the cache."""
        return {one.name: repr(getattr(self, one.name)) for one in fields(self)}

    @property
    def split_places(self) -> dict[str, str]:
        """Folder or list by split, where `split` names places; empty where it names a column, or is not given."""
        return parsed_places(self.split) if self.split and ":" in self.split else {}


def parsed_places(text: str) -> dict[str, str]:
    """`train:a,test:b` as a mapping. Raises DataError.

    >>> parsed_places("train:images/a,val:images/b")
    {'train': 'images/a', 'validation': 'images/b'}
    """
    from sightlab.data.layouts.split_words import exact_split

    places: dict[str, str] = {}
    for piece in text.split(","):
        word, colon, place = piece.partition(":")
        split = exact_split(word)
        if not colon or split is None or not place.strip() or split in places:
            raise DataError(f"split={text}: expected a column's name, or places as in `split=train:DIR,test:DIR`")
        places[split] = place.strip().strip("/")
    return places


@dataclass(frozen=True, eq=False)
class Claim:
    """What a layout would read.

    layout: its name. read: reads it; the parts it gives name files relative to the source in their notes. strength:
    see above. splits: pictures a split, None where only reading tells. classes: their names in order, () where only
    reading tells. labels: where labels come from, in a few words, as in "column dx of meta.csv". pairs: of pictures
    that are files, (name, class) by split; None for other forms. unused: what would be left aside, a line each.
    notes: what the user should know, a line each. doubts: why this may not be what the user means, a line each that
    ends with the words that would settle it; a claim with doubts is read only when the user has chosen its layout.
    beside: other files in the folder of a lone file that are read with it. root: the folder that the pictures
    of a lone list lie in. lazy: whether pictures are decoded when
    used, so that nothing is cached. refusal: where the form is certain and cannot be read, the line that says so; then
    `read` is never called. identity: plain values that tell this reading of the source from every other one.
    """

    layout: str
    read: Read
    strength: int
    splits: Mapping[str, int | None]
    labels: str
    classes: tuple[str, ...] = ()
    pairs: Mapping[str, Pairs] | None = None
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    refusal: str = ""
    beside: tuple[str, ...] = ()
    root: Path | None = None
    lazy: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """Pictures in all; None where only reading tells."""
        counts = list(self.splits.values())
        return None if None in counts else sum(count or 0 for count in counts)


@dataclass(frozen=True)
class Layout:
    """One form in which people bring pictures.

    name: what `layout=` takes. title: what it is, in a few words. drawing: the folder as people have it, for the
    documentation. matches: what it would read of a source, or None where the source is of another form. It decodes
    nothing, and raises DataError only for what the user has said wrongly.
    """

    name: str
    title: str
    drawing: str
    matches: Callable[[Inventory, ReadOptions], Claim | None]


def word(key: str, value: str) -> str:
    """A word as it is typed, in backticks for a message: quoted where a shell would take it apart.

    >>> word("config", "color"), word("config", "Augmented Dataset")
    ('`config=color`', "`config='Augmented Dataset'`")
    """
    return f"`{key}={shlex.quote(value)}`"


def classes_word(names: Sequence[str]) -> str:
    """The word that reads these classes alone, whole where it is short, else as its beginning.

    >>> classes_word(["cat", "dog"])
    '`classes=cat,dog`'
    """
    whole = ",".join(names)
    return word("classes", whole) if len(whole) <= 80 else f"`classes={names[0]},{names[1]},...`"


def refused(layout: str, line: str, strength: int = STATED) -> Claim:
    """The claim of a layout that knows the form for certain and cannot read it."""

    def read(allocate: Allocate, progress: Progress | None) -> Parts:  # noqa: ARG001 - the shape of a Read
        raise DataError(line)

    return Claim(layout, read, strength, {}, "", refusal=line)
