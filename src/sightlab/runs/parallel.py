"""Several trainings at once on one machine: a process of one thread for each core.

Two threads of one process wait for each other after every operation; two processes that train two networks do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sightlab.errors import DivergedError, RunError, SightlabError
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.lifecycle import Watch
from sightlab.runs.segments import life_of
from sightlab.runs.tasks import Channel, Message, Task, TaskContext, TaskError, WorkerLost
from sightlab.runs.worker_pool import WorkerPool
from sightlab.training.loop import Paused

LOOK_SECONDS = 0.2  # between two looks at what the processes say

TellEpoch = Callable[[int, Epoch], None]
Asked = Callable[[], bool]


@dataclass(frozen=True)
class Training:
    """One training of many. known: the folder of an interrupted run to go on with, None to start anew."""

    recipe: Recipe
    known: Path | None = None


@dataclass(frozen=True)
class Ended:
    """How a training ended. number: its place among the others. folder: of its run, None where it diverged.

    reason: why it did. seconds: from start to end.
    """

    number: int
    folder: Path | None
    reason: str
    seconds: float


def train_side_by_side(
    trainings: Sequence[Training],
    home: Path,
    workers: int,
    *,
    epoch: TellEpoch = lambda _number, _epoch: None,
    pause: Asked = lambda: False,
) -> Iterator[Ended]:
    """Train in so many processes of one thread each; yield each training as it ends, which may be in another order.

    One worker is this process itself, with its own threads, one training after the other.
    A training that diverges is a result. epoch: told of each epoch, by the training's place. pause: asked several times
    a second; when it says yes every run under way is kept and Paused raised. Raises what training raises, with the
    other runs kept, and RunError where a process was killed.
    """
    if workers == 1:
        for number, training in enumerate(trainings):
            context = TaskContext(training.recipe, home, training.known)
            yield known_end(to_the_end(number, Here(partial(epoch, number), pause), context))
        return
    with WorkerPool(workers) as crew:
        yield from by_crew(crew, trainings, home, epoch, pause)


def by_crew(
    crew: WorkerPool, trainings: Sequence[Training], home: Path, epoch: TellEpoch, pause: Asked
) -> Iterator[Ended]:
    """Hand trainings to processes, in their order, until all have ended."""
    waiting = list(enumerate(trainings))
    while waiting or crew.busy:
        while waiting and crew.idle and not pause():
            number, training = waiting.pop(0)
            crew.give(number, Task(partial(to_the_end, number), TaskContext(training.recipe, home, training.known)))
        for news in crew.news(LOOK_SECONDS):
            if isinstance(news, Message):
                epoch(news.number, news.message)
            elif isinstance(news, WorkerLost):
                raise RunError(
                    f"a worker process has gone ({news.why}): killed, or out of memory; the same command goes on where "
                    "it stopped"
                )
            elif isinstance(news, TaskError):
                raise RunError(f"{trainings[news.number].recipe.name}: {news.error}; what was trained is kept")
            else:
                yield known_end(news.result)
        if pause():
            crew.stop()
            if not crew.busy:
                raise Paused


def known_end(found: Ended | Exception) -> Ended:
    """How a training ended; raises what it was ended by."""
    if isinstance(found, Exception):
        raise found
    return found


@dataclass(frozen=True)
class Here:
    """The channel of a training in this process."""

    epoch: Callable[[Epoch], None]
    pause: Asked

    def tell(self, message: Any) -> None:
        """See `Channel`."""
        self.epoch(message)

    def stop(self) -> bool:
        """See `Channel`."""
        return self.pause()


def to_the_end(number: int, channel: Channel, context: TaskContext) -> Ended | Exception:
    """Train to the end, or go on to it, telling each epoch; gives what of sightlab's own errors came between."""
    started = time.monotonic()
    try:
        run = life_of(context, Watch(epoch=channel.tell, pause=channel.stop))
    except DivergedError as error:
        return Ended(number, None, str(error), time.monotonic() - started)
    except (SightlabError, Paused) as error:
        return error
    return Ended(number, run.folder, "", time.monotonic() - started)
