"""Who runs tasks: the protocol of `WorkerPool` and `RayExecutor`, and the loop that keeps either of them busy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sightlab.errors import RunError
from sightlab.runs.tasks import Message, Task, TaskEnd, TaskError, TaskEvent, WorkerLost
from sightlab.training.callbacks import Paused

POLL_SECONDS = 0.2  # for which an executor is asked for events before anything else is looked at


class Executor(Protocol):
    """Runs tasks: in processes of this machine (`WorkerPool`), or on a cluster (`RayExecutor`)."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    @property
    def busy(self) -> list[int]:
        """The numbers of the running tasks."""

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""

    def submit(self, number: int, task: Task) -> None:
        """Start a task on an idle worker. Raises ValueError where there is none."""

    def stop(self) -> None:
        """Ask every running task to save what it has and return."""

    def events(self, seconds: float) -> list[TaskEvent]:
        """What has happened since the last call; waits at most so many seconds for the first event."""


def run_tasks(
    executor: Executor,
    tasks: Sequence[Task],
    should_pause: Callable[[], bool],
    on_message: Callable[[int, Any], None] = lambda _number, _message: None,
) -> Iterator[TaskEnd]:
    """Submit tasks in their order as workers become idle; yield how each ended, in the order in which they end.

    Tasks are numbered by their place in `tasks`, from 0. One whose machine died is submitted again. on_message: called
    with a task's number and each of its messages. should_pause: asked several times a second; once it says yes the
    running tasks are asked to stop, what they return is yielded, and then Paused is raised.
    """
    waiting = deque(range(len(tasks)))
    while waiting or executor.busy:
        while waiting and executor.idle and not should_pause():
            number = waiting.popleft()
            executor.submit(number, tasks[number])
        for event in executor.events(POLL_SECONDS):
            if isinstance(event, Message):
                on_message(event.number, event.message)
            elif isinstance(event, WorkerLost) and event.node_died:
                waiting.append(event.number)
            else:
                yield event
        if should_pause():
            executor.stop()
            if not executor.busy:
                raise Paused


def result_of(end: TaskEnd, name: str = "") -> Any:
    """What a task returned. name: of what it worked on, for the error.

    Raises RunError where the task failed or its worker died.
    """
    if isinstance(end, WorkerLost):
        raise RunError(
            f"a worker process died ({end.reason}): killed, or out of memory; the same command resumes where it stopped"
        )
    if isinstance(end, TaskError):
        raise RunError(f"{f'{name}: ' if name else ''}{end.error}; what was trained is kept")
    return end.result
