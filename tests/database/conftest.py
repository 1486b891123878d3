"""Databases for the tests: a SQLite file in a home, and a schema on a PostgreSQL server of their own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightlab.store.database.engine import VARIABLE
from tests.database.postgres import Server, programs, serving

on_server = pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests of a process."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's programs (initdb, postgres) are not on this machine; Debian: apt install postgresql")
    with serving(found) as running:
        yield running


@pytest.fixture(autouse=True)
def no_shared_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """No database of this machine is written to."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def on_postgres(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """SIGHTLAB_DB names an empty schema on the server. Gives its address."""
    schema = f"s{uuid.uuid4().hex}"
    server.run(f"CREATE SCHEMA {schema}")
    monkeypatch.setenv(VARIABLE, server.url(schema))
    yield server.url(schema)
    server.run(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", on_server])
def database(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn; the home is empty, and so is the database."""
    if request.param == "postgresql":
        request.getfixturevalue("on_postgres")
    return str(request.param)
