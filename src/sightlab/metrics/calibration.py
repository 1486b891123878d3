"""Whether a model that says 80 % is right 80 times in a hundred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import check_predictions
from sightlab.metrics.intervals import wilson_interval
from sightlab.metrics.probability import normalisers
from sightlab.records import Predictions, ReliabilityBin


def reliability(predictions: Predictions, bins: int = 15) -> list[ReliabilityBin]:
    """Confidence and accuracy of the answers in `bins` equal-width bins of confidence, from 0 to 1.

    The confidence of an answer is the probability of its class. Bin k of n, from 0, holds the confidences of
    [k / n, (k + 1) / n): one on an edge is in the bin above it. The last bin holds 1 too. Confidences and edges are
    rounded to float32 before they meet, so that a third is a third. Bins without answers are there, with a count of 0.

    Raises ValueError for fewer bins than 1, no predictions, or logits, labels and classes that do not belong together.

    >>> logits = np.array([[0, 0], [0, 0], [20, 0]], np.float32)
    >>> said = Predictions(logits, np.array([0, 1, 0]), np.arange(3), ("cat", "dog"))
    >>> [(one.low, one.high, one.count, one.confidence, one.accuracy) for one in reliability(said, bins=2)]
    [(0.0, 0.5, 0, None, None), (0.5, 1.0, 3, 0.6666666666666666, 0.6666666666666666)]
    """
    confidence, right, place = _binned(predictions, bins)
    place = np.minimum(place, bins - 1)
    counts, sums, hits = _sums(confidence, right, place, bins)
    found = []
    for number, (count, total, correct) in enumerate(zip(counts, sums, hits, strict=True)):
        found.append(
            ReliabilityBin(
                low=number / bins,
                high=(number + 1) / bins,
                count=int(count),
                confidence=float(total / count) if count else None,
                accuracy=float(correct / count) if count else None,
                interval=wilson_interval(int(correct), int(count)) if count else None,
            )
        )
    return found


def calibration_error(predictions: Predictions, bins: int = 15) -> float:
    """Expected calibration error of the top answer, in [0, 1]: mean distance of confidence and accuracy over the bins.

    Sum over the bins of (count / N) |accuracy - mean confidence|. Guo, Pleiss, Sun & Weinberger 2017, "On calibration
    of modern neural networks", equation 3. The bins are those of `reliability`, but for one: answers whose confidence
    is 1 (as float32) are a bin of their own, as in torchmetrics' MulticlassCalibrationError with norm l1, which this
    is. Answers that leave no doubt are thus held to their word, and are not offset by doubtful ones in the last bin:
    the error is never below that of the bins of `reliability`, and the same where no confidence is 1.

    torch rounds some edges up by a bit, 3 / 15 for one. It so takes five classes with equal logits, whose confidence
    is exactly 1 / 5, for a bin lower; here they are where the definition puts them.

    Raises ValueError for fewer bins than 1, no predictions, or logits, labels and classes that do not belong together.

    >>> logits = np.array([[0, 0], [0, 0], [20, 0], [0, 20]], np.float32)
    >>> calibration_error(Predictions(logits, np.array([0, 0, 0, 0]), np.arange(4), ("cat", "dog")))
    0.5
    """
    counts, sums, hits = _sums(*_binned(predictions, bins), bins + 1)
    return float(np.abs(hits - sums).sum() / counts.sum())


def _binned(predictions: Predictions, bins: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Each answer's confidence, whether it is right, and its bin; a confidence of 1 is in bin number `bins`. [N] each.

    Raises ValueError for fewer bins than 1, no predictions, or logits, labels and classes that do not belong together.
    """
    if bins < 1:
        raise ValueError(f"{bins} bins; must be at least 1")
    check_predictions(predictions)
    confidence = (1 / normalisers(predictions.logits)[1]).astype(np.float32)
    edges = (np.arange(bins + 1) / bins).astype(np.float32)
    place = np.searchsorted(edges, confidence, "right") - 1
    return confidence, predictions.logits.argmax(axis=1) == predictions.labels, place


def _sums(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], place: NDArray[np.int64], bins: int
) -> NDArray[np.float64]:
    """How many answers each bin has, the sum of their confidences, and how many of them are right: [3, bins]."""
    each = (np.ones(len(place)), confidence.astype(np.float64), right.astype(np.float64))
    return np.stack([np.bincount(place, weights=values, minlength=bins) for values in each])
