"""Layout: pixel tables, text files with one picture per row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sightlab.data.formats.array_classes import ClassWords
from sightlab.data.formats.class_lists import ClassNames
from sightlab.data.formats.csv import ALPHA, TableSet, read_tables
from sightlab.data.formats.sheets import Sheet, no_pixels
from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import class_list_files, digests, folder_of, line
from sightlab.data.layouts.claim import POSSIBLE, STRUCTURE, Claim, Layout, ReadOptions, refused, word
from sightlab.data.layouts.configs import chosen_config, placed
from sightlab.data.layouts.emnist import NOTE, SETS, is_mapping, names_of, subset_of
from sightlab.data.layouts.pixel_sheets import Found, grouping_of, may_hold_pixels, split_key, tables_in, without_copies
from sightlab.data.messages import counted, shortened
from sightlab.data.tables.column_names import called, is_label
from sightlab.data.tables.grid import grid_of
from sightlab.data.tables.split_column import meaning_of
from sightlab.errors import DataError

NAME = "pixel-table"
SHOWN = 3


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of the tables of a source, a row each."""
    found = asked_for(inventory, options, without_copies(tables_in(inventory, options)))
    if not found.labelled:
        return unlabelled(inventory, options, found)
    if options.label_from is not None:
        problem = f"`label_from={options.label_from}` is for names of picture files, and these pictures lie in tables"
        return refused(NAME, line(inventory.label, problem), STRUCTURE)
    try:
        splits, aside = chosen(inventory, options, found)
        return claim_of(inventory, options, found, splits, aside)
    except DataError as error:
        return refused(NAME, str(error), STRUCTURE)


def asked_for(inventory: Inventory, options: ReadOptions, found: Found) -> Found:
    """The one table that the user has named, where it is among these; of all texts where none is named."""
    if options.list is None or inventory.only:
        return found
    kept = {name: sheet for name, sheet in found.labelled.items() if options.list in (name, name.rpartition("/")[2])}
    return replace(found, labelled=kept, bare={}, faults={}, forms=[])


def unlabelled(inventory: Inventory, options: ReadOptions, found: Found) -> Claim | None:
    """The refusal of a source whose tables of pixels have no labels, or are unclear; None where there are none."""
    strength = POSSIBLE if inventory.pictures else STRUCTURE
    if found.faults:
        return refused(NAME, cut(next(iter(found.faults.values()))), strength)
    if found.bare:
        name, sheet = next(iter(found.bare.items()))
        place = inventory.label if inventory.only else inventory.shown(name)
        shape = " x ".join(map(str, sheet.columns.shape[:2]))
        return refused(
            NAME,
            cut(
                f"{shortened(place, 120)}: holds pictures of {shape} pixels and no labels; `sightlab predict RUN "
                f"{shortened(name, 60)}` answers it, and `label=NAME` names a column of labels"
            ),
            strength,
        )
    table = None if inventory.only is None else inventory.tables.get(inventory.only)
    if table is None or not (may_hold_pixels(table) or options.layout == NAME):
        return None
    return refused(NAME, line(inventory.label, no_pixels(grid_of(table))), POSSIBLE)


def chosen(inventory: Inventory, options: ReadOptions, found: Found) -> tuple[dict[str, str], list[str]]:
    """The table of each split, and those ignored. Raises DataError where they are no splits of one data set."""
    names = list(found.labelled)
    if inventory.only:
        return {UNDIVIDED: names[0]}, []
    if options.split_places:
        own: Mapping[str, Sequence[str]] = placed(inventory, options, names)
    else:
        grouping = grouping_of(names)
        config, _ = chosen_config(inventory, options, grouping, "")
        own = grouping.configs[config]
        names = [name for name in names if any(name in files for files in own.values())]
    for split, files in own.items():
        if len(files) > 1:
            same = "tables whose names say no split" if split == UNDIVIDED else f"tables of the {split} split"
            raise DataError(
                f"{shortened(inventory.label, 80)}: {shortened(files[0])} and {shortened(files[1])} are both {same}; "
                f"keep one, or say {word('split', f'train:{files[0]},test:{files[1]}')}"
            )
    if UNDIVIDED in own and len(own) > 1:
        odd = own[UNDIVIDED][0]
        raise DataError(
            f"{inventory.shown(odd)}: its name says no split, while others do; rename it, as in test.csv, or "
            f"{word('ignore', odd)} ignores it"
        )
    splits = {split: files[0] for split, files in own.items()}
    return splits, [name for name in found.labelled if name not in splits.values()]


def claim_of(
    inventory: Inventory, options: ReadOptions, found: Found, splits: Mapping[str, str], aside: Sequence[str]
) -> Claim:
    """The claim to read these tables."""
    sheets = {split: found.labelled[name] for split, name in splits.items()}
    if faults := [fault for name, fault in found.faults.items() if not inventory.only]:
        raise DataError(cut(faults[0]))
    folder = folder_of(inventory)
    own_labels = {sheet.labels.file.name for sheet in sheets.values() if sheet.labels is not None}
    lists = [file for file in class_list_files(inventory, folder) if file.name not in {*found.labelled, *own_labels}]
    known, on_side = emnist(inventory, list(splits.values()))
    beside = (*own_labels, *(file.name for file in lists if not known)) if folder else ()
    notes = (*inventory.notes, *notes_of(sheets.values()), *aside_notes(found, aside), *((NOTE,) if on_side else ()))
    words = ClassWords(
        source=inventory.label,
        lists=() if known else lists,
        dataset=split_key(next(iter(splits.values()))).rpartition("/")[2],
        known=known,
        chosen=options.classes,
        renamed=dict(options.names),
    )
    tables = TableSet(sheets, words, options.decoding.bit_depth, on_side, options.label is not None, notes)
    doubts = [cut(f"{sheet.file}: {doubt}") for sheet in sheets.values() for doubt in sheet.columns.doubts]
    return Claim(
        NAME,
        lambda allocate, progress: read_tables(tables, allocate, progress),
        STRUCTURE if not doubts else POSSIBLE,
        {split: None for sheet in sheets.values() for split in parts_of(sheets, sheet)},
        labels_text(next(iter(sheets.values()))),
        tuple(known.values()),
        unused=unused(inventory),
        notes=notes,
        doubts=tuple(doubts),
        beside=beside,
        identity=identity(splits, sheets, known, [file.name for file in lists]) | {"beside": digests(folder, beside)},
    )


def emnist(inventory: Inventory, names: Sequence[str]) -> tuple[ClassNames, bool]:
    """The names of EMNIST's labels, and that pictures lie on their side, where these tables are of one of its sets."""
    subset = subset_of([split_key(name) for name in names])
    if subset is None:
        return {}, False
    mapping = next((name for name in inventory.texts if is_mapping(name, subset)), None)
    return (names_of(inventory, mapping) if mapping else {}) or SETS[subset], True


def parts_of(sheets: Mapping[str, Sheet], sheet: Sheet) -> list[str]:
    """The splits that a table holds."""
    columns = sheet.columns
    if columns.split is None:
        return [split for split, own in sheets.items() if own is sheet]
    name = columns.header[columns.split] if columns.header else ""
    meaning = meaning_of(name, set(sheet.grid.column(columns.split))) or {}
    return [split for split in SPLITS if split in meaning.values()]


def labels_text(sheet: Sheet) -> str:
    """Where a table's labels are, in a few words."""
    columns, file = sheet.columns, shortened(sheet.file.name)
    if sheet.labels is not None:
        return shortened(sheet.labels.file.name)
    if len(columns.labels) > 1:
        first, last = (called(columns.header, n) for n in (columns.labels[0], columns.labels[-1]))
        return f"{len(columns.labels)} one-hot columns of {file}, {first} to {last}"
    return f"{called(columns.header, columns.labels[0])} of {file}"


def notes_of(sheets: Iterable[Sheet]) -> list[str]:
    """Notes on how tables are read, a line each; what is the same of several but once."""
    notes: dict[str, str] = {}
    for sheet in sheets:
        for text in sheet_notes(sheet):
            notes.setdefault(text, f"{shortened(sheet.file.name)}: {text}")
    return list(notes.values())


def sheet_notes(sheet: Sheet) -> list[str]:
    """Notes on how one table is read."""
    columns, notes = sheet.columns, []
    label = columns.labels[0] if columns.labels else None
    if columns.mangled:
        some = ", ".join(sheet.grid.header[:SHOWN])
        notes.append(f"line 1 ({some}, ...) is a row of pixels that pandas took for column names; it is ignored")
    if columns.by_values and label is not None:
        end = "first" if label < columns.pixels[0] else "last"
        notes.append(f"no name says which column is the label; by its values it is the {end}, {called((), label)}")
    elif len(columns.labels) == 1 and label is not None and columns.header and not is_label(columns.header[label]):
        notes.append(f"{called(columns.header, label)} is taken for the label")
    if len(columns.labels) > 1:
        notes.append(f"the labels are one-hot, in {len(columns.labels)} columns")
    for why in ("an id", "empty", "not used"):
        own = [called(columns.header, n) for n, reason in columns.left if reason == why]
        if own:
            some = ", ".join(own[:SHOWN]) + (f" and {len(own) - SHOWN} more" if len(own) > SHOWN else "")
            notes.append(f"{some} left out" if why == "not used" else f"{some} left out ({why})")
    if columns.split is not None:
        notes.append(f"{called(columns.header, columns.split)} says the split of each row")
    if columns.shape[2] == ALPHA:
        notes.append("the last of 4 channels is taken for alpha: pictures are laid on white")
    if columns.order:
        notes.append("pixels are read in the order that the columns' names or `shape` say")
    return notes


def aside_notes(found: Found, aside: Sequence[str]) -> list[str]:
    """Notes on the tables that are ignored, a line each."""
    notes = [
        f"{shortened(name)} has no labels; `sightlab predict RUN {shortened(name)}` answers it" for name in found.bare
    ]
    if found.bare and found.forms:
        notes.append(
            f"{counted(found.forms, 'form for answers', 'forms for answers')} ignored: its labels are no labels"
        )
    if found.copies:
        notes.append(f"{counted(found.copies, 'table', 'tables')} ignored: same bytes as another one")
    if aside:
        notes.append(f"{counted(aside, 'table', 'tables')} ignored")
    return notes


def unused(inventory: Inventory) -> tuple[str, ...]:
    """The line on pictures that are files."""
    return (f"{counted(inventory.pictures, 'picture file', 'picture files')} ignored",) if inventory.pictures else ()


def identity(
    splits: Mapping[str, str], sheets: Mapping[str, Sheet], known: ClassNames, lists: Sequence[str]
) -> dict[str, Any]:
    """What tells this reading from every other one of the same bytes."""
    columns = repr([(split, s.columns, s.labels and s.labels.file.name) for split, s in sheets.items()])
    return {
        "tables": dict(splits),
        "columns": hashlib.sha256(columns.encode()).hexdigest(),
        "known": sorted(known.items()),
        "lists": list(lists),
    }


def cut(text: str) -> str:
    """A line, cut where it is too long."""
    return text if len(text) <= 300 else f"{text[:297]}..."


LAYOUT = Layout(
    NAME,
    "tables of pixels, a picture a row: CSV and its like",
    """\
digits/
  train.csv        label,pixel0,pixel1,...
  test.csv         5,0,0,13,...
or one file, as fer2013.csv
                   emotion,pixels,Usage
                   3,"70 80 82 ...",Training""",
    matches,
)
