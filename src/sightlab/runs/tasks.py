"""A piece of work on one run, wherever it is done: by a process of this machine, or on a node of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sightlab.data.splits import Splits
from sightlab.recipes.schema import Recipe


class Channel(Protocol):
    """What a task has of whoever gave it."""

    def tell(self, message: Any) -> None:
        """Send a message, which is told as Message. It must be picklable."""

    def stop(self) -> bool:
        """Whether the task is asked to keep what it has and end."""


@dataclass(frozen=True)
class TaskContext:
    """What a task works on, and where that is on the machine that does it.

    recipe: of the run. home: where the folder of a new run is made. folder: of the run that is gone on with, or looked
    into; None for a new one. data: the recipe's pictures where they have been brought to the machine; None where they
    are found by what the recipe says.
    """

    recipe: Recipe
    home: Path
    folder: Path | None = None
    data: Splits | None = None


@dataclass(frozen=True)
class Task:
    """work: a function of a module, or a functools.partial of one, as it is pickled; what it gives is told as Done."""

    work: Callable[[Channel, TaskContext], Any]
    context: TaskContext

    def __call__(self, channel: Channel) -> Any:
        """Do the work here."""
        return self.work(channel, self.context)


@dataclass(frozen=True)
class Message:
    """A message of a task. number: the task's."""

    number: int
    message: Any


@dataclass(frozen=True)
class Result:
    """A task has ended, with this result."""

    number: int
    result: Any


@dataclass(frozen=True)
class TaskError:
    """A task ended in an error that it did not expect. error: in a line."""

    number: int
    error: str


@dataclass(frozen=True)
class WorkerLost:
    """A task's process has died; another takes its place. why: in words. blameless: its machine died, not it alone."""

    number: int
    why: str
    blameless: bool = False


TaskEvent = Message | Result | TaskError | WorkerLost


class Executor(Protocol):
    """Whoever works tasks off: processes of this machine (`WorkerPool`), or a cluster (`RayExecutor`)."""

    @property
    def workers(self) -> int:
        """How many tasks are done at once."""

    @property
    def busy(self) -> list[int]:
        """The numbers of the tasks under way."""

    @property
    def idle(self) -> int:
        """How many tasks can be given at once."""

    def give(self, number: int, task: Task) -> None:
        """Give a task to whoever has none. Raises ValueError where all are busy."""

    def stop(self) -> None:
        """Ask every task under way to keep what it has and end."""

    def news(self, seconds: float) -> list[TaskEvent]:
        """What the tasks have told by now; waits so long for the first. Empty where there is nothing."""
