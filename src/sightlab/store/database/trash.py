"""The bin of a home, HOME/.bin: runs that are not listed any more, and can be taken back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sightlab.errors import RunError
from sightlab.store.annotations import now_text, read_labels, write_labels
from sightlab.store.database.engine import writing
from sightlab.store.database.reconcile import BIN, home_of
from sightlab.store.database.upsert import drop, lock_home, record_in
from sightlab.store.run_folder import read_facts, status_of


def put_in(folder: Path) -> Path:
    """Move a run's folder into the bin of its home. Returns its path. Raises RunError for a running or missing run."""
    if folder.parent.name == BIN:
        raise RunError(f"{folder.name} is in the bin already; --purge deletes it for good")
    refuse_running(folder)
    return moved(folder, home_of(folder) / BIN / folder.name, now_text())


def take_back(folder: Path) -> Path:
    """Move a run's folder from the bin back to its home. Returns its new path. Raises RunError."""
    return moved(folder, home_of(folder) / folder.name, None)


def purge(folder: Path) -> None:
    """Delete a run's folder and rows permanently. Raises RunError for a running run or an error of the disk."""
    if folder.exists():
        refuse_running(folder)
    home = home_of(folder)
    doomed = home / BIN / f".{folder.name}"  # hidden: a half-deleted folder is no run
    with writing(home) as session, one_line_errors(folder):
        lock_home(session)
        if folder.exists():
            doomed.parent.mkdir(exist_ok=True)
            folder.rename(doomed)
        drop(session, folder.name)
    with one_line_errors(doomed):
        if doomed.exists():
            shutil.rmtree(doomed)


def moved(folder: Path, target: Path, binned: str | None) -> Path:
    """Move a run's folder, and record in it and in the database when it was put into the bin."""
    if target.exists():
        raise RunError(f"{target} exists already; move one of the two away")
    with writing(home_of(folder)) as session, one_line_errors(folder):
        lock_home(session)
        write_labels(folder, read_labels(folder).with_binned(binned))
        target.parent.mkdir(exist_ok=True)
        folder.rename(target)
        record_in(session, target)
    return target


def folder_here(run: Mapping[str, Any]) -> Path:
    """The folder of a run that `runs` gave. Raises RunError where it is not on this machine."""
    folder = Path(run["folder"])
    if not (folder / "run.json").is_file():
        where = f"; it was trained on {run['host']}" if run.get("host") else ""
        raise RunError(f"{folder}: not here{where}; `sightlab runs rebuild` drops runs whose folder is gone")
    return folder


def refuse_running(folder: Path) -> None:
    """Raises RunError for a run that is being trained."""
    facts = read_facts(folder)
    if status_of(facts) == "running":
        process = facts.get("process") or {}
        raise RunError(f"{folder.name} is running, as process {process.get('pid')}; wait for its end, or stop it first")


@contextmanager
def one_line_errors(folder: Path) -> Iterator[None]:
    """Turn an error of moving or deleting into a RunError, one line."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{folder}: cannot be moved or deleted: {error.strerror or error}") from error
