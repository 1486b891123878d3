"""Mutable training state: what a checkpoint stores and resume restores; and the plan, which does not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from sightlab.optim.averaging import WeightAverage
from sightlab.records import Epoch, Predictions

Metric = Callable[[Predictions], float]


@dataclass(frozen=True)
class Plan:
    """What the loop is to do, in plain values.

    schedule: step (from 0 over the whole training) -> factor of each group's base learning rate. early_stop: epochs
    without a better epoch after which training ends, or None. clip_norm: the largest global norm of the gradients, or
    None. metrics: measured on validation after every epoch, by name. select_by: accuracy, loss or the name of one of
    them, by which the best epoch is chosen; lower_is_better: whether its smaller values are better.
    """

    epochs: int
    images: int
    batch_size: int
    steps_per_epoch: int
    schedule: Callable[[int], float]
    clip_norm: float | None = None
    early_stop: int | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    select_by: str = "accuracy"
    lower_is_better: bool = False

    def images_after(self, steps: int) -> int:
        """How many images the first so many steps of an epoch see. The last batch may have any size."""
        return self.images if steps == self.steps_per_epoch else steps * self.batch_size

    def selected(self, epoch: Epoch) -> tuple[float, float]:
        """What the best epoch has the most of: the metric (negated where lower is better), then a lower loss."""
        known = {"accuracy": epoch.validation_accuracy, "loss": epoch.validation_loss}
        value = known[self.select_by] if self.select_by in known else epoch.metrics[self.select_by]
        return (-value if self.lower_is_better else value), -epoch.validation_loss

    def is_best(self, epoch: Epoch, history: Iterable[Epoch]) -> bool:
        """Whether an epoch beats all of these; of equal ones the first is the best."""
        return all(self.selected(epoch) > self.selected(earlier) for earlier in history)


@dataclass
class Training:
    """All that changes while training.

    epoch: the epoch under way, from 1. step: steps of it that are done. loss_sum (float64), correct (int64): over
    its images so far, on the device. first_bad: its first step whose loss was no number, -1 for none. best: a copy
    of the weights that validation liked most. averages: of the weights, None where there are none; what is validated
    and kept as best is then the average. scaler: of float16 losses, which does nothing for other precisions. stopped:
    why a callback stopped the training before its last epoch, "" if none did.
    """

    classifier: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    averages: WeightAverage | None = None
    scaler: GradScaler = field(default_factory=lambda: GradScaler("cpu", enabled=False))
    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    stopped: str = ""
    loss_sum: Tensor = field(init=False)
    correct: Tensor = field(init=False)
    first_bad: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.start_epoch(self.epoch)

    def start_epoch(self, epoch: int) -> None:
        """Set the epoch's sums to nothing."""
        self.epoch, self.step, self.seconds = epoch, 0, 0.0
        # Apple's GPUs have no float64; the sum of an epoch's losses is exact enough in float32 there.
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        self.loss_sum = torch.zeros((), dtype=wide, device=self.device)
        self.correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.first_bad = torch.full((), -1, dtype=torch.int64, device=self.device)

    def add_step(self, loss: Tensor, correct: Tensor) -> None:
        """Add a step's sums over its images: loss, float []; correct predictions, int64 []. Nothing waits for a GPU."""
        # The first bad step is kept on the device: looking at every loss would make a GPU wait for each step.
        is_first_bad = (self.first_bad < 0) & ~torch.isfinite(loss)
        self.first_bad.masked_fill_(is_first_bad, self.step)
        self.loss_sum += loss
        self.correct += correct
        self.step += 1

    @property
    def best_epoch(self) -> int:
        """The last epoch that was better than all before it, 0 before the first."""
        return max((e.epoch for e in self.history if e.best), default=0)
