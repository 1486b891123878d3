"""Several trainings at once: the same bits as one after the other, kept when stopped, one line when a process dies."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sightlab.errors import DataError, DivergedError, RunError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.runs.index import RunIndex
from sightlab.runs.parallel import Training, train_parallel
from sightlab.runs.torchrun import train_by_processes
from sightlab.store.run_folder import read_facts, status_of
from sightlab.training.callbacks import Paused
from tests.conftest import workers_of

TINY = Recipe.model_validate(
    {
        "data": {"source": "fashion-mini", "limit_per_class": 20},
        "model": "lenet",
        "epochs": 2,
        "compile": "off",
        "report": False,
    }
)
LONG = changed(TINY, {"epochs": 500})


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "bundle" / "weights.safetensors")


def test_parallel_trainings_have_the_bits_of_those_in_this_process_and_one_that_diverges_is_a_result(
    tmp_path: Path, small_data: str
) -> None:
    recipes = [changed(TINY, {"data": small_data, "seed": seed}) for seed in (1, 2)]
    heard: list[tuple[int, int]] = []
    ends = train_parallel(
        [Training(recipe) for recipe in recipes],
        tmp_path / "pool",
        2,
        on_epoch=lambda number, facts: heard.append((number, facts.epoch)),
    )
    folders = {end.number: end.folder for end in ends}
    assert sorted(heard) == [(number, epoch) for number in range(2) for epoch in (1, 2)]

    # One job is this process itself.
    wild = changed(TINY, {"lr": 1e30, "model": "cnn"})
    first, second = train_parallel([Training(wild), Training(recipes[1])], tmp_path / "here", 1)
    assert (first.number, first.folder) == (0, None)
    assert "is not a finite number" in first.reason
    here, there = second.folder, folders[1]
    assert here is not None
    assert there is not None
    ours, theirs = weights_of(here), weights_of(there)
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    # Seeds are not mixed up on the way.
    assert folders[0] is not None
    assert [read_facts(folder)["seed"] for folder in (folders[0], there)] == [1, 2]


def test_a_pause_keeps_every_run_and_the_index_finds_them(tmp_path: Path) -> None:
    seen = threading.Event()
    with pytest.raises(Paused):
        list(
            train_parallel(
                [Training(LONG), Training(changed(LONG, {"seed": 7}))],
                tmp_path,
                2,
                on_epoch=lambda _number, _facts: seen.set(),
                should_pause=seen.is_set,
            )
        )
    found = RunIndex(tmp_path).on_this_data(LONG)
    assert found is not None
    assert found[1] == "interrupted"
    assert RunIndex(tmp_path).finished(LONG) is None


def test_a_killed_process_is_one_line_and_its_run_can_be_resumed(tmp_path: Path) -> None:
    def kill_one(_number: int, _facts: object) -> None:
        for child in workers_of(os.getpid())[:1]:
            os.kill(child, signal.SIGKILL)

    with pytest.raises(RunError, match=r"a worker process died .* the same command resumes where it stopped"):
        list(train_parallel([Training(LONG), Training(changed(LONG, {"seed": 7}))], tmp_path, 2, on_epoch=kill_one))
    folders = [path.parent for path in tmp_path.glob("*/run.json")]
    assert folders
    assert {status_of(read_facts(folder)) for folder in folders} == {"interrupted"}


def test_data_that_are_not_there_end_it_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere/: no such file or folder"):
        list(train_parallel([Training(changed(TINY, {"data": "nowhere/"}))], tmp_path, 1))


@pytest.mark.slow
def test_processes_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """The parent is killed; what it started must go by itself."""
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from tests.test_pool import LONG; from sightlab.runs.parallel import *\n"
        "if __name__ == '__main__':\n"
        "    tell = lambda number, facts: print('epoch', flush=True)\n"
        "    list(train_parallel([Training(LONG), Training(LONG)], Path(sys.argv[1]), 2, on_epoch=tell))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    root = Path(__file__).parents[1]
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"epoch\n"
    children = workers_of(parent.pid)
    assert children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 100
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
        time.sleep(0.2)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


@pytest.mark.slow
def test_two_processes_share_batches_over_gloo_on_real_images(tmp_path: Path) -> None:
    recipe = changed(TINY, {"epochs": 1, "model": "mini-resnet-v1"})
    folder = train_by_processes(recipe, 2, tmp_path)
    facts = read_facts(folder)
    assert facts["status"] == "finished"
    assert facts["test"]["count"] == 2000  # every test image once, whatever the division
    index = RunIndex(tmp_path)
    assert index.finished(recipe, 2) == folder
    assert index.finished(recipe) is None  # one process would give other batch statistics


@pytest.mark.slow
def test_a_shared_training_that_diverges_says_so(tmp_path: Path) -> None:
    recipe = changed(TINY, {"lr": 1e30, "model": "cnn"})
    with pytest.raises(DivergedError, match=r"2 processes: the .* loss is not a finite number"):
        train_by_processes(recipe, 2, tmp_path)
    assert "is not a finite number" in str(RunIndex(tmp_path).diverged(recipe, 2))


@pytest.mark.slow
def test_what_a_shared_training_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="2 processes: nowhere/: no such file or folder"):
        train_by_processes(changed(TINY, {"data": "nowhere/"}), 2, tmp_path)
