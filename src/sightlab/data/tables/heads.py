"""The heads of a source's text tables, each read once, whatever is wrong with the others."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sightlab.data.inventory import Inventory
from sightlab.data.tables.dialect import TextTable

_TABLES: WeakKeyDictionary[Inventory, dict[str, TextTable | None]] = WeakKeyDictionary()


def table_in(inventory: Inventory, name: str) -> TextTable | None:
    """A text table's first rows; None where the file is no table. Raises DataError as `text_table` does."""
    known = _TABLES.setdefault(inventory, {})
    if name not in known:
        known[name] = inventory.table(name)
    return known[name]
