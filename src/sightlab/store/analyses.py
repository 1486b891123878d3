"""The analyses of a network, kept in a folder of its own: what each found, the newest of each name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sightlab.errors import RunError, one_line
from sightlab.files import write_text
from sightlab.records.analyses import AnalysisResult, Curve, Estimate
from sightlab.version import __version__

FILE = "analyses.json"
FORMAT = 1


def save_analyses(folder: Path, results: Sequence[AnalysisResult], source: str, at: str, images: str = "") -> None:
    """Keep what analyses found, in a run's folder; those of other names that are there stay.

    source: the images that were looked at; images: their content (`content_of`), by which `kept_result` finds what was
    made of the same ones. at: when, ISO 8601. Raises OSError as writing does, RunError for a file that is there and
    damaged.
    """
    kept = read_analyses(folder)
    about = {"source": source, "at": at, "images": images, "version": __version__}
    kept |= {one.analysis: one.to_json() | {"per_image": numbers_of(one)} | about for one in results}
    write_text(folder / FILE, json.dumps({"format": FORMAT, "analyses": kept}, ensure_ascii=False))


def numbers_of(result: AnalysisResult) -> dict[str, list[float | None]]:
    """The values of single images, None for those that do not count."""
    return {
        name: [None if math.isnan(value) else value for value in values.tolist()]
        for name, values in result.per_image.items()
    }


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


def kept_result(folder: Path, analysis: str, images: str) -> AnalysisResult | None:
    """What an analysis found of images of this content, made by this version; None where that is not at hand.

    Raises RunError for a damaged file.
    """
    facts = read_analyses(folder).get(analysis)
    if not isinstance(facts, Mapping) or not images:
        return None
    if (facts.get("images"), facts.get("version")) != (images, __version__) or "per_image" not in facts:
        return None
    try:
        return result_from(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{folder / FILE}: damaged: {analysis}: {one_line(error)}; delete it and run sightlab analyze again"
        ) from error


def result_from(facts: Mapping[str, Any]) -> AnalysisResult:
    """A result from its plain values."""
    import numpy as np

    return AnalysisResult(
        analysis=facts["analysis"],
        subject=facts["subject"],
        estimates={name: estimate_from(one) for name, one in facts["estimates"].items()},
        curves={
            name: tuple(Curve(c["name"], *(tuple(c[key]) for key in ("x", "y", "low", "high"))) for c in curves)
            for name, curves in facts["curves"].items()
        },
        per_image={name: np.array(values, np.float64) for name, values in facts["per_image"].items()},
        arrays={name: np.array(values, np.float64) for name, values in facts["arrays"].items()},
        tables={
            title: (tuple(one["header"]), tuple(tuple(row) for row in one["rows"]))
            for title, one in facts["tables"].items()
        },
        sentences=tuple(facts["sentences"]),
        notes=tuple(facts["notes"]),
        seconds=facts["seconds"],
    )


def estimate_from(facts: Mapping[str, Any]) -> Estimate:
    """An estimate from its plain values."""
    low, high = facts["interval"] or (None, None)
    return Estimate(facts["value"], low, high, facts["count"], facts["share"])


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
