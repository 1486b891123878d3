"""What is written of a run as it goes: to its folder always, to the database of runs where there is one."""

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
from sightlab.training.prepare import Prepared

BEAT_SECONDS = 60.0


@dataclass
class RunRecorder:
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
    silent_since: float = field(default_factory=time.monotonic)
    warned: bool = False

    def write(self, status: str, scores: Mapping[str, Score] | None = None) -> Run:
        """Write what is known of the run by now; give it back as a Run. Raises OSError as writing does."""
        splits, recipe = self.prepared.splits, self.prepared.recipe
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
        process = this_process() if status == "running" else None
        teacher = self.prepared.teacher
        taught = {"teacher": {"name": teacher.name, "sha256": teacher.sha256}} if teacher else {}
        more = {"seed": recipe.seed, "data": data, "openings": splits.test.openings, "process": process, **taught}
        write_facts(self.folder, run, status, {**self.facts, **more, "heartbeat": now()})
        self.status = status
        self.silent_since = time.monotonic()
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

    def beat(self) -> None:
        """Say that the run is alive, once a minute; asked after every step, so it must cost nothing in between."""
        if time.monotonic() - self.silent_since < BEAT_SECONDS:
            return
        self.silent_since = time.monotonic()
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
