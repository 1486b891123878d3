"""Reader of one list: the label of each picture, the column it comes from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import POSSIBLE, STATED, STRUCTURE, ReadOptions
from sightlab.data.layouts.list_pairs import missing_error, pair_notes, paired, raw_labels
from sightlab.data.messages import shortened
from sightlab.data.pictures.suffixes import suffix_of
from sightlab.data.tables.column_search import Place, place_of
from sightlab.data.tables.finder import Finder
from sightlab.data.tables.heads import table_in
from sightlab.data.tables.json_sheet import document_of, is_json, json_sheet
from sightlab.data.tables.label_column import LabelChoice, label_choice
from sightlab.data.tables.list_names import says_no_truth, says_several_splits, split_of_list
from sightlab.data.tables.list_rows import with_heading
from sightlab.data.tables.loose_lines import loose_sheet
from sightlab.data.tables.picture_column import (
    FILES,
    PictureColumn,
    picture_column,
    words_of,
)
from sightlab.data.tables.resolution import resolved
from sightlab.data.tables.sheet import Sheet, UnclearError, head_of, whole_of
from sightlab.data.tables.split_column import NoColumnError, folds, split_column
from sightlab.errors import DataError, one_line

# Labels of pictures whose class is kept secret, where all of a list have them.
SECRET = frozenset(("-1", "?"))
_FINDERS: WeakKeyDictionary[Inventory, Finder] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Listed:
    """What one list says.

    name: the list's, relative to the source. pairs: (picture, label) in the order of the rows, each picture once; the
    label is "" where the list has none. split: which the list's name or folder says, None for none. splits: by
    picture, where a column says them. column: what messages call the labels' column, "" where the list has no labels.
    problem: the line that says why it cannot be read, "" where it can. weight: how much speaks for its being the list
    that is meant, as a claim's strength. doubt: why its labels may be none. notes: a line each. order: the classes in
    their official order, () for none. guessed: whether no heading says that its labels are labels.
    """

    name: str
    pairs: tuple[tuple[str, str], ...] = ()
    split: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    column: str = ""
    problem: str = ""
    weight: int = STATED
    doubt: str = ""
    notes: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def labelled(self) -> bool:
        """Whether it gives labels."""
        return bool(self.column)


def finder_of(inventory: Inventory) -> Finder:
    """The finder of an inventory's pictures, made once."""
    if inventory not in _FINDERS:
        _FINDERS[inventory] = Finder(inventory.pictures)
    return _FINDERS[inventory]


def listed(inventory: Inventory, name: str, options: ReadOptions, *, chosen: bool = False) -> Listed | None:
    """What a file of the source lists; None where it is no list of pictures. Nothing is decoded.

    chosen: whether the user has named this file. What is wrong with a list is its `problem`.
    """
    place = place_of(name, split_of_list(name))
    try:
        sheet = sheet_in(inventory, name, place)
    except DataError as error:
        return Listed(name, problem=one_line(error), weight=STATED if chosen else likelihood(name))
    if sheet is not None and not chosen and says_no_truth(name):
        return Listed(name, split=place.split)
    return None if sheet is None else read_sheet(inventory, sheet, place, options, chosen=chosen)


def likelihood(name: str) -> int:
    """How much a text that cannot be read is likely to be a list: more for tables than for texts of any kind."""
    return STRUCTURE if suffix_of(name) in ("csv", "tsv", "json", "jsonl") else POSSIBLE


def sheet_in(inventory: Inventory, name: str, place: Place) -> Sheet | None:
    """The rows of a file; None where its first ones name no pictures. Raises DataError for what cannot be read."""
    file, shown = inventory.file(name), shortened(inventory.shown(name), 90)
    if "json" in suffix_of(name):
        found = document_of(file, inventory.encoding) if is_json(name, file.head(64)) else None
        return json_sheet(name, shown, *found) if found else None
    table = None if suffix_of(name) == "xml" else table_in(inventory, name)
    if table is None:
        return None
    finder = finder_of(inventory)
    column = picture_column(head_of(table, shown), finder, place)
    if (column is None or column.found <= 0.5) and (loose := loose_sheet(table, shown, finder, place)):
        return loose
    return whole_of(table, shown) if column else None


def read_sheet(
    inventory: Inventory, sheet: Sheet, place: Place, options: ReadOptions, *, chosen: bool = False
) -> Listed | None:
    """What the rows of a list say; None where they name no pictures."""
    column = picture_column(sheet, finder_of(inventory), place)
    if column is None:
        return None
    try:
        return listed_rows(inventory, *with_heading(sheet, column, options.label), options, chosen=chosen)
    except NoColumnError as error:
        return Listed(sheet.name, problem=one_line(error), weight=STATED if chosen else POSSIBLE)
    except UnclearError as error:
        return Listed(sheet.name, problem=one_line(error), weight=STATED if chosen else STRUCTURE)
    except DataError as error:
        return Listed(sheet.name, problem=one_line(error))


def listed_rows(
    inventory: Inventory, sheet: Sheet, column: PictureColumn, options: ReadOptions, *, chosen: bool
) -> Listed | None:
    """What the rows say, a heading left out. Raises DataError for rows that cannot be read."""
    split_place, meaning = split_column(sheet, column.place, options.split if not options.split_places else None)
    splits = [meaning[cell] for cell in sheet.column(split_place)] if split_place is not None else None
    taken = {column.place, *column.same} | ({split_place} if split_place is not None else set())
    choice = label_choice(sheet, taken, options.label)
    labels = raw_labels(sheet, choice)
    if not chosen and options.label is None and not_of_pictures(sheet, column, choice, labels):
        return None
    if set(labels) <= SECRET:
        choice, labels = None, [""] * len(labels)
    cells = sheet.column(column.place)
    found = resolved(sheet, column.place, column.search, splits)
    skip = options.decoding.skip_broken
    if any(labels):
        for line in found.problems.values():
            raise DataError(line)
        if found.missing and not (skip and any(found.names)):
            raise missing_error(sheet, found, cells, inventory.pictures)
    pairs = paired(sheet, found, labels, splits)
    if pairs.unlabelled and not skip:
        raise DataError(no_label(sheet, pairs.unlabelled[0], cells))
    return Listed(
        sheet.name,
        tuple(pairs.labels.items()),
        column.search.place.split,
        pairs.splits,
        "" if choice is None or not any(labels) else described(choice),
        doubt="" if choice is None else choice.doubt,
        notes=tuple(map(one_line, (*sheet.notes, *pair_notes(sheet, found, pairs), *column_notes(sheet, choice)))),
        guessed=choice is not None and choice.guessed,
    )


def not_of_pictures(sheet: Sheet, column: PictureColumn, choice: LabelChoice | None, labels: Sequence[str]) -> bool:
    """Whether a table that could name pictures by ids is a key of classes, or tells splits by numbers."""
    if choice is None or not column.by_id or words_of(sheet.named(column.place)) & FILES:
        return False
    flags = set(labels) <= {"0", "1"} and says_several_splits(sheet.name)
    return flags or len(set(labels)) == len(labels)


def no_label(sheet: Sheet, row: int, cells: Sequence[str]) -> str:
    """The line on a row without a label."""
    return (
        f"{sheet.at(sheet.rows[row][0])}: `{shortened(cells[row], 60)}` has no label; correct the line, or "
        "`skip_broken=true` leaves it out"
    )


def described(choice: LabelChoice) -> str:
    """What messages call the columns of labels."""
    if len(choice.columns) > 1:
        return f"{len(choice.columns)} columns of 0 and 1"
    return f"column {choice.name[:40]}"


def column_notes(sheet: Sheet, choice: LabelChoice | None) -> list[str]:
    """What the user should know of the columns that were taken, and of those that were not."""
    notes = []
    if choice is not None and choice.guessed and sheet.width > 2:
        notes.append(f"{sheet.name}: labels are those of column `{choice.name[:40]}` (`label=` names another)")
    if found := folds(sheet):
        notes.append(f"{sheet.name}: column `{found[0][:40]}` numbers folds, which are no splits: not used")
    return notes
