"""Schedules of the user's own: functions of the step, and the schedulers of torch."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from sightlab.errors import RecipeError
from sightlab.parts.call import call_part, check_options, part_name
from sightlab.parts.registry import resolve
from sightlab.recipes.part_groups import CustomSchedule

Schedule = Callable[[int], float]

# What torch's schedulers call the length of the training, for those that are not told it in options.
LENGTHS = ("total_steps", "T_max")


def named_schedule(
    schedule: CustomSchedule, steps_per_epoch: int, epochs: int, *, higher_is_better: bool = True
) -> Schedule:
    """The schedule that a recipe names; see `custom_schedule`."""
    found, options = resolve("schedule", schedule.name), dict(schedule.options)
    by_epoch = schedule.interval == "epoch"
    return custom_schedule(
        schedule.name, found, options, steps_per_epoch, epochs, by_epoch=by_epoch, higher_is_better=higher_is_better
    )


def given_schedule(given: Any, steps_per_epoch: int, epochs: int, *, higher_is_better: bool = True) -> Schedule:
    """A schedule given from Python: a function, a class of torch's, or a functools.partial of either.

    It counts epochs if it has an attribute `interval` that is "epoch", else optimizer steps. See `custom_schedule`.
    """
    found, options = given, {}
    if isinstance(given, partial) and not given.args:
        found, options = given.func, dict(given.keywords)
    name = part_name(found)
    by_epoch = getattr(given, "interval", "step") == "epoch"
    return custom_schedule(
        name, found, options, steps_per_epoch, epochs, by_epoch=by_epoch, higher_is_better=higher_is_better
    )


def custom_schedule(
    name: str,
    found: object,
    options: dict[str, Any],
    steps_per_epoch: int,
    epochs: int,
    *,
    by_epoch: bool,
    higher_is_better: bool,
) -> Schedule:
    """What a schedule of the user's own is as a function of the optimizer's step, from 0, that gives a factor of lr.

    A function `(step, total_steps, **options) -> factor` is called for every step. A class of torch's LRScheduler is
    walked on an optimizer of its own with lr 1, so its max_lr, eta_min and such are factors; the length of the training
    is filled in where it is asked for and not given. by_epoch: both count epochs. ReduceLROnPlateau makes a `Plateau`.
    Raises RecipeError for code that cannot be used, at once or when a factor turns out to be none.
    """
    total = epochs if by_epoch else epochs * steps_per_epoch
    each = steps_per_epoch if by_epoch else 1
    if isinstance(found, type):
        if not issubclass(found, LRScheduler):
            raise refused(name, f"the class {found.__name__}")
        if issubclass(found, ReduceLROnPlateau):
            return Plateau(name, found, {"mode": "max" if higher_is_better else "min", **options})
        factors: Schedule = Walked(name, found, with_length(found, options, total))
    elif callable(found):
        factors = called(name, found, options, total)
    else:
        raise refused(name, f"a {type(found).__name__}")

    def factor(step: int) -> float:
        if not 0 <= step < steps_per_epoch * epochs:
            raise ValueError(f"step {step} is outside the schedule's {steps_per_epoch * epochs} steps")
        return checked(name, step, factors(step // each))

    return factor


def refused(name: str, found: str) -> RecipeError:
    """The error for an object that is no schedule."""
    return RecipeError(
        f"schedule {name} is {found}; it must be a function (step, total_steps, **options) -> factor, "
        "or a class of torch.optim.lr_scheduler"
    )


def checked(name: str, step: int, factor: object) -> float:
    """The factor as a float. Raises RecipeError unless it is a finite number from 0."""
    if not isinstance(factor, int | float) or not 0 <= factor < math.inf:
        raise RecipeError(f"schedule {name} gave {factor!r} for step {step}; a factor is a number from 0")
    return float(factor)


def called(name: str, function: Callable[..., Any], options: dict[str, Any], total: int) -> Schedule:
    """A function of the step and the whole, as one of the step alone."""
    check_options("schedule", name, function, options, positional=2)
    return lambda step: call_part("schedule", name, function, options, step, total)


def with_length(kind: type[LRScheduler], options: dict[str, Any], total: int) -> dict[str, Any]:
    """The options, the length of the training among them where the scheduler asks for it and has not been told it."""
    asked = inspect.signature(kind).parameters
    return {**{key: total for key in LENGTHS if key in asked}, **options}


def dummy_optimizer() -> torch.optim.Optimizer:
    """An optimizer with lr 1 whose steps move nothing: the lr that a scheduler gives it is a factor."""
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)


class Walked:
    """The factors of a scheduler of torch's, walked as far as they have been asked for.

    They depend on the step alone: a resumed training walks to its step again and gets the same.
    """

    def __init__(self, name: str, kind: type[LRScheduler], options: dict[str, Any]) -> None:
        self.optimizer = dummy_optimizer()
        self.scheduler = call_part("schedule", name, kind, options, self.optimizer)
        self.factors = [self.rate()]

    def rate(self) -> float:
        """The learning rate as it stands."""
        return float(self.optimizer.param_groups[0]["lr"])

    def __call__(self, step: int) -> float:
        """The factor of a step, from 0."""
        while len(self.factors) <= step:
            self.optimizer.step()  # torch warns of a scheduler that is faster than its optimizer
            self.scheduler.step()
            self.factors.append(self.rate())
        return self.factors[step]


class Plateau:
    """torch's ReduceLROnPlateau: the factor is reduced when the validation score has stopped getting better.

    Its factor depends on the scores so far, not on the step. mode: max where a higher score is better.
    """

    def __init__(self, name: str, kind: type[ReduceLROnPlateau], options: dict[str, Any]) -> None:
        self.optimizer = dummy_optimizer()
        self.scheduler: ReduceLROnPlateau = call_part("schedule", name, kind, options, self.optimizer)

    def __call__(self, step: int) -> float:  # noqa: ARG002 - what every schedule is called with
        """The factor now, whatever the step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def observe(self, score: float) -> None:
        """Take in an epoch's validation score."""
        self.scheduler.step(score)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: plain values, ready for JSON."""
        kept = {k: v for k, v in self.scheduler.state_dict().items() if isinstance(v, bool | int | float | str)}
        return {"factor": self(0), "scheduler": kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what state_dict gave."""
        self.optimizer.param_groups[0]["lr"] = state["factor"]
        self.scheduler.load_state_dict(state["scheduler"])
