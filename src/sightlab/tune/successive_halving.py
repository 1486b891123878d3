"""Which trials of a random search go on from a rung: asynchronous successive halving."""

from __future__ import annotations

from typing import Any

from sightlab.tune.draws import Drawn
from sightlab.tune.rungs import ETA, levels, quota
from sightlab.tune.search_plan import Plan
from sightlab.tune.space import Values


class Halving(Drawn):
    """Asynchronous successive halving: Li et al. 2020, "A system for massively parallel hyperparameter tuning", alg. 2.

    A search without end follows the paper: a trial goes on from a rung when it is among the best third of those that
    have reached it, at once or when more of them have. Where it is known how many trials there will be, nothing has to
    be guessed: one goes on as soon as it is certain to be among the best third of all that will come to the rung. LEAST
    go on from each, so that there is a winner, and a runner-up to hold it against. So a worker waits only where no
    trial is left to begin and none is certain, and one that is set aside is not lost, as it would be by a pruner.

    Rungs are numbered from that of the shortest training that any trial has.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan
        self.deepest = levels(plan.recipe)
        self.first: dict[int, int] = {}  # the rung at which a trial is looked at first
        self.bound: dict[int, int] = {}  # the rung that a trial under way is bound for
        self.waiting: dict[int, int] = {}  # the rung at which a trial is set aside
        self.passed: dict[int, set[int]] = {
            rung: set() for rung in range(self.deepest)
        }  # that have gone on from a rung
        # What trials were worth at each rung but the last; the higher the better.
        self.values: dict[int, dict[int, float]] = {rung: {} for rung in range(self.deepest)}

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """The values of a trial, as the draw of its number has them."""
        values = super().ask(number, known)
        if values is not None:
            self.first[number] = self.bound[number] = self.deepest + 1 - len(self.plan.rungs_of(values))
        return values

    def report(self, number: int, place: int, value: float) -> bool:
        """Whether a trial goes on at once; of a search that has an end none does, before it is asked who is to."""
        rung = self.first[number] + place
        self.values[rung][number] = value if self.plan.high else -value
        del self.bound[number]
        self.waiting[number] = rung
        return self.plan.most is None and number in self.best(rung, len(self.values[rung]) // ETA)

    def tell(self, number: int, value: float | None) -> None:
        """A trial has ended; one that failed makes room for another."""
        self.bound.pop(number, None)
        self.waiting.pop(number, None)
        if value is None:
            for rung in self.values:
                self.values[rung].pop(number, None)
                self.passed[rung].discard(number)

    def promotable(self, total: int | None) -> list[int]:
        """Trials set aside that are to go on by now, those with the longest trainings behind them first."""
        found: list[int] = []
        arriving = 0 if total is None else total - len(self.first)  # at the rung, or on the way to it
        for rung, values in self.values.items():
            arriving += sum(bound == rung for bound in self.bound.values())
            if total is None:
                certain = len(values) // ETA
                room = 0
            else:
                most = quota(len(values) + arriving)
                certain = most - arriving  # of the best, even if all that arrive are better
                room = max(0, most - len(self.passed[rung]))
            found = [*(one for one in self.best(rung, max(0, certain)) if self.waiting.get(one) == rung), *found]
            arriving = room
        return found

    def promote(self, number: int) -> None:
        """A trial goes on from the rung at which it was looked at."""
        rung = self.waiting.pop(number)
        self.passed[rung].add(number)
        self.bound[number] = rung + 1

    def best(self, rung: int, count: int) -> list[int]:
        """The best so many trials of a rung, the best first, of equal ones the older."""
        values = self.values[rung]
        return sorted(values, key=lambda number: (-values[number], number))[:count]
