"""Numbers that only a report needs: differences of shares, trust in answers, kinds of mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.newcombe import difference_of_shares as difference_of_shares
from sightlab.metrics import is_correct, probabilities
from sightlab.records import Predictions

NORMAL_95 = 1.959963984540054  # of the standard normal distribution, 95 % lie within this of 0
BINS = 15


@dataclass(frozen=True)
class Confidence:
    """How confident a model is.

    mean: of the probabilities of the predicted classes, in [0, 1]. gap: mean less accuracy, above 0 for an
    overconfident model; interval: its 95 % interval. error_by_chance: the expected calibration error that a
    perfectly calibrated model with these probabilities would show on so many images.
    """

    mean: float
    gap: float
    interval: tuple[float, float]
    error_by_chance: float


@dataclass(frozen=True)
class Mistake:
    """Images of one class predicted as another. share: of the images of the true class, in (0, 1]."""

    true: str
    predicted: str
    count: int
    share: float


def confidence_of(predictions: Predictions, bins: int = BINS) -> Confidence:
    """How confident a model is, against how often it is correct.

    The interval of the gap is the normal interval of a mean, of (probability - correct) over the images. The error by
    chance: in a bin, the number of correct predictions less the sum of their probabilities p has mean 0 and variance
    sum p (1 - p) for a calibrated model; the mean absolute value of a normal variable is sqrt(2 / pi) times its
    deviation; the bins add up. bins: of equal width, as for the expected calibration error.

    Raises ValueError for no predictions.
    """
    if not len(predictions):
        raise ValueError("there are no predictions; at least one labelled image is needed")
    confidence = probabilities(predictions.logits.astype(np.float64)).max(axis=1)
    excess = confidence - is_correct(predictions)
    gap, count = float(excess.mean()), len(excess)
    half = NORMAL_95 * float(excess.std(ddof=1)) / math.sqrt(count) if count > 1 else 1.0
    indices = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    variances = np.bincount(indices, weights=confidence * (1 - confidence), minlength=bins)
    by_chance = math.sqrt(2 / math.pi) * float(np.sqrt(variances).sum()) / count
    interval = (max(-1.0, gap - half), min(1.0, gap + half))
    return Confidence(float(confidence.mean()), gap, interval, by_chance)


def mistakes_of(matrix: NDArray[np.int64], classes: Sequence[str], most: int | None = None) -> list[Mistake]:
    """The kinds of mistakes that occur, the most frequent first; of equal counts the larger share of its class first.

    matrix: int64 [C, C], rows true, columns predicted. classes: C names. most: how many at most.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    sums = matrix.sum(axis=1)
    true, predicted = np.nonzero(wrong)
    counts = wrong[true, predicted]
    shares = counts / sums[true]
    order = np.lexsort((predicted, true, -shares, -counts))[:most]
    return [Mistake(classes[t], classes[s], int(n), float(x)) for t, s, n, x in
            zip(true[order], predicted[order], counts[order], shares[order], strict=True)]  # fmt: skip
