"""Output of `sightlab runs`: a table for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightlab.cli.output import out, table
from sightlab.records import duration

Plain = Mapping[str, Any]
# What the table for a person shows of a run, its tags aside.
COLUMNS = (
    *("status", "model", "seed", "epochs", "planned_epochs", "validation_accuracy"),
    *("test_accuracy", "test_low", "test_high", "openings", "seconds"),
)


def facts(
    home: Path | None, where: str | None, sort: str | None, runs: Sequence[Plain], notes: Sequence[str]
) -> dict[str, Any]:
    """The output of `runs --json`. where: the filter in its canonical form."""
    from sightlab.store.database.query_filters import to_text
    from sightlab.store.database.query_parser import parse
    from sightlab.store.run_folder import home_folder

    return {
        "folder": str(home_folder(home)),
        "where": to_text(parse(where)) if where is not None else None,
        "sort": sort,
        "runs": list(runs),
        "notes": list(notes),
    }


def csv_text(runs: Sequence[Plain]) -> str:
    """A row for each run, a column for each field; tags and studies separated by commas."""
    from sightlab.store.database.query_fields import FIELDS

    columns = [field.name for field in FIELDS.values() if not field.many]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([*columns, "tags", "studies", "folder"])
    for run in runs:
        values = ["" if run[name] is None else run[name] for name in columns]
        lines.writerow([*values, ", ".join(run["tags"]), ", ".join(run["studies"]), run["folder"]])
    return text.getvalue()


def for_a_person(home: Path | None, runs: Sequence[Plain], *, filtered: bool) -> None:
    """Print the runs as a table, or say why there are none."""
    from sightlab.store.run_folder import home_folder

    if not runs:
        place = home_folder(home)
        out("no run matches" if filtered else f"no runs in {place}/; `sightlab train` starts one")
        return
    header = ["run", "status", "model", "seed", "epochs", "validation", "test (95 %, opened)", "time", "tags"]
    table(header, [row_of(run) for run in runs], right=(3, 4, 5, 7))


def row_of(run: Plain) -> list[str]:
    """A line of the table. An id ends with the name of its recipe, which has no column of its own."""
    planned, done = run["planned_epochs"], run["epochs"]
    return [
        run["run"],
        "in the bin" if run["binned_at"] else run["status"],
        run["model"],
        "" if run["seed"] is None else str(run["seed"]),
        f"{done}/{planned}" if planned and planned != done else str(done),
        "-" if run["validation_accuracy"] is None else f"{run['validation_accuracy']:.2%}",
        test_cell(run),
        duration(run["seconds"] or 0),
        ", ".join(run["tags"]),
    ]


def test_cell(run: Plain) -> str:
    """The test score, its 95 % interval, and how often the split has been opened for it.

    >>> test_cell({"test_accuracy": 0.9231, "test_low": 0.9177, "test_high": 0.9282, "openings": 1})
    '92.31% (91.8 to 92.8, 1x)'
    """
    if run["test_accuracy"] is None:
        return "-"
    interval = ""
    if run["test_low"] is not None and run["test_high"] is not None:
        interval = f"{100 * run['test_low']:.1f} to {100 * run['test_high']:.1f}, "
    return f"{run['test_accuracy']:.2%} ({interval}{run['openings']}x)"
