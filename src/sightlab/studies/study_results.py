"""The results of a study: each row over its seeds, each cell of a grid, each row against its baseline (`twin`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison import difference, holm, spread
from sightlab.comparison.candidates import RunResult
from sightlab.comparison.compare_runs import result_of
from sightlab.errors import StudyError
from sightlab.records import Difference, Predictions, Run, Spread
from sightlab.runs.index import RunIndex
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import read_facts, run_from
from sightlab.studies.study_analyses import Looked, gather_analyses
from sightlab.studies.study_plan import Job, Plan, PlannedGrid, PlannedRow, Value

FORMS = {"published": "as published", "repaired": "repaired", "fast": "quick recipe", "scaled": "scaled"}


@dataclass(frozen=True, eq=False)
class Trained:
    """One finished run. facts: what its run.json says."""

    folder: Path
    facts: Mapping[str, Any]
    run: Run
    result: RunResult

    @property
    def predictions(self) -> Predictions:
        """Its predictions on the test split. Raises RunError."""
        return read_predictions(self.folder / "predictions-test.safetensors")


@dataclass(frozen=True, eq=False)
class RowResult:
    """A row and its finished runs, in the order of their seeds; fewer than planned where some are not trained."""

    planned: PlannedRow
    runs: tuple[Trained, ...]

    @property
    def name(self) -> str:
        """The name of the row with its form, unique in the study."""
        return f"{self.planned.row.name} ({FORMS[self.planned.row.form]})"

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each run classified each test image correctly: bool [S, N]."""
        return np.stack([one.result.correct for one in self.runs])

    @property
    def accuracy(self) -> Spread:
        """Test accuracy over the seeds, in [0, 1]."""
        return spread([one.result.score.accuracy for one in self.runs], 0.0, 1.0)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy: Wilson's for one run, the t interval over seeds for several; in [0, 1]."""
        return self.accuracy.interval or self.runs[0].result.score.interval

    @property
    def top5(self) -> Spread | None:
        """Top-5 accuracy over the seeds; None where there are five classes or fewer."""
        known = [one.result.score.top5 for one in self.runs if one.result.score.top5 is not None]
        return spread(known, 0.0, 1.0) if known and len(known) == len(self.runs) else None

    @property
    def seconds(self) -> float:
        """Seconds of one training, the mean over the seeds."""
        return sum(one.result.seconds for one in self.runs) / len(self.runs)


@dataclass(frozen=True, eq=False)
class GridResult:
    """A grid and its finished cells: {(x, y): run}. diverged: the cells whose loss was not finite."""

    planned: PlannedGrid
    cells: Mapping[tuple[Value, Value], Trained]
    diverged: tuple[tuple[Value, Value], ...] = ()

    def best(self, count: int) -> list[tuple[tuple[Value, Value], Trained]]:
        """The best `count` cells by validation loss at the end of training; losses that are NaN come last."""
        return sorted(self.cells.items(), key=lambda one: nan_last(last_loss(one[1])))[:count]


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that the page of a study shows.

    differences: of each row to its twin, by the row's id. missing: names of what is not trained yet; diverged: a line
    for each training of a row whose loss was not finite. analyses: how the networks see.
    """

    plan: Plan
    home: Path
    rows: tuple[RowResult, ...]
    grids: tuple[GridResult, ...]
    differences: Mapping[str, Difference]
    missing: tuple[str, ...]
    diverged: tuple[str, ...] = ()
    analyses: tuple[Looked, ...] = ()

    def row(self, id_: str) -> RowResult | None:
        """The row of this id; None where it has no runs."""
        return next((one for one in self.rows if one.planned.row.id == id_ and one.runs), None)

    @property
    def trained(self) -> list[Trained]:
        """Every run, each once."""
        runs = [run for row in self.rows for run in row.runs]
        runs += [run for grid in self.grids for run in grid.cells.values()]
        return list({one.folder: one for one in runs}.values())


def last_loss(one: Trained) -> float:
    """The validation loss of a run's last epoch, in nats."""
    return one.run.epochs[-1].validation_loss


def nan_last(value: float) -> float:
    """The value, or infinity for NaN."""
    return value if value == value else float("inf")


def gather_results(plan: Plan, home: Path) -> Results:
    """The results of a plan's finished runs. Raises StudyError where there is none, RunError for damaged ones."""
    index = RunIndex(home)
    known: dict[Path, Trained] = {}

    def trained(job: Job) -> Trained | None:
        folder = index.finished(job.recipe, job.processes)
        if folder is None:
            return None
        if folder not in known:
            facts = read_facts(folder)
            known[folder] = Trained(folder, facts, run_from(folder, facts), result_of(folder))
        return known[folder]

    rows = tuple(RowResult(row, tuple(filter(None, map(trained, row.jobs)))) for row in plan.rows)
    grids = []
    for grid in plan.grids:
        found = {place: trained(job) for place, job in grid.cells.items()}
        cells = {place: one for place, one in found.items() if one is not None}
        lost = [place for place, job in grid.cells.items() if index.diverged(job.recipe) and place not in cells]
        grids.append(GridResult(grid, cells, tuple(lost)))
    if not known:
        raise StudyError(
            f"study {plan.study.name}: no run of scale {plan.scale} has finished in {home}/; "
            f"train them with: sightlab study run {plan.study.name} --scale {plan.scale}"
        )
    diverged = [
        f"{row.name}, seed {job.recipe.seed}: {reason}"
        for row in rows
        for job in row.planned.jobs
        if trained(job) is None and (reason := index.diverged(job.recipe, job.processes))
    ]
    short = [row.name for row in rows if len(row.runs) < len(row.planned.jobs) and not is_named_in(row.name, diverged)]
    short += [one.planned.grid.name for one in grids if len(one.cells) + len(one.diverged) < len(one.planned.cells)]
    looked = gather_analyses(plan, home, folders_of(rows)) if plan.analyses else ()
    return Results(plan, home, rows, tuple(grids), differences_of(rows), tuple(short), tuple(diverged), looked)


def folders_of(rows: Sequence[RowResult]) -> dict[str, list[Path]]:
    """The folders of the finished runs of each row, by its id."""
    return {row.planned.row.id: [one.folder for one in row.runs] for row in rows}


def percent(accuracy: float | None) -> str:
    """An accuracy in [0, 1] as text, "" for None.

    >>> percent(0.4341), percent(None)
    ('43.41%', '')
    """
    return "" if accuracy is None else f"{accuracy:.2%}"


def p_text(p: float) -> str:
    """A p-value as text.

    >>> p_text(0.0321), p_text(0.00001)
    ('p = 0.032', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def is_named_in(name: str, lines: Sequence[str]) -> bool:
    """Whether one of the lines is about the row of this name."""
    return any(line.startswith(f"{name}, ") for line in lines)


def differences_of(rows: Sequence[RowResult]) -> dict[str, Difference]:
    """Each row's difference to its twin on the same test images, with Holm's correction over all these pairs.

    Rows whose images differ in size are compared too, as long as the labels are the same in the same order: these are
    the same images. A pair of which one side has no run is left out.
    """
    by_id = {row.planned.row.id: row for row in rows if row.runs}
    found = {}
    for row in by_id.values():
        twin = by_id.get(row.planned.row.twin or "")
        if twin is not None and np.array_equal(twin.runs[0].result.labels, row.runs[0].result.labels):
            found[row.planned.row.id] = difference(twin.name, twin.correct, row.name, row.correct)
    if len(found) < 2:
        return found
    adjusted = holm([one.p for one in found.values()])
    pairs = zip(found.items(), adjusted, strict=True)
    return {id_: replace(one, adjusted=p, comparisons=len(found)) for (id_, one), p in pairs}
