"""A run's life: what it writes, how it is found, stopped, resumed and ended, and its test split opened once."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import sightlab
from sightlab import metrics
from sightlab.cli import main
from sightlab.cli.train import recipe_of
from sightlab.data.load import load_parts
from sightlab.errors import DivergedError, RunError
from sightlab.recipes.loader import parse_recipe
from sightlab.recipes.schema import Recipe
from sightlab.runs.git_revision import git_revision
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import locate, read_facts, run_folders, status_of
from sightlab.training.callbacks import Callback, Paused, TrainingContext, Watch
from tests.conftest import Cli, refused_with
from tests.forked import exit_status, forked

WORDS = ["cnn", "data=fashion-mini", "limit_per_class=60", "epochs=4", "crop_padding=2", "flip=0.5"]


def words_with(*more: str) -> list[str]:
    """WORDS with these put in place of those of the same key."""
    return list({word.partition("=")[0]: word for word in (*WORDS, *more)}.values())


def started(folder: Path, *more: str) -> subprocess.Popen[str]:
    """The real command in a process of its own."""
    command = [sys.executable, "-m", "sightlab", "train", *words_with(*more)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def only_run(folder: Path) -> Path:
    (run,) = run_folders(folder / "runs")
    return run


def quick(data: str, **changes: object) -> Recipe:
    """A training of a fraction of a second: a small network, 20 images a class, no report."""
    return sightlab.recipe("cnn", model="lenet", data=data, limit_per_class=20, report=False, **changes)


def results(run: Path) -> tuple[object, ...]:
    """All of a run that repeats to the bit: figures without times, weights, predictions."""
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    figures = [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows]
    arrays = {
        f"{file}:{name}": value.tobytes()
        for file in ("bundle/weights.safetensors", "predictions-test.safetensors", "predictions-validation.safetensors")
        for name, value in load_file(run / file).items()
    }
    facts = read_facts(run)
    return figures, arrays, facts["best_epoch"], facts["test"]["accuracy"], facts["validation"]


def unbroken(folder: Path, *more: str) -> Path:
    """The same run in this process, never stopped."""
    return sightlab.train(recipe_of(words_with(*more)), home=folder / "unbroken").folder


def test_a_run_folder_holds_what_is_promised(small_run: Path) -> None:
    names = {p.name for p in small_run.iterdir()}
    pictures = {f"{name}.{kind}" for name in ("learning-curves", "confusion") for kind in ("png", "svg")}
    assert names >= pictures | {"bundle", "metrics.csv", "recipe.yaml", "environment.json", "run.json"}
    assert {p.name for p in (small_run / "bundle").iterdir()} >= {"weights.safetensors", "bundle.json"}
    recipe = parse_recipe((small_run / "recipe.yaml").read_text(), "recipe.yaml")
    assert recipe.hash == read_facts(small_run)["recipe_hash"]
    environment = json.loads((small_run / "environment.json").read_text())
    assert {"torch", "cpu", "threads", "processes", "python", "sightlab"} <= set(environment)
    for name in pictures:
        if name.endswith("png"):
            with Image.open(small_run / name) as picture:
                assert picture.size[0] > 300


def test_the_stored_predictions_give_the_stored_score(small_run: Path) -> None:
    run = sightlab.open_run(small_run)
    said = read_predictions(small_run / "predictions-test.safetensors")
    assert run.test is not None
    assert metrics.score(said, openings=1) == run.test
    assert said.index.tolist() == list(range(2000))
    assert (said.labels == load_parts("fashion-mini:test").parts.splits["all"].labels).all()


def test_the_test_split_was_opened_once_for_the_epoch_that_validation_chose(small_run: Path) -> None:
    facts = read_facts(small_run)
    (opening,) = facts["openings"]
    assert f"epoch {facts['best_epoch']}" in opening["reason"]
    best = max(facts["history"], key=lambda e: (e["validation_accuracy"], -e["validation_loss"]))
    assert best["epoch"] == facts["best_epoch"]
    assert facts["test"]["openings"] == 1


def test_metrics_csv_has_a_row_an_epoch(small_run: Path) -> None:
    rows = list(csv.DictReader((small_run / "metrics.csv").read_text().splitlines()))
    history = read_facts(small_run)["history"]
    assert [float(row["validation_loss"]) for row in rows] == [e["validation_loss"] for e in history]


def test_the_bundles_model_gives_the_stored_logits(own_run: Path) -> None:
    tested = sightlab.evaluate(own_run, "fashion-mini:test", open_test="a test")
    said = read_predictions(own_run / "predictions-test.safetensors")
    assert (tested.predictions.logits == said.logits).all()


@pytest.mark.parametrize("name", ["id", "prefix", "last", "folder", "bundle"])
def test_a_run_is_found_by_whatever_names_it(small_run: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SIGHTLAB_HOME", str(small_run.parent))
    words = {
        "id": small_run.name,
        "prefix": small_run.name[:4],
        "last": "last",
        "folder": str(small_run),
        "bundle": str(small_run / "bundle"),
    }
    assert locate(words[name]) == (small_run / "bundle" if name == "bundle" else small_run)


def test_a_prefix_that_means_several_runs_is_refused(tmp_path: Path) -> None:
    for name in ("abc1-x", "abc2-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text('{"format": 1}')
    with pytest.raises(RunError, match="could be any of abc1-x, abc2-x"):
        locate("abc", tmp_path)
    with pytest.raises(RunError, match="no run 'zzz'"):
        locate("zzz", tmp_path)


def fresh(words: list[str]) -> int:
    """The command as a user starts it, in place of this process."""
    os.execv(sys.executable, [sys.executable, "-m", "sightlab", *words])


def started_in_a_copy(command: Callable[[list[str]], int], words: list[str]) -> tuple[int, TextIO]:
    """A command in a copy of this process: its process id and what it writes to stderr."""
    read, write = os.pipe()

    def work() -> int:
        os.dup2(write, 2)
        os.close(read)
        os.close(write)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        return command(words)

    process = forked(work)
    os.close(write)
    return process, os.fdopen(read)


@pytest.mark.parametrize("command", [main, pytest.param(fresh, marks=pytest.mark.slow)])
def test_ctrl_c_keeps_the_run_and_a_resume_ends_it_to_the_bit(
    tmp_path: Path, small_data: str, command: Callable[[list[str]], int]
) -> None:
    words = [f"data={small_data}", "limit_per_class=20", "epochs=8", "compile=off", "report=off"]
    process, stderr = started_in_a_copy(command, ["train", *words_with(*words)])
    with stderr:
        for line in stderr:
            if line.startswith("epoch 1"):
                break
        os.kill(process, signal.SIGINT)
        errors = stderr.read()
    assert exit_status(process) == 130, errors
    run = only_run(tmp_path)
    assert f"sightlab train --resume {run.name}" in errors
    assert read_facts(run)["status"] == "interrupted"
    assert sightlab.resume(run).test is not None
    assert results(run) == results(unbroken(tmp_path, *words))


def killed_and_resumed(folder: Path, kills: int, seed: int, more: Sequence[str] = ()) -> Path:
    """Kill the command this often, each time after up to four seconds, and resume it; the last time let it end."""
    generator = np.random.default_rng(seed)
    process = started(folder, *more)
    for _ in range(kills):
        time.sleep(1.5 + 2.5 * float(generator.random()))
        process.kill()
        process.communicate()
        if not run_folders(folder / "runs"):
            shutil.rmtree(folder / "runs", ignore_errors=True)
            process = started(folder, *more)
            continue
        command = [sys.executable, "-m", "sightlab", "train", "--resume", "last"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.communicate(timeout=200)
    run = only_run(folder)
    sightlab.resume(run)
    return run


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_bit(tmp_path: Path) -> None:
    assert results(killed_and_resumed(tmp_path, 2, seed=0)) == results(unbroken(tmp_path))


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Epochs of a fifth of a second: about every third kill meets the writing of a checkpoint."""
    words = ["epochs=40", "limit_per_class=30"]
    killed = killed_and_resumed(tmp_path, 20, seed=1, more=words)
    assert results(killed) == results(unbroken(tmp_path, *words))


def test_a_run_is_running_until_its_process_is_killed_and_then_interrupted(tmp_path: Path, small_data: str) -> None:
    recipe = quick(small_data, epochs=500, compile="off")  # so long a run would be worth a probe
    read, write = os.pipe()

    class Telling(Callback):
        def on_epoch_end(self, context: TrainingContext) -> None:
            os.write(write, b".")

    def work() -> None:
        sightlab.train(recipe, callbacks=[Telling()])

    process = forked(work)
    os.close(write)
    with os.fdopen(read) as told:
        assert told.read(1) == "."
        facts = read_facts(only_run(tmp_path))
        assert status_of(facts) == "running"
        assert facts["process"]["pid"] == process
        with pytest.raises(RunError, match=f"is running, as process {process}; wait for its end, or stop it"):
            sightlab.resume(only_run(tmp_path))
        os.kill(process, signal.SIGKILL)
        assert exit_status(process) == -signal.SIGKILL
    facts = read_facts(only_run(tmp_path))
    assert facts["status"] == "running"
    assert status_of(facts) == "interrupted"


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    import torch

    class Fragile(torch.nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise RuntimeError("out of\nmemory")
            return super().forward(images)

    net = Fragile(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    recipe = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    with pytest.raises(RuntimeError, match="memory"):
        sightlab.train(recipe, model=net, home=tmp_path)
    (folder,) = run_folders(tmp_path)
    facts = read_facts(folder)
    assert (facts["status"], facts["reason"]) == ("failed", "RuntimeError: out of memory")


def test_a_run_knows_its_seed_cost_revision_and_test_split(small_run: Path) -> None:
    facts = read_facts(small_run)
    assert facts["seed"] == 42
    convolutions = 28 * 28 * 32 * 25 + 14 * 14 * 64 * 32 * 25
    linear = 7 * 7 * 64 * 256 + 256 * 128 + 128 * 10
    assert facts["flops"] == 2 * (convolutions + linear)
    assert facts["ended"] >= facts["started"]
    assert facts["process"] is None
    assert len(facts["test_key"]) == len(facts["validation_key"]) == 32


def test_the_revision_of_the_users_folder_is_found_and_whether_it_was_changed(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", *identity, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30).stdout

    assert git_revision(tmp_path) is None
    git("init", "-q")
    assert git_revision(tmp_path) is None
    (tmp_path / "net.py").write_text("a = 1\n")
    git("add", "net.py")
    git("commit", "-q", "-m", "first")
    assert git_revision(tmp_path) == {"revision": git("rev-parse", "HEAD").strip(), "dirty": False}
    (tmp_path / "net.py").write_text("a = 2\n")
    found = git_revision(tmp_path)
    assert found is not None
    assert found["dirty"]


def test_a_run_that_has_ended_is_given_back_as_it_is(small_run: Path) -> None:
    before = (small_run / "run.json").read_bytes()
    said: list[str] = []
    run = sightlab.resume(small_run, callbacks=[Watch(say=said.append)])
    assert (small_run / "run.json").read_bytes() == before
    assert run == sightlab.open_run(small_run)
    assert "is finished; nothing to resume" in said[0]


def test_a_pause_from_python_raises_and_keeps(tmp_path: Path, small_data: str) -> None:
    with pytest.raises(Paused):
        sightlab.train(quick(small_data, epochs=2), home=tmp_path, callbacks=[Watch(pause=lambda: True)])
    (folder,) = run_folders(tmp_path)
    run = sightlab.resume(folder)
    assert len(run.epochs) == 2


def test_a_diverged_run_says_what_is_kept(tmp_path: Path) -> None:
    recipe = sightlab.recipe(
        "cnn", data="fashion-mini", limit_per_class=20, epochs=2, lr=1e20, schedule="constant", nesterov=False
    )
    with pytest.raises(DivergedError, match="no epoch was ended"):
        sightlab.train(recipe, home=tmp_path)
    (folder,) = run_folders(tmp_path)
    assert read_facts(folder)["status"] == "failed"


def test_own_modules_and_own_arrays_are_trained(tmp_path: Path) -> None:
    import torch

    pixels = np.random.default_rng(0).integers(0, 256, (120, 9, 9, 1), dtype=np.uint8)
    data = sightlab.ImageSet(pixels, np.tile(np.arange(2), 60).astype(np.int64), ("even", "odd"))
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 2))
    run = sightlab.train(sightlab.recipe("cnn", epochs=1, report=False), model=net, data=data, home=tmp_path)
    assert run.test is not None
    assert run.test.count == 18
    again = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 2))
    assert sightlab.evaluate(run, data, model=again, open_test="a test").score.count == 120
    with pytest.raises(RunError, match="code of your own"):
        sightlab.evaluate(run, data, open_test="a test")


def test_early_stop_ends_before_the_last_epoch(tmp_path: Path, small_data: str) -> None:
    recipe = quick(small_data, epochs=30, lr=1e-12, schedule="constant", early_stop=2)
    run = sightlab.train(recipe, home=tmp_path)
    assert len(run.epochs) < 30
    assert len(run.epochs) - run.best_epoch == 2


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """This process can write no larger file: the system's own refusal, as of a full disk."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def test_a_full_disk_while_saving_is_one_line_and_leaves_nothing_torn(
    tmp_path: Path, small_data: str, cli: Cli
) -> None:
    load_parts(small_data)  # its pixels are in the cache before the limit comes
    with files_no_larger_than(2_000_000):
        result = cli("train", "cnn", f"data={small_data}", "limit_per_class=20", "epochs=1")
    refused_with(result, "cannot be written: File too large")
    left = [p for p in only_run(tmp_path).rglob("*") if p.is_file() and p.name.startswith(".")]
    assert left == []


def test_a_folder_that_may_not_be_written_is_one_line() -> None:
    where = "/sys/kernel" if os.geteuid() == 0 else "/"  # not even root may make a folder there
    recipe = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    with pytest.raises(RunError, match=r"cannot be made: .*; name one you may write to with --home"):
        sightlab.train(recipe, home=f"{where}/runs")
