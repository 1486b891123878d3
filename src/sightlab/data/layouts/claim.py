"""The interface of layouts: the claim that one makes on a source, and the options by which the user chooses."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from sightlab.data.imageset import Allocate, Parts, Progress
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.split_words import exact_split
from sightlab.data.pictures.decode import Decoding
from sightlab.errors import DataError

Read = Callable[[Allocate, Progress | None], Parts]
Pairs = Sequence[tuple[str, str]]

# How strong the evidence for a layout is. Of two that read the same pictures alike the stronger one is taken.
POSSIBLE, STRUCTURE, STATED, KNOWN = 1, 2, 3, 4


@dataclass(frozen=True)
class ReadOptions:
    """How the user wants a source read. What is None, or empty, is detected.

    layout: name of an entry of LAYOUTS. label: column (name or number from 0) that holds labels; of shards, the
    extension or JSON key. classes: the class names to read, in this order; others are ignored. split:
    `train:DIR,test:DIR` (folders or lists), or the column that says a row's split. config: folder or configuration to
    read, where a source holds several. list: the list to read, where a folder holds several. label_from: pattern of
    file names, as in `{label}.{number}.jpg`. shape: height, width and, if need be, channels of flattened images.
    ignore: patterns of files to ignore. encoding: of texts, and of names in old zips. names: class name for each
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
    """What a layout would read of a source, found without decoding anything.

    layout: its name. read: reads it; notes of the parts name files relative to the source. strength: see above.
    splits: pictures per split, None where only reading tells. classes: their names in order, () where only reading
    tells. labels: where labels come from, as in "column dx of meta.csv". pairs: of pictures that are files, (name,
    class) by split; None for other forms. unused: what would be left out, a line each. notes: messages for the user, a
    line each. doubts: why this may not be what the user means, each a line that ends with the options that settle it;
    a claim with doubts is read only if the user chose its layout. beside: other files in the folder of a lone file that
    are read with it. root: the folder of the pictures of a lone list. lazy: whether pictures are decoded when used, so
    that nothing is cached. refusal: why a form that is certain cannot be read; then `read` is never called. identity:
    plain values that distinguish this reading from every other reading of the source.
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

    @cached_property
    def split_and_class(self) -> dict[str, tuple[str, str]]:
        """(split, class) of each picture that is a file."""
        return {name: (split, text) for split, pairs in (self.pairs or {}).items() for name, text in pairs}


@dataclass(frozen=True)
class Layout:
    """One form in which people bring pictures.

    name: what `layout=` takes. title: what it is, in a few words. drawing: the folder as people have it, for the
    documentation. matches: what it would read of a source, or None where the source is of another form. It decodes
    nothing, and raises DataError only for options that cannot be meant.
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


# The options that say how labels are found.
LABEL_OPTIONS = ("label", "split", "list", "label_from", "shape")


def can_honour(options: ReadOptions, layout: str, *honoured: str) -> bool:
    """Whether a layout takes all that the user says of how labels are found.

    honoured: those of `LABEL_OPTIONS` that it takes. Raises DataError for others where the user chose the layout.
    """
    asked = [name for name in LABEL_OPTIONS if getattr(options, name) and name not in honoured]
    if asked and options.layout == layout:
        raise DataError(f"`layout={layout}` takes no `{asked[0]}=`; leave one of the two out")
    return not asked


def applies(inventory: Inventory, options: ReadOptions, layout: str, *honoured: str) -> bool:
    """Whether a layout of picture files in a folder or an archive can be meant: see `can_honour`."""
    return inventory.only is None and bool(inventory.pictures) and can_honour(options, layout, *honoured)


def refused(layout: str, line: str, strength: int = STATED) -> Claim:
    """The claim of a layout that knows the form for certain and cannot read it."""

    def read(allocate: Allocate, progress: Progress | None) -> Parts:  # noqa: ARG001 - the shape of a Read
        raise DataError(line)

    return Claim(layout, read, strength, {}, "", refusal=line)
