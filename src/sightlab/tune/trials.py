"""The trials of a search and the runs they consist of, in memory: rebuilt from the record and the run folders."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightlab.errors import StudyError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.index import STANDING, RunIndex
from sightlab.runs.segments import PausedResult, reached
from sightlab.store.run_folder import identity_in, read_facts, read_run, status_of
from sightlab.tune.rungs import recipe_at
from sightlab.tune.search_plan import Plan, metric_value

PATIENCE_SECONDS = 20.0  # in which a worker notices that its driver is gone


@dataclass
class SeedRun:
    """One run of a trial, with one seed. folder: None before it is known. finished: its test split is opened.

    trained: nothing is left to train, whatever its number of epochs. running: a worker trains it. failure: why it
    failed, "" where it did not. deaths: the number of epochs it had at each death of its process. peer_epochs: of a run
    that another driver trains, as far as it has reported.
    """

    recipe: Recipe
    folder: Path | None = None
    epochs: tuple[Epoch, ...] = ()
    trained: bool = False
    finished: bool = False
    running: bool = False
    failure: str = ""
    deaths: list[int] = field(default_factory=list)
    peer_epochs: tuple[Epoch, ...] = ()

    @property
    def known_epochs(self) -> tuple[Epoch, ...]:
        """Its epochs, whichever driver trained them."""
        return self.epochs or self.peer_epochs

    def has(self, epochs: int) -> bool:
        """Whether it has trained so many epochs, or all that early stopping or a callback leaves it."""
        return (
            self.finished
            or self.trained
            or (bool(self.epochs) and reached(self.epochs, epochs, self.recipe.early_stop))
        )

    def update(self, result: PausedResult) -> None:
        """Take in where a segment has left it."""
        self.folder, self.epochs = result.folder, result.epochs
        self.trained, self.finished = result.trained, result.finished

    def value(self, metric: str, epochs: int) -> float:
        """The metric at the best of its first epochs, whose weights are kept."""
        value = metric_value(best_of(self.epochs[:epochs]), metric)
        assert value is not None  # a run without it is not used
        return value


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """The best epoch by validation, as the training itself decided: the last that was better than all before it."""
    return [epoch for epoch in epochs if epoch.best][-1]


@dataclass
class Trial:
    """One point of the space. number: from 0. rungs: the epochs after which it is evaluated.

    rung: the place of the next one. values_at: the metric at those behind it, mean over the seeds. state: "open"
    (running, or cut off by the budget), "complete", "failed", or "pruned" (ended early; ASHA may promote it later).
    duplicate_of: an earlier trial with the same values. owner: the driver that trains it, "" where there is one only.
    """

    number: int
    values: dict[str, Any]
    recipe: Recipe
    rungs: tuple[int, ...]
    rung: int = 0
    values_at: list[float] = field(default_factory=list)
    state: str = "open"
    reason: str = ""
    duplicate_of: int | None = None
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
    """Every run that trials need, by its recipe's hash, found once among the runs of a home.

    since: when the study was started, ISO 8601: of runs without a whole identity only those from then on are reused.
    driver: which of several this one is; runs of the others' trials are not looked for.
    """

    def __init__(self, plan: Plan, home: Path, since: str, driver: str = "") -> None:
        self.plan, self.home, self.since, self.driver = plan, home, since, driver
        self.peer_epochs: dict[str, tuple[Epoch, ...]] = {}
        self.index = RunIndex(home)
        self.runs: dict[str, SeedRun] = {}
        self.by_trial: dict[tuple[int, int], list[SeedRun]] = {}

    def of(self, trial: Trial, rung: int | None = None) -> list[SeedRun]:
        """A trial's runs at a rung, the next one by default: one for each seed."""
        epochs = trial.target if rung is None else trial.rungs[rung]
        if (trial.number, epochs) not in self.by_trial:
            recipes = self.recipes_of(trial, epochs)
            if trial.owner != self.driver:
                return [SeedRun(one, peer_epochs=self.peer_epochs.get(one.hash, ())) for one in recipes]
            self.by_trial[trial.number, epochs] = [self.run_of(one) for one in recipes]
        return self.by_trial[trial.number, epochs]

    def last_of(self, trial: Trial) -> list[SeedRun]:
        """The runs behind a trial's last value."""
        return self.of(trial, max(0, len(trial.values_at) - 1))

    def recipes_of(self, trial: Trial, epochs: int) -> list[Recipe]:
        """The recipes of a trial's runs at a rung of so many epochs, one for each seed."""
        recipe = recipe_at(trial.recipe, epochs)
        return [changed(recipe, {"seed": seed}) for seed in range(recipe.seed, recipe.seed + self.plan.seeds)]

    def has_runs_of(self, trial: Trial) -> bool:
        """Whether the runs behind a trial's last value are in this home, whoever trained them."""
        return all(self.known(one, STANDING) for one in self.recipes_of(trial, trial.epochs))

    def run_of(self, recipe: Recipe) -> SeedRun:
        """The run of a recipe, looked up on first use."""
        if recipe.hash not in self.runs:
            run = self.runs[recipe.hash] = SeedRun(recipe, peer_epochs=self.peer_epochs.get(recipe.hash, ()))
            run.failure = self.index.diverged(recipe) or ""
            self.load(run, self.find(recipe))
        return self.runs[recipe.hash]

    def add_peer_epochs(self, curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Take in the epochs of runs that another driver trained, by their recipes' hashes."""
        for name, epochs in curves.items():
            self.peer_epochs[name] = tuple(Epoch.from_json(epoch) for epoch in epochs)

    def find(self, recipe: Recipe) -> Path | None:
        """The folder of a run that can be used for a recipe, finished or not; None where there is none."""
        self.wait_for_worker(recipe)
        found = self.known(recipe, STANDING)
        return found[-1][0] if found else None

    def known(self, recipe: Recipe, statuses: Sequence[str]) -> list[tuple[Path, dict[str, Any]]]:
        """The runs of a recipe with one of these statuses, and their records, oldest first.

        By identity; where there is none, those that this study made and whose identity is not on record, or not whole:
        within one study parts that cannot be pinned down are assumed not to change.
        """
        return list(self.index.standing(recipe, 1, statuses)) or [
            (folder, facts)
            for folder, facts in self.index.by_hash.get(recipe.hash, ())
            if status_of(facts) in statuses
            and not is_pinned_down(facts)
            and str(facts.get("started", "")) >= self.since
            and facts.get("data", {}).get("key") == self.plan.data
        ]

    def wait_for_worker(self, recipe: Recipe) -> None:
        """Wait for a run's process to end, where its driver was killed a moment ago.

        Raises StudyError for one that does not end: somebody else trains this recipe.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        for folder, facts in self.known(recipe, ("running",)):
            while status_of(read_facts(folder)) == "running":
                if time.monotonic() > until:
                    raise StudyError(
                        f"{folder.name} is a run of this study and is being trained by process "
                        f"{facts['process']['pid']}; wait until it ends, or stop it first"
                    )
                time.sleep(0.2)
            self.refresh()

    def refresh(self) -> None:
        """Read the home again."""
        self.index = RunIndex(self.home)

    def reload(self, run: SeedRun) -> None:
        """Find out what a process that died has left of its run."""
        self.refresh()
        self.load(run, run.folder or self.find(run.recipe))

    def load(self, run: SeedRun, folder: Path | None) -> None:
        """Read what a folder holds of a run; nothing where there is none, or where its epochs lack the metric."""
        epochs = read_run(folder).epochs if folder is not None else ()
        if folder is not None and all(metric_value(epoch, self.plan.metric) is not None for epoch in epochs):
            status = status_of(read_facts(folder))
            run.update(PausedResult(folder, epochs, status == "trained", status == "finished"))


def is_pinned_down(facts: Mapping[str, Any]) -> bool:
    """Whether a run's record has an identity by which it can be found."""
    identity = identity_in(facts)
    return identity is not None and identity.whole


def curves_of(runs: Sequence[SeedRun]) -> dict[str, list[dict[str, Any]]]:
    """The epochs of runs by their recipes' hashes, plain values: for drivers that do not have their folders."""
    return {run.recipe.hash: [epoch.to_json() for epoch in run.epochs] for run in runs}


def new_trial(plan: Plan, number: int, values: dict[str, Any], earlier: Sequence[Trial]) -> Trial:
    """The trial of these values. earlier: those before it. Raises RecipeError for values that do not go together."""
    original = next((one.number for one in earlier if one.values == values), None)
    return Trial(number, values, plan.recipe_of(values), plan.rungs_of(values), duplicate_of=original)


def ranked(plan: Plan, trials: Sequence[Trial]) -> list[Trial]:
    """The trials that can be selected, the best first: those that trained longest, without duplicates.

    A trial that was ended early, or cut off by the budget, had fewer epochs than the others: its value is not compared
    with theirs, unless none has more.
    """
    known = [one for one in trials if one.value is not None and one.state != "failed" and one.duplicate_of is None]
    ended = [one for one in known if one.state == "complete"]
    if not ended:
        most = max((one.epochs for one in known), default=0)
        ended = [one for one in known if one.epochs == most]
    sign = -1.0 if plan.maximize else 1.0
    return sorted(ended, key=lambda one: (sign * (one.value or 0.0), one.number))


def furthest_first(plan: Plan, trials: Sequence[Trial]) -> list[Trial]:
    """Trials with a value: those with the most epochs first, of equal ones the better, of these the older."""
    sign = -1.0 if plan.maximize else 1.0
    known = [one for one in trials if one.value is not None]
    return sorted(known, key=lambda one: (-one.epochs, sign * (one.value or 0.0), one.number))
