"""What is reported while a search runs: messages, its current view, predicted against measured cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sightlab.records import duration
from sightlab.report.phrases import counted
from sightlab.tune.cost_model import Pace
from sightlab.tune.search_state import Job


@dataclass(frozen=True)
class View:
    """A search at one moment.

    workers: (trial in words, epoch, epochs to reach, share of the epoch) of each running job. ended:
    trials; most: how many there can be, None for no end. best: the best trial so far in words. left: of the budget, in
    words.
    """

    workers: tuple[tuple[str, int, int, float], ...]
    ended: int
    most: int | None
    best: str
    seconds: float
    left: str


@dataclass(frozen=True)
class SearchCallback:
    """Callbacks of a search; all default to no-ops.

    on_message: a line of text. on_progress: the current view, several times a second. should_pause: asked several times
    a second; once it says yes, runs are saved and Paused is raised.
    """

    on_message: Callable[[str], None] = lambda _: None
    on_progress: Callable[[View], None] = lambda _: None
    should_pause: Callable[[], bool] = lambda: False


@dataclass
class CostLog:
    """Predicted against measured cost of this session.

    predicted, measured: seconds of workers, over `jobs` finished jobs. wall: seconds of the search, without
    `measuring`, the seconds of the measurements before it.
    """

    epochs: int = 0
    jobs: int = 0
    predicted: float = 0.0
    measured: float = 0.0
    wall: float = 0.0
    measuring: float = 0.0

    def add(self, job: Job, pace: Pace | None) -> None:
        """Add a job that has ended. pace: as predicted for its trial."""
        self.jobs += 1
        self.measured += time.monotonic() - job.started
        if pace is not None:
            self.predicted += pace.start + (len(job.run.epochs) - job.first_epochs) * pace.epoch

    def __str__(self) -> str:
        if not self.jobs:
            return "nothing to train: every run exists already"
        took = f"{duration(self.measured)} of worker time, {duration(self.predicted)} predicted"
        return f"{counted(self.epochs, 'epoch')} trained in {duration(self.wall)}: {took}"
