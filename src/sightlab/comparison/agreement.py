"""What changed between two runs: by class, and image by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.multiple_testing import holm
from sightlab.comparison.paired import discordant, mcnemar
from sightlab.metrics import is_correct, probabilities
from sightlab.records import Agreement, ClassChange, Predictions


def class_changes(first: Predictions, second: Predictions) -> list[ClassChange]:
    """Accuracy on each class in two runs, in the order of the classes, with the exact McNemar p of the change.

    Both of the same images in the same order. p: over the images of the class; adjusted: by Holm over the classes that
    are there. Classes without images are left out: there is nothing to compare.

    Raises ValueError for no predictions, or predictions of different classes or labels.

    >>> labels, names = np.array([0, 0, 1]), ("cat", "dog")
    >>> old = Predictions(np.array([[1, 0], [1, 0], [1, 0]], np.float32), labels, np.arange(3), names)
    >>> new = Predictions(np.array([[1, 0], [0, 1], [0, 1]], np.float32), labels, np.arange(3), names)
    >>> [(one.name, one.first, one.second, one.difference) for one in class_changes(old, new)]
    [('cat', 1.0, 0.5, -0.5), ('dog', 0.0, 1.0, 1.0)]
    """
    before, after = _correct(first, second)
    present = np.unique(first.labels).tolist()
    own = [first.labels == place for place in present]
    p_values = [mcnemar(*discordant(before[rows], after[rows])) for rows in own]
    changes = []
    for place, rows, p, adjusted in zip(present, own, p_values, holm(p_values), strict=True):
        old, new, images = int(before[rows].sum()), int(after[rows].sum()), int(rows.sum())
        name, difference = first.classes[place], (new - old) / images
        changes.append(ClassChange(name, images, old / images, new / images, difference, p, adjusted))
    return changes


def agreement(first: Predictions, second: Predictions) -> Agreement:
    """On how many images both runs are correct, one alone, and neither. Both of the same images in the same order.

    Raises ValueError for no predictions, or predictions of different classes or labels.
    """
    before, after = _correct(first, second)
    both, (only_first, only_second) = int((before & after).sum()), discordant(before, after)
    return Agreement(both, only_first, only_second, len(before) - both - only_first - only_second)


def disagreements(first: Predictions, second: Predictions) -> NDArray[np.int64]:
    """Rows on which two runs predict different classes, the most confident mistake first: int64 [D].

    Both of the same images in the same order. On each such image one run is correct and the other wrong, or both are
    wrong in different ways. Sorted by the greatest probability that a run gives its wrong class, descending; then by
    the other run's probability of its own class, descending; then by row.

    Raises ValueError for no predictions, or predictions of different classes or labels.

    >>> labels, names = np.array([0, 0, 1]), ("cat", "dog")
    >>> old = Predictions(np.array([[1, 0], [1, 0], [3, 0]], np.float32), labels, np.arange(3), names)
    >>> new = Predictions(np.array([[1, 0], [0, 1], [0, 1]], np.float32), labels, np.arange(3), names)
    >>> disagreements(old, new).tolist()
    [2, 1]
    """
    before, after = _correct(first, second)
    rows = np.flatnonzero(first.logits.argmax(axis=1) != second.logits.argmax(axis=1))
    sure = np.stack([probabilities(one.logits[rows].astype(np.float64)).max(axis=1) for one in (first, second)])
    wrong = np.where(np.stack([before[rows], after[rows]]), 0.0, sure)
    mistake = wrong.max(axis=0)
    other = np.where(wrong[0] >= wrong[1], sure[1], sure[0])
    return rows[np.lexsort((-other, -mistake))]


def _correct(first: Predictions, second: Predictions) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each is correct: bool [N] each. Raises ValueError unless both are of the same classes and labels."""
    if first.classes != second.classes:
        raise ValueError("predictions of different classes cannot be compared image by image")
    if not np.array_equal(first.labels, second.labels):
        raise ValueError("predictions of images with different labels cannot be compared image by image")
    return is_correct(first), is_correct(second)
