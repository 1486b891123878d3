"""Callbacks: called where they say, kept by checkpoints, told by name when they raise; a stop is a clean end."""

from pathlib import Path

import pytest
import torch

import sightlab
from sightlab.errors import RecipeError
from sightlab.recipes.schema import Recipe
from sightlab.store.run_folder import read_facts, run_folders
from sightlab.training import checkpoint
from sightlab.training.callbacks import Callback, CallbackError, Paused, TrainingContext


def tiny(data: str, **changes: object) -> Recipe:
    """Three epochs of three steps."""
    small = {"limit_per_class": 10, "size": 14, "report": False}
    defaults: dict[str, object] = {**small, "epochs": 3, "batch_size": 32}
    return sightlab.recipe("mini-resnet-v1", data=data, **{**defaults, **changes})


class Diary(Callback):
    """Writes down what it was called for."""

    changes_training = False

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_train_start(self, context: TrainingContext) -> None:
        self.lines.append("start")

    def on_epoch_start(self, context: TrainingContext) -> None:
        assert context.model.training
        self.lines.append(f"epoch {context.epoch}")

    def on_step_end(self, context: TrainingContext) -> None:
        self.lines.append(f"step {context.step}")

    def on_epoch_end(self, context: TrainingContext) -> None:
        assert context.record is not None and context.predictions is not None
        assert context.record == context.history[-1]
        assert len(context.predictions) == 20
        self.lines.append(f"end {context.epoch} {context.record.epoch}")

    def on_train_end(self, context: TrainingContext) -> None:
        assert context.folder is not None
        self.lines.append(context.status)


class FreezeNorms(Callback):
    """Batch norms keep their statistics from the second epoch on; counts the epochs that it saw."""

    def on_epoch_start(self, context: TrainingContext) -> None:
        self.state["epochs"] = self.state.get("epochs", 0) + 1
        if self.state["epochs"] > 1:
            for module in context.model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()


class StopAt(Callback):
    changes_training = False

    def __init__(self, epoch: int, step: int) -> None:
        self.epoch, self.step = epoch, step

    def on_step_end(self, context: TrainingContext) -> None:
        if (context.epoch, context.step) == (self.epoch, self.step):
            context.stop("enough")


class PauseAt(StopAt):
    def on_step_end(self, context: TrainingContext) -> None:
        if (context.epoch, context.step) == (self.epoch, self.step):
            context.pause()


class Breaks(Callback):
    changes_training = False

    def __init__(self, method: str) -> None:
        self.method = method
        self.broken = False

    def fail(self, method: str) -> None:
        if method == self.method and not self.broken:
            self.broken = True
            raise ValueError("no luck")

    def on_train_start(self, context: TrainingContext) -> None:
        self.fail("on_train_start")

    def on_step_end(self, context: TrainingContext) -> None:
        if context.epoch == 2:
            self.fail("on_step_end")

    def on_epoch_end(self, context: TrainingContext) -> None:
        self.fail("on_epoch_end")

    def on_train_end(self, context: TrainingContext) -> None:
        self.fail("on_train_end")


class Optional(Breaks):
    optional = True


def weights_of(run: sightlab.Run) -> dict[str, bytes]:
    """The weights after the last epoch, best or not."""
    found = checkpoint.read(checkpoint.newest_first(run.folder / "checkpoints")[0])
    assert found is not None
    return {key: value.numpy().tobytes() for key, value in found[1].items() if key.startswith("weights.")}


def test_every_method_is_called_in_its_order(tmp_path: Path, small_data: str) -> None:
    diary = Diary()
    sightlab.train(tiny(small_data, epochs=2), home=tmp_path, callbacks=[diary])
    steps = [f"step {step}" for step in (1, 2, 3)]
    whole = ["start", "epoch 1", *steps, "end 1 1", "epoch 2", *steps, "end 2 2", "finished"]
    assert diary.lines == whole


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> sightlab.Run:
    """The tiny recipe without callbacks."""
    return sightlab.train(tiny(small_data), home=tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> sightlab.Run:
    """The tiny recipe with a callback that changes the training."""
    return sightlab.train(tiny(small_data), home=tmp_path_factory.mktemp("frozen"), callbacks=[FreezeNorms()])


def test_a_callback_may_change_the_training(plain: sightlab.Run, frozen: sightlab.Run) -> None:
    assert weights_of(plain) != weights_of(frozen)


@pytest.mark.parametrize(("epoch", "step"), [(2, 1), (2, 3), (3, 2)])
def test_a_callback_that_changes_the_training_resumes_to_the_bit(
    tmp_path: Path, small_data: str, frozen: sightlab.Run, epoch: int, step: int
) -> None:
    with pytest.raises(Paused):
        sightlab.train(tiny(small_data), home=tmp_path / "paused", callbacks=[FreezeNorms(), PauseAt(epoch, step)])
    (folder,) = run_folders(tmp_path / "paused")
    resumed = sightlab.resume(folder, callbacks=[FreezeNorms()])
    assert weights_of(resumed) == weights_of(frozen)


def test_a_run_is_not_resumed_without_the_callback_that_changed_it(tmp_path: Path, small_data: str) -> None:
    with pytest.raises(Paused):
        sightlab.train(tiny(small_data), home=tmp_path, callbacks=[FreezeNorms(), PauseAt(1, 2)])
    (folder,) = run_folders(tmp_path)
    with pytest.raises(sightlab.SightlabError, match="callback"):
        sightlab.resume(folder)


@pytest.mark.parametrize("step", [2, 3])
def test_a_stop_is_a_clean_end(tmp_path: Path, small_data: str, step: int) -> None:
    run = sightlab.train(tiny(small_data), home=tmp_path, callbacks=[StopAt(2, step)])
    assert [epoch.epoch for epoch in run.epochs] == [1, 2]
    assert run.test is not None
    facts = read_facts(run.folder)
    assert (facts["status"], facts["stopped"]) == ("finished", "enough")


@pytest.mark.parametrize("method", ["on_train_start", "on_step_end", "on_epoch_end"])
def test_a_callback_that_raises_is_named_and_loses_nothing(
    tmp_path: Path, small_data: str, plain: sightlab.Run, method: str
) -> None:
    broken = Breaks(method)
    with pytest.raises(CallbackError, match=f"callback Breaks failed in {method}: ValueError: no luck.*--resume"):
        sightlab.train(tiny(small_data), home=tmp_path / "broken", callbacks=[broken])
    (folder,) = run_folders(tmp_path / "broken")
    resumed = sightlab.resume(folder, callbacks=[broken])
    assert weights_of(resumed) == weights_of(plain)


def test_a_callback_that_raises_at_the_end_leaves_a_finished_run(tmp_path: Path, small_data: str) -> None:
    with pytest.raises(CallbackError, match="failed in on_train_end"):
        sightlab.train(tiny(small_data, epochs=1), home=tmp_path, callbacks=[Breaks("on_train_end")])
    (folder,) = run_folders(tmp_path)
    assert sightlab.open_run(folder).test is not None


def test_an_optional_callback_that_raises_is_dropped_with_a_line(tmp_path: Path, small_data: str) -> None:
    lines: list[str] = []
    watch = sightlab.Watch(say=lines.append)
    sightlab.train(tiny(small_data, epochs=1), home=tmp_path, callbacks=[watch, Optional("on_epoch_end")])
    assert "callback Optional: ValueError: no luck; the run goes on without it" in lines


def test_processes_and_a_callback_that_changes_the_training_exclude_each_other(tmp_path: Path, small_data: str) -> None:
    with pytest.raises(RecipeError, match="processes: 2, with callback FreezeNorms"):
        sightlab.train(tiny(small_data, processes=2), home=tmp_path, callbacks=[FreezeNorms()])
    assert not run_folders(tmp_path)


def test_watch_is_the_old_word_for_a_callback(tmp_path: Path, small_data: str) -> None:
    seen: list[int] = []
    with pytest.warns(FutureWarning, match="watch=... is now callbacks="):
        sightlab.train(
            tiny(small_data, epochs=1),
            home=tmp_path,
            watch=sightlab.Watch(epoch=lambda facts: seen.append(facts.epoch)),
        )
    assert seen == [1]
