"""What a search came to, in words and as plain values, and the recipe of its winner."""

from __future__ import annotations

from typing import Any

from sightlab.comparison import sentence
from sightlab.recipes.overrides import changed
from sightlab.report.phrases import counted
from sightlab.tune.progress import metric_words
from sightlab.tune.selection import Selection
from sightlab.tune.space import worded
from sightlab.tune.trials import Trial
from sightlab.tune.tuner import Tuner


def title(trial: Trial) -> str:
    """What a trial is called: its number, from 1, and its values."""
    return f"trial {trial.number + 1} ({worded(trial.values)})"


def ends(tuner: Tuner) -> str:
    """How the trials ended, in words."""
    states = [trial.state for trial in tuner.trials]
    words = {"pruned": "ended early", "failed": "failed", "open": "cut off by the budget"}
    told = [f"{states.count(state)} {word}" for state, word in words.items() if state in states]
    return counted(len(states), "trial") + (f", {', '.join(told)}" if told else "")


def lines(tuner: Tuner, verdict: Selection) -> list[str]:
    """The result, a sentence a line: the winner, whether it is one, how much of its score is luck."""
    winner = verdict.winner
    value = metric_words(tuner.plan, winner.value or 0.0)
    what = "validation accuracy" if tuner.plan.high else "validation"
    found = [f"{title(winner)} is the best of {ends(tuner)}: {what} {value} after {counted(winner.epochs, 'epoch')}"]
    if verdict.difference is not None:
        found.append(
            f"on the validation images {sentence(verdict.difference)}; the winner was picked for being the best, so "
            "that p is rather too low"
        )
    if verdict.expected is not None and winner.value is not None:
        found.append(
            f"a winner picked like this one is worth {verdict.expected:.2%} on images that it was not picked by "
            f"(bootstrap): {100 * (winner.value - verdict.expected):.2f} points are luck of the maximum"
        )
    return [*found, *luck_lines(verdict)]


def luck_lines(verdict: Selection) -> list[str]:
    """How the winner does on test, and how much better it looked on validation."""
    if verdict.luck is None:
        why = "" if verdict.winner.state == "complete" else ": the budget ended before a trial had all its epochs"
        return [f"the test split was not opened{why}"]
    luck = verdict.luck
    low, high = luck.interval
    told = (
        f"validation {luck.validation:.2%}, test {luck.test:.2%}: {100 * luck.difference:.2f} points of the validation"
    )
    told += f" score did not come back on test, 95 % interval {100 * low:.2f} to {100 * high:.2f}"
    if low <= 0 <= high:
        told += "; that is no more than noise"
    else:
        told += "; luck of the maximum, or harder images" if luck.difference > 0 else "; the test images are easier"
    found = [told]
    if verdict.retrained and verdict.test is not None:
        one = verdict.test
        spread = f" ± {100 * one.deviation:.2f}" if one.deviation is not None else ""
        found.append(f"with {one.count} seeds the winner has a test accuracy of {one.mean:.2%}{spread}")
    return found


def best_recipe(tuner: Tuner, verdict: Selection) -> str:
    """The winner's recipe as YAML, ready for `sightlab train`."""
    winner, plan = verdict.winner, tuner.plan
    value = metric_words(plan, winner.value or 0.0)
    seeds = counted(plan.seeds, "seed")
    notes = f"Best of {ends(tuner)} in study {plan.name} ({plan.method}): {plan.metric} {value}, {seeds}."
    return changed(winner.recipe, {"notes": notes}).to_yaml()


def as_values(tuner: Tuner, verdict: Selection | None) -> dict[str, Any]:
    """The whole search as plain values."""
    plan = tuner.plan
    trials = [
        {
            "trial": trial.number + 1,
            "values": trial.values,
            "state": trial.state,
            "epochs": trial.epochs,
            "value": trial.value,
            "reason": trial.reason,
            "same_as": trial.twin + 1 if trial.twin is not None else None,
            "runs": [run.folder.name for run in tuner.book.of(trial) if run.folder is not None],
        }
        for trial in tuner.trials
    ]
    account = tuner.account
    took = {"seconds": tuner.clock(), "epochs": tuner.used_epochs, "trained": account.epochs, "wall": account.wall}
    took |= {"predicted": account.predicted, "real": account.real, "measuring": account.measuring}
    found = {"study": plan.name, "method": plan.method, "metric": plan.metric, "trials": trials, "cost": took}
    return found | (verdict_values(verdict) if verdict is not None else {"best": None})


def verdict_values(verdict: Selection) -> dict[str, Any]:
    """The verdict as plain values."""
    luck = verdict.luck
    return {
        "best": verdict.winner.number + 1,
        "expected": verdict.expected,
        "gain": verdict.difference.to_json() if verdict.difference is not None else None,
        "tested": [run.to_json() for run in verdict.tested],
        "retrained": [run.to_json() for run in verdict.retrained],
        "test": verdict.test.to_json() if verdict.test is not None else None,
        "luck": {
            "validation": luck.validation,
            "test": luck.test,
            "difference": luck.difference,
            "interval": list(luck.interval),
            "images": list(luck.images),
        }
        if luck is not None
        else None,
    }
