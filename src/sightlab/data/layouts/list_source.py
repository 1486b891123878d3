"""Where the pictures of a list may lie: in the source, or for a lone list in the folders around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightlab.data.containers.folders import read_folder
from sightlab.data.inventory import Inventory, filtered, inventory_of
from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.pictures.suffixes import is_picture_name, suffix_of
from sightlab.data.tables.dialect import NUMBER
from sightlab.data.tables.finder import as_path
from sightlab.data.tables.heads import table_in
from sightlab.errors import DataError

MOST_COLUMNS = 16


@dataclass(frozen=True, eq=False)
class ListSource:
    """What is looked through for lists and pictures. lists: the files that may be lists. only: the list that is the
    source, "" for a folder or an archive.
    """

    inventory: Inventory
    lists: tuple[str, ...]
    only: str = ""


def list_source(inventory: Inventory, options: ReadOptions) -> ListSource | None:
    """Where lists and their pictures lie; None for a source that has neither."""
    if inventory.only is None:
        if not inventory.pictures or not inventory.texts:
            return None
        return ListSource(inventory, inventory.texts)
    if inventory.only not in inventory.texts or has_numbers_alone(inventory):
        return None
    beside = without_ignored(inventory.beside(), options)
    if not names_other_pictures(inventory, beside):
        return ListSource(beside, (inventory.only,), inventory.only) if beside.pictures else None
    return one_up(inventory, options) or ListSource(beside, (inventory.only,), inventory.only)


def has_numbers_alone(inventory: Inventory) -> bool:
    """Whether a lone text is a wide table of numbers, as pixels are: no folder need be listed for it."""
    if "json" in suffix_of(str(inventory.only)):
        return False
    table = table_in(inventory, str(inventory.only))
    if table is None or table.width <= MOST_COLUMNS:
        return table is None
    return mostly_numbers(table.records[-1][1])


def mostly_numbers(row: Sequence[str]) -> bool:
    """Whether nine of ten cells of a row are numbers."""
    return 10 * sum(bool(NUMBER.fullmatch(cell)) for cell in row) >= 9 * len(row)


def without_ignored(inventory: Inventory, options: ReadOptions) -> Inventory:
    """The inventory without what is to be ignored, where there is anything of it."""
    try:
        return filtered(inventory, options.ignore)
    except DataError:
        return inventory


def names_other_pictures(inventory: Inventory, beside: Inventory) -> bool:
    """Whether a lone text names pictures by their suffixes, none of which lies beside it or below.

    A text without such names may name pictures that lie elsewhere where none lies here, but not one of numbers alone:
    those could be the names of any pictures of a folder full of other things.
    """
    if "json" in suffix_of(str(inventory.only)):
        return not beside.pictures
    table = table_in(inventory, str(inventory.only))
    cells = [cell for _, row in (table.records if table else ()) for cell in row if is_picture_name(as_path(cell))]
    if not cells:
        return not beside.pictures and not (table and mostly_numbers(table.records[-1][1]))
    there = {name.rpartition("/")[2].casefold() for name in beside.pictures}
    return not any(as_path(cell).rpartition("/")[2].casefold() in there for cell in cells)


def one_up(inventory: Inventory, options: ReadOptions) -> ListSource | None:
    """The folder above a list's own, as in meta/train.txt beside images/; None where it has no pictures."""
    path = inventory.file(str(inventory.only)).path
    if path is None:
        return None
    folder = path.parent.resolve()
    if folder.parent in (folder, Path.home().resolve(), Path(folder.anchor)):
        return None
    above = path.parent.parent if path.parent.name and path.parent.name != ".." else path.parent / ".."
    found = without_ignored(inventory_of(read_folder(above), None, inventory.encoding), options)
    name = f"{folder.name}/{path.name}"
    return ListSource(found, (name,), name) if found.pictures and name in found.texts else None
