"""Predictions on disk: safetensors for programs, CSV for people."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.errors import RunError, one_line
from sightlab.files import whole, write_bytes
from sightlab.records import Predictions

# What a spreadsheet takes for the beginning of a formula; a number with a sign is none.
FORMULA = re.compile(r"[=+@\t\r-]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Keep predictions whole: logits, labels, index; the class names in the header. Raises OSError."""
    from safetensors.numpy import save as serialised

    arrays: dict[str, NDArray[Any]] = {
        "logits": predictions.logits,
        "labels": predictions.labels,
        "index": predictions.index,
    }
    names = {str(n): name for n, name in enumerate(predictions.classes)}
    write_bytes(path, serialised(arrays, metadata=names))


def read_predictions(path: Path) -> Predictions:
    """What `save_predictions` kept. Raises RunError where it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = file.metadata()
            classes = tuple(names[str(n)] for n in range(len(names)))
            logits, labels, index = (file.get_tensor(key) for key in ("logits", "labels", "index"))
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise RunError(f"{path}: no predictions can be read: {one_line(error)}") from error
    return Predictions(logits, labels, index, classes)


def plain_cell(text: str) -> str:
    """A cell that no spreadsheet runs as a formula: an apostrophe is put in front of what would be one.

    >>> plain_cell("=1+1"), plain_cell("-0.5"), plain_cell("a.png")
    ("'=1+1", '-0.5', 'a.png')
    """
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def write_predictions_csv(path: Path, predictions: Predictions, probabilities: NDArray[np.float32]) -> None:
    """A row for each sample: index, label, predicted class and its probability. Raises RunError.

    Class names that a spreadsheet would run as formulas get an apostrophe in front.
    """
    predicted = predictions.logits.argmax(1)
    names = [plain_cell(name) for name in predictions.classes]
    try:
        with whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(["index", "label", "predicted", "probability", "correct"])
            for row, (index, label, guess) in enumerate(
                zip(predictions.index, predictions.labels, predicted, strict=True)
            ):
                share = f"{probabilities[row, guess]:.6f}"
                table.writerow([index, names[label], names[guess], share, int(label == guess)])
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or one_line(error)}") from error
