"""What every logger writes of a run, under the same names."""

from __future__ import annotations

from pathlib import Path

import yaml

from sightlab.recipes.overrides import flat
from sightlab.records import Epoch, Run
from sightlab.store.run_folder import recipe_in


def epoch_figures(epoch: Epoch) -> dict[str, float]:
    """The figures of an epoch, and the recipe's own metrics. Losses in nats, accuracies in [0, 1].

    A figure that an older record does not have is left out.
    """
    facts = epoch.to_json()
    metrics = facts.pop("metrics", None) or {}
    figures = {name: value for name, value in facts.items() if name not in ("epoch", "best")} | metrics
    return {name: float(value) for name, value in figures.items() if value is not None}


def final_figures(run: Run) -> dict[str, float]:
    """The figures of a finished run: of the best epoch by validation, and of the test split opened once."""
    found: dict[str, float] = {"best_epoch": float(run.best_epoch), "total_seconds": run.seconds}
    for name, score in (("best_validation", run.validation), ("test", run.test), ("test_flips", run.test_flips)):
        if score is not None:
            found |= {f"{name}_accuracy": score.accuracy, f"{name}_loss": score.loss}
            found |= {f"{name}_accuracy_low": score.interval[0], f"{name}_accuracy_high": score.interval[1]}
    if run.test is not None and run.test.openings is not None:
        found["test_openings"] = float(run.test.openings)
    return found


def recipe_values(folder: Path) -> dict[str, str]:
    """The recipe's keys and values as text, {dotted path: value}. Raises RunError for a recipe that cannot be read."""
    recipe, _ = recipe_in(folder)
    return {key: yaml.safe_dump(value, default_flow_style=True).split("\n")[0] for key, value in flat(recipe).items()}


def pictures_of(folder: Path) -> dict[str, Path]:
    """The pictures in a run folder, by their names."""
    return {path.stem: path for path in sorted(folder.glob("*.png"))}
