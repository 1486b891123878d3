"""When a search that a budget ends has to stop asking for trials, so that its best ones come to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightlab.tune.rungs import LEAST, is_prefix
from sightlab.tune.trials import Trial

if TYPE_CHECKING:
    from sightlab.tune.driver import Driver

CAUTION = 1.2  # times what an epoch has taken so far


def must_finish(driver: Driver) -> bool:
    """Whether what the budget leaves is needed to bring the best trials of ASHA, LEAST of them, to their last epoch."""
    if driver.plan.method != "asha" or (driver.budget.seconds is None and driver.budget.epochs is None):
        return False
    complete = sum(trial.state == "complete" for trial in driver.trials)
    best = furthest(driver)[: max(0, LEAST - complete)]
    if not best:
        return False
    seeds = driver.plan.seeds
    if driver.budget.epochs is not None:
        more = driver.plan.seeds * best[0].rungs[0]  # of the trial that would be begun
        return driver.epochs_left() < more + sum(seeds * epochs_to_end(trial) for trial in best)
    each = [seconds_to_end(driver, trial) for trial in best]
    needed = max(*each, seeds * sum(each) / driver.crew.workers, 0.0)
    return (driver.budget.seconds or 0.0) - driver.clock() < CAUTION * needed


def furthest(driver: Driver) -> list[Trial]:
    """The trials that have a value and have not come to their end, the best of those with most epochs first."""
    sign = -1.0 if driver.plan.high else 1.0
    known = [one for one in driver.trials if one.value is not None and one.state in ("open", "pruned")]
    return sorted(known, key=lambda one: (-one.epochs, sign * (one.value or 0.0), one.number))


def epochs_to_end(trial: Trial) -> int:
    """Epochs that a seed of a trial has still to be trained for: of one run, or of a run for each rung."""
    left = trial.rungs[len(trial.values_at) :]
    return trial.rungs[-1] - trial.epochs if is_prefix(trial.recipe) else sum(left)


def seconds_to_end(driver: Driver, trial: Trial) -> float:
    """Seconds that a seed of a trial has still to be trained for, by what its epochs have taken."""
    epochs = driver.book.of(trial, len(trial.values_at) - 1)[0].shown
    pace = sum(epoch.seconds for epoch in epochs) / max(1, len(epochs))
    return pace * epochs_to_end(trial)
