"""Tasks worked off by a Ray cluster, as `WorkerPool` does by processes of this machine.

Nothing is asked of the nodes but Ray and the same sightlab: pictures are put into Ray's object store, which brings them
to a node once, whatever number of tasks there look at them; a run's folder goes to the node with the task, and comes
back after every epoch. So the home on the driver's machine is as new as the last whole epoch, and a run whose node has
died goes on from there on another. Tried on CPUs alone: `gpus` is handed to Ray and has not been run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from sightlab.data.splits import Splits
from sightlab.errors import RunError, one_line
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.ray_client import Cluster, node_here
from sightlab.runs.run_archive import RunArchive, Stamps, pack, restamped, unpack
from sightlab.runs.segments import PausedResult
from sightlab.runs.tasks import Message, Result, Task, TaskError, TaskEvent, WorkerLost
from sightlab.store.database.engine import VARIABLE
from sightlab.store.database.upsert import record
from sightlab.store.liveness import this_process
from sightlab.training.prepare import splits_of
from sightlab.version import __version__

LOOK_SECONDS = 0.2  # between two looks at what the tasks say
ASK_SECONDS = 0.5  # between two looks of a task at whether it is to stop


@dataclass
class PendingTask:
    """A task under way. home: of its run on this machine; folder: of the run, None before it is known.

    node: where it is done, "" before it has begun.
    """

    number: int
    answer: Any
    home: Path
    folder: Path | None
    node: str = ""


@dataclass
class RayExecutor:
    """Tasks at once on a cluster, each with its share of it.

    cluster: connected to. most: tasks at once, None for as many as the cluster has room for, which changes as nodes
    come and go. cpus, gpus: of each task, as Ray counts them; a task has floor(cpus) threads, at least one.
    say: told what the database of runs refuses.
    """

    cluster: Cluster
    most: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    say: Callable[[str], None] = lambda _: None
    errands: dict[int, PendingTask] = field(default_factory=dict)
    placed: dict[Any, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        try:
            self.cluster.check_room(self.cpus, self.gpus)
            self.post = self.cluster.actor(Mailbox)
        except BaseException:
            self.cluster.leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RunError):
            self.stop()
            while self.busy:
                self.news(1.0)
        self.cluster.leave()

    @property
    def workers(self) -> int:
        """How many tasks are done at once: one at least, as a node may be about to come back."""
        room = self.cluster.room(self.cpus, self.gpus)
        return max(1, room if self.most is None else min(self.most, room))

    @property
    def busy(self) -> list[int]:
        """The numbers of the tasks under way."""
        return list(self.errands)

    @property
    def idle(self) -> int:
        """How many tasks can be given at once."""
        return max(0, self.workers - len(self.errands))

    def give(self, number: int, task: Task) -> None:
        """Give a task to the cluster. Raises ValueError where all that it has room for are busy, RunError."""
        if not self.idle:
            raise ValueError(f"task {number}: the cluster has no room for another")
        context = task.context
        parcel = None  # through the object store too: a checkpoint is too large for a message
        if context.folder is not None:
            parcel = self.cluster.put(restamped(pack(context.folder, {}), "interrupted", None))
        order = Order(number, replace(task, context=replace(context, home=Path(), folder=None)), self.threads)
        data = self.data_of(context.recipe)
        answer = self.cluster.task(work_here, self.cpus, self.gpus, order, parcel, data, self.post)
        self.errands[number] = PendingTask(number, answer, context.home, context.folder)

    @property
    def threads(self) -> int:
        """Threads of each task."""
        return max(1, int(self.cpus))

    def data_of(self, recipe: Recipe) -> Any:
        """A recipe's pictures in the object store, put there once; None for what is decoded as it is asked for."""
        if recipe.data not in self.placed:
            splits = splits_of(recipe, None, None)
            self.placed[recipe.data] = self.cluster.put(splits) if splits.train.held else None
        return self.placed[recipe.data]

    def stop(self) -> None:
        """Ask every task under way to keep what it has and end."""
        self.cluster.ask(self.post.stop, self.busy)

    def news(self, seconds: float) -> list[TaskEvent]:
        """What the tasks have told by now; waits so long for the first. Raises RunError for a cluster that is gone."""
        until = time.monotonic() + seconds
        while True:
            # What has ended is looked up first: everything that its task told has then arrived.
            answers = [errand.answer for errand in self.errands.values()]
            ended = self.cluster.ended(answers, min(LOOK_SECONDS, max(0.0, until - time.monotonic())))
            found: list[TaskEvent] = []
            for number, message, parcel in self.cluster.ask(self.post.collect):
                found += self.heard(number, message, parcel)
            for errand in [one for one in self.errands.values() if one.answer in ended]:
                found.append(self.end_of(errand))
                del self.errands[errand.number]
            if found or not answers or time.monotonic() >= until:
                return found

    def heard(self, number: int, message: Any, parcel: RunArchive | None) -> list[Message]:
        """A task's message; nothing for one that is known to have gone."""
        errand = self.errands.get(number)
        if errand is None:
            return []
        if isinstance(message, At):
            errand.node = message.node
            return []
        if parcel is not None:
            self.receive(errand, parcel)
        return [Message(number, message)]

    def receive(self, errand: PendingTask, parcel: RunArchive) -> None:
        """Bring a run's folder here up to date. While it is trained, it is running for as long as this process is."""
        if errand.folder is None:
            errand.folder = errand.home / parcel.name
            try:
                errand.folder.mkdir(parents=True)
            except OSError as error:
                raise RunError(f"{errand.folder}: cannot be made: {error.strerror}") from error
        unpack(restamped(parcel, "running", this_process()), errand.folder.parent)
        self.on_record(errand.folder)

    def on_record(self, folder: Path) -> None:
        """Write a run into the database of its home, which may refuse: the folder is complete without it."""
        try:
            record(folder)
        except RunError as error:
            self.say(f"{error}; `sightlab runs rebuild` will put {folder.name} on record")

    def end_of(self, errand: PendingTask) -> Result | TaskError | WorkerLost:
        """How a task came to its end."""
        found = self.cluster.answer(errand.answer, errand.node)
        if isinstance(found, Answer):
            if found.parcel is not None:
                self.receive(errand, found.parcel)
            if found.error:
                return TaskError(errand.number, found.error)
            result = found.result
            if isinstance(result, PausedResult) and errand.folder is not None:
                result = replace(result, folder=errand.folder)
            return Result(errand.number, result)
        if errand.folder is not None:
            unpack(restamped(pack(errand.folder, {}), "interrupted", None), errand.folder.parent)
            self.on_record(errand.folder)
        return WorkerLost(errand.number, found.why, found.blameless)


# What follows runs on the nodes.


@dataclass(frozen=True)
class Order:
    """What a node is sent: the task, how many threads it has, and whose sightlab wants it done."""

    number: int
    task: Task
    threads: int
    version: str = __version__


@dataclass(frozen=True)
class Answer:
    """What comes back. error: in a line, "" for none. parcel: what has changed in the run's folder."""

    result: Any
    error: str
    parcel: RunArchive | None


@dataclass(frozen=True)
class At:
    """A task has begun on this node."""

    node: str


class Mailbox:
    """Where tasks leave messages, and ask whether they are to stop; lives on the cluster's head node."""

    def __init__(self) -> None:
        self.mail: list[tuple[int, Any, RunArchive | None]] = []
        self.stopped: set[int] = set()

    def tell(self, number: int, message: Any, parcel: RunArchive | None = None) -> None:
        """Leave a message."""
        self.mail.append((number, message, parcel))

    def collect(self) -> list[tuple[int, Any, RunArchive | None]]:
        """Every message since the last time, oldest first."""
        mail, self.mail = self.mail, []
        return mail

    def stop(self, numbers: list[int]) -> None:
        """Ask these tasks to stop."""
        self.stopped.update(numbers)

    def is_stopped(self, number: int) -> bool:
        """Whether a task is asked to stop."""
        return number in self.stopped


class Posted:
    """A task's channel through the post. home: where its run's folder is, on the node."""

    def __init__(self, post: Any, number: int, home: Path) -> None:
        import ray

        self.get, self.post, self.number, self.home = ray.get, post, number, home
        self.sent: Stamps = {}
        self.asked = threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Ask now and then whether to stop; a post that has gone means that there is nobody to train for."""
        while not self.asked.wait(ASK_SECONDS):
            try:
                stopped = self.get(self.post.is_stopped.remote(self.number))
            except Exception:  # noqa: BLE001 - whatever it is, nobody hears of it
                stopped = True
            if stopped:
                self.asked.set()

    def stop(self) -> bool:
        """See `Channel`."""
        return self.asked.is_set()

    def tell(self, message: Any) -> None:
        """See `Channel`. With an epoch goes what it has changed in the run's folder, and it is waited for."""
        if isinstance(message, Epoch):
            self.get(self.post.tell.remote(self.number, message, self.parcel()))
        else:
            self.post.tell.remote(self.number, message)

    def parcel(self) -> RunArchive | None:
        """What has changed in the run's folder since the last parcel; None before there is one."""
        folders = [path.parent for path in self.home.glob("*/run.json")]
        return pack(folders[0], self.sent) if folders else None


def work_here(order: Order, parcel: RunArchive | None, data: Splits | None, post: Any) -> Answer:
    """Do a task on this node, in a home of its own.

    parcel: of the run that is gone on with, or looked into. data: None where they are found by the recipe.
    """
    if order.version != __version__:
        return Answer(None, f"node {node_here()} has sightlab {__version__}, the driver {order.version}", None)
    os.environ["OMP_NUM_THREADS"] = str(order.threads)  # which is asked for its threads by whatever trains or tests
    os.environ.pop(VARIABLE, None)  # the driver puts the run on record
    with TemporaryDirectory(prefix="sightlab-") as folder:
        home = Path(folder)
        channel = Posted(post, order.number, home)
        channel.tell(At(node_here()))
        known = unpack(parcel, home) if parcel is not None else None
        if known is not None:
            pack(known, channel.sent)  # is there already, where the parcel came from
        context = replace(order.task.context, home=home, folder=known, data=data)
        result, error = None, ""
        try:
            result = order.task.work(channel, context)
        except Exception as problem:  # noqa: BLE001 - whatever went wrong is told to who gave the task
            error = one_line(f"{type(problem).__name__}: {problem}")
        channel.asked.set()
        return Answer(result, error, channel.parcel())
