"""A search on the disk: what it is, and what has happened, a line each, so that a kill at any moment loses nothing.

`plan.json` is written once. `events.jsonl` is appended to by the one process that drives the search, each line flushed
to the disk before what follows from it is begun; a last line that a kill has torn is dropped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from sightlab.errors import StudyError, suggestion
from sightlab.files import write_bytes, write_text
from sightlab.store.liveness import alive, this_process
from sightlab.tune.search_plan import Plan

FOLDER, PLAN, EVENTS = "tune", "plan.json", "events.jsonl"


@dataclass
class Record:
    """The record of one search. events: all that have happened, oldest first, plain values."""

    folder: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    told: bool = False
    me: ClassVar[str] = ""  # which of several drivers this one is: of a record in a folder there is one
    shared: ClassVar[bool] = False

    @classmethod
    def of(cls, home: Path, name: str) -> Self:
        """The record of this name in a home, with what is on the disk. Raises StudyError."""
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
                event = json.loads(line)
                record.events.append(event | {"event": str(event["event"])})
            except (ValueError, TypeError, KeyError) as error:
                raise StudyError(f"{record.folder / EVENTS}: line {number} is damaged: {error}") from error
        return record

    @property
    def begun(self) -> bool:
        """Whether there is such a study."""
        return (self.folder / PLAN).is_file()

    def plan(self) -> Plan:
        """What the study is. Raises StudyError where it cannot be read."""
        path = self.folder / PLAN
        try:
            return Plan.from_json(json.loads(path.read_text(encoding="utf-8")), str(path))
        except OSError as error:
            raise StudyError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise StudyError(f"{path}: damaged: {error}") from error

    def begin(self, plan: Plan) -> None:
        """Write down what the study is. Raises StudyError where it cannot be written."""
        self.written(PLAN, json.dumps(plan.to_json(), indent=1))

    def sit_down(self, facts: Mapping[str, Any]) -> None:
        """Begin a sitting: from now on this process writes the record. Raises StudyError where another one does."""
        sittings = self.of_kind("sitting")
        process = sittings[-1]["process"] if sittings else {}
        ours = process.get("pid") == os.getpid()
        if not ours and alive(process, "", datetime.now(UTC)):
            raise StudyError(
                f"study {self.folder.name}: is under way, as process {process['pid']}; wait for its end, or stop it"
            )
        self.mend()
        self.note("sitting", process=this_process(), at=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    def mend(self) -> None:
        """Drop a last line that a kill has torn, so that the next one stands by itself."""
        path = self.folder / EVENTS
        content = path.read_bytes() if path.is_file() else b""
        if content and not content.endswith(b"\n"):
            write_bytes(path, content[: content.rfind(b"\n") + 1])

    def turn(self) -> AbstractContextManager[None]:
        """Nobody else writes until the end of the block: nobody does anyway."""
        return nullcontext()

    def news(self) -> list[dict[str, Any]]:
        """What has happened by now; nothing when asked again."""
        found, self.told = [] if self.told else list(self.events), True
        return found

    def others(self) -> set[str]:
        """The other drivers that are still there: none."""
        return set()

    def host_of(self, _driver: str) -> str:
        """The machine that a driver ran on: this one."""
        return ""

    def leave(self) -> None:
        """End the sitting."""

    def withdraw(self) -> None:
        """Take a study back that was refused as it was begun; one that has been sat down to before stays."""
        if len(self.of_kind("sitting")) == 1:
            with suppress(OSError):
                for name in (PLAN, EVENTS):
                    (self.folder / name).unlink()
                self.folder.rmdir()
                self.folder.parent.rmdir()

    def note(self, kind: str, **facts: Any) -> None:
        """Write down that something has happened. Raises StudyError where it cannot be written."""
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

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if event["event"] == kind]

    def written(self, name: str, text: str) -> Path:
        """A file of the study's folder, written whole. Raises StudyError."""
        return written(self.folder / name, text)


def written(path: Path, text: str) -> Path:
    """A file, written whole. Raises StudyError."""
    try:
        write_text(path, text)
    except OSError as error:
        raise StudyError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def check_study_name(name: str) -> None:
    """Raise StudyError for a name that would be no folder's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise StudyError(f"study {name!r}: a name is 1 to 80 letters, digits, dots, dashes and underscores")


def find_record(home: Path, name: str) -> Record:
    """The record of a study that has been begun. Raises StudyError, naming those there are."""
    record = Record.of(home, name)
    if not record.begun:
        known = [path.parent.name for path in (home / FOLDER).glob(f"*/{PLAN}")]
        told = suggestion(name, known) if known else "none has been begun there"
        raise StudyError(f"no study {name!r} in {home / FOLDER}/; {told}")
    return record
