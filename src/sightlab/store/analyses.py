"""The analyses of a run, kept in its folder: what each found, the newest of each name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightlab.errors import RunError, one_line
from sightlab.files import write_text
from sightlab.records.analyses import AnalysisResult

FILE = "analyses.json"
FORMAT = 1


def save_analyses(folder: Path, results: Sequence[AnalysisResult], source: str, at: str) -> None:
    """Keep what analyses found in a run's folder; those of other names that are there stay.

    source: the images that were looked at. at: when, ISO 8601. Raises OSError as writing does, RunError for a file that
    is there and damaged.
    """
    kept = read_analyses(folder)
    kept |= {one.analysis: one.to_json() | {"source": source, "at": at} for one in results}
    write_text(folder / FILE, json.dumps({"format": FORMAT, "analyses": kept}, ensure_ascii=False))


def read_analyses(folder: Path) -> dict[str, Any]:
    """What analyses found, as plain values by name; empty where none was made. Raises RunError for a damaged file."""
    path = folder / FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] > FORMAT:
            raise RunError(f"{path}: format {facts['format']} is from a newer sightlab; upgrade")
        return dict(facts["analyses"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: damaged: {one_line(error)}; delete it and run sightlab analyze again") from error


def figures_in(folder: Path) -> dict[str, dict[str, float]]:
    """The figures of a run's analyses, {analysis: {name: value}}, as the database has them."""
    return {name: figures_of(one) for name, one in read_analyses(folder).items() if isinstance(one, Mapping)}


def figures_of(facts: Mapping[str, Any]) -> dict[str, float]:
    """The values of one analysis's estimates, by name; those that are no numbers are left out."""
    estimates = facts.get("estimates")
    if not isinstance(estimates, Mapping):
        return {}
    values = {str(name): one.get("value") for name, one in estimates.items() if isinstance(one, Mapping)}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
