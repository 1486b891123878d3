"""Which trials of a random search go on from a rung: asynchronous successive halving."""

from __future__ import annotations

from typing import Any

from sightlab.tune.draws import Drawn
from sightlab.tune.plan import Plan
from sightlab.tune.rungs import ETA, LEAST, levels
from sightlab.tune.space import Values


class Halving(Drawn):
    """Asynchronous successive halving: Li et al. 2020, "A system for massively parallel hyperparameter tuning", alg. 2.

    A trial goes on from a rung when it is among the best third of those that have reached it: at once, or when more of
    them have. So one that is set aside is not lost, as it would be by a pruner, and one that came first is soon held
    against many. When no further trial will come, LEAST go on from every rung, so that there is a winner, and a
    runner-up to hold it against. Rungs are numbered from that of the shortest training that any trial has.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan
        self.deepest = levels(plan.recipe)
        self.first: dict[int, int] = {}  # the rung at which a trial is looked at first
        self.bound: dict[int, int] = {}  # the rung that a trial under way is bound for
        self.waiting: dict[int, int] = {}  # the rung at which a trial is set aside
        self.values: dict[int, dict[int, float]] = {}  # what trials were worth at a rung; the higher the better
        self.passed: dict[int, set[int]] = {}  # trials that have gone on from a rung

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """The values of a trial, as the draw of its number has them."""
        values = super().ask(number, known)
        if values is not None:
            self.first[number] = self.bound[number] = self.deepest + 1 - len(self.plan.rungs_of(values))
        return values

    def report(self, number: int, place: int, value: float) -> bool:
        """Whether a trial is among the best third of its rung now."""
        rung = self.first[number] + place
        self.values.setdefault(rung, {})[number] = value if self.plan.high else -value
        del self.bound[number]
        self.waiting[number] = rung
        goes_on = number in self.best(rung, len(self.values[rung]) // ETA)
        if goes_on:
            self.promote(number)
        return goes_on

    def tell(self, number: int, value: float | None) -> None:
        """A trial has ended; one that failed makes room for another."""
        self.bound.pop(number, None)
        self.waiting.pop(number, None)
        if value is None:
            for numbers in self.passed.values():
                numbers.discard(number)

    def promotable(self, closing: bool) -> list[int]:
        """Trials set aside that are among the best third by now, those at the longest trainings first."""
        for rung in sorted(self.values, reverse=True):
            found = self.aside(rung, self.best(rung, len(self.values[rung]) // ETA))
            if found:
                return found
        return next(filter(None, map(self.last, sorted(self.values))), []) if closing else []

    def promote(self, number: int) -> None:
        """A trial goes on from the rung where it is."""
        rung = self.waiting.pop(number)
        self.passed.setdefault(rung, set()).add(number)
        self.bound[number] = rung + 1

    def best(self, rung: int, count: int) -> list[int]:
        """The best so many trials of a rung, the best first, of equal ones the older."""
        values = self.values[rung]
        return sorted(values, key=lambda number: (-values[number], number))[:count]

    def aside(self, rung: int, numbers: list[int]) -> list[int]:
        """Those of some trials that are set aside at a rung."""
        return [number for number in numbers if self.waiting.get(number) == rung]

    def last(self, rung: int) -> list[int]:
        """Trials that are to go on from a rung although they are no third of it, when no further trial will come.

        While others are on their way to the rung it may not be known yet which.
        """
        coming = sum(bound <= rung for bound in self.bound.values())
        room = LEAST - len(self.passed.get(rung, ()))
        if room <= 0 or (coming and len(self.values[rung]) + coming > LEAST):
            return []
        return self.aside(rung, self.best(rung, len(self.values[rung])))[:room]
