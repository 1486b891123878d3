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
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Run
from sightlab.runs.crew import Channel
from sightlab.runs.life import Watch, resume, train
from sightlab.store.folder import read_facts, read_run, status_of
from sightlab.training import checkpoint
from sightlab.training.loop import Paused, Tick, out_of_patience

TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Stretch:
    """A piece of a run's training.

    known: the folder of the run to go on with, None to start one in home. until: the epoch after which the run is kept
    and its test split stays sealed (or earlier, where the recipe's early_stop says so); None: to the run's end.
    """

    recipe: Recipe
    home: Path
    known: Path | None = None
    until: int | None = None


@dataclass(frozen=True)
class Kept:
    """Where a stretch left its run. epochs: all that are kept. finished: it has ended, its test split is opened."""

    folder: Path
    epochs: tuple[Epoch, ...]
    finished: bool


@dataclass(frozen=True)
class Failed:
    """A training that cannot be: its loss is no number, memory does not suffice, its parts do not fit."""

    reason: str


def train_stretch(channel: Channel, stretch: Stretch) -> Kept | Failed:
    """Train a stretch, telling each Epoch and, between them, Ticks. Raises RunError for a disk that is full.

    Asked to stop, the run is kept between two steps.
    """
    if stretch.known is not None and ahead(stretch.known, stretch.until, stretch.recipe.early_stop):
        return Kept(stretch.known, kept_epochs(stretch.known), False)
    try:
        run = life_of(stretch, Watch(epoch=holding(channel, stretch), tick=seldom(channel), pause=channel.stop))
    except Paused as paused:
        folder = stretch.known or stretch.home / str(paused)
        return Kept(folder, kept_epochs(folder), False)
    except RunError:
        raise
    except SightlabError as error:
        return Failed(one_line(error))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return Failed(f"out of memory: {one_line(error)[:200]}")
    return Kept(run.folder, run.epochs, True)


def life_of(stretch: Stretch, watch: Watch) -> Run:
    """Start the run, or go on with it."""
    if stretch.known is not None:
        return resume(stretch.known, watch=watch)
    return train(stretch.recipe, home=stretch.home, watch=watch)


def holding(channel: Channel, stretch: Stretch) -> Callable[[Epoch], None]:
    """Tells each epoch, and raises Paused after the stretch's last: the run's life keeps the run then."""
    trained: list[Epoch] = []

    def told(epoch: Epoch) -> None:
        channel.tell(epoch)
        trained.append(epoch)
        # What the record says of earlier sittings counts too; it has been written before the epoch is told.
        history = read_run(stretch.known).epochs if stretch.known else trained
        if stretch.until is not None and reached(history, stretch.until, stretch.recipe.early_stop):
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
