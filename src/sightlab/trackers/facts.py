"""What every tracker is told of a run, under the same names."""

from __future__ import annotations

from pathlib import Path

import yaml

from sightlab.recipes.overrides import flat
from sightlab.records import Epoch, Run
from sightlab.store.run_folder import recipe_in


def epoch_figures(epoch: Epoch) -> dict[str, float]:
    """The figures of an epoch. Losses in nats, accuracies in [0, 1]."""
    facts = epoch.to_json()
    return {name: float(facts[name]) for name in facts if name not in ("epoch", "best")}


def final_figures(run: Run) -> dict[str, float]:
    """The figures of a run that has ended: of the best epoch by validation, and of the test split opened once."""
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
    """The pictures that a run left, by their names."""
    return {path.stem: path for path in sorted(folder.glob("*.png"))}
