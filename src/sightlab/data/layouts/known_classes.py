"""Matching table cells to the classes of folders: by name, by number, by lists that number the classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice

from sightlab.data.tables.dialect import TextTable
from sightlab.data.tables.read_rows import all_records

MOST_COLUMNS = 64  # a wider table holds pixels or features
NUMBER = re.compile(r"-?\d+(\.\d+)?")
WHOLE = re.compile(r"\d+(\.0+)?")


class KnownClasses:
    """The classes of the other splits, by every way in which a table may write them."""

    def __init__(self, names: Mapping[str, str], orders: Sequence[Mapping[str, str]] = ()) -> None:
        """names: class by each spelling of it. orders: class by number, as each list of all classes says it."""
        self.names = dict(names)
        whole = [(int(text), name) for text, name in names.items() if text.isascii() and text.isdigit()]
        self.whole = dict(whole) if len(whole) == len(names) == len(dict(whole)) else {}
        self.orders = orders

    def of(self, cell: str) -> str | None:
        """The class that a cell names; None where it names none. Boxes may stand behind a name.

        >>> classes = KnownClasses({"00000": "00000", "00012": "00012"})
        >>> classes.of("12"), classes.of("7"), KnownClasses({"n01": "n01"}).of("n01 3 4 30 30")
        ('00012', None, 'n01')
        """
        if cell in self.names:
            return self.names[cell]
        if self.whole:
            return self.whole.get(int(float(cell))) if WHOLE.fullmatch(cell) else None
        first, *more = cell.split() or [""]
        boxes = bool(more) and all(NUMBER.fullmatch(text) or text == first for text in more)
        return self.names.get(first) if boxes else None

    def by_name(self, cells: Sequence[str]) -> list[tuple[str, ...]]:
        """The classes of a column that names them, in a list of one; empty for a column that does not.

        Where most classes occur by name, cells may name others: classes that the folders lack.
        """
        found = [self.of(cell) for cell in cells]
        if None in found and (self.whole or 2 * len({*found} - {None}) <= len({*self.names.values()})):
            return []
        return [tuple(name or cell.partition(" ")[0] for name, cell in zip(found, cells, strict=True))]

    def by_number(self, cells: Sequence[str]) -> list[tuple[str, ...]]:
        """The classes of a column that numbers them, by each list of classes that has all numbers in it."""
        if self.whole or len(set(cells)) == len(cells) > 1:  # running numbers are no labels
            return []
        return [tuple(order[cell] for cell in cells) for order in self.orders if all(cell in order for cell in cells)]


def class_orders(tables: Mapping[str, TextTable], names: Mapping[str, str]) -> list[dict[str, str]]:
    """Class by number, of each table that lists every class once: by its column of numbers, else by its lines."""
    found: list[dict[str, str]] = []
    count = len(set(names.values()))
    for table in tables.values():
        records = table.records if table.whole else all_records(table) if small(table) else ()
        rows = [cells for _, cells in islice(records, count + 1)]
        for column in range(table.width):
            cells = [row[column] for row in rows if row[column:]]
            classes = [names.get(cell) or names.get(cell.partition(" ")[0]) for cell in cells]
            if len(rows) == count and set(classes) == set(names.values()):
                found += [order for order in numbered([str(name) for name in classes], rows) if order not in found]
    return found


def small(table: TextTable) -> bool:
    """Whether a table may be a list of classes by its size."""
    return table.width <= MOST_COLUMNS and table.file.size < 2**22


def numbered(classes: Sequence[str], rows: Sequence[tuple[str, ...]]) -> list[dict[str, str]]:
    """Class by the number in its row; where no column numbers all rows by its place, from 0 and from 1."""
    for column in range(min(map(len, rows))):
        cells = [row[column] for row in rows]
        if all(cell.isdigit() for cell in cells) and len(set(cells)) == len(cells):
            return [dict(zip(cells, classes, strict=True))]
    return [{str(place): name for place, name in enumerate(classes, start)} for start in (0, 1)]
