"""Predicts what a search will take: a few steps of each kind of trial are measured, the rest follows from them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightlab.errors import RecipeError, SightlabError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import duration
from sightlab.report.phrases import counted
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.segments import FailedResult, out_of_memory
from sightlab.runs.tasks import Channel, TaskContext
from sightlab.studies.runtime_estimate import wall_seconds
from sightlab.training.device import own_process
from sightlab.training.forecast import forecast
from sightlab.training.prepare import prepare
from sightlab.tune.budget import Budget
from sightlab.tune.rungs import ETA, is_prefix, quota
from sightlab.tune.search_plan import Plan
from sightlab.tune.space import Axis, Choice, Range, Space, Values, worded

# The keys on which the time of an epoch depends; of an augmentation, only whether it is on.
COSTLY = (
    "model.", "augment.", "batch_size", "data.size", "data.channels", "precision", "optimizer.name", "loss.name",
    "averaging.name", "distillation.teacher",
)  # fmt: skip
LISTED = 100  # cells of a grid up to which the time of each is printed

Kind = tuple[tuple[str, Any], ...]  # what trials that cost the same have in common


@dataclass(frozen=True)
class Pace:
    """The cost of a kind of trial on one process. epoch: seconds of one; start: seconds before its first step."""

    epoch: float
    start: float


def probe(_channel: Channel, context: TaskContext) -> Pace | FailedResult | str:
    """Measure a recipe of one epoch on a few steps, in a worker; returns a text where it cannot be trained at all."""
    recipe = context.recipe
    try:
        with own_process(recipe.deterministic):
            # The first in a process takes longer, as libraries are loaded.
            prepare(recipe, data=context.data, teacher=teacher_of(recipe.distillation))
            started = time.perf_counter()
            seconds = forecast(prepare(recipe, data=context.data, teacher=teacher_of(recipe.distillation))).seconds
            return Pace(seconds, time.perf_counter() - started)  # a run makes its own forecast when it starts
    except SightlabError as error:
        return str(error)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return FailedResult("out of memory")


def kind_of(space: Space, values: Values) -> Kind:
    """What a trial has in common with those that cost the same."""
    return tuple(
        (key, coarse(key, space.axes[key], value))
        for key, value in values.items()
        if key.startswith(COSTLY) and key in space.axes
    )


def coarse(key: str, axis: Axis, value: Any) -> Any:
    """A value as far as cost depends on it: of a range the nearer end, of an augmentation whether it is on."""
    if key.startswith("augment.") and isinstance(value, int | float):
        return value > 0
    if isinstance(axis, Range):
        return axis.low if axis.share(value) < 0.5 else axis.high
    return value


def kinds(plan: Plan) -> dict[Kind, Recipe]:
    """A recipe of one epoch to measure, for each kind of trial that there can be."""
    found: dict[Kind, Recipe] = {}
    costly = {key: axis for key, axis in plan.space.axes.items() if key.startswith(COSTLY)}
    ends = {key: axis if isinstance(axis, Choice) else Choice((axis.low, axis.high)) for key, axis in costly.items()}
    short = {"epochs": 1, "early_stop": None, "schedule.name": "constant", "schedule.warmup_epochs": 0.0}
    for values in Space(ends).grid():
        kind = kind_of(plan.space, values)
        if kind not in found:
            try:
                found[kind] = changed(plan.recipe_of(values), short)
            except RecipeError:  # values that do not go together; a trial that has them fails
                continue
    return found


@dataclass(frozen=True)
class CostModel:
    """Predicts the seconds of trials on one process from measured paces."""

    plan: Plan
    paces: Mapping[Kind, Pace]

    def pace(self, values: Values) -> Pace:
        """A trial's pace: that measured for its kind, else the mean of all."""
        found = self.paces.get(kind_of(self.plan.space, values))
        if found is not None:
            return found
        every = list(self.paces.values()) or [Pace(0.0, 0.0)]
        return Pace(sum(one.epoch for one in every) / len(every), sum(one.start for one in every) / len(every))

    def seconds(self, values: Values) -> float:
        """Expected seconds of a trial, all its seeds, on one process."""
        pace = self.pace(values)
        recipe = self.plan.recipe_of(values)
        epochs, starts = expected_epochs(
            self.plan.method, self.plan.rungs_of(values), is_prefix(recipe), self.plan.most
        )
        return self.plan.seeds * (epochs * pace.epoch + starts * pace.start)

    def cheapest_epoch(self) -> float:
        """Seconds of the first epoch of the cheapest trial, including what precedes it."""
        return min((one.epoch + one.start for one in self.paces.values()), default=0.0)


def expected_epochs(method: str, rungs: Sequence[int], prefix: bool, most: int | None = None) -> tuple[float, float]:
    """Expected epochs of a trial, and how often a process starts to train it.

    Without early stopping all, once. With it one trial of ETA continues at each rung (ASHA), of `most` trials at least
    LEAST; Hyperband's bracket s does not prune before rung s, and gets (n / (n - s)) ETA^(n - 1 - s) of n brackets'
    trials, as in Optuna.
    """
    last = len(rungs) - 1
    brackets = {0: 1.0}
    if method == "hyperband":
        most = None
        brackets = {s: math.ceil((last + 1) * ETA ** (last - s) / (last - s + 1)) for s in range(last + 1)}
    epochs = starts = 0.0
    for first, weight in brackets.items():
        for place, rung in enumerate(rungs):
            share = weight / sum(brackets.values()) * continuing_share(max(0, place - first), most)
            epochs += share * (rung - (rungs[place - 1] if prefix and place else 0))
            starts += share
    return epochs, starts


def continuing_share(rungs: int, most: int | None) -> float:
    """The share of trials that continue past so many rungs. most: how many trials there are; None for many.

    >>> continuing_share(2, None) == 1 / 9, continuing_share(3, 25), continuing_share(1, 2)
    (True, 0.08, 1.0)
    """
    if most is None:
        return float(ETA) ** -rungs
    left = most
    for _ in range(rungs):
        left = quota(left)
    return left / most


def prediction_lines(
    model: CostModel, trials: Sequence[Values], budget: Budget, workers: int
) -> tuple[list[str], float]:
    """The prediction in lines, and its total seconds. trials: those that are still to be trained."""
    plan = model.plan
    each = [model.seconds(values) for values in trials]
    lines = []
    if plan.space.cells is not None and len(trials) <= LISTED:
        lines = [f"  {worded(values)}: {duration(one)}" for values, one in zip(trials, each, strict=True)]
    elif plan.space.cells is not None or len(model.paces) > 1:
        lines = [
            f"  {worded(dict(kind)) or 'each trial'}: {one.epoch:.1f} s an epoch" for kind, one in model.paces.items()
        ]
    total = wall_seconds(each, workers)
    mean = sum(each) / len(each) if each else 0.0
    count = counted(len(trials), "trial") if plan.most is not None else "each trial"
    about = total if plan.most is not None else mean
    lines.append(f"{count} to train, about {duration(about)} with {counted(workers, 'process', 'processes')}")
    if budget.seconds is not None and mean:
        fits = math.floor(budget.seconds * workers / mean)
        every = ", all of them" if total <= budget.seconds else ""
        lines.append(f"the budget of {budget} fits about {counted(fits, 'trial')}{every}")
    if budget.epochs is not None:
        rungs = plan.rungs_of(trials[0]) if trials else (1,)
        whole, _ = expected_epochs(plan.method, rungs, is_prefix(plan.recipe), plan.most)
        fits = math.floor(budget.epochs / (plan.seeds * whole))
        lines.append(f"the budget of {budget} fits about {counted(fits, 'trial')}")
    return lines, about
