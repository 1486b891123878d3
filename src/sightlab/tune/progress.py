"""What is told of a search as it goes: lines, how it stands, predicted against real."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sightlab.data.imageset import Progress
from sightlab.records import duration
from sightlab.report.phrases import counted
from sightlab.training.loop import Tick
from sightlab.tune.cost_model import Pace
from sightlab.tune.search_plan import Plan
from sightlab.tune.space import worded
from sightlab.tune.trials import SeedRun, Trial


@dataclass(frozen=True)
class View:
    """How a search stands. workers: (trial in words, epoch, epochs to reach, share of the epoch) of each run under way.

    ended: trials; most: how many there can be, None for no end. best: the best trial so far in words.
    """

    workers: tuple[tuple[str, int, int, float], ...]
    ended: int
    most: int | None
    best: str
    seconds: float
    left: str


@dataclass(frozen=True)
class Watch:
    """Who is told what while a search goes on. say: a line. look: how it stands, several times a second.

    decoding: pictures read and in all. pause: asked several times a second; when it says yes, runs are kept and Paused
    is raised.
    """

    say: Callable[[str], None] = lambda _: None
    look: Callable[[View], None] = lambda _: None
    decoding: Progress | None = None
    pause: Callable[[], bool] = lambda: False


@dataclass
class Job:
    """A stretch under way. begun: its run's epochs when it was given; at: when, by the monotonic clock."""

    trial: Trial
    run: SeedRun
    until: int
    begun: int
    at: float
    tick: Tick | None = None


@dataclass
class Account:
    """Predicted against real, of this sitting.

    predicted, real: seconds of workers. wall: of the search, without the measuring before it.
    """

    epochs: int = 0
    stretches: int = 0
    predicted: float = 0.0
    real: float = 0.0
    wall: float = 0.0
    measuring: float = 0.0

    def add(self, job: Job, pace: Pace | None) -> None:
        """Put a stretch that has come to its end into the account. pace: as predicted for its trial."""
        self.stretches += 1
        self.real += time.monotonic() - job.at
        if pace is not None:
            self.predicted += pace.start + (len(job.run.epochs) - job.begun) * pace.epoch

    def __str__(self) -> str:
        if not self.stretches:
            return "nothing was trained: every run was there already"
        took = f"{duration(self.real)} of one worker's time against {duration(self.predicted)} predicted"
        return f"{counted(self.epochs, 'epoch')} trained in {duration(self.wall)}: {took}"


def words_of(job: Job) -> str:
    """A run under way in words."""
    seed = f", seed {job.run.recipe.seed}" if job.trial.recipe.seed != job.run.recipe.seed else ""
    return f"trial {job.trial.number + 1} ({worded(job.trial.values)}{seed})"


def metric_words(plan: Plan, value: float) -> str:
    """A value of the metric in words."""
    return f"{value:.2%}" if plan.high else f"loss {value:.4f}"
