"""Column statistics: whether values may be labels, row numbers, one-hot labels or pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

LEAST_ROWS = 24  # fewer say nothing
SURE_ROWS = 100  # fewer may be alike by chance
RUNNING_ROWS = 12  # fewer may be labels that happen to be 0, 1, 2, ...
MOST_CLASSES = 0.5  # different labels a row
SINGLES = 0.25  # of the values of a column that occur but once
DOMINANT = 0.98  # of rows with one value: a corner of most pictures, and no class that anyone would learn
FILLED = 0.8  # of the whole numbers from the first class to the last
SHUFFLES = 32
EDGE = 0.7  # of rows with the same value in the column beside
NEAR = 0.4  # of the distance by chance
PLANAR_VALUES = 1000
NEARLY_ALL = 0.98
INNER_COLUMNS = 8  # that are looked at to see how pixels of a table look


@dataclass(frozen=True)
class Likeness:
    """How much a column looks like labels.

    possible: whole numbers, several, and no continuation of the column beside it: other columns are pixels for
    certain. recurring: few values for so many rows, most of them more than once. strong: also counted from 0 or 1,
    with no value in nearly all rows. dominated: one value in nearly all rows. levels: different values. known: whether
    rows are enough to say so; sure: enough to say that it is a pixel of a table whose pixels look like labels.
    """

    possible: bool
    sure: bool = False
    recurring: bool = False
    strong: bool = False
    dominated: bool = False
    levels: int = 0
    known: bool = True


def likeness(values: Numbers, beside: Sequence[Numbers]) -> Likeness:
    """How much a column looks like labels. values: [N]; beside: the next column further in, and others near it, [N]."""
    if len(values) < LEAST_ROWS:
        return Likeness(possible=True, known=False)
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) == 1:  # the edge of all pictures, or one class: a pixel at the edge lies beside others like it
        at_edge = bool((beside[0] == levels[0]).mean() >= EDGE)
        return Likeness(possible=not at_edge, sure=at_edge, levels=1)
    if (levels != np.floor(levels)).any():
        return Likeness(possible=False, sure=True, levels=len(levels))
    if any(continues(values, other) for other in beside):
        return Likeness(possible=False, sure=len(values) >= SURE_ROWS, levels=len(levels))
    recurring = len(levels) <= MOST_CLASSES * len(values) and bool((counts == 1).mean() <= SINGLES)
    dominated = bool(counts.max() > DOMINANT * len(values))
    counted = bool(levels[0] in (0, 1) and len(levels) >= FILLED * (levels[-1] - levels[0] + 1))
    return Likeness(
        possible=True,
        recurring=recurring,
        strong=recurring and counted and not dominated,
        dominated=dominated,
        levels=len(levels),
    )


def continues(values: Numbers, beside: Numbers) -> bool:
    """Whether a column is near the one beside it row by row, as a pixel is and a label is not."""
    if np.ptp(values) == 0 or np.ptp(beside) == 0:
        return False
    generator = np.random.default_rng(0)
    apart = [np.abs(values - beside[generator.permutation(len(beside))]).mean() for _ in range(SHUFFLES)]
    return bool(np.abs(values - beside).mean() <= min(NEAR * np.mean(apart), *apart))


def end_with_labels(first: Likeness, last: Likeness, inner: Sequence[Likeness]) -> str:
    """Which of a table's first and last column holds labels, where one of them does and the rest are pixels.

    inner: how much some of the columns between look like labels. Gives `first`, `last`, or "" where both could, or
    where neither can be told from pixels. A column is taken only if the other one is a pixel for certain, or nearly
    always the same; if pixels of this table look as it does, only the former will do.
    """
    if not (first.known and last.known):
        return ""
    for name, mine, other in (("first", first, last), ("last", last, first)):
        alike = sum(one.strong and one.levels <= 2 * mine.levels for one in inner) > 1
        if alike and other.sure and mine.strong:
            return name
        if not alike and not other.possible and (mine.strong or (mine.recurring and not mine.dominated)):
            return name
        if mine.strong and other.dominated and not alike:
            return name
    return ""


def end_of(columns: Mapping[int, Numbers], width: int) -> str:
    """Which end of a table of so many columns holds labels; see `end_with_labels`. columns: those of `probed`, [N]."""
    found = {n: likeness(columns[n], [columns[other] for other in beside]) for n, beside in neighbours(width).items()}
    return end_with_labels(found[0], found[width - 1], [one for n, one in found.items() if 0 < n < width - 1])


def neighbours(width: int) -> dict[int, tuple[int, ...]]:
    """The columns that are looked at to find labels at one end, each with those near it, further in.

    The next one, and the third, which is of the same channel of colour pictures.
    """
    inner = np.linspace(2, width - 5, INNER_COLUMNS).astype(int).tolist() if width > 9 else []
    reach = (1, 3) if width > 4 else (1,)
    found = {n: tuple(n + step for step in reach) for n in (0, *inner)}
    return found | {width - 1: tuple(width - 1 - step for step in reach)}


def probed(width: int) -> list[int]:
    """The columns whose values `end_of` needs."""
    return sorted({n for own, beside in neighbours(width).items() for n in (own, *beside)})


def is_running(values: Numbers) -> bool:
    """Whether a column counts its rows, up or down by one. values: of rows that follow each other."""
    return len(values) >= RUNNING_ROWS and bool(
        (np.abs(np.diff(values, 2)) == 0).all() and abs(values[1] - values[0]) == 1
    )


def is_one_hot(numbers: Numbers) -> bool:
    """Whether each row, or nearly each, has one 1 and else 0. numbers: [N, K]."""
    binary = ((numbers == 0) | (numbers == 1)).all(axis=1)
    return numbers.shape[1] > 1 and bool((binary & (numbers.sum(axis=1) == 1)).mean() >= NEARLY_ALL)


def one_hot_at(numbers: Numbers, *, front: bool) -> int:
    """How many columns at the front or at the end are one-hot, 0 for none or too few rows. numbers: [N, columns].

    The least number of columns in which each row has one 1: with one more, a pixel that is always black would be a
    class. A row in fifty may be otherwise, for it to count as a mistake.
    """
    ordered = numbers if front else numbers[:, ::-1]
    plain = ((ordered == 0) | (ordered == 1)).mean(axis=0) >= NEARLY_ALL
    reach = len(plain) if plain.all() else int(plain.argmin())
    whole = np.flatnonzero((np.cumsum(ordered[:, :reach], axis=1) == 1).mean(axis=0) >= NEARLY_ALL)
    return int(whole[0]) + 1 if len(whole) and whole[0] and len(numbers) >= RUNNING_ROWS else 0


def looks_planar(numbers: NDArray[np.float64], height: int, width: int) -> bool:
    """Whether rows of colour pictures hold all red, then all green, then all blue, rather than pixel after pixel.

    A picture changes little from one row to the next: of the two readings, the one in which it changes much less is
    right. numbers: [N, 3 * height * width]. False where the two are alike, or there are few values.
    """
    if numbers.size < PLANAR_VALUES:
        return False
    planes = numbers.reshape(-1, 3, height, width)
    pixels = numbers.reshape(-1, height, width, 3)
    in_planes = np.abs(np.diff(planes, axis=2)).mean()
    in_pixels = np.abs(np.diff(pixels, axis=1)).mean()
    return bool(in_planes < 0.75 * in_pixels)


def looks_four_channelled(numbers: Numbers, side: int) -> bool:
    """Whether rows of side x side values, for even sides, hold pixels of four channels instead, of half the side.

    See `looks_planar`. numbers: [N, side * side].
    """
    if numbers.size < PLANAR_VALUES or side % 2:
        return False
    in_grey = np.abs(np.diff(numbers.reshape(-1, side, side), axis=1)).mean()
    in_colour = np.abs(np.diff(numbers.reshape(-1, side // 2, side * 2), axis=1)).mean()
    return bool(in_colour < 0.75 * in_grey)
