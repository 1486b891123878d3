"""Ranking metrics: top-k accuracy and area under the ROC curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import check_logits, check_predictions, chunks
from sightlab.metrics.probability import normalisers
from sightlab.records import Predictions


def top_k_accuracy(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], k: int) -> float:
    """Share of rows whose label is among the k largest logits, in [0, 1].

    logits: [N, C] float. labels: int64 [N]. Ties: the classes of a row are put in a stable order by descending logit,
    so that of equal logits the lower class comes first; the label must be among the first k. A row of equal logits
    thus counts for the labels 0 to k - 1 only.

    Raises ValueError for k outside [1, C], no rows, logits that are not finite, or labels that do not match.

    >>> logits = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.4]])
    >>> top_k_accuracy(logits, np.array([2, 2]), 1), top_k_accuracy(logits, np.array([2, 2]), 2)
    (0.0, 1.0)
    """
    check_logits(logits, labels)
    classes = logits.shape[1]
    if not 1 <= k <= classes:
        raise ValueError(f"top {k} of {classes} classes; must be from 1 to {classes}")
    hits = 0
    for rows in chunks(logits):
        part, own = logits[rows], labels[rows, None]
        value = np.take_along_axis(part, own, axis=1)
        before = (part > value).sum(axis=1) + ((part == value) & (np.arange(classes) < own)).sum(axis=1)
        hits += int((before < k).sum())
    return hits / len(labels)


def roc_auc(predictions: Predictions) -> list[float | None]:
    """One-vs-rest area under the ROC curve of each class, in the order of the classes; in [0, 1], 0.5 for chance.

    It is the probability that an image of the class has a higher score for it than an image of another class, ties
    counting half, and is computed as such: from ranks (Hanley & McNeil 1982, section "The meaning of the area"; the
    Mann-Whitney U), exact in integers. Images are ranked by the softmax in float64.

    None for a class without images, and for one that all images have: there is nothing to rank. scikit-learn returns
    NaN there, torchmetrics 0, which would lower the mean of any model.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> logits = np.array([[3, 1], [2, 1], [0, 1], [1, 1]], np.float32)
    >>> roc_auc(Predictions(logits, np.array([0, 1, 1, 0]), np.arange(4), ("cat", "dog")))
    [0.75, 0.75]
    """
    check_predictions(predictions)
    logits, labels = predictions.logits, predictions.labels
    largest, total = normalisers(logits)
    areas: list[float | None] = []
    for index in range(len(predictions.classes)):
        shares = np.exp(logits[:, index].astype(np.float64) - largest) / total
        areas.append(_area(shares, labels == index))
    return areas


def mean_roc_auc(predictions: Predictions) -> float | None:
    """Mean of `roc_auc` over the classes that have one, in [0, 1]; None where no class has.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.
    """
    known = [area for area in roc_auc(predictions) if area is not None]
    return sum(known) / len(known) if known else None


def _area(values: NDArray[np.float64], own: NDArray[np.bool_]) -> float | None:
    """Probability that a value of `own` is above one of the others, ties half. values: [N]; own: bool [N]."""
    inside = int(own.sum())
    outside = len(own) - inside
    if not inside or not outside:
        return None
    ranked, mine = np.sort(values), np.sort(values[own])
    # Twice the mean rank, from 1, of equal values: a whole number.
    ranks = np.searchsorted(ranked, mine, "left") + np.searchsorted(ranked, mine, "right") + 1
    return (int(ranks.sum()) - inside * (inside + 1)) / (2 * inside * outside)
