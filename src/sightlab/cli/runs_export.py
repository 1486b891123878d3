"""The formats of `sightlab runs export`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sightlab.cli.output import out, without_nan
from sightlab.cli.runs_list import csv_text
from sightlab.errors import RunError, suggestion
from sightlab.files import write_text

Plain = dict[str, Any]


def to_json(runs: Sequence[Plain], target: Path | None) -> None:
    """Everything on record: {"runs": [...]}, each with its recipe, epochs, openings, tags and notes."""
    deliver(json.dumps(without_nan({"runs": list(runs)}), indent=1, ensure_ascii=False, allow_nan=False), target)


def to_csv(runs: Sequence[Plain], target: Path | None) -> None:
    """A line a run, a column a field."""
    deliver(csv_text(runs).rstrip("\n"), target)


def to_logger(name: str, runs: Sequence[Plain], target: Path | None) -> None:
    """A copy of each run in an experiment tracker, as `callbacks=` would have written it. Raises RunError."""
    from sightlab.callbacks import export
    from sightlab.store.run_folder import read_run

    if target is not None:
        raise RunError(f"-o {target}: --to {name} writes to a place of its own, beside the runs; leave -o out")
    for one in runs:
        out(f"{one['run']}: {export(read_run(Path(one['folder'])), one['status'], name)}")


# Each takes runs as `run_queries.find` gives them, and where to write: None for stdout or the format's own place.
FORMATS: dict[str, Callable[[Sequence[Plain], Path | None], None]] = {
    "json": to_json,
    "csv": to_csv,
    "tensorboard": partial(to_logger, "tensorboard"),
    "mlflow": partial(to_logger, "mlflow"),
    "wandb": partial(to_logger, "wandb"),
}


def format_named(name: str) -> Callable[[Sequence[Plain], Path | None], None]:
    """The format of this name. Raises RunError."""
    if name not in FORMATS:
        raise RunError(f"--to {name}: unknown format; {suggestion(name, FORMATS)}")
    return FORMATS[name]


def deliver(text: str, target: Path | None) -> None:
    """Write a text to a file, whole, or to stdout. Raises RunError."""
    if target is None:
        out(text)
        return
    try:
        write_text(target, text + "\n")
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror or error}") from error
