"""Runs in their folders, held against each other on the test images that all of them answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightlab.comparison.candidates import Candidate, RunResult, candidates, differences
from sightlab.comparison.grouping import chosen, grouped
from sightlab.comparison.seed_interval import spread
from sightlab.errors import RunError
from sightlab.records import Difference, Epoch, RankedCandidate, Run
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import home_folder, read_facts, run_from

SELECTION = (
    "These are test scores. Which model to take is decided by validation; choosing the best of several test scores "
    "makes that score too good."
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    contenders: in the order they were named, each against the first. gains: of every pair, corrected over all pairs.
    curves: (contender, epochs) for each run. folders: the runs' folders, by contender. notes: what a reader must know.

    >>> Comparison((), (), (), {}, ("nothing was compared",)).to_json()["notes"]
    ['nothing was compared']
    """

    candidates: tuple[RankedCandidate, ...]
    differences: tuple[Difference, ...]
    curves: tuple[tuple[str, tuple[Epoch, ...]], ...]
    folders: dict[str, tuple[Path, ...]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "contenders": [one.to_json() for one in self.candidates],
            "gains": [difference.to_json() for difference in self.differences],
            "notes": list(self.notes),
        }


def compare(*runs: Run | str | Path, home: Path | str | None = None) -> Comparison:
    """Compare finished runs by their stored test predictions; no test split is opened.

    runs: runs, what names one, or studies. Runs that differ in their seed alone make one contender. home: where runs
    are found by the beginning of their id. Raises RunError as `compare_runs` does.

    >>> import sightlab, tempfile
    >>> tiny = {"data": "fashion-mini", "limit_per_class": 20, "epochs": 1}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     runs = [sightlab.train(sightlab.recipe("cnn", lr=lr, **tiny), home=folder) for lr in (0.01, 0.02)]
    ...     found = sightlab.compare(*runs)
    >>> [one.name for one in found.candidates], found.differences[0].images
    (['cnn, lr 0.01', 'cnn, lr 0.02'], 2000)
    """
    return compare_runs(chosen(runs, Path(home) if home is not None else home_folder()))


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Compare finished runs by their stored test predictions; no test split is opened.

    Runs that differ in their seed alone make one contender; where all of them do, each stands for itself and their
    mean is noted. Raises RunError for a single run, runs that were tested on different images, or predictions that are
    missing or damaged.
    """
    if len(folders) < 2:
        raise RunError(
            f"{', '.join(one.name for one in folders) or 'nothing'}: one run alone has nothing to be compared with"
        )
    members = grouped(folders)
    one_recipe = len(members) == 1
    if one_recipe:
        members = {folder.name: [folder] for folder in folders}
    groups = [Candidate(name, tuple(trial_of(folder) for folder in runs)) for name, runs in members.items()]
    curves = [(name, run_from(one, read_facts(one)).epochs) for name, runs in members.items() for one in runs]
    return Comparison(
        candidates=tuple(candidates(groups)),
        differences=tuple(differences(groups)),
        curves=tuple(curves),
        folders={name: tuple(runs) for name, runs in members.items()},
        notes=seeds_together(groups) if one_recipe else notes_on(groups),
    )


def trial_of(folder: Path) -> RunResult:
    """What a comparison takes of one run. Raises RunError."""
    facts = read_facts(folder)
    run = run_from(folder, facts)
    said = read_predictions(folder / "predictions-test.safetensors")
    if run.test is None or len(said) != run.test.count:
        raise RunError(f"{folder}: has no test score, or one of other predictions than those that lie there")
    return RunResult(
        id=run.id,
        test_key=str(facts.get("test_key", "")),
        score=run.test,
        labels=said.labels,
        right=said.logits.argmax(axis=1) == said.labels,
        parameters=run.parameters,
        flops=facts.get("flops"),
        seconds=run.seconds,
        images_per_second=run.images_per_second,
    )


def seeds_together(groups: Sequence[Candidate]) -> tuple[str, ...]:
    """What several seeds of one recipe come to together."""
    found = spread([group.results[0].score.accuracy for group in groups])
    low, high = found.interval or (found.mean, found.mean)
    return (
        f"{found.count} seeds of one recipe: mean {found.mean:.2%}, standard deviation "
        f"{100 * (found.deviation or 0):.2f} points, 95 % t interval of the mean {low:.2%} to {high:.2%}.",
    )


def notes_on(groups: Sequence[Candidate]) -> tuple[str, ...]:
    """What a reader of the comparison must know."""
    notes = [SELECTION]
    if any(len(group.results) == 1 for group in groups):
        notes.append(
            "One seed says nothing of other seeds: a difference found with one run each may turn with the next seed. "
            "Train 3 or more (--seeds 3)."
        )
    again = [run.id for group in groups for run in group.results if (run.score.openings or 1) > 1]
    if again:
        notes.append(f"The test split was opened more than once for {', '.join(again)}; see `sightlab runs show`.")
    return tuple(notes)
