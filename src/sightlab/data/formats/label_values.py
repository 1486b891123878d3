"""Labels as files hold them, numbers or words, to class numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import ImageSet, classes_of
from sightlab.errors import DataError

WHOLE = re.compile(r"([+-]?)0*([0-9]+)(\.0*)?", re.ASCII)


def label_text(text: str) -> str:
    """A label's class name: stripped, and a whole number in its shortest form.

    >>> [label_text(t) for t in (" cat ", "007", "3.0", "-0", "3.5")]
    ['cat', '7', '3', '0', '3.5']
    """
    text = text.strip()
    match = WHOLE.fullmatch(text)
    if not match:
        return text
    sign, digits, _ = match.groups()
    return "-" + digits if sign == "-" and digits != "0" else digits


def is_numbered(classes: Sequence[str]) -> bool:
    """Whether the classes are exactly 0, 1, ... in this order."""
    return list(classes) == [str(n) for n in range(len(classes))]


def encode(pieces: Sequence[NDArray[np.uint8] | list[str]]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels that came in pieces, numbers or class names, as one int64 [N], and the classes in natural order.

    >>> encode([np.array([2, 10], np.uint8), ["cat", "2"]])
    (array([0, 1, 2, 0]), ('2', '10', 'cat'))
    """
    found: set[str] = set()
    for piece in pieces:
        if isinstance(piece, np.ndarray):
            found.update(str(n) for n in np.flatnonzero(np.bincount(piece, minlength=1)))
        else:
            found.update(piece)
    classes = classes_of(found)
    place = {name: number for number, name in enumerate(classes)}
    of_byte = np.array([place.get(str(n), -1) for n in range(256)], np.int64)
    coded = [
        of_byte[piece] if isinstance(piece, np.ndarray) else np.array([place[name] for name in piece], np.int64)
        for piece in pieces
    ]
    return np.concatenate([np.zeros(0, np.int64), *coded]), classes


def one_class_list(splits: Mapping[str, ImageSet], where: Mapping[str, object]) -> dict[str, ImageSet]:
    """The splits with one list of classes and one image shape. where: what to call each split in an error.

    Raises DataError: a split holds a class that the training split lacks, or images of another shape.
    """
    names = classes_of(name for images in splits.values() for name in images.classes)
    first = next(iter(splits))
    for split, images in splits.items():
        if images.shape != splits[first].shape:
            raise DataError(
                f"{where[split]}: images are {size_text(images.shape)}, "
                f"those of {where[first]} are {size_text(splits[first].shape)}"
            )
        unknown = set(images.classes) - set(splits["train"].classes) if "train" in splits else set()
        if unknown:
            raise DataError(
                f"{where[split]}: holds the label {classes_of(unknown)[0]!r}, which {where['train']} has no image of"
            )
    place = {name: number for number, name in enumerate(names)}
    numbered = is_numbered(names)
    return {
        split: ImageSet(
            images.images,
            np.array([place[name] for name in images.classes], np.int64)[images.labels],
            names,
            numbered,
        )
        for split, images in splits.items()
    }


def size_text(shape: tuple[int, int, int]) -> str:
    """A picture's shape in words.

    >>> size_text((28, 28, 1))
    '28 x 28 x 1'
    """
    return " x ".join(str(n) for n in shape)
