"""Numbers that only a report needs: differences of shares, trust in answers, kinds of mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics import probabilities, wilson_interval
from sightlab.records import Predictions

NORMAL_95 = 1.959963984540054  # of the standard normal distribution, 95 % lie within this of 0
BINS = 15


@dataclass(frozen=True)
class Confidence:
    """How much a model trusts its answers.

    mean: of the answers' probabilities, in [0, 1]. gap: mean less accuracy, above 0 for an overconfident model;
    interval: its 95 % interval. error_by_chance: the expected calibration error that a perfectly calibrated model
    with these probabilities would show on so many images.
    """

    mean: float
    gap: float
    interval: tuple[float, float]
    error_by_chance: float


@dataclass(frozen=True)
class Mistake:
    """Images of one class taken for another. share: of the images of the true class, in (0, 1]."""

    true: str
    said: str
    count: int
    share: float


def difference_of_shares(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """The difference of two independent shares, and its 95 % interval, in [-1, 1].

    first, second: (correct, count). Newcombe 1998, "Interval estimation for the difference between independent
    proportions", method 10: from the two Wilson intervals. Raises ValueError as `wilson_interval` does.

    >>> difference, (low, high) = difference_of_shares((56, 70), (48, 80))
    >>> f"{difference:.4f} {low:.4f} {high:.4f}"
    '0.2000 0.0524 0.3339'
    """
    (a, n), (b, m) = first, second
    (low_a, high_a), (low_b, high_b) = wilson_interval(a, n), wilson_interval(b, m)
    p, q = a / n, b / m
    low = p - q - math.hypot(p - low_a, high_b - q)
    high = p - q + math.hypot(high_a - p, q - low_b)
    return p - q, (max(-1.0, low), min(1.0, high))


def confidence_of(predictions: Predictions, bins: int = BINS) -> Confidence:
    """How much a model trusts its answers, against how often they are right.

    The interval of the gap is the normal one of a mean, here of (probability - right) over the images. The error by
    chance: in a bin, right answers less the sum of their probabilities p have mean 0 and variance sum p (1 - p) for a
    calibrated model; the mean of the absolute value of a normal variable is sqrt(2 / pi) times its deviation; the bins
    add up. bins: equal in width, as of the expected calibration error. Raises ValueError for no predictions.
    """
    if not len(predictions):
        raise ValueError("there are no predictions; at least one labelled image is needed")
    trust = probabilities(predictions.logits.astype(np.float64)).max(axis=1)
    right = predictions.logits.argmax(axis=1) == predictions.labels
    excess = trust - right
    gap, count = float(excess.mean()), len(excess)
    half = NORMAL_95 * float(excess.std(ddof=1)) / math.sqrt(count) if count > 1 else 1.0
    places = np.minimum((trust * bins).astype(np.int64), bins - 1)
    variances = np.bincount(places, weights=trust * (1 - trust), minlength=bins)
    by_chance = math.sqrt(2 / math.pi) * float(np.sqrt(variances).sum()) / count
    interval = (max(-1.0, gap - half), min(1.0, gap + half))
    return Confidence(float(trust.mean()), gap, interval, by_chance)


def mistakes_of(matrix: NDArray[np.int64], classes: Sequence[str], most: int | None = None) -> list[Mistake]:
    """The kinds of mistakes that happened, the most frequent first; of equal counts the greater share of its class.

    matrix: int64 [C, C], rows true, columns predicted. classes: C names. most: how many at most.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    sums = matrix.sum(axis=1)
    true, said = np.nonzero(wrong)
    counts = wrong[true, said]
    shares = counts / sums[true]
    order = np.lexsort((said, true, -shares, -counts))[:most]
    return [Mistake(classes[t], classes[s], int(n), float(x)) for t, s, n, x in
            zip(true[order], said[order], counts[order], shares[order], strict=True)]  # fmt: skip
