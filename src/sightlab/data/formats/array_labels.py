"""Label arrays: integers, booleans, text or one-hot rows; multi-label arrays are refused."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.stored import Array
from sightlab.errors import DataError

ONE_LABEL = "each picture may have several labels; sightlab trains one label a picture"
LARGEST = 2**53  # whole numbers that a float holds exactly


def label_count(shape: tuple[int, ...]) -> int | None:
    """How many labels an array of this shape holds: [N], with other axes of 1, or one-hot [N, K]; None for others.

    >>> [label_count(shape) for shape in ((7,), (7, 1), (1, 7), (7, 1, 1, 1), (7, 10), (7, 2, 2), ())]
    [7, 7, 7, 7, 7, None, None]
    """
    if shape and sum(length != 1 for length in shape) <= 1:
        return max(shape) if 0 not in shape else 0
    return shape[0] if len(shape) == 2 else None


def labels_of(where: str, array: Array) -> NDArray[np.int64] | list[str]:
    """An array's labels: whole numbers, int64 [N], or texts.

    One-hot rows become the number of their column; truth values become False and True. Raises DataError for several
    labels a picture, fractions, and what is no label.
    """
    if array.ndim > 1 and sum(length != 1 for length in array.shape) <= 1:
        array = array.reshape(-1)
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return from_one_hot(where, array)
    if array.ndim != 1:
        raise DataError(
            f"{where}: has the shape {list(array.shape)}; labels are [N] class numbers or names, or one-hot"
        )
    if array.dtype.kind in "SU":
        return texts_of(where, array)
    if array.dtype.kind == "b":
        return [str(bool(label)) for label in array]
    if array.dtype.kind not in "iuf":
        raise DataError(f"{where}: holds {array.dtype}; labels are whole numbers or text")
    return whole_numbers(where, array)


def whole_numbers(where: str, array: Array) -> NDArray[np.int64]:
    """Numbers [N] as int64. Raises DataError for fractions, NaN and what int64 cannot hold."""
    finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
    if not finite or (array.dtype.kind == "f" and (array != np.rint(array)).any()):
        bad = array[~np.isfinite(array)] if not finite else array[array != np.rint(array)]
        raise DataError(f"{where}: holds {float(bad[0]):g}; labels are whole numbers or text, one class a picture")
    if array.size and (float(array.max()) > LARGEST or float(array.min()) < -LARGEST):
        raise DataError(f"{where}: holds {array.max()}; labels are class numbers")
    return array.astype(np.int64)


def from_one_hot(where: str, array: Array) -> NDArray[np.int64]:
    """The column of the one 1 in each row of [N, K]. Raises DataError for rows that are otherwise."""
    ones = (array == 1).sum(axis=1)
    if not np.isin(array, (0, 1)).all():
        raise DataError(
            f"{where}: has {array.shape[1]} numbers a picture, from {float(array.min()):g} to {float(array.max()):g}; "
            "labels are [N] class numbers or names, or one-hot rows of a single 1"
        )
    if (ones != 1).any():
        row = int(np.flatnonzero(ones != 1)[0])
        raise DataError(
            f"{where}: is multi-label: picture {row} (from 0) has {int(ones[row])} of {array.shape[1]}; {ONE_LABEL}"
        )
    return np.asarray((array == 1).argmax(axis=1), np.int64)


def texts_of(where: str, array: Array) -> list[str]:
    """Texts, or bytes in UTF-8, without white space around them. Raises DataError for an empty one, and other bytes."""
    try:
        raw = [one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in array.tolist()]
    except UnicodeDecodeError:
        raise DataError(f"{where}: holds bytes that are not UTF-8; save the labels as text") from None
    texts = [text.strip() for text in raw]
    if "" in texts:
        raise DataError(f"{where}: label {texts.index('')} (from 0) is empty text; each image needs a class")
    return texts
