"""Searches that several drivers share, in a database on a server: events in one order, and who is still there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from sightlab.store.database import orm_tables
from sightlab.store.database.engine import Session, place_of, reading, writing
from sightlab.store.liveness import alive, same_machine

Event = dict[str, Any]
SILENT_SECONDS = 60.0  # without a heartbeat, after which a driver on another machine is taken to have gone


@dataclass
class Turn:
    """A transaction in which nobody else writes to the search. events: of all drivers, since the last turn."""

    session: Session
    search: str
    tuner: str
    events: list[tuple[str, Event]]
    last: int

    def append(self, event: Mapping[str, Any]) -> None:
        """Write an event behind all others."""
        self.last += 1
        values = {"search": self.search, "number": self.last, "driver": self.tuner, "event": json.dumps(event)}
        self.session.connection.execute(insert(orm_tables.search_events), [values])


def is_server(home: Path) -> bool:
    """Whether the database of this home is on a server. Raises RunError for one that cannot be used."""
    return place_of(home).file is None


@contextmanager
def turn(home: Path, search: str, tuner: str, seen: int) -> Iterator[Turn]:
    """Have the search alone until the end of the block. seen: the last event that is known. Raises RunError."""
    table = orm_tables.search_events
    with writing(home) as session:
        session.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"search {search}", 0))))
        newer = select(table).where(table.c.search == search, table.c.number > seen).order_by(table.c.number)
        rows = session.connection.execute(newer).all()
        last = rows[-1].number if rows else seen
        yield Turn(session, search, tuner, [(row.driver, json.loads(row.event)) for row in rows], last)


def begin(home: Path, search: str, plan: Mapping[str, Any]) -> None:
    """Write down what a search is, unless another driver has done so. Raises RunError."""
    values = {"name": search, "plan": json.dumps(plan)}
    with writing(home) as session:
        session.connection.execute(upsert(orm_tables.searches).values(values).on_conflict_do_nothing())


def plan_of(home: Path, search: str) -> Any:
    """What a search is; None where there is none of this name. Raises RunError."""
    with reading(home) as session:
        found = session.connection.execute(
            select(orm_tables.searches.c.plan).where(orm_tables.searches.c.name == search)
        ).scalar()
    return None if found is None else json.loads(found)


def names(home: Path) -> list[str]:
    """The searches there are, in order. Raises RunError."""
    with reading(home) as session:
        return list(session.connection.execute(select(orm_tables.searches.c.name).order_by("name")).scalars())


def join(home: Path, search: str, tuner: str, process: Mapping[str, Any]) -> None:
    """Put a driver on record, alive now. Raises RunError."""
    values = {"search": search, "driver": tuner, "process": json.dumps(process), "heartbeat": func.now()}
    with writing(home) as session:
        session.connection.execute(insert(orm_tables.search_drivers).values(values))


def beat(home: Path, search: str, tuner: str) -> None:
    """Say that a driver is alive. Raises RunError."""
    table = orm_tables.search_drivers
    mine = (table.c.search == search) & (table.c.driver == tuner)
    with writing(home) as session:
        session.connection.execute(update(table).where(mine).values(heartbeat=func.now()))


def living(home: Path, search: str) -> set[str]:
    """The drivers that are still there. Raises RunError.

    Of one on this machine the system knows whether its process runs; of another one only its heartbeat tells.
    """
    table = orm_tables.search_drivers
    with reading(home) as session:
        silent = func.extract("epoch", func.now() - table.c.heartbeat)
        rows = session.connection.execute(
            select(table.c.driver, table.c.process, silent.label("silent")).where(table.c.search == search)
        ).all()
    here: set[str] = set()
    for row in rows:
        process = json.loads(row.process)
        if same_machine(process):
            there = alive(process, "", datetime.now(UTC))
        else:
            there = float(row.silent) < SILENT_SECONDS
        here |= {row.driver} if there else set()
    return here


def host_of(home: Path, search: str, tuner: str) -> str:
    """The machine that a driver ran on, "" for one that is not known. Raises RunError."""
    table = orm_tables.search_drivers
    with reading(home) as session:
        found = session.connection.execute(
            select(table.c.process).where(table.c.search == search, table.c.driver == tuner)
        ).scalar()
    return str(json.loads(found).get("host", "")) if found else ""
