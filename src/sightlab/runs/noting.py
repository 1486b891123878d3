"""What is written of a run as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightlab.records import Run, Score
from sightlab.store.folder import write_facts
from sightlab.training.prepare import Prepared


def note(
    prepared: Prepared, folder: Path, status: str, extra: dict[str, Any], scores: Mapping[str, Score] | None = None
) -> Run:
    """Write what is known of the run by now; give it back as a Run."""
    training = prepared.training
    history = training.history
    seconds = sum(epoch.seconds for epoch in history) + training.seconds
    train_seconds = sum(len(prepared.splits.train) / epoch.images_per_second for epoch in history)
    run = Run(
        id=folder.name,
        folder=folder,
        recipe=prepared.recipe.name,
        recipe_hash=prepared.recipe.hash,
        model=prepared.model,
        parameters=prepared.parameters,
        epochs=tuple(history),
        best_epoch=training.best_epoch,
        validation=scores["validation"] if scores else None,
        test=scores["test"] if scores else None,
        test_flips=scores.get("test_flips") if scores else None,
        seconds=seconds,
        images_per_second=len(history) * len(prepared.splits.train) / train_seconds if train_seconds else 0.0,
    )
    splits = prepared.splits
    data = {
        "source": splits.source,
        "key": splits.key,
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
        "classes": list(splits.classes),
        "notes": list(splits.notes),
    }
    write_facts(folder, run, status, {**extra, "data": data, "openings": splits.test.openings})
    return run
