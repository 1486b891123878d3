"""The heads of a source's text tables, each read once; tables that cannot be read are left out."""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from sightlab.data.inventory import Inventory
from sightlab.data.tables.dialect import TextTable

LONGEST_CELL = 1000
NUMBERS = re.compile(r"[\d\s.,;|\[\]()+-]+")
_TABLES: WeakKeyDictionary[Inventory, dict[str, TextTable | None]] = WeakKeyDictionary()


def table_in(inventory: Inventory, name: str) -> TextTable | None:
    """A text table's first rows; None where the file is no table. Raises DataError as `text_table` does."""
    known = _TABLES.setdefault(inventory, {})
    if name not in known:
        table = inventory.table(name)
        known[name] = None if table is None or is_packed(table) else table
    return known[name]


def is_packed(table: TextTable) -> bool:
    """Whether a cell is longer than any name or label: pixels packed into one cell, as in `emotion,pixels,Usage`."""
    longest = [cell for _, row in table.records[:5] for cell in row if len(cell) > LONGEST_CELL]
    return any(NUMBERS.fullmatch(cell[:LONGEST_CELL]) for cell in longest)
