"""What the analyses of a study found: of each row's runs, and of the networks that others trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.records.analyses import AnalysisResult
from sightlab.store.analyses import kept_result
from sightlab.studies.study_plan import Plan, PlannedLooks, PlannedRow, id_of
from sightlab.studies.study_schema import Subject, slug

FORMAT = 1


@dataclass(frozen=True)
class Network:
    """One network to analyze: a seed of a row, or a subject.

    word: what names it, a run's folder or `pretrained/NAME`. key: what it is known by in the study's record. folder:
    where its analyses are kept.
    """

    word: Path | str
    key: str
    name: str
    folder: Path


@dataclass(frozen=True, eq=False)
class Analyzed:
    """What analyses found of a row or a subject: a result for each seed, by analysis. unfit: why others do not fit."""

    id: str
    name: str
    results: Mapping[str, tuple[AnalysisResult, ...]]
    unfit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Looked:
    """A group of analyses with what they found. source: the images, in words. missing: what is not made yet."""

    planned: PlannedLooks
    networks: tuple[Analyzed, ...]
    source: str
    missing: tuple[str, ...] = ()


def networks_of(one: PlannedRow | Subject, folders: Mapping[str, Sequence[Path]], home: Path) -> list[Network]:
    """The networks of a row or a subject. folders: of the finished runs of each row."""
    if isinstance(one, PlannedRow):
        found = folders.get(one.row.id, ())
        return [Network(folder, folder.name, f"{one.row.name}, run {folder.name}", folder) for folder in found]
    return [Network(one.model, one.model, one.name, home / "studies" / "networks" / slug(one.model))]


def index_file(plan: Plan, home: Path) -> Path:
    """Where it is written which images each network of a study was looked at with."""
    return home / "studies" / f"{plan.study.name}-{plan.scale}-analyses.json"


def read_index(plan: Plan, home: Path) -> dict[str, list[dict[str, Any]]]:
    """What `run_analyses` wrote; empty where it was not run. Raises RunError for a damaged file."""
    path = index_file(plan, home)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {str(group): [dict(one) for one in entries] for group, entries in facts["groups"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: damaged; delete it and run sightlab study run {plan.study.name} again") from error


def gather_analyses(plan: Plan, home: Path, folders: Mapping[str, Sequence[Path]]) -> tuple[Looked, ...]:
    """What the analyses of a plan found, from what is kept; no images are opened. Raises RunError for damaged files."""
    index = read_index(plan, home)
    return tuple(gathered(planned, index.get(planned.looks.id, []), home, folders) for planned in plan.analyses)


def gathered(
    planned: PlannedLooks, entries: Sequence[Mapping[str, Any]], home: Path, folders: Mapping[str, Sequence[Path]]
) -> Looked:
    """What the analyses of one group found."""
    by_network = {str(one["network"]): one for one in entries}
    missing, networks = [], []
    for one in planned.of:
        results: dict[str, list[AnalysisResult]] = {}
        unfit: dict[str, str] = {}
        for network in networks_of(one, folders, home):
            entry = by_network.get(network.key, {})
            unfit |= entry.get("unfit", {})
            for name in planned.looks.only:
                found = kept_result(network.folder, name, str(entry.get("images", "")))
                if found is not None:
                    results.setdefault(name, []).append(found)
                elif name not in unfit:
                    missing.append(f"{name} of {network.name}")
        name = one.row.name if isinstance(one, PlannedRow) else one.name
        networks.append(Analyzed(id_of(one), name, {key: tuple(found) for key, found in results.items()}, unfit))
    source = str(entries[0]["source"]) if entries else ""
    return Looked(planned, tuple(networks), source, tuple(missing))
