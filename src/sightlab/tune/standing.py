"""How a search stands, in words and for the live view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightlab.report.phrases import counted
from sightlab.tune.plan import Plan
from sightlab.tune.space import worded
from sightlab.tune.trials import Trial, ranked
from sightlab.tune.watching import View, metric_words, words_of

if TYPE_CHECKING:
    from sightlab.tune.driver import Driver


def trial_words(plan: Plan, trial: Trial) -> str:
    """A trial in words, with its place among all."""
    of = f" of {plan.most}" if plan.most is not None else ""
    return f"trial {trial.number + 1}{of} ({worded(trial.values)})"


def best_words(plan: Plan, trials: Sequence[Trial]) -> str:
    """The best trial so far in words; "" before there is one."""
    found = ranked(plan, trials)
    if not found:
        return ""
    return f"{metric_words(plan, found[0].value or 0.0)} (trial {found[0].number + 1})"


def end_words(driver: Driver, trial: Trial) -> str:
    """A trial's end in words, the best so far, and what is left of the budget."""
    early = "set aside" if driver.plan.method == "asha" else "ended early"
    how = "" if trial.state == "complete" else f", {early}"
    value, epochs = metric_words(driver.plan, trial.value or 0.0), counted(trial.epochs, "epoch")
    best, left = best_words(driver.plan, driver.trials), driver.budget.left(driver.clock(), driver.used_epochs)
    told = f"{trial_words(driver.plan, trial)}: {value} after {epochs}{how}"
    return "; ".join([told, *([f"best {best}"] if best else []), *([left] if left else [])])


def view_of(driver: Driver) -> View:
    """How a search stands now."""
    workers = tuple(
        (
            words_of(job),
            len(job.run.epochs) + 1,
            job.until,
            job.tick.done / max(1, job.tick.total) if job.tick is not None else 0.0,
        )
        for job in driver.jobs.values()
    )
    ended = sum(trial.state != "open" for trial in driver.trials)
    left = driver.budget.left(driver.clock(), driver.used_epochs)
    best = best_words(driver.plan, driver.trials)
    return View(workers, ended, driver.plan.most, best, driver.clock(), left)
