"""Class name lists in text files: one name per line, numbers or ids with names, JSON mappings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.pictures.suffixes import is_picture_name, suffix_of
from sightlab.data.tables.dialect import TextTable
from sightlab.data.tables.heads import table_in
from sightlab.data.tables.json_sheet import document_of, is_json
from sightlab.data.tables.label_cells import is_whole
from sightlab.data.tables.list_names import stem_of, words_in
from sightlab.data.tables.read_rows import all_records
from sightlab.errors import DataError

WORDS = frozenset(
    (
        *(
            "class",
            "classes",
            "classnames",
            "classname",
            "labels",
            "label",
            "names",
            "categories",
            "category",
            "synset",
        ),
        *(
            "synsets",
            "words",
            "wnids",
            "map",
            "mapping",
            "labelmap",
            "idx",
            "index",
            "indices",
            "dictionary",
            "dict",
            "legend",
        ),
        *(
            "classlist",
            "labelnames",
            "meta",
            "key",
            "id",
            "ids",
            "species",
            "breeds",
            "signnames",
            "id2label",
            "label2id",
        ),
    )
)
KEYED = re.compile(r"(\d+|n\d{8})[\s:=,;|]\s*(\S.*)")
MOST_CLASSES = 100_000
MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class ClassNames:
    """The name of each label. file: the text that gives them. names: by label. order: the names in their own order."""

    file: str
    names: Mapping[str, str]
    order: tuple[str, ...]


def class_names(inventory: Inventory, labels: Collection[str], lists: Collection[str] = ()) -> ClassNames | None:
    """The names that a text of the source gives all of these labels; None where none does, or two give other ones.

    labels: numbers, or ids as WordNet's. lists: texts that are lists of pictures, and so no keys of classes. Texts
    that cannot be read name no classes.
    """
    found = []
    for name in inventory.texts:
        size = inventory.container.sizes.get(name, 0)
        if name in lists or size > MOST_BYTES or not set(words_in(stem_of(name))) & WORDS:
            continue
        names = names_in(inventory, name, labels)
        if names is not None:
            found.append(ClassNames(name, *names))
    if not found or any(one.names != found[0].names for one in found):
        return None
    return found[0]


def names_in(inventory: Inventory, name: str, labels: Collection[str]) -> tuple[dict[str, str], tuple[str, ...]] | None:
    """What a text calls these labels, and those names in its order; None where it does not name each by itself."""
    try:
        keyed, placed = entries(inventory, name)
    except DataError:
        return None
    numbers = all(is_whole(label) for label in labels)
    known = numbered(keyed, labels, placed) if numbers else dict(keyed)
    names = {label: known[label] for label in labels if label in known}
    texts = set(names.values())
    if len(names) < len(labels) or len(texts) < len(names) or not any(map(is_name, texts)):
        return None
    if any(is_picture_name(text) for text in texts):
        return None
    ordered = [known[key] for key in sorted(known, key=natural_key)] if numbers else list(known.values())
    return names, tuple(text for text in dict.fromkeys(ordered) if text in texts)


def numbered(keyed: Sequence[tuple[str, str]], labels: Collection[str], placed: bool) -> dict[str, str]:
    """Names by number, as far as they can be a key of these labels; none where they cannot.

    placed: whether the numbers are the names' places from 0: then they are meant from 0 where a label is 0, and from 1
    where the last label is their count.
    """
    known = {str(int(key)): text for key, text in keyed if key.isdecimal() and len(key) < 16}
    if (
        len(known) < len(keyed)
        or len(set(known.values())) < len(known)
        or len(known) > max(2 * len(labels), len(labels) + 10)
    ):
        return {}
    if placed and "0" not in labels:
        if max(map(int, labels)) != len(known):
            return {}
        return {str(int(key) + 1): text for key, text in known.items()}
    return known


def is_name(text: str) -> bool:
    """Whether a text has letters in it."""
    return bool(re.search(r"[^\W\d_]", text))


Entries = tuple[list[tuple[str, str]], bool]


def entries(inventory: Inventory, name: str) -> Entries:
    """(label, name) of each entry of a text, and whether the labels are but its places. Raises DataError."""
    file = inventory.file(name)
    if "json" in suffix_of(name):
        found = document_of(file, inventory.encoding) if is_json(name, file.head(64)) else None
        return ([], False) if found is None or found[1] else json_entries(found[0])
    table = table_in(inventory, name)
    return ([], False) if table is None else text_entries(table)


def json_entries(document: object) -> Entries:
    """The entries of a mapping of one to the other, or of an array of names."""
    if isinstance(document, list) and all(isinstance(text, str) for text in document):
        return [(str(place), text) for place, text in enumerate(document)], True
    if not isinstance(document, dict):
        return [], False
    found = []
    for key, value in document.items():
        if isinstance(value, str):
            found.append((key, value))
        elif isinstance(value, int) and not isinstance(value, bool):
            found.append((str(value), key))
        elif isinstance(value, list) and len(value) == 2 and all(isinstance(text, str) for text in value):
            found.append((key, value[1]))  # ImageNet's class index: number, WordNet's id, name
    return (found, False) if len(found) == len(document) else ([], False)


def text_entries(table: TextTable) -> Entries:
    """The entries of lines with a label and a name, in either order; else each line is a name, counted from 0."""
    rows = [row for _, row in islice(all_records(table), MOST_CLASSES + 1)]
    if len(rows) > MOST_CLASSES:
        return [], False
    if all(len(row) == 1 for row in rows):
        keyed = [KEYED.fullmatch(row[0]) for row in rows]
        found = [(one[1], one[2]) for one in keyed if one]
        return (found, False) if len(found) == len(rows) else ([(str(n), row[0]) for n, row in enumerate(rows)], True)
    if not is_key(rows[0][0]) and not is_key(rows[0][-1]):
        rows = rows[1:]  # a heading
    mark = table.separator or " "
    if sum(is_key(row[0]) for row in rows) >= sum(is_key(row[-1]) for row in rows):
        return [(row[0], name_of(row[1:], mark)) for row in rows], False
    return [(row[-1], name_of(row[:-1], mark)) for row in rows], False


def name_of(cells: tuple[str, ...], mark: str) -> str:
    """The cells of a name that a separator has parted; of a table the first one."""
    return cells[0] if cells and mark in ",;" else mark.join(cells).strip()


def is_key(cell: str) -> bool:
    """Whether a cell is a number, or an id as WordNet's."""
    return is_whole(cell) or bool(re.fullmatch(r"n\d{8}", cell))
