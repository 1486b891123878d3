"""The exact CSV parser: row by row, with quotes and fractions, naming the line of every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.pixel_values import WHOLE
from sightlab.data.tables.grid import Grid
from sightlab.data.tables.packed import packed_numbers
from sightlab.data.tables.pixel_columns import Columns
from sightlab.data.tables.read_rows import raw_records
from sightlab.errors import DataError

SHOWN_CHARACTERS = 40
BLOCK_VALUES = 1 << 20
BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a table. values: [n, P], bytes where all are. words: the cells of each used field. lines, cells: of
    each row, to say where a value is.
    """

    values: NDArray[np.uint8] | NDArray[np.float64]
    words: list[list[str]]
    lines: list[int]
    cells: list[list[str]]


def blocks(grid: Grid, columns: Columns, used: Sequence[int]) -> Iterator[Block]:
    """The rows of a table. used: the fields that are read beside the pixels.

    Raises DataError with the line and the column: a ragged row, an empty field that is used, a pixel that is no number.
    """
    size = max(1, min(BLOCK_ROWS, BLOCK_VALUES // int(np.prod(columns.shape))))
    rows = checked_rows(grid, columns, used)
    comma = grid.table.separator != ","
    while part := [row for row, _ in zip(rows, range(size), strict=False)]:
        lines, cells, words = [line for line, _, _ in part], [cells for _, cells, _ in part], [w for _, _, w in part]
        yield Block(
            values_of(grid, columns, lines, cells, comma), list(map(list, zip(*words, strict=True))), lines, cells
        )


def checked_rows(grid: Grid, columns: Columns, used: Sequence[int]) -> Iterator[tuple[int, list[str], list[str]]]:
    """(line, cells of the pixels, cells of the used fields) of every row below the heading."""
    file, many, first = grid.table.file, int(np.prod(columns.shape)), grid.table.records[0][0]
    start, stop = columns.pixels[0], columns.pixels[-1] + 1
    in_one = stop - start == len(columns.pixels)
    for line, row in raw_records(grid.table):
        if line < grid.line or (row[0].startswith("#") and len(row) != grid.width):
            continue
        if len(row) != grid.width:
            raise DataError(f"{file}: line {line} has {len(row)} fields, line {first} has {grid.width}")
        words = [row[n].strip() for n in used]
        if not all(words):
            empty = used[words.index("")]
            what = "the label is missing" if empty in columns.labels else "the field is empty"
            raise DataError(f"{file}: line {line}, {column_name(columns.header, empty)}: {what}")
        if columns.packed:
            cells = packed_numbers(row[start])
            if len(cells) != many:
                name = column_name(columns.header, start)
                raise DataError(f"{file}: line {line}, {name}: holds {len(cells)} numbers; a picture has {many}")
        else:
            cells = row[start:stop] if in_one else [row[n] for n in columns.pixels]
        yield line, cells, words


def values_of(
    grid: Grid, columns: Columns, lines: Sequence[int], cells: Sequence[list[str]], comma: bool
) -> NDArray[np.uint8] | NDArray[np.float64]:
    """The numbers in these cells, [n, P]: bytes where all are. Raises DataError for a cell that is no number."""
    found = [row_numbers(row, comma) for row in cells]
    for line, row, values in zip(lines, cells, found, strict=True):
        if values is None:
            place = next(n for n, cell in enumerate(row) if row_numbers([cell], comma) is None)
            raise DataError(f"{fault(grid, columns, line, place, row[place])}; {WHOLE}")
    if all(isinstance(values, bytes) for values in found):
        joined = b"".join(values for values in found if isinstance(values, bytes))
        return np.frombuffer(joined, np.uint8).reshape(len(found), -1)
    return np.array([list(v) if isinstance(v, bytes) else v for v in found if v is not None], np.float64)


def row_numbers(cells: Sequence[str], comma: bool = False) -> bytes | list[float] | None:
    """The numbers of a row, as bytes where all are whole and from 0 to 255; None where a cell holds none.

    comma: whether numbers may have a comma for a point.

    >>> row_numbers(["0", " 007", "12.0"]), row_numbers(["256"]), row_numbers(["0,5"], True), row_numbers(["nan"])
    (b'\\x00\\x07\\x0c', [256.0], [0.5], None)
    """
    joined = "".join(cells)
    if "_" in joined or not joined.isascii():
        return None  # Python's own numbers may have underscores and the digits of any script
    try:
        return bytes(map(int, cells))
    except ValueError:
        pass
    try:
        values = [float(cell) for cell in (map(with_point, cells) if comma else cells)]
    except ValueError:
        return None
    array = np.array(values)
    if not np.isfinite(array).all():
        return None
    whole = (array >= 0) & (array <= 255) & (array == np.floor(array))
    return array.astype(np.uint8).tobytes() if whole.all() else values


def with_point(cell: str) -> str:
    """A number with a point for its comma: one comma alone is no separator of thousands.

    >>> with_point("0,5"), with_point("1,000.5")
    ('0.5', '1,000.5')
    """
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell


def fault(grid: Grid, columns: Columns, line: int, place: int, cell: str) -> str:
    """Where a value is, and what is there. place: among the pixels of a row."""
    text = cell.strip()
    found = repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...") if text else "nothing"
    field = columns.pixels[0] if columns.packed else columns.pixels[place]
    number = f", number {place + 1}" if columns.packed else ""
    return f"{grid.table.file}: line {line}, {column_name(columns.header, field)}{number}: found {found}"


def column_name(header: tuple[str, ...], column: int) -> str:
    """What to call a column: by its name, else by its number from 0."""
    name = header[column].strip() if column < len(header) else ""
    return f"column {name[:60]}" if name else f"column {column} (from 0)"
