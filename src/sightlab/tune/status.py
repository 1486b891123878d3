"""The status of a search, its trials and jobs in words."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.report.phrases import counted
from sightlab.tune.progress import View
from sightlab.tune.search_plan import Plan
from sightlab.tune.search_state import Job, SearchState, elapsed
from sightlab.tune.space import worded
from sightlab.tune.trials import Trial, ranked


def title(trial: Trial) -> str:
    """What a trial is called: its number, from 1, and its values."""
    return f"trial {trial.number + 1} ({worded(trial.values)})"


def title_of_total(plan: Plan, trial: Trial) -> str:
    """A trial's title with the number of trials there are."""
    of = f" of {plan.most}" if plan.most is not None else ""
    return f"trial {trial.number + 1}{of} ({worded(trial.values)})"


def job_title(job: Job) -> str:
    """What a running job is called: its trial, and its seed where there are several."""
    seed = f", seed {job.run.recipe.seed}" if job.trial.recipe.seed != job.run.recipe.seed else ""
    return f"trial {job.trial.number + 1} ({worded(job.trial.values)}{seed})"


def metric_text(plan: Plan, value: float) -> str:
    """A value of the plan's metric as text."""
    if plan.metric == "validation_accuracy":
        return f"{value:.2%}"
    return f"{plan.metric.removeprefix('validation_')} {value:.4f}"


def best_text(plan: Plan, trials: Sequence[Trial]) -> str:
    """The best trial so far; "" before there is one."""
    found = ranked(plan, trials)
    return f"{metric_text(plan, found[0].value or 0.0)} (trial {found[0].number + 1})" if found else ""


def left_text(state: SearchState) -> str:
    """What is left of the budget; "" where there is no limit."""
    return state.budget.left(elapsed(state), state.used_epochs)


def rung_text(state: SearchState, trial: Trial) -> str:
    """What a trial has come to at a rung, the best so far, and what is left of the budget."""
    early = "paused" if state.plan.method == "asha" else "ended early"
    how = "" if trial.state == "complete" else f", {early}"
    value, epochs = metric_text(state.plan, trial.value or 0.0), counted(trial.epochs, "epoch")
    best, left = best_text(state.plan, state.trials), left_text(state)
    text = f"{title_of_total(state.plan, trial)}: {value} after {epochs}{how}"
    return "; ".join([text, *([f"best {best}"] if best else []), *([left] if left else [])])


def view_of(state: SearchState) -> View:
    """The current view of a search."""
    workers = tuple(
        (
            job_title(job),
            len(job.run.epochs) + 1,
            job.until,
            job.tick.done / max(1, job.tick.total) if job.tick is not None else 0.0,
        )
        for job in state.jobs.values()
    )
    ended = sum(trial.state != "open" for trial in state.trials)
    best = best_text(state.plan, state.trials)
    return View(workers, ended, state.plan.most, best, elapsed(state), left_text(state))
