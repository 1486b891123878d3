"""The heading and sample rows of a text table, for schema detection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.file_io import GZIP, opened
from sightlab.data.tables.dialect import BLANK, TextTable, cells
from sightlab.data.tables.headings import LONGEST_NUMBER, has_heading, is_mangled, is_number
from sightlab.data.tables.packed import is_packed

CHUNKS = 24
CHUNK_BYTES = 1 << 16
CHUNK_ROWS = 24  # of rows so long that CHUNK_BYTES are few
ASCII_BASED = ("utf-8", "utf-8-sig", "ascii", "latin-1", "iso8859", "cp12", "gb", "big5", "shift_jis", "euc")
TEXT_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Grid:
    """A table's first rows, its heading told from them.

    header: the columns' names, () for none. rows: cells of the first rows of data, each as wide as the table.
    line: the line number of the first row of data, or of where it would be. width: columns.
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
        numbers = np.array(kept, np.float64).reshape(len(kept), len(columns))
        return numbers[np.isfinite(numbers).all(axis=1)]


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
    heading = whole_heading(first, width, whole)
    if len(heading) != width:  # a row that is not as wide as the heading is told where rows are read
        width = len(heading)
        whole = tuple(row for row in rows if len(row) == width)
    return Grid(table, heading, whole, rest[0][0] if rest else line + 1, width, mangled)


def whole_heading(heading: tuple[str, ...], width: int, rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """A heading as wide as the rows: R leaves out the name of the row names, others that of an empty end.

    >>> whole_heading(("y", "p0"), 3, [("1", "7", "0"), ("2", "7", "0")])
    ('', 'y', 'p0')
    >>> whole_heading(("y", "p0"), 3, [("7", "0", "")])
    ('y', 'p0', '')
    """
    if rows and len(heading) == width - 1:
        if all(not row[-1] for row in rows):
            return (*heading, "")
        return ("", *heading) if are_row_names([row[0] for row in rows]) else heading
    return heading[:-1] if len(heading) == width + 1 and not heading[-1] else heading


def are_row_names(cells: Sequence[str]) -> bool:
    """Whether these are names of rows, as R writes them: 1, 2, 3, ..., or words, each of them once."""
    if len(cells) < 2 or len(set(cells)) < len(cells):
        return False
    if not any(map(is_number, cells)):
        return True
    if not all(cell.isdecimal() and len(cell) <= LONGEST_NUMBER for cell in cells):
        return False
    first = int(cells[0])
    return list(map(int, cells)) == list(range(first, first + len(cells)))


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
    """These cells as numbers, with a point or a comma; None where one is none."""
    cells_here = [row[place] for place in columns]
    try:
        return list(map(float, cells_here))
    except ValueError:
        pass
    try:
        return [float(cell.replace(",", ".")) for cell in cells_here]
    except ValueError:
        return None


def scattered(table: TextTable) -> Iterator[tuple[str, ...]]:
    """Rows of whole lines from all over a file; none where its encoding does not allow to begin in the middle."""
    if not table.encoding.startswith(ASCII_BASED):
        return
    least = CHUNK_ROWS * max((sum(map(len, row)) + len(row) for _, row in table.records[-4:]), default=0)
    for chunk in chunks(table, max(CHUNK_BYTES, least)):
        text = chunk.decode(table.encoding, "replace")
        for line in text.splitlines()[1:-1]:
            row = tuple(cells(line, table.separator)) if line.strip() else ()
            if row and not (row[0].startswith("#") and table.separator != BLANK):
                yield row


def chunks(table: TextTable, size: int) -> Iterator[bytes]:
    """Parts of a file's text at even distances, in its order; all of it where it is small."""
    total = text_size(table.file)
    with opened(table.file) as (stream, _):
        for step in range(CHUNKS):
            stream.seek(total * step // CHUNKS)
            yield stream.read(size)


def text_size(file: DataFile) -> int:
    """How many bytes of text a file holds, which gzip states in its last four bytes."""
    if file.head(len(GZIP)) != GZIP:
        return file.size
    with file.open() as stream:
        stream.seek(max(0, file.size - 4))
        return int.from_bytes(stream.read(4), "little")
