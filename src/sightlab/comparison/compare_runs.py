"""Comparisons of runs by the predictions in their folders, on the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightlab.comparison.candidates import Candidate, RunResult, candidates, differences
from sightlab.comparison.grouping import chosen, grouped, identity_notes, replicates
from sightlab.comparison.seed_interval import spread
from sightlab.errors import RunError
from sightlab.records import Difference, Epoch, RankedCandidate, Run
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import read_facts, run_from

SELECTION = (
    "These are test scores. Choose a model by validation, not by these: the best of several test scores is too good."
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found.

    candidates: in the order they were named, each against the first. differences: of every pair, corrected over all
    pairs. curves: (candidate, epochs) for each run. folders: the runs' folders, by candidate. notes: what a reader must
    know.

    >>> Comparison((), (), (), {}, ("nothing was compared",)).to_json()["notes"]
    ['nothing was compared']
    """

    candidates: tuple[RankedCandidate, ...]
    differences: tuple[Difference, ...]
    curves: tuple[tuple[str, tuple[Epoch, ...]], ...]
    folders: dict[str, tuple[Path, ...]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON. `contenders` and `gains` are older names of candidates and differences."""
        candidates = [one.to_json() for one in self.candidates]
        differences = [one.to_json() for one in self.differences]
        old_names = {"contenders": candidates, "gains": differences}
        return {"candidates": candidates, "differences": differences, **old_names, "notes": list(self.notes)}


def compare(*runs: Run | str | Path, home: Path | str | None = None) -> Comparison:
    """Compare finished runs by their stored test predictions; no test split is opened.

    runs: runs, what names one, or studies. Runs that differ in their seed alone make one candidate. home: where runs
    are found by the beginning of their id. Raises RunError as `compare_runs` does.

    >>> import sightlab, tempfile
    >>> tiny = {"model": "lenet", "limit_per_class": 20, "epochs": 1, "report": False}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     runs = [sightlab.train(sightlab.recipe("cnn", lr=lr, **tiny), home=folder) for lr in (0.01, 0.02)]
    ...     found = sightlab.compare(*runs)
    >>> [one.name for one in found.candidates], found.differences[0].images
    (['lenet, lr 0.01', 'lenet, lr 0.02'], 2000)
    """
    return compare_runs(chosen(runs, home))


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Compare finished runs by their stored test predictions; no test split is opened.

    Runs that differ in their seed alone make one candidate; if all of them do, each is a candidate of its own and their
    mean is noted. Runs of one training with equal seeds, and copies of a run, count once, which a note says. Raises
    RunError for fewer than two runs, runs tested on different images, or predictions that are missing or damaged.
    """
    if len(folders) < 2:
        raise RunError(f"{', '.join(one.name for one in folders) or 'no run'}: a comparison needs two runs or more")
    counted, left_out = replicates(folders)
    if len(counted) < 2:
        raise RunError(
            f"{', '.join(one.name for one in folders)}: a comparison needs two runs of different seeds at least; "
            + " ".join(left_out).rstrip(".")
        )
    members = grouped(counted)
    notes = (*left_out, *identity_notes(members))
    one_training = len(members) == 1
    if one_training:
        members = {folder.name: [folder] for folder in counted}
    groups = [Candidate(name, tuple(result_of(folder) for folder in runs)) for name, runs in members.items()]
    curves = [(name, run_from(one, read_facts(one)).epochs) for name, runs in members.items() for one in runs]
    return Comparison(
        candidates=tuple(candidates(groups)),
        differences=tuple(differences(groups)),
        curves=tuple(curves),
        folders={name: tuple(runs) for name, runs in members.items()},
        notes=(*(seeds_together(groups) if one_training else notes_on(groups)), *notes),
    )


def result_of(folder: Path) -> RunResult:
    """What a comparison takes of one run. Raises RunError."""
    facts = read_facts(folder)
    run = run_from(folder, facts)
    predictions = read_predictions(folder / "predictions-test.safetensors")
    if run.test is None or len(predictions) != run.test.count:
        raise RunError(f"{folder}: has no test score, or one of other predictions than those in the folder")
    return RunResult(
        id=run.id,
        test_key=str(facts.get("test_key", "")),
        score=run.test,
        labels=predictions.labels,
        correct=predictions.logits.argmax(axis=1) == predictions.labels,
        parameters=run.parameters,
        flops=facts.get("flops"),
        seconds=run.seconds,
        images_per_second=run.images_per_second,
    )


def seeds_together(groups: Sequence[Candidate]) -> tuple[str, ...]:
    """What several seeds of one training come to together."""
    found = spread([group.results[0].score.accuracy for group in groups], 0.0, 1.0)
    lead = f"{found.count} seeds of one training: mean accuracy {found.mean:.2%}"
    if found.interval is None:
        return (f"{lead}, the same for every seed: no interval of the mean can be had from them.",)
    low, high = found.interval
    few = (
        ". Two seeds leave one degree of freedom, so that hardly anything is known of the spread: train 3 or more"
        if found.count == 2
        else ""
    )
    return (
        f"{lead}, standard deviation {100 * (found.deviation or 0):.2f} points, 95 % t interval of the mean "
        f"{low:.2%} to {high:.2%}{few}.",
    )


def notes_on(groups: Sequence[Candidate]) -> tuple[str, ...]:
    """What a reader of the comparison must know."""
    notes = [SELECTION]
    if any(len(group.results) == 1 for group in groups):
        notes.append(
            "One seed says nothing about other seeds: a difference found with one run each may turn around with the "
            "next seed. Train 3 or more (--seeds 3)."
        )
    elif any(len(group.results) == 2 for group in groups):
        notes.append("Two seeds leave one degree of freedom: intervals over them are as wide as that. Train 3 or more.")
    again = [run.id for group in groups for run in group.results if (run.score.openings or 1) > 1]
    if again:
        notes.append(f"The test split was opened more than once for {', '.join(again)}; see `sightlab runs show`.")
    return tuple(notes)
