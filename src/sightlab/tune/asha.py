"""Asynchronous successive halving: which trials continue from a rung, and what of a budget is reserved for the best."""

from __future__ import annotations

from typing import Any

from sightlab.tune.random_search import RandomSearch
from sightlab.tune.rungs import ETA, LEAST, is_prefix, levels, quota
from sightlab.tune.search_plan import Plan
from sightlab.tune.search_state import SearchState, elapsed, epochs_left, total_trials
from sightlab.tune.space import Values
from sightlab.tune.trials import RunCache, Trial, furthest_first

SAFETY_MARGIN = 0.2  # of the time needed, reserved on top of it: epochs do not all take the same


class Asha(RandomSearch):
    """Li et al. 2020, "A system for massively parallel hyperparameter tuning", algorithm 2; implements `Searcher`.

    A search without an end follows the paper: a trial continues from a rung when it is among the best third of those
    that have reached it, at once or when more of them have. Where the number of trials is known, nothing has to be
    guessed: a trial continues as soon as it is certain to be among the best third of all that will reach the rung.
    LEAST continue from each rung, so that there is a winner, and a runner-up to compare it with. So a worker idles only
    when every trial has started and no promotion is decided yet, and a paused trial is not lost, as with a pruner.

    Rungs are numbered from that of the shortest training that any trial has.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan
        self.deepest = levels(plan.recipe.epochs)
        self.first: dict[int, int] = {}  # the first rung of each trial
        self.next: dict[int, int] = {}  # the rung that each running trial will reach next
        self.paused: dict[int, int] = {}  # the rung at which each paused trial waits
        self.promoted: dict[int, set[int]] = {rung: set() for rung in range(self.deepest)}
        # The values of trials at each rung but the last; higher is better.
        self.values: dict[int, dict[int, float]] = {rung: {} for rung in range(self.deepest)}

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """See `Searcher`."""
        values = super().ask(number, known)
        if values is not None:
            self.first[number] = self.next[number] = self.deepest + 1 - len(self.plan.rungs_of(values))
        return values

    def report(self, number: int, rung: int, value: float) -> bool:
        """See `Searcher`; in a search with an end every trial pauses first, and `promotable` decides."""
        level = self.first[number] + rung
        self.values[level][number] = value if self.plan.maximize else -value
        del self.next[number]
        self.paused[number] = level
        return self.plan.most is None and number in self.best(level, len(self.values[level]) // ETA)

    def tell(self, number: int, value: float | None) -> None:
        """See `Searcher`; one that failed makes room for another."""
        self.next.pop(number, None)
        self.paused.pop(number, None)
        if value is None:
            for level in self.values:
                self.values[level].pop(number, None)
                self.promoted[level].discard(number)

    def promotable(self, total: int | None) -> list[int]:
        """See `Searcher`; those that have trained longest come first."""
        found: list[int] = []
        arriving = 0 if total is None else total - len(self.first)  # at the rung, or on the way to it
        for level, values in self.values.items():
            arriving += sum(target == level for target in self.next.values())
            if total is None:
                certain = len(values) // ETA
                room = 0
            else:
                most = quota(len(values) + arriving)
                certain = most - arriving  # of the best, even if all that arrive are better
                room = max(0, most - len(self.promoted[level]))
            found = [*(one for one in self.best(level, max(0, certain)) if self.paused.get(one) == level), *found]
            arriving = room
        return found

    def promote(self, number: int) -> None:
        """See `Searcher`."""
        level = self.paused.pop(number)
        self.promoted[level].add(number)
        self.next[number] = level + 1

    def best(self, level: int, count: int) -> list[int]:
        """The best `count` trials of a rung, the best first, the older of equal ones first."""
        values = self.values[level]
        return sorted(values, key=lambda number: (-values[number], number))[:count]


def promotable_trials(state: SearchState, workers: int) -> list[Trial]:
    """The paused trials of a search that are to continue now, whoever owns them; the next one first."""
    if state.plan.method != "asha":
        return []
    best = reserved_for(state, workers)
    paused = [trial for trial in best if trial.state == "pruned"]
    if paused or (best and state.budget.epochs is not None):
        return paused
    return [state.trials[number] for number in state.searcher.promotable(total_trials(state))]


def reserves_epochs(state: SearchState, workers: int) -> bool:
    """Whether the epochs left are for the best trials only. (Of a budget of time, other workers may use the rest.)"""
    return state.budget.epochs is not None and bool(reserved_for(state, workers))


def reserved_for(state: SearchState, workers: int) -> list[Trial]:
    """The best unfinished trials of ASHA, once they need all that the budget leaves to reach their last epoch.

    So a search that its budget ends has LEAST trials with all their epochs, or one, where it suffices for them. Empty
    before that, and where it does not suffice for one.
    """
    if state.plan.method != "asha" or (state.budget.seconds is None and state.budget.epochs is None):
        return []
    complete = sum(trial.state == "complete" for trial in state.trials)
    unfinished = [trial for trial in state.trials if trial.state in ("open", "pruned")]
    best = furthest_first(state.plan, unfinished)[: max(0, LEAST - complete)]
    while best:
        needed, available, next_step = needs(state, best, workers)
        if needed <= available:
            return best if available < needed + next_step else []
        best.pop()
    return []


def needs(state: SearchState, trials: list[Trial], workers: int) -> tuple[float, float, float]:
    """What trials need to reach their last epoch, what the budget has for that, and what must be left beside it.

    In epochs, and then the last number is what the first rung of one more trial takes; or in seconds that pass.
    """
    seeds, left = state.plan.seeds, [epochs_to_end(state.runs, trial) for trial in trials]
    if state.budget.epochs is not None:
        numbers = [trial.number for trial in trials]
        promised = sum(job.epochs_left for job in state.jobs.values() if job.trial.number in numbers)
        return seeds * sum(left), epochs_left(state) + promised, seeds * trials[0].rungs[0]
    each = [epochs * epoch_seconds(state.runs, trial) for epochs, trial in zip(left, trials, strict=True)]
    needed = max(*each, seeds * sum(each) / min(workers, seeds * len(trials)))
    return needed, (state.budget.seconds or 0.0) - elapsed(state), SAFETY_MARGIN * needed


def epochs_to_end(runs: RunCache, trial: Trial) -> int:
    """Epochs that one seed of a trial has still to train: of one run, or of one run for each rung."""
    place = len(trial.values_at)
    total = trial.rungs[-1] if is_prefix(trial.recipe) else sum(trial.rungs[place:])
    return total - len(runs.of(trial, place)[0].known_epochs)


def epoch_seconds(runs: RunCache, trial: Trial) -> float:
    """Mean seconds of an epoch of a trial so far."""
    epochs = runs.of(trial, len(trial.values_at) - 1)[0].known_epochs
    return sum(epoch.seconds for epoch in epochs) / max(1, len(epochs))
