"""Validation of predictions before a metric is computed, and iteration over their rows in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.records import Predictions

# Logits are read this many values at a time, so that a million rows of a thousand classes are never copied whole.
CHUNK_VALUES = 1 << 22


def check_predictions(predictions: Predictions) -> None:
    """Raises ValueError for no predictions, or logits, labels and classes that do not match."""
    check_logits(predictions.logits, predictions.labels)
    if predictions.logits.shape[1] != len(predictions.classes):
        raise ValueError(f"{predictions.logits.shape[1]} logits a row do not match {len(predictions.classes)} classes")


def check_logits(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> None:
    """Raises ValueError unless logits [N, C] are finite, N is at least 1, and labels [N] lie in [0, C)."""
    check_finite(logits)
    if labels.shape != (len(logits),):
        raise ValueError(f"{len(logits)} rows of logits have labels of shape {list(labels.shape)}; each row needs one")
    if not len(labels):
        raise ValueError("there are no predictions to score; at least one labelled image is needed")
    if not (0 <= labels.min() and labels.max() < logits.shape[1]):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, but there are {logits.shape[1]} logits")


def check_finite(logits: NDArray[np.floating[Any]]) -> None:
    """Raises ValueError unless the logits are [N, C] with at least one class, and every one is finite."""
    if logits.ndim != 2 or not logits.shape[1]:
        raise ValueError(f"logits have shape {list(logits.shape)}; they must be [N, C] with at least one class")
    for rows in chunks(logits):
        finite = np.isfinite(logits[rows]).all(axis=1)
        if not finite.all():
            row = rows.start + int(finite.argmin())
            raise ValueError(f"logits of row {row} are not finite (NaN or infinite): the model has diverged")


def check_matrix(matrix: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Raises ValueError unless the matrix is C x C for the C classes."""
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"a confusion matrix of shape {list(matrix.shape)} does not match {len(classes)} classes")


def chunks(logits: NDArray[np.floating[Any]]) -> Iterator[slice]:
    """The rows of logits [N, C] in slices of at most CHUNK_VALUES values, at least a row each, in order."""
    rows = max(1, CHUNK_VALUES // logits.shape[1])
    return (slice(start, start + rows) for start in range(0, len(logits), rows))
