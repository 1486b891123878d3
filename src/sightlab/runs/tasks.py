"""A task: one piece of work on one run, wherever it is done; what it is given and which events it causes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sightlab.data.splits import Splits
from sightlab.recipes.schema import Recipe


class Channel(Protocol):
    """A task's connection to the process that submitted it."""

    def send(self, message: Any) -> None:
        """Send a message, which arrives as a `Message` event. It must be picklable."""

    def should_stop(self) -> bool:
        """Whether the task is asked to save what it has and return."""


@dataclass(frozen=True)
class TaskContext:
    """What a task works on, and where that is on the machine that runs it.

    recipe: of the run. home: where the folder of a new run is created. folder: of the run to resume or to read; None
    for a new one. data: the recipe's images where they were sent along; None where the recipe says where to find them.
    """

    recipe: Recipe
    home: Path
    folder: Path | None = None
    data: Splits | None = None


@dataclass(frozen=True)
class Task:
    """work: a module-level function, or a functools.partial of one, since it is pickled; it returns the result."""

    work: Callable[[Channel, TaskContext], Any]
    context: TaskContext

    def __call__(self, channel: Channel) -> Any:
        """Run the task in this process."""
        return self.work(channel, self.context)


@dataclass(frozen=True)
class Message:
    """A message of a running task. number: the task's."""

    number: int
    message: Any


@dataclass(frozen=True)
class Result:
    """A task returned this result."""

    number: int
    result: Any


@dataclass(frozen=True)
class TaskError:
    """A task raised an unexpected error. error: in one line."""

    number: int
    error: str


@dataclass(frozen=True)
class WorkerLost:
    """The worker process of a task died; another one replaces it.

    reason: in words. node_died: its whole machine died, so the task is not to blame.
    """

    number: int
    reason: str
    node_died: bool = False


TaskEnd = Result | TaskError | WorkerLost
TaskEvent = Message | TaskEnd
