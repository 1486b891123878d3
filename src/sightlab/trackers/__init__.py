"""Where else a run is written as it goes: TensorBoard, MLflow. The run folder stays the record; these are copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from sightlab.errors import RecipeError, RunError, suggestion
from sightlab.records import Epoch, Run
from sightlab.trackers import mlflow, tensorboard


class Tracker(Protocol):
    """One copy of one run. where: the folder or address it is in. Raises RunError where it cannot be written."""

    where: str

    def epoch(self, epoch: Epoch) -> None:
        """Write an epoch's facts."""

    def end(self, run: Run, status: str) -> None:
        """Write the scores and pictures that there are, and close. status: finished, interrupted or failed."""


TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "mlflow": mlflow.MlflowTracker,
    "tensorboard": tensorboard.TensorBoardTracker,
}


class Copies:
    """The trackers of one run. One that fails is left out from then on and said so: a copy ends no training.

    names: as in `TRACKERS`. folder: the run's. Nothing is opened before the first epoch is written.
    """

    def __init__(self, names: Iterable[str], folder: Path, say: Callable[[str], None]) -> None:
        self.waiting = list(names)
        self.open: dict[str, Tracker] = {}
        self.folder = folder
        self.say = say

    def epoch(self, epoch: Epoch) -> None:
        """Write an epoch's facts everywhere."""
        self.each(lambda tracker: tracker.epoch(epoch))

    def end(self, run: Run, status: str) -> None:
        """Close everywhere."""
        self.each(lambda tracker: tracker.end(run, status))

    def each(self, write: Callable[[Tracker], None]) -> None:
        """Write to every tracker that works."""
        for name in [*self.waiting, *self.open]:
            try:
                if name in self.waiting:
                    self.open[name] = TRACKERS[name](self.folder)
                    self.waiting.remove(name)
                write(self.open[name])
            except RunError as error:
                self.say(f"log: {error}; the run goes on without {name}")
                self.open.pop(name, None)
                self.waiting = [other for other in self.waiting if other != name]


def check(names: Sequence[str]) -> None:
    """Raises RecipeError for a tracker that is not known, or whose library is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise RecipeError(f"log: unknown tracker {name!r}; {suggestion(name, TRACKERS)}")
        if find_spec(name) is None:
            raise RecipeError(f"log: {name} is not installed; pip install 'sightlab[{name}]'")


def export(run: Run, status: str, name: str) -> str:
    """Write a run that is in its folder to a tracker; where that is. Raises RecipeError or RunError."""
    check([name])
    tracker = TRACKERS[name](run.folder)
    for epoch in run.epochs:
        tracker.epoch(epoch)
    tracker.end(run, status)
    return tracker.where
