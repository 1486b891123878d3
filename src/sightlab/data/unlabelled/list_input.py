"""Lists of pictures to predict, in an order that the predictions keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sightlab.data.containers.base import DataFile
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.split_words import split_of
from sightlab.data.local_paths import local_path
from sightlab.data.messages import shortened
from sightlab.data.pictures.image_file import SKIP_HINT
from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.tables.column_search import Search, place_of
from sightlab.data.tables.dialect import BLANK, TextTable
from sightlab.data.tables.finder import Finder, as_path
from sightlab.data.tables.sheet import Sheet, lines_of, whole_of
from sightlab.errors import DataError, one_line

MOST_COLUMNS = 64  # a wider table holds pixels
ID = re.compile(r"(.*[-_ ])?id", re.IGNORECASE)
NAMED_COLUMNS = 3


@dataclass(frozen=True)
class Entry:
    """A picture that a list names. line: what messages call its row. text: as the list has it. id: its own id."""

    line: str
    text: str
    id: str


@dataclass(frozen=True)
class PictureList:
    """A list's pictures in its order. note: on its other columns, "" for nothing."""

    entries: tuple[Entry, ...]
    note: str


def picture_list(table: TextTable, beside: Callable[[], Sequence[str]]) -> PictureList | None:
    """The pictures that a text names, by suffix, or by names of pictures beside it without their suffix; else None.

    beside: the pictures of the folder the list lies in, by names relative to it. Raises DataError as `all_records`.
    """
    if table.width > MOST_COLUMNS:
        return None
    if table.separator in ("", BLANK):
        sheet = Sheet(table.file.name, str(table.file), lines(table))
    else:
        sheet = whole_of(table, str(table.file))
    for fits in (is_named_picture, FoundBeside(beside)):
        place = column_where(sheet, fits)
        if place is not None:
            return entries_of(sheet, place, has_heading=not fits(sheet.column(place)[0]))
    return None


def is_named_picture(cell: str) -> bool:
    """Whether a cell names a picture by its suffix."""
    return is_picture_name(as_path(cell))


class FoundBeside:
    """Whether a cell is the name of a picture beside the list, whatever its suffix."""

    def __init__(self, beside: Callable[[], Sequence[str]]) -> None:
        self.beside = beside

    @cached_property
    def finder(self) -> Finder:
        """The pictures beside the list."""
        return Finder(self.beside())

    def __call__(self, cell: str) -> bool:
        """Whether this cell is one."""
        return bool(cell) and bool(self.finder.by_loose_end(as_path(cell)))


def lines(table: TextTable) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Rows of a text without a separator of its own: a file's name, blanks and all, and what may follow it.

    A line that ends as a picture does is a name; else its last word is left off where the rest is a name.
    """
    rows = []
    for number, text in lines_of(table):
        file, _, last = text.rpartition(" ")
        rows.append((number, (file.strip(), last) if is_picture_name(file.strip()) else (text,)))
    return tuple(rows)


def column_where(sheet: Sheet, fits: Callable[[str], bool]) -> int | None:
    """The first column most of whose cells fit; None where there is none."""
    for place in range(sheet.width):
        cells = sheet.column(place)
        body = cells[1:] if len(cells) > 1 and not fits(cells[0]) else cells
        if body and 2 * sum(map(fits, body)) > len(body):
            return place
    return None


def entries_of(sheet: Sheet, place: int, *, has_heading: bool) -> PictureList:
    """A sheet's rows as entries. place: the column of pictures."""
    heading = sheet.rows[0][1] if has_heading else ()
    others = [n for n in range(sheet.width) if n != place]
    ids = [n for n in others if n < len(heading) and ID.fullmatch(heading[n])]
    own = ids[0] if len(ids) == 1 else place
    entries = [
        Entry(sheet.at(number), row[place], row[own] if own < len(row) else "")
        for number, row in sheet.rows[len(heading) > 0 :]
        if place < len(row) and row[place] and not is_remark(row, place)
    ]
    left = [heading[n] if n < len(heading) else f"{n}" for n in others if n != own]
    return PictureList(tuple(entries), left_columns(sheet.shown, left))


def is_remark(row: Sequence[str], place: int) -> bool:
    """Whether a row is a comment: it begins with `#`, and names no picture."""
    return row[0].startswith("#") and not is_named_picture(row[place])


def left_columns(shown: str, names: Sequence[str]) -> str:
    """The line on columns that are ignored, "" for none.

    >>> left_columns("list.csv", ["label"])
    'list.csv: column label ignored; `sightlab test` scores answers against labels'
    """
    if not names:
        return ""
    first = ", ".join(shortened(one_line(name), 20) for name in names[:NAMED_COLUMNS])
    more = ", ..." if len(names) > NAMED_COLUMNS else ""
    word = "column" if len(names) == 1 else "columns"
    return f"{shown}: {word} {first}{more} ignored; `sightlab test` scores answers against labels"


class Located:
    """Where the pictures of a list are: as the list says from its folder, or from here, else found beside it."""

    def __init__(self, file: DataFile, entries: Sequence[Entry], beside: Callable[[], Sequence[str]]) -> None:
        self.file, self.entries, self.beside = file, entries, beside
        self.folder = file.path.parent if file.path is not None else Path()

    @cached_property
    def search(self) -> Search:
        """Finds pictures of the list's folder by parts of their paths."""
        place = place_of(self.file.name, split_of(Path(self.file.name).stem))
        return Search(Finder(self.beside()), place, [entry.text for entry in self.entries])

    def path_of(self, entry: Entry) -> Path:
        """An entry's picture. Raises DataError where there is none, or several could be meant."""
        with suppress(OSError, ValueError):
            given = local_path(entry.text)
            for path in (self.folder / given, given):
                if path.is_file():
                    return path
        names = self.search.find(entry.text).names
        if len(names) == 1:
            return self.folder / names[0]
        text = shortened(one_line(entry.text), 80)
        if not names:
            raise DataError(
                f"{entry.line}: there is no picture `{text}` beside the list; correct the line; {SKIP_HINT}"
            )
        one, two = sorted(names)[:2]
        raise DataError(f"{entry.line}: `{text}` could be {one} or {two}; give its path from the list")

    def found(self, on_missing: Callable[[DataError], None]) -> Iterator[tuple[Entry, Path]]:
        """Every entry and its picture. on_missing: told of those that are not there, which are left out."""
        for entry in self.entries:
            try:
                yield entry, self.path_of(entry)
            except DataError as error:
                on_missing(error)


def pictures_beside(inventory: Inventory) -> tuple[str, ...]:
    """The pictures of the folder that a lone file lies in; none where that cannot be listed."""
    try:
        return inventory.beside().pictures
    except DataError:
        return ()
