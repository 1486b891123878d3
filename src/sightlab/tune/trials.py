"""The trials of a search and the runs they are made of, in memory: rebuilt from the record and the run folders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightlab.errors import StudyError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.index import STANDING, RunIndex
from sightlab.runs.segments import reached
from sightlab.store.run_folder import read_facts, read_run, status_of
from sightlab.tune.rungs import recipe_at
from sightlab.tune.search_plan import Plan

PATIENCE_SECONDS = 20.0  # in which a worker notices that its driver has gone


@dataclass
class SeedRun:
    """One run of a trial, with one seed. folder: None before it is known. finished: its test split is opened.

    busy: it is being trained. reason: why it failed, "" where it did not. deaths: of its process, by the epoch. heard:
    the epochs of a run that another driver of the study has trained, as far as it has told.
    """

    recipe: Recipe
    folder: Path | None = None
    epochs: tuple[Epoch, ...] = ()
    finished: bool = False
    busy: bool = False
    reason: str = ""
    deaths: list[int] = field(default_factory=list)
    heard: tuple[Epoch, ...] = ()

    @property
    def shown(self) -> tuple[Epoch, ...]:
        """The epochs that are known, whoever trained them."""
        return self.epochs or self.heard

    def there(self, epochs: int) -> bool:
        """Whether it has so many epochs, or all that its patience leaves it."""
        return self.finished or (bool(self.epochs) and reached(self.epochs, epochs, self.recipe.early_stop))

    def value(self, metric: str, epochs: int) -> float:
        """The metric at the best of its first epochs: the one whose weights are kept."""
        best = best_of(self.epochs[:epochs])
        return best.validation_accuracy if metric == "val_accuracy" else best.validation_loss


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """The epoch with the highest validation accuracy, of equal ones that with the lowest loss, the first of these."""
    return max(epochs, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss, -epoch.epoch))


@dataclass
class Trial:
    """One place of the space. number: from 0. rungs: epochs after which it is looked at.

    rung: the place of the next one. values_at: the metric at those behind it, mean over the seeds. state: "open"
    (under way, or cut off by the budget), "complete", "failed", or "pruned" (ended early; ASHA may take it up again).
    twin: an earlier trial with the same values. owner: the driver that trains it, "" where there is one.
    """

    number: int
    values: dict[str, Any]
    recipe: Recipe
    rungs: tuple[int, ...]
    rung: int = 0
    values_at: list[float] = field(default_factory=list)
    state: str = "open"
    reason: str = ""
    twin: int | None = None
    owner: str = ""

    @property
    def value(self) -> float | None:
        """The metric at the last rung that was reached; None before the first."""
        return self.values_at[-1] if self.values_at else None

    @property
    def epochs(self) -> int:
        """The epochs of the last rung that was reached, 0 before the first."""
        return self.rungs[len(self.values_at) - 1] if self.values_at else 0

    @property
    def target(self) -> int:
        """The epochs of the next rung."""
        return self.rungs[min(self.rung, len(self.rungs) - 1)]


class RunCache:
    """Every run that trials need, each known by its recipe's hash, and those that were there before.

    since: when the study was begun, ISO 8601: of a network of the user's own code only runs from then on are taken.
    me: which of several drivers this one is; runs of the others' trials are not looked for.
    """

    def __init__(self, plan: Plan, home: Path, since: str, me: str = "") -> None:
        self.plan, self.home, self.since, self.me = plan, home, since, me
        self.heard: dict[str, tuple[Epoch, ...]] = {}
        self.index = RunIndex(home)
        self.runs: dict[str, SeedRun] = {}
        self.by_trial: dict[tuple[int, int], list[SeedRun]] = {}

    def of(self, trial: Trial, rung: int | None = None) -> list[SeedRun]:
        """A trial's runs at a rung, the next one by default: one for each seed."""
        epochs = trial.target if rung is None else trial.rungs[rung]
        if (trial.number, epochs) not in self.by_trial:
            recipe = recipe_at(trial.recipe, epochs)
            seeds = range(recipe.seed, recipe.seed + self.plan.seeds)
            recipes = [changed(recipe, {"seed": seed}) for seed in seeds]
            if trial.owner != self.me:
                return [SeedRun(one, heard=self.heard.get(one.hash, ())) for one in recipes]
            self.by_trial[trial.number, epochs] = [self.run_of(one) for one in recipes]
        return self.by_trial[trial.number, epochs]

    def lies_here(self, trial: Trial) -> bool:
        """Whether the runs on which a trial's last value stands are in this home, whoever has trained them."""
        recipe = recipe_at(trial.recipe, trial.epochs)
        seeds = range(recipe.seed, recipe.seed + self.plan.seeds)
        return all(list(self.index.standing(changed(recipe, {"seed": seed}), 1, STANDING)) for seed in seeds)

    def run_of(self, recipe: Recipe) -> SeedRun:
        """The run of a recipe, looked up where it is asked for the first time."""
        if recipe.hash not in self.runs:
            run = self.runs[recipe.hash] = SeedRun(recipe, heard=self.heard.get(recipe.hash, ()))
            run.reason = self.index.diverged(recipe) or ""
            folder = self.known(recipe)
            if folder is not None:
                run.folder, run.epochs, run.finished = folder, *kept_in(folder)
        return self.runs[recipe.hash]

    def hear(self, curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Take in the epochs of runs that another driver has trained, by their recipes' hashes."""
        for name, epochs in curves.items():
            self.heard[name] = tuple(Epoch.from_json(epoch) for epoch in epochs)

    def known(self, recipe: Recipe) -> Path | None:
        """The folder of a run that stands for a recipe, finished or interrupted."""
        self.let_go(recipe)
        found = self.index.on_this_data(recipe)
        if found is not None:
            return found[0]
        # Within one study the user's own code and weights are taken to stay what they are.
        ours: list[Path] = [
            folder
            for folder, facts in self.index.standing(recipe, 1, STANDING)
            if str(facts.get("started", "")) >= self.since and facts.get("data", {}).get("key") == self.plan.data
        ]
        return ours[-1] if ours else None

    def let_go(self, recipe: Recipe) -> None:
        """Wait for a run's process to end, where its driver was killed a moment ago.

        Raises StudyError for one that goes on: somebody else trains this recipe.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        for folder, facts in self.index.standing(recipe, 1, ("running",)):
            while status_of(read_facts(folder)) == "running":
                if time.monotonic() > until:
                    raise StudyError(
                        f"{folder.name} is a run of this study, and process {facts['process']['pid']} trains it; wait "
                        "for its end, or stop it first"
                    )
                time.sleep(0.2)
            self.index = RunIndex(self.home)

    def look_again(self, run: SeedRun) -> None:
        """Find out what a process that died has left of its run."""
        self.index = RunIndex(self.home)
        folder = run.folder or self.known(run.recipe)
        if folder is not None:
            run.folder, run.epochs, run.finished = folder, *kept_in(folder)


def curves_of(runs: Sequence[SeedRun]) -> dict[str, list[dict[str, Any]]]:
    """The epochs of runs by their recipes' hashes, plain values: for drivers that have not got their folders."""
    return {run.recipe.hash: [epoch.to_json() for epoch in run.epochs] for run in runs}


def kept_in(folder: Path) -> tuple[tuple[Epoch, ...], bool]:
    """The epochs of a run's record, and whether it has finished."""
    return read_run(folder).epochs, status_of(read_facts(folder)) == "finished"


def new_trial(plan: Plan, number: int, values: dict[str, Any], earlier: Sequence[Trial]) -> Trial:
    """The trial of these values. earlier: those before it."""
    twin = next((one.number for one in earlier if one.values == values), None)
    return Trial(number, values, plan.recipe_of(values), plan.rungs_of(values), twin=twin)


def ranked(plan: Plan, trials: Sequence[Trial]) -> list[Trial]:
    """The trials that can be chosen, the best first: those with the most epochs behind them, and no twins.

    A trial that was ended early, or that the budget cut off, had fewer epochs than the others: its value is not theirs
    to be held against, unless none has more.
    """
    known = [one for one in trials if one.value is not None and one.state != "failed" and one.twin is None]
    ended = [one for one in known if one.state == "complete"]
    if not ended:
        most = max((one.epochs for one in known), default=0)
        ended = [one for one in known if one.epochs == most]
    sign = -1.0 if plan.high else 1.0
    return sorted(ended, key=lambda one: (sign * (one.value or 0.0), one.number))


def furthest_first(plan: Plan, trials: Sequence[Trial]) -> list[Trial]:
    """Trials with a value: those with the most epochs first, of equal ones the better, of these the older."""
    sign = -1.0 if plan.high else 1.0
    known = [one for one in trials if one.value is not None]
    return sorted(known, key=lambda one: (-one.epochs, sign * (one.value or 0.0), one.number))


def under_way(trials: Sequence[Trial]) -> Iterator[Trial]:
    """The trials that have not come to an end, oldest first."""
    return (one for one in trials if one.state == "open")
