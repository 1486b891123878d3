"""A search on disk: its plan and its events, one per line, so that a kill at any moment loses nothing.

`plan.json` is written once. `events.jsonl` is appended to by the one process that drives the search, each line flushed
to disk before anything follows from it; a last line that a kill cut off is dropped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from sightlab.errors import StudyError, suggestion
from sightlab.files import write_bytes, write_text
from sightlab.store.liveness import alive, this_process
from sightlab.tune.search_plan import Plan

FOLDER, PLAN, EVENTS = "tune", "plan.json", "events.jsonl"
LAST = "last"
OLD_KINDS = {"sitting": "session"}  # what older releases wrote, and its name now

Event = dict[str, Any]


@dataclass
class Record:
    """The record of one search. events: all of them, oldest first, plain values. replayed: `new_events` gave them."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    replayed: bool = False
    driver: ClassVar[str] = ""  # which of several drivers this one is: a record in a folder has one only

    @classmethod
    def of(cls, home: Path, name: str) -> Self:
        """The record of this name in a home, with the events on disk. Raises StudyError."""
        check_study_name(name)
        record = cls(home / FOLDER / name)
        try:
            content = (record.folder / EVENTS).read_bytes()
        except FileNotFoundError:
            return record
        except OSError as error:
            raise StudyError(f"{record.folder / EVENTS}: cannot be read: {error.strerror}") from error
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                record.events.append(with_current_kind(json.loads(line)))
            except (ValueError, TypeError, KeyError) as error:
                raise StudyError(f"{record.folder / EVENTS}: line {number} is damaged: {error}") from error
        return record

    @property
    def exists(self) -> bool:
        """Whether the study has been created."""
        return (self.folder / PLAN).is_file()

    def plan(self) -> Plan:
        """The study's plan. Raises StudyError where it cannot be read."""
        path = self.folder / PLAN
        try:
            return Plan.from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as error:
            raise StudyError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise StudyError(f"{path}: damaged: {error}") from error

    def create(self, plan: Plan) -> None:
        """Write the study's plan. Raises StudyError where it cannot be written."""
        self.write(PLAN, json.dumps(plan.to_json(), indent=1))

    def start_session(self, facts: Mapping[str, Any]) -> None:
        """Start a session: from now on this process writes the record. Raises StudyError where another one does.

        To be called while `study_lock` is held, by which two processes cannot both start one.
        """
        sessions = self.of_kind("session")
        process = sessions[-1]["process"] if sessions else {}
        own = process.get("pid") == os.getpid()
        if not own and alive(process, "", datetime.now(UTC)):
            raise StudyError(
                f"study {self.folder.name}: process {process['pid']} is running it; wait until it ends, or stop it"
            )
        self.repair()
        self.note("session", process=this_process(), at=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    def repair(self) -> None:
        """Drop a last line that a kill cut off, so that the next one stands by itself."""
        path = self.folder / EVENTS
        content = path.read_bytes() if path.is_file() else b""
        if content and not content.endswith(b"\n"):
            write_bytes(path, content[: content.rfind(b"\n") + 1])

    def turn(self) -> AbstractContextManager[None]:
        """Nobody else writes until the end of the block: nobody does anyway."""
        return nullcontext()

    def new_events(self) -> list[Event]:
        """The events of earlier sessions; none when called again."""
        found, self.replayed = [] if self.replayed else list(self.events), True
        return found

    def other_drivers(self) -> set[str]:
        """The other living drivers: none."""
        return set()

    def host_of(self, _driver: str) -> str:
        """The machine that a driver ran on: this one."""
        return ""

    def leave(self) -> None:
        """End the session."""

    def withdraw(self) -> None:
        """Delete a study that was refused in its first session; one with earlier sessions stays."""
        if len(self.of_kind("session")) == 1:
            with suppress(OSError):
                for name in (PLAN, EVENTS):
                    (self.folder / name).unlink()
                self.folder.rmdir()
                self.folder.parent.rmdir()

    def note(self, kind: str, **facts: Any) -> None:
        """Append an event. Raises StudyError where it cannot be written."""
        event = {"event": kind, **facts}
        path = self.folder / EVENTS
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise StudyError(f"{path}: cannot be written: {error.strerror}") from error
        self.events.append(event)

    def of_kind(self, kind: str) -> list[Event]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if event["event"] == kind]

    def write(self, name: str, text: str) -> Path:
        """Write a file of the study's folder, whole or not at all; returns its path. Raises StudyError."""
        return write_file(self.folder / name, text)


@contextmanager
def study_lock(home: Path) -> Iterator[None]:
    """Until the end of the block no other process creates a study of this home or starts a session of one.

    Raises StudyError where the folder of studies cannot be created. A system without such locks has none.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder = home / FOLDER
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # deleted in between by a study that was refused
            continue
        except OSError as error:
            raise StudyError(f"{folder}: cannot be created: {error.strerror}") from error
        with suppress(OSError):  # some network file systems lock nothing
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)
    try:
        yield
    finally:
        os.close(handle)


def with_current_kind(event: Event) -> Event:
    """An event under the kind that it has now. Raises KeyError where it has none."""
    kind = str(event["event"])
    return event | {"event": OLD_KINDS.get(kind, kind)}


def seconds_taken(events: Sequence[Event], driver: str) -> float:
    """Seconds that a search had taken when a driver last wrote an event."""
    own = [event for event in events if event.get("driver", "") == driver]
    return max((float(event.get("clock", 0.0)) for event in own), default=0.0)


def write_file(path: Path, text: str) -> Path:
    """Write a file, whole or not at all; returns its path. Raises StudyError."""
    try:
        write_text(path, text)
    except OSError as error:
        raise StudyError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def check_study_name(name: str) -> None:
    """Raise StudyError for a name that cannot be a folder's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise StudyError(f"study {name!r}: a name is 1 to 80 letters, digits, dots, dashes and underscores")


def find_record(home: Path, name: str) -> Record:
    """The record of an existing study. name: `last` is the one that ran last. Raises StudyError, naming those there."""
    folders = [path.parent for path in (home / FOLDER).glob(f"*/{PLAN}")]
    if name == LAST and folders:
        name = max(folders, key=last_written).name
    record = Record.of(home, name)
    if not record.exists:
        known = [folder.name for folder in folders]
        raise StudyError(
            f"no study {name!r} in {home / FOLDER}/; {suggestion(name, known) if known else 'there is none'}"
        )
    return record


def last_written(folder: Path) -> float:
    """When a study's record was last written, in seconds of the system's clock."""
    return max(path.stat().st_mtime for path in (folder / PLAN, folder / EVENTS) if path.is_file())
