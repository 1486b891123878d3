"""What the values of a column say: whether it may be a label, a row number, a part of one-hot labels, or a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

LEAST_ROWS = 10  # fewer say nothing
RUNNING_ROWS = 12  # fewer may be labels that happen to be 0, 1, 2, ...
MOST_CLASSES = 0.2  # different labels a row
DOMINANT = 0.9
FILLED = 0.8  # of the whole numbers from the first class to the last
SHUFFLES = 8


@dataclass(frozen=True)
class Likeness:
    """How much a column looks like labels.

    possible: whole numbers, several and recurring, and no continuation of the column beside it. strong: also classes
    counted from 0 or 1, none of which takes nearly all rows. dominated: possible, but one value takes nearly all rows.
    known: whether there are rows enough to say so.
    """

    possible: bool
    strong: bool
    dominated: bool
    known: bool


def likeness(values: Numbers, beside: Numbers) -> Likeness:
    """How much a column looks like labels. values: [N]; beside: the column next to it, further in, [N]."""
    if len(values) < LEAST_ROWS:
        return Likeness(possible=True, strong=False, dominated=False, known=False)
    levels, counts = np.unique(values, return_counts=True)
    few = 1 < len(levels) <= max(2.0, MOST_CLASSES * len(values))
    if not few or (levels != np.floor(levels)).any() or continues(values, beside):
        return Likeness(possible=False, strong=False, dominated=False, known=True)
    dominated = bool(counts.max() > DOMINANT * len(values))
    counted = levels[0] in (0, 1) and len(levels) >= FILLED * (levels[-1] - levels[0] + 1)
    return Likeness(possible=True, strong=bool(counted) and not dominated, dominated=dominated, known=True)


def continues(values: Numbers, beside: Numbers) -> bool:
    """Whether a column is near the one beside it row by row, as a pixel is and a label is not."""
    if np.ptp(values) == 0 or np.ptp(beside) == 0:
        return False
    generator = np.random.default_rng(0)
    apart = np.mean([np.abs(values - beside[generator.permutation(len(beside))]).mean() for _ in range(SHUFFLES)])
    return bool(np.abs(values - beside).mean() <= 0.5 * apart)


def end_with_labels(first: Numbers, last: Numbers, inner: Sequence[Numbers]) -> str:
    """Which of a table's first and last column holds labels, where one of them does and the rest are pixels.

    first, last: [N]. inner: some columns between, the second and the last but one at the ends. Gives `first`, `last`,
    or "" where both could, or neither.
    """
    one, two = likeness(first, inner[0]), likeness(last, inner[-1])
    if not (one.known and two.known):
        return ""
    pairs = zip(inner[1:-1:2], inner[2:-1:2], strict=False)
    common = sum(likeness(column, other).strong for column, other in pairs) > 1
    for name, mine, other in (("first", one, two), ("last", two, one)):
        if mine.possible and not other.possible and (mine.strong or not common):
            return name
        if mine.strong and other.dominated and not common:
            return name
    return ""


def is_running(values: Numbers) -> bool:
    """Whether a column counts its rows, up or down by one. values: of rows that follow each other."""
    return len(values) >= RUNNING_ROWS and bool(
        (np.abs(np.diff(values, 2)) == 0).all() and abs(values[1] - values[0]) == 1
    )


def is_one_hot(numbers: Numbers) -> bool:
    """Whether each row has one 1 and else 0. numbers: [N, K]."""
    return numbers.shape[1] > 1 and bool(((numbers == 0) | (numbers == 1)).all() and (numbers.sum(axis=1) == 1).all())


def one_hot_at(numbers: Numbers, *, front: bool) -> range:
    """How many columns at the front or at the end can be one-hot, at least and at most; empty for none.

    numbers: [N, columns]. More than the least are possible where classes do not occur, or pixels are always black.
    """
    ordered = numbers if front else numbers[:, ::-1]
    plain = ((ordered == 0) | (ordered == 1)).all(axis=0)
    reach = len(plain) if plain.all() else int(plain.argmin())
    whole = np.flatnonzero((np.cumsum(ordered[:, :reach], axis=1) == 1).all(axis=0))
    return range(max(2, int(whole[0]) + 1), int(whole[-1]) + 2) if len(whole) else range(0)


def looks_planar(numbers: NDArray[np.float64], height: int, width: int) -> bool:
    """Whether rows of colour pictures hold all red, then all green, then all blue, rather than pixel after pixel.

    A picture changes little from one row to the next: of the two readings, the one in which it changes much less is
    right. numbers: [N, 3 * height * width]. False where the two are alike.
    """
    planes = numbers.reshape(-1, 3, height, width)
    pixels = numbers.reshape(-1, height, width, 3)
    in_planes = np.abs(np.diff(planes, axis=2)).mean()
    in_pixels = np.abs(np.diff(pixels, axis=1)).mean()
    return bool(in_planes < 0.75 * in_pixels)
