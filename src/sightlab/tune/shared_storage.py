"""A search shared by several drivers: its record is on a PostgreSQL server instead of in a folder.

Every driver keeps the whole state in memory, as the one driver of a folder's record does. What keeps the states equal
is that all replay the same events in the same order: whoever decides something takes a turn, in which nobody else can
write, reads what the others have written since its last one, decides, and appends that.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightlab.errors import RunError, StudyError, suggestion
from sightlab.store.database import shared_searches
from sightlab.store.liveness import this_process
from sightlab.tune.search_plan import Plan
from sightlab.tune.search_record import FOLDER, LAST, Event, Record, check_study_name, with_current_kind, write_file

HEARTBEAT_SECONDS = 10.0


@dataclass
class SharedRecord:
    """The record of a search on a server, as one of its drivers knows it. driver: the id of this one.

    home: this driver's own, where its runs are. events: all that this driver has read, oldest first, each with its
    `driver`. seen: the number of the last.
    """

    home: Path
    name: str
    driver: str = field(default_factory=lambda: secrets.token_hex(4))
    events: list[Event] = field(default_factory=list)
    seen: int = 0
    unread: list[Event] = field(default_factory=list)
    current: shared_searches.Turn | None = None
    left: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        check_study_name(self.name)
        if not shared_searches.is_server(self.home):
            raise StudyError(
                "--share: needs a PostgreSQL server, and SIGHTLAB_DB names none; set "
                "SIGHTLAB_DB=postgresql+psycopg://USER:PASSWORD@HOST/NAME"
            )

    @property
    def folder(self) -> Path:
        """Where this driver writes its page and the winner's recipe."""
        return self.home / FOLDER / self.name

    @property
    def exists(self) -> bool:
        """Whether the study has been created."""
        return shared_searches.plan_of(self.home, self.name) is not None

    def plan(self) -> Plan:
        """The study's plan. Raises StudyError, RunError."""
        return Plan.from_json(shared_searches.plan_of(self.home, self.name), f"study {self.name} in the database")

    def create(self, plan: Plan) -> None:
        """Write the study's plan; of two drivers that do at once the first counts, and `plan` says what it was."""
        shared_searches.begin(self.home, self.name, plan.to_json())

    def start_session(self, facts: dict[str, Any]) -> None:
        """Start a session beside those of the others. Raises RunError."""
        shared_searches.join(self.home, self.name, self.driver, this_process())
        threading.Thread(target=self.send_heartbeats, daemon=True).start()
        self.note("session", process=this_process(), at=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    def send_heartbeats(self) -> None:
        """Tell the server now and then that this driver is alive; one that does not respond is told the next time."""
        while not self.left.wait(HEARTBEAT_SECONDS):
            with suppress(RunError):
                shared_searches.beat(self.home, self.name, self.driver)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Lock the study until the end of the block; `new_events` then has what others have written. May be nested.

        Raises RunError.
        """
        if self.current is not None:
            yield
            return
        with shared_searches.turn(self.home, self.name, self.driver, self.seen) as self.current:
            new = [with_current_kind(event) | {"driver": driver} for driver, event in self.current.events]
            self.events += new
            self.unread += new
            try:
                yield
                self.seen = self.current.last
            finally:
                self.current = None

    def new_events(self) -> list[Event]:
        """What others have written since the last call, oldest first."""
        found, self.unread = self.unread, []
        return found

    def note(self, kind: str, **facts: Any) -> None:
        """Append an event, in the current turn or in one of its own. Raises RunError."""
        event = {"event": kind, **facts}
        with self.turn():
            assert self.current is not None
            self.current.append(event)
            self.events.append(event | {"driver": self.driver})

    def of_kind(self, kind: str) -> list[Event]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if event["event"] == kind]

    def other_drivers(self) -> set[str]:
        """The other living drivers. Raises RunError."""
        gone = {event["driver"] for event in self.of_kind("left")}
        return shared_searches.living(self.home, self.name) - gone - {self.driver}

    def host_of(self, driver: str) -> str:
        """The machine that a driver ran on. Raises RunError."""
        return shared_searches.host_of(self.home, self.name, driver)

    def leave(self) -> None:
        """End the session: nobody waits for this driver any more."""
        if not self.left.is_set():
            self.left.set()
            self.note("left")

    def withdraw(self) -> None:
        """End the session; a study that was refused stays, others may have joined it by now."""
        self.leave()

    def write(self, name: str, text: str) -> Path:
        """Write a file of this driver's own folder, whole or not at all; returns its path. Raises StudyError."""
        return write_file(self.folder / name, text)


def find_shared(home: Path, name: str) -> SharedRecord:
    """The record of an existing shared study. Raises StudyError, naming those there are; RunError."""
    record = SharedRecord(home, name)
    if not record.exists:
        known = shared_searches.names(home)
        if name == LAST and known:
            raise StudyError(f"--resume {LAST}: a shared study is resumed by its name; there are {', '.join(known)}")
        hint = suggestion(name, known) if known else "there is none"
        raise StudyError(f"no study {name!r} in the database of SIGHTLAB_DB; {hint}")
    return record


Records = Record | SharedRecord
