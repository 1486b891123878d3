"""Image lists: text files of `<file> <label>` lines beside the pictures they name."""

from __future__ import annotations

import csv
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sightlab.data.imageset import UNDIVIDED, split_name
from sightlab.data.pictures.containers import Container
from sightlab.data.pictures.layout import PICTURE_SUFFIXES, Layout, arrange, counted, suffix_of
from sightlab.errors import DataError, one_line

LIST_SUFFIXES = frozenset(("txt", "csv", "tsv", "lst", "list", "labels"))
STEM_ENDS = ("_labels", "_list", "-labels", "-list")
HEADINGS = frozenset(("label", "labels", "class", "target", "category"))
MAX_LABEL = 200


@dataclass(frozen=True)
class Entry:
    """One line of a list. text: the whole line. ways: each (file, label) it could mean, likeliest first."""

    line: int
    text: str
    ways: tuple[tuple[str, str], ...]


def entries(text: str) -> Iterator[Entry]:
    """The lines of a list that are not blank, a heading left out.

    Between file and label stands a tab, a comma or white space; the label is the last field, so that a file's name
    may hold spaces.

    >>> [entry.ways for entry in entries("my cat.png 3")]
    [(('my cat.png', '3'),)]
    """
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line:
            continue
        ways = tuple(way for way in _ways(line) if all(way))
        if number == 1 and any(label.casefold() in HEADINGS and not _is_picture(file) for file, label in ways):
            continue
        yield Entry(number, line, ways)


def _ways(line: str) -> Iterator[tuple[str, str]]:
    if '"' in line:
        fields = next(csv.reader([line], delimiter="\t" if "\t" in line else ",", skipinitialspace=True), [])
        if len(fields) == 2:
            yield fields[0].strip(), fields[1].strip()
    for mark in ("\t", ","):
        file, found, label = line.rpartition(mark)
        if found:
            yield file.strip(), label.strip()
    file_and_label = line.rsplit(None, 1)
    if len(file_and_label) == 2:
        yield file_and_label[0], file_and_label[1]


def _is_picture(file: str) -> bool:
    return bool(PICTURE_SUFFIXES.fullmatch(suffix_of(file.replace("\\", "/"))))


class Finder:
    """Tells which picture a list's file name means."""

    def __init__(self, pictures: Sequence[str]) -> None:
        self.pictures = frozenset(pictures)
        self.by_base: dict[str, list[str]] = defaultdict(list)
        for name in pictures:
            self.by_base[posixpath.basename(name)].append(name)

    def find(self, file: str, list_name: str) -> list[str]:
        """The pictures it may mean: one when all is well. It is looked for beside the list, then in a folder named
        like the list (less `_labels`, `_list`), then everywhere by its last part alone.
        """
        path = file.replace("\\", "/")
        folder, stem = posixpath.dirname(list_name), posixpath.splitext(posixpath.basename(list_name))[0]
        for end in STEM_ENDS:
            stem = stem.removesuffix(end)
        for base in (folder, posixpath.join(folder, stem)):
            name = posixpath.normpath(posixpath.join(base, path))
            if name in self.pictures:
                return [name]
        return self.by_base.get(posixpath.basename(path), [])


def by_lists(container: Container, pictures: Sequence[str], others: Sequence[str]) -> Layout | None:
    """The labels that all image lists among the other files give; None when no file is a list.

    Raises DataError, naming list and line, for a line that is none, a file that is not there or stands twice.
    """
    finder = Finder(pictures)
    texts = {
        name: text
        for name, data in container.stream([name for name in others if suffix_of(name) in LIST_SUFFIXES])
        if (text := _text(data)) is not None and _is_list(text, name, finder)
    }
    return _laid_out(container, pictures, texts, finder) if texts else None


def by_one_list(container: Container, list_name: str, pictures: Sequence[str]) -> Layout:
    """The labels that this list gives. Raises DataError as `by_lists`, and for a file that is no text."""
    ((_, data),) = container.stream([list_name])
    text = _text(data)
    if text is None:
        raise DataError(
            f"{container.shown(list_name)}: not a picture folder, a tar or zip archive, or a list of `<file> <label>` "
            "lines"
        )
    return _laid_out(container, pictures, {list_name: text}, Finder(pictures))


def _text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _is_list(text: str, name: str, finder: Finder) -> bool:
    """Whether most lines name a picture: a list with a few bad lines is still one, a README is not."""
    named = total = 0
    for entry in entries(text):
        total += 1
        named += any(_is_picture(file) or finder.find(file, name) for file, _ in entry.ways)
    return named * 2 > total


def _laid_out(container: Container, pictures: Sequence[str], texts: Mapping[str, str], finder: Finder) -> Layout:
    owner: dict[str, str] = {}
    labelled: dict[str, list[tuple[str, str]]] = {}
    seen: dict[str, str] = {}
    for name in sorted(texts):
        stem, folder = posixpath.basename(name), posixpath.basename(posixpath.dirname(name))
        split = split_name(stem) or split_name(folder) or UNDIVIDED
        clash = owner.get(split) or (next(iter(owner.values())) if owner and UNDIVIDED in {split, *owner} else None)
        if clash:
            raise DataError(
                f"{container.shown(name)}: is an image list, and so is {container.shown(clash)}; name them for "
                "different splits, as in train.txt and test.txt, or keep one"
            )
        owner[split] = name
        labelled[split] = _pairs(container, name, texts[name], finder, seen)
    left = [name for name in pictures if name not in seen]
    notes = [f"{counted(left, 'picture', 'pictures')} in no list left aside"] if left else []
    return arrange(container.label, {split: _plain(pairs) for split, pairs in labelled.items()}, notes)


def _plain(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Labels that are all whole numbers, without leading zeros: 01 and 1 are one class."""
    if all(label.isascii() and label.isdigit() for _, label in pairs):
        return [(name, str(int(label))) for name, label in pairs]
    return pairs


def _pairs(
    container: Container, list_name: str, text: str, finder: Finder, seen: dict[str, str]
) -> list[tuple[str, str]]:
    """(picture, label) of every line. seen: where each picture was listed before; added to."""
    pairs = []
    for entry in entries(text):
        place = f"{container.shown(list_name)}, line {entry.line}"
        name, label = _meant(entry, place, list_name, finder)
        if name in seen:
            raise DataError(f"{place}: `{name}` is listed twice (before: {seen[name]}); list it once")
        seen[name] = place
        pairs.append((name, label))
    if not pairs:
        raise DataError(f"{container.shown(list_name)}: lists no pictures; a line is `<file> <label>`")
    return pairs


def _meant(entry: Entry, place: str, list_name: str, finder: Finder) -> tuple[str, str]:
    """The picture and the label of a line."""
    found = {way: finder.find(way[0], list_name) for way in entry.ways}
    for (_, label), names in found.items():
        if len(names) == 1 and len(label) <= MAX_LABEL:
            return names[0], label
    for (file, _), names in found.items():
        if len(names) > 1:
            one, two = sorted(names)[:2]
            raise DataError(f"{place}: `{one_line(file)}` could be {one} or {two}; give its path from the list")
    named = [file for file, _ in entry.ways if _is_picture(file)]
    if named:
        raise DataError(f"{place}: there is no picture `{one_line(named[0])}` beside the list; correct the line")
    raise DataError(f"{place}: `{one_line(entry.text)[:80]}` is not `<file> <label>`; correct or remove it")
