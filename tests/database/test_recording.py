"""Run folders in the database: all that their files say, on SQLite and PostgreSQL, and again after a rebuild."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from sightlab.errors import RunError
from sightlab.store.annotations import Study, read_labels
from sightlab.store.database import orm_tables
from sightlab.store.database.engine import FILE, check, reading, writing
from sightlab.store.database.run_queries import find, runs
from sightlab.store.database.trash import purge, put_in, take_back
from sightlab.store.database.upsert import beat, rebuild, record, relabel
from sightlab.store.liveness import this_process
from tests.conftest import ROOT
from tests.database.run_folders import FINISHED, TEST_KEY, write_run


def tables(home: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in the order of its key."""
    with reading(home) as session:
        return {
            table.name: [
                dict(row) for row in session.connection.execute(select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in orm_tables.metadata.sorted_tables
        }


def now_running(**more: Any) -> dict[str, Any]:
    return {"process": this_process(), "heartbeat": datetime.now(UTC).isoformat(), "ended": None, **more}


def test_a_run_is_on_record_with_all_that_its_files_say(home: Path, database: str) -> None:
    folder = write_run(home, "aaaaaa-cnn", changes={"lr": 0.25, "seed": 7}, openings=(TEST_KEY, "other", TEST_KEY))
    record(folder)
    found = find("aaaaaa", home)
    facts = json.loads((folder / "run.json").read_text())
    same = "recipe recipe_hash model parameters epochs best_epoch seconds images_per_second seed flops status"
    assert {name: found[name] for name in same.split()} == {name: facts[name] for name in same.split()}
    assert found["settings"] == yaml.safe_load((folder / "recipe.yaml").read_text())
    assert found["machine"] == json.loads((folder / "environment.json").read_text())
    assert found["history"] == facts["history"]
    assert (found["test_accuracy"], found["test_low"], found["test_high"]) == (0.9, 0.8799, 0.9171)
    assert (found["test_loss"], found["test_top5"], found["test_count"], found["test_correct"]) == (
        0.31,
        0.99,
        1000,
        900,
    )
    assert (found["validation_accuracy"], found["validation_loss"]) == (0.8, 0.4)
    assert (found["git_revision"], found["git_dirty"]) == ("ab" * 20, True)
    assert (found["train_images"], found["validation_images"], found["test_images"]) == (8000, 2000, 2000)
    assert found["started"] == "2026-01-01T09:00:00.123000+00:00"
    assert found["openings"] == 2  # of its own test split; the opening of other data stands beside them
    assert [one["split"] for one in found["opened"]] == [TEST_KEY, "other", TEST_KEY]
    assert found["folder"] == str(folder)


def test_the_table_of_epochs_has_all_fields_of_an_epoch() -> None:
    from sightlab.records import Epoch

    assert set(orm_tables.epochs.c.keys()) == {"home", "run", *Epoch.__dataclass_fields__}


def test_a_second_opening_is_on_record_once_the_folder_is_recorded_again(home: Path, database: str) -> None:
    folder = write_run(home, "aaaaaa-cnn")
    record(folder)
    assert find("aaaaaa", home)["openings"] == 1
    with (folder / "bundle" / "openings.jsonl").open("a") as lines:
        lines.write(json.dumps({"at": "2026-01-05T00:00:00+00:00", "split": TEST_KEY, "source": "x", "reason": "y"}))
    record(folder)
    assert find("aaaaaa", home)["openings"] == 2


def filled(home: Path) -> None:
    """Runs of all kinds, labelled, in the bin, in studies."""
    for n, status in enumerate(["finished", "interrupted", "failed", "finished"]):
        extra = {"reason": "the loss is nan"} if status == "failed" else {}
        test = FINISHED if status == "finished" else None
        record(write_run(home, f"{n:06}-cnn", status=status, test=test, extra=extra, changes={"seed": n}))
    record(write_run(home, "running-cnn", status="running", test=None, extra=now_running()))
    relabel(home / "000000-cnn", lambda labels: labels.with_tags(["b", "a"]).with_note("first\nsecond, with ünïcode"))
    for run, created in (("000000-cnn", "2026-02-01T00:00:00+00:00"), ("000001-cnn", "2026-02-02T00:00:00+00:00")):
        study = Study("depth", f"how deep? asked {created}", created, {"models": ["cnn"]})
        relabel(home / run, lambda labels, study=study: labels.with_study(study))
    put_in(home / "000003-cnn")


def test_a_rebuild_gives_exactly_the_rows_that_were_there(home: Path, database: str) -> None:
    filled(home)
    beat(home / "running-cnn", datetime(2036, 1, 1, tzinfo=UTC))
    before = tables(home)
    assert {name: len(rows) for name, rows in before.items()} == {
        "runs": 5, "studies": 1, "epochs": 10, "openings": 5, "tags": 2, "notes": 1, "study_runs": 2,
        "searches": 0, "search_drivers": 0, "search_events": 0,
    }  # fmt: skip
    found = rebuild(home)
    assert (found.recorded, found.problems) == (5, ())
    assert tables(home) == before


def test_a_rebuild_of_a_lost_database_gives_the_same_rows(home: Path) -> None:
    filled(home)
    before = tables(home)
    for file in home.glob(f"{FILE}*"):
        file.unlink()
    rebuild(home)
    assert tables(home) == before
    assert before["studies"][0]["question"].endswith("2026-02-02T00:00:00+00:00")  # the one made later


def test_a_rebuild_names_what_it_cannot_read_and_drops_what_is_gone(home: Path, database: str) -> None:
    for name in ("aaaaaa-cnn", "bbbbbb-cnn", "cccccc-cnn", "dddddd-cnn"):
        record(write_run(home, name, extra={"process": None}))
    (home / "aaaaaa-cnn" / "run.json").write_text("{")
    (home / "bbbbbb-cnn" / "recipe.yaml").write_text("a: [")
    shutil.rmtree(home / "cccccc-cnn")
    found = rebuild(home)
    assert found.recorded == 1
    assert [problem.split(": ")[1] for problem in found.problems] == ["damaged", "damaged"]
    assert all("\n" not in problem for problem in found.problems)
    assert [row["id"] for row in tables(home)["runs"]] == ["dddddd-cnn"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seconds": "long"}, "seconds is 'long'"),
        ({"history": 3}, "history is 3, not a list"),
        ({"test": [1]}, "test is \\[1\\], not an object"),
        ({"parameters": 2**70}, "parameters is 1180591620717411303424"),
        ({"started": "soon"}, "'soon' is not a time"),
        ({"model": None}, "model is missing"),
    ],
    ids=str,
)
def test_a_fact_that_does_not_fit_is_one_line(home: Path, change: dict[str, Any], says: str) -> None:
    folder = write_run(home, "aaaaaa-cnn", extra=change)
    with pytest.raises(RunError, match=says):
        record(folder)


def test_numbers_that_are_none_and_texts_no_database_takes_do_no_harm(home: Path, database: str) -> None:
    folder = write_run(home, "aaaaaa-cnn", status="failed", extra={"reason": "REASON"})
    text = (folder / "run.json").read_text()
    for before, after in (
        ("REASON", "nul \\u0000 and half \\ud800 a pair"),
        ('"train_loss": 0.5', '"train_loss": NaN'),
        ('"lr": 0.1', '"lr": Infinity'),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "run.json").write_text(text)
    record(folder)
    found = find("aaaaaa", home)
    assert found["reason"] == "nul  and half ? a pair"
    assert (found["history"][0]["train_loss"], found["history"][0]["lr"]) == (None, None)


def test_a_folder_of_an_older_sightlab_is_recorded(home: Path, database: str) -> None:
    """As version 0.1.0 wrote it: without status, seed, process, heartbeat, git and test key."""
    folder = write_run(home, "aaaaaa-cnn", changes={"seed": 5})
    facts = json.loads((folder / "run.json").read_text())
    for key in ("status", "seed", "process", "heartbeat", "git", "test_key", "ended", "flops"):
        del facts[key]
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "environment.json").unlink()
    (run,) = runs(home)
    assert (run["status"], run["seed"], run["openings"], run["test_key"]) == ("finished", 5, 1, TEST_KEY)


def test_a_heartbeat_is_written_alone_and_never_goes_back(home: Path, database: str) -> None:
    folder = write_run(home, "aaaaaa-cnn", status="running", extra=now_running())
    record(folder)
    before = tables(home)
    later = datetime.now(UTC).replace(microsecond=5000) + timedelta(minutes=1)
    beat(folder, later)
    assert tables(home)["runs"][0] == before["runs"][0] | {"heartbeat": later}
    record(folder)
    assert tables(home)["runs"][0]["heartbeat"] == later


def test_a_run_that_died_shows_as_interrupted_and_its_row_is_corrected(home: Path, database: str) -> None:
    folder = write_run(home, "aaaaaa-cnn", status="running", test=None, extra=now_running())
    record(folder)
    assert [run["status"] for run in runs(home)] == ["running"]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        theirs = this_process() | {"pid": process.pid, "started": int(stat[19])}
        record(write_run(home, "aaaaaa-cnn", status="running", test=None, extra=now_running(process=theirs)))
        assert [run["status"] for run in runs(home, "status = 'running'")] == ["running"]
        process.kill()
        process.wait()
        assert [run["status"] for run in runs(home, "status = 'interrupted'")] == ["interrupted"]
    assert tables(home)["runs"][0]["status"] == "interrupted"


def test_a_run_of_another_machine_lives_as_long_as_its_heart_beats(home: Path, database: str) -> None:
    far = {"host": "elsewhere", "boot": "x", "pid": 1, "started": 1}
    old = (datetime.now(UTC) - timedelta(minutes=16)).isoformat()
    facts = now_running(process=far, heartbeat=old)
    folder = write_run(home, "aaaaaa-cnn", status="running", test=None, extra=facts)
    assert runs(home)[0]["status"] == "interrupted"
    beat(folder)
    record(folder)  # the folder's own heartbeat, written once an epoch, is older than the database's
    assert runs(home)[0]["status"] == "running"


def test_an_older_home_is_recorded_when_it_is_listed(home: Path, database: str) -> None:
    for name in ("aaaaaa-cnn", "bbbbbb-cnn"):
        write_run(home, name)
    said: list[str] = []
    assert [run["run"] for run in runs(home, say=said.append)] == ["aaaaaa-cnn", "bbbbbb-cnn"]
    assert len(said) == 1
    assert said[0].startswith("2 run folders were not yet in ")
    said.clear()
    write_run(home, "cccccc-cnn")
    shutil.rmtree(home / "aaaaaa-cnn")
    assert len(runs(home, say=said.append)) == 3
    assert said[0].startswith("1 run folder was not yet in ")
    assert "aaaaaa-cnn; `sightlab runs rebuild` drops" in said[1]


def test_listing_makes_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    assert runs(tmp_path / "nowhere") == []
    assert runs(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_bin_takes_gives_back_and_deletes(home: Path, database: str) -> None:
    folder = write_run(home, "aaaaaa-cnn")
    record(folder)
    binned = put_in(folder)
    assert binned == home / ".bin" / "aaaaaa-cnn"
    assert runs(home) == []
    (found,) = runs(home, binned=True)
    assert found["folder"] == str(binned)
    assert found["binned_at"] == read_labels(binned).binned
    with pytest.raises(RunError, match="in the bin already"):
        put_in(binned)
    assert take_back(binned) == folder
    assert runs(home)[0]["binned_at"] is None
    purge(folder)
    assert not folder.exists()
    assert all(rows == [] for rows in tables(home).values())
    assert list((home / ".bin").iterdir()) == []


def test_a_run_that_is_trained_is_neither_binned_nor_deleted(home: Path) -> None:
    folder = write_run(home, "aaaaaa-cnn", status="running", extra=now_running())
    for act in (put_in, purge):
        with pytest.raises(RunError, match=f"is running, as process {os.getpid()}"):
            act(folder)
    assert folder.is_dir()


def test_a_study_without_runs_is_gone(home: Path, database: str) -> None:
    for name in ("aaaaaa-cnn", "bbbbbb-cnn"):
        relabel(write_run(home, name), lambda labels: labels.with_study(Study("depth")))
    assert [run["run"] for run in runs(home, "study = 'depth'")] == ["aaaaaa-cnn", "bbbbbb-cnn"]
    purge(home / "aaaaaa-cnn")
    assert len(tables(home)["studies"]) == 1
    purge(home / "bbbbbb-cnn")
    assert tables(home)["studies"] == []


def test_a_home_that_is_moved_takes_its_database_with_it(home: Path, tmp_path: Path) -> None:
    relabel(write_run(home, "aaaaaa-cnn"), lambda labels: labels.with_tags(["kept"]))
    moved = home.rename(tmp_path / "elsewhere")
    said: list[str] = []
    (found,) = runs(moved, "tag = 'kept'", say=said.append)
    assert found["folder"] == str(moved / "aaaaaa-cnn")
    assert said == []


@pytest.mark.xdist_group("postgres")
def test_homes_that_share_a_server_keep_runs_of_one_id_apart(tmp_path: Path, on_postgres: str) -> None:
    for name in ("one", "two"):
        record(write_run(tmp_path / name, "aaaaaa-cnn", changes={"seed": len(name) + (name == "two")}))
    assert [run["folder"] for run in runs()] == [str(tmp_path / name / "aaaaaa-cnn") for name in ("one", "two")]
    assert [run["seed"] for run in runs(tmp_path / "two")] == [4]
    with pytest.raises(RunError, match=r"could be any of .*one/aaaaaa-cnn, .*two/aaaaaa-cnn"):
        find("aaaaaa")
    rebuild(tmp_path / "one")
    assert len(runs()) == 2


WRITER = """
import os, sys, traceback
from pathlib import Path
import psycopg
from sightlab.store.database.upsert import beat, record, relabel
from tests.database.run_folders import write_run

def write(name):
    for epochs in range(1, 3):
        record(write_run(home, name, accuracies=[0.5 + epoch / 100 for epoch in range(epochs)]))
        beat(home / name)

def label(name):
    for n in range(3):
        relabel(home / "aaaaaa-cnn", lambda labels: labels.with_tags([f"{name}-{n}"]))

home, work, count = Path(sys.argv[1]), {"write": write, "label": label}[sys.argv[2]], int(sys.argv[3])
for n in range(count):
    if os.fork() == 0:
        try:
            work(f"{n:06}")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
sys.exit(sum(os.wait()[1] != 0 for _ in range(count)))
"""


def at_once(home: Path, work: str, count: int) -> None:
    """So many processes that write at the same time; all of them are to end well."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER, str(home), work, str(count)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("processes", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_processes_that_make_a_database_and_write_at_once_lose_nothing(home: Path, processes: int) -> None:
    all_is_kept(home, processes)


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("processes", [4, pytest.param(6, marks=pytest.mark.slow)])
def test_processes_that_make_the_tables_of_a_server_and_write_at_once_lose_nothing(
    home: Path, on_postgres: str, processes: int
) -> None:
    all_is_kept(home, processes)


def all_is_kept(home: Path, count: int) -> None:
    at_once(home, "write", count)
    found = tables(home)
    assert [row["id"] for row in found["runs"]] == [f"{n:06}" for n in range(count)]
    assert all(row["epochs"] == 2 and row["heartbeat"] for row in found["runs"])
    assert len(found["epochs"]) == 2 * count


def test_labels_given_at_the_same_time_are_all_kept(home: Path, database: str) -> None:
    record(write_run(home, "aaaaaa-cnn"))
    at_once(home, "label", 3)
    assert runs(home)[0]["tags"] == [f"{process:06}-{n}" for process in range(3) for n in range(3)]


def test_two_thousand_runs_are_listed_within_half_a_second(home: Path) -> None:
    """Of this process's own time, the least of three: what else the machine does takes from it all the same."""
    import time

    from sightlab.cli import main

    record(write_run(home, "000000-cnn"))
    one = tables(home)
    (home / ".bin").mkdir()
    with writing(home) as session:
        for name in ("runs", "epochs", "openings"):
            key = "id" if name == "runs" else "run"
            rows = [row | {key: f"{n:06}-cnn"} for n in range(1, 2000) for row in one[name]]
            session.connection.execute(orm_tables.metadata.tables[name].insert(), rows)
    for n in range(1, 2000):
        (home / f"{n:06}-cnn").mkdir()
    check(home)
    spent = []
    for _ in range(3):
        before = time.process_time()
        assert main(["runs", "--home", str(home)]) == 0
        spent.append(time.process_time() - before)
    assert min(spent) < 0.5
