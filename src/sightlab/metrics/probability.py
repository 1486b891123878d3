"""Probabilities from logits, and their scores: cross-entropy and Brier score.

All of it is computed in float64. A row's result depends neither on its batch nor on the order of the classes: sums
over classes run from the smallest to the largest term, so that rows with the same logits in another order have the
same probabilities to the bit, and ties stay ties.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import check_finite, check_logits, check_predictions, chunks
from sightlab.records import Predictions

Real = TypeVar("Real", np.float32, np.float64)


def normalisers(logits: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The terms of the softmax exp(logit - largest) / total: (largest, total), float64 [N] each.

    logits: [N, C] float, finite. total: in [1, C], the sum of exp(logit - largest) over the row. The probability of
    the predicted class is 1 / total.
    """
    largest = logits.max(axis=1).astype(np.float64)
    total = np.empty_like(largest)
    for rows in chunks(logits):
        part = np.exp(logits[rows].astype(np.float64) - largest[rows, None])
        part.sort(axis=1)
        total[rows] = part.sum(axis=1)
    return largest, total


def probabilities(logits: NDArray[Real]) -> NDArray[Real]:
    """Softmax of each row: [N, C], of the input's dtype (float32 or float64); each row sums to 1.

    logits: [N, C], N may be 0. Raises ValueError for logits that are not finite.

    >>> probabilities(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    check_finite(logits)
    largest, total = normalisers(logits)
    shares = np.empty_like(logits)
    for rows in chunks(logits):
        part = logits[rows].astype(np.float64) - largest[rows, None]
        shares[rows] = np.exp(part, out=part) / total[rows, None]
    return shares


def mean_cross_entropy(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Mean of -log softmax(logits)[label] over the rows, in nats, at least 0; computed in float64.

    logits: [N, C] float. labels: int64 [N]. Stable for logits of any size (the largest is subtracted first).

    Raises ValueError for no rows, logits that are not finite, or labels that do not match.

    >>> mean_cross_entropy(np.array([[1000.0, 1000.0]]), np.array([0])) == math.log(2)
    True
    """
    check_logits(logits, labels)
    largest, total = normalisers(logits)
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return math.fsum(np.log(total) - (own.astype(np.float64) - largest)) / len(labels)


def brier_score(predictions: Predictions) -> float:
    """Mean squared error of the probabilities, summed over the classes: in [0, 2], 0 is best.

    (1 / N) sum over images i and classes c of (p_ic - [c is the label of i])^2. Brier 1950, "Verification of forecasts
    expressed in terms of probability", equation 2. Both of two classes count, so the score is twice that of
    libraries which score one.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> predictions = Predictions(np.zeros((2, 2), np.float32), np.array([0, 1]), np.arange(2), ("cat", "dog"))
    >>> brier_score(predictions)
    0.5
    """
    check_predictions(predictions)
    logits, labels = predictions.logits, predictions.labels
    squares = 0.0
    for rows in chunks(logits):
        part = probabilities(logits[rows].astype(np.float64))
        part[np.arange(len(part)), labels[rows]] -= 1
        squares += float(np.square(part, out=part).sum())
    return squares / len(labels)
