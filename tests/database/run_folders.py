"""Run folders as a training leaves them, without the training."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sightlab
from sightlab.records import Epoch, Run, Score
from sightlab.store.run_folder import write_facts

TEST_KEY = "5f" * 16
FINISHED = Score(0.9, 0.31, 1000, 900, (0.8799, 0.9171), top5=0.99, openings=1)


def epoch_of(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 0.5, 0.8, 0.4, accuracy, 0.1, 2.0, 500.0, best=True)


def write_run(
    home: Path,
    name: str,
    *,
    status: str = "finished",
    accuracies: Sequence[float] = (0.7, 0.8),
    test: Score | None = FINISHED,
    openings: Sequence[str] = (TEST_KEY,),
    changes: Mapping[str, Any] = {},
    extra: Mapping[str, Any] = {},
) -> Path:
    """Write a run's folder. openings: the split of each. changes: of the recipe. extra: of run.json."""
    folder = home / name
    (folder / "bundle").mkdir(parents=True, exist_ok=True)
    recipe = sightlab.recipe("cnn", **changes)
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    machine = {"sightlab": "0.1.0", "python": "3.11.7", "torch": "2.14.1", "cpu": "a cpu", "device": "cpu", "cores": 2}
    (folder / "environment.json").write_text(json.dumps(machine))
    lines = [
        {"at": f"2026-01-0{n}T10:00:00+00:00", "split": split, "source": "fashion-mini", "reason": f"reason {n}"}
        for n, split in enumerate(openings, start=1)
    ]
    (folder / "bundle" / "openings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = tuple(epoch_of(n, accuracy) for n, accuracy in enumerate(accuracies, start=1))
    run = Run(
        id=name,
        folder=folder,
        recipe=recipe.name,
        recipe_hash=recipe.hash,
        model=recipe.model.name,
        parameters=889_354,
        epochs=history,
        best_epoch=len(history),
        validation=None,
        test=test,
        seconds=4.0,
        images_per_second=500.0,
    )
    facts = {
        "seed": recipe.seed,
        "started": "2026-01-01T09:00:00.123+00:00",
        "ended": "2026-01-01T09:30:00+00:00",
        "heartbeat": "2026-01-01T09:30:00+00:00",
        "process": {"host": "elsewhere", "boot": "b", "pid": 17, "started": 4},
        "planned_epochs": recipe.epochs,
        "flops": 12_345_678,
        "git": {"revision": "ab" * 20, "dirty": True},
        "test_key": TEST_KEY,
        "data": {"source": "fashion-mini", "key": "cd" * 32, "train": 8000, "validation": 2000, "test": 2000},
    }
    write_facts(folder, run, status, {**facts, **extra})
    return folder
