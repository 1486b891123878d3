"""The result of a search in words and as plain values, and the recipe of its winner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightlab.comparison import sentence
from sightlab.recipes.overrides import changed
from sightlab.report.phrases import counted
from sightlab.tune.progress import CostLog
from sightlab.tune.search_plan import Plan
from sightlab.tune.search_state import SearchState, elapsed
from sightlab.tune.selection import Selection
from sightlab.tune.status import metric_text, title
from sightlab.tune.trials import Trial


def ends(trials: Sequence[Trial]) -> str:
    """How the trials ended, in words."""
    states = [trial.state for trial in trials]
    words = {"pruned": "ended early", "failed": "failed", "open": "cut off by the budget"}
    parts = [f"{states.count(state)} {word}" for state, word in words.items() if state in states]
    return counted(len(states), "trial") + (f", {', '.join(parts)}" if parts else "")


def lines(plan: Plan, trials: Sequence[Trial], selection: Selection) -> list[str]:
    """The result, one sentence per line: the winner, whether it is better, how much of its score is selection bias."""
    winner = selection.winner
    value = metric_text(plan, winner.value or 0.0)
    what = "validation accuracy" if plan.metric == "validation_accuracy" else "validation"
    found = [f"{title(winner)} is the best of {ends(trials)}: {what} {value} after {counted(winner.epochs, 'epoch')}"]
    if selection.difference is not None:
        found.append(
            f"on the validation images {sentence(selection.difference)}; the winner was selected on them, so this p is "
            "too small"
        )
    if selection.expected is not None and winner.value is not None:
        found.append(
            f"on images that did not select it, such a winner has an expected accuracy of {selection.expected:.2%} "
            f"(bootstrap): {100 * (winner.value - selection.expected):.2f} points are selection bias"
        )
    return [*found, *test_lines(selection)]


def test_lines(selection: Selection) -> list[str]:
    """The winner's test accuracy, and how much better it looked on validation."""
    if selection.optimism is None:
        why = "" if selection.winner.state == "complete" else ": the budget ended before a trial had all its epochs"
        return [f"the test split was not opened{why}"]
    found = selection.optimism
    low, high = found.interval
    text = (
        f"validation {found.validation:.2%}, test {found.test:.2%}: a difference of "
        f"{100 * found.difference:.2f} points, 95 % interval {100 * low:.2f} to {100 * high:.2f}"
    )
    if low <= 0 <= high:
        text += "; within noise"
    else:
        text += "; selection bias, or harder test images" if found.difference > 0 else "; the test images are easier"
    sentences = [text]
    if selection.retrained and selection.test is not None:
        one = selection.test
        spread = f" ± {100 * one.deviation:.2f}" if one.deviation is not None else ""
        sentences.append(f"with {one.count} seeds the winner has a test accuracy of {one.mean:.2%}{spread}")
    return sentences


def best_recipe(plan: Plan, trials: Sequence[Trial], winner: Trial) -> str:
    """The winner's recipe as YAML, ready for `sightlab train`."""
    value = metric_text(plan, winner.value or 0.0).rpartition(" ")[2]
    seeds = counted(plan.seeds, "seed")
    notes = f"Best of {ends(trials)} in study {plan.name} ({plan.method}): {plan.metric} {value}, {seeds}."
    return changed(winner.recipe, {"notes": notes}).to_yaml()


def as_values(state: SearchState, costs: CostLog, selection: Selection | None) -> dict[str, Any]:
    """The whole search as plain values."""
    plan = state.plan
    trials = [
        {
            "trial": trial.number + 1,
            "values": trial.values,
            "state": trial.state,
            "epochs": trial.epochs,
            "value": trial.value,
            "reason": trial.reason,
            "same_as": trial.duplicate_of + 1 if trial.duplicate_of is not None else None,
            "runs": [run.folder.name for run in state.runs.of(trial) if run.folder is not None],
        }
        for trial in state.trials
    ]
    cost = {"seconds": elapsed(state), "epochs": state.used_epochs, "trained": costs.epochs, "wall": costs.wall}
    cost |= {"predicted": costs.predicted, "real": costs.measured, "measuring": costs.measuring}
    found = {"study": plan.name, "method": plan.method, "metric": plan.metric, "trials": trials, "cost": cost}
    return found | (selection_values(selection) if selection is not None else {"best": None})


def selection_values(selection: Selection) -> dict[str, Any]:
    """A selection as plain values."""
    found = selection.optimism
    return {
        "best": selection.winner.number + 1,
        "expected": selection.expected,
        "gain": selection.difference.to_json() if selection.difference is not None else None,
        "tested": [run.to_json() for run in selection.tested],
        "retrained": [run.to_json() for run in selection.retrained],
        "test": selection.test.to_json() if selection.test is not None else None,
        "luck": {
            "validation": found.validation,
            "test": found.test,
            "difference": found.difference,
            "interval": list(found.interval),
            "images": list(found.images),
        }
        if found is not None
        else None,
    }
