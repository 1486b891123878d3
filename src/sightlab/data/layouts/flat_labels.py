"""Labels of pictures outside class folders, from a table that names them and the classes of other splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import word
from sightlab.data.layouts.known_classes import MOST_COLUMNS, NUMBER, KnownClasses, class_orders
from sightlab.data.layouts.tree import last
from sightlab.data.messages import shortened
from sightlab.data.tables.column_search import Search, place_of
from sightlab.data.tables.dialect import TextTable
from sightlab.data.tables.finder import Finder
from sightlab.data.tables.label_column import LABELS
from sightlab.data.tables.sheet import Sheet, head_of, whole_of
from sightlab.data.tables.split_column import key_of

Rows = Sequence[tuple[str, tuple[str, ...]]]
Column = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class FlatLabels:
    """What a table says of flat pictures.

    table: its name. column: what its label column is called. pairs: (picture, class). doubt: why the labels may be
    something else, a line that ends with the words that settle it; "" where there is none.
    """

    table: str
    column: str
    pairs: tuple[tuple[str, str], ...]
    doubt: str = ""


def flat_labels(
    inventory: Inventory, pictures: Sequence[str], names: Mapping[str, str], label: str | None = None
) -> FlatLabels | None:
    """The labels that a table gives these pictures; None where none does.

    names: class by each spelling of it. label: the column, as the user gives it.
    """
    finder = Finder(pictures)
    tables = {name: table for name, table in inventory.tables.items() if table.width <= MOST_COLUMNS}
    classes = KnownClasses(names, class_orders(tables, names))
    found: list[FlatLabels] = []
    for name, table in tables.items():
        rows, heading = named_rows(table, name, finder)
        own = from_rows(inventory, name, rows, heading, classes, label) if 2 * len(rows) > len(pictures) else None
        found += [own] if own else []
    best = max(found, key=lambda one: len(one.pairs), default=None)
    other = next((one for one in found if best and contradicts(best, one)), None)
    if best is None or other is None:
        return best
    doubt = (
        f"{shortened(inventory.label, 60)}: {shortened(best.table)} and {shortened(other.table)} label the same "
        f"pictures differently; {word('ignore', last(other.table))} ignores the second"
    )
    return replace(best, doubt=doubt)


def contradicts(one: FlatLabels, other: FlatLabels) -> bool:
    """Whether two tables give a picture different labels."""
    mine = dict(one.pairs)
    return any(mine.get(picture, label) != label for picture, label in other.pairs)


def named_rows(table: TextTable, name: str, finder: Finder) -> tuple[Rows, tuple[str, ...]]:
    """(picture, cells) of each row that names a picture, and the heading; no rows where the first ones name none."""
    head = head_of(table, "")
    place, hits = max(((c, len(found_in(head, c, name, finder))) for c in range(head.width)), key=lambda two: two[1])
    if not hits:
        return (), ()
    sheet = whole_of(table, "")
    rows = found_in(sheet, place, name, finder)
    first = sheet.rows[0][1]
    return rows, first if rows and rows[0][1] is not first and not any(map(NUMBER.fullmatch, first)) else ()


def found_in(sheet: Sheet, place: int, name: str, finder: Finder) -> list[tuple[str, tuple[str, ...]]]:
    """(picture, cells) of each row whose cell in this column names one picture."""
    cells = sheet.column(place)
    search = Search(finder, place_of(name, None), cells)
    found = [search.find(cell).names if cell else () for cell in cells]
    return [(names[0], row) for names, (_, row) in zip(found, sheet.rows, strict=True) if len(names) == 1]


def from_rows(
    inventory: Inventory, table: str, rows: Rows, heading: tuple[str, ...], classes: KnownClasses, label: str | None
) -> FlatLabels | None:
    """The labels of rows that name pictures; None where no column names the known classes, or one label is all."""
    columns = list(zip(*(cells for _, cells in rows), strict=False))
    called = [heading[place] if place < len(heading) else str(place) for place in range(len(columns))]
    pictures = [picture for picture, _ in rows]
    for classes_in in (classes.by_name, classes.by_number):
        found = {
            (name, tuple(zip(pictures, own, strict=True)))
            for name, cells in zip(called, columns, strict=True)
            for own in classes_in(cells)
            if len(set(own)) > 1 or len(rows) == 1
        }
        if chosen := chosen_columns(found, label):
            name, pairs = chosen[0]
            return FlatLabels(table, name, tuple(dict(pairs).items()), doubt_of(inventory, table, chosen))
    return unknown_numbers(inventory, table, dict(zip(called, columns, strict=True)), headed=bool(heading))


def unknown_numbers(
    inventory: Inventory, table: str, columns: Mapping[str, Sequence[str]], *, headed: bool
) -> FlatLabels | None:
    """The doubt about a column of labels that are numbers, where nothing says which class each one is."""
    for name, cells in columns.items():
        may_be = key_of(name) in LABELS or (len(columns) == 2 and not headed)
        if may_be and all(map(str.isdigit, cells)) and 1 < len(set(cells)) < len(cells):
            line = "numbers the classes, and no list says which is which; write their names in order to classes.txt"
            return FlatLabels(table, name, (), f"{shortened(inventory.shown(table), 80)}: {line}")
    return None


def chosen_columns(found: Collection[Column], label: str | None) -> list[Column]:
    """Those of the columns that can be meant: the user's, else those called like labels; one of each meaning."""
    fitting = sorted(column for column in found if label in (None, column[0]))
    if label is None:
        fitting = [column for column in fitting if key_of(column[0]) in LABELS] or fitting
    return list({pairs: (name, pairs) for name, pairs in reversed(fitting)}.values())[::-1]


def doubt_of(inventory: Inventory, table: str, chosen: Sequence[Column]) -> str:
    """Why a table's labels cannot be told, "" where they can."""
    where, leave = shortened(inventory.shown(table), 80), word("ignore", last(table))
    if len(chosen) > 1 and chosen[0][0] != chosen[1][0]:
        one, two = (word("label", name) for name, _ in chosen[:2])
        return f"{where}: the columns {chosen[0][0]} and {chosen[1][0]} both name classes; {one} or {two} says which"
    if len(chosen) > 1:
        return f"{where}: it cannot be told which class a number is; write `number name` lines of all to classes.txt"
    if len(dict(chosen[0][1])) < len(set(chosen[0][1])):
        return f"{where}: gives a picture two labels; correct it, or {leave}"
    return ""
