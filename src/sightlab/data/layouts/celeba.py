"""Layout: CelebA, forty attributes per picture (`label` selects one) and the official partition."""

from __future__ import annotations

from collections import defaultdict

from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies, refused
from sightlab.data.layouts.known_files import UnreadableError, called, known_form, the_picture
from sightlab.data.layouts.picture_claim import picture_claim
from sightlab.data.messages import shortened
from sightlab.data.tables.finder import Finder
from sightlab.data.tables.sheet import whole_of
from sightlab.errors import DataError, suggestion

NAME = "celeba"
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITION = ("list_eval_partition.txt", "list_eval_partition.csv")
SPLITS = {"0": "train", "1": "validation", "2": "test"}
VALUES = ("-1", "1")


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures by one attribute, -1 or 1."""
    lists = called(inventory, *ATTRIBUTES)
    if not lists or not applies(inventory, options, NAME, "label"):
        return None
    rows = rows_of(inventory, lists[0])
    names, values = heading_and_rows(inventory, lists[0], rows)
    if options.label is None:
        return refused(
            NAME,
            f"{shortened(inventory.label, 80)}: CelebA has {len(names)} attributes a picture; name the one to tell, as "
            "in `label=Smiling`",
            KNOWN,
        )
    if options.label not in names:
        raise DataError(
            f"{inventory.label}: label={options.label}: unknown attribute; {suggestion(options.label, names)}"
        )
    place = names.index(options.label)
    finder = Finder(inventory.pictures)
    parts = partition(inventory)
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    missing = 0
    for file, row in values.items():
        picture, value, split = the_picture(finder, file), row[place], parts.get(file, UNDIVIDED if not parts else "")
        if value not in VALUES or not split:
            raise UnreadableError(
                f"{inventory.shown(lists[0])}: {file} has {options.label} {value!r}, or is in no split; fetch it again"
            )
        missing += picture is None
        if picture is not None:
            pairs[split].append((picture, value))
    return picture_claim(
        inventory,
        options,
        NAME,
        pairs,
        labels=f"column {options.label} of {lists[0]}",
        strength=KNOWN,
        order=VALUES,
        notes=[f"{missing:,} pictures of {lists[0]} are not here"] if missing else [],
    )


def rows_of(inventory: Inventory, name: str) -> list[tuple[str, ...]]:
    """The rows of a list. Raises UnreadableError for what is no text."""
    table = inventory.table(name)
    if table is None:
        raise UnreadableError(f"{inventory.shown(name)}: holds no rows; fetch it again")
    return [cells for _, cells in whole_of(table, name).rows]


def heading_and_rows(
    inventory: Inventory, name: str, rows: list[tuple[str, ...]]
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """The attributes' names and each picture's values. The text form counts the pictures in its first line."""
    if rows and len(rows[0]) == 1:
        rows = rows[1:]
    heading = list(rows[0]) if rows else []
    names = heading[1:] if heading and "image" in heading[0].casefold() else heading
    values = {row[0]: row[1:] for row in rows[1:]}
    if not names or any(len(row) != len(names) for row in values.values()):
        raise UnreadableError(
            f"{inventory.shown(name)}: its rows have not as many values as its heading has names; fetch it again"
        )
    return names, values


def partition(inventory: Inventory) -> dict[str, str]:
    """The official split of each picture; empty where its list is not there."""
    found = called(inventory, *PARTITION)
    rows = rows_of(inventory, found[0]) if found else []
    return {row[0]: SPLITS[row[1]] for row in rows if len(row) > 1 and row[1] in SPLITS}


LAYOUT = Layout(
    NAME,
    "CelebA with its attributes, one of them as `label`",
    """
    celeba/
      img_align_celeba/  000001.jpg  000002.jpg
      list_attr_celeba.txt  list_eval_partition.txt
    """,
    known_form(NAME, matches),
)
