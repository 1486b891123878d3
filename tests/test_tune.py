"""Searches on real images: exhaustive, reused, gone on with after kills, within their budget, tested once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sightlab
from sightlab.cli.train import STOPPED
from sightlab.recipes.loader import read_recipe
from sightlab.store.run_folder import read_facts, read_run, run_folders, status_of
from tests.conftest import Cli, refused_with, workers_of

TINY = ("model=lenet", "limit_per_class=20", "compile=off")
GRID = (*TINY, "lr=0.03,0.1", "batch_size=32,64", "epochs=2")


def tuned(cli: Cli, *words: object) -> tuple[dict[str, Any], str]:
    status, out, err = cli("tune", *words, "--json")
    assert status == 0, err
    return json.loads(out), err


def events(home: Path, kind: str | None = None) -> list[dict[str, Any]]:
    (file,) = home.glob("tune/*/events.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in found if kind in (None, event["event"])]


def test_a_grid_is_trained_whole_tested_once_and_not_trained_again(cli: Cli, tmp_path: Path) -> None:
    found, err = tuned(cli, *GRID, "--jobs", 2, "--out", "page.md")
    assert [one["values"] for one in found["trials"]] == [
        {"optimizer.lr": lr, "batch_size": batch} for lr in (0.03, 0.1) for batch in (32, 64)
    ]
    assert {one["state"] for one in found["trials"]} == {"complete"}
    assert found["cost"]["epochs"] == 8
    assert err.index("4 trials to train, about") < err.index("trial 1 of 4")

    # Every trial is a run in the store; of the winner alone a test split has been opened, once.
    best = found["trials"][found["best"] - 1]
    assert best["value"] == max(one["value"] for one in found["trials"])
    folders = {folder.name: read_facts(folder) for folder in run_folders(tmp_path / "runs")}
    assert set(folders) == {name for one in found["trials"] for name in one["runs"]}
    assert {name for name, facts in folders.items() if facts["openings"]} == set(best["runs"])
    assert {status_of(facts) for name, facts in folders.items() if name not in best["runs"]} == {"interrupted"}
    assert found["luck"]["difference"] == pytest.approx(best["value"] - found["tested"][0]["test"]["accuracy"])
    assert found["gain"]["images"] == found["luck"]["images"][0]

    # Its runs carry its name, and its page has every picture.
    _, out, _ = cli("runs", "--json")
    assert all(found["study"] in str(run["studies"]) for run in json.loads(out)["runs"])
    page = (tmp_path / "page.md").read_text()
    pictures = re.findall(r"\]\((page/[^)]+\.svg)\)", page)
    assert {Path(name).stem for name in pictures} == {"grid", "losses", "best", "parameters", "cost"}
    assert all((tmp_path / name).read_text().startswith("<svg") for name in pictures)

    # The page is written anew from the record, without training or testing anything.
    status, out, err = cli("study", "report", found["study"], "--json", "--out", "again.md")
    assert status == 0, err
    told = json.loads(out)
    assert {key: told[key] for key in ("trials", "best", "gain", "luck", "expected")} == {
        key: found[key] for key in ("trials", "best", "gain", "luck", "expected")
    }
    assert (tmp_path / "again.md").read_text().split("## Cost")[0] == page.split("## Cost")[0].replace(
        "page/", "again/"
    )
    assert len(read_facts(tmp_path / "runs" / best["runs"][0])["openings"]) == 1

    # The winner's recipe is the run's, and what is there already is not trained again.
    recipe = read_recipe(found["written"][0])
    assert recipe.hash == folders[best["runs"][0]]["recipe_hash"]
    again, err = tuned(cli, *GRID, "--jobs", 1)
    assert "every run exists already" in err
    assert [one["value"] for one in again["trials"]] == [one["value"] for one in found["trials"]]
    assert len(run_folders(tmp_path / "runs")) == 4


def test_cells_of_another_search_are_taken_and_a_kept_value_is_that_of_a_plain_training(
    cli: Cli, tmp_path: Path
) -> None:
    small, _ = tuned(cli, *TINY, "lr=0.03,0.1", "epochs=2", "--jobs", 1, "--no-test")
    large, err = tuned(cli, *TINY, "lr=0.01,0.03,0.1", "epochs=2", "--jobs", 1, "--no-test", "--metric", "val_loss")
    assert "2 of 3 trials exist already" in err
    assert large["cost"]["trained"] == 2
    assert [one["runs"] for one in large["trials"][1:]] == [one["runs"] for one in small["trials"]]
    folder = tmp_path / "runs" / large["trials"][0]["runs"][0]
    plain = list(sightlab.epochs(read_recipe(str(folder / "recipe.yaml"))))
    assert [one.validation_loss for one in read_run(folder).epochs] == [one.validation_loss for one in plain]
    best = max(plain, key=lambda one: (one.validation_accuracy, -one.validation_loss))
    assert large["trials"][0]["value"] == best.validation_loss


def test_a_killed_driver_and_a_killed_worker_lose_at_most_the_epoch_under_way(cli: Cli, tmp_path: Path) -> None:
    words = (*TINY, "lr=0.03,0.1", "epochs=25", "--jobs", "1", "--study", "killed", "--no-test")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    tuner = subprocess.Popen([sys.executable, "-m", "sightlab", "tune", *words], cwd=tmp_path, env=environment)
    file = tmp_path / "runs" / "tune" / "killed" / "events.jsonl"

    def trained() -> int:
        return file.read_text().count('"event": "epoch"') if file.is_file() else 0

    def wait_for(epochs: int) -> None:
        until = time.monotonic() + 120
        while trained() < epochs and time.monotonic() < until:
            time.sleep(0.02)
        assert trained() >= epochs

    wait_for(3)
    (worker,) = workers_of(tuner.pid)
    os.kill(worker, signal.SIGKILL)  # the search goes on by itself
    wait_for(trained() + 3)
    tuner.kill()
    tuner.wait()

    status, out, err = cli("tune", "--resume", "killed", "--jobs", 1, "--no-test", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert [(one["state"], one["epochs"]) for one in found["trials"]] == [("complete", 25)] * 2
    told = [(event["run"], event["epoch"]) for event in events(tmp_path / "runs", "epoch")]
    assert len(told) - len(set(told)) <= 2  # one a kill
    assert len(run_folders(tmp_path / "runs")) == 2
    # What was killed twice has the very figures of what was not.
    folder = tmp_path / "runs" / found["trials"][0]["runs"][0]
    plain = [one.validation_loss for one in sightlab.epochs(read_recipe(str(folder / "recipe.yaml")))]
    assert [one.validation_loss for one in read_run(folder).epochs] == plain


def test_a_trial_that_diverges_is_a_result_and_not_the_end(cli: Cli, tmp_path: Path) -> None:
    words = ("cnn", "limit_per_class=20", "compile=off", "epochs=1", "lr=1e30,0.03", "--jobs", 1)
    found, err = tuned(cli, *words)
    wild, tame = found["trials"]
    assert wild["state"] == "failed"
    assert "is not a finite number" in wild["reason"]
    assert tame["state"] == "complete"
    assert found["best"] == 2
    assert found["gain"] is None
    again, err = tuned(cli, *words, "--study", "again")
    assert "every run exists already" in err
    assert [one["state"] for one in again["trials"]] == ["failed", "complete"]


def test_a_budget_of_epochs_is_kept_to_the_epoch_and_a_larger_one_goes_on(cli: Cli, tmp_path: Path) -> None:
    words = (*TINY, "lr=0.03,0.1", "epochs=4", "--jobs", 2, "--study", "counted")
    found, err = tuned(cli, *words, "--budget", "5epochs")
    assert found["cost"]["epochs"] == 5
    assert [one["state"] for one in found["trials"]] == ["complete", "open"]
    assert "the budget of 5 epochs fits about 1 trial\n" in err
    whole, _ = tuned(cli, "--resume", "counted", "--jobs", 1, "--budget", "8epochs")
    assert whole["cost"]["epochs"] == 8
    assert [one["state"] for one in whole["trials"]] == ["complete", "complete"]
    assert whole["trials"][0]["value"] == found["trials"][0]["value"]


@pytest.mark.slow
def test_a_budget_of_time_is_kept_within_a_tenth(cli: Cli, tmp_path: Path) -> None:
    seconds = 40
    words = (*TINY, "lr=0.03,0.1", "epochs=100000", "--jobs", 1, "--study", "timed", "--budget", f"{seconds}s")
    status, _, err = cli("tune", *words)
    assert status == 2  # no trial has come to its end, and none has a value
    assert "study timed: no trial has a value (1 trial, 1 cut off by the budget); give a larger --budget" in err
    (rest,) = events(tmp_path / "runs", "rest")
    assert seconds <= rest["clock"] <= 1.1 * seconds
    (folder,) = run_folders(tmp_path / "runs")
    assert len(read_run(folder).epochs) > 0


def test_rungs_of_a_prefix_are_one_run_and_of_a_cycle_runs_of_their_own(cli: Cli, tmp_path: Path) -> None:
    words = (*TINY, "epochs=3", "lr=0.001..0.3:log", "--method", "asha", "--trials", 5, "--jobs", 1, "--no-test")
    found, _ = tuned(cli, *words, "schedule=constant", "--home", "steady")
    states = [one["state"] for one in found["trials"]]
    assert set(states) == {"complete", "pruned"}
    assert [one["epochs"] for one in found["trials"]] == [3 if state == "complete" else 1 for state in states]
    assert len(run_folders(tmp_path / "steady")) == 5
    assert found["cost"]["epochs"] == sum(one["epochs"] for one in found["trials"])

    found, _ = tuned(cli, *words, "schedule=one-cycle", "--home", "cycle")
    complete = sum(one["state"] == "complete" for one in found["trials"])
    assert 1 <= complete < 5
    planned = sorted(read_facts(folder)["planned_epochs"] for folder in run_folders(tmp_path / "cycle"))
    assert planned == [1] * 5 + [3] * complete


def test_a_budget_leaves_the_best_trials_of_asha_the_epochs_to_their_end(cli: Cli, tmp_path: Path) -> None:
    words = (*TINY, "epochs=9", "schedule=constant", "lr=0.0003..0.3:log", "--method", "asha", "--jobs", 2)
    found, err = tuned(cli, *words, "--budget", "40epochs", "--no-test")
    assert found["cost"]["epochs"] <= 40
    states = [one["state"] for one in found["trials"]]
    assert states.count("complete") >= 2
    assert len(states) > 9  # it has looked around before
    assert " promoted: continues to 9 epochs" in err
    # With less than one whole trial takes, all of it goes into looking around.
    found, _ = tuned(cli, *words, "--budget", "6epochs", "--no-test", "--home", "less")
    assert found["cost"]["epochs"] == 6
    assert len(found["trials"]) >= 3


def test_brackets_of_hyperband_end_trials_at_their_rungs_alone(cli: Cli, tmp_path: Path) -> None:
    words = (*TINY, "epochs=3", "schedule=constant", "lr=0.0001..1:log", "--trials", 8, "--jobs", 1, "--no-test")
    found, _ = tuned(cli, *words, "--method", "hyperband")
    assert [one["epochs"] for one in found["trials"]] == [
        {"complete": 3, "pruned": 1}[one["state"]] for one in found["trials"]
    ]
    assert {one["state"] for one in found["trials"]} == {"complete", "pruned"}
    assert found["cost"]["epochs"] == sum(one["epochs"] for one in found["trials"])
    # One of the two brackets does not look before the end, so more than one in three is trained whole.
    assert sum(one["state"] == "complete" for one in found["trials"]) >= 3


@pytest.mark.slow
def test_ctrl_c_keeps_every_run_and_says_how_to_go_on(tmp_path: Path) -> None:
    words = (*TINY, "lr=0.03,0.1", "epochs=500", "--jobs", "2", "--study", "stopped", "--budget", "9h")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (tmp_path / "err").open("w") as err:
        tuner = subprocess.Popen(
            [sys.executable, "-m", "sightlab", "tune", *words], cwd=tmp_path, env=environment, stderr=err
        )
    file = tmp_path / "runs" / "tune" / "stopped" / "events.jsonl"
    until = time.monotonic() + 120
    while not file.is_file() or file.read_text().count('"event": "epoch"') < 4:
        assert time.monotonic() < until
        time.sleep(0.05)
    tuner.send_signal(signal.SIGINT)
    assert tuner.wait(60) == STOPPED
    said = (tmp_path / "err").read_text()
    assert said.endswith("paused; resume with: sightlab tune --resume stopped --budget 9h\n")
    folders = run_folders(tmp_path / "runs")
    assert {status_of(read_facts(folder)) for folder in folders} == {"interrupted"}
    assert not any(read_facts(folder)["openings"] for folder in folders)
    assert events(tmp_path / "runs")[-1]["event"] == "rest"


@pytest.mark.slow
def test_a_winner_is_trained_again_with_further_seeds(cli: Cli, tmp_path: Path) -> None:
    found, _ = tuned(
        cli, *TINY, "epochs=1", "lr=0.01..0.3:log", "--method", "tpe", "--trials", 2, "--seeds", 2, "--retrain", 1,
        "--jobs", 2,
    )  # fmt: skip
    assert len(found["tested"]) == 2
    assert len(found["retrained"]) == 1
    assert found["test"]["count"] == 3
    assert found["gain"]["seeds"] == [2, 2]
    assert len(run_folders(tmp_path / "runs")) == 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("lr=",), "optimizer.lr: '' has an empty value"),
        (("cnn",), "nothing to search"),
        (("learning=1,2",), "unknown key 'learning'"),
        (("model=1..3",), "is a range, but the key takes no numbers"),
        (("model=cnn..lenet",), "model.name: 'cnn..lenet' is a range, but the key takes no numbers"),
        (("lr=0.1,0.2", "model=cnn,lenett"), "unknown model 'lenett'; did you mean lenet?"),
        (("lr=0.1,0.2", "model.options.widht=7"), "widht"),
        (("seed=1,2",), "--seeds N"),
        (("lr=0.1,0.2", "--budget", "soon"), "--budget soon: neither a time nor a number of epochs"),
        (("lr=0.1,0.2", "--budget", "0epochs"), "shorter than one epoch"),
        (("lr=0.1,0.2", "--seeds", "0"), "--seeds 0"),
        (("lr=0.1,0.2", "data=nowhere/"), "nowhere/: no such file or folder"),
        (("--resume", "none"), "no study 'none'"),
        (("--resume", "none", "--study", "other"), "--study other"),
        (("lr=0.1,0.2", "--no-test", "--retrain", "2"), "--retrain 2"),
        (("lr=0.1..0.2", "--method", "grid"), "--method grid: optimizer.lr is a range"),
        (("cnn", "demo", "lr=0.1,0.2"), "unexpected 'demo': the recipe is already 'cnn'; changes look like KEY=VALUE"),
    ],
)
def test_bad_input_is_one_line(cli: Cli, words: tuple[str, ...], says: str) -> None:
    refused_with(cli("tune", *words), says)
    assert not Path("runs/tune").exists()


def test_a_budget_shorter_than_an_epoch_and_a_recipe_that_changed_are_one_line(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("{model: lenet, epochs: 1, compile: 'off', data: {source: fashion-mini, limit_per_class: 20}}")
    words = ("tune", file, "lr=0.03,0.1", "--study", "mine", "--jobs", 1)
    refused_with(cli(*words, "--budget", "0.01s"), "shorter than one epoch, which takes about")
    assert not (tmp_path / "runs" / "tune").exists()  # what was refused as it began has left nothing
    assert cli(*words, "--budget", "1epoch", "--no-test")[0] == 0
    refused_with(cli("tune", "--resume", "mine", "--budget", "0.01s"), "shorter than one epoch, which takes about")
    file.write_text(file.read_text().replace("epochs: 1", "epochs: 2"))
    refused_with(cli("tune", "--resume", "mine"), "study mine: its recipe has changed (epochs 1 -> 2)")
    refused_with(cli(*words), "study mine: its recipe has changed (epochs 1 -> 2)")
