"""Several processes started by torchrun: `torchrun --nproc-per-node=N -m sightlab train ...`.

Gradients go through DistributedDataParallel: over NCCL between GPUs, over gloo between CPUs. Tests run it on CPUs; it
has not been run on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.parallel import DistributedDataParallel

from sightlab.data.imageset import ImageSet
from sightlab.inference import predictions
from sightlab.records import Predictions
from sightlab.training.step import StepConfig, StepSums, share_bounds, share_of_step


@dataclass(frozen=True)
class Place:
    """This process among those of torchrun: rank of all, rank on this machine, how many there are."""

    rank: int = 0
    local_rank: int = 0
    processes: int = 1


def place() -> Place:
    """This process's place, as torchrun tells it in the environment; alone where it does not."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
    if not all(os.environ.get(name, "").isdecimal() for name in names):
        return Place()
    return Place(*(int(os.environ[name]) for name in names))


def join(device: torch.device) -> None:
    """Meet the other processes, once."""
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def leave() -> None:
    """Part from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


class DistributedStep:
    """A stepper whose shares are other processes' too; each of them leaves the same gradients everywhere."""

    def __init__(
        self, work: StepConfig, classifier: nn.Module, device: torch.device, where: Place, scaler: GradScaler
    ) -> None:
        self.work = work
        self.device = device
        self.where = where
        self.scaler = scaler
        self.replica = DistributedDataParallel(classifier, [device] if device.type == "cuda" else None)

    def __call__(self, classifier: nn.Module, epoch: int, step: int) -> StepSums:  # noqa: ARG002 - the replica wraps it
        """See GradientStep."""
        many = self.where.processes

        def backward(loss: Tensor) -> None:
            # DistributedDataParallel takes the mean over processes of what are parts of a sum here.
            self.scaler.scale(loss * many).backward()  # type: ignore[no-untyped-call]

        mine = share_of_step(
            self.replica, self.work, self.device, epoch, step, self.where.rank, many, backward=backward
        )
        sums = torch.stack([mine.loss.double(), mine.correct.double()])
        dist.all_reduce(sums)
        return StepSums(sums[0], sums[1].long())

    def close(self) -> None:
        """Nothing to end: torchrun ends the processes."""


def shared_predictions(classifier: nn.Module, images: ImageSet, device: torch.device, where: Place) -> Predictions:
    """The logits of a whole split, each process doing its share; every image counts once, however they divide."""
    start, stop = share_bounds(len(images), where.rank, where.processes)
    own = predictions(classifier, images.take(np.arange(start, stop)), device)
    longest = share_bounds(len(images), 0, where.processes)[1]
    padded = torch.zeros(longest, len(images.classes), device=device)
    padded[: stop - start] = torch.from_numpy(own.logits)
    gathered = [torch.empty_like(padded) for _ in range(where.processes)]
    dist.all_gather(gathered, padded)
    sizes = [np.diff(share_bounds(len(images), rank, where.processes))[0] for rank in range(where.processes)]
    logits = torch.cat([part[:size] for part, size in zip(gathered, sizes, strict=True)]).cpu().numpy()
    return Predictions(logits, images.labels, np.arange(len(images)), images.classes)


def agreed(said: Callable[[], bool], device: torch.device) -> bool:
    """Whether any of the processes says yes: all of them must do the same next."""
    flag = torch.tensor(float(said()), device=device)
    dist.all_reduce(flag)
    return bool(flag > 0)
