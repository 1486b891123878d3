"""Trials drawn at random."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

from sightlab.tune.search_plan import Plan
from sightlab.tune.space import Choice, Space, Values


class RandomSearch:
    """Independent random trials; implements `Searcher`.

    A space of lists only is sampled without replacement; one with ranges by uniform draws (Bergstra and Bengio 2012,
    "Random search for hyper-parameter optimization"). The values of a trial are a function of seed and number.
    """

    def __init__(self, plan: Plan) -> None:
        self.space, self.seed = plan.space, plan.recipe.seed
        self.cells: list[dict[str, Any]] | None = None
        if plan.space.cells is not None:
            self.cells = list(plan.space.grid())
            random.Random(self.seed).shuffle(self.cells)  # noqa: S311 - no secret

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """See `Searcher`."""
        if known is not None:
            return dict(known)
        if self.cells is None:
            return sample(self.space, np.random.default_rng([self.seed, number]))
        return self.cells[number] if number < len(self.cells) else None

    def report(self, number: int, rung: int, value: float) -> bool:  # noqa: ARG002 - as Searcher has it
        """See `Searcher`: every trial continues."""
        return True

    def tell(self, number: int, value: float | None) -> None:
        """See `Searcher`: later trials do not depend on it."""

    def stop(self, number: int) -> None:
        """See `Searcher`: later trials do not depend on it."""

    def promotable(self, total: int | None) -> list[int]:  # noqa: ARG002 - as Searcher has it
        """See `Searcher`: no trial is ever paused."""
        return []

    def promote(self, number: int) -> None:
        """See `Searcher`: later trials do not depend on it."""


def sample(space: Space, generator: np.random.Generator) -> dict[str, Any]:
    """Random values: each value of a list equally likely, of a range uniform in the number or its logarithm."""
    found: dict[str, Any] = {}
    for key, axis in space.axes.items():
        if isinstance(axis, Choice):
            found[key] = axis.values[int(generator.integers(len(axis.values)))]
            continue
        # An integer stands for the numbers that round to it, so that both ends are as likely as the others.
        margin = 0.5 if axis.whole else 0.0
        low, high = axis.low - margin, axis.high + margin
        if axis.log:
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = float(generator.uniform(low, high))
        value = min(max(round(value) if axis.whole else value, axis.low), axis.high)
        found[key] = value
    return found
