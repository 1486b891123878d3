"""A figure of two networks, several seeds each: over seeds alone, or over seeds and the same images together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ValueDifference:
    """How much larger a figure is of b than of a.

    interval: 95 %, of Student's t; None where nothing varies that could tell it. of_seeds: variance of the difference
    that is of the seeds, of_images: of the images alone. freedom: degrees of freedom.
    """

    difference: float
    interval: tuple[float, float] | None
    of_seeds: float
    of_images: float
    freedom: float


def linearised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of all images whose mean is that of the images that count: float64 [N].

    values: float64 [N], NaN for images that do not count. A mean over those that count is a ratio of two means, and
    v = m + (x - m) c / mean(c), with c 1 for an image that counts and 0 for another, is its linearisation (Cochran
    1977, Sampling Techniques, section 6.3): how many images count varies too, as with other images it would. Raises
    ValueError where no image counts.

    >>> linearised(np.array([1.0, 0.0, np.nan, 1.0])).round(3).tolist()
    [1.111, -0.222, 0.667, 1.111]
    """
    counts = ~np.isnan(values)
    if not counts.any():
        raise ValueError("no image counts")
    mean = values[counts].mean()
    deviation: NDArray[np.float64] = np.where(counts, values - mean, 0.0) / counts.mean()
    found: NDArray[np.float64] = mean + deviation
    return found


def crossed_values(a: NDArray[np.float64], b: NDArray[np.float64]) -> ValueDifference:
    """The mean of b less that of a, for other seeds and other images than those at hand.

    a: float64 [S_a, N], b: [S_b, N]: a value for each seed and each of the same images, NaN for images that do not
    count. The variance and its degrees of freedom are those of `crossed`, of any values instead of hits and misses, as
    `linearised` makes them where images do not count. One seed each: Student's t over the images. Raises ValueError for
    other shapes.

    >>> found = crossed_values(np.array([[0.0, 1, 0, 1]]), np.array([[1.0, 1, 1, 1]]))
    >>> found.difference, round(found.interval[0], 3), found.freedom
    (0.5, -0.419, 3.0)
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.shape[1] < 2:
        raise ValueError(f"values of shapes {a.shape} and {b.shape}; they must be [seeds, images], of the same images")
    a, b = (np.stack([linearised(row) for row in values]) for values in (a, b))
    images = a.shape[1]
    gains = b.mean(0) - a.mean(0)
    parts = [of_seeds(values.mean(1)) for values in (a, b)]
    of_images = float(gains.var(ddof=1)) / images
    beyond = max(0.0, of_images - residual(a) - residual(b))
    if not beyond and not any(part for part, _ in parts):
        beyond = of_images
    return difference_of(float(gains.mean()), [*parts, (beyond, images - 1)])


def seed_difference(a: Sequence[float], b: Sequence[float]) -> ValueDifference:
    """The mean of b less that of a, for other seeds and the same images: Welch's interval.

    a, b: a value for each seed. With one seed on a side, its spread is unknown, and what is found is of that run alone.

    >>> found = seed_difference([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> found.difference, [round(end, 2) for end in found.interval]
    (3.0, [0.73, 5.27])
    """
    parts = [of_seeds(np.array(values, np.float64)) for values in (a, b)]
    return difference_of(float(np.mean(b) - np.mean(a)), [*parts, (0.0, 1)])


def of_seeds(values: NDArray[np.float64]) -> tuple[float, int]:
    """Variance of the mean of some seeds' values and its degrees of freedom; (0, 1) for a single seed."""
    count = len(values)
    return (float(values.var(ddof=1)) / count, count - 1) if count > 1 else (0.0, 1)


def residual(values: NDArray[np.float64]) -> float:
    """R of `crossed`: what of the seeds' variance is neither seeds nor images. values: float64 [S, N]."""
    seeds, images = values.shape
    if seeds == 1:
        return 0.0
    rest = values - values.mean(1, keepdims=True) - values.mean(0, keepdims=True) + values.mean()
    squares = float((rest**2).sum())
    mean_square: float = squares / ((seeds - 1) * (images - 1) * seeds * images)
    return mean_square


def difference_of(difference: float, parts: Sequence[tuple[float, int]]) -> ValueDifference:
    """A difference and its interval. parts: (variance, degrees of freedom) of a's seeds, of b's, and of the images."""
    from scipy.special import stdtrit

    seeds, variance = parts[0][0] + parts[1][0], sum(part for part, _ in parts)
    if not variance:
        return ValueDifference(difference, None, 0.0, 0.0, math.nan)
    freedom = variance**2 / sum(part**2 / freedom for part, freedom in parts)
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(variance)
    return ValueDifference(difference, (difference - half, difference + half), seeds, parts[2][0], freedom)
