"""What a training will take, measured on a few steps before it starts."""

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
from sightlab.training.step import share_of_step

PROBES = 2


@dataclass(frozen=True)
class Forecast:
    """What is left of a training. seconds: training and validation. gigabytes: peak memory of all its processes.

    look_seconds: what it takes to look at one image without training on it.
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
    """What is left of a training, from the fastest of a few steps of a copy of the network.

    The copy leaves the training as it was; every step seeds its own randomness, so none is used up.
    """
    training, work = prepared.training, prepared.work
    processes = prepared.processes
    network = copy.deepcopy(training.classifier)
    with threads(1 if prepared.recipe.workers > 1 else torch.get_num_threads()):
        network.train()
        share = partial(share_of_step, network, work, training.device, 1, 0, 0, processes, backward=Tensor.backward)
        step = min(seconds_of(share) for _ in range(PROBES))
    places = next(in_turn(len(prepared.splits.validation), EVALUATION_BATCH))
    network.eval()
    with torch.inference_mode():
        batch = images_at(prepared.splits.validation, places, training.device)
        look = min(seconds_of(lambda: network(batch)) for _ in range(PROBES)) / len(places)
    epochs = prepared.plan.epochs - training.epoch + 1
    epoch = prepared.plan.steps_per_epoch * step + len(prepared.splits.validation) * look
    return Forecast(epochs, prepared.plan.steps_per_epoch, epochs * epoch, processes * peak_gigabytes(), look)


def peak_gigabytes() -> float:
    """The most memory this process has had by now. On Windows, which does not tell, 0."""
    if sys.platform == "win32":
        return 0.0
    # Linux counts what the process that started this one had into ru_maxrss; the mark in /proc is this program's own.
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)
