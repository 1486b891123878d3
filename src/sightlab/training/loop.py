"""The training loop, in sight: it moves a `Training` on, step by step, and yields the facts of each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from sightlab.errors import DivergedError
from sightlab.metrics import constant_outputs, last_batch_accuracy, mean_cross_entropy, top_k_accuracy
from sightlab.optim.averaging import WeightAverage
from sightlab.records import Epoch, Predictions
from sightlab.training.step import GradientStep

LOOK_EVERY = 20


class Paused(Exception):  # noqa: N818 - no error: the caller asked for it
    """The training stopped between two steps because it was asked to; it can go on from where it stands."""


@dataclass(frozen=True)
class Plan:
    """What the loop is to do, in plain values.

    schedule: step (from 0 over the whole training) -> factor of each group's base learning rate. early_stop: epochs
    without a better validation accuracy after which to end, or None. clip_norm: the largest global norm of the
    gradients, or None.
    """

    epochs: int
    images: int
    batch_size: int
    steps_per_epoch: int
    schedule: Callable[[int], float]
    clip_norm: float | None = None
    early_stop: int | None = None


@dataclass
class Training:
    """All that moves while training: what a checkpoint keeps, and what a resumed training starts from.

    epoch: the epoch under way, from 1. step: steps of it that are done. loss_sum (float64), correct (int64): over
    its images so far, on the device. first_bad: its first step whose loss was no number, -1 for none. best: a copy
    of the weights that validation liked most. averages: of the weights, None where there are none; what is validated
    and kept as best is then the average. scaler: of float16 losses, which does nothing for other precisions.
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

    @property
    def best_epoch(self) -> int:
        """The last epoch that was better than all before it, 0 before the first."""
        return max((e.epoch for e in self.history if e.best), default=0)


@dataclass(frozen=True)
class Tick:
    """How far an epoch is, for a progress bar: images seen and in all, running loss and accuracy, images a second."""

    epoch: int
    done: int
    total: int
    loss: float
    accuracy: float
    images_per_second: float


def epochs(
    training: Training,
    plan: Plan,
    stepper: GradientStep,
    validate: Callable[[nn.Module], Predictions],
    *,
    tick: Callable[[Tick], None] | None = None,
    pause: Callable[[], bool] = lambda: False,
) -> Iterator[Epoch]:
    """Train from where the training stands to the plan's end; yield each epoch's facts once it is validated.

    When an epoch is yielded the training stands at the start of the next one, ready to be kept. pause: asked after
    every step; when it says yes, Paused is raised with the training between two steps, just as ready.
    Raises DivergedError when a loss is not a finite number, naming epoch, step and learning rate.
    """
    while training.epoch <= plan.epochs and not out_of_patience(training.history, plan.early_stop):
        train_epoch(training, plan, stepper, tick, pause)
        started = time.perf_counter()
        with training.averages.averaged() if training.averages else nullcontext():
            said = validate(training.classifier)
            if not np.isfinite(said.logits).all():
                raise diverged(training, "validation", training.step)
            score = (top_k_accuracy(said.logits, said.labels, 1), mean_cross_entropy(said.logits, said.labels))
            best = is_better(score, training.history)
            if best:
                training.best = {name: value.clone() for name, value in training.classifier.state_dict().items()}
        facts = Epoch(
            epoch=training.epoch,
            train_loss=float(training.loss_sum) / plan.images,
            train_accuracy=int(training.correct) / plan.images,
            validation_loss=score[1],
            validation_accuracy=score[0],
            lr=training.optimizer.param_groups[0]["lr"],
            seconds=training.seconds + time.perf_counter() - started,
            images_per_second=plan.images / training.seconds,
            best=best,
            dead_outputs=constant_outputs(said.logits),
            last_batch_accuracy=last_batch_accuracy(said, plan.batch_size),
        )
        training.history.append(facts)
        training.start_epoch(training.epoch + 1)
        yield facts


def train_epoch(
    training: Training,
    plan: Plan,
    stepper: GradientStep,
    tick: Callable[[Tick], None] | None,
    pause: Callable[[], bool],
) -> None:
    """The steps of the epoch under way that are still to be done."""
    training.classifier.train()
    earlier, started = training.seconds, time.perf_counter()
    while training.step < plan.steps_per_epoch:
        train_step(training, plan, stepper)
        training.seconds = earlier + time.perf_counter() - started
        if training.step % LOOK_EVERY == 0 or training.step == plan.steps_per_epoch:
            if (bad := int(training.first_bad)) >= 0:
                raise diverged(training, "training", bad + 1)
            if tick:
                tick(progress_of(training, plan))
        if pause():
            raise Paused


def train_step(training: Training, plan: Plan, stepper: GradientStep) -> None:
    """One step: gradients, update, sums. Nothing in it waits for a GPU."""
    optimizer, scaler = training.optimizer, training.scaler
    step = (training.epoch - 1) * plan.steps_per_epoch + training.step
    factor = plan.schedule(step)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    optimizer.zero_grad(set_to_none=True)
    sums = stepper(training.classifier, training.epoch, training.step)
    if plan.clip_norm is not None:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(training.classifier.parameters(), plan.clip_norm)
    scaler.step(optimizer)
    scaler.update()
    if training.averages:
        training.averages.update(step)
    # The first bad step is kept on the device: looking at every loss would make a GPU wait for each step.
    is_first_bad = (training.first_bad < 0) & ~torch.isfinite(sums.loss)
    training.first_bad.masked_fill_(is_first_bad, training.step)
    training.loss_sum += sums.loss
    training.correct += sums.correct
    training.step += 1


def is_better(score: tuple[float, float], history: list[Epoch]) -> bool:
    """Whether (accuracy, loss) on validation beats every epoch so far; of equal accuracies the lower loss is better."""
    return all((score[0], -score[1]) > (earlier.validation_accuracy, -earlier.validation_loss) for earlier in history)


def out_of_patience(history: list[Epoch], early_stop: int | None) -> bool:
    """Whether the last `early_stop` epochs brought nothing better."""
    best = max((e.epoch for e in history if e.best), default=0)
    return early_stop is not None and bool(history) and history[-1].epoch - best >= early_stop


def diverged(training: Training, split: str, step: int) -> DivergedError:
    """The error for a loss that is no number, with the place and what would help."""
    lr = training.optimizer.param_groups[0]["lr"]
    return DivergedError(
        f"the {split} loss is not a finite number: epoch {training.epoch}, step {step}, learning rate {lr:.4g}; "
        "a lower lr, warmup_epochs=1 or clip_norm=1 may help"
    )


def progress_of(training: Training, plan: Plan) -> Tick:
    """What a progress bar shows. This waits for the device."""
    done = plan.images if training.step == plan.steps_per_epoch else training.step * plan.batch_size
    loss, accuracy = float(training.loss_sum) / done, int(training.correct) / done
    return Tick(training.epoch, done, plan.images, loss, accuracy, done / max(training.seconds, 1e-9))
