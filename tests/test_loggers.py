"""Runs in TensorBoard, MLflow and W&B: what was logged there, read back with their own readers."""

import json
import math
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sightlab
from sightlab import callbacks
from sightlab.callbacks.run_values import epoch_figures
from sightlab.errors import RecipeError
from sightlab.recipes.schema import Recipe
from sightlab.records import Run
from sightlab.store.run_folder import read_run, run_folders
from sightlab.training.callbacks import Callback, Paused, TrainingContext
from tests.conftest import Cli, refused_with

# MLflow 3.17 asks SQLAlchemy for what its version 2.1 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

BLOCK = 32768  # of a W&B file, which is a log of LevelDB's form: a header of 7 bytes before each piece of a record


def tiny(data: str, name: str, report: bool = False) -> Recipe:
    """Two epochs of a small network, logged there."""
    return sightlab.recipe("cnn", data=data, model="lenet", epochs=2, report=report, callbacks=name)


@pytest.fixture(autouse=True)
def no_wandb_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer has set for W&B stays out, and its log files stay out of the user's cache."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "wandb-cache"))


def tensorboard_figures(place: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(place), size_guidance={"images": 0})
    reader.Reload()
    return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def wandb_records(file: Path) -> Iterator[Any]:
    """The records of a W&B file, parsed with W&B's own protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    raw = file.read_bytes()
    assert raw[:4] == b":W&B"
    at, joined = 7, b""
    while at + 7 <= len(raw):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(raw[at + 4 : at + 6], "little"), raw[at + 6]
        joined += raw[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            record = Record()
            record.ParseFromString(joined)
            yield record
            joined = b""


def items(update: Any) -> dict[str, Any]:
    return {".".join(one.nested_key) or one.key: json.loads(one.value_json) for one in update}


def wandb_history(file: Path) -> dict[int, dict[str, Any]]:
    rows = [items(r.history.item) for r in wandb_records(file) if r.WhichOneof("record_type") == "history"]
    return {row["_step"]: row for row in rows}


def test_a_recipe_takes_the_names_of_all_loggers_and_the_hash_leaves_them_out() -> None:
    names = tuple(sorted(callbacks.CALLBACKS))
    recipe = sightlab.recipe("cnn", callbacks=", ".join(names))
    assert recipe.callbacks == names == ("mlflow", "tensorboard", "wandb")
    assert recipe.hash == sightlab.recipe("cnn").hash
    assert sightlab.recipe("cnn", log="tensorboard").callbacks == ("tensorboard",)


def test_tensorboard_reads_back_every_epoch_and_the_test_score(tmp_path: Path, small_data: str) -> None:
    run = sightlab.train(tiny(small_data, "tensorboard"), home=tmp_path)
    found = tensorboard_figures(tmp_path / "tensorboard" / run.id)
    for name, tag in (
        ("train_loss", "loss/train"),
        ("validation_accuracy", "accuracy/validation"),
        ("lr", "training/lr"),
    ):
        steps, values = zip(*found[tag], strict=True)
        assert steps == (1, 2)
        assert values == pytest.approx([getattr(epoch, name) for epoch in run.epochs], rel=1e-6)
    assert run.test is not None
    assert found["final/test_accuracy"] == [(2, pytest.approx(run.test.accuracy))]


@pytest.fixture(scope="module")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the small run and an MLflow database, which takes seconds to set up; the run is there."""
    copy = shutil.copytree(small_run, tmp_path_factory.mktemp("mlflow") / small_run.name)
    callbacks.export(read_run(copy), "finished", "mlflow")
    callbacks.export(read_run(copy), "finished", "mlflow")  # the second continues in the same MLflow run
    return copy.parent


def mlflow_runs(home: Path, name: str = "mlflow.db") -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{home / name}")
    experiment = client.get_experiment_by_name("sightlab")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def test_mlflow_reads_back_recipe_epochs_scores_and_pictures(exported: Path) -> None:
    from mlflow.tracking import MlflowClient

    (folder,) = run_folders(exported)
    run = read_run(folder)
    client = MlflowClient(tracking_uri=f"sqlite:///{exported / 'mlflow.db'}")
    (found,) = mlflow_runs(exported)
    assert found.info.status == "FINISHED"
    assert found.data.params["model.name"] == "cnn"
    assert float(found.data.params["optimizer.lr"]) == sightlab.recipe("cnn").optimizer.lr
    assert run.test is not None
    assert math.isclose(found.data.metrics["test_accuracy"], run.test.accuracy)
    history = client.get_metric_history(found.info.run_id, "validation_loss")
    assert {(point.step, point.value) for point in history} == {(e.epoch, e.validation_loss) for e in run.epochs}
    assert {"recipe.yaml", "confusion.png"} <= {file.path for file in client.list_artifacts(found.info.run_id)}


def test_mlflow_writes_where_the_environment_says(
    exported: Path, small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a database in use there, with an experiment of others."""
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{shutil.copy(exported / 'mlflow.db', tmp_path / 'elsewhere.db')}"
    client = MlflowClient(tracking_uri=uri)
    client.rename_experiment(mlflow_runs(exported)[0].info.experiment_id, "of others")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    copy = shutil.copytree(small_run, tmp_path / "home" / small_run.name)
    callbacks.export(read_run(copy), "finished", "mlflow")
    (found,) = mlflow_runs(tmp_path, "elsewhere.db")
    assert (found.info.run_name, found.info.status) == (small_run.name, "FINISHED")
    assert {"recipe.yaml", "confusion.png"} <= {file.path for file in client.list_artifacts(found.info.run_id)}
    assert list(copy.parent.iterdir()) == [copy]


def test_wandb_reads_back_recipe_epochs_scores_and_pictures_and_sends_nothing(
    tmp_path: Path, small_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    wandb.teardown()  # its own process reads these variables when it starts
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name in ("WANDB_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, address)
        run = sightlab.train(tiny(small_data, "wandb", report=True), home=tmp_path)
        wandb.teardown()
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            listener.accept()
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{run.id}")
    file = folder / f"run-{run.id}.wandb"
    kinds = {record.WhichOneof("record_type"): record for record in wandb_records(file)}
    assert kinds["run"].run.run_id == run.id
    assert kinds["run"].run.project == "sightlab"
    config = items(kinds["run"].run.config.update)
    assert config["model"]["name"] == "lenet"
    assert config["optimizer"]["lr"] == sightlab.recipe("cnn").optimizer.lr
    assert kinds["exit"].exit.exit_code == 0
    history = wandb_history(file)
    assert {step: row["validation_loss"] for step, row in history.items()} == {
        epoch.epoch: epoch.validation_loss for epoch in run.epochs
    }
    summary: dict[str, Any] = {}
    for record in wandb_records(file):
        summary |= items(record.summary.update)
    assert run.test is not None
    assert summary["test_accuracy"] == run.test.accuracy
    assert summary["status"] == "finished"
    assert list((folder / "files" / "media" / "images").glob("confusion_*.png"))
    assert "sightlab.git" not in file.read_bytes().decode("latin-1")  # nothing of the folder it was started in
    assert not list(folder.rglob("requirements.txt"))


class PauseAfterFirstEpoch(Callback):
    """Asks for a pause as Ctrl-C does."""

    changes_training = False

    def on_epoch_end(self, context: TrainingContext) -> None:
        if context.epoch == 1:
            context.pause()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_resumed_run_continues_in_the_same_logger_run(
    tmp_path: Path, small_data: str, exported: Path, name: str
) -> None:
    shutil.copy(exported / "mlflow.db", tmp_path)  # one with another run
    with pytest.raises(Paused) as paused:
        sightlab.train(tiny(small_data, name), home=tmp_path, callbacks=[PauseAfterFirstEpoch()])
    run = sightlab.resume(tmp_path / str(paused.value))
    assert logged_steps(tmp_path, run, name) == [1, 2]


def logged_steps(home: Path, run: Run, name: str) -> list[int]:
    """The epochs in the one logger run of a run."""
    if name == "tensorboard":
        return [step for step, _ in tensorboard_figures(home / "tensorboard" / run.id)["loss/train"]]
    if name == "mlflow":
        from mlflow.tracking import MlflowClient

        (found,) = (found for found in mlflow_runs(home) if found.info.run_name == run.id)
        history = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}").get_metric_history
        return [point.step for point in history(found.info.run_id, "train_loss")]
    import wandb

    wandb.teardown()  # its own process writes the last records after the run is finished
    # Offline each session is a part of its own with the same id; `wandb sync` joins them in order.
    parts = sorted((home / "wandb").glob(f"offline-run-*-{run.id}*/run-{run.id}.wandb"))
    assert len(parts) == 2
    return [step for part in parts for step, row in wandb_history(part).items() if "train_loss" in row]


def test_a_recipes_own_metrics_are_figures_and_missing_ones_are_left_out(small_run: Path) -> None:
    epoch = replace(read_run(small_run).epochs[0], metrics={"macro_f1": 0.5}, dead_outputs=None)
    figures = epoch_figures(epoch)
    assert figures["macro_f1"] == 0.5
    assert "dead_outputs" not in figures
    assert figures["train_loss"] == epoch.train_loss


def test_a_logger_that_cannot_write_is_told_once_and_ends_no_training(
    tmp_path: Path, small_data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    told: list[str] = []
    watch = sightlab.Watch(say=told.append)
    run = sightlab.train(tiny(small_data, "mlflow"), home=tmp_path, callbacks=[watch])
    assert run.test is not None
    assert sum("MLflow at sqlite:////proc/nowhere/mlflow.db" in line for line in told) == 1
    assert not list(tmp_path.rglob("mlflow.db"))


def test_an_unknown_logger_is_one_line(small_run: Path) -> None:
    with pytest.raises(RecipeError, match="unknown logger 'tensorbord'; did you mean tensorboard"):
        callbacks.export(read_run(small_run), "finished", "tensorbord")


def test_a_logger_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "find_spec", lambda _: None)
    with pytest.raises(RecipeError, match=r"wandb is not installed; pip install 'sightlab\[wandb\]'"):
        callbacks.check_installed(["my.py:Own", "wandb"])


def test_runs_export_copies_a_run_to_a_logger(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(small_run, tmp_path / "h" / small_run.name)
    status, out, err = cli("runs", "export", copy.name, "--to", "tensorboard", "--home", tmp_path / "h")
    assert status == 0, err
    assert out.strip() == f"{copy.name}: {tmp_path / 'h' / 'tensorboard' / copy.name}"
    assert len(tensorboard_figures(tmp_path / "h" / "tensorboard" / copy.name)["loss/train"]) == 2
    words = ("runs", "export", copy.name, "--to", "mlflow", "-o", "x", "--home", tmp_path / "h")
    refused_with(cli(*words), "writes to a place of its own")
