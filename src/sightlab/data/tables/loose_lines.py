"""Parsing `<file> <label>` lines without one separator: names with blanks, tabs here and commas there."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence

from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.tables.column_search import Place, Search
from sightlab.data.tables.dialect import TextTable
from sightlab.data.tables.finder import Finder, as_path
from sightlab.data.tables.label_cells import combined
from sightlab.data.tables.sheet import Sheet, lines_of
from sightlab.errors import DataError

MARKS = ("\t", ",", ";", "|")
MOST_WAYS = 12
SAMPLE = 200


def ways(line: str) -> Iterator[tuple[str, str]]:
    """Each pair of texts that a line may be: parted at a mark, else at white space, from the end to the start.

    >>> list(ways("my cat.png 3"))
    [('my cat.png', '3'), ('my', 'cat.png 3')]
    """
    if '"' in line:
        for mark in MARKS[:2]:
            fields = next(csv.reader([line], delimiter=mark, skipinitialspace=True), [])
            if len(fields) == 2:
                yield fields[0].strip(), fields[1].strip()
    for mark in MARKS:
        places = [found.start() for found in re.finditer(re.escape(mark), line)]
        yield from ((line[:at].strip(), line[at + 1 :].strip()) for at in places[: -MOST_WAYS - 1 : -1])
    blanks = [(found.start(), found.end()) for found in re.finditer(r"\s+", line)]
    yield from ((line[:start], line[end:]) for start, end in blanks[: -MOST_WAYS - 1 : -1])


def whole(line: str) -> Iterator[tuple[str, str]]:
    """A line as a name and no label."""
    yield line, ""


def turned(line: str) -> Iterator[tuple[str, str]]:
    """The ways of a line whose label comes first, turned around."""
    yield from ((right, left) for left, right in ways(line))


Ways = Callable[[str], Iterator[tuple[str, str]]]


def meant(line: str, way: Ways, search: Search) -> list[tuple[str, str]]:
    """Those ways of a line whose file is there: one when all is well."""
    return list(dict.fromkeys((file, label) for file, label in way(line) if file and fits(file, label, search)))


def fits(file: str, label: str, search: Search) -> bool:
    """Whether a file is there, no more than folders is left out of its path, and the label names no picture."""
    match = search.find(file)
    if not match.names or any(is_picture_name(as_path(one)) for one in label.split()):
        return False
    left_out = as_path(file).removesuffix(match.kept)
    return not re.search(r"\s", left_out)


def loose_sheet(table: TextTable, shown: str, finder: Finder, place: Place) -> Sheet | None:
    """The lines of a text as (file, label), or as (file,) where they are names alone; None where most are neither."""
    first = []
    for number, line in lines_of(table):
        first.append(line)
        if number >= SAMPLE:
            break
    for way in (whole, ways, turned):
        search = search_of(first, way, finder, place)
        if 2 * sum(bool(meant(line, way, search)) for line in first) > len(first):
            return sheet_of(table, shown, way, search)
    return None


def search_of(lines: Sequence[str], way: Ways, finder: Finder, place: Place) -> Search:
    """What finds the files of lines that are read in this way."""
    named = [file for line in lines for file, _ in way(line) if is_picture_name(as_path(file))]
    return Search(finder, place, named or [file for line in lines for file, _ in way(line)])


def sheet_of(table: TextTable, shown: str, way: Ways, search: Search) -> Sheet:
    """All lines, read in one way. A line that could be several, or is none, keeps its whole text as the file.

    Raises DataError for labels of several words that other labels have too: those may be cells of their own.
    """
    rows: list[tuple[int, tuple[str, ...]]] = []
    for number, line in lines_of(table):
        found = meant(line, way, search)
        file, label = found[0] if len({file for file, _ in found}) == 1 else best_guess(line, way)
        rows.append((number, (file,) if way is whole else (file, label)))
    if mixed := combined({label for _, (_, *labels) in rows for label in labels}, " "):
        raise DataError(
            f"{shown}: after the file stands `{mixed[:60]}`, one label or several cells; part cells by commas or tabs"
        )
    return Sheet(table.file.name, shown, rows)


def best_guess(line: str, way: Ways) -> tuple[str, str]:
    """How a line is shown whose file is not there: the first way with a picture's name, else all of it."""
    return next(((file, label) for file, label in way(line) if is_picture_name(as_path(file))), (line, ""))
