"""A segment of a run: trained up to an epoch and saved there, its test split sealed, or trained to the run's end.

What is chosen among many trainings must not see a test split, and a run opens its own when it is finalized. So a trial
is a run that is not finalized: after its last epoch it is saved as a pause saves it, with the status "trained", and
only the chosen one is resumed and finalized.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sightlab.errors import RunError, SightlabError, one_line
from sightlab.files import write_text
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch, Run
from sightlab.runs.lifecycle import resume, train
from sightlab.runs.tasks import Channel, TaskContext
from sightlab.store.database.upsert import record
from sightlab.store.run_folder import read_facts, read_run, status_of
from sightlab.training import checkpoint
from sightlab.training.callbacks import STOP, Callback, CallbackError, Paused, TrainingContext
from sightlab.training.loop import out_of_patience

TICK_SECONDS = 0.5


@dataclass(frozen=True)
class PausedResult:
    """Where a segment left its run. epochs: all that are saved.

    trained: nothing is left to train, its test split is sealed. finished: it is finalized, its test split opened.
    """

    folder: Path
    epochs: tuple[Epoch, ...]
    trained: bool = False
    finished: bool = False


@dataclass(frozen=True)
class FailedResult:
    """A training that cannot succeed: its loss is not finite, memory does not suffice, a part or callback fails."""

    reason: str


def train_segment(channel: Channel, context: TaskContext, until: int | None = None) -> PausedResult | FailedResult:
    """Train a segment, sending each Epoch and, between them, Ticks. Raises RunError for a full disk.

    until: the epoch after which the run is saved and its test split stays sealed (or earlier, where the recipe's
    early_stop says so); None: to the run's end. When asked to stop, the run is saved between two steps.
    """
    if context.folder is not None and is_ahead(context.folder, until, context.recipe):
        return saved(context.folder, context.recipe)
    try:
        run = start_or_resume(context, SegmentCallback(channel, until))
    except Paused as paused:
        return saved(context.folder or context.home / str(paused), context.recipe)
    except CallbackError as error:
        return FailedResult(one_line(error))
    except RunError:
        raise
    except SightlabError as error:
        return FailedResult(one_line(error))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return FailedResult(f"out of memory: {one_line(error)[:200]}")
    return PausedResult(run.folder, run.epochs, finished=True)


class SegmentCallback(Callback):
    """Sends the epochs of a run, and Ticks at most twice a second; pauses the run where its segment ends.

    An epoch is sent once its checkpoint is written: whoever hears of it can rely on it.
    """

    changes_training = False

    def __init__(self, channel: Channel, until: int | None = None) -> None:
        self.channel, self.until = channel, until
        self.unsent: list[Epoch] = []
        self.last_tick = 0.0

    def on_epoch_start(self, context: TrainingContext) -> None:  # noqa: ARG002 - as Callback has it
        """See `Callback`."""
        self.send_epochs()

    def on_step_end(self, context: TrainingContext) -> None:
        """See `Callback`."""
        if context.may_look and time.monotonic() - self.last_tick >= TICK_SECONDS:
            self.last_tick = time.monotonic()
            self.channel.send(context.progress())
        if self.channel.should_stop():
            context.pause()

    def on_epoch_end(self, context: TrainingContext) -> None:
        """See `Callback`."""
        assert context.record is not None
        self.unsent.append(context.record)
        if self.until is None:
            return
        if context.request == STOP:  # another callback ends the training, after which the run would be finalized
            context.training.stopped = context.reason
            raise Paused
        if reached(context.history, self.until, context.plan.early_stop):
            context.pause()

    def on_train_end(self, context: TrainingContext) -> None:  # noqa: ARG002 - as Callback has it
        """See `Callback`."""
        self.send_epochs()

    def send_epochs(self) -> None:
        """Send the epochs that have a checkpoint by now."""
        while self.unsent:
            self.channel.send(self.unsent.pop(0))


def start_or_resume(context: TaskContext, callback: Callback) -> Run:
    """Start a new run, or resume the one of the context."""
    if context.folder is not None:
        return resume(context.folder, data=context.data, callbacks=[callback])
    return train(context.recipe, data=context.data, home=context.home, callbacks=[callback])


def saved(folder: Path, recipe: Recipe) -> PausedResult:
    """What a run that is not finalized has come to. Its status is "trained" where nothing is left to train."""
    epochs, trained = saved_epochs(folder), is_trained(folder, recipe)
    if trained and status_of(facts := read_facts(folder)) != "trained":  # a kill came between checkpoint and record
        facts |= {"status": "trained", "process": None, "history": [epoch.to_json() for epoch in epochs]}
        try:
            write_text(folder / "run.json", json.dumps(facts, indent=1, ensure_ascii=False))
        except OSError as error:
            raise RunError(f"{folder / 'run.json'}: cannot be written: {error.strerror}") from error
        with suppress(RunError):  # the folder is complete without the database
            record(folder)
    return PausedResult(folder, epochs, trained)


def reached(history: Sequence[Epoch], until: int, early_stop: int | None) -> bool:
    """Whether a run is where it is to be paused: so many epochs are trained, or early stopping ends it."""
    return len(history) >= until or out_of_patience(list(history), early_stop)


def is_ahead(folder: Path, until: int | None, recipe: Recipe) -> bool:
    """Whether a run that is not finalized has come so far already; after a kill only its checkpoint may say so.

    Resuming it would finalize it, and open its test split.
    """
    if until is None or status_of(read_facts(folder)) == "finished":
        return False
    return is_trained(folder, recipe) or reached(saved_epochs(folder), until, recipe.early_stop)


def is_trained(folder: Path, recipe: Recipe) -> bool:
    """Whether a run's newest checkpoint leaves nothing to train: all epochs, early stopping, or a callback's stop."""
    found = newest_checkpoint(folder)
    stopped = bool(found and found.get("stopped"))
    return stopped or reached(saved_epochs(folder), recipe.epochs, recipe.early_stop)


def newest_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The facts of a run's newest whole checkpoint; None where there is none."""
    for path in checkpoint.newest_first(folder / "checkpoints"):
        found = checkpoint.read(path)
        if found is not None:
            return found[0]
    return None


def saved_epochs(folder: Path) -> tuple[Epoch, ...]:
    """The epochs of a run in its newest whole checkpoint; those of its record where there is none.

    Raises RunError for a folder without a record.
    """
    found = newest_checkpoint(folder)
    if found is not None:
        return tuple(Epoch.from_json(epoch) for epoch in found["history"])
    return read_run(folder).epochs if status_of(read_facts(folder)) == "finished" else ()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice, of the machine or of a GPU.

    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("shapes do not fit"))
    (True, False)
    """
    # On a CPU torch has no error of its own for it.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
