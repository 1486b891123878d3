"""A run's folder as bytes: sent to the machine that trains it, and sent back as it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sightlab.errors import RunError
from sightlab.files import write_bytes

RECORD = "run.json"
Stamps = dict[str, tuple[int, int]]  # of each file, its time of writing (ns) and its size in bytes


@dataclass(frozen=True)
class RunArchive:
    """A run's folder. name: of the folder. files: content by relative path; None: unchanged since the last archive."""

    name: str
    files: Mapping[str, bytes | None]


def pack(folder: Path, sent: Stamps) -> RunArchive:
    """The content of a run's folder. sent: the files that the other side has, updated here. Raises OSError."""
    files: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):  # files with a leading dot are still being written
            continue
        name = path.relative_to(folder).as_posix()
        now = path.stat().st_mtime_ns, path.stat().st_size
        files[name] = None if sent.get(name) == now else path.read_bytes()
        sent[name] = now
    for removed in set(sent) - set(files):
        del sent[removed]
    return RunArchive(folder.name, files)


def unpack(archive: RunArchive, home: Path) -> Path:
    """Write an archive into its folder below `home`, and delete files that are no longer in it; returns the folder.

    run.json is written last, and each checkpoint before its JSON: a kill in between leaves a run that can be resumed.
    Raises RunError where a file cannot be written, or for a name that leads out of the folder.
    """
    folder = home / archive.name
    for name in sorted(archive.files, key=lambda one: (one == RECORD, one.endswith(".json"), one)):
        content = archive.files[name]
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or len(PurePosixPath(archive.name).parts) != 1:
            raise RunError(f"{archive.name}/{name}: leads out of the run's folder; refused")
        if content is None:
            continue
        try:
            write_bytes(folder / path, content)
        except OSError as error:
            raise RunError(f"{folder / path}: cannot be written: {error.strerror}") from error
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).as_posix() not in archive.files:
            file.unlink(missing_ok=True)
    return folder


def with_status(archive: RunArchive, status: str, process: Mapping[str, Any] | None) -> RunArchive:
    """The archive, with this status and process in the record of a run that is called running.

    It is trained elsewhere: where the archive goes, what counts is whether the process that brings it is alive.
    """
    content = archive.files.get(RECORD)
    facts = json.loads(content) if content is not None else {}
    if facts.get("status") != "running":
        return archive
    facts |= {"status": status, "process": process}
    return RunArchive(archive.name, {**archive.files, RECORD: json.dumps(facts, indent=1, ensure_ascii=False).encode()})
