"""Label encoding of pixel tables: one column, or several that are one-hot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from sightlab.data.class_names import composed
from sightlab.data.formats.array_labels import from_one_hot
from sightlab.data.formats.csv_fast import Labels
from sightlab.data.formats.label_files import labels_in
from sightlab.data.formats.label_values import label_text
from sightlab.data.formats.sheets import Raw, Sheet, first_numbers
from sightlab.data.tables.column_names import called
from sightlab.errors import DataError

LONGEST = 200
LARGEST_DIGITS = 15  # of whole numbers that a float holds exactly
ENOUGH_ROWS = 20  # fewer may all be different
Distinct = tuple[list[str], NDArray[np.int64]]


def distinct(pieces: Sequence[Labels]) -> Distinct:
    """The different cells of a column, and each row's place among them, int64 [N].

    >>> distinct([np.array([7, 3, 7], np.uint8), ["a", "7"]])
    (['3', '7', 'a'], array([1, 0, 1, 2, 1]))
    """
    known: dict[str, int] = {}
    coded = []
    for piece in pieces:
        if isinstance(piece, np.ndarray):
            places = np.zeros(256, np.int64)
            for number in np.flatnonzero(np.bincount(piece, minlength=1)).tolist():
                places[number] = known.setdefault(str(number), len(known))
            coded.append(places[piece])
        else:
            coded.append(np.array([known.setdefault(text, len(known)) for text in piece], np.int64))
    return list(known), np.concatenate([np.zeros(0, np.int64), *coded])


def labels_of(sheet: Sheet, raw: Raw, *, asked: bool) -> Distinct:
    """The different labels of a table, and each row's place among them. asked: whether the user names the column.

    Raises DataError for labels that cannot be class names: control characters, no number among numbers, measurements,
    another one in every row, several or none in a one-hot row.
    """
    fields = sheet.columns.labels
    if len(fields) > 1:
        return one_hot_labels(sheet, raw)
    if sheet.labels is None:
        where, pieces = f"{sheet.file}: {called(sheet.columns.header, fields[0])}", raw.words[fields[0]]
    else:
        own = labels_in(sheet.labels, raw.count, ids_of(sheet, raw), sheet.file.name, heading=bool(sheet.grid.header))
        where, pieces = str(sheet.labels.file), [own]
    cells, codes = distinct(pieces)
    cells = [plain_blanks(cell) for cell in cells]
    for cell in cells:
        if not cell.isprintable() or len(cell) > LONGEST:
            what = f"{len(cell):,} characters" if len(cell) > LONGEST else "control characters"
            raise DataError(f"{where} holds the label {cell[:40]!r} with {what}; labels are short plain text")
    texts = [label_text(composed(cell)) for cell in cells]
    if not asked:
        check_labels(where, texts, len(codes))
    values = list(dict.fromkeys(texts))
    places = np.array([values.index(text) for text in texts] if len(values) < len(texts) else range(len(texts)))
    return values, places.astype(np.int64)[codes]


def ids_of(sheet: Sheet, raw: Raw) -> list[str]:
    """What a table calls its pictures; [] for nothing."""
    if not sheet.verbatim or sheet.columns.ids is None:
        return []
    return [str(one) for piece in raw.words[sheet.columns.ids] for one in piece]


def plain_blanks(text: str) -> str:
    """A text with a plain blank for each blank of another kind, as spreadsheets and web pages have them.

    >>> plain_blanks("red\\xa0fox")
    'red fox'
    """
    return text if text.isascii() else "".join(" " if category(c) == "Zs" else c for c in text).strip()


def check_labels(where: str, texts: Sequence[str], rows: int) -> None:
    """Raises DataError where these different labels are no classes."""
    numbers = [text for text in texts if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text, re.ASCII)]
    if len(numbers) == len(texts) - 1 > 0 and any(text.casefold() in ("nan", "null", "none", "na") for text in texts):
        raise DataError(f"{where} holds numbers and `nan`: some labels are missing; fill or remove these rows")
    broken = [text for text in numbers if not re.fullmatch(r"-?\d+", text)]
    if len(texts) > ENOUGH_ROWS and 2 * len(broken) > len(texts):
        raise DataError(f"{where} holds {len(texts):,} numbers such as {broken[0][:20]}: measurements, not classes")
    if len(texts) == rows >= ENOUGH_ROWS:
        raise DataError(
            f"{where} has another value in each of {rows:,} rows: an id, not a label; name the label's column, as in "
            "`label=0`"
        )


def one_hot_labels(sheet: Sheet, raw: Raw) -> Distinct:
    """The labels of columns of which each row has 1 in one: their names, else their numbers from 0."""
    columns = sheet.columns
    numbers = [first_numbers(raw.words[field]) for field in columns.labels]
    first, last = (called(columns.header, n) for n in (columns.labels[0], columns.labels[-1]))
    where = f"{sheet.file}: {first} to {last}"
    found = [one for one in numbers if one is not None]
    if len(found) < len(numbers):
        raise DataError(f"{where} hold labels of 0 and 1 in the first rows, and other cells below")
    return one_hot_names(sheet), from_one_hot(where, np.stack(found, axis=1))


def one_hot_names(sheet: Sheet) -> list[str]:
    """What the columns of one-hot labels are called, without what is common to all: `label_3` is 3."""
    columns = sheet.columns
    if not columns.header:
        return [str(n) for n in range(len(columns.labels))]
    names = [columns.header[n] for n in columns.labels]
    common = len(re.sub(r"\d*$", "", in_common(names)))
    short = [label_text(name[common:]) for name in names]
    return short if common and all(map(str.isdecimal, short)) and len(set(short)) == len(short) else names


def in_common(names: Sequence[str]) -> str:
    """What all names begin with.

    >>> in_common(["label_1", "label_2"]), in_common(["cat", "dog"])
    ('label_', '')
    """
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)


def as_numbers(values: Sequence[str]) -> NDArray[np.int64] | list[str]:
    """Labels as whole numbers where all are; else as they are."""
    if all(re.fullmatch(r"-?\d+", text, re.ASCII) and len(text) <= LARGEST_DIGITS for text in values):
        return np.array([int(text) for text in values], np.int64)
    return list(values)
