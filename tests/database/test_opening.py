"""Databases that are opened: new ones, old ones, newer ones, and what is none."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from sightlab.errors import RunError
from sightlab.store.database import orm_tables
from sightlab.store.database.engine import FILE, VARIABLE, check, place_of, reading, writing
from sightlab.store.database.run_queries import runs
from sightlab.store.database.upsert import record
from tests.database.postgres import Server, free_port
from tests.database.run_folders import write_run


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", "sightlab.store.database:migrations")
    return config


def test_the_migrated_tables_are_those_of_the_models(home: Path, database: str) -> None:
    with reading(home) as session:
        assert compare_metadata(MigrationContext.configure(session.connection), orm_tables.metadata) == []


def test_the_steps_that_the_models_name_are_those_of_the_folder() -> None:
    steps = [step.revision for step in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    assert tuple(reversed(steps)) == orm_tables.REVISIONS


def test_every_step_can_be_taken_back_and_taken_again(home: Path, database: str) -> None:
    check(home)
    config = alembic_config()
    with writing(home) as session:
        config.attributes["connection"] = session.connection
        command.downgrade(config, "base")
    record(write_run(home, "aaaaaa-cnn"))
    assert len(runs(home)) == 1


def test_a_database_of_today_is_opened_without_alembic(home: Path) -> None:
    check(home)
    code = (
        "import sys; from pathlib import Path; from sightlab.store.database.run_queries import runs\n"
        "runs(Path(sys.argv[1])); print(sorted({'alembic', 'torch', 'yaml', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, home], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_keeps_foreign_keys_and_writes_ahead(home: Path) -> None:
    with writing(home) as session:
        pragmas = ("journal_mode", "foreign_keys", "busy_timeout")
        values = [session.connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas]
    assert values == ["wal", 1, 60_000]


def test_a_reader_does_not_wait_for_a_writer(home: Path) -> None:
    record(write_run(home, "aaaaaa-cnn"))
    with writing(home) as session:
        session.connection.execute(orm_tables.runs.delete())
        assert len(runs(home)) == 1
        session.connection.rollback()


def test_without_shared_memory_the_old_journal_is_kept(home: Path) -> None:
    """A folder stands where WAL needs a file: what a file system without shared memory refuses, SQLite is refused."""
    (home / f"{FILE}-shm").mkdir()
    record(write_run(home, "aaaaaa-cnn"))
    assert len(runs(home)) == 1
    with sqlite3.connect(home / FILE) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    raw.close()


def refused(home: Path) -> str:
    with pytest.raises(RunError) as caught:
        check(home)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_database_of_a_newer_sightlab_is_refused(home: Path, database: str) -> None:
    with writing(home) as session:
        session.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert refused(home) == f"{place_of(home)}: its tables (9999) are those of a newer sightlab; upgrade this one"


def test_a_file_that_is_no_database_is_refused_and_left_alone(home: Path) -> None:
    (home / FILE).write_text("a shopping list " * 100)
    assert refused(home).startswith(f"{home / FILE}: not a database; move it away, and `sightlab runs rebuild` makes")
    assert (home / FILE).read_text().startswith("a shopping list")


def test_a_damaged_database_is_one_line(home: Path) -> None:
    record(write_run(home, "aaaaaa-cnn"))
    content = bytearray((home / FILE).read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    (home / FILE).write_bytes(bytes(content))
    with pytest.raises(RunError, match=r"sightlab.db: damaged; move it away, and `sightlab runs rebuild`"):
        runs(home)


def test_a_database_of_another_program_is_refused_and_left_alone(home: Path, database: str) -> None:
    with writing(home) as session:
        session.connection.execute(text("DROP TABLE alembic_version"))
    assert "has a table 'epochs' that is not sightlab's; give it a database of its own" in refused(home)


def test_a_home_that_cannot_be_made_is_one_line() -> None:
    where = Path("/sys/kernel/runs" if os.geteuid() == 0 else "/runs")
    with pytest.raises(RunError, match=r"runs: cannot be made: .*; name one you may write to with --home"):
        check(where)


def test_a_folder_in_the_files_place_is_one_line(home: Path) -> None:
    (home / FILE).mkdir()
    assert "cannot be opened" in refused(home)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nonsense", f"{VARIABLE}: not an address of a database; postgresql+psycopg://"),
        ("postgresql://h:port/x", f"{VARIABLE}: not an address of a database"),
        ("mysql://someone@somewhere/runs", f"{VARIABLE}: mysql cannot be used; postgresql+psycopg://"),
        ("sqlite://", f"{VARIABLE}: sqlite cannot be used"),
        ("sqlite:////sys/kernel/here/runs.db", "/sys/kernel/here: cannot be made"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    assert refused(home).startswith(says)


def test_a_server_that_does_not_answer_is_one_line_without_the_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"postgresql://me:hunter2@127.0.0.1:{free_port()}/runs")
    said = refused(home)
    assert re.match(r"postgresql\+psycopg://me:\*\*\*@127.0.0.1:\d+/runs: no answer: .*[Cc]onnection refused", said)
    assert "hunter2" not in said


@pytest.mark.xdist_group("postgres")
def test_a_database_that_the_server_does_not_have_is_one_line(
    home: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, server.url("").removesuffix("postgres") + "nothing")
    assert 'database "nothing" does not exist' in refused(home)


def test_a_missing_driver_is_one_line_that_says_what_to_install(home: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"  # what Python itself keeps of a module that is not to be had
        "from sightlab.cli import main; sys.exit(main(['runs', '--home', sys.argv[1]]))"
    )
    environment = {**os.environ, VARIABLE: "postgresql+psycopg://me:hunter2@127.0.0.1:1/runs"}
    done = subprocess.run([sys.executable, "-c", code, home], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "sightlab: postgresql+psycopg://me:***@127.0.0.1:1/runs: psycopg is not installed; "
        "pip install 'sightlab[postgres]'\n"
    )


def test_an_address_of_the_homes_own_file_is_the_homes_own_database(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(write_run(home, "aaaaaa-cnn"))
    monkeypatch.setenv(VARIABLE, f"sqlite:///{home / FILE}")
    assert [run["home"] for run in runs(home)] == ["."]
    assert not place_of(home).shared


def test_several_homes_may_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path / 'team' / 'runs.db'}")
    for name in ("one", "two"):
        record(write_run(tmp_path / name, "aaaaaa-cnn"))
    assert [run["home"] for run in runs()] == [str(tmp_path / "one"), str(tmp_path / "two")]
