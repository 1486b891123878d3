"""Differences between a home's folders and its rows: unknown folders, missing folders, runs whose process died.

Every listing asks this, so nothing here reads a run's files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select, update

from sightlab.errors import RunError
from sightlab.store.database import orm_tables
from sightlab.store.database.engine import reading, writing
from sightlab.store.liveness import alive

BIN = ".bin"


@dataclass(frozen=True)
class HomeDiff:
    """How folders and rows differ. new: run folders without rows. gone: ids of rows without a folder."""

    new: tuple[Path, ...]
    gone: tuple[str, ...]


def home_of(folder: Path) -> Path:
    """The home of a run's folder, which may lie in the home's bin."""
    around = folder.absolute().parent
    return around.parent if around.name == BIN else around


def names_in(place: Path) -> list[str]:
    """The names in a folder except hidden ones; empty if there is no folder. Raises RunError."""
    try:
        return [name for name in os.listdir(place) if not name.startswith(".")]  # noqa: PTH208 - no Path for each
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{place}: cannot be read: {error.strerror}") from error


def folders_in(home: Path) -> list[Path]:
    """The run folders of a home and those in its bin, by name."""
    found = [place / name for place in (home, home / BIN) for name in names_in(place)]
    return sorted((folder for folder in found if is_run(folder)), key=lambda folder: folder.name)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / "run.json").is_file()


def home_diff(home: Path) -> HomeDiff:
    """How the folders and the rows of a home differ. Raises RunError."""
    runs = orm_tables.runs
    with reading(home) as session:
        known = set(session.connection.execute(select(runs.c.id).where(runs.c.home == session.place.home)).scalars())
    there = {place: names_in(place) for place in (home, home / BIN)}
    new = [place / name for place, names in there.items() for name in names if name not in known]
    gone = known.difference(*there.values())
    return HomeDiff(tuple(sorted(filter(is_run, new))), tuple(sorted(gone)))


def correct(home: Path) -> None:
    """Set runs whose process died to `interrupted`. Raises RunError."""
    runs = orm_tables.runs
    asked = select(runs.c.home, runs.c.id, runs.c.process, runs.c.heartbeat).where(runs.c.status == "running")
    now = datetime.now(UTC)
    with reading(home) as session:
        dead = [row for row in session.connection.execute(asked) if not is_alive(row.process, row.heartbeat, now)]
    if not dead:
        return
    with writing(home) as session:
        for row in dead:
            same = and_(runs.c.home == row.home, runs.c.id == row.id, runs.c.status == "running")
            quiet = runs.c.heartbeat.is_not_distinct_from(row.heartbeat)  # a newer one: it has been resumed
            session.connection.execute(update(runs).where(same, quiet).values(status="interrupted"))


def is_alive(process: Mapping[str, Any] | None, heartbeat: datetime | None, now: datetime) -> bool:
    """Whether the process of a row still runs."""
    return alive(process or {}, heartbeat.isoformat() if heartbeat else "", now)
