"""Class name lists, in an array or in a file beside arrays, for labels that are numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.array_labels import texts_of
from sightlab.data.formats.file_io import opened
from sightlab.data.formats.stored import Array
from sightlab.data.tables.dialect import text_table
from sightlab.data.tables.read_rows import all_records
from sightlab.errors import DataError

ABOUT = re.compile(r"class|label|name|categor|map|info|meta|index", re.IGNORECASE)
TEXT = re.compile(r"\.(txt|csv|tsv|json|names|data)$|/[^./]+$|^[^./]+$", re.IGNORECASE)
MOST_BYTES = 2**20
LONGEST_CLASS = 200
ClassNames = Mapping[int, str]


def names_in(where: str, array: Array) -> tuple[str, ...]:
    """The class names of a text array. Raises DataError for any other array, or a name that is there twice."""
    if array.dtype.kind not in "US":
        raise DataError(f"{where}: holds {array.dtype}; class names are text")
    names = tuple(texts_of(where, array.reshape(-1)))
    if len(set(names)) != len(names):
        raise DataError(f"{where}: two classes have the same name; each class needs its own")
    return names


def check_names(where: str, names: Iterable[str]) -> None:
    """Raises DataError for class names that a terminal or a chart cannot show."""
    for name in names:
        if not name.isprintable() or len(name) > LONGEST_CLASS:
            raise DataError(
                f"{where}: the class name {name[:40]!r} cannot be printed; rename it (no control characters)"
            )


def may_list_classes(name: str) -> bool:
    """Whether a file may be a list of class names, by its name.

    >>> [may_list_classes(name) for name in ("classes.txt", "k49_classmap.csv", "INFO.json", "readme.txt", "info.npz")]
    [True, True, True, False, False]
    """
    own = name.rpartition("/")[2]
    return bool(ABOUT.search(own) and TEXT.search(own)) and "readme" not in own.casefold()


def fitting_names(files: Sequence[DataFile], labels: NDArray[np.int64], dataset: str) -> tuple[ClassNames, str]:
    """The class names of the one file that has a name for each label and for no other number; {} and "" for none.

    files: those that may be lists. labels: the numbers that occur. dataset: the name of the array's file, by which one
    file may hold the names of several data sets. Gives the names and the file's name; of two files that say different
    things, none.
    """
    found = [(names, file.name) for file in files for names in [fitting(class_names(file, dataset), labels)] if names]
    if not found or any(dict(names) != dict(found[0][0]) for names, _ in found):
        return {}, ""
    return found[0]


def fitting(names: ClassNames, labels: NDArray[np.int64]) -> ClassNames:
    """The names where they fit the labels exactly: one for each number from 0 or 1 to the greatest; else {}."""
    numbers = {int(n) for n in np.unique(labels)}
    if not names or not numbers or len(set(names.values())) < len(names):
        return {}
    keys, top = set(names), max(numbers)
    if keys == set(range(top)) and min(numbers) == 1:  # a plain list, for labels from 1
        return {number + 1: name for number, name in names.items()}
    return names if keys in (set(range(top + 1)), numbers, set(range(1, top + 1))) else {}


def class_names(file: DataFile, dataset: str = "") -> ClassNames:
    """The class name of each number that a file lists: JSON, or lines of a name, `number,name` or `name,number`.

    {} for a file that is no such list.
    """
    if file.size > MOST_BYTES:
        return {}
    try:
        if file.name.casefold().endswith(".json"):
            with opened(file) as (stream, _):
                return from_json(json.loads(stream.read(MOST_BYTES)), dataset)
        table = text_table(file)
        return {} if table is None else from_rows([cells for _, cells in all_records(table)])
    except (DataError, ValueError, RecursionError):
        return {}


def from_json(value: Any, dataset: str) -> ClassNames:
    """The class names in a list, a mapping of numbers to names or of names to numbers, or such a mapping under
    `label` in that of a data set, as MedMNIST's INFO.
    """
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict(enumerate(name.strip() for name in value))
    if not isinstance(value, dict):
        return {}
    for key in (dataset, "label", "labels", "classes", "class_names", "names", "idx_to_class", "class_to_idx"):
        if isinstance(value.get(key), dict | list):
            return from_json(value[key], dataset)
    if all(isinstance(name, str) and str(number).isdecimal() for number, name in value.items()):
        return {int(number): name.strip() for number, name in value.items()}
    if all(isinstance(number, int) for number in value.values()):
        return {number: str(name).strip() for name, number in value.items()}
    return {}


def from_rows(rows: Sequence[tuple[str, ...]]) -> ClassNames:
    """The class names in a table of one column of names, or with numbers in the first column or the last."""
    width = len(rows[-1])
    if width == 1:
        names = [row[0] for row in rows]
        if names[0].casefold() in ("class", "classes", "name", "names", "label", "labels"):
            names = names[1:]
        return {} if any(re.fullmatch(r"[-+.\d]+", name) for name in names) else dict(enumerate(names))
    for number, name in ((0, width - 1), (width - 1, 0), (1, 0)):
        body = rows if rows[0][number : number + 1] and rows[0][number].isdecimal() else rows[1:]
        if body and all(len(row) == width and row[number].isdecimal() and row[name] for row in body):
            found = {int(row[number]): row[name] for row in body}
            if len(found) == len(body) and not all(text.isdecimal() for text in found.values()):
                return found
    return {}
