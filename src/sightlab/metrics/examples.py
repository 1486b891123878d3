"""Which predictions are worth a look: confident mistakes, uncertain hits, one sure hit of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.per_class import is_correct
from sightlab.metrics.probability import probabilities
from sightlab.records import Predictions


def most_confident_errors(predictions: Predictions, most: int) -> NDArray[np.int64]:
    """Indices of misclassified rows, the most confident first. int64 [at most `most`]."""
    confidence, correct = confidence_of(predictions), is_correct(predictions)
    rows = np.flatnonzero(~correct)
    return rows[np.argsort(-confidence[rows], kind="stable")][:most]


def least_confident_hits(predictions: Predictions, most: int) -> NDArray[np.int64]:
    """Indices of correctly classified rows, the least confident first. int64 [at most `most`]."""
    confidence, correct = confidence_of(predictions), is_correct(predictions)
    rows = np.flatnonzero(correct)
    return rows[np.argsort(confidence[rows], kind="stable")][:most]


def surest_hits(predictions: Predictions, most: int) -> NDArray[np.int64]:
    """The correctly classified row of greatest confidence of each class, in the order of the classes, at most `most`.

    Classes without a correct row are left out. int64 [at most `most`].

    >>> logits = np.array([[2, 0], [3, 0], [0, 1], [1, 0]], np.float32)
    >>> surest_hits(Predictions(logits, np.array([0, 0, 1, 1]), np.arange(4), ("cat", "dog")), 5).tolist()
    [1, 2]
    """
    confidence, correct = confidence_of(predictions), is_correct(predictions)
    order = np.argsort(-np.where(correct, confidence, -1), kind="stable")
    found, first = np.unique(predictions.labels[order], return_index=True)
    rows: NDArray[np.int64] = order[first[np.argsort(found)]]
    return rows[correct[rows]][:most]


def confidence_of(predictions: Predictions) -> NDArray[np.float32]:
    """Each row's probability of its predicted class, float32 [N]."""
    confidence: NDArray[np.float32] = probabilities(predictions.logits).max(axis=1)
    return confidence
