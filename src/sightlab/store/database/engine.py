"""The database of a home: found, opened, migrated; its errors as one line."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from sightlab.errors import RunError, one_line
from sightlab.store.database.orm_tables import REVISIONS, metadata

FILE = "sightlab.db"
VARIABLE = "SIGHTLAB_DB"
OWN = "."  # the name in the rows of the home that the database file is in
PATIENCE = 60  # seconds that a writer waits for the others
LOCK = 0x51_6874_6C61_62  # PostgreSQL's advisory lock of the migrations, one number for all of sightlab
ANEW = "move it away, and `sightlab runs rebuild` makes a new one from the run folders"
HELP = {
    "file is not a database": f"not a database; {ANEW}",
    "disk image is malformed": f"damaged; {ANEW}",
    "unable to open database file": "cannot be opened; check that the folder is there and may be written",
    "readonly database": f"may not be written; use a home that may be, with --home, SIGHTLAB_HOME or {VARIABLE}",
    "database is locked": f"locked by another program for {PATIENCE} seconds",
    "database or disk is full": "the disk is full",
}


@dataclass(frozen=True)
class Place:
    """The database of a home. folder: the home. home: its name in the rows."""

    url: URL
    folder: Path
    home: str

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    @property
    def shared(self) -> bool:
        """Whether other homes write there too."""
        return self.home != OWN

    def __str__(self) -> str:
        return str(self.file) if self.file else self.url.render_as_string(hide_password=True)


@dataclass(frozen=True)
class Session:
    """A transaction, and where it is."""

    connection: Connection
    place: Place


def place_of(home: Path) -> Place:
    """The database that the runs of this home are in: SIGHTLAB_DB, else a file in the home. Raises RunError."""
    folder = home.expanduser().absolute()
    own = folder / FILE
    asked = os.environ.get(VARIABLE, "").strip()
    if not asked:
        return Place(URL.create("sqlite", database=str(own)), folder, OWN)
    try:
        url = make_url(asked)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise RunError(
            f"{VARIABLE}: not an address of a database; postgresql+psycopg://USER:PASSWORD@HOST/NAME would be one"
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url, backend = url.set(drivername="postgresql+psycopg"), "postgresql"
    if backend not in ("sqlite", "postgresql") or (backend == "sqlite" and url.database in (None, "", ":memory:")):
        raise RunError(
            f"{VARIABLE}: {url.drivername} cannot be used; postgresql+psycopg://USER:PASSWORD@HOST/NAME "
            "and sqlite:////FOLDER/FILE can"
        )
    is_own = backend == "sqlite" and Path(str(url.database)).absolute() == own
    return Place(url, folder, OWN if is_own else str(folder))


def check(home: Path) -> None:
    """Open the database of a home, made and brought up to date where it has to be. Raises RunError, one line."""
    with writing(home):
        pass


@contextmanager
def reading(home: Path) -> Iterator[Session]:
    """A reading transaction. Raises RunError, one line, for any error of the database."""
    with _transaction(place_of(home), writes=False) as session:
        yield session


@contextmanager
def writing(home: Path) -> Iterator[Session]:
    """A writing transaction: committed as a whole at the end of the block, or not at all.

    On SQLite it holds the one write lock from its beginning, so that it never has to be rolled back halfway.
    """
    place = place_of(home)
    if place.file:
        try:
            place.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{place.file.parent}: cannot be made: {error.strerror}; name one you may write to with --home or "
                "SIGHTLAB_HOME"
            ) from error
    with _transaction(place, writes=True) as session:
        yield session


@contextmanager
def _transaction(place: Place, writes: bool) -> Iterator[Session]:
    """A transaction on a database that is up to date."""
    with one_line_errors(place), engine_of(place.url).connect() as connection:
        _bring_up_to_date(connection, place)
        connection.execution_options(writes=writes)
        with connection.begin():
            yield Session(connection, place)


@contextmanager
def one_line_errors(place: Place) -> Iterator[None]:
    """Turn errors of the database libraries into a RunError, one line that names the database."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RunError(f"{place}: {error.name} is not installed; pip install 'sightlab[postgres]'") from error
    except DBAPIError as error:
        message = one_line(error.orig)
        known = [text_ for part, text_ in HELP.items() if part in message]
        if (not known and error.connection_invalidated) or ("connection" in message and place.file is None):
            known = [f"no answer: {message[:200]}"]
        raise RunError(f"{place}: {known[0] if known else message[:200]}") from error
    except SQLAlchemyError as error:
        raise RunError(f"{place}: {one_line(error)[:200]}") from error


@functools.cache
def engine_of(url: URL) -> Engine:
    """The engine of a database. It keeps no connections open between transactions, as processes may fork."""
    if url.get_backend_name() != "sqlite":
        waits = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
        engine = create_engine(url, poolclass=NullPool, connect_args=waits)
        event.listen(engine, "begin", _begin_on_server)
        return engine
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _connect_file)
    event.listen(engine, "begin", _begin_in_file)
    return engine


def _connect_file(connection: Any, _record: object) -> None:
    """SQLite keeps no foreign keys unless asked. What a power cut takes from WAL is in the run folders still."""
    connection.isolation_level = None  # transactions begin where `_begin_in_file` says, DDL included
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_in_file(connection: Connection) -> None:
    """Writers ask for the lock at once: one that reads first and then wants to write could only fail."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_on_server(connection: Connection) -> None:
    """Limit the wait for a lock: a training has to continue."""
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")


def _bring_up_to_date(connection: Connection, place: Place) -> None:
    """Create the tables or migrate them, unless they are current."""
    with connection.begin():
        if _is_current(connection, place):
            return
    if place.file:
        _write_ahead(place.file)
    connection.execution_options(writes=True)
    with connection.begin():
        if not place.file:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        if not _is_current(connection, place):  # another process may have been here in the meantime
            _migrate(connection)


def _is_current(connection: Connection, place: Place) -> bool:
    """Whether the tables are current. Raises RunError for those of a newer sightlab or of another program."""
    if place.file:
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
    else:
        names = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    there = set(connection.execute(text(names)).scalars())
    if "alembic_version" not in there:
        foreign = sorted(there & set(metadata.tables))
        if foreign:
            raise RunError(f"{place}: has a table {foreign[0]!r} that is not sightlab's; give it a database of its own")
        return False
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise RunError(f"{place}: its tables ({revision}) are those of a newer sightlab; upgrade this one")
    return bool(revision == REVISIONS[-1])


def _write_ahead(file: Path) -> None:
    """Switch a SQLite file to WAL: readers and a writer do not wait for each other. It stays so.

    Whether the file system supports the shared memory of WAL shows at the first lock. If it does not, the rollback
    journal is restored, which only a connection with an exclusive locking_mode can do.
    """
    if not _carried_out(file, "PRAGMA journal_mode = WAL", "BEGIN IMMEDIATE", "ROLLBACK"):
        _carried_out(file, "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = DELETE")


def _carried_out(file: Path, *statements: str) -> bool:
    """Whether these statements succeed on a connection of their own. Retries where SQLite itself does not wait."""
    until = time.monotonic() + PATIENCE
    while True:
        connection = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)
        try:
            for statement in statements:
                connection.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" in str(error) and time.monotonic() < until:
                time.sleep(0.02)
                continue
            return False
        else:
            return True
        finally:
            connection.close()


def _migrate(connection: Connection) -> None:
    """Run Alembic's missing migrations within this transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "sightlab.store.database:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
