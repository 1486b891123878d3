"""Predictions on which every number must hold: plain ones, and those that have too little of something."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightlab.records import Predictions


def predictions_of(logits: NDArray[Any], labels: NDArray[Any]) -> Predictions:
    names = tuple(f"class {i}" for i in range(logits.shape[1]))
    return Predictions(logits.astype(np.float32), labels.astype(np.int64), np.arange(len(labels)), names)


def drawn(count: int = 400, classes: int = 10, scale: float = 2.0, favour: float = 2.0, seed: int = 0) -> Predictions:
    """Logits that favour the label without always choosing it."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) * scale
    logits[np.arange(count), labels] += favour * scale
    return predictions_of(logits, labels)


def absent_from_the_labels() -> Predictions:
    predictions = drawn()
    return predictions_of(predictions.logits, np.minimum(predictions.labels, 7))


def never_predicted() -> Predictions:
    predictions = drawn()
    predictions.logits[:, 4] -= 1000
    return predictions


def neither_labelled_nor_predicted() -> Predictions:
    predictions = absent_from_the_labels()
    predictions.logits[:, 8:] -= 1000
    return predictions


def tied_logits() -> Predictions:
    rng = np.random.default_rng(3)
    return predictions_of(rng.integers(0, 3, (400, 10)), rng.integers(0, 10, 400))


def all_right() -> Predictions:
    predictions = drawn()
    return predictions_of(predictions.logits, predictions.logits.argmax(1))


def all_wrong() -> Predictions:
    predictions = drawn()
    return predictions_of(predictions.logits, (predictions.logits.argmax(1) + 1) % 10)


CASES: dict[str, Callable[[], Predictions]] = {
    "plain": drawn,
    "a class absent from the labels": absent_from_the_labels,
    "a class never predicted": never_predicted,
    "a class neither labelled nor predicted": neither_labelled_nor_predicted,
    "two classes": lambda: drawn(classes=2),
    "ties": tied_logits,
    "all equal": lambda: predictions_of(np.zeros((40, 4)), np.arange(40) % 4),
    "all right": all_right,
    "all wrong": all_wrong,
    "one image": lambda: drawn(count=1),
    "one image, two classes": lambda: drawn(count=1, classes=2),
    "one class labelled": lambda: predictions_of(drawn().logits, np.full(400, 3)),
    "a hundred classes": lambda: drawn(count=2000, classes=100),
    "logits of ten thousand": lambda: drawn(scale=1e4, favour=0.5),
    "sure and right": lambda: predictions_of(1e4 * np.eye(10)[np.arange(50) % 10], np.arange(50) % 10),
    "sure and wrong": lambda: predictions_of(1e4 * np.eye(10)[np.arange(50) % 10], (np.arange(50) + 1) % 10),
}


def shares_of(predictions: Predictions) -> torch.Tensor:
    """The softmax, by torch in float64."""
    return torch.from_numpy(predictions.logits).double().softmax(1)
