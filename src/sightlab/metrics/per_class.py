"""Per-class metrics: confusion matrix, precision, recall and F1, and their averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import check_matrix, check_predictions
from sightlab.metrics.intervals import wilson_interval
from sightlab.records import Averages, ClassScore, Predictions


def is_correct(predictions: Predictions) -> NDArray[np.bool_]:
    """Whether each prediction is correct: bool [N]. Of equal logits the lower class index is predicted.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> predictions = Predictions(np.eye(2, dtype=np.float32), np.array([0, 0]), np.arange(2), ("cat", "dog"))
    >>> is_correct(predictions).tolist()
    [True, False]
    """
    check_predictions(predictions)
    correct: NDArray[np.bool_] = predictions.logits.argmax(axis=1) == predictions.labels
    return correct


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts by true and predicted class: int64 [C, C], rows the true class, columns the predicted one.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.

    >>> logits = np.array([[2, 1], [0, 3], [0, 1]], np.float32)
    >>> labels = np.array([0, 0, 1])
    >>> confusion_matrix(Predictions(logits, labels, np.arange(3), ("cat", "dog"))).tolist()
    [[1, 1], [0, 1]]
    """
    check_predictions(predictions)
    classes = len(predictions.classes)
    cells = predictions.labels * classes + predictions.logits.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def class_scores(predictions: Predictions) -> list[ClassScore]:
    """Precision, recall, F1 and support of each class, in the order of the classes, and the interval of the recall.

    A value that is undefined (a class without images, a class never predicted) is 0; the interval is None for a class
    without images.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.
    """
    matrix = confusion_matrix(predictions)
    hits, support = np.diag(matrix).tolist(), matrix.sum(axis=1).tolist()
    columns = (column.tolist() for column in _shares(matrix))
    return [
        ClassScore(
            name=name,
            precision=precision,
            recall=recall,
            f1=f1,
            support=images,
            interval=wilson_interval(hit, images) if images else None,
        )
        for name, precision, recall, f1, hit, images in zip(predictions.classes, *columns, hits, support, strict=True)
    ]


def macro_average(predictions: Predictions) -> Averages:
    """Plain means over the classes of precision, recall and F1, each in [0, 1]; the F1 is the mean of the F1s.

    A class that has no images and was never predicted is left out, as scikit-learn and torchmetrics do by default. One
    that has no images but was predicted counts with 0 for all three; one that was
    never predicted has precision 0.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.
    """
    matrix = confusion_matrix(predictions)
    seen = (matrix.sum(axis=1) + matrix.sum(axis=0)) > 0
    return Averages(*(float(column[seen].mean()) for column in _shares(matrix)))


def weighted_average(predictions: Predictions) -> Averages:
    """Means over the classes, each weighted by its images, of precision, recall and F1, each in [0, 1].

    The weighted recall is the accuracy. Raises ValueError for no predictions, or logits, labels and classes that do
    not match.
    """
    matrix = confusion_matrix(predictions)
    weights = matrix.sum(axis=1) / matrix.sum()
    return Averages(*(float(column @ weights) for column in _shares(matrix)))


def balanced_accuracy(predictions: Predictions) -> float:
    """Mean recall over the classes that have images, in [0, 1]: the accuracy if each class had as many images.

    Brodersen, Ong, Stephan & Buhmann 2010, "The balanced accuracy and its posterior distribution". A class without
    images has no recall and is left out, whether it was predicted or not, as in scikit-learn.

    Raises ValueError for no predictions, or logits, labels and classes that do not match.
    """
    matrix = confusion_matrix(predictions)
    return float(_shares(matrix)[1][matrix.sum(axis=1) > 0].mean())


def worst_confusions(matrix: NDArray[np.int64], classes: Sequence[str], most: int = 5) -> list[tuple[str, str, int]]:
    """The most frequent mistakes as (true class, predicted class, count), the largest count first.

    matrix: int64 [C, C], rows true, columns predicted. Equal counts keep the order of the classes; pairs that never
    occur are left out, so there may be fewer than `most`.

    Raises ValueError when the matrix is not C x C for the C classes.

    >>> worst_confusions(np.array([[8, 2], [3, 7]]), ["cat", "dog"])
    [('dog', 'cat', 3), ('cat', 'dog', 2)]
    """
    check_matrix(matrix, classes)
    mistakes = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-mistakes, axis=None, kind="stable")[: max(most, 0)]
    pairs = [divmod(int(cell), len(classes)) for cell in order]
    return [(classes[i], classes[j], int(mistakes[i, j])) for i, j in pairs if mistakes[i, j]]


def _shares(matrix: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 of each class, float64 [C] each; 0 where undefined."""
    hits, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return _ratio(hits, predicted), _ratio(hits, support), _ratio(2 * hits, support + predicted)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """part / whole, 0 where the whole is 0. [C] each."""
    shares: NDArray[Any] = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return shares
