"""Knowledge distillation: a network learns from a teacher's answers beside the labels (Hinton, Vinyals & Dean 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightlab.errors import RecipeError
from sightlab.training.losses import soft_target_loss


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained classifier that another is to learn from, and what it is itself.

    classifier: takes uint8 [N, H, W, C], or float of the same levels, and normalises them in its own way; gives logits
    float [N, classes]. classes: the names of its outputs, in their order. shape: (height, width, channels) of its
    images. seen: fingerprints of those it was trained and selected on, uint64 [N]. name: what lines for people call
    it. sha256: of its weights, by which it is told from any other.
    """

    classifier: nn.Module
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    seen: NDArray[np.uint64]
    name: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Distilling:
    """What a step's loss becomes with a teacher: (1 - alpha) * hard + alpha * soft_target_loss.

    classifier: the teacher's, in eval mode. order: int64 [classes], which of its outputs belongs to each class of the
    data; None where their order is the same. temperature: above 0. alpha: in (0, 1].
    """

    classifier: nn.Module
    order: Tensor | None
    temperature: float
    alpha: float

    def __call__(self, hard: Tensor, logits: Tensor, batch: Tensor) -> Tensor:
        """The mean loss over a batch, float [].

        hard: the mean loss against the labels, float []. logits: the student's, float32 [B, classes]. batch: the very
        images that the student saw, augmented and mixed, uint8 or float32 [B, H, W, C]: it learns the teacher's
        function, not its answers to other crops (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient
        and consistent", section 3).
        """
        with torch.no_grad():
            answers = self.classifier(batch).float()
        if self.order is not None:
            answers = answers[:, self.order]
        soft = soft_target_loss(logits, answers, self.temperature)
        return (1 - self.alpha) * hard + self.alpha * soft


def distilling(
    teacher: Teacher,
    classes: Sequence[str],
    shape: tuple[int, int, int],
    device: torch.device,
    *,
    temperature: float,
    alpha: float,
) -> Distilling:
    """How a teacher is heard while another network learns; its classifier is moved to the device and stays as it is.

    classes, shape: of the data: class names in the order of the labels, and (height, width, channels). A class is
    matched by its name, so the teacher's may come in another order. Raises RecipeError for a teacher of other classes
    or of other images.
    """
    check_shape(teacher, shape)
    check_classes(teacher, classes)
    order = [teacher.classes.index(name) for name in classes]
    classifier = teacher.classifier.eval().requires_grad_(False)
    return Distilling(
        classifier=classifier.to(device).to(memory_format=torch.channels_last),
        order=None if order == sorted(order) else torch.tensor(order, device=device),
        temperature=temperature,
        alpha=alpha,
    )


def check_shape(teacher: Teacher, shape: tuple[int, int, int]) -> None:
    """Raises RecipeError unless the teacher was trained on images of this (height, width, channels)."""
    if teacher.shape != shape:
        theirs, ours = (" x ".join(map(str, one)) for one in (teacher.shape, shape))
        raise RecipeError(
            f"distillation.teacher: {teacher.name} takes images of {theirs} (height x width x channels), the data has "
            f"{ours}; data.size and data.channels fit the data to it"
        )


def check_classes(teacher: Teacher, classes: Sequence[str]) -> None:
    """Raises RecipeError, naming one class, unless teacher and data have classes of the same names."""
    unknown = [name for name in classes if name not in teacher.classes]
    beyond = [name for name in teacher.classes if name not in classes]
    if unknown or beyond:
        what = f"does not know class {unknown[0]!r} of the data" if unknown else f"knows {beyond[0]!r}, no class here"
        raise RecipeError(
            f"distillation.teacher: {teacher.name} {what} ({len(teacher.classes)} classes there, {len(classes)} here); "
            "a teacher must have been trained on classes of the same names"
        )


def remarks(teacher: Teacher, heard: Distilling, sealed: NDArray[np.uint64]) -> Iterator[str]:
    """What a reader of the result must know, a line each. sealed: fingerprints of the data's test images, uint64 [N].

    A teacher passes on what it has learnt: where test images are among that, the student's test score flatters it.
    """
    if heard.order is not None:
        yield f"the classes of {teacher.name} come in another order; they are matched by name"
    if leaked := int(np.isin(sealed, teacher.seen).sum()):
        yield (
            f"{teacher.name} was trained or selected on {leaked:,} of the {len(sealed):,} test images; a test score of "
            "its student will be too good"
        )
