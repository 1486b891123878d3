"""A network's answers to changed images, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.data.batches import images_at, in_turn, labels_at
from sightlab.data.imageset import ImageSet
from sightlab.inference import EVALUATION_BATCH
from sightlab.lens.saliency.target import predicted
from sightlab.lens.subject import Subject
from sightlab.models.classifier import Classifier

BATCH_PIXELS = 2**19  # of a batch, all its images together: what a network holds of 128 images of 64 x 64


def unanswered(subject: Subject) -> str:
    """Why no answer of a network is right or wrong, "" where answers are."""
    if subject.labelled:
        return ""
    if not subject.outputs:
        return "it gives features, and no answer that could be right or wrong"
    return "the labels of these images are not its classes, so no answer is right or wrong; name images of its classes"


def batch_size(height: int, width: int) -> int:
    """How many images of this size a batch holds: 256, fewer of large ones.

    >>> batch_size(28, 28), batch_size(224, 224)
    (256, 10)
    """
    return max(1, min(EVALUATION_BATCH, BATCH_PIXELS // (height * width)))


def batches(images: ImageSet, device: torch.device) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
    """All images in order: places int64 [B], pixels uint8 [B, H, W, C] and labels int64 [B] on the device."""
    for rows in in_turn(len(images), batch_size(*images.shape[:2])):
        yield rows, images_at(images, rows, device), labels_at(images, rows, device)


def right(classifier: Classifier, images: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """1 for each image that is answered with its label, 0 for the others: float64 [N].

    images: uint8 or float [N, H, W, C]. labels: int64 [N].
    """
    return (predicted(classifier, images) == labels).cpu().numpy().astype(np.float64)


def silent(done: int, total: int) -> None:
    """Shows no progress."""
