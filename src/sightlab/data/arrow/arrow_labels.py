"""Label encoding of Parquet and Arrow columns: class names in order, rows without a label, unlabelled splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.imageset import classes_of
from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.messages import shortened
from sightlab.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_CLASS = 200
NONE = "-1"  # what the hub writes where a picture has no label


@dataclass(frozen=True, eq=False)
class Piece:
    """The labels of some rows of one file, which belong to one split.

    rows: int64 [N], their places in the file. codes: int64 [N], places in `texts`; -1 for null. texts: the different
    labels as text. numbers: whether they are whole numbers.
    """

    file: DataFile
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    texts: tuple[str, ...]
    numbers: bool

    def of(self, wanted: NDArray[np.bool_]) -> Piece:
        """Those of its rows. wanted: bool [N]."""
        return replace(self, rows=self.rows[wanted], codes=self.codes[wanted])

    @property
    def used(self) -> list[str]:
        """The different labels of these rows."""
        return [self.texts[code] for code in np.unique(self.codes) if code >= 0]


@dataclass(frozen=True, eq=False)
class Labels:
    """Class numbers of the rows that are read.

    classes: in order. numbered: see `ImageSet`. numbers: int64 [pictures] by split. pieces: by split, the rows that
    are read. notes: what was ignored, a line each.
    """

    classes: tuple[str, ...]
    numbered: bool
    numbers: Mapping[str, NDArray[np.int64]]
    pieces: Mapping[str, Sequence[Piece]]
    notes: tuple[str, ...]


def piece_of(values: pa.ChunkedArray, name: str, file: DataFile) -> Piece:
    """A column's values as codes. Raises DataError for decimals that are not whole."""
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    whole = pa.chunked_array([values.combine_chunks()], values.type).chunk(0).dictionary_encode()
    texts = []
    for value in whole.dictionary.to_pylist():
        if isinstance(value, float) and not value.is_integer():
            raise DataError(
                f"{file}: column `{name}` holds {value:g}; labels are text or whole numbers; `label=NAME` names another"
            )
        texts.append(str(int(value)) if isinstance(value, float) else str(value))
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return Piece(file, np.arange(len(codes)), codes, tuple(texts), numbers)


def few_values(values: pa.ChunkedArray) -> bool:
    """Whether a column has at least two different values, each of them twice on average."""
    different = len(values.unique())
    return 2 <= different <= len(values) / 2


def numbered_labels(
    pieces: Mapping[str, Sequence[Piece]], name: str, names: tuple[str, ...] | None, options: ReadOptions, label: str
) -> Labels:
    """The labels of all splits under one list of classes.

    pieces: of each split. name: of the column. names: the class of each number, where known. label: what messages
    call the source. Raises DataError for rows without a label, unless their whole split has none and another split
    has; for numbers without a name, one class alone, and a class that the training split lacks.
    """
    blank = [split for split, own in pieces.items() if not any(has_label(one, names) for one in own)]
    labelled = {split: own for split, own in pieces.items() if split not in blank}
    if not labelled:
        raise DataError(f"{label}: column `{name}` has no labels (all are null or -1); give the labelled files")
    for one in (one for own in labelled.values() for one in own):
        check_rows(one, name, names)
    notes = tuple(
        f"the {split} split ({sum(len(one.rows) for one in pieces[split]):,} pictures) has no labels; ignored"
        for split in blank
    )
    class_of = class_texts([one for own in labelled.values() for one in own], names)
    numbered = names is not None or tuple(class_of) == tuple(str(n) for n in range(len(class_of)))
    return chosen(labelled, class_of, options, label, notes, numbered)


def has_label(piece: Piece, names: tuple[str, ...] | None) -> bool:
    """Whether any row has a label: neither null nor, where labels are numbers, -1."""
    return any(text != NONE or (names is None and not piece.numbers) for text in piece.used)


def check_rows(piece: Piece, name: str, names: tuple[str, ...] | None) -> None:
    """Raises DataError for the first row without a label, or with a number that has no name."""
    missing = np.flatnonzero(piece.codes < 0)
    if len(missing):
        row = piece.rows[missing[0]] + 1
        raise DataError(f"{piece.file}: row {row} has no label in column `{name}`; every picture needs one")
    if names is None or not piece.numbers:
        return
    wrong = [place for place, text in enumerate(piece.texts) if not 0 <= int(text) < len(names)]
    for place in np.flatnonzero(np.isin(piece.codes, wrong))[:1]:
        raise DataError(
            f"{piece.file}: row {piece.rows[place] + 1} has label {piece.texts[piece.codes[place]]}; labels of "
            f"{len(names)} classes run from 0 to {len(names) - 1}"
        )


def class_texts(pieces: Sequence[Piece], names: tuple[str, ...] | None) -> dict[str, str]:
    """The class of each label as it is stored, in the order of classes."""
    if names is not None and all(piece.numbers for piece in pieces):
        return {str(number): name for number, name in enumerate(names)}
    found = {text for piece in pieces for text in piece.used}
    if names is not None and found <= set(names):
        return {name: name for name in names}
    numbers = all(piece.numbers for piece in pieces)
    return {text: text for text in (sorted(found, key=int) if numbers else classes_of(found))}


def chosen(
    pieces: Mapping[str, Sequence[Piece]],
    class_of: Mapping[str, str],
    options: ReadOptions,
    label: str,
    notes: tuple[str, ...],
    numbered: bool,
) -> Labels:
    """The rows of the classes asked for, as class numbers. class_of: class by label."""
    renamed = dict(options.names)
    class_of = {text: renamed.get(name, name) for text, name in class_of.items()}
    classes = tuple(dict.fromkeys(class_of.values()))
    if unknown := [one for one in options.classes if one not in classes]:
        held = shortened(", ".join(classes[:8]), 100)
        raise DataError(f"{label}: there is no class {unknown[0]!r}, which `classes` names; found {held}")
    final = options.classes or classes
    place_of = {name: place for place, name in enumerate(final)}
    kept: dict[str, list[Piece]] = {}
    numbers: dict[str, NDArray[np.int64]] = {}
    left = 0
    for split, own in pieces.items():
        found = [class_numbers(one, {text: place_of.get(class_of[text], -1) for text in one.used}) for one in own]
        kept[split] = [one.of(codes >= 0) for one, codes in zip(own, found, strict=True)]
        whole = np.concatenate(found)
        numbers[split] = whole[whole >= 0]
        left += int((whole < 0).sum())
    check_classes(final, numbers, options, label)
    if left:
        notes = (*notes, f"{left:,} {'picture' if left == 1 else 'pictures'} of classes not asked for ignored")
    return Labels(final, numbered and not renamed and not options.classes, numbers, kept, notes)


def class_numbers(piece: Piece, targets: Mapping[str, int]) -> NDArray[np.int64]:
    """Each row's class number. int64 [N]."""
    return np.array([targets.get(text, -1) for text in piece.texts], np.int64)[piece.codes]


def check_classes(
    classes: tuple[str, ...], numbers: Mapping[str, NDArray[np.int64]], options: ReadOptions, label: str
) -> None:
    """Raises DataError where these labels make no data set."""
    for text in classes:
        if not text.isprintable() or not text.strip() or len(text) > LONGEST_CLASS:
            raise DataError(
                f"{label}: the class name {text[:40]!r} cannot be printed; rename it (no control characters)"
            )
    if len(classes) < 2 and not options.one_class:
        raise DataError(f"{label}: all labels are `{''.join(classes)}`; a classifier needs at least two classes")
    if "train" not in numbers:
        return
    for split, own in numbers.items():
        for new in np.setdiff1d(own, numbers["train"])[:1]:
            raise DataError(
                f"{label}: class `{classes[new]}` of the {split} split has no picture in train; "
                "every class needs training pictures (`classes=...` names the classes to read)"
            )
