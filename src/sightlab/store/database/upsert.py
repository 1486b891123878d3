"""Writes run folders into the database. A run's rows are always replaced as a whole, from its files."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from sightlab.errors import RunError
from sightlab.store.annotations import Labels, read_labels, write_labels
from sightlab.store.database import orm_tables
from sightlab.store.database.engine import Session, writing
from sightlab.store.database.reconcile import folders_in, home_of
from sightlab.store.database.row_builder import Rows, rows_of
from sightlab.store.run_folder import home_folder

AT_ONCE = 100  # folders to a transaction, so that trainings need not wait for a rebuild's end


@dataclass(frozen=True)
class Reading:
    """The result of reading run folders. recorded: how many. problems: a line for each that cannot be read."""

    recorded: int
    problems: tuple[str, ...]


def record(folder: Path) -> None:
    """Write a run's folder into the database of its home, in one transaction. Raises RunError."""
    with writing(home_of(folder)) as session:
        record_in(session, folder)


def beat(folder: Path, when: datetime | None = None) -> None:
    """Write the heartbeat of the process that trains this run, now by default, and nothing else. Raises RunError."""
    runs = orm_tables.runs
    with writing(home_of(folder)) as session:
        here = and_(runs.c.home == session.place.home, runs.c.id == folder.name)
        session.connection.execute(update(runs).where(here).values(heartbeat=when or datetime.now(UTC)))


def relabel(folder: Path, change: Callable[[Labels], Labels]) -> Labels:
    """Change a run's labels in its folder and in the database. Returns the new ones. Raises RunError.

    Concurrent changes of one run's labels wait for each other.
    """
    with writing(home_of(folder)) as session:
        lock_home(session)
        labels = change(read_labels(folder))
        write_labels(folder, labels)
        record_in(session, folder)
    return labels


def rebuild(home: str | Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Reading:
    """Rebuild the rows of a home from its run folders, including those in the bin. Raises RunError.

    Rows whose folder is missing or cannot be read are dropped; in a database that other machines write to, only rows of
    this machine's runs. progress: called with the folders done and in all.
    """
    home = home_folder(home)
    folders = folders_in(home)
    with writing(home) as session:
        lock_home(session)
        drop_all_but(session, {folder.name for folder in folders})
    return read_folders(home, folders, progress)


def read_folders(
    home: Path, folders: Sequence[Path], progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Reading:
    """Record these folders in batches. Rows of a folder that cannot be read are dropped."""
    problems: list[str] = []
    for first in range(0, len(folders), AT_ONCE):
        part = folders[first : first + AT_ONCE]
        with writing(home) as session:
            for folder in part:
                try:
                    record_in(session, folder)
                except RunError as error:
                    problems.append(str(error))
                    drop(session, folder.name)
        progress(first + len(part), len(folders))
    return Reading(len(folders) - len(problems), tuple(problems))


def record_in(session: Session, folder: Path) -> None:
    """Write a run's folder within a transaction.

    The folder is read while nobody else can write: of two concurrent records of one run, the later one counts.
    """
    lock_home(session)
    runs, home = orm_tables.runs, session.place.home
    here = and_(runs.c.home == home, runs.c.id == folder.name)
    heard = session.connection.execute(select(runs.c.heartbeat).where(here)).scalar()
    replace(session.connection, rows_of(folder, home, datetime.now(UTC), heard))


def lock_home(session: Session) -> None:
    """Lock this home against other writers until the transaction ends. SQLite has one writer anyway."""
    if not session.place.file:
        session.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(session.place.home, 0))))


def replace(connection: Connection, rows: Rows) -> None:
    """Replace the run's rows with these."""
    runs = orm_tables.runs
    connection.execute(delete(runs).where(runs.c.home == rows.run["home"], runs.c.id == rows.run["id"]))
    connection.execute(insert(runs), [rows.run])
    for study in rows.studies:
        put_study(connection, study)
    for table in (orm_tables.epochs, orm_tables.openings, orm_tables.tags, orm_tables.notes, orm_tables.study_runs):
        if values := getattr(rows, table.name):
            connection.execute(insert(table), values)
    drop_empty_studies(connection, rows.run["home"])


def put_study(connection: Connection, study: dict[str, Any]) -> None:
    """Write a study as this run has it, unless another run has a newer version."""
    table = orm_tables.studies
    here = and_(table.c.home == study["home"], table.c.name == study["name"])
    known = connection.execute(select(table).where(here)).mappings().first()
    if known is None:
        connection.execute(insert(table), [study])
    elif rank(study) > rank(dict(known)):
        connection.execute(update(table).where(here).values(**study))


def rank(study: Mapping[str, Any]) -> tuple[str, str]:
    """Sorts versions of a study: the one created last counts, in whatever order they are read."""
    created = study["created"].isoformat() if study["created"] else ""
    return created, json.dumps([study["question"], study["facts"]], sort_keys=True)


def drop_empty_studies(connection: Connection, home: str) -> None:
    """Delete studies that no run is part of any more."""
    studies, members = orm_tables.studies, orm_tables.study_runs
    used = exists().where(members.c.home == studies.c.home, members.c.study == studies.c.name)
    connection.execute(delete(studies).where(studies.c.home == home, ~used))


def drop(session: Session, run: str) -> None:
    """Delete a run's rows; the folder stays as it is."""
    runs = orm_tables.runs
    session.connection.execute(delete(runs).where(runs.c.home == session.place.home, runs.c.id == run))
    drop_empty_studies(session.connection, session.place.home)


def drop_all_but(session: Session, names: Iterable[str]) -> None:
    """Delete the home's rows except these runs'."""
    runs = orm_tables.runs
    ours = runs.c.home == session.place.home
    if session.place.shared:
        # Another machine may have a home of the same path; its folders are not here to be read.
        ours = and_(ours, or_(runs.c.host.is_(None), runs.c.host == socket.gethostname()))
    kept = set(names)
    for run in session.connection.execute(select(runs.c.id).where(ours)).scalars().all():
        if run not in kept:
            drop(session, run)
