"""Worker processes that are given one task after the other, tell of it as they go, and are replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any, Self

from sightlab.errors import one_line
from sightlab.runs.tasks import Message, Result, Task, TaskError, TaskEvent, WorkerLost

# With all that trains, and what torch otherwise loads at the first step of the first optimizer, in a second of its own.
LOADED = ["sightlab.runs.segments", "torch._dynamo"]


@dataclass(frozen=True)
class Piped:
    """A task's channel through a pipe to the process that gave it."""

    pipe: Connection
    event: Event

    def tell(self, message: Any) -> None:
        """See `Channel`."""
        send(self.pipe, Message(-1, message))

    def stop(self) -> bool:
        """See `Channel`."""
        return self.event.is_set()


@dataclass
class Worker:
    """A worker process. number: of its task, None while it has none."""

    process: BaseProcess
    pipe: Connection
    event: Event
    number: int | None = None


class WorkerPool:
    """So many processes, of one thread each where they are several; they end with the block.

    At the block's end tasks under way are asked to stop, and waited for.

    >>> from functools import partial
    >>> with WorkerPool(2) as crew:
    ...     crew.idle
    2
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.members: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        while self.busy:
            self.news(1.0)
        for member in self.members:
            with suppress(OSError):
                member.pipe.send(None)
        for member in self.members:
            member.process.join()
            member.pipe.close()

    @property
    def busy(self) -> list[int]:
        """The numbers of the tasks under way."""
        return [member.number for member in self.members if member.number is not None]

    @property
    def idle(self) -> int:
        """How many tasks can be given at once."""
        return self.workers - len(self.busy)

    def give(self, number: int, task: Task) -> None:
        """Give a task to a process that has none, started when first needed. Raises ValueError where all are busy."""
        if not self.idle:
            raise ValueError(f"task {number}: all {self.workers} processes have one")
        free = next((member for member in self.members if member.number is None), None)
        if free is None or not free.process.is_alive():
            if free is not None:
                self.members.remove(free)
            free = self.started()
        free.event.clear()
        free.number = number
        free.pipe.send(task)

    def stop(self) -> None:
        """Ask every task under way to keep what it has and end."""
        for member in self.members:
            if member.number is not None:
                member.event.set()

    def news(self, seconds: float) -> list[TaskEvent]:
        """What the tasks have told by now; waits so long for the first. Empty where there is nothing."""
        by_pipe = {member.pipe: member for member in self.members if member.number is not None}
        found: list[TaskEvent] = []
        for pipe in wait(list(by_pipe), seconds):
            assert isinstance(pipe, Connection)
            found += self.read(by_pipe[pipe])
        return found

    def read(self, member: Worker) -> list[TaskEvent]:
        """Everything that one process has told."""
        number, found = member.number, list[TaskEvent]()
        assert number is not None
        try:
            while member.number is not None and member.pipe.poll():
                said = member.pipe.recv()
                if isinstance(said, Message):
                    found.append(Message(number, said.message))
                else:
                    member.number = None
                    found.append(
                        Result(number, said.result) if isinstance(said, Result) else TaskError(number, said.error)
                    )
        except (EOFError, OSError):
            member.process.join()
            self.members.remove(member)
            member.pipe.close()
            found.append(WorkerLost(number, f"exit code {member.process.exitcode}"))
        return found

    def started(self) -> Worker:
        """A new process of the crew."""
        # A server that has loaded torch once and has no threads: a further process, or one in place of one that died,
        # is there at once, and shares the memory of what was loaded.
        has_server = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver") if has_server else multiprocessing.get_context("spawn")
        context.set_forkserver_preload(LOADED)
        ours, theirs = context.Pipe()
        event = context.Event()
        process = context.Process(target=attend, args=(theirs, event, self.workers > 1, dict(os.environ)), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends when the process does
        member = Worker(process, ours, event)
        self.members.append(member)
        return member


def attend(pipe: Connection, event: Event, one_thread: bool, environment: dict[str, str]) -> None:
    """What a process of the crew does: one task after the other, until there is none.

    Ctrl-C is the parent's to answer, and without the parent it has nothing to live for. environment: the parent's now,
    where the server that this process comes from has that of the time when it was started.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=outlive_nobody, daemon=True).start()
    if one_thread:
        os.environ["OMP_NUM_THREADS"] = "1"  # which is asked for its threads by whatever trains or tests
    channel = Piped(pipe, event)
    while (task := received(pipe)) is not None:
        try:
            said: Result | TaskError = Result(-1, task(channel))
        except Exception as error:  # noqa: BLE001 - whatever went wrong is told to who gave the task
            said = TaskError(-1, one_line(f"{type(error).__name__}: {error}"))
        send(pipe, said)


def outlive_nobody() -> None:
    """Wait for the parent's end, and end this process."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def received(pipe: Connection) -> Task | None:
    """The next task; None where there is none, or nobody who would give one."""
    try:
        task: Task | None = pipe.recv()
    except (EOFError, OSError):
        return None
    return task


def send(pipe: Connection, message: Any) -> None:
    """Tell the parent. Where it has been killed this process ends at once, and what it trains is as after a kill.

    An error would go through what is trained here, which would put itself down as failed.
    """
    try:
        pipe.send(message)
    except OSError:
        os._exit(1)
