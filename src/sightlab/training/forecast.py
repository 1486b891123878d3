"""Time and memory that a training will take, measured on a few steps before it starts."""

from __future__ import annotations

import copy
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from sightlab.data.batches import images_at, in_turn
from sightlab.inference import EVALUATION_BATCH
from sightlab.records import duration
from sightlab.training.device import seconds_of, threads
from sightlab.training.prepare import Prepared
from sightlab.training.step import forward_backward

PROBES = 2


@dataclass(frozen=True)
class Forecast:
    """What is left of a training. seconds: of training and validation. gigabytes: peak memory of all its processes.

    look_seconds: of a forward pass alone, per image.
    """

    epochs: int
    steps: int
    seconds: float
    gigabytes: float
    look_seconds: float = 0.0

    def __str__(self) -> str:
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        return f"{epochs} of {self.steps:,} steps, about {duration(self.seconds)}, {self.gigabytes:.1f} GB"


def forecast(prepared: Prepared) -> Forecast:
    """What is left of a training, from the fastest of a few steps on a copy of the network.

    The training itself is left as it was: the network is a copy, and every step seeds its own randomness.
    """
    training, config = prepared.training, prepared.config
    processes = prepared.processes
    network = copy.deepcopy(training.classifier)
    with threads(1 if prepared.recipe.processes > 1 else torch.get_num_threads()):
        network.train()
        share = partial(
            forward_backward, config, training.device, Tensor.backward, network, 1, 0, rank=0, processes=processes
        )
        step = min(seconds_of(share) for _ in range(PROBES))
    indices = next(in_turn(len(prepared.splits.validation), EVALUATION_BATCH))
    network.eval()
    with torch.inference_mode():
        batch = images_at(prepared.splits.validation, indices, training.device)
        look = min(seconds_of(lambda: network(batch)) for _ in range(PROBES)) / len(indices)
    epochs = prepared.plan.epochs - training.epoch + 1
    epoch = prepared.plan.steps_per_epoch * step + len(prepared.splits.validation) * look
    return Forecast(epochs, prepared.plan.steps_per_epoch, epochs * epoch, processes * peak_gigabytes(), look)


def peak_gigabytes() -> float:
    """Peak memory of this process so far, in GB. 0 on Windows, which does not report it."""
    if sys.platform == "win32":
        return 0.0
    # On Linux ru_maxrss includes the memory of the process that started this one; VmHWM does not.
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)
