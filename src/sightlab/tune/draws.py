"""Trials that do not depend on each other: the cells of a grid in order, or draws at random."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

from sightlab.tune.search_plan import Plan
from sightlab.tune.space import Choice, Space, Values


class Drawn:
    """Trials that do not depend on each other: the cells of a grid in order, or of a space in a random one.

    A space of lists alone is drawn from without putting back; one with ranges by uniform draws (Bergstra and Bengio
    2012, "Random search for hyper-parameter optimization").
    """

    def __init__(self, plan: Plan) -> None:
        self.space, self.seed = plan.space, plan.recipe.seed
        self.cells: list[dict[str, Any]] | None = None
        if plan.space.cells is not None:
            self.cells = list(plan.space.grid())
            if plan.method != "grid":
                random.Random(self.seed).shuffle(self.cells)  # noqa: S311 - no secret

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """The values of a trial, as the draw of its number has them."""
        if known is not None:
            return dict(known)
        if self.cells is None:
            return drawn(self.space, np.random.default_rng([self.seed, number]))
        return self.cells[number] if number < len(self.cells) else None

    def report(self, number: int, place: int, value: float) -> bool:  # noqa: ARG002 - as a Search has it
        """Every trial goes on."""
        return True

    def tell(self, number: int, value: float | None) -> None:
        """Nothing is learnt."""

    def stop(self, number: int) -> None:
        """Nothing is learnt."""

    def promotable(self, total: int | None) -> list[int]:  # noqa: ARG002 - as a Search has it
        """No trial is ended early."""
        return []

    def promote(self, number: int) -> None:
        """Nothing is learnt."""


def drawn(space: Space, generator: np.random.Generator) -> dict[str, Any]:
    """Values at random: of a list each as likely, of a range uniform in the number or its logarithm."""
    found: dict[str, Any] = {}
    for key, axis in space.axes.items():
        if isinstance(axis, Choice):
            found[key] = axis.values[int(generator.integers(len(axis.values)))]
            continue
        # A whole number owns the numbers that round to it, so that both ends are as likely as the others.
        room = 0.5 if axis.whole else 0.0
        low, high = axis.low - room, axis.high + room
        if axis.log:
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = float(generator.uniform(low, high))
        value = min(max(round(value) if axis.whole else value, axis.low), axis.high)
        found[key] = value
    return found
