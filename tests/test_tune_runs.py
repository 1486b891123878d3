"""A segment of a run keeps its test split sealed; a pool replaces workers that die; tasks end or pause as a whole."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import sightlab
from sightlab.errors import RunError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.runs.answers import validation_answers
from sightlab.runs.executor import result_of, run_tasks
from sightlab.runs.segments import FailedResult, PausedResult, out_of_memory, saved_epochs, train_segment
from sightlab.runs.tasks import Channel, Message, Result, Task, TaskContext, TaskError, WorkerLost
from sightlab.runs.worker_pool import PipeChannel, WorkerPool
from sightlab.store.run_folder import read_facts, status_of
from sightlab.training.callbacks import Paused

TINY = Recipe.model_validate(
    {
        "data": {"source": "fashion-mini", "limit_per_class": 20},
        "model": "lenet",
        "epochs": 3,
        "compile": "off",
        "report": False,
    }
)


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    """A channel whose messages stay in the pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    yield PipeChannel(theirs, context.Event())
    ours.close()
    theirs.close()


@pytest.fixture(scope="module")
def paused(channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is paused after one of its three epochs."""
    return segment(channel, tmp_path_factory.mktemp("paused"), None, 1).folder


@pytest.fixture
def own_paused(paused: Path, tmp_path: Path) -> Path:
    """A copy of the paused run."""
    return shutil.copytree(paused, tmp_path / "own" / paused.name)


def segment(
    channel: Channel, home: Path, folder: Path | None, until: int | None, recipe: Recipe = TINY
) -> PausedResult:
    found = train_segment(channel, TaskContext(recipe, home, folder), until)
    assert isinstance(found, PausedResult)
    return found


def test_a_run_in_segments_has_the_bits_of_a_run_in_one_and_opens_its_test_split_at_its_end_alone(
    channel: Channel, own_paused: Path, tmp_path: Path
) -> None:
    facts = read_facts(own_paused)
    assert (status_of(facts), len(facts["history"])) == ("interrupted", 1)
    second = segment(channel, own_paused.parent, own_paused, 3)
    assert (len(second.epochs), second.trained, second.finished) == (3, True, False)
    facts = read_facts(own_paused)
    assert status_of(facts) == "trained"
    assert facts["openings"] == []
    assert not (own_paused / "bundle").exists()
    # Its answers on validation are those of its best epoch, before it is finalized and after.
    best = max(epoch.validation_accuracy for epoch in second.epochs)
    context = TaskContext(TINY, tmp_path, own_paused)
    assert validation_answers(channel, context).mean() == pytest.approx(best, abs=1e-12)

    last = segment(channel, own_paused.parent, own_paused, None)
    assert last.finished
    assert validation_answers(channel, context).mean() == pytest.approx(best, abs=1e-12)
    assert len(read_facts(own_paused)["openings"]) == 1
    alone = sightlab.train(TINY, home=tmp_path / "alone")
    ours, theirs = (load_file(folder / "bundle" / "weights.safetensors") for folder in (last.folder, alone.folder))
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_a_record_that_lags_behind_its_checkpoint_does_not_open_a_test_split(
    channel: Channel, own_paused: Path
) -> None:
    """As a kill between the two leaves it: the checkpoint has all epochs, the record one only."""
    lagging = (own_paused / "run.json").read_text()
    segment(channel, own_paused.parent, own_paused, 3)
    (own_paused / "run.json").write_text(lagging)
    found = segment(channel, own_paused.parent, own_paused, 3)
    assert (len(found.epochs), found.trained, found.finished) == (3, True, False)
    assert not (own_paused / "bundle").exists()
    facts = read_facts(own_paused)
    assert (status_of(facts), len(facts["history"])) == ("trained", 3)


def test_a_run_that_early_stopping_ends_is_kept_too(channel: Channel, tmp_path: Path) -> None:
    stuck = changed(TINY, {"lr": 1e-9, "early_stop": 1, "epochs": 50})
    found = segment(channel, tmp_path, None, 50, stuck)
    assert len(found.epochs) < 50
    assert found.trained
    assert not found.finished
    assert not (found.folder / "bundle").exists()


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


def test_a_callback_that_fails_fails_its_trial_alone(channel: Channel, tmp_path: Path) -> None:
    code = tmp_path / "broken.py"
    code.write_text(
        "from sightlab.training.callbacks import Callback\n"
        "class Broken(Callback):\n"
        "    def on_step_end(self, context):\n"
        "        raise ValueError('no such column')\n"
    )
    recipe = changed(TINY, {"callbacks": f"{code}:Broken"})
    found = train_segment(channel, TaskContext(recipe, tmp_path / "runs"), 3)
    assert isinstance(found, FailedResult)
    assert "callback Broken failed in on_step_end: ValueError: no such column" in found.reason


def test_torchs_own_errors_of_memory_are_told_from_others() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not out_of_memory(caught.value)


def test_the_epochs_of_a_folder_without_a_checkpoint_are_none(own_paused: Path) -> None:
    assert len(saved_epochs(own_paused)) == 1
    for file in (own_paused / "checkpoints").iterdir():
        file.unlink()
    assert saved_epochs(own_paused) == ()


CONTEXT = TaskContext(TINY, Path())


def die(_channel: Channel, _context: TaskContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def answer(channel: Channel, _context: TaskContext, number: int) -> tuple[int, int]:
    channel.send("working")
    if number < 0:
        raise ValueError("below nothing")
    return number, torch.get_num_threads()


def until_stopped(channel: Channel, _context: TaskContext) -> str:
    channel.send("running")
    while not channel.should_stop():
        time.sleep(0.01)
    return "half done"


def variable(_channel: Channel, _context: TaskContext) -> str | None:
    return os.environ.get("SIGHTLAB_TRIED")


def test_a_pool_replaces_a_process_that_dies_and_reports_it() -> None:
    with WorkerPool(2) as pool:
        pool.submit(1, Task(die, CONTEXT))
        pool.submit(2, Task(partial(answer, number=5), CONTEXT))
        with pytest.raises(ValueError, match="all 2 processes are busy"):
            pool.submit(3, Task(die, CONTEXT))
        found: list[object] = []
        while pool.busy:
            found += pool.events(1.0)
        lost = WorkerLost(1, "exit code -9")
        assert lost in found
        assert [one for one in found if one != lost] == [Message(2, "working"), Result(2, (5, 1))]
        pool.submit(4, Task(partial(answer, number=-1), CONTEXT))
        pool.submit(5, Task(partial(answer, number=6), CONTEXT))
        found = []
        while pool.busy:
            found += pool.events(1.0)
        assert TaskError(4, "ValueError: below nothing") in found
        assert Result(5, (6, 1)) in found
    assert not multiprocessing.active_children()


def test_tasks_end_in_results_and_errors_each_with_its_number() -> None:
    heard: list[tuple[int, object]] = []
    numbers = (7, -1, 8)
    tasks = [Task(partial(answer, number=number), CONTEXT) for number in numbers] + [Task(die, CONTEXT)]
    with WorkerPool(2) as pool:
        ends = {end.number: end for end in run_tasks(pool, tasks, lambda: False, lambda *one: heard.append(one))}
    assert sorted(heard) == [(number, "working") for number in range(3)]
    assert [result_of(ends[number]) for number in (0, 2)] == [(7, 1), (8, 1)]
    with pytest.raises(RunError, match=r"^trial 2: ValueError: below nothing; what was trained is kept$"):
        result_of(ends[1], "trial 2")
    with pytest.raises(RunError, match=r"a worker process died \(exit code -9\): killed, or out of memory"):
        result_of(ends[3])


def test_a_pause_while_every_task_runs_gives_what_they_return_and_then_raises() -> None:
    heard: list[int] = []
    ends: list[object] = []
    with WorkerPool(2) as pool:
        tasks = [Task(until_stopped, CONTEXT)] * 3  # of which two are running when it comes
        with pytest.raises(Paused):
            for end in run_tasks(pool, tasks, lambda: len(heard) >= 2, lambda number, _: heard.append(number)):
                ends.append(end)  # noqa: PERF402 - what came before the exception counts
    assert sorted(heard) == [0, 1]
    assert sorted(ends, key=str) == [Result(0, "half done"), Result(1, "half done")]


def test_workers_have_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("first", "second"):
        monkeypatch.setenv("SIGHTLAB_TRIED", value)
        with WorkerPool(1) as pool:
            (end,) = run_tasks(pool, [Task(variable, CONTEXT)], lambda: False)
        assert end == Result(0, value)


def test_a_segment_in_a_pool_sends_its_epochs_and_stops_when_asked(tmp_path: Path) -> None:
    long = changed(TINY, {"epochs": 500})
    with WorkerPool(1) as pool:
        pool.submit(1, Task(partial(train_segment, until=500), TaskContext(long, tmp_path)))
        found: list[object] = []
        while not any(isinstance(one, Message) and isinstance(one.message, Epoch) for one in found):
            assert pool.busy, found
            found += pool.events(1.0)
        pool.stop()
        while pool.busy:
            found += pool.events(1.0)
    result = found[-1]
    assert isinstance(result, Result)
    assert isinstance(result.result, PausedResult)
    assert 1 <= len(result.result.epochs) < 500
    assert status_of(read_facts(result.result.folder)) == "interrupted"
    # Every epoch that was sent is in the checkpoint, and the record says so.
    sent = [one.message for one in found if isinstance(one, Message) and isinstance(one.message, Epoch)]
    assert tuple(sent) == result.result.epochs
    assert json.loads((result.result.folder / "run.json").read_text())["history"] == [one.to_json() for one in sent]
