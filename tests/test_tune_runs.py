"""A segment of a run keeps its test split sealed; a pool replaces workers that die."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import sightlab
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.answers import validation_answers
from sightlab.runs.segments import FailedResult, PausedResult, out_of_memory, saved_epochs, train_segment
from sightlab.runs.tasks import Channel, Message, Result, Task, TaskContext, TaskError, WorkerLost
from sightlab.runs.worker_pool import PipeChannel, WorkerPool
from sightlab.store.run_folder import read_facts, status_of

TINY = Recipe.model_validate(
    {"data": {"source": "fashion-mini", "limit_per_class": 20}, "model": "lenet", "epochs": 3, "compile": "off"}
)


@pytest.fixture
def channel() -> Iterator[Channel]:
    """A channel whose messages stay in the pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    yield PipeChannel(theirs, context.Event())
    ours.close()
    theirs.close()


def kept(channel: Channel, home: Path, known: Path | None, until: int | None, recipe: Recipe = TINY) -> PausedResult:
    found = train_segment(channel, TaskContext(recipe, home, known), until)
    assert isinstance(found, PausedResult)
    return found


def test_a_run_in_segments_has_the_bits_of_a_run_in_one_and_opens_its_test_split_at_its_end_alone(
    channel: Channel, tmp_path: Path
) -> None:
    first = kept(channel, tmp_path / "segments", None, 1)
    second = kept(channel, tmp_path / "segments", first.folder, 3)
    assert [len(first.epochs), len(second.epochs)] == [1, 3]
    assert not second.finished
    facts = read_facts(second.folder)
    assert status_of(facts) == "interrupted"
    assert facts["openings"] == []
    assert not (second.folder / "bundle").exists()

    last = kept(channel, tmp_path / "segments", first.folder, None)
    alone = sightlab.train(TINY, home=tmp_path / "alone")
    assert last.finished
    ours, theirs = (load_file(folder / "bundle" / "weights.safetensors") for folder in (last.folder, alone.folder))
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    assert len(read_facts(last.folder)["openings"]) == 1


def test_a_record_that_lags_behind_its_checkpoint_does_not_open_a_test_split(channel: Channel, tmp_path: Path) -> None:
    """As a kill between the two leaves it: the checkpoint has all epochs, the record one fewer."""
    folder = kept(channel, tmp_path, None, 2).folder
    lagging = (folder / "run.json").read_text()
    kept(channel, tmp_path, folder, 3)
    (folder / "run.json").write_text(lagging)
    found = kept(channel, tmp_path, folder, 3)
    assert len(found.epochs) == 3
    assert not found.finished
    assert not (folder / "bundle").exists()


def test_a_run_whose_patience_is_at_an_end_is_kept_too(channel: Channel, tmp_path: Path) -> None:
    stuck = changed(TINY, {"lr": 1e-9, "early_stop": 1, "epochs": 50})
    found = kept(channel, tmp_path, None, 50, stuck)
    assert len(found.epochs) < 50
    assert not found.finished
    assert not (found.folder / "bundle").exists()


def test_a_kept_run_answers_on_validation_as_its_best_epoch_did(channel: Channel, tmp_path: Path) -> None:
    found = kept(channel, tmp_path, None, 2)
    best = max(epoch.validation_accuracy for epoch in found.epochs)
    held = validation_answers(channel, TaskContext(TINY, tmp_path, found.folder))
    assert held.mean() == pytest.approx(best, abs=1e-12)
    ended = kept(channel, tmp_path, found.folder, None)
    best = max(epoch.validation_accuracy for epoch in ended.epochs)
    assert validation_answers(channel, TaskContext(TINY, tmp_path, ended.folder)).mean() == pytest.approx(
        best, abs=1e-12
    )


def test_a_training_that_diverges_or_does_not_fit_is_a_result(channel: Channel, tmp_path: Path) -> None:
    wild = train_segment(channel, TaskContext(changed(TINY, {"lr": 1e30, "model": "cnn"}), tmp_path), 3)
    assert isinstance(wild, FailedResult)
    assert "is not a finite number" in wild.reason


def test_a_training_for_which_memory_does_not_suffice_is_a_result(channel: Channel, tmp_path: Path) -> None:
    code = tmp_path / "greedy.py"
    code.write_text(
        "import torch\n"
        "class Greedy(torch.nn.Module):\n"
        "    def __init__(self, channels, classes):\n"
        "        super().__init__()\n"
        "        self.head = torch.nn.Linear(channels * 784, classes)\n"
        "    def forward(self, images):\n"
        "        if len(images) > 2:\n"
        "            torch.empty(1 << 50)\n"
        "        return self.head(images.flatten(1))\n"
    )
    found = train_segment(channel, TaskContext(changed(TINY, {"model": f"{code}:Greedy"}), tmp_path / "runs"), 1)
    assert isinstance(found, FailedResult)
    assert found.reason.startswith("out of memory: ")


def test_torchs_own_errors_of_memory_are_told_from_others() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not out_of_memory(caught.value)


def test_the_epochs_of_a_folder_without_a_checkpoint_are_none(channel: Channel, tmp_path: Path) -> None:
    folder = kept(channel, tmp_path, None, 1).folder
    assert len(saved_epochs(folder)) == 1
    for file in (folder / "checkpoints").iterdir():
        file.unlink()
    assert saved_epochs(folder) == ()


CONTEXT = TaskContext(TINY, Path())


def die(_channel: Channel, _context: TaskContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def answer(channel: Channel, _context: TaskContext, number: int) -> tuple[int, int]:
    channel.send("working")
    if number < 0:
        raise ValueError("below nothing")
    return number, torch.get_num_threads()


def test_a_pool_replaces_a_process_that_dies_and_reports_it() -> None:
    with WorkerPool(2) as pool:
        pool.submit(1, Task(die, CONTEXT))
        pool.submit(2, Task(partial(answer, number=5), CONTEXT))
        with pytest.raises(ValueError, match="all 2 processes are busy"):
            pool.submit(3, Task(die, CONTEXT))
        told: list[object] = []
        while pool.busy:
            told += pool.events(1.0)
        assert WorkerLost(1, "exit code -9") in told
        assert [one for one in told if one != WorkerLost(1, "exit code -9")] == [
            Message(2, "working"),
            Result(2, (5, 1)),
        ]
        pool.submit(4, Task(partial(answer, number=-1), CONTEXT))
        pool.submit(5, Task(partial(answer, number=6), CONTEXT))
        told = []
        while pool.busy:
            told += pool.events(1.0)
        assert TaskError(4, "ValueError: below nothing") in told
        assert Result(5, (6, 1)) in told
    assert not multiprocessing.active_children()


def variable(_channel: Channel, _context: TaskContext) -> str | None:
    return os.environ.get("SIGHTLAB_TRIED")


def test_workers_have_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("first", "second"):
        monkeypatch.setenv("SIGHTLAB_TRIED", value)
        with WorkerPool(1) as pool:
            pool.submit(1, Task(variable, CONTEXT))
            told: list[object] = []
            while pool.busy:
                told += pool.events(1.0)
        assert told == [Result(1, value)]


def test_a_segment_in_a_pool_sends_its_epochs_and_stops_when_asked(tmp_path: Path) -> None:
    long = changed(TINY, {"epochs": 500})
    with WorkerPool(1) as pool:
        pool.submit(1, Task(partial(train_segment, until=500), TaskContext(long, tmp_path)))
        told: list[object] = []
        while not any(isinstance(one, Message) and isinstance(one.message, Epoch) for one in told):
            assert pool.busy, told
            told += pool.events(1.0)
        pool.stop()
        while pool.busy:
            told += pool.events(1.0)
    result = told[-1]
    assert isinstance(result, Result)
    assert isinstance(result.result, PausedResult)
    assert 1 <= len(result.result.epochs) < 500
    assert status_of(read_facts(result.result.folder)) == "interrupted"
