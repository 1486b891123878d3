"""Calibration: whether a model that is 80 % confident is correct 80 % of the time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import CHUNK_VALUES, check_predictions
from sightlab.metrics.intervals import wilson_interval
from sightlab.metrics.probability import normalisers
from sightlab.records import Predictions, ReliabilityBin


def reliability(predictions: Predictions, bins: int = 15) -> list[ReliabilityBin]:
    """Confidence and accuracy of the predictions in `bins` equal-width bins of confidence, from 0 to 1.

    Confidence is the probability of the predicted class. Bin k of n, from 0, holds the confidences in
    [k / n, (k + 1) / n): one on an edge is in the bin above it. The last bin includes 1. Confidences and edges are
    compared as float32, so that 1 / 3 is on its edge. Empty bins are included, with a count of 0.

    Raises ValueError for fewer than 1 bin, no predictions, or logits, labels and classes that do not match.

    >>> logits = np.array([[0, 0], [0, 0], [20, 0]], np.float32)
    >>> predictions = Predictions(logits, np.array([0, 1, 0]), np.arange(3), ("cat", "dog"))
    >>> [(one.low, one.high, one.count, one.confidence, one.accuracy) for one in reliability(predictions, bins=2)]
    [(0.0, 0.5, 0, None, None), (0.5, 1.0, 3, 0.6666666666666666, 0.6666666666666666)]
    """
    confidence, correct, index = _binned(predictions, bins)
    counts, sums, hits = _sums(confidence, correct, np.minimum(index, bins - 1), bins)
    found = []
    for number, (count, total, hit) in enumerate(zip(counts, sums, hits, strict=True)):
        found.append(
            ReliabilityBin(
                low=number / bins,
                high=(number + 1) / bins,
                count=int(count),
                confidence=float(total / count) if count else None,
                accuracy=float(hit / count) if count else None,
                interval=wilson_interval(int(hit), int(count)) if count else None,
            )
        )
    return found


def calibration_error(predictions: Predictions, bins: int = 15) -> float:
    """Expected calibration error of the predicted class, in [0, 1]: mean |accuracy - confidence| over the bins.

    Sum over the bins of (count / N) |accuracy - mean confidence|. Guo, Pleiss, Sun & Weinberger 2017, "On calibration
    of modern neural networks", equation 3. The bins are those of `reliability` with one more: predictions whose
    confidence is 1 (as float32) have a bin of their own, as in torchmetrics' MulticlassCalibrationError with norm l1,
    which this equals. Fully confident predictions are thus not offset by less confident ones in the last bin: the error
    is never below that over the bins of `reliability`, and equal to it where no confidence is 1.

    torch rounds some edges up by a bit, such as 3 / 15. It therefore puts five classes with equal logits, whose
    confidence is exactly 1 / 5, one bin lower; here they are where the definition puts them.

    Raises ValueError for fewer than 1 bin, no predictions, or logits, labels and classes that do not match.

    >>> logits = np.array([[0, 0], [0, 0], [20, 0], [0, 20]], np.float32)
    >>> calibration_error(Predictions(logits, np.array([0, 0, 0, 0]), np.arange(4), ("cat", "dog")))
    0.5
    """
    counts, sums, hits = _sums(*_binned(predictions, bins), bins + 1)
    return float(np.abs(hits - sums).sum() / counts.sum())


def calibration_interval(
    predictions: Predictions, bins: int = 15, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of `calibration_error`, (low, high), both in [0, 1], by resampling. It holds the error itself.

    Noise raises the error, and a bootstrap over the images raises it once more: the interval is the basic one, the
    quantiles of the resampled errors mirrored at the error (Davison & Hinkley 1997, "Bootstrap methods and their
    application", equation 5.6). It begins at 0 where the error is no larger than in 95 % of draws of a perfectly
    calibrated model with the same confidences (consistency resampling; Bröcker & Smith 2007, "Increasing the
    reliability of reliability diagrams", section 3).

    Raises ValueError for fewer than 1 bin, no predictions, or logits, labels and classes that do not match.

    >>> logits = np.array([[0, 0], [0, 0], [20, 0], [20, 0]], np.float32)
    >>> calibration_interval(Predictions(logits, np.array([0, 1, 0, 0]), np.arange(4), ("cat", "dog")))[0]
    0.0
    """
    confidence, correct, index = _binned(predictions, bins)
    count = len(index)
    shares = confidence.astype(np.float64)
    bin_of = np.zeros((count, bins + 1))
    bin_of[np.arange(count), index] = 1
    gaps = bin_of * (correct - shares)[:, None]
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_VALUES // count)
    sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
    drawn = np.concatenate([rng.multinomial(count, np.full(count, 1 / count), size) @ gaps for size in sizes])
    perfect = np.concatenate([((rng.random((size, count)) < shares) - shares) @ bin_of for size in sizes])
    drawn, perfect = (np.abs(sums).sum(axis=1) / count for sums in (drawn, perfect))
    error = float(np.abs(gaps.sum(axis=0)).sum()) / count
    lower, upper = np.quantile(drawn, [0.025, 0.975])
    low = 0.0 if error <= float(np.quantile(perfect, 0.95)) else 2 * error - float(upper)
    return max(0.0, min(error, low)), min(1.0, max(error, 2 * error - float(lower)))


def _binned(predictions: Predictions, bins: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
    """Each prediction's confidence, whether it is correct, and its bin: `bins` for a confidence of 1. [N] each.

    Raises ValueError for fewer than 1 bin, no predictions, or logits, labels and classes that do not match.
    """
    if bins < 1:
        raise ValueError(f"{bins} bins; must be at least 1")
    check_predictions(predictions)
    confidence = (1 / normalisers(predictions.logits)[1]).astype(np.float32)
    edges = (np.arange(bins + 1) / bins).astype(np.float32)
    index = np.searchsorted(edges, confidence, "right") - 1
    return confidence, predictions.logits.argmax(axis=1) == predictions.labels, index


def _sums(
    confidence: NDArray[np.float32], correct: NDArray[np.bool_], index: NDArray[np.int64], bins: int
) -> NDArray[np.float64]:
    """Each bin's count, sum of confidences and number of correct predictions: [3, bins]."""
    each = (np.ones(len(index)), confidence.astype(np.float64), correct.astype(np.float64))
    return np.stack([np.bincount(index, weights=values, minlength=bins) for values in each])
