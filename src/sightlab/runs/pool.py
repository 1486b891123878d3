"""Several trainings at once on one machine: a process of one thread for each core.

Two threads of one process wait for each other after every operation; two processes that train two networks do not.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from sightlab.errors import DivergedError, RunError
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.life import Watch, resume, train
from sightlab.training.loop import Paused

LOOK_SECONDS = 0.2  # between two looks at what the processes say


@dataclass(frozen=True)
class Task:
    """One training of many. known: the folder of an interrupted run to go on with, None to start anew."""

    recipe: Recipe
    known: Path | None = None


@dataclass(frozen=True)
class Ended:
    """How a task ended. number: its place among the tasks. folder: of its run, None where it diverged.

    reason: why it did. seconds: from start to end.
    """

    number: int
    folder: Path | None
    reason: str
    seconds: float


def train_side_by_side(
    tasks: Sequence[Task],
    home: Path,
    workers: int,
    *,
    epoch: Callable[[int, Epoch], None] = lambda _number, _epoch: None,
    pause: Callable[[], bool] = lambda: False,
) -> Iterator[Ended]:
    """Train tasks in so many processes of one thread each; yield each as it ends, which may be in another order.

    One worker is this process itself, with its own threads, one task after the other.
    A task that diverges is a result. epoch: told of each epoch, by the task's place. pause: asked several times a
    second; when it says yes every run under way is kept and Paused raised. Raises what training raises, with the other
    runs kept, and RunError where a process was killed.
    """
    if workers == 1:
        yield from one_by_one(tasks, home, epoch, pause)
        return
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.SimpleQueue()
    with one_thread_each():
        pool = ProcessPoolExecutor(workers, context, begin, (stop, told, os.getpid()))
        waiting = [pool.submit(work, number, task, home) for number, task in enumerate(tasks)]
        try:
            yield from ended(waiting, told, stop, epoch, pause)
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process has gone (killed, or out of memory); the same command goes on where it stopped"
            ) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def one_by_one(
    tasks: Sequence[Task], home: Path, epoch: Callable[[int, Epoch], None], pause: Callable[[], bool]
) -> Iterator[Ended]:
    """Train tasks in this process, in their order."""
    for number, task in enumerate(tasks):
        yield worked(number, task, home, Watch(epoch=partial(epoch, number), pause=pause))


def ended(
    waiting: Sequence[Future[Ended]],
    told: SimpleQueue[tuple[int, Epoch]],
    stop: Event,
    epoch: Callable[[int, Epoch], None],
    pause: Callable[[], bool],
) -> Iterator[Ended]:
    """Each task's end, and on the way its epochs."""
    left = set(waiting)
    while left:
        done, left = wait(left, LOOK_SECONDS, FIRST_COMPLETED)
        while not told.empty():
            epoch(*told.get())
        for future in done:
            if not future.cancelled():
                yield future.result()
        if pause() and not stop.is_set():
            stop.set()
            for future in left:
                future.cancel()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started in the block compute with one thread each."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


# What follows runs in the processes.

ASKED: list[Any] = []  # the event that asks for a pause, and the queue for epochs


def begin(stop: Event, told: SimpleQueue[tuple[int, Epoch]], parent: int) -> None:
    """Set a process up: Ctrl-C is the parent's to answer, and without the parent it has nothing to live for."""
    serve_only(parent)
    ASKED[:] = [stop, told]


def serve_only(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end this process when the parent has gone. parent: its process id."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def outlive_nobody() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=outlive_nobody, daemon=True).start()


def work(number: int, task: Task, home: Path) -> Ended:
    """Train one task to its end. Raises SightlabError, and Paused when asked to."""
    stop, told = ASKED
    if stop.is_set():
        raise Paused(task.recipe.name)
    return worked(number, task, home, Watch(epoch=lambda facts: told.put((number, facts)), pause=stop.is_set))


def worked(number: int, task: Task, home: Path, watch: Watch) -> Ended:
    """Train one task to its end, or go on with it; one that diverges has ended too."""
    started = time.monotonic()
    try:
        run = resume(task.known, watch=watch) if task.known else train(task.recipe, home=home, watch=watch)
    except DivergedError as error:
        return Ended(number, None, str(error), time.monotonic() - started)
    return Ended(number, run.folder, "", time.monotonic() - started)
