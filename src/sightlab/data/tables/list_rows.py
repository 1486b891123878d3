"""Rows of a list: heading and comments removed, rows with a separator too many repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sightlab.data.messages import shortened
from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.tables.column_search import Search
from sightlab.data.tables.finder import as_path
from sightlab.data.tables.loose_lines import meant, turned, ways
from sightlab.data.tables.picture_column import PICTURES, PictureColumn, first_cell, has_heading, words_of
from sightlab.data.tables.sheet import Sheet, UnclearError
from sightlab.errors import DataError


def with_heading(sheet: Sheet, column: PictureColumn, asked: str | None) -> tuple[Sheet, PictureColumn]:
    """The list without comments, its heading told from its rows. Raises DataError where that cannot be told."""
    if column.rival is not None:
        one, two = (over(sheet, c)[:40] for c in (column.place, column.rival))
        raise DataError(
            f"{sheet.shown}: columns `{one}` and `{two}` both name pictures, and not the same ones; keep one, or "
            "`ignore=` the folder of the others"
        )
    if sheet.heading:
        return sheet, column
    rows = [row for place, row in enumerate(sheet.rows) if not place or not is_comment(row[1], column)]
    sheet = replace(sheet, rows=rows)
    headed = has_heading(sheet, column, asked)
    if headed is None:
        text = shortened(",".join(rows[0][1]), 50)
        raise UnclearError(
            f"{sheet.at(rows[0][0])}: `{text}` may be a heading, or name a picture that is not there; correct it, "
            f"or name the label column, as in `label={rows[0][1][-1][:30]}`"
        )
    if headed:
        body = replace(sheet, rows=rows[1:])
        sheet = replace(body, heading=heading_over(body, rows[0], column))
    elif rows and is_comment(rows[0][1], column):
        sheet = replace(sheet, rows=rows[1:])
    sheet = replace(sheet, rows=[repaired(sheet, row, column) for row in sheet.rows])
    return sheet, replace(column, search=Search(column.search.finder, column.search.place, sheet.column(column.place)))


def over(sheet: Sheet, c: int) -> str:
    """What a column is called whose heading may be the cell of the first row."""
    cell = first_cell(sheet, c)
    return sheet.named(c) if sheet.heading or not cell or is_picture_name(as_path(cell)) else cell


def heading_over(body: Sheet, first: tuple[int, tuple[str, ...]], column: PictureColumn) -> tuple[str, ...]:
    """The heading over a list's rows; R leaves out that of the rows' names. Raises DataError for too short a one."""
    heading = tuple(cell.removeprefix("#") for cell in first[1])
    if len(heading) >= body.width:
        return heading
    shifted = ("", *heading)
    over = [words_of(one[column.place]) & PICTURES if column.place < len(one) else False for one in (heading, shifted)]
    if len(shifted) == body.width and not over[0] and (over[1] or not column.place):
        return shifted
    raise DataError(
        f"{body.at(first[0])}: the heading has {len(heading)} cells and the rows have {body.width}; give each column "
        "its heading"
    )


def is_comment(cells: Sequence[str], column: PictureColumn) -> bool:
    """Whether a row begins with `#` and names no picture that is there."""
    named = cells[column.place] if column.place < len(cells) else ""
    return cells[0].startswith("#") and not column.search.find(named).names


def repaired(sheet: Sheet, row: tuple[int, tuple[str, ...]], column: PictureColumn) -> tuple[int, tuple[str, ...]]:
    """A row of more cells than the others: the one way to part it in two whose picture is there. Raises DataError."""
    number, cells = row
    while len(cells) > sheet.width and not cells[-1]:
        cells = cells[:-1]
    if len(cells) <= sheet.width:
        return number, cells
    if sheet.width == 2:
        mark = sheet.separator.strip()  # the blanks behind a mark are gone, and may have been part of a name
        texts = (f"{mark} ".join(cells), mark.join(cells)) if mark else (" ".join(cells),)
        found = [way for text in texts for way in meant(text, turned if column.place else ways, column.search)]
        if len({file for file, _ in found}) == 1:
            return number, (found[0][::-1] if column.place else found[0])
    raise DataError(
        f"{sheet.at(number)}: has {len(cells)} cells where others have {sheet.width}, as `{shortened(cells[-1], 40)}`; "
        "put cells with a separator in them in quotes"
    )
