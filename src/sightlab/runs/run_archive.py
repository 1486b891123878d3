"""A run's folder as bytes: taken to the machine that trains it, and brought back as it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sightlab.errors import RunError
from sightlab.files import write_bytes

RECORD = "run.json"
Stamps = dict[str, tuple[int, int]]  # of each file, when it was written (ns) and its bytes


@dataclass(frozen=True)
class RunArchive:
    """A run's folder. name: of the folder. files: their content by relative path; None: as in the parcel before."""

    name: str
    files: Mapping[str, bytes | None]


def pack(folder: Path, sent: Stamps) -> RunArchive:
    """What is in a run's folder now. sent: the files that are there already, brought up to date. Raises OSError."""
    files: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):  # names with a dot are being written
            continue
        name = path.relative_to(folder).as_posix()
        now = path.stat().st_mtime_ns, path.stat().st_size
        files[name] = None if sent.get(name) == now else path.read_bytes()
        sent[name] = now
    for gone in set(sent) - set(files):
        del sent[gone]
    return RunArchive(folder.name, files)


def unpack(parcel: RunArchive, home: Path) -> Path:
    """Write what a parcel holds into its folder of a home, and take away what is in it no more; gives the folder.

    The record comes last, and each checkpoint's before it: a kill in between leaves a run that can be gone on with.
    Raises RunError where it cannot be written, or for a name that leads out of the folder.
    """
    folder = home / parcel.name
    for name in sorted(parcel.files, key=lambda one: (one == RECORD, one.endswith(".json"), one)):
        content = parcel.files[name]
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or len(PurePosixPath(parcel.name).parts) != 1:
            raise RunError(f"{parcel.name}/{name}: leads out of the run's folder; it is not taken")
        if content is None:
            continue
        try:
            write_bytes(folder / path, content)
        except OSError as error:
            raise RunError(f"{folder / path}: cannot be written: {error.strerror}") from error
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).as_posix() not in parcel.files:
            file.unlink(missing_ok=True)
    return folder


def restamped(parcel: RunArchive, status: str, process: Mapping[str, Any] | None) -> RunArchive:
    """The parcel, a run that its record calls running under this status and process instead.

    Who trains it is elsewhere: what counts where the parcel goes is whether the process that brings it is alive.
    """
    content = parcel.files.get(RECORD)
    facts = json.loads(content) if content is not None else {}
    if facts.get("status") != "running":
        return parcel
    facts |= {"status": status, "process": process}
    return RunArchive(parcel.name, {**parcel.files, RECORD: json.dumps(facts, indent=1, ensure_ascii=False).encode()})
