"""What shows mistakes that training scripts make: outputs that have died, and accuracy read off one batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.records import Predictions


def constant_outputs(logits: NDArray[np.floating[Any]]) -> int:
    """How many classes have the very same logit for every image, so that it tells none of them apart.

    A ReLU after the last layer makes such outputs: one that is never positive is 0 for all, gets no gradient and stays
    so. With all C of them dead, cross-entropy is ln C. logits: [N, C] float. Of a single image nothing can be said: 0.

    >>> constant_outputs(np.array([[0.0, 1.5, 0.0], [0.0, 0.5, 0.0]]))
    2
    """
    if len(logits) < 2:
        return 0
    return int((logits == logits[:1]).all(axis=0).sum())


def last_batch_accuracy(said: Predictions, batch_size: int) -> float:
    """Accuracy over the last batch alone, in [0, 1], when the split is gone through in batches of this size.

    It is what a loop reports that keeps one batch's accuracy instead of summing over all of them. The last batch may be
    short. Raises ValueError for no predictions or a batch size below 1.

    >>> said = Predictions(np.eye(5, dtype=np.float32), np.array([1, 1, 2, 3, 0]), np.arange(5), tuple("abcde"))
    >>> last_batch_accuracy(said, 2), last_batch_accuracy(said, 3)
    (0.0, 0.5)
    """
    if not len(said) or batch_size < 1:
        raise ValueError(f"{len(said)} predictions in batches of {batch_size}; both must be at least 1")
    start = (len(said) - 1) // batch_size * batch_size
    return float((said.logits[start:].argmax(1) == said.labels[start:]).mean())
