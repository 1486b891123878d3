"""Diagnostics of common mistakes in training scripts: dead outputs, and accuracy of the last batch alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.records import Predictions


def constant_outputs(logits: NDArray[np.floating[Any]]) -> int:
    """How many classes have the same logit for every image: dead outputs.

    A ReLU after the last layer causes them: an output that is never positive is 0 for all images, gets no gradient and
    stays 0. With all C of them dead, cross-entropy is ln C. logits: [N, C] float. For a single image the count is 0.

    >>> constant_outputs(np.array([[0.0, 1.5, 0.0], [0.0, 0.5, 0.0]]))
    2
    """
    if len(logits) < 2:
        return 0
    return int((logits == logits[:1]).all(axis=0).sum())


def last_batch_accuracy(predictions: Predictions, batch_size: int) -> float:
    """Accuracy of the last batch alone, in [0, 1], when the split is read in batches of this size.

    A loop reports it by mistake if it keeps one batch's accuracy instead of summing over all. The last batch may be
    short. Raises ValueError for no predictions or a batch size below 1.

    >>> predictions = Predictions(np.eye(5, dtype=np.float32), np.array([1, 1, 2, 3, 0]), np.arange(5), tuple("abcde"))
    >>> last_batch_accuracy(predictions, 2), last_batch_accuracy(predictions, 3)
    (0.0, 0.5)
    """
    if not len(predictions) or batch_size < 1:
        raise ValueError(f"{len(predictions)} predictions in batches of {batch_size}; both must be at least 1")
    start = (len(predictions) - 1) // batch_size * batch_size
    return float((predictions.logits[start:].argmax(1) == predictions.labels[start:]).mean())
