"""Predictions into numbers: accuracy with its interval, cross-entropy, confusion matrix, scores of each class.

Everything is exact over the rows it is given. Ties between logits go to the class of the lower number, here and in
every function of this module. Logits must be finite: a NaN would otherwise count as a wrong or even a right answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightlab.records import ClassScore, Predictions, Score

# Logits are read this many values at a time, so that a million rows of a thousand classes need no second copy.
CHUNK_VALUES = 1 << 22

Real = TypeVar("Real", np.float32, np.float64)


def wilson_interval(correct: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share, (low, high), both in [0, 1] and around correct / count.

    correct of count answers were right. The ends are exactly 0 and 1 where no answer, and where every answer, was
    right. Wilson 1927; Brown, Cai & DasGupta 2001, "Interval estimation for a binomial proportion", section 3.1.1.

    Raises ValueError for a count below 1, correct outside [0, count], or confidence outside (0, 1).

    >>> low, high = wilson_interval(90, 100)
    >>> f"{low:.4f} {high:.4f}"
    '0.8256 0.9448'
    """
    if count < 1:
        raise ValueError(f"an interval needs at least one answer, not {count}")
    if not 0 <= correct <= count:
        raise ValueError(f"{correct} correct answers of {count}; must be from 0 to {count}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; must lie between 0 and 1, such as 0.95")
    z = -NormalDist().inv_cdf((1 - confidence) / 2)
    share = correct / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Algebra puts the share inside and the ends at 0 and 1; the limits keep rounding from taking them off.
    low = 0.0 if correct == 0 else min(share, max(0.0, centre - half))
    high = 1.0 if correct == count else max(share, min(1.0, centre + half))
    return low, high


def top_k_accuracy(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], k: int) -> float:
    """Share of rows whose label is among the k largest logits, in [0, 1].

    logits: [N, C] float. labels: int64 [N]. Ties: the classes of a row are put in a stable order by descending logit,
    so that of equal logits the lower class comes first; the label must be among the first k. A row of equal logits
    thus counts for the labels 0 to k - 1 alone.

    Raises ValueError for k outside [1, C], no rows, logits that are not finite, or labels that do not fit.

    >>> logits = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.4]])
    >>> top_k_accuracy(logits, np.array([2, 2]), 1), top_k_accuracy(logits, np.array([2, 2]), 2)
    (0.0, 1.0)
    """
    check_logits(logits, labels)
    classes = logits.shape[1]
    if not 1 <= k <= classes:
        raise ValueError(f"top {k} of {classes} classes; must be from 1 to {classes}")
    among = 0
    for rows in _chunks(logits):
        part, own = logits[rows], labels[rows, None]
        value = np.take_along_axis(part, own, axis=1)
        before = (part > value).sum(axis=1) + ((part == value) & (np.arange(classes) < own)).sum(axis=1)
        among += int((before < k).sum())
    return among / len(labels)


def mean_cross_entropy(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Mean of -log softmax(logits)[label] over the rows, in nats, at least 0; computed in float64.

    logits: [N, C] float. labels: int64 [N]. Stable for logits of any size (the largest is taken off first).

    Raises ValueError for no rows, logits that are not finite, or labels that do not fit.

    >>> mean_cross_entropy(np.array([[1000.0, 1000.0]]), np.array([0])) == math.log(2)
    True
    """
    check_logits(logits, labels)
    sums = []
    for rows in _chunks(logits):
        part = logits[rows].astype(np.float64)
        part -= part.max(axis=1, keepdims=True)
        own = np.take_along_axis(part, labels[rows, None], axis=1)[:, 0]
        sums.append(float((np.log(np.exp(part).sum(axis=1)) - own).sum()))
    return math.fsum(sums) / len(labels)


def probabilities(logits: NDArray[Real]) -> NDArray[Real]:
    """Softmax of each row: [N, C], of the type that came (float32 or float64), each row adding up to 1.

    logits: [N, C]. No rows give no rows. Raises ValueError for logits that are not finite.

    >>> probabilities(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    _check_finite(logits)
    shares = np.empty_like(logits)
    for rows in _chunks(logits):
        part = logits[rows].astype(np.float64)
        np.exp(part - part.max(axis=1, keepdims=True), out=part)
        shares[rows] = part / part.sum(axis=1, keepdims=True)
    return shares


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """How often each class was taken for each: int64 [C, C], rows the true class, columns the predicted one.

    Raises ValueError for no predictions, or logits, labels and classes that do not belong together.

    >>> logits = np.array([[2, 1], [0, 3], [0, 1]], np.float32)
    >>> labels = np.array([0, 0, 1])
    >>> confusion_matrix(Predictions(logits, labels, np.arange(3), ("cat", "dog"))).tolist()
    [[1, 1], [0, 1]]
    """
    _check(predictions)
    classes = len(predictions.classes)
    cells = predictions.labels * classes + predictions.logits.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def class_scores(predictions: Predictions) -> list[ClassScore]:
    """Precision, recall, F1 and support of each class, in the order of the classes.

    A value that is undefined (a class without images, a class never predicted) is 0.

    Raises ValueError for no predictions, or logits, labels and classes that do not belong together.
    """
    matrix = confusion_matrix(predictions)
    scores = []
    for place, name in enumerate(predictions.classes):
        hit, support, named = (int(n) for n in (matrix[place, place], matrix[place].sum(), matrix[:, place].sum()))
        scores.append(
            ClassScore(
                name=name,
                precision=hit / named if named else 0.0,
                recall=hit / support if support else 0.0,
                f1=2 * hit / (support + named) if support + named else 0.0,
                support=support,
            )
        )
    return scores


def worst_confusions(matrix: NDArray[np.int64], classes: Sequence[str], most: int = 5) -> list[tuple[str, str, int]]:
    """The most frequent mistakes as (true class, predicted class, count), the greatest count first.

    matrix: int64 [C, C], rows true, columns predicted. Equal counts keep the order of the classes; pairs that never
    happened are left out, so that fewer than `most` may come.

    Raises ValueError when the matrix is not C x C for the C classes.

    >>> worst_confusions(np.array([[8, 2], [3, 7]]), ["cat", "dog"])
    [('dog', 'cat', 3), ('cat', 'dog', 2)]
    """
    check_matrix(matrix, classes)
    mistakes = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-mistakes, axis=None, kind="stable")[: max(most, 0)]
    pairs = [divmod(int(place), len(classes)) for place in order]
    return [(classes[true], classes[said], int(mistakes[true, said])) for true, said in pairs if mistakes[true, said]]


def score(predictions: Predictions, openings: int | None = None) -> Score:
    """Accuracy with its 95 % Wilson interval, mean cross-entropy and, for more than five classes, top-5 accuracy.

    openings: how often a sealed test split has been opened, handed on to the Score.

    Raises ValueError for no predictions, or logits, labels and classes that do not belong together.

    >>> logits = np.array([[2, 1], [0, 3], [0, 1]], np.float32)
    >>> print(score(Predictions(logits, np.array([0, 0, 1]), np.arange(3), ("cat", "dog"))))
    66.67% (95 % interval 20.77% to 93.85%, n = 3)
    """
    _check(predictions)
    logits, labels, count = predictions.logits, predictions.labels, len(predictions)
    correct = int((logits.argmax(axis=1) == labels).sum())
    return Score(
        accuracy=correct / count,
        loss=mean_cross_entropy(logits, labels),
        count=count,
        correct=correct,
        interval=wilson_interval(correct, count),
        top5=top_k_accuracy(logits, labels, 5) if len(predictions.classes) > 5 else None,
        openings=openings,
    )


def check_logits(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> None:
    """Raises ValueError unless logits [N, C] are finite, N is at least 1, and labels [N] lie in [0, C)."""
    _check_finite(logits)
    if labels.shape != (len(logits),):
        raise ValueError(f"{len(logits)} rows of logits have labels of shape {list(labels.shape)}; each row needs one")
    if not len(labels):
        raise ValueError("there are no predictions to score; at least one labelled image is needed")
    if not (0 <= labels.min() and labels.max() < logits.shape[1]):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, but there are {logits.shape[1]} logits")


def check_matrix(matrix: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Raises ValueError unless the matrix is C x C for the C classes."""
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"a confusion matrix of shape {list(matrix.shape)} does not fit {len(classes)} classes")


def _check(predictions: Predictions) -> None:
    check_logits(predictions.logits, predictions.labels)
    if predictions.logits.shape[1] != len(predictions.classes):
        raise ValueError(f"{predictions.logits.shape[1]} logits a row do not fit {len(predictions.classes)} classes")


def _check_finite(logits: NDArray[np.floating[Any]]) -> None:
    if logits.ndim != 2 or not logits.shape[1]:
        raise ValueError(f"logits have shape {list(logits.shape)}; they must be [N, C] with at least one class")
    for rows in _chunks(logits):
        finite = np.isfinite(logits[rows]).all(axis=1)
        if not finite.all():
            row = rows.start + int(finite.argmin())
            raise ValueError(f"logits of row {row} are not finite (NaN or infinite): the model has diverged")


def _chunks(logits: NDArray[np.floating[Any]]) -> Iterator[slice]:
    rows = max(1, CHUNK_VALUES // logits.shape[1])
    return (slice(start, start + rows) for start in range(0, len(logits), rows))
