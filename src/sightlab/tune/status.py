"""How a search stands, in words and for the live view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightlab.report.phrases import counted
from sightlab.tune.progress import View, metric_words, words_of
from sightlab.tune.search_plan import Plan
from sightlab.tune.space import worded
from sightlab.tune.trials import Trial, ranked

if TYPE_CHECKING:
    from sightlab.tune.tuner import Tuner


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


def end_words(tuner: Tuner, trial: Trial) -> str:
    """A trial's end in words, the best so far, and what is left of the budget."""
    early = "set aside" if tuner.plan.method == "asha" else "ended early"
    how = "" if trial.state == "complete" else f", {early}"
    value, epochs = metric_words(tuner.plan, trial.value or 0.0), counted(trial.epochs, "epoch")
    best, left = best_words(tuner.plan, tuner.trials), tuner.budget.left(tuner.clock(), tuner.used_epochs)
    told = f"{trial_words(tuner.plan, trial)}: {value} after {epochs}{how}"
    return "; ".join([told, *([f"best {best}"] if best else []), *([left] if left else [])])


def view_of(tuner: Tuner) -> View:
    """How a search stands now."""
    workers = tuple(
        (
            words_of(job),
            len(job.run.epochs) + 1,
            job.until,
            job.tick.done / max(1, job.tick.total) if job.tick is not None else 0.0,
        )
        for job in tuner.jobs.values()
    )
    ended = sum(trial.state != "open" for trial in tuner.trials)
    left = tuner.budget.left(tuner.clock(), tuner.used_epochs)
    best = best_words(tuner.plan, tuner.trials)
    return View(workers, ended, tuner.plan.most, best, tuner.clock(), left)
