"""Gathers everything that a run's report shows from the run's folder, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab import metrics
from sightlab.errors import RunError
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Predictions, ReliabilityBin, Run, Scorecard
from sightlab.records.explained import Explanations
from sightlab.report.explanations import read_explanations
from sightlab.report.galleries import Gallery, read_galleries
from sightlab.report.measures import Confidence, Mistake, confidence_of, mistakes_of
from sightlab.store.bundle import read_bundle
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import read_facts, read_openings, recipe_in, run_from, status_of


@dataclass(frozen=True)
class Opening:
    """One opening of the test split. at: when, ISO 8601, UTC."""

    at: str
    reason: str


@dataclass(frozen=True, eq=False)
class RunPage:
    """Everything a run's report shows.

    facts: the content of run.json. environment: that of environment.json, empty if there is none. matrix: int64
    [C, C], rows the true class. shape: (height, width, channels) of the images that the model takes. mistakes: every
    kind that occurs, the most frequent first. label_issues: how many labels confident learning flags, by split.
    galleries: None if the run has none. other_openings: how often the model was tested on other labelled data.
    explanations: of a few test images, None if the run has none.
    """

    run: Run
    facts: Mapping[str, Any]
    recipe: Recipe
    recipe_text: str
    environment: Mapping[str, Any]
    card: Scorecard
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    matrix: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]
    reliability: tuple[ReliabilityBin, ...]
    confidence: Confidence
    label_issues: Mapping[str, int]
    galleries: tuple[Gallery, ...] | None
    openings: tuple[Opening, ...]
    other_openings: int
    explanations: Explanations | None = None

    @property
    def best(self) -> Epoch:
        """The epoch that was kept."""
        return next(epoch for epoch in self.run.epochs if epoch.epoch == self.run.best_epoch)

    @property
    def images(self) -> dict[str, int]:
        """Images of each split."""
        data = self.facts.get("data", {})
        return {name: int(data.get(name, 0)) for name in ("train", "validation", "test")}


def gather(folder: Path) -> RunPage:
    """Read a finished run's folder.

    Raises RunError for a folder without a run, a run that has not finished, or files that are missing or damaged.
    """
    facts = finished_facts(folder)
    run = run_from(folder, facts)
    recipe, text = recipe_in(folder)
    test = predictions_in(folder, "test")
    validation = predictions_in(folder, "validation")
    galleries = read_galleries(folder)
    shipped = read_bundle(folder).facts
    if run.test is None or run.validation is None or not any(e.epoch == run.best_epoch for e in run.epochs):
        raise RunError(f"{folder / 'run.json'}: damaged: a finished run has epochs, a validation and a test score")
    if len(test) != run.test.count:
        raise RunError(
            f"{folder / 'predictions-test.safetensors'}: {len(test):,} rows, but run.json records "
            f"{run.test.count:,} test images; one of the two is of another run"
        )
    matrix = metrics.confusion_matrix(test)
    openings, others = openings_of(folder, facts)
    return RunPage(
        run=run,
        facts=facts,
        recipe=recipe,
        recipe_text=text,
        environment=environment_in(folder),
        card=metrics.scorecard(test, openings=run.test.openings),
        classes=test.classes,
        shape=(shipped.height, shipped.width, shipped.channels),
        matrix=matrix,
        mistakes=tuple(mistakes_of(matrix, test.classes)),
        reliability=tuple(metrics.reliability(test)),
        confidence=confidence_of(test),
        label_issues={
            "test": len(metrics.find_label_issues(test)),
            "validation": len(metrics.find_label_issues(validation)),
        },
        galleries=None if galleries is None else tuple(galleries),
        openings=openings,
        other_openings=others,
        explanations=read_explanations(folder),
    )


def finished_facts(folder: Path) -> dict[str, Any]:
    """The content of run.json of a finished run. Raises RunError for any other run."""
    if not (folder / "run.json").is_file() and (folder / "bundle.json").is_file():
        raise RunError(f"{folder}: a bundle without run.json; a report needs a run folder")
    facts = read_facts(folder)
    status = status_of(facts)
    if status == "running":
        raise RunError(f"{folder.name}: still running; its report is written when it finishes")
    if status == "interrupted":
        raise RunError(
            f"{folder.name}: interrupted, so there is no test score; finish it with "
            f"`sightlab train --resume {folder.name}`"
        )
    if status != "finished":
        why = f" ({facts['reason']})" if facts.get("reason") else ""
        raise RunError(f"{folder.name}: {status}{why}, so there is no test score; a report needs a finished run")
    return facts


def environment_in(folder: Path) -> dict[str, Any]:
    """The machine and the software a run was trained with; empty if not recorded. Raises RunError."""
    path = folder / "environment.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path}: damaged: {error}") from error
    if not isinstance(values, dict):
        raise RunError(f"{path}: damaged: not a JSON object")
    return values


def predictions_in(folder: Path, split: str) -> Predictions:
    """The predictions that a run saved for a split. Raises RunError where they are missing or damaged."""
    path = folder / f"predictions-{split}.safetensors"
    predictions = read_predictions(path)
    try:
        metrics.confusion_matrix(predictions)
    except ValueError as error:
        raise RunError(f"{path}: damaged: {error}") from error
    return predictions


def openings_of(folder: Path, facts: Mapping[str, Any]) -> tuple[tuple[Opening, ...], int]:
    """When and why the run's test split was opened, oldest first; and how often other labelled data was tested."""
    known = read_openings(folder / "bundle")
    own = [one for one in known if one.get("split") == facts.get("test_key")]
    first = facts.get("openings") or []
    listed = own if len(own) >= len(first) else first
    openings = tuple(Opening(str(one.get("at", "")), str(one.get("reason", ""))) for one in listed)
    return openings, len(known) - len(own)
