"""`sightlab runs`."""

from __future__ import annotations

from sightlab.cli.show import JSON_OPTION, Home, as_json, out, table
from sightlab.errors import RunError
from sightlab.records import duration

EXAMPLES = """\b
Examples:
  sightlab runs
  sightlab runs --json
"""


def runs(
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """List the runs, oldest first, with their scores."""
    from sightlab.store.folder import home_folder, read_facts, run_folders, run_from

    place = home or home_folder()
    found = []
    for path in run_folders(place):
        try:
            facts = read_facts(path)
            found.append((run_from(path, facts), facts.get("status", "")))
        except RunError as error:
            out(f"{error}") if not json else None
    if json:
        as_json({"folder": str(place), "runs": [run.to_json() | {"status": status} for run, status in found]})
        return
    if not found:
        out(f"no runs in {place}/; `sightlab train` makes one")
        return
    rows = [
        [
            run.id,
            status,
            run.model,
            f"{len(run.epochs)}",
            f"{max((e.validation_accuracy for e in run.epochs), default=0):.2%}",
            f"{run.test.accuracy:.2%} ({run.test.interval[0]:.2%} to {run.test.interval[1]:.2%})" if run.test else "-",
            duration(run.seconds),
        ]
        for run, status in found
    ]
    table(["run", "status", "model", "epochs", "validation", "test (95 % interval)", "time"], rows, right=(3, 4, 6))
