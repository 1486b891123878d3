"""Several processes started by torchrun: `torchrun --nproc-per-node=N -m sightlab train ...`.

Gradients go through DistributedDataParallel: over NCCL between GPUs, over gloo between CPUs. The tests run it on CPUs;
`make test-gpu` runs it on the GPUs of a machine.
"""

from __future__ import annotations

import os
import time
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
from sightlab.training.step import Gradients, StepConfig, StepSums, forward_backward, share_bounds

AGREE_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Place:
    """This process among those of torchrun: its rank, its rank on this machine, and how many there are."""

    rank: int = 0
    local_rank: int = 0
    processes: int = 1


def place() -> Place:
    """This process's place as torchrun's environment variables give it; a single process without them."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
    if not all(os.environ.get(name, "").isdecimal() for name in names):
        return Place()
    return Place(*(int(os.environ[name]) for name in names))


def join(device: torch.device) -> None:
    """Join the process group; does nothing if this process has joined it already."""
    if dist.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")


def leave() -> None:
    """Leave the process group, if this process is in one."""
    if dist.is_initialized():
        dist.destroy_process_group()


class DistributedStep:
    """Each of torchrun's processes does its share of the batch; all of them end up with the same gradients."""

    def __init__(
        self, config: StepConfig, classifier: nn.Module, device: torch.device, where: Place, scaler: GradScaler
    ) -> None:
        self.device = device
        self.steps = config.batches.steps
        self.clock = AgreementClock()
        many = where.processes
        replica = DistributedDataParallel(classifier, [device] if device.type == "cuda" else None)

        def backward(loss: Tensor) -> None:
            # DistributedDataParallel takes the mean over processes of what are parts of a sum here.
            scaler.scale(loss * many).backward()  # type: ignore[no-untyped-call]

        def gradients(classifier: nn.Module, epoch: int, step: int) -> StepSums:  # noqa: ARG001 - the replica wraps it
            own = forward_backward(config, device, backward, replica, epoch, step, where.rank, many)
            sums = torch.stack([own.loss.double(), own.correct.double()])
            dist.all_reduce(sums)
            return StepSums(sums[0], sums[1].long())

        self.gradients: Gradients = gradients

    def agreed(self, request: int, step: int) -> int:
        """See GradientStep. The processes ask each other about once a second, and at the end of an epoch.

        To ask is to wait for all of them, and on a GPU for all steps that are queued. In between nothing is agreed.
        """
        if not self.clock.is_due(step) and step < self.steps:
            return 0
        # Every process must find the same next step to ask at, so the slowest one's time counts for all.
        asked = torch.tensor([float(request), self.clock.seconds_per_step()], device=self.device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        self.clock.restart(step if step < self.steps else 0, float(asked[1]))
        return int(asked[0])

    def close(self) -> None:
        """Nothing to end: torchrun ends the processes."""


class AgreementClock:
    """Counts the steps until processes ask each other again, so that all of them do it at the same step."""

    def __init__(self) -> None:
        self.due = 0
        self.calls = 0
        self.started = time.perf_counter()

    def is_due(self, step: int) -> bool:
        """Whether to ask after this step, counted within the epoch from 1."""
        self.calls += 1
        return step >= self.due

    def seconds_per_step(self) -> float:
        """The mean time of the steps since the last restart, as this process sees it."""
        return (time.perf_counter() - self.started) / max(1, self.calls)

    def restart(self, step: int, seconds_per_step: float) -> None:
        """Ask again as many steps later as fit into AGREE_EVERY_SECONDS, at least one."""
        self.due = step + max(1, int(AGREE_EVERY_SECONDS / max(seconds_per_step, 1e-6)))
        self.calls, self.started = 0, time.perf_counter()


def shared_predictions(classifier: nn.Module, images: ImageSet, device: torch.device, where: Place) -> Predictions:
    """The logits of a whole split. Each process does its share; every image counts once, however they divide."""
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
