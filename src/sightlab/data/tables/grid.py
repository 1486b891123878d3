"""A text table's heading and the rows that are looked at to tell what its columns are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.opening import GZIP, opened
from sightlab.data.tables.dialect import BLANK, TextTable, cells
from sightlab.data.tables.headings import has_heading, is_mangled, is_number, is_packed

CHUNKS = 24
CHUNK_BYTES = 1 << 16
STREAM_STEP = 1 << 22
ASCII_BASED = ("utf-8", "utf-8-sig", "ascii", "latin-1", "iso8859", "cp12", "gb", "big5", "shift_jis", "euc")
TEXT_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Grid:
    """A table's first rows, its heading told from them.

    header: the columns' names, () for none. rows: cells of the first rows of data, each as wide as the table.
    line: the line number of the first row of data (of the heading, where there is no row). width: columns.
    mangled: whether the heading is a row of pixels that pandas took for names.
    """

    table: TextTable
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    line: int
    width: int
    mangled: bool = False

    @cached_property
    def sample(self) -> tuple[tuple[str, ...], ...]:
        """Rows from all over the table, its first ones among them."""
        if self.table.whole:
            return self.rows
        # chunks of a small file overlap, so a row is taken once
        return tuple(dict.fromkeys((*self.rows, *(row for row in scattered(self.table) if len(row) == self.width))))

    def kind(self, place: int) -> str:
        """What a column's first rows hold: `number`, `text`, `packed` (a picture's pixels) or `empty`."""
        return kind_of([row[place] for row in self.rows], self.known)

    @cached_property
    def known(self) -> dict[str, str]:
        """What the cells seen so far are, to look at each but once."""
        return {}

    def column(self, place: int) -> list[str]:
        """A column's cells in the sample."""
        return [row[place] for row in self.sample]

    def numbers(self, columns: Sequence[int], rows: Sequence[Sequence[str]] | None = None) -> NDArray[np.float64]:
        """These columns of the sample (or of these rows) as numbers, [N, columns]; rows with other cells left out."""
        found = [numbers_of(row, columns) for row in (self.sample if rows is None else rows)]
        kept = [row for row in found if row is not None]
        return np.array(kept, np.float64).reshape(len(kept), len(columns))


def grid_of(table: TextTable) -> Grid:
    """The heading and the first rows of a table."""
    (line, first), *rest = table.records
    rows = [row for _, row in rest]
    names = has_heading(first, [row for row in rows if len(row) == len(first)] or rows)
    width = usual_width(rows) if rows else len(first)
    whole = tuple(row for row in rows if len(row) == width)
    if not names:
        width = usual_width([first, *rows])
        return Grid(table, (), tuple(row for row in (first, *rows) if len(row) == width), line, width)
    mangled = is_mangled(first, whole)
    found = Grid(table, first, whole, rest[0][0] if rest else line, width, mangled)
    return with_whole_heading(found)


def with_whole_heading(grid: Grid) -> Grid:
    """The grid with a heading of its width: R leaves out the name of the row names, others that of an empty end."""
    if len(grid.header) == grid.width - 1:
        ends_empty = all(not row[-1] for row in grid.rows)
        return replace(grid, header=(*grid.header, "") if ends_empty else ("", *grid.header))
    if len(grid.header) == grid.width + 1 and not grid.header[-1]:
        return replace(grid, header=grid.header[:-1])
    return grid


def usual_width(rows: Iterable[Sequence[str]]) -> int:
    """How many cells most rows have."""
    counts = [len(row) for row in rows]
    return max(set(counts), key=lambda n: (counts.count(n), n))


def kind_of(column: Sequence[str], known: dict[str, str]) -> str:
    """What a column's cells mostly are. known: what the cells seen so far are, to look at each but once."""
    seen = set(column)
    for cell in seen - known.keys():
        known[cell] = "empty" if not cell else "number" if is_number(cell) else "packed" if is_packed(cell) else "text"
    if all(known[cell] == "number" for cell in seen):
        return "number"
    found = [known[cell] for cell in column]
    for kind in ("packed", "text"):
        if found.count(kind) >= TEXT_SHARE * (len(found) - found.count("empty")) and kind in found:
            return kind
    return "empty" if found.count("empty") == len(found) else "number"


def numbers_of(row: Sequence[str], columns: Sequence[int]) -> list[float] | None:
    """These cells as numbers; None where one is none."""
    try:
        return [float(row[place].replace(",", ".")) for place in columns]
    except ValueError:
        return None


def scattered(table: TextTable) -> Iterator[tuple[str, ...]]:
    """Rows of whole lines from all over a file; none where its encoding does not allow to begin in the middle."""
    if not table.encoding.startswith(ASCII_BASED):
        return
    least = 4 * max((sum(map(len, row)) + len(row) for _, row in table.records[-4:]), default=0)
    for chunk in chunks(table, max(CHUNK_BYTES, least)):
        text = chunk.decode(table.encoding, "replace")
        for line in text.splitlines()[1:-1]:
            row = tuple(cells(line, table.separator)) if line.strip() else ()
            if row and not (row[0].startswith("#") and table.separator != BLANK):
                yield row


def chunks(table: TextTable, size: int) -> Iterator[bytes]:
    """Parts of a file's text in its order: at even distances, or of a gzip stream every so many bytes."""
    with opened(table.file) as (stream, _):
        if table.file.head(2) == GZIP:
            while data := stream.read(STREAM_STEP):
                yield data[:size]
            return
        for step in range(CHUNKS):
            stream.seek(table.file.size * step // CHUNKS)
            yield stream.read(size)
