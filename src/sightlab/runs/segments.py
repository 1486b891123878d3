"""A stretch of a run: trained up to an epoch and kept there, its test split sealed, or on to the run's end.

What has to be chosen from many trainings must not see a test split, and a run opens its own when it ends. So a trial is
a run that is not ended: after the epoch asked for it is kept as a pause keeps it, and only the one that is chosen is
gone on with to its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sightlab.errors import RunError, SightlabError, one_line
from sightlab.records import Epoch, Run
from sightlab.runs.lifecycle import Watch, resume, train
from sightlab.runs.tasks import Channel, TaskContext
from sightlab.store.run_folder import read_facts, read_run, status_of
from sightlab.training import checkpoint
from sightlab.training.loop import Paused, Tick, out_of_patience

TICK_SECONDS = 0.5


@dataclass(frozen=True)
class PausedResult:
    """Where a stretch left its run. epochs: all that are kept. finished: it has ended, its test split is opened."""

    folder: Path
    epochs: tuple[Epoch, ...]
    finished: bool


@dataclass(frozen=True)
class FailedResult:
    """A training that cannot be: its loss is no number, memory does not suffice, its parts do not fit."""

    reason: str


def train_stretch(channel: Channel, context: TaskContext, until: int | None = None) -> PausedResult | FailedResult:
    """Train a stretch, telling each Epoch and, between them, Ticks. Raises RunError for a disk that is full.

    until: the epoch after which the run is kept and its test split stays sealed (or earlier, where the recipe's
    early_stop says so); None: to the run's end. Asked to stop, the run is kept between two steps.
    """
    if context.folder is not None and ahead(context.folder, until, context.recipe.early_stop):
        return PausedResult(context.folder, kept_epochs(context.folder), False)
    try:
        run = life_of(context, Watch(epoch=holding(channel, context, until), tick=seldom(channel), pause=channel.stop))
    except Paused as paused:
        folder = context.folder or context.home / str(paused)
        return PausedResult(folder, kept_epochs(folder), False)
    except RunError:
        raise
    except SightlabError as error:
        return FailedResult(one_line(error))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return FailedResult(f"out of memory: {one_line(error)[:200]}")
    return PausedResult(run.folder, run.epochs, True)


def life_of(context: TaskContext, watch: Watch) -> Run:
    """Start the run, or go on with it."""
    if context.folder is not None:
        return resume(context.folder, data=context.data, watch=watch)
    return train(context.recipe, data=context.data, home=context.home, watch=watch)


def holding(channel: Channel, context: TaskContext, until: int | None) -> Callable[[Epoch], None]:
    """Tells each epoch, and raises Paused after the stretch's last: the run's life keeps the run then."""
    trained: list[Epoch] = []

    def told(epoch: Epoch) -> None:
        channel.tell(epoch)
        trained.append(epoch)
        # What the record says of earlier sittings counts too; it has been written before the epoch is told.
        history = read_run(context.folder).epochs if context.folder else trained
        if until is not None and reached(history, until, context.recipe.early_stop):
            raise Paused

    return told


def reached(history: Sequence[Epoch], until: int, early_stop: int | None) -> bool:
    """Whether a run is where it is to be kept: so many epochs are trained, or its patience is at an end."""
    return len(history) >= until or out_of_patience(list(history), early_stop)


def ahead(folder: Path, until: int | None, early_stop: int | None) -> bool:
    """Whether an interrupted run's checkpoint is as far already, which its record does not say after a kill.

    Going on with it would end it, and open its test split.
    """
    if until is None or status_of(read_facts(folder)) == "finished":
        return False
    return reached(kept_epochs(folder), until, early_stop)


def kept_epochs(folder: Path) -> tuple[Epoch, ...]:
    """The epochs of a run as its newest whole checkpoint has them, those of its record where there is none.

    Raises RunError for a folder without a record.
    """
    for record in checkpoint.newest_first(folder / "checkpoints"):
        found = checkpoint.read(record)
        if found is not None:
            return tuple(Epoch.from_json(epoch) for epoch in found[0]["history"])
    return read_run(folder).epochs if status_of(read_facts(folder)) == "finished" else ()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice, of the machine or of a GPU.

    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("shapes do not fit"))
    (True, False)
    """
    # On a CPU torch has no error of its own for it.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def seldom(channel: Channel) -> Callable[[Tick], None]:
    """Tells a Tick at most twice a second."""
    last = [0.0]

    def told(tick: Tick) -> None:
        if time.monotonic() - last[0] >= TICK_SECONDS:
            last[0] = time.monotonic()
            channel.tell(tick)

    return told
