"""A pool of worker processes: each runs one task after the other, and one that dies is replaced."""

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

# All that a training imports, and what torch otherwise imports at the first step of the first optimizer, in a second of
# its own.
PRELOAD = ["sightlab.runs.segments", "torch._dynamo"]


@dataclass(frozen=True)
class PipeChannel:
    """A task's channel: a pipe to the pool's process. stop_event: set when the task is to stop."""

    pipe: Connection
    stop_event: Event

    def send(self, message: Any) -> None:
        """See `Channel`."""
        send_to_parent(self.pipe, Message(-1, message))

    def should_stop(self) -> bool:
        """See `Channel`."""
        return self.stop_event.is_set()


@dataclass
class Worker:
    """A worker process. number: of its task, None while it is idle."""

    process: BaseProcess
    pipe: Connection
    stop_event: Event
    number: int | None = None


class WorkerPool:
    """Up to `workers` processes, of one thread each where there are several; they end with the block.

    At the block's end running tasks are asked to stop, and waited for.

    >>> with WorkerPool(2) as pool:
    ...     pool.idle
    2
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.started: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        while self.busy:
            self.events(1.0)
        for worker in self.started:
            with suppress(OSError):
                worker.pipe.send(None)
        for worker in self.started:
            worker.process.join()
            worker.pipe.close()

    @property
    def busy(self) -> list[int]:
        """The numbers of the running tasks."""
        return [worker.number for worker in self.started if worker.number is not None]

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        return self.workers - len(self.busy)

    def submit(self, number: int, task: Task) -> None:
        """Run a task in an idle process, started when first needed. Raises ValueError where all are busy."""
        if not self.idle:
            raise ValueError(f"task {number}: all {self.workers} processes are busy")
        worker = next((one for one in self.started if one.number is None), None)
        if worker is None or not worker.process.is_alive():
            if worker is not None:
                self.started.remove(worker)
            worker = self.start_worker()
        worker.stop_event.clear()
        worker.number = number
        worker.pipe.send(task)

    def stop(self) -> None:
        """Ask every running task to save what it has and return."""
        for worker in self.started:
            if worker.number is not None:
                worker.stop_event.set()

    def events(self, seconds: float) -> list[TaskEvent]:
        """What has happened since the last call; waits at most so many seconds for the first event."""
        by_pipe = {worker.pipe: worker for worker in self.started if worker.number is not None}
        found: list[TaskEvent] = []
        for pipe in wait(list(by_pipe), seconds):
            assert isinstance(pipe, Connection)
            found += self.events_of(by_pipe[pipe])
        return found

    def events_of(self, worker: Worker) -> list[TaskEvent]:
        """Everything that one process has sent."""
        number, found = worker.number, list[TaskEvent]()
        assert number is not None
        try:
            while worker.number is not None and worker.pipe.poll():
                sent = worker.pipe.recv()
                if isinstance(sent, Message):
                    found.append(Message(number, sent.message))
                else:
                    worker.number = None
                    ok = isinstance(sent, Result)
                    found.append(Result(number, sent.result) if ok else TaskError(number, sent.error))
        except (EOFError, OSError):
            worker.process.join()
            self.started.remove(worker)
            worker.pipe.close()
            found.append(WorkerLost(number, f"exit code {worker.process.exitcode}"))
        return found

    def start_worker(self) -> Worker:
        """Start one more process."""
        # A server process that has imported torch and has no threads: every further worker is forked from it at once,
        # and shares the memory of what was imported.
        has_server = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver") if has_server else multiprocessing.get_context("spawn")
        context.set_forkserver_preload(PRELOAD)
        ours, theirs = context.Pipe()
        stop_event = context.Event()
        arguments = (theirs, stop_event, self.workers > 1, dict(os.environ))
        process = context.Process(target=run_worker, args=arguments, daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends when the process does
        worker = Worker(process, ours, stop_event)
        self.started.append(worker)
        return worker


def run_worker(pipe: Connection, stop_event: Event, one_thread: bool, environment: dict[str, str]) -> None:
    """The main function of a worker process: run one task after the other until the pool closes.

    Ctrl-C is the parent's to handle, and without the parent the process exits. environment: the parent's as it is now;
    the fork server has that of the time when it was started.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=exit_with_parent, daemon=True).start()
    if one_thread:
        os.environ["OMP_NUM_THREADS"] = "1"  # from which whatever trains or tests takes its number of threads
    channel = PipeChannel(pipe, stop_event)
    while (task := next_task(pipe)) is not None:
        try:
            end: Result | TaskError = Result(-1, task(channel))
        except Exception as error:  # noqa: BLE001 - whatever went wrong is reported to the process that submitted it
            end = TaskError(-1, one_line(f"{type(error).__name__}: {error}"))
        send_to_parent(pipe, end)


def exit_with_parent() -> None:
    """Wait for the parent process to end, then exit."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def next_task(pipe: Connection) -> Task | None:
    """The next task; None when the pool has closed or its process has died."""
    try:
        task: Task | None = pipe.recv()
    except (EOFError, OSError):
        return None
    return task


def send_to_parent(pipe: Connection, message: Any) -> None:
    """Send to the pool's process. Where that was killed this process exits at once, and leaves its run as a kill does.

    An error instead would pass through the training, which would record the run as failed.
    """
    try:
        pipe.send(message)
    except OSError:
        os._exit(1)
