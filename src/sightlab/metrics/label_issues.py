"""Label issues: labels that are probably wrong, by confident learning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import check_predictions, chunks
from sightlab.metrics.probability import probabilities
from sightlab.records import Predictions


def find_label_issues(predictions: Predictions) -> NDArray[np.int64]:
    """Indices of rows whose label is suspect, by confident learning, the worst first: int64 [S].

    Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", section 3.1. The
    threshold of class j is t_j, the mean of p_j over the images labelled j. An image is confidently of the class with
    the largest p_j among those with p_j >= t_j; if that class is not its label, the image is suspect (it is counted off
    the diagonal of the confident joint). Sorted by p_j - p_label, descending; ties keep the order of the rows. A class
    without images has no threshold and is never proposed; among equal classes the label comes first. Predictions must
    come from a model that was not trained on these images.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> logits = np.array([[4, 0], [3, 0], [5, 0], [0, 4], [0, 5]], np.float32)
    >>> find_label_issues(Predictions(logits, np.array([0, 0, 1, 1, 1]), np.arange(5), ("cat", "dog"))).tolist()
    [2]
    """
    check_predictions(predictions)
    logits, labels = predictions.logits, predictions.labels
    thresholds = _thresholds(predictions)
    # The margin of the confident class over the label; -inf where there is none, or it is the label.
    margins = np.full(len(labels), -np.inf)
    for rows in chunks(logits):
        part, own = probabilities(logits[rows].astype(np.float64)), labels[rows]
        each = np.arange(len(part))
        confident = np.where(part >= thresholds, part, -np.inf)
        best = confident.max(axis=1)
        suspect = best > confident[each, own]
        margins[rows][suspect] = (best - part[each, own])[suspect]
    worst = np.argsort(-margins, kind="stable")
    return worst[: int(np.isfinite(margins).sum())]


def _thresholds(predictions: Predictions) -> NDArray[np.float64]:
    """Mean probability of each class over the images with its label, float64 [C]; infinite without images."""
    logits, labels, count = predictions.logits, predictions.labels, len(predictions.classes)
    own = np.empty(len(labels))
    for rows in chunks(logits):
        part = probabilities(logits[rows].astype(np.float64))
        own[rows] = part[np.arange(len(part)), labels[rows]]
    images = np.bincount(labels, minlength=count)
    means = np.divide(np.bincount(labels, own, count), images, out=np.full(count, np.inf), where=images > 0)
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, labels, own)
    # Rounding may take a mean above the largest value, and equal images would then all be below it.
    return np.where(images > 0, np.minimum(means, highest), np.inf)
