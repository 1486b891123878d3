"""Labels of arrays in a text file: one per line, in the order of the arrays."""

from __future__ import annotations

import re

import numpy as np

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.array_names import LABELS, array_name, role_of, words_of
from sightlab.data.formats.stored import StoredArray
from sightlab.data.tables.dialect import text_table
from sightlab.data.tables.read_rows import all_records
from sightlab.errors import DataError

SUFFIX = re.compile(r"\.(csv|tsv|txt)(\.gz)?$", re.IGNORECASE)
MOST_BYTES = 2**28


def may_hold_labels(name: str) -> bool:
    """Whether a text may be labels by its name.

    >>> may_hold_labels("Labels.csv"), may_hold_labels("y_train.txt"), may_hold_labels("readme.txt")
    (True, True, False)
    """
    return bool(SUFFIX.search(name)) and array_name(SUFFIX.sub("", name)).role == LABELS


def column_of_labels(file: DataFile, label: str | None) -> StoredArray | None:
    """The labels in a text of one column, or in the column that the user names, as an array of its name.

    Its rows are read for their number. None for a text of several columns, or of none. Raises DataError.
    """
    table = text_table(file) if file.size <= MOST_BYTES else None
    if table is None:
        return None
    rows = [cells for _, cells in all_records(table)]
    width = max(map(len, rows))
    heading = [cell.casefold() for cell in rows[0]]
    if label is not None and label.casefold() in heading:
        place, rows = heading.index(label.casefold()), rows[1:]
    elif width == 1:
        place = 0
        rows = rows[1:] if role_of(words_of(rows[0][0])) == LABELS else rows
    else:
        return None
    if any(len(row) <= place for row in rows):
        raise DataError(f"{file}: has rows without a label; each image needs one")
    texts = [row[place] for row in rows]
    numbers = all(re.fullmatch(r"-?\d{1,15}", text) for text in texts)
    labels = np.array([int(text) for text in texts], np.int64) if numbers else np.array(texts, np.str_)
    key = SUFFIX.sub("", file.name)
    key = f"{key}/{label}" if width > 1 else key
    return StoredArray(key, file.name, file.shown, labels.shape, labels.dtype, lambda: labels)
