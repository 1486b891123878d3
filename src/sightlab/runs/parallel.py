"""Several trainings at once on one machine: one process with one thread for each core.

Two threads of one process wait for each other after every operation; two processes that train two networks do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sightlab.errors import DivergedError, SightlabError
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.executor import result_of, run_tasks
from sightlab.runs.segments import SegmentCallback, start_or_resume
from sightlab.runs.tasks import Channel, Task, TaskContext
from sightlab.runs.worker_pool import WorkerPool
from sightlab.training.callbacks import Paused

OnEpoch = Callable[[int, Epoch], None]
ShouldPause = Callable[[], bool]


@dataclass(frozen=True)
class Training:
    """One training of several. folder: of an interrupted run to resume, None to start a new one."""

    recipe: Recipe
    folder: Path | None = None


@dataclass(frozen=True)
class TrainingEnd:
    """How a training ended. number: its place among the others. folder: of its run, None where it diverged.

    reason: why it did. seconds: from start to end.
    """

    number: int
    folder: Path | None
    reason: str
    seconds: float


def train_parallel(
    trainings: Sequence[Training],
    home: Path,
    jobs: int,
    *,
    on_epoch: OnEpoch = lambda _number, _epoch: None,
    should_pause: ShouldPause = lambda: False,
) -> Iterator[TrainingEnd]:
    """Train in `jobs` processes of one thread each; yield how each training ended, in the order in which they end.

    With one job the trainings run in this process, with all of its threads, one after the other.
    A training that diverges is a result. on_epoch: called with the training's place and each of its epochs.
    should_pause: asked several times a second; once it says yes every running training is saved and Paused is raised.
    Raises what training raises, with the other runs saved, and RunError where a process was killed.
    """
    if jobs == 1:
        for number, training in enumerate(trainings):
            context = TaskContext(training.recipe, home, training.folder)
            yield end_of(train_to_end(number, LocalChannel(partial(on_epoch, number), should_pause), context))
        return
    tasks = [
        Task(partial(train_to_end, number), TaskContext(training.recipe, home, training.folder))
        for number, training in enumerate(trainings)
    ]
    with WorkerPool(jobs) as pool:
        for end in run_tasks(pool, tasks, should_pause, partial(pass_epochs, on_epoch)):
            yield end_of(result_of(end, trainings[end.number].recipe.name))


def pass_epochs(on_epoch: OnEpoch, number: int, message: object) -> None:
    """Call back with the epochs among a training's messages."""
    if isinstance(message, Epoch):
        on_epoch(number, message)


def end_of(result: TrainingEnd | Exception) -> TrainingEnd:
    """How a training ended; raises the error that ended it."""
    if isinstance(result, Exception):
        raise result
    return result


@dataclass(frozen=True)
class LocalChannel:
    """The channel of a training in this process."""

    on_epoch: Callable[[Epoch], None]
    should_pause: ShouldPause

    def send(self, message: Any) -> None:
        """See `Channel`."""
        if isinstance(message, Epoch):
            self.on_epoch(message)

    def should_stop(self) -> bool:
        """See `Channel`."""
        return self.should_pause()


def train_to_end(number: int, channel: Channel, context: TaskContext) -> TrainingEnd | Exception:
    """Train or resume a run to its end, sending each epoch; returns sightlab's own errors instead of raising them."""
    started = time.monotonic()
    try:
        run = start_or_resume(context, SegmentCallback(channel))
    except DivergedError as error:
        return TrainingEnd(number, None, str(error), time.monotonic() - started)
    except (SightlabError, Paused) as error:
        return error
    return TrainingEnd(number, run.folder, "", time.monotonic() - started)
