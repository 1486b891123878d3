"""Tasks run by a Ray cluster, as `WorkerPool` runs them in processes of this machine.

Nodes need nothing but Ray and the same sightlab: images are put into Ray's object store, which sends them to a node
once, however many tasks there read them; a run's folder goes to the node with the task, and comes back after every
epoch. So the home on the driver's machine is as new as the last whole epoch, and a run whose node died is resumed from
there on another. Tested on CPUs only: `gpus` is passed to Ray and has not been run.
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
from sightlab.runs.executor import POLL_SECONDS
from sightlab.runs.ray_client import Cluster, node_here
from sightlab.runs.run_archive import RunArchive, Stamps, pack, unpack, with_status
from sightlab.runs.segments import PausedResult
from sightlab.runs.tasks import Message, Result, Task, TaskEnd, TaskError, TaskEvent, WorkerLost
from sightlab.store.database.engine import VARIABLE
from sightlab.store.database.upsert import record
from sightlab.store.liveness import this_process
from sightlab.training.prepare import splits_of
from sightlab.version import __version__

STOP_POLL_SECONDS = 0.5  # after which a task asks again whether it is to stop


@dataclass
class PendingTask:
    """A task that has been submitted. reference: Ray's, of its result. home: where its run goes on this machine.

    folder: of the run, None before it is known. node: where it runs, "" before it has begun.
    """

    number: int
    reference: Any
    home: Path
    folder: Path | None
    node: str = ""


@dataclass
class RayExecutor:
    """Runs tasks on a cluster, each with its share of it.

    cluster: connected. most: tasks at once, None for as many as the cluster has room for, which changes as nodes come
    and go. cpus, gpus: of each task, as Ray counts them; a task gets floor(cpus) threads, at least one.
    on_message: called with what the database of runs refuses.
    """

    cluster: Cluster
    most: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    on_message: Callable[[str], None] = lambda _: None
    pending: dict[int, PendingTask] = field(default_factory=dict)
    stored_data: dict[Any, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        try:
            self.cluster.check_room(self.cpus, self.gpus)
            self.mailbox = self.cluster.actor(Mailbox)
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
                self.events(1.0)
        self.cluster.leave()

    @property
    def workers(self) -> int:
        """How many tasks run at once: at least one, as a node may be about to come back."""
        room = self.cluster.room(self.cpus, self.gpus)
        return max(1, room if self.most is None else min(self.most, room))

    @property
    def busy(self) -> list[int]:
        """The numbers of the running tasks."""
        return list(self.pending)

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        return max(0, self.workers - len(self.pending))

    def submit(self, number: int, task: Task) -> None:
        """Submit a task to the cluster. Raises ValueError where there is no room for another, RunError."""
        if not self.idle:
            raise ValueError(f"task {number}: the cluster has no room for another")
        context = task.context
        archive = None  # through the object store too: a checkpoint is too large for a message
        if context.folder is not None:
            archive = self.cluster.put(with_status(pack(context.folder, {}), "interrupted", None))
        remote = RemoteTask(number, replace(task, context=replace(context, home=Path(), folder=None)), self.threads)
        data = self.data_of(context.recipe)
        self.cluster.ask(self.mailbox.start, number)
        reference = self.cluster.task(run_on_node, self.cpus, self.gpus, remote, archive, data, self.mailbox)
        self.pending[number] = PendingTask(number, reference, context.home, context.folder)

    @property
    def threads(self) -> int:
        """Threads of each task."""
        return max(1, int(self.cpus))

    def data_of(self, recipe: Recipe) -> Any:
        """A recipe's images in the object store, put there once; None for what is decoded on demand."""
        if recipe.data not in self.stored_data:
            splits = splits_of(recipe.data)
            self.stored_data[recipe.data] = self.cluster.put(splits) if splits.train.held else None
        return self.stored_data[recipe.data]

    def stop(self) -> None:
        """Ask every running task to save what it has and return."""
        self.cluster.ask(self.mailbox.stop, self.busy)

    def events(self, seconds: float) -> list[TaskEvent]:
        """What has happened since the last call; waits at most so many seconds for the first event.

        Raises RunError where the cluster is gone.
        """
        until = time.monotonic() + seconds
        while True:
            # Which tasks have ended is looked up first: by then all of their messages have arrived.
            references = [task.reference for task in self.pending.values()]
            ended = self.cluster.ended(references, min(POLL_SECONDS, max(0.0, until - time.monotonic())))
            found: list[TaskEvent] = []
            for number, message, archive in self.cluster.ask(self.mailbox.collect):
                found += self.receive(number, message, archive)
            for task in [one for one in self.pending.values() if one.reference in ended]:
                found.append(self.end_of(task))
                del self.pending[task.number]
            if found or not references or time.monotonic() >= until:
                return found

    def receive(self, number: int, message: Any, archive: RunArchive | None) -> list[Message]:
        """A task's message; nothing for a task that has already been given up."""
        task = self.pending.get(number)
        if task is None:
            return []
        if isinstance(message, StartedOn):
            task.node = message.node
            return []
        if archive is not None:
            self.update_folder(task, archive)
        return [Message(number, message)]

    def update_folder(self, task: PendingTask, archive: RunArchive) -> None:
        """Update a run's folder here. While the run is trained, it is running for as long as this process is."""
        if task.folder is None:
            task.folder = task.home / archive.name
            try:
                task.folder.mkdir(parents=True)
            except OSError as error:
                raise RunError(f"{task.folder}: cannot be created: {error.strerror}") from error
        unpack(with_status(archive, "running", this_process()), task.folder.parent)
        self.update_database(task.folder)

    def update_database(self, folder: Path) -> None:
        """Write a run into the database of its home, which may refuse: the folder is complete without it."""
        try:
            record(folder)
        except RunError as error:
            self.on_message(f"{error}; `sightlab runs rebuild` adds {folder.name} to the database later")

    def end_of(self, task: PendingTask) -> TaskEnd:
        """How a task ended."""
        found = self.cluster.result(task.reference, task.node)
        if isinstance(found, RemoteResult):
            if found.archive is not None:
                self.update_folder(task, found.archive)
            if found.error:
                return TaskError(task.number, found.error)
            result = found.result
            if isinstance(result, PausedResult) and task.folder is not None:
                result = replace(result, folder=task.folder)
            return Result(task.number, result)
        if task.folder is not None:
            unpack(with_status(pack(task.folder, {}), "interrupted", None), task.folder.parent)
            self.update_database(task.folder)
        return WorkerLost(task.number, found.reason, found.node_died)


# What follows runs on the nodes.


@dataclass(frozen=True)
class RemoteTask:
    """What a node is sent: the task, its number of threads, and the driver's version of sightlab."""

    number: int
    task: Task
    threads: int
    version: str = __version__


@dataclass(frozen=True)
class RemoteResult:
    """What a node returns. error: in one line, "" for none. archive: what has changed in the run's folder."""

    result: Any
    error: str
    archive: RunArchive | None


@dataclass(frozen=True)
class StartedOn:
    """A task has started on this node."""

    node: str


class Mailbox:
    """Where tasks leave messages, and look up whether they are to stop; lives on the cluster's head node."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, Any, RunArchive | None]] = []
        self.stopped: set[int] = set()

    def put(self, number: int, message: Any, archive: RunArchive | None = None) -> None:
        """Leave a message."""
        self.messages.append((number, message, archive))

    def collect(self) -> list[tuple[int, Any, RunArchive | None]]:
        """Every message since the last call, oldest first."""
        messages, self.messages = self.messages, []
        return messages

    def start(self, number: int) -> None:
        """A task of this number starts; an earlier one of the same number may have been stopped."""
        self.stopped.discard(number)

    def stop(self, numbers: list[int]) -> None:
        """Ask these tasks to stop."""
        self.stopped.update(numbers)

    def is_stopped(self, number: int) -> bool:
        """Whether a task is asked to stop."""
        return number in self.stopped


class MailboxChannel:
    """A task's channel through the mailbox. home: where its run's folder is, on the node."""

    def __init__(self, mailbox: Any, number: int, home: Path) -> None:
        import ray

        self.get, self.mailbox, self.number, self.home = ray.get, mailbox, number, home
        self.sent: Stamps = {}
        self.stopped = threading.Event()
        threading.Thread(target=self.poll, daemon=True).start()

    def poll(self) -> None:
        """Look up now and then whether to stop; a mailbox that is gone means that nobody waits for the result."""
        while not self.stopped.wait(STOP_POLL_SECONDS):
            try:
                stopped = self.get(self.mailbox.is_stopped.remote(self.number))
            except Exception:  # noqa: BLE001 - whatever it is, nobody is left to report it to
                stopped = True
            if stopped:
                self.stopped.set()

    def should_stop(self) -> bool:
        """See `Channel`."""
        return self.stopped.is_set()

    def send(self, message: Any) -> None:
        """See `Channel`. With an epoch goes what it has changed in the run's folder, and its arrival is waited for."""
        if isinstance(message, Epoch):
            self.get(self.mailbox.put.remote(self.number, message, self.changes()))
        else:
            self.mailbox.put.remote(self.number, message)

    def changes(self) -> RunArchive | None:
        """What has changed in the run's folder since the last archive; None before there is a folder."""
        folders = [path.parent for path in self.home.glob("*/run.json")]
        return pack(folders[0], self.sent) if folders else None


def run_on_node(remote: RemoteTask, archive: RunArchive | None, data: Splits | None, mailbox: Any) -> RemoteResult:
    """Run a task on this node, in a home of its own.

    archive: of the run to resume or to read. data: None where the recipe says where to find them.
    """
    if remote.version != __version__:
        return RemoteResult(None, f"node {node_here()} has sightlab {__version__}, the driver {remote.version}", None)
    os.environ["OMP_NUM_THREADS"] = str(remote.threads)  # from which whatever trains or tests takes its threads
    os.environ.pop(VARIABLE, None)  # the driver writes the database
    with TemporaryDirectory(prefix="sightlab-") as folder:
        home = Path(folder)
        channel = MailboxChannel(mailbox, remote.number, home)
        channel.send(StartedOn(node_here()))
        known = unpack(archive, home) if archive is not None else None
        if known is not None:
            pack(known, channel.sent)  # the driver has these files already
        context = replace(remote.task.context, home=home, folder=known, data=data)
        result, error = None, ""
        try:
            result = remote.task.work(channel, context)
        except Exception as problem:  # noqa: BLE001 - whatever went wrong is reported to the driver
            error = one_line(f"{type(problem).__name__}: {problem}")
        channel.stopped.set()
        return RemoteResult(result, error, channel.changes())
