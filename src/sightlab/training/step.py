"""A step's gradients: what one process does of it, and how several share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from sightlab.augment.counter_rng import CounterRNG, mixed
from sightlab.augment.mix import with_partners
from sightlab.augment.pipeline import Augmentation, Mixing
from sightlab.data.batches import Batches, images_at, labels_at
from sightlab.data.imageset import ImageSet
from sightlab.training.distillation import Distilling

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class StepConfig:
    """What every step of a training needs, the same in every process.

    loss: (logits [B, C], targets: int64 [B] or float [B, C]) -> the loss of each image [B], or their mean []. mixing:
    None trains on single images. precision: of the forward pass on GPUs; CPUs always work in float32. distilling: what
    a teacher adds to the loss, None without one.
    """

    images: ImageSet
    batches: Batches
    seed: int
    augment: Augmentation
    loss: Callable[[Tensor, Tensor], Tensor]
    mixing: Mixing | None = None
    precision: torch.dtype = torch.float32
    distilling: Distilling | None = None


@dataclass(frozen=True)
class StepSums:
    """Over the images of a step, on the device: loss (float), correct predictions (int64)."""

    loss: Tensor
    correct: Tensor


Gradients = Callable[[nn.Module, int, int], StepSums]
"""Takes (classifier, epoch from 1, step from 0 within it); leaves gradients in the weights' .grad, gives the sums."""


class GradientStep(Protocol):
    """How the gradients of a step come about: in this process alone, or shared with others."""

    @property
    def gradients(self) -> Gradients:
        """The step itself."""

    def agreed(self, request: int, step: int) -> int:
        """What all processes do after this step of the epoch: the highest of their requests, 0 for nothing."""

    def close(self) -> None:
        """End the other processes, if there are any."""


class SingleProcess:
    """One process does the whole batch."""

    def __init__(self, config: StepConfig, device: torch.device, scaler: GradScaler) -> None:
        def backward(loss: Tensor) -> None:
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

        self.gradients: Gradients = partial(forward_backward, config, device, backward)

    def agreed(self, request: int, step: int) -> int:  # noqa: ARG002 - see GradientStep
        """There is nobody to agree with."""
        return request

    def close(self) -> None:
        """Nothing to end."""


def share_bounds(count: int, rank: int, processes: int) -> tuple[int, int]:
    """Where a process's share of `count` things begins and ends; shares differ by one at the most.

    >>> [share_bounds(7, rank, 3) for rank in range(3)]
    [(0, 3), (3, 5), (5, 7)]
    """
    size, more = divmod(count, processes)
    start = rank * size + min(rank, more)
    return start, start + size + (rank < more)


def forward_backward(
    config: StepConfig,
    device: torch.device,
    backward: Callable[[Tensor], None],
    classifier: nn.Module,
    epoch: int,
    step: int,
    rank: int = 0,
    processes: int = 1,
) -> StepSums:
    """Forward and backward over this process's share of a batch.

    The gradients are those of the share's part of the batch's mean loss, so that those of all shares sum to the
    whole batch's. A share without images goes through the motions with weight 0: the other processes wait for it.
    """
    indices = config.batches.indices(epoch, step)
    start, stop = share_bounds(len(indices), rank, processes)
    counted = stop - start
    if not counted:
        start, stop = 0, min(2, len(indices))
    seed_generator(device, step_seed(config.seed, epoch, step, rank))
    batch, targets, labels = batch_of(config, indices, start, stop, epoch, device)
    with torch.autocast(device.type, config.precision, enabled=config.precision is not torch.float32):
        logits = classifier(batch)
        loss = config.loss(logits.float(), targets)
        if loss.ndim:
            loss = loss.mean()
        if config.distilling is not None:
            loss = config.distilling(loss, logits.float(), batch)
    backward(loss * (counted / len(indices)))
    with torch.no_grad():
        correct = (logits.argmax(1) == labels)[:counted].sum()
        return StepSums(loss.detach() * counted, correct)


def seed_generator(device: torch.device, seed: int) -> None:
    """Seed the generator that dropout and its like draw from on the device: it makes them a function of the step.

    torch.manual_seed would seed those of all devices, which takes a hundred times as long.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    torch.default_generator.manual_seed(seed)


def step_seed(seed: int, epoch: int, step: int, rank: int) -> int:
    """A seed for a step's own randomness in one process. From 0 to 2**63 - 1."""
    words = CounterRNG(seed, epoch, np.array([rank])).words("step", 1) ^ np.uint64(step * 0x9E3779B97F4A7C15 % 2**64)
    return int(mixed(words)[0, 0]) >> 1


def batch_of(
    config: StepConfig, indices: Indices, start: int, stop: int, epoch: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """(images, targets, labels) of a share of a batch, augmented, and mixed with their partners where asked for."""
    own = indices[start:stop]
    rng = CounterRNG(config.seed, epoch, own)
    if config.mixing is None:
        batch = config.augment(images_at(config.images, own, device), rng)
        labels = labels_at(config.images, own, device)
        return batch, labels, labels
    both = with_partners(indices, start, stop)
    batch = config.augment(images_at(config.images, both, device), CounterRNG(config.seed, epoch, both))
    labels = labels_at(config.images, both, device)
    classes = len(config.images.classes)
    mixed_batch, targets = config.mixing(batch[1:], labels[1:], batch[:-1], labels[:-1], classes, rng)
    return mixed_batch, targets, labels[1:]
