"""Pixel tables of a source: which files they are, whether they have labels, and the split of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sightlab.data.formats.array_names import IMAGES, LABELS, ArrayName, array_name
from sightlab.data.formats.idx import same_content
from sightlab.data.formats.label_files import label_file
from sightlab.data.formats.sheets import Sheet
from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import folder_of
from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.layouts.split_files import Grouping, grouped
from sightlab.data.pictures.suffixes import is_picture_name, suffix_of
from sightlab.data.tables.column_names import is_id, is_label
from sightlab.data.tables.columns import LEAST_NAMED, LEAST_UNNAMED, columns_of
from sightlab.data.tables.dialect import TextTable, text_table
from sightlab.data.tables.grid import Grid, grid_of
from sightlab.data.tables.packed import is_packed
from sightlab.data.tables.pixel_names import pixel_names
from sightlab.data.tables.roles import NoColumnError, UnclearError, Wish
from sightlab.errors import DataError

FIRST_ROWS = 3
ANY_BYTES = "latin-1"  # decodes whatever there is
TEXTS = ("csv", "tsv", "txt", "dat", "data", "")
SPLIT_SUFFIXES = {"tra": "train", "trn": "train", "training": "train", "train": "train"} | {
    "tes": "test",
    "tst": "test",
    "test": "test",
    "val": "val",
    "valid": "val",
}


@dataclass(frozen=True, eq=False)
class Found:
    """The tables of pixels of a source, by name.

    labelled, bare: with labels, and without. faults: why others, which are tables of pixels for certain, cannot be
    read. forms: tables of an id and a label and no pixels, as are handed in as answers. copies: tables ignored
    because another one holds the same bytes.
    """

    labelled: dict[str, Sheet] = field(default_factory=dict)
    bare: dict[str, Sheet] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    forms: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)


def tables_in(inventory: Inventory, options: ReadOptions) -> Found:
    """The tables of pixels of a source. Raises DataError where the user names a column that none of them has."""
    wish = Wish(
        options.label,
        None if options.split_places else options.split,
        options.shape,
        given=options.layout is not None or bool(options.shape),
    )
    found, lost = Found(), []
    for name, table in texts_of(inventory, found).items():
        if not may_hold_pixels(table):
            continue
        grid = grid_of(table)
        try:
            add(found, inventory, name, grid, wish)
        except NoColumnError as error:
            lost.append((name, f"{inventory.shown(name)}: {error}"))
            add(found, inventory, name, grid, Wish(shape=wish.shape, given=wish.given))
            found.labelled.pop(name, None)
        except UnclearError as error:
            found.faults[name] = f"{inventory.shown(name)}: {error}"
    if lost and not found.labelled:
        raise DataError(lost[0][1])
    if not found.bare or found.faults:
        return found
    return with_labels_beside(found, texts_beside(inventory) if inventory.only else inventory.tables)


def texts_beside(inventory: Inventory) -> Mapping[str, TextTable]:
    """The texts beside a lone file that by their names may hold its labels."""
    folder = folder_of(inventory)
    own = array_name(split_key(inventory.only or ""))
    names = [name for name in (folder.sizes if folder else ()) if belongs(array_name(split_key(name)), own)]
    found = {name: text_table(folder.file(name), inventory.encoding) for name in names if folder and is_text_name(name)}
    return {name: table for name, table in found.items() if table is not None}


def is_text_name(name: str) -> bool:
    """Whether a file is a text by its name."""
    return suffix_of(re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)) in TEXTS


def texts_of(inventory: Inventory, found: Found) -> Mapping[str, TextTable]:
    """The source's text tables; those whose encoding is not known are faults."""
    try:
        return inventory.tables
    except DataError:
        tables = {}
        for name in inventory.texts:
            try:
                table = None if "json" in suffix_of(name) else inventory.table(name)
            except DataError as error:
                if may_be_pixels(inventory, name):
                    found.faults[name] = str(error)
                continue
            if table is not None:
                tables[name] = table
        return tables


def may_be_pixels(inventory: Inventory, name: str) -> bool:
    """Whether a text in an encoding that is not known may be a table of pixels, and not a note beside one."""
    table = text_table(inventory.file(name), ANY_BYTES)
    return table is not None and may_hold_pixels(table)


def may_hold_pixels(table: TextTable) -> bool:
    """Whether a table is wide enough for pixels, has a column with all of a picture's, or may be a form for answers."""
    rows = [row for _, row in table.records[: FIRST_ROWS + 1]]
    return len(rows[-1]) >= LEAST_NAMED or any(is_packed(cell) for cell in rows[-1]) or is_form(rows)


def is_form(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table has two columns, called as ids and labels are."""
    return len(rows[0]) == 2 and is_id(rows[0][0]) and is_label(rows[0][1])


def add(found: Found, inventory: Inventory, name: str, grid: Grid, wish: Wish) -> None:
    """Take a table in under what it is. Raises UnclearError."""
    if is_form([grid.header or grid.rows[0], *grid.rows]):
        found.forms.append(name)
        return
    columns = None if inventory.pictures and is_of_pictures(grid, wish) else columns_of(grid, wish)
    if columns is None:
        return
    (found.labelled if columns.labels else found.bare)[name] = Sheet(grid, columns)


def is_of_pictures(grid: Grid, wish: Wish) -> bool:
    """Whether a table beside pictures is about these: it has no columns called as pixels are, and names files, or has
    a few columns.
    """
    some = grid.rows[:FIRST_ROWS]
    names = pixel_names(grid.header)
    if wish.given or (names and names.sure) or any(is_packed(cell) for row in some for cell in row):
        return False
    return grid.width < LEAST_UNNAMED or any(is_picture_name(cell) for row in some for cell in row)


def with_labels_beside(found: Found, tables: Mapping[str, TextTable]) -> Found:
    """The tables, those without labels with the one text of labels that belongs to them by its name.

    >>> with_labels_beside(Found(), {}).labelled
    {}
    """
    texts = {name: labels for name, table in tables.items() if (labels := label_file(table)) is not None}
    labelled, bare = dict(found.labelled), dict(found.bare)
    for name, sheet in found.bare.items():
        own = array_name(split_key(name))
        fitting = [other for other in texts if belongs(array_name(split_key(other)), own)]
        if len(fitting) == 1 and own.role in ("", IMAGES):
            labels = texts[fitting[0]]
            labelled[name] = Sheet(sheet.grid, sheet.columns, labels, verbatim=labels.ids is not None)
            del bare[name]
    return replace(found, labelled=labelled, bare=bare)


def belongs(labels: ArrayName, images: ArrayName) -> bool:
    """Whether a text of this name holds the labels of a table of that one."""
    return labels.role == LABELS and (labels.split, labels.rest) == (images.split, images.rest)


def without_copies(found: Found) -> Found:
    """The tables without those of the same name and bytes as another one, as archives unpacked beside it hold."""
    kept: dict[str, Sheet] = {}
    copies = []
    for name in sorted(found.labelled, key=lambda name: (name.count("/"), len(name), natural_key(name))):
        sheet = found.labelled[name]
        own = base_name(name)
        if any(base_name(other) == own and same_content(kept[other].file, sheet.file) for other in kept):
            copies.append(name)
        else:
            kept[name] = sheet
    return replace(found, labelled=kept, copies=copies)


def base_name(name: str) -> str:
    """A table's name without its folder, whether it is gzip or not."""
    return re.sub(r"\.gz$", "", name.rpartition("/")[2].casefold())


def grouping_of(names: Sequence[str]) -> Grouping:
    """Tables by configuration and split, as their names, suffixes and folders say.

    >>> dict(grouping_of(["optdigits.tra", "optdigits.tes"]).configs)
    {'default': {'train': ('optdigits.tra',), 'test': ('optdigits.tes',)}}
    """
    keys = {without_role(split_key(name)): name for name in names}
    if len(keys) < len(names):  # train.csv beside train.txt
        keys = {name: name for name in names}
    whole = grouped(list(keys))
    configs = {
        config: {split: tuple(keys[key] for key in own) for split, own in splits.items()}
        for config, splits in whole.configs.items()
    }
    return Grouping(configs, whole.shared)


def without_role(key: str) -> str:
    """A table's path without what says that it holds pictures, and how many.

    >>> without_role("d/csvTrainImages 13440x1024"), without_role("x_train"), without_role("mnist_train")
    ('d/csvTrain', 'train', 'mnist_train')
    """
    folder, slash, own = key.rpartition("/")
    short = re.sub(r"(?i)(?<![a-z0-9])x[_\W]+|images?|[\s_-]*\d+\s*x\s*\d+", "", own).strip("-_ ")
    return f"{folder}{slash}{short or own}"


def split_key(name: str) -> str:
    """A table's path without its suffix, which may say the split, and without a folder of its own name.

    >>> split_key("d/optdigits.tra"), split_key("mnist_train.csv.gz"), split_key("zip.test.gz"), split_key("a/a.csv")
    ('d/optdigits-train', 'mnist_train', 'zip-test', 'a')
    """
    plain = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    folder, _, own = plain.rpartition("/")
    above, _, last = folder.rpartition("/")
    if last and last in (own, own.rpartition(".")[0]):  # an archive of one file becomes a folder
        plain = f"{above}/{own}" if above else own
    suffix = suffix_of(plain)
    stem = plain[: len(plain) - len(suffix) - 1] if suffix else plain
    return f"{stem}-{SPLIT_SUFFIXES[suffix]}" if suffix in SPLIT_SUFFIXES else stem
