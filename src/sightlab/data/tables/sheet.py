"""A list of pictures as rows of cells, from a text table, loose lines or JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sightlab.data.formats.file_io import opened
from sightlab.data.tables.dialect import TextTable
from sightlab.data.tables.read_rows import all_records
from sightlab.errors import DataError


class UnclearError(DataError):
    """A list that may not be the one that is meant: its labels are not certain, or most of its pictures elsewhere."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A list's rows.

    name: the file's, relative to the source. shown: what messages call it. rows: (number, cells) of each, from the
    first one that is no heading where the heading is known. heading: the columns' names; () where none is known.
    unit: what a row's number counts, `line` or `entry`. separator: what parts the cells of a text.
    headless: whether the first row is data for certain.
    """

    name: str
    shown: str
    rows: Sequence[tuple[int, tuple[str, ...]]]
    heading: tuple[str, ...] = ()
    unit: str = "line"
    separator: str = ","
    headless: bool = False
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def width(self) -> int:
        """How many cells the widest of the usual rows has."""
        counts = [len(row) for _, row in self.rows[:200]]
        usual = max(set(counts), key=lambda n: (counts.count(n), n)) if counts else 0
        return max(usual, len(self.heading))

    def at(self, number: int) -> str:
        """What messages call a row: `labels.csv, line 26`."""
        return f"{self.shown}, {self.unit} {number}"

    def column(self, place: int) -> list[str]:
        """All cells of a column; "" where a row has none."""
        return [row[place] if place < len(row) else "" for _, row in self.rows]

    def named(self, place: int) -> str:
        """What messages call a column: its heading, else its number from 0."""
        return self.heading[place] if place < len(self.heading) and self.heading[place] else str(place)


def head_of(table: TextTable, shown: str) -> Sheet:
    """A text table's first rows."""
    return Sheet(table.file.name, shown, table.records, separator=table.separator)


def whole_of(table: TextTable, shown: str) -> Sheet:
    """All rows of a text table. Raises DataError as `all_records` does."""
    rows = list(table.records) if table.whole else list(all_records(table))
    return Sheet(table.file.name, shown, rows, separator=table.separator)


def lines_of(table: TextTable) -> Iterator[tuple[int, str]]:
    """(number, text) of a text's lines that have anything in them, stripped. Raises DataError."""
    with opened(table.file) as (stream, _):
        text = io.TextIOWrapper(stream, encoding=table.encoding, errors="replace")
        yield from ((number, line.strip()) for number, line in enumerate(text, 1) if line.strip())
