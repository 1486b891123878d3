"""Several drivers, one search, on a real PostgreSQL server: each cell once, one order of events, one opening."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.store.run_folder import read_facts, run_folders, status_of
from sightlab.tune.consensus import packed, unpacked
from sightlab.tune.peers import Peers
from tests.conftest import Cli, refused_with
from tests.database.postgres import Server

pytestmark = pytest.mark.xdist_group("postgres")
TINY = ("model=lenet", "limit_per_class=20", "compile=off", "report=off", "schedule=constant")
PATIENCE = 120.0


def started(folder: Path, url: str, home: str, *words: object) -> "subprocess.Popen[str]":
    """A driver as a process of its own, with a home of its own."""
    command = [sys.executable, "-m", "sightlab", "tune", *map(str, words), "--share", "--home", home, "--json"]
    environment = {**os.environ, "SIGHTLAB_DB": url, "OMP_NUM_THREADS": "1"}
    with (folder / f"{home}.out").open("w") as out, (folder / f"{home}.err").open("w") as err:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err, text=True)


def ended(folder: Path, tuner: "subprocess.Popen[str]", home: str) -> dict[str, Any]:
    said = folder / f"{home}.err"
    try:
        assert tuner.wait(PATIENCE) == 0, said.read_text()
    finally:
        tuner.kill()
    found: dict[str, Any] = json.loads((folder / f"{home}.out").read_text())
    return found


def events(server: Server, url: str) -> list[tuple[int, str, dict[str, Any]]]:
    name = url.rpartition("%3D")[2]
    with psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres") as connection:
        rows = connection.execute(f"SELECT number, driver, event FROM {name}.search_events ORDER BY number").fetchall()  # type: ignore[call-overload]
    return [(number, tuner, json.loads(event)) for number, tuner, event in rows]


def wait_for_epochs(server: Server, url: str, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            told = sum(event["event"] == "epoch" for _, _, event in events(server, url))
        except psycopg.errors.UndefinedTable:
            told = 0
        if told >= count:
            return
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_two_drivers_share_a_grid_and_come_to_one_result(server: Server, on_postgres: str, tmp_path: Path) -> None:
    words = (*TINY, "epochs=6", "lr=0.01,0.03,0.1", "batch_size=16,32", "--study", "ours", "--jobs", 1)
    drivers = {home: started(tmp_path, on_postgres, home, *words) for home in ("one", "two")}
    found = {home: ended(tmp_path, tuner, home) for home, tuner in drivers.items()}

    # Each cell has been trained once, by either; both know all of it.
    folders = {home: run_folders(tmp_path / home) for home in found}
    hashes = [read_facts(folder)["recipe_hash"] for home in folders for folder in folders[home]]
    assert len(hashes) == len(set(hashes)) == 6
    assert all(folders.values()), "one driver has trained everything; the other was not there in time"
    told = {
        home: [(one["values"], one["state"], one["value"]) for one in facts["trials"]] for home, facts in found.items()
    }
    assert told["one"] == told["two"]
    assert {state for _, state, _ in told["one"]} == {"complete"}
    assert found["one"]["best"] == found["two"]["best"]
    assert found["one"]["gain"] == found["two"]["gain"]
    assert found["one"]["expected"] == found["two"]["expected"]

    # One test split was opened, once, and both say what came of it.
    opened = [folder for home in folders for folder in folders[home] if read_facts(folder)["openings"]]
    assert len(opened) == 1
    assert found["one"]["luck"] == found["two"]["luck"]
    assert found["one"]["tested"][0]["test"] == found["two"]["tested"][0]["test"]
    for home in found:
        assert (tmp_path / home / "tune" / "ours" / "report.html").is_file()
    assert (tmp_path / "one/tune/ours/best.yaml").read_text() == (tmp_path / "two/tune/ours/best.yaml").read_text()

    # The record is one row of events: no number twice, none left out, no trial asked for twice.
    record = events(server, on_postgres)
    assert [number for number, _, _ in record] == list(range(1, len(record) + 1))
    assert sorted(event["trial"] for _, _, event in record if event["event"] == "asked") == list(range(6))
    assert sum(event["event"] == "tested" for _, _, event in record) == 1


@pytest.mark.slow
def test_a_third_process_is_told_the_same_search_and_trains_nothing(
    server: Server, on_postgres: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proposals of TPE are a function of what was told before, and may repeat each other, whoever asked for them."""
    words = (*TINY, "epochs=1", "lr=0.01,0.03,0.1", "batch_size=8,16,32,64", "--method", "tpe", "--study", "tpe")
    options = ("--jobs", 1, "--no-test")
    drivers = {home: started(tmp_path, on_postgres, home, *words, *options) for home in ("one", "two")}
    found = {home: ended(tmp_path, tuner, home) for home, tuner in drivers.items()}
    monkeypatch.setenv("SIGHTLAB_DB", on_postgres)
    status, out, err = cli("tune", "--resume", "tpe", "--share", "--home", "three", "--json", "--no-test")
    assert status == 0, err
    third = json.loads(out)
    values = [[one["values"] for one in facts["trials"]] for facts in (found["one"], found["two"], third)]
    assert values[0] == values[1] == values[2]
    assert len(values[0]) == 12
    assert not run_folders(tmp_path / "three")
    assert "every run exists already" in err


@pytest.mark.slow
def test_the_trials_of_a_killed_driver_are_taken_over(server: Server, on_postgres: str, tmp_path: Path) -> None:
    words = (*TINY, "epochs=12", "lr=0.03,0.1", "--study", "killed", "--jobs", 1, "--no-test")
    first = started(tmp_path, on_postgres, "one", *words)
    second = started(tmp_path, on_postgres, "two", *words)
    wait_for_epochs(server, on_postgres, 8)
    first.kill()
    first.wait()
    found = ended(tmp_path, second, "two")
    assert [(one["state"], one["epochs"]) for one in found["trials"]] == [("complete", 12)] * 2
    assert "took over 1 trial from drivers that stopped" in (tmp_path / "two.err").read_text()
    assert {status_of(read_facts(folder)) for folder in run_folders(tmp_path / "two")} == {"trained"}


@pytest.mark.slow
def test_trials_of_asha_go_on_whichever_driver_has_them(server: Server, on_postgres: str, tmp_path: Path) -> None:
    words = (*TINY, "epochs=3", "lr=0.003,0.03,0.3", "batch_size=16,32,64", "--method", "asha")
    options = ("--study", "halved", "--jobs", 1, "--no-test")
    drivers = {home: started(tmp_path, on_postgres, home, *words, *options) for home in ("one", "two")}
    found = {home: ended(tmp_path, tuner, home) for home, tuner in drivers.items()}
    told = {
        home: [(one["state"], one["epochs"], one["value"]) for one in facts["trials"]] for home, facts in found.items()
    }
    assert told["one"] == told["two"]
    # Of nine trials the three that are best after an epoch have all their epochs, and no other.
    assert sorted(state for state, _, _ in told["one"]) == ["complete"] * 3 + ["pruned"] * 6
    assert sorted(epochs for _, epochs, _ in told["one"]) == [1] * 6 + [3] * 3


@pytest.mark.slow
def test_a_budget_of_epochs_is_of_all_drivers_together(server: Server, on_postgres: str, tmp_path: Path) -> None:
    words = (*TINY, "epochs=5", "lr=0.01,0.03,0.1,0.3", "--study", "counted", "--jobs", 1, "--budget", "9epochs")
    drivers = {home: started(tmp_path, on_postgres, home, *words) for home in ("one", "two")}
    for home, tuner in drivers.items():
        found = ended(tmp_path, tuner, home) if tuner.wait(PATIENCE) == 0 else None
        assert found is None or found["cost"]["epochs"] <= 9
    record = events(server, on_postgres)
    assert sum(event["event"] == "epoch" for _, _, event in record) == 9


def test_what_cannot_be_shared_is_one_line(
    server: Server, on_postgres: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SIGHTLAB_DB", raising=False)
    refused_with(cli("tune", "lr=0.1,0.2", "--share"), "--share: needs a PostgreSQL server, and SIGHTLAB_DB names none")
    monkeypatch.setenv("SIGHTLAB_DB", f"sqlite:///{tmp_path}/file.db")
    refused_with(cli("tune", "lr=0.1,0.2", "--share"), "--share: needs a PostgreSQL server")
    monkeypatch.setenv("SIGHTLAB_DB", "postgresql+psycopg://postgres@127.0.0.1:1/postgres")
    refused_with(cli("tune", "lr=0.1,0.2", "--share"), "127.0.0.1:1/postgres: no answer")
    monkeypatch.setenv("SIGHTLAB_DB", on_postgres)
    refused_with(
        cli("tune", "--resume", "nobody", "--share"), "no study 'nobody' in the database of SIGHTLAB_DB; there is none"
    )
    words = ("tune", *TINY, "epochs=1", "--study", "mine", "--share", "--jobs", 1, "--no-test")
    assert cli(*words, "lr=0.03")[0] == 2
    status, _, err = cli(*words, "lr=0.03,0.1")
    assert status == 0, err
    refused_with(cli(*words, "lr=0.03,0.2"), "study mine: was created with another space")
    refused_with(
        cli("tune", "--resume", "min", "--share"), "no study 'min' in the database of SIGHTLAB_DB; did you mean"
    )
    refused_with(cli("tune", "--resume", "mine", "--home", "elsewhere"), "no study 'mine' in elsewhere/tune/")


@given(st.integers(1, 4), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_answers_come_back_as_they_went(seeds: int, images: int, seed: int) -> None:
    right = np.random.default_rng(seed).random((seeds, images)) < 0.5
    again = unpacked(json.loads(json.dumps(packed(right))))
    assert again.dtype == bool
    assert np.array_equal(again, right)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(1, 5)), max_size=12), st.data())
def test_what_others_have_promised_is_what_they_have_not_told(
    given_out: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    peers, left = Peers(), dict[tuple[str, str], int]()
    for by, run, epochs in given_out:
        peers.apply({"event": "given", "run": run, "epochs": epochs}, by)
        done = data.draw(st.integers(0, epochs))
        for _ in range(done):
            peers.apply({"event": "epoch", "run": run}, by)
        left[by, run] = epochs - done
        if data.draw(st.booleans()):
            peers.apply({"event": "kept", "run": run}, by)
            del left[by, run]
    assert peers.promised_epochs() == sum(left.values())
    peers.apply({"event": "rest"}, "a")
    assert peers.promised_epochs() == sum(epochs for (by, _), epochs in left.items() if by != "a")
    assert peers.working({"a", "b"}) == {"b"}
