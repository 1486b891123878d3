"""Searches on real images: exhaustive, reused, resumed after kills, within their budget, tested once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sightlab
from sightlab.cli.train import STOPPED
from sightlab.recipes.loader import read_recipe
from sightlab.records import Epoch
from sightlab.runs.tasks import Message, Result, Task, TaskEvent
from sightlab.runs.worker_pool import WorkerPool
from sightlab.store.run_folder import read_facts, read_run, run_folders, status_of
from sightlab.training.callbacks import Paused
from sightlab.tune.budget import Budget, parse_budget
from sightlab.tune.finalize_winner import finalize
from sightlab.tune.progress import SearchCallback
from sightlab.tune.run_search import SearchOptions, plan_resumed, plan_search, search
from sightlab.tune.tuner import Tuner
from tests.conftest import ROOT, Cli, refused_with, workers_of
from tests.forked import exit_status, forked


@pytest.fixture(scope="module")
def tiny(small_data: str) -> tuple[str, ...]:
    """Words of a recipe whose epoch takes no time."""
    return (f"data={small_data}", "model=lenet", "limit_per_class=20", "compile=off", "report=off")


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    """Two processes for all searches of this module."""
    with WorkerPool(2) as found:
        yield found


def searched(
    pool: WorkerPool,
    home: Path,
    *words: str,
    budget: str = "none",
    callback: SearchCallback | None = None,
    **options: Any,
) -> tuple[Tuner, list[str]]:
    """A search without its page and its winner's test; and what it has said."""
    said: list[str] = []
    plan = plan_search(SearchOptions(words, **options), home, parse_budget(budget))
    return search(plan, home, pool, parse_budget(budget), callback or SearchCallback(said.append)), said


def tuned(cli: Cli, *words: object) -> tuple[dict[str, Any], str]:
    status, out, err = cli("tune", *words, "--json")
    assert status == 0, err
    return json.loads(out), err


def events(home: Path, kind: str | None = None) -> list[dict[str, Any]]:
    (file,) = home.glob("tune/*/events.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in found if kind in (None, event["event"])]


def states_of(tuner: Tuner) -> list[tuple[str, int]]:
    return [(trial.state, trial.epochs) for trial in tuner.state.trials]


def test_a_grid_is_trained_whole_tested_once_and_not_trained_again(
    cli: Cli, tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    grid = (*tiny, "lr=0.03,0.1", "batch_size=32,64", "epochs=2")
    found, err = tuned(cli, *grid, "--jobs", 2, "--out", "page.md")
    assert [one["values"] for one in found["trials"]] == [
        {"optimizer.lr": lr, "batch_size": batch} for lr in (0.03, 0.1) for batch in (32, 64)
    ]
    assert {one["state"] for one in found["trials"]} == {"complete"}
    assert found["cost"]["epochs"] == 8
    assert err.index("4 trials to train, about") < err.index("trial 1 of 4")

    # Every trial is a run in the store; of the winner alone a test split has been opened, once.
    best = found["trials"][found["best"] - 1]
    assert best["value"] == max(one["value"] for one in found["trials"])
    home = tmp_path / "runs"
    folders = {folder.name: read_facts(folder) for folder in run_folders(home)}
    assert set(folders) == {name for one in found["trials"] for name in one["runs"]}
    assert {name for name, facts in folders.items() if facts["openings"]} == set(best["runs"])
    assert {status_of(facts) for name, facts in folders.items() if name not in best["runs"]} == {"trained"}
    assert found["luck"]["difference"] == pytest.approx(best["value"] - found["tested"][0]["test"]["accuracy"])
    assert found["gain"]["images"] == found["luck"]["images"][0]

    # Its runs carry its name, and its page has every picture.
    _, out, _ = cli("runs", "--json")
    assert all(found["study"] in str(run["studies"]) for run in json.loads(out)["runs"])
    page = (tmp_path / "page.md").read_text()
    pictures = re.findall(r"\]\((page/[^)]+\.svg)\)", page)
    assert {Path(name).stem for name in pictures} == {"grid", "losses", "best", "parameters", "cost"}
    assert all((tmp_path / name).read_text().startswith("<svg") for name in pictures)

    # The page is written again from the record, without training or testing anything.
    status, out, err = cli("study", "report", found["study"], "--json", "--out", "again.md")
    assert status == 0, err
    again = json.loads(out)
    assert {key: again[key] for key in ("trials", "best", "gain", "luck", "expected")} == {
        key: found[key] for key in ("trials", "best", "gain", "luck", "expected")
    }
    assert (tmp_path / "again.md").read_text().split("## Cost")[0] == page.split("## Cost")[0].replace(
        "page/", "again/"
    )
    assert len(read_facts(home / best["runs"][0])["openings"]) == 1

    # The winner's recipe is the run's, and what exists already is not trained again.
    recipe = read_recipe(found["written"][0])
    assert recipe.hash == folders[best["runs"][0]]["recipe_hash"]
    tuner, said = searched(pool, home, *grid)
    assert str(tuner.cost_log) == "nothing to train: every run exists already"
    assert [trial.value for trial in tuner.state.trials] == [one["value"] for one in found["trials"]]
    assert len(run_folders(home)) == 4

    # A larger grid takes the cells of the smaller one, under the old name of a metric too.
    words = (*tiny, "lr=0.03,0.1", "batch_size=32,64,100", "epochs=2")
    large, said = searched(pool, home, *words, metric="val_loss", study="large")
    assert "4 of 6 trials exist already" in said
    assert large.cost_log.epochs == 4
    assert large.state.plan.metric == "validation_loss"

    # What a paused run is worth is what a plain training has.
    (run,) = large.state.runs.of(large.state.trials[2])
    assert run.folder is not None
    plain = list(sightlab.epochs(read_recipe(str(run.folder / "recipe.yaml"))))
    assert [one.validation_loss for one in run.epochs] == [one.validation_loss for one in plain]
    best_epoch = max(plain, key=lambda one: (one.validation_accuracy, -one.validation_loss))
    assert large.state.trials[2].value == best_epoch.validation_loss


def test_a_killed_worker_loses_at_most_the_epoch_under_way(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    killed: list[int] = []

    def kill_one() -> bool:
        if not killed and list(tmp_path.glob("tune/*")) and len(events(tmp_path, "epoch")) >= 2:
            killed.append(next(worker.process.pid or 0 for worker in pool.started if worker.number is not None))
            os.kill(killed[0], signal.SIGKILL)
        return False

    words = (*tiny, "lr=0.03,0.1", "epochs=6")
    tuner, _ = searched(pool, tmp_path, *words, callback=SearchCallback(should_pause=kill_one))
    assert killed
    assert states_of(tuner) == [("complete", 6)] * 2
    heard = [(event["run"], event["epoch"]) for event in events(tmp_path, "epoch")]
    assert len(heard) - len(set(heard)) <= 1
    have_the_figures_of_what_was_not_killed(tmp_path)


class ThisProcess:
    """An executor in the driver's own process, whose kill is that of both. It comes in the sixth epoch."""

    workers = 1
    sent = 0

    def __init__(self) -> None:
        self.tasks: list[tuple[int, Task]] = []
        self.messages: list[Any] = []

    @property
    def busy(self) -> list[int]:
        return [number for number, _ in self.tasks]

    @property
    def idle(self) -> int:
        return 1 - len(self.tasks)

    def submit(self, number: int, task: Task) -> None:
        self.tasks.append((number, task))

    def send(self, message: Any) -> None:
        self.messages.append(message)
        self.sent += isinstance(message, Epoch)
        if self.sent == 6:
            os.kill(os.getpid(), signal.SIGKILL)

    def should_stop(self) -> bool:
        return False

    def stop(self) -> None:
        pass

    def events(self, seconds: float) -> list[TaskEvent]:
        number, task = self.tasks.pop()
        result = Result(number, task(self))
        messages, self.messages = self.messages, []
        return [*(Message(number, one) for one in messages), result]


def test_a_killed_driver_loses_at_most_the_epoch_under_way(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    options = SearchOptions((*tiny, "lr=0.03,0.1", "epochs=4"), study="killed")

    def drive() -> None:
        search(plan_search(options, tmp_path, Budget()), tmp_path, ThisProcess(), Budget(), SearchCallback())

    assert exit_status(forked(drive)) == -signal.SIGKILL
    plan = plan_resumed("last", SearchOptions(), tmp_path, Budget())
    tuner = search(plan, tmp_path, pool, Budget(), SearchCallback())
    assert plan.name == "killed"
    assert states_of(tuner) == [("complete", 4)] * 2
    assert 2 <= tuner.cost_log.epochs <= 3  # the second trial's last two, and the one that was under way
    have_the_figures_of_what_was_not_killed(tmp_path)


def have_the_figures_of_what_was_not_killed(home: Path) -> None:
    first, second = run_folders(home)
    for folder in (first, second):
        plain = [one.validation_loss for one in sightlab.epochs(read_recipe(str(folder / "recipe.yaml")))]
        assert [one.validation_loss for one in read_run(folder).epochs] == plain


@pytest.mark.slow
def test_a_killed_driver_and_a_killed_worker_lose_at_most_the_epoch_under_way(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    words = (*tiny, "lr=0.03,0.1", "epochs=12", "--jobs", "1", "--study", "killed", "--no-test")
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
    os.kill(worker, signal.SIGKILL)  # the search continues by itself
    wait_for(trained() + 3)
    tuner.kill()
    tuner.wait()

    # `last` is the study that ran last.
    status, out, err = cli("tune", "--resume", "last", "--jobs", 1, "--no-test", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["study"] == "killed"
    assert [(one["state"], one["epochs"]) for one in found["trials"]] == [("complete", 12)] * 2
    heard = [(event["run"], event["epoch"]) for event in events(tmp_path / "runs", "epoch")]
    assert len(heard) - len(set(heard)) <= 2  # one a kill
    assert len(run_folders(tmp_path / "runs")) == 2
    # What was killed twice has the very figures of what was not.
    folder = tmp_path / "runs" / found["trials"][0]["runs"][0]
    plain = [one.validation_loss for one in sightlab.epochs(read_recipe(str(folder / "recipe.yaml")))]
    assert [one.validation_loss for one in read_run(folder).epochs] == plain


def test_a_search_of_an_older_release_is_resumed(cli: Cli, tmp_path: Path) -> None:
    """Its record has other names (val_loss, sitting, the recipe's workers and log), and its runs are gone."""
    shutil.copytree(ROOT / "tests" / "old_search", tmp_path / "runs" / "tune" / "old")
    found, _ = tuned(cli, "--resume", "last", "--jobs", 1, "--budget", "none", "--no-test")
    assert (found["study"], found["metric"]) == ("old", "validation_loss")
    assert [(one["state"], one["epochs"]) for one in found["trials"]] == [("complete", 2)] * 2
    assert found["trials"][0]["value"] == 2.258792389254022  # as on record, not trained again
    assert found["cost"]["trained"] == 2
    assert found["cost"]["seconds"] > 17.8
    assert [event["event"] for event in events(tmp_path / "runs")].count("session") == 1


def test_a_trial_that_diverges_is_a_result_and_not_the_end(tmp_path: Path, pool: WorkerPool) -> None:
    words = ("cnn", "limit_per_class=20", "compile=off", "epochs=1", "lr=1e30,0.03")
    tuner, _ = searched(pool, tmp_path, *words)
    wild, tame = tuner.state.trials
    assert wild.state == "failed"
    assert "is not a finite number" in wild.reason
    assert tame.state == "complete"
    again, _ = searched(pool, tmp_path, *words, study="again")
    assert str(again.cost_log) == "nothing to train: every run exists already"
    assert [one.state for one in again.state.trials] == ["failed", "complete"]


def test_a_budget_of_epochs_is_kept_to_the_epoch_and_a_larger_one_continues(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    words = (*tiny, "lr=0.03,0.1", "epochs=4")
    first, said = searched(pool, tmp_path, *words, study="counted", budget="5epochs")
    assert first.state.used_epochs == 5
    assert states_of(first) == [("complete", 4), ("open", 0)]
    assert "the budget of 5 epochs fits about 1 trial" in said
    plan = plan_resumed("counted", SearchOptions(), tmp_path, parse_budget("8epochs"))
    whole = search(plan, tmp_path, pool, parse_budget("8epochs"), SearchCallback())
    assert whole.state.used_epochs == 8
    assert states_of(whole) == [("complete", 4)] * 2
    assert whole.state.trials[0].value == first.state.trials[0].value


@pytest.mark.slow
def test_a_budget_of_time_is_kept_within_a_tenth(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    seconds = 40
    words = (*tiny, "lr=0.03,0.1", "epochs=100000", "--jobs", 1, "--study", "timed", "--budget", f"{seconds}s")
    status, _, err = cli("tune", *words)
    assert status == 2  # no trial has come to its end, and none has a value
    assert "study timed: no trial has a value (1 trial, 1 cut off by the budget); give a larger --budget" in err
    (rest,) = events(tmp_path / "runs", "rest")
    assert seconds <= rest["clock"] <= 1.1 * seconds
    (folder,) = run_folders(tmp_path / "runs")
    assert len(read_run(folder).epochs) > 0
    assert status_of(read_facts(folder)) == "interrupted"


def test_rungs_of_a_prefix_are_one_run_and_of_a_cycle_runs_of_their_own(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    words = (*tiny, "epochs=3", "lr=0.001..0.3:log")
    tuner, _ = searched(pool, tmp_path / "steady", *words, "schedule=constant", method="asha", trials=4)
    assert sorted(states_of(tuner)) == [("complete", 3)] * 2 + [("pruned", 1)] * 2
    assert len(run_folders(tmp_path / "steady")) == 4
    assert tuner.state.used_epochs == 2 * 3 + 2 * 1
    statuses = sorted(status_of(read_facts(folder)) for folder in run_folders(tmp_path / "steady"))
    assert statuses == ["interrupted"] * 2 + ["trained"] * 2

    tuner, _ = searched(pool, tmp_path / "cycle", *words, "schedule=one-cycle", method="asha", trials=4)
    assert sorted(states_of(tuner)) == [("complete", 3)] * 2 + [("pruned", 1)] * 2
    planned = sorted(read_facts(folder)["planned_epochs"] for folder in run_folders(tmp_path / "cycle"))
    assert planned == [1] * 4 + [3] * 2


def test_a_budget_reserves_the_epochs_that_the_best_trials_of_asha_need(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    words = (*tiny, "epochs=9", "schedule=constant", "lr=0.0003..0.3:log")
    tuner, said = searched(pool, tmp_path / "more", *words, method="asha", budget="30epochs")
    assert tuner.state.used_epochs <= 30
    states = [trial.state for trial in tuner.state.trials]
    assert states.count("complete") >= 2
    assert len(states) > 6  # it has explored before
    assert any("promoted: continues to 9 epochs" in line for line in said)
    # With less than one whole trial takes, all of it goes into exploring.
    tuner, _ = searched(pool, tmp_path / "less", *words, method="asha", budget="6epochs")
    assert tuner.state.used_epochs == 6
    assert len(tuner.state.trials) >= 3


def test_brackets_of_hyperband_end_trials_at_their_rungs_alone(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    words = (*tiny, "epochs=3", "schedule=constant", "lr=0.0001..1:log")
    tuner, _ = searched(pool, tmp_path, *words, method="hyperband", trials=8)
    assert set(states_of(tuner)) == {("complete", 3), ("pruned", 1)}
    assert tuner.state.used_epochs == sum(trial.epochs for trial in tuner.state.trials)
    # One of the two brackets does not prune before the end, so more than one in three is trained whole.
    assert sum(trial.state == "complete" for trial in tuner.state.trials) >= 3


def test_any_metric_of_the_recipe_can_be_the_objective(tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]) -> None:
    words = (*tiny, "epochs=1", "metrics=balanced_accuracy,brier", "lr=0.0001,0.1")
    tuner, said = searched(pool, tmp_path, *words, metric="brier")
    values = [trial.value or 0.0 for trial in tuner.state.trials]
    for trial, value in zip(tuner.state.trials, values, strict=True):
        (run,) = tuner.state.runs.of(trial)
        assert value == run.epochs[0].metrics["brier"]
    assert not tuner.state.plan.maximize
    best = values.index(min(values)) + 1
    assert said[-1].endswith(f"; best brier {min(values):.4f} (trial {best})")


def test_a_callback_that_stops_a_trial_leaves_its_test_split_sealed(
    tmp_path: Path, pool: WorkerPool, tiny: tuple[str, ...]
) -> None:
    (tmp_path / "stop.py").write_text(
        "from sightlab.training.callbacks import Callback\n"
        "class AfterTwo(Callback):\n"
        "    def on_epoch_end(self, context):\n"
        "        if context.epoch == 2:\n"
        "            context.stop('two are enough')\n"
    )
    words = (*tiny, "epochs=6", f"callbacks={tmp_path}/stop.py:AfterTwo", "lr=0.03,0.1")
    tuner, _ = searched(pool, tmp_path / "runs", *words)
    assert [(trial.state, trial.reason) for trial in tuner.state.trials] == [("complete", "")] * 2
    assert tuner.state.used_epochs == 4
    for folder in run_folders(tmp_path / "runs"):
        assert status_of(read_facts(folder)) == "trained"
        assert not read_facts(folder)["openings"]


def test_ctrl_c_while_the_winner_is_tested_tests_nothing_by_halves(tmp_path: Path, pool: WorkerPool) -> None:
    """All tasks are in flight when it comes: each returns, and some return a run that is not finalized."""
    said: list[str] = []
    interrupts: list[bool] = []

    def should_pause() -> bool:
        if any(line.startswith("testing the winner") for line in said) and len(pool.busy) == 2:
            interrupts.append(True)
        return bool(interrupts)

    callback = SearchCallback(said.append, should_pause=should_pause)
    # With 2,000 test images and a report the winner's test takes long enough to be in flight beside the training.
    words = ("data=fashion-mini", "model=lenet", "limit_per_class=20", "compile=off", "epochs=8", "batch_size=8")
    tuner, _ = searched(pool, tmp_path, *words, "lr=0.03,0.1", callback=callback)
    winner = tuner.state.trials[0]
    with pytest.raises(Paused):
        finalize(tuner, winner, retrain=1)
    assert not events(tmp_path, "tested")
    # The same again, not interrupted, tests both.
    said.clear()
    tuner.callback = SearchCallback()
    tested, retrained = finalize(tuner, winner, retrain=1)
    assert [len(tested), len(retrained)] == [1, 1]
    assert all(run.test is not None and run.test.openings == 1 for run in (*tested, *retrained))
    (event,) = events(tmp_path, "tested")
    assert event["runs"] == [run.id for run in (*tested, *retrained)]


@pytest.mark.slow
def test_ctrl_c_keeps_every_run_and_says_how_to_resume(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    words = (*tiny, "lr=0.03,0.1", "epochs=500", "--jobs", "2", "--study", "stopped", "--budget", "9h")
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
def test_a_winner_is_trained_again_with_further_seeds(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    found, _ = tuned(
        cli, *tiny, "epochs=1", "lr=0.01..0.3:log", "--method", "tpe", "--trials", 2, "--seeds", 2, "--retrain", 1,
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
        (("lr=0.1,0.2", "--metric", "val_los"), "--metric val_los: did you mean validation_loss?"),
        (("lr=0.1,0.2", "--metric", "brier"), "metrics=brier in the recipe adds one"),
        (("lr=0.1,0.2", "data=nowhere/"), "nowhere/: no such file or folder"),
        (("--resume", "none"), "no study 'none'"),
        (("--resume", "last"), "no study 'last'"),
        (("--resume", "none", "--study", "other"), "--study other"),
        (("lr=0.1,0.2", "--no-test", "--retrain", "2"), "--retrain 2"),
        (("lr=0.1..0.2", "--method", "grid"), "--method grid: optimizer.lr is a range"),
        (("cnn", "demo", "lr=0.1,0.2"), "unexpected 'demo': the recipe is already 'cnn'"),
    ],
)
def test_bad_input_is_one_line(cli: Cli, words: tuple[str, ...], says: str) -> None:
    refused_with(cli("tune", *words), says)
    assert not Path("runs/tune").exists()


def test_a_budget_shorter_than_an_epoch_and_a_recipe_that_changed_are_one_line(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "{model: lenet, epochs: 1, compile: 'off', data: {source: fashion-mini, limit_per_class: 20}, report: false}"
    )
    words = ("tune", file, "lr=0.03,0.1", "--study", "mine", "--jobs", 1)
    refused_with(cli(*words, "--budget", "0.01s"), "shorter than one epoch, which takes about")
    assert not (tmp_path / "runs" / "tune").exists()  # what was refused in its first session has left nothing
    assert cli(*words, "--budget", "1epoch", "--no-test")[0] == 0
    refused_with(cli("tune", "--resume", "mine", "--budget", "0.01s"), "shorter than one epoch, which takes about")
    file.write_text(file.read_text().replace("epochs: 1", "epochs: 2"))
    refused_with(cli("tune", "--resume", "mine"), "study mine: its recipe has changed (epochs 1 -> 2)")
    refused_with(cli(*words), "study mine: its recipe has changed (epochs 1 -> 2)")
