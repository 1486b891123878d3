"""A search that several drivers work off at once: its record on a PostgreSQL server instead of in a folder.

Every driver has the whole search in its memory, as the one driver of a folder's record has. What keeps them alike is
that they are told the same events in the same order: whoever decides something takes a turn, in which nobody else can
write, is told what the others have written since its last one, decides, and writes that behind it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from sightlab.errors import RunError, StudyError, suggestion
from sightlab.store.database import shared_searches
from sightlab.store.liveness import this_process
from sightlab.tune.search_plan import Plan
from sightlab.tune.search_record import FOLDER, Record, check_study_name, written

BEAT_SECONDS = 10.0


@dataclass
class SharedRecord:
    """The record of a search on a server, as one of its drivers has it. me: which of them this one is.

    home: this driver's own, where its runs are. events: all that have happened, as far as this driver knows, oldest
    first, each with its `driver`. seen: the number of the last.
    """

    home: Path
    name: str
    me: str = field(default_factory=lambda: secrets.token_hex(4))
    events: list[dict[str, Any]] = field(default_factory=list)
    seen: int = 0
    unread: list[dict[str, Any]] = field(default_factory=list)
    now: shared_searches.Turn | None = None
    left: threading.Event = field(default_factory=threading.Event)
    shared: ClassVar[bool] = True

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
    def begun(self) -> bool:
        """Whether there is such a study."""
        return shared_searches.plan_of(self.home, self.name) is not None

    def plan(self) -> Plan:
        """What the study is. Raises StudyError, RunError."""
        return Plan.from_json(shared_searches.plan_of(self.home, self.name), f"study {self.name} in the database")

    def begin(self, plan: Plan) -> None:
        """Write down what the study is; of two that do at once the first counts, and `plan` says what it was."""
        shared_searches.begin(self.home, self.name, plan.to_json())

    def sit_down(self, facts: dict[str, Any]) -> None:
        """Begin a sitting beside those of the others. Raises RunError."""
        shared_searches.join(self.home, self.name, self.me, this_process())
        threading.Thread(target=self.beat, daemon=True).start()
        self.note("sitting", process=this_process(), at=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    def beat(self) -> None:
        """Say now and then that this driver is alive; a server that is away for a moment is told the next time."""
        while not self.left.wait(BEAT_SECONDS):
            with suppress(RunError):
                shared_searches.beat(self.home, self.name, self.me)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have the study alone until the end of the block; what others have written is in `news` then. May be nested.

        Raises RunError.
        """
        if self.now is not None:
            yield
            return
        with shared_searches.turn(self.home, self.name, self.me, self.seen) as self.now:
            told = [event | {"driver": tuner} for tuner, event in self.now.events]
            self.events += told
            self.unread += told
            try:
                yield
                self.seen = self.now.last
            finally:
                self.now = None

    def news(self) -> list[dict[str, Any]]:
        """What others have written since this was last asked, oldest first."""
        found, self.unread = self.unread, []
        return found

    def note(self, kind: str, **facts: Any) -> None:
        """Write down that something has happened, in this driver's turn or in one of its own. Raises RunError."""
        event = {"event": kind, **facts}
        with self.turn():
            assert self.now is not None
            self.now.append(event)
            self.events.append(event | {"driver": self.me})

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if event["event"] == kind]

    def others(self) -> set[str]:
        """The other drivers that are still there. Raises RunError."""
        gone = {event["driver"] for event in self.of_kind("left")}
        return shared_searches.living(self.home, self.name) - gone - {self.me}

    def host_of(self, tuner: str) -> str:
        """The machine that a driver ran on. Raises RunError."""
        return shared_searches.host_of(self.home, self.name, tuner)

    def leave(self) -> None:
        """End the sitting: nobody waits for this driver any more."""
        if not self.left.is_set():
            self.left.set()
            self.note("left")

    def withdraw(self) -> None:
        """End the sitting; a study that was refused stays, others may have joined it by now."""
        self.leave()

    def written(self, name: str, text: str) -> Path:
        """A file of this driver's own folder of the study, written whole. Raises StudyError."""
        return written(self.folder / name, text)


def find_shared(home: Path, name: str) -> SharedRecord:
    """The record of a shared study that has been begun. Raises StudyError, naming those there are; RunError."""
    record = SharedRecord(home, name)
    if not record.begun:
        known = shared_searches.names(home)
        told = suggestion(name, known) if known else "none has been begun there"
        raise StudyError(f"no study {name!r} in the database of SIGHTLAB_DB; {told}")
    return record


Records = Record | SharedRecord
