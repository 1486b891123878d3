"""The report of a comparison: several models on the same test images, as one HTML file, and its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightlab import charts, metrics
from sightlab.comparison import sentence
from sightlab.comparison.compare_runs import Comparison
from sightlab.comparison.grouping import SILENT
from sightlab.recipes.overrides import flat
from sightlab.records import RankedCandidate
from sightlab.report import comparison_text as words
from sightlab.report import figures
from sightlab.report.gather import Opening, environment_in, finished_facts, openings_of, predictions_in
from sightlab.report.measures import Mistake, mistakes_of
from sightlab.report.reproduce import command
from sightlab.report.run_page import environment
from sightlab.report.writer import write_page
from sightlab.store.run_folder import recipe_in, run_from
from sightlab.version import __version__

if TYPE_CHECKING:
    import altair as alt

FILE = "comparison.html"
SECTIONS = {
    "result": "Result",
    "contenders": "Models",
    "differences": "Differences",
    "curves": "Learning curves",
    "cost": "Accuracy and cost",
    "details": "Each model",
    "seal": "Sealed test split",
    "repeating": "Reproduction",
    "numbers": "Methods",
}
LABELS = {
    "differences": "Difference of each model's accuracy to the first one's, with its interval; as in the table",
    "curves": "Loss and accuracy of each model, over epochs and over time",
    "accuracy-against-flops": "Accuracy of each model against the operations of one image; as in the tables",
    "accuracy-against-time": "Accuracy of each model against its training time; as in the tables",
}


@dataclass(frozen=True)
class RunRow:
    """One run of a candidate, in a line. accuracy: on the test split, in [0, 1]."""

    id: str
    seed: str
    best_epoch: int
    epochs: int
    validation: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class CandidateDetails:
    """What the report shows of one candidate.

    changes: keys of its recipe that differ from the first candidate's: {key: (there, here)}. mistakes: its most
    frequent kinds, over all of its runs; wrong: how many there are in all.
    """

    candidate: RankedCandidate
    runs: tuple[RunRow, ...]
    changes: Mapping[str, tuple[Any, Any]]
    mistakes: tuple[Mistake, ...]
    wrong: int


def write_comparison(
    found: Comparison, path: Path, title: str | None = None, *, drawn: Mapping[str, str] | None = None
) -> Path:
    """Write the report of a comparison, one self-contained HTML file; returns its path.

    title: the number of models, if None. drawn: its charts, as `comparison_charts` gives them, if they are rendered
    already.
    Raises RunError for files that are missing or damaged, or a path that cannot be written.
    """
    write_page(path, comparison_html(found, drawn or comparison_charts(found), title))
    return path


def comparison_charts(found: Comparison) -> dict[str, str]:
    """A comparison's charts as SVG, by name: differences, curves, and accuracy against the costs that differ."""
    candidates = found.candidates
    drawn: dict[str, alt.TopLevelMixin] = {
        "differences": charts.differences(candidates),
        "curves": charts.comparison_curves(found.curves),
    }
    flops, seconds = {one.flops for one in candidates}, {one.seconds for one in candidates}
    if len(flops) > 1 and None not in flops:
        drawn["accuracy-against-flops"] = charts.pareto(candidates, "flops")
    if len(seconds) > 1:
        drawn["accuracy-against-time"] = charts.pareto(candidates, "seconds")
    return {name: charts.svg_of(chart) for name, chart in drawn.items()}


def comparison_html(found: Comparison, drawn: Mapping[str, str], title: str | None) -> str:
    """The page of a comparison."""
    details = details_of(found)
    machines = {str(environment_in(folder).get("cpu", "")) for folders in found.folders.values() for folder in folders}
    return environment().get_template("comparison.html.jinja").render(
        title=title or f"Comparison of {len(found.candidates)} models",
        sections={id_: (number, name) for number, (id_, name) in enumerate(SECTIONS.items(), 1)},
        found=found,
        first=found.candidates[0],
        images=found.differences[0].images,
        leaders=words.leaders(found.candidates),
        sentences=[sentence(one.difference) + "." for one in found.candidates if one.difference],
        pairs=[(difference, sentence(difference)) for difference in found.differences],
        runs=sum(map(len, found.folders.values())),
        details=details,
        drawings={name: figures.embed(svg, LABELS[name]) for name, svg in drawn.items()},
        machines=len(machines),
        openings=openings_in(found),
        words=words,
        command=command(["sightlab", "compare", *(run for one in found.candidates for run in one.runs)]),
        version=__version__,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def details_of(found: Comparison) -> list[CandidateDetails]:
    """What the report shows of each candidate. Raises RunError for files that are missing or damaged."""
    base = flat(recipe_in(found.folders[found.candidates[0].name][0])[0])
    return [candidate_details(one, found.folders[one.name], base) for one in found.candidates]


def candidate_details(candidate: RankedCandidate, folders: Sequence[Path], base: Mapping[str, Any]) -> CandidateDetails:
    """What the report shows of one candidate. base: the first candidate's recipe, {key: value}."""
    runs, matrices = [], []
    classes: tuple[str, ...] = ()
    for folder in folders:
        facts = finished_facts(folder)
        run = run_from(folder, facts)
        predictions = predictions_in(folder, "test")
        classes = predictions.classes
        matrices.append(metrics.confusion_matrix(predictions))
        validation = run.validation.accuracy if run.validation else float("nan")
        accuracy = run.test.accuracy if run.test else float("nan")
        seed = str(facts.get("seed", ""))
        runs.append(RunRow(run.id, seed, run.best_epoch, len(run.epochs), validation, accuracy, run.seconds))
    matrix = np.sum(matrices, axis=0)
    own = flat(recipe_in(folders[0])[0])
    changes = {key: (base[key], value) for key, value in own.items() if key not in SILENT and value != base[key]}
    wrong = int(matrix.sum() - np.trace(matrix))
    return CandidateDetails(candidate, tuple(runs), changes, tuple(mistakes_of(matrix, classes, 5)), wrong)


def openings_in(found: Comparison) -> list[tuple[str, tuple[Opening, ...]]]:
    """The openings of each run's test split: (run, its openings)."""
    folders = [folder for members in found.folders.values() for folder in members]
    return [(folder.name, openings_of(folder, finished_facts(folder))[0]) for folder in folders]
