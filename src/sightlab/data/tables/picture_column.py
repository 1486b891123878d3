"""Picture column detection in lists, and whether the first row is a heading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sightlab.data.class_names import composed
from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.tables.column_search import Place, Search
from sightlab.data.tables.finder import Finder, as_path
from sightlab.data.tables.sheet import Sheet

SAMPLE = 400
# Words of headings over columns of pictures, and over columns of pictures that are not the ones to classify.
FILES = frozenset(("image", "img", "picture", "photo", "file", "filename", "filepath", "path"))
PICTURES = FILES | frozenset(
    (
        *("image", "images", "img", "imgs", "picture", "photo", "file", "files", "filename", "filenames", "filepath"),
        *(
            "path",
            "paths",
            "filepaths",
            "id",
            "ids",
            "imageid",
            "name",
            "names",
            "fname",
            "impath",
            "imagepath",
            "url",
            "key",
        ),
    )
)
OTHERS = frozenset(
    ("mask", "masks", "seg", "segmentation", "depth", "thumbnail", "thumb", "annotation", "trimap", "lesion")
)
HEADINGS = PICTURES | frozenset(
    (
        *(
            "label",
            "labels",
            "class",
            "classes",
            "target",
            "targets",
            "category",
            "categories",
            "split",
            "set",
            "subset",
        ),
        *("species", "breed", "dx", "diagnosis", "emotion", "y", "tags", "usage", "classid", "type", "kind", "valid"),
    )
)


@dataclass(frozen=True, eq=False)
class PictureColumn:
    """The column that names pictures. found: the share of its cells that name one that is there; looks: of those
    that end as pictures' names do. search: finds them. rival: another column that names other pictures, None for none.
    same: other columns that name the same pictures.
    """

    place: int
    found: float
    looks: float
    search: Search
    rival: int | None = None
    same: tuple[int, ...] = ()

    @property
    def by_id(self) -> bool:
        """Whether the cells are names without a suffix."""
        return self.looks <= 0.5


def picture_column(sheet: Sheet, finder: Finder, place: Place) -> PictureColumn | None:
    """The column that names pictures that are there, else one that names pictures that are not; None for neither."""
    rows = sampled(sheet)
    columns = [found for c in range(min(sheet.width, 1024)) if (found := examined(sheet, rows, c, finder, place))]
    there = [column for column in columns if column.found > 0.5]
    if not there:
        lost = [column for column in columns if column.looks > 0.5]
        return lost[0] if lost else None
    best = preferred(rows, [column for column in there if not column.by_id] or there)
    others = [column for column in there if column.place != best.place]
    same = [column.place for column in others if not any(differ(best, column, row) for row in rows)]
    return replace(best, same=tuple(same))


def sampled(sheet: Sheet) -> list[tuple[str, ...]]:
    """Rows of all of a sheet, the first one among them."""
    return [row for _, row in sheet.rows[:: max(1, len(sheet.rows) // SAMPLE)]]


def examined(
    sheet: Sheet, rows: Sequence[tuple[str, ...]], c: int, finder: Finder, place: Place
) -> PictureColumn | None:
    """What a column's cells name; None for one whose cells are not like names, or say the same too often."""
    cells = [row[c] for row in rows if c < len(row) and row[c]]
    if 2 * len(cells) < len(rows) or not cells:
        return None
    looks = share([is_picture_name(as_path(cell)) for cell in cells], headed=not (sheet.heading or sheet.headless))
    if looks <= 0.5 and len(set(cells)) < 0.9 * len(cells):
        return None
    heading = sheet.heading[c] if c < len(sheet.heading) else "" if sheet.heading else first_cell(sheet, c)
    search = Search(finder, replace(place, column=heading), cells)
    found = share([bool(search.find(cell).names) for cell in cells], headed=not (sheet.heading or sheet.headless))
    return PictureColumn(c, found, looks, search) if found > 0.5 or looks > 0.5 else None


def share(true: Sequence[bool], *, headed: bool) -> float:
    """The share of rows of which something is true; the first one may be a heading, and does not count against it."""
    count = len(true) - (headed and not true[0] and len(true) > 1)
    return sum(true) / count


def first_cell(sheet: Sheet, c: int) -> str:
    """The cell of the first row, which may be the column's heading."""
    row = sheet.rows[0][1] if sheet.rows else ()
    return row[c] if c < len(row) else ""


def preferred(rows: Sequence[tuple[str, ...]], columns: Sequence[PictureColumn]) -> PictureColumn:
    """The one of several columns that is meant by its heading; where none is, the first, with its rival."""
    first, *others = columns
    if not others:
        return first
    plain = [column for column in columns if not words_of(heading_of(column)) & OTHERS] or list(columns)
    known = [column for column in plain if words_of(heading_of(column)) & PICTURES] or plain
    best = known[0]
    for other in known[1:]:
        if any(differ(best, other, row) for row in rows):
            return replace(best, rival=other.place)
    return best


def differ(one: PictureColumn, other: PictureColumn, row: Sequence[str]) -> bool:
    """Whether two columns name different pictures in a row."""
    if max(one.place, other.place) >= len(row):
        return False
    return one.search.find(row[one.place]).names != other.search.find(row[other.place]).names


def heading_of(column: PictureColumn) -> str:
    """What may be the heading of a column."""
    return column.search.place.column


def words_of(heading: str) -> frozenset[str]:
    """The words of a heading, in small letters, and all of them as one.

    >>> sorted(words_of("ImageId")), sorted(words_of("file_name"))
    (['id', 'image', 'imageid'], ['file', 'filename', 'name'])
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", composed(heading))
    words = re.findall(r"[^\W\d_]+", spaced.casefold())
    return frozenset((*words, "".join(words)))


def has_heading(sheet: Sheet, column: PictureColumn, asked: str | None) -> bool | None:
    """Whether the first row is a heading; None where that cannot be told. asked: the label column by the user."""
    if sheet.headless:
        return False
    first = sheet.rows[0][1] if sheet.rows else ()
    if column.place >= len(first):
        return bool(asked and asked in first) or None
    cell = first[column.place]
    if column.search.find(cell).names or any(is_picture_name(as_path(one)) for one in first):
        return False
    if (asked and asked in first) or len(sheet.rows) < 2:
        return asked is not None and asked in first
    if recurs(sheet, column, first):
        return False
    if not column.by_id or any(words_of(cell) & HEADINGS for cell in first):
        return True
    return True if unlike(sheet, first) else None


def recurs(sheet: Sheet, column: PictureColumn, first: Sequence[str]) -> bool:
    """Whether what the first row says beside the picture recurs below, as labels are and headings are not."""
    others = [c for c in range(len(first)) if c != column.place and first[c]]
    seen: list[set[str]] = [set() for _ in first]
    for _, row in sheet.rows[1 : 1 + 4 * SAMPLE]:
        for c in others:
            if c < len(row):
                seen[c].add(row[c])
    return any(first[c] in seen[c] for c in others)


def unlike(sheet: Sheet, first: Sequence[str]) -> bool:
    """Whether a column of numbers, or of names with digits, has neither in its first row."""
    for c, cell in enumerate(first):
        below = [row[c] for _, row in sheet.rows[1 : 1 + SAMPLE] if c < len(row) and row[c]]
        if cell and below and not any(map(str.isdigit, cell)) and all(any(map(str.isdigit, one)) for one in below):
            return True
    return False
