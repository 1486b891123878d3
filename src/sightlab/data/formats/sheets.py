"""Reader of one pixel table whose columns are known: the fast parser where it applies, else the exact one."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.csv_exact import blocks, fault, with_point
from sightlab.data.formats.csv_fast import Labels, Rows, read_table
from sightlab.data.formats.csv_fields import Table
from sightlab.data.formats.file_io import GZIP, opened, reading
from sightlab.data.formats.label_files import LabelFile
from sightlab.data.formats.pixel_values import Scale, Seen, of_bytes, with_values
from sightlab.data.tables.column_names import called
from sightlab.data.tables.columns import columns_of
from sightlab.data.tables.dialect import BLANK, text_table
from sightlab.data.tables.evidence import end_of, probed
from sightlab.data.tables.grid import ASCII_BASED, Grid, grid_of
from sightlab.data.tables.pixel_columns import Columns, either_end
from sightlab.data.tables.roles import UnclearError, Wish
from sightlab.errors import DataError

BOM = b"\xef\xbb\xbf"
CHECKED_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table and what its columns are. labels: where they are, if not in this table. verbatim: whether ids are wanted
    as they are written.
    """

    grid: Grid
    columns: Columns
    labels: LabelFile | None = None
    verbatim: bool = False

    @property
    def file(self) -> DataFile:
        """Where the table is."""
        return self.grid.table.file

    @property
    def values(self) -> int:
        """Values of a picture."""
        return math.prod(self.columns.shape)

    @property
    def used(self) -> tuple[int, ...]:
        """The fields that are read beside the pixels."""
        ids = (self.columns.ids,) if self.verbatim else ()
        return tuple(sorted({n for n in (*self.columns.labels, self.columns.split, *ids) if n is not None}))


def sheet_of(file: DataFile, wish: Wish, encoding: str | None = None, *, verbatim: bool = False) -> Sheet:
    """A table of pixels, its columns told by names and values. verbatim: see `Sheet`.

    Raises DataError for a file that is none, and UnclearError, which is one, where it is unclear which column is what.
    """
    with reading(file):
        table = text_table(file, encoding)
    if table is None:
        raise DataError(f"{file}: empty file; expected rows of a label and pixels")
    grid = grid_of(table)
    try:
        columns = columns_of(grid, wish)
    except UnclearError as error:
        raise type(error)(f"{file}: {error}") from None
    if columns is None:
        raise DataError(f"{file}: {no_pixels(grid)}")
    if columns.doubts:
        raise UnclearError(f"{file}: {columns.doubts[0]}")
    return Sheet(grid, columns, verbatim=verbatim)


def no_pixels(grid: Grid) -> str:
    """The line for a table that holds no pixels: what it holds."""
    numbers = sum(grid.kind(n) == "number" for n in range(grid.width))
    held = f"{grid.width} {'column' if grid.width == 1 else 'columns'}, {numbers} of numbers"
    named = f" ({', '.join(called(grid.header, n) for n in range(min(3, grid.width)))})" if grid.header else ""
    return (
        f"holds {held}{named}: neither a row of pixels a picture, as in label,pixel0,pixel1,..., nor names of picture "
        "files beside it"
    )


@dataclass(frozen=True, eq=False)
class Raw:
    """What a table holds, its values not yet scaled.

    pixels: uint8 [N, P] in the order of the table, None where the values are no bytes. words: the cells of each used
    field in pieces. seen: what the values are like. count: pictures.
    """

    pixels: NDArray[np.uint8] | None
    words: dict[int, list[Labels]]
    seen: Seen
    count: int


def read_raw(sheet: Sheet, rows: Rows) -> Raw:
    """Read a table. rows: gives the array for so many pictures, uint8 [N, P].

    Raises DataError with line and column: a ragged row, a missing label, a cell that is no number; and no rows.
    """
    with reading(sheet.file):
        table = layout_of(sheet)
        fast = read_table(table, rows) if table else None
        if fast is not None:
            count = len(fast.pixels)
            words = {field: [piece[n] for piece in fast.pieces if piece] for n, field in enumerate(sheet.used)}
            raw = Raw(fast.pixels, words, of_bytes(count * sheet.values, fast.highest), count)
        else:
            raw = read_exactly(sheet, rows)
    if sheet.columns.by_values and raw.pixels is not None:
        check_label_end(sheet, raw)
    return raw


def read_exactly(sheet: Sheet, rows: Rows) -> Raw:
    """Read a table row by row."""
    words: dict[int, list[Labels]] = {field: [] for field in sheet.used}
    seen, joined, count = Seen(), bytearray(), 0
    for block in blocks(sheet.grid, sheet.columns, sheet.used):

        def place(row: int, column: int) -> str:
            return fault(sheet.grid, sheet.columns, block.lines[row], column, block.cells[row][column])  # noqa: B023

        seen = with_values(seen, block.values, place)
        count += len(block.lines)
        if seen.are_bytes:
            joined += block.values.astype(np.uint8).tobytes()
        for field, cells in zip(sheet.used, block.words, strict=True):
            words[field].append(cells)
    if not count:
        raise DataError(f"{sheet.file}: holds {'a header and no rows' if sheet.grid.header else 'no rows'}")
    if not seen.are_bytes:
        return Raw(None, words, seen, count)
    pixels = rows(count)
    pixels[:] = np.frombuffer(joined, np.uint8).reshape(pixels.shape)
    return Raw(pixels, words, seen, count)


def scaled(sheet: Sheet, raw: Raw, scale: Scale, rows: Rows) -> NDArray[np.uint8]:
    """The pixels as bytes, uint8 [N, P] in the order of the table; a table of other numbers is read once more."""
    if raw.pixels is not None:
        scale.change(raw.pixels)
        return raw.pixels
    pixels, place = rows(raw.count), 0
    for block in blocks(sheet.grid, sheet.columns, sheet.used):
        pixels[place : place + len(block.lines)] = scale.apply(block.values.astype(np.float64))
        place += len(block.lines)
    return pixels


def check_label_end(sheet: Sheet, raw: Raw) -> None:
    """Raises DataError where all rows do not say as the first ones did which end of the table is the label."""
    pixels, columns = raw.pixels, sheet.columns
    label = first_numbers(raw.words[columns.labels[0]])
    if pixels is None or label is None:
        return
    some = np.linspace(0, len(pixels) - 1, min(len(pixels), CHECKED_ROWS)).astype(np.int64)
    at_front = columns.labels[0] < columns.pixels[0]
    width = pixels.shape[1] + 1
    label_at = 0 if at_front else width - 1
    values = {n: label[some] if n == label_at else pixels[some, n - at_front].astype(np.float64) for n in probed(width)}
    if end_of(values, width) != ("first" if at_front else "last"):
        both = replace(columns, pixels=tuple(sorted((*columns.pixels, *columns.labels))))
        raise DataError(f"{sheet.file}: {either_end(both, columns.shape, None)}")


def first_numbers(pieces: Sequence[Labels]) -> NDArray[np.float64] | None:
    """The cells of a column as numbers, [N]; None where one is none."""
    plain = [piece if isinstance(piece, np.ndarray) else list(map(with_point, piece)) for piece in pieces]
    try:
        return np.concatenate([np.asarray(piece, np.float64) for piece in plain])
    except ValueError:
        return None


def layout_of(sheet: Sheet) -> Table | None:
    """A table's layout for the fast road; None where it cannot be taken."""
    columns, table = sheet.columns, sheet.grid.table
    inside = frozenset(columns.pixels)
    inner = inner_separator(sheet) if columns.packed else ""
    if len(table.separator) != 1 or (columns.packed and not inner):
        return None
    reopen, size = source_of(table.file, table.encoding)
    with reopen() as stream:
        for _ in range(sheet.grid.line - 1):
            stream.readline()
        start = stream.tell()
        head = stream.readline()
    return Table(
        reopen,
        size,
        start + len(BOM) if head.startswith(BOM) else start,
        head.endswith(b"\r\n"),
        table.separator,
        columns.width,
        sheet.values,
        tuple(n for n in range(columns.width) if n not in inside),
        sheet.used,
        inner,
        sheet.verbatim,
        "utf-8" if table.encoding.startswith(("utf-8", "utf-16", "utf-32")) else table.encoding,
    )


def inner_separator(sheet: Sheet) -> str:
    """What parts the numbers of a picture in one field: a blank, a comma or a semicolon; "" for several of these."""
    cell = sheet.grid.rows[0][sheet.columns.pixels[0]].strip("[]() ")
    found = [mark for mark in ",;" if mark in cell]
    return found[0] if len(found) == 1 else "" if found or "[" in cell else BLANK


def source_of(file: DataFile, encoding: str) -> tuple[Callable[[], BinaryIO], int]:
    """How to open a file's text, and its length in bytes: in place, or unpacked in memory; UTF-16 becomes UTF-8."""
    plain = encoding.startswith(ASCII_BASED)
    if plain and file.path is not None and file.head(len(GZIP)) != GZIP:
        return file.open, file.size
    with opened(file) as (stream, _):
        text = stream.read()
    if not plain:
        text = text.decode(encoding).encode()
    return (lambda: io.BytesIO(text)), len(text)
