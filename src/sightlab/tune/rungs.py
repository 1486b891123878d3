"""Rungs: after how many epochs a trial is evaluated, and what a shorter training is under each schedule."""

from __future__ import annotations

import math

from sightlab.recipes.overrides import changed
from sightlab.recipes.part_groups import WarmedUp
from sightlab.recipes.schema import Recipe

ETA = 3  # of so many trials one continues from a rung: Li et al. 2018 (Hyperband, section 2.6) recommend 3 or 4
LEAST = 2  # trials that continue from every rung of ASHA before a search ends: the winner and a runner-up


def is_prefix(recipe: Recipe) -> bool:
    """Whether the first epochs of a training are those of a shorter one: the schedule does not depend on the total.

    constant, step, exponential and a warm-up are functions of the step alone; cosine and one-cycle depend on the
    number of epochs, and so does Lookahead's falling alpha.

    >>> is_prefix(Recipe(schedule="step")), is_prefix(Recipe(schedule="cosine"))
    (True, False)
    """
    falling = recipe.averaging.name == "lookahead" and recipe.averaging.alpha == "falling"
    return recipe.schedule.name in ("constant", "step", "exponential") and not falling


def rungs_of(recipe: Recipe, stops_early: bool) -> tuple[int, ...]:
    """The epochs after which a trial is evaluated, the last its end: ceil(epochs / 3^k), shortest first.

    stops_early: whether the method does; without it there is one rung. These are the resources R eta^-k of successive
    halving (Li et al. 2018, algorithm 1; Li et al. 2020, ASHA, algorithm 2), rounded up to whole epochs. Where each
    rung is a training of its own, those in which a warm-up would not end are left out.

    >>> rungs_of(Recipe(epochs=27), True), rungs_of(Recipe(epochs=10), True), rungs_of(Recipe(epochs=10), False)
    ((1, 3, 9, 27), (2, 4, 10), (10,))
    """
    epochs = recipe.epochs
    if not stops_early:
        return (epochs,)
    found = dict.fromkeys(math.ceil(epochs / ETA**k) for k in range(levels(epochs), -1, -1))
    if is_prefix(recipe):
        return tuple(found)
    warmup = recipe.schedule.warmup_epochs if isinstance(recipe.schedule, WarmedUp) else 0
    return tuple(rung for rung in found if rung > warmup or rung == epochs)


def quota(trials: int) -> int:
    """How many of so many trials continue from a rung of ASHA: one of ETA, and LEAST where there are as many.

    >>> [quota(trials) for trials in (25, 8, 2, 1, 0)]
    [8, 2, 2, 1, 0]
    """
    return max(min(LEAST, trials), trials // ETA)


def levels(epochs: int) -> int:
    """How often so many epochs can be divided by ETA: its rungs but the last, where no warm-up forbids one.

    >>> levels(27), levels(10), levels(2)
    (3, 2, 0)
    """
    return math.floor(math.log(epochs, ETA) + 1e-9)


def recipe_at(recipe: Recipe, epochs: int) -> Recipe:
    """The training that shows the value of a trial after so many epochs.

    Where a shorter training is a prefix it is the trial's own run, paused there; else a run with so many epochs.
    """
    return recipe if is_prefix(recipe) else changed(recipe, {"epochs": epochs})
