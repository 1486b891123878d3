"""Label encoding of arrays: class indices under one class list, in the order that the source states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.class_lists import ClassNames, check_names, fitting_names, names_in
from sightlab.data.formats.label_values import is_numbered
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import classes_of, natural_key
from sightlab.errors import DataError

Labels = NDArray[np.int64] | list[str]


@dataclass(frozen=True, eq=False)
class ClassWords:
    """What is known of the classes before labels are read.

    source: what messages call it. names: the array of class names. lists: files that may hold them, and dataset: the
    set's name in files that name the classes of several. known: names that are known for this data set's labels, which
    are its classes whether they occur or not. all_numbers: whether classes run from 0 to the greatest label where 0
    occurs; else they are the labels that occur. chosen: the classes to read. renamed: other names for them.
    """

    source: str
    names: StoredArray | None = None
    lists: Sequence[DataFile] = ()
    dataset: str = ""
    known: ClassNames = field(default_factory=dict)
    all_numbers: bool = False
    chosen: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Classified:
    """Class numbers, int64 [N] by split, -1 for classes that are not asked for; the classes; whether the source numbers
    them so; notes.
    """

    numbers: Mapping[str, NDArray[np.int64]]
    classes: tuple[str, ...]
    numbered: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Stated:
    """The classes in the order that the source states, () where it states none; their names by label; what to say."""

    ordered: tuple[str, ...] = ()
    by_number: ClassNames | None = None
    notes: tuple[str, ...] = ()


def joined_labels(pieces: Sequence[Labels]) -> Labels:
    """The labels of one split: numbers where all pieces are."""
    numbers = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(numbers) == len(pieces):
        return np.concatenate(numbers)
    return [text for piece in pieces for text in texts(piece)]


def texts(labels: Labels) -> list[str]:
    """Labels as texts."""
    return labels if isinstance(labels, list) else [str(n) for n in labels.tolist()]


def classified(words: ClassWords, labels: Mapping[str, Labels]) -> Classified:
    """The labels of all splits as numbers of one list of classes. Raises DataError: a label that is no class, a class
    asked for that does not occur, names that cannot be shown.
    """
    numbers = [own for own in labels.values() if isinstance(own, np.ndarray)]
    stated = stated_classes(words, numbers if len(numbers) == len(labels) else [])
    named = {split: named_labels(words, stated, own) for split, own in labels.items()}
    ordered = tuple(words.renamed.get(text, text) for text in stated.ordered)
    unknown = [text for own in named.values() for text in own if ordered and text not in frozenset(ordered)]
    if unknown:
        raise DataError(f"{words.source}: the label {unknown[0]!r} is none of its {len(ordered)} classes")
    classes = ordered or classes_of(text for own in named.values() for text in own)
    check_names(words.source, classes)
    numbered = is_numbered(classes) or (
        stated.by_number is not None and set(stated.by_number) == set(range(len(classes)))
    )
    if words.chosen:
        classes, numbered = chosen_classes(words, classes), False
    place = {name: number for number, name in enumerate(classes)}
    coded = {split: np.array([place.get(text, -1) for text in own], np.int64) for split, own in named.items()}
    left = int(sum((own < 0).sum() for own in coded.values()))
    gone = (f"{left:,} pictures of classes not asked for ignored",) if left else ()
    return Classified(coded, classes, numbered, (*stated.notes, *gone))


def named_labels(words: ClassWords, stated: Stated, labels: Labels) -> list[str]:
    """The class name of each label."""
    if stated.by_number is not None and isinstance(labels, np.ndarray):
        found = [stated.by_number[n] for n in labels.tolist()]
    else:
        found = texts(labels)
    return [words.renamed.get(text, text) for text in found]


def chosen_classes(words: ClassWords, classes: Sequence[str]) -> tuple[str, ...]:
    """The classes asked for. Raises DataError for one that is not there."""
    missing = [name for name in words.chosen if name not in classes]
    if missing:
        held = ", ".join(sorted(classes, key=natural_key)[:8])
        raise DataError(f"{words.source}: classes: there is no class {missing[0]!r}; found {held}")
    return words.chosen


def stated_classes(words: ClassWords, numbers: Sequence[NDArray[np.int64]]) -> Stated:
    """What the source states of its classes. numbers: the labels, where all are numbers."""
    found = np.unique(np.concatenate(numbers)) if numbers else np.empty(0, np.int64)
    if words.names is not None:
        names = names_in(words.names.shown, words.names.load())
        return Stated(names, numbered_names(words.names, names, found) if numbers else None)
    if not found.size:
        return Stated()
    if words.known:
        outside = [int(n) for n in found if int(n) not in words.known]
        if outside:
            low, high = min(words.known), max(words.known)
            raise DataError(f"{words.source}: has the label {outside[0]}; the labels of this set are {low} to {high}")
        return Stated(tuple(words.known.values()), words.known)
    by_number, file = fitting_names(words.lists, found, words.dataset)
    if by_number:
        return Stated(tuple(by_number[n] for n in sorted(by_number)), by_number, (f"class names from {file}",))
    if words.all_numbers and found[0] == 0:
        return Stated(tuple(str(n) for n in range(int(found[-1]) + 1)))
    return Stated()


def numbered_names(array: StoredArray, names: tuple[str, ...], found: NDArray[np.int64]) -> ClassNames:
    """The array of class names by label: from 0, or from 1 where the labels run to the number of names."""
    low, high = int(found.min()), int(found.max())
    if low == 1 and high == len(names):
        return dict(enumerate(names, 1))
    if low < 0 or high >= len(names):
        raise DataError(f"{array.shown}: labels run from {low} to {high}, but there are {len(names)} classes")
    return dict(enumerate(names))


def check_splits(coded: Classified, where: Mapping[str, str]) -> None:
    """Raises DataError for a class that a split has and train has not. where: what to call each split's labels."""
    if "train" not in coded.numbers:
        return
    known = set(np.unique(coded.numbers["train"]).tolist())
    for split, numbers in coded.numbers.items():
        new = set(np.unique(numbers).tolist()) - known - {-1}
        if new:
            raise DataError(
                f"{where[split]}: holds the label {coded.classes[min(new)]!r}, which train has no image of; each class "
                "needs training images (`classes=...` names the classes to read)"
            )
