"""Learning-rate schedules: functions of the step that return a factor of the base learning rate."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from sightlab.errors import RecipeError
from sightlab.optim.custom_schedules import Schedule, given_schedule, named_schedule
from sightlab.recipes.part_groups import CustomSchedule, ScheduleKeys, WarmedUp

# The share of the peak at which a cycle begins: the default of torch's OneCycleLR (div_factor 25).
ONE_CYCLE_START = 1 / 25


def constant() -> Schedule:
    """1 at every step."""
    return by_epoch(1.0, 1)


def step(gamma: float, step_epochs: int, steps_per_epoch: int) -> Schedule:
    """x gamma every step_epochs: gamma ** (epoch // step_epochs).

    >>> factor = step(gamma=0.5, step_epochs=2, steps_per_epoch=10)
    >>> [factor(place) for place in (0, 19, 20, 40)]
    [1.0, 1.0, 0.5, 0.25]
    """
    return by_epoch(gamma, step_epochs * steps_per_epoch)


def exponential(gamma: float, steps_per_epoch: int) -> Schedule:
    """x gamma each epoch: gamma ** epoch."""
    return by_epoch(gamma, steps_per_epoch)


def by_epoch(gamma: float, steps: int) -> Schedule:
    """x gamma every so many steps."""
    return lambda place: gamma ** (place // steps)


def cosine(steps: int, final_factor: float) -> Schedule:
    """From 1 towards final_factor, which the step after the last would reach, along half a cosine.

    final + (1 - final) * (1 + cos(pi * place / steps)) / 2: Loshchilov and Hutter 2017, SGDR, equation 5.
    """
    return lambda place: between(1.0, final_factor, place / steps)


def one_cycle(steps: int, peak_at: float, final_factor: float) -> Schedule:
    """Up from 1/25 to 1 during the first `peak_at` of the steps, then down to final_factor at the last, along cosines.

    Smith 2017, Cyclical learning rates; Smith and Topin 2018, Super-convergence. The turning points and the curve are
    those of torch's OneCycleLR with two phases and without its momentum cycle.
    """
    peak, last = peak_at * steps - 1, steps - 1

    def factor(place: int) -> float:
        if place <= peak:
            return between(ONE_CYCLE_START, 1.0, place / peak) if peak > 0 else 1.0
        # A cycle of a single step has no way down: it is all peak.
        return between(1.0, final_factor, (place - peak) / (last - peak)) if last > 0 else 1.0

    return factor


def warmed_up(rest: Schedule, warmup_steps: int, warmup_factor: float) -> Schedule:
    """A straight rise from warmup_factor to where `rest` begins, which then counts its steps from there.

    Goyal et al. 2017, Accurate, large minibatch SGD, section 2.2.
    """
    if warmup_steps == 0:
        return rest

    def factor(place: int) -> float:
        if place < warmup_steps:
            return straight(warmup_factor, rest(0), place / warmup_steps)
        return rest(place - warmup_steps)

    return factor


def between(start: float, end: float, way: float) -> float:
    """The value after a share `way` in [0, 1] of half a cosine from start to end."""
    return end + (start - end) * (1 + math.cos(math.pi * way)) / 2


def straight(start: float, end: float, way: float) -> float:
    """The value after a share `way` in [0, 1] of a straight line from start to end."""
    return start + (end - start) * way


# build_schedule gives each entry those of its values that the entry's signature names.
SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "cosine": cosine,
    "exponential": exponential,
    "one-cycle": one_cycle,
    "step": step,
}


def build_schedule(
    schedule: ScheduleKeys, steps_per_epoch: int, epochs: int, given: Any = None, *, higher_is_better: bool = True
) -> Schedule:
    """The schedule for epochs * steps_per_epoch steps: step, from 0 over the whole training, -> factor of lr.

    A linear warm-up of warmup_epochs, which need not be whole, from warmup_factor comes before those that have one. The
    user's own is built by `custom_schedules`, from what the recipe names or from `given`; if it has `observe(score)`,
    call that after each epoch with the validation score of the metric that chooses the best epoch, and keep its
    `state_dict()` in checkpoints. higher_is_better: of that metric.

    Raises RecipeError for a schedule that cannot be. The schedule raises ValueError outside its steps.

    >>> from sightlab.recipes.part_groups import Cosine
    >>> factor = build_schedule(Cosine(warmup_epochs=1), steps_per_epoch=10, epochs=3)
    >>> [round(factor(place), 3) for place in (0, 5, 10, 20, 29)]
    [0.0, 0.5, 1.0, 0.5, 0.006]
    """
    for key, value in (("steps_per_epoch", steps_per_epoch), ("epochs", epochs)):
        if value < 1:
            raise RecipeError(f"schedule: {key} is {value}; it must be at least 1")
    if given is not None:
        return given_schedule(given, steps_per_epoch, epochs, higher_is_better=higher_is_better)
    if isinstance(schedule, CustomSchedule):
        return named_schedule(schedule, steps_per_epoch, epochs, higher_is_better=higher_is_better)
    total, warmup_steps, warmup_factor = steps_per_epoch * epochs, 0, 0.0
    if isinstance(schedule, WarmedUp):
        if schedule.warmup_epochs > epochs:
            raise RecipeError(
                f"schedule.warmup_epochs is {schedule.warmup_epochs:g}; it must be at most epochs, which is {epochs}"
            )
        warmup_steps, warmup_factor = round(schedule.warmup_epochs * steps_per_epoch), schedule.warmup_factor
    make = SCHEDULES[schedule.name]
    settings = {
        **schedule.model_dump(),
        "steps": max(1, total - warmup_steps),
        "steps_per_epoch": steps_per_epoch,
    }
    rest = make(**{key: settings[key] for key in inspect.signature(make).parameters})
    return within(total, warmed_up(rest, warmup_steps, warmup_factor))


def within(total: int, schedule: Schedule) -> Schedule:
    """The schedule, refusing steps that are not in [0, total) with a ValueError."""

    def factor(place: int) -> float:
        if not 0 <= place < total:
            raise ValueError(f"step {place} is outside the schedule's {total} steps")
        return schedule(place)

    return factor
