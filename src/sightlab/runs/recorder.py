"""The record of a run while it goes on: its folder always, the database of runs where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.records import Run, Score
from sightlab.store.database.upsert import beat, record
from sightlab.store.liveness import this_process
from sightlab.store.run_folder import write_facts
from sightlab.training.callbacks import Callback, TrainingContext
from sightlab.training.prepare import Prepared

HEARTBEAT_SECONDS = 60.0


@dataclass
class RunRecorder(Callback):
    """Keeps a run's record true while it goes on.

    status: the last that was written. facts: what run.json says beside the figures: when it was started, by which
    process, of which revision. say: told when the database cannot be written; the folder stays complete, and `sightlab
    runs rebuild` makes up for it.
    """

    prepared: Prepared
    folder: Path
    facts: dict[str, Any]
    say: Callable[[str], None]
    status: str = ""
    last_beat: float = field(default_factory=time.monotonic)
    warned: bool = False
    changes_training = False

    def write(self, status: str, scores: Mapping[str, Score] | None = None) -> Run:
        """Write what is known of the run by now; give it back as a Run. Raises OSError as writing does."""
        prepared, splits = self.prepared, self.prepared.splits
        run = self.run(scores)
        data = {
            "source": splits.source,
            "key": splits.key,
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
            "classes": list(splits.classes),
            "notes": list(splits.notes),
        }
        more: dict[str, Any] = {
            "seed": prepared.recipe.seed,
            "data": data,
            "openings": splits.test.openings,
            "process": this_process() if status == "running" else None,
            "heartbeat": now(),
        }
        if prepared.teacher:
            more["teacher"] = {"name": prepared.teacher.name, "sha256": prepared.teacher.sha256}
        if prepared.training.stopped:
            more["stopped"] = prepared.training.stopped
        write_facts(self.folder, run, status, {**self.facts, **more})
        self.status = status
        self.last_beat = time.monotonic()
        self.in_database(record)
        return run

    def run(self, scores: Mapping[str, Score] | None) -> Run:
        """The run as it stands."""
        prepared, training = self.prepared, self.prepared.training
        history, images = training.history, len(prepared.splits.train)
        train_seconds = sum(images / epoch.images_per_second for epoch in history)
        known = scores or {}
        return Run(
            id=self.folder.name,
            folder=self.folder,
            recipe=prepared.recipe.name,
            recipe_hash=prepared.recipe.hash,
            model=prepared.model,
            parameters=prepared.parameters,
            epochs=tuple(history),
            best_epoch=training.best_epoch,
            validation=known.get("validation"),
            test=known.get("test"),
            test_flips=known.get("test_flips"),
            seconds=sum(epoch.seconds for epoch in history) + training.seconds,
            images_per_second=len(history) * images / train_seconds if train_seconds else 0.0,
        )

    def on_step_end(self, context: TrainingContext) -> None:  # noqa: ARG002 - see Callback
        """Send a heartbeat once a minute; asked after every step, so it must cost nothing in between."""
        if time.monotonic() - self.last_beat >= HEARTBEAT_SECONDS:
            self.last_beat = time.monotonic()
            self.in_database(beat)

    def in_database(self, write: Callable[[Path], None]) -> None:
        """Write to the database, from the first of torchrun's processes alone; a database that fails ends no run."""
        if self.prepared.place.rank:
            return
        try:
            write(self.folder)
        except RunError as error:
            if not self.warned:
                self.say(f"{error}; the run goes on, and `sightlab runs rebuild` will put it on record")
            self.warned = True


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
