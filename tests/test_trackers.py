"""Runs in TensorBoard and MLflow: what was written there, read back with their own readers."""

import math
import os
import shutil
import typing
from pathlib import Path

import pytest

import sightlab
from sightlab import trackers
from sightlab.errors import RecipeError
from sightlab.recipes.schema import Recipe
from sightlab.store.run_folder import read_run
from tests.conftest import Cli, refused_with

# MLflow 3.17 asks SQLAlchemy for what its version 2.1 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def tensorboard_figures(place: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(place), size_guidance={"images": 0})
    reader.Reload()
    return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def test_every_tracker_that_a_recipe_may_name_is_there() -> None:
    (names, _) = typing.get_args(Recipe.model_fields["log"].annotation)
    assert set(typing.get_args(names)) == set(trackers.TRACKERS)


def test_log_takes_names_in_a_row_and_leaves_the_hash_alone() -> None:
    recipe = sightlab.recipe("cnn", log="tensorboard, mlflow")
    assert recipe.log == ("tensorboard", "mlflow")
    assert recipe.hash == sightlab.recipe("cnn").hash
    with pytest.raises(RecipeError, match="log"):
        sightlab.recipe("cnn", log="wandb")


def test_tensorboard_reads_back_every_epoch_and_the_test_score(tmp_path: Path) -> None:
    recipe = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=40, epochs=2, log="tensorboard")
    run = sightlab.train(recipe, home=tmp_path)
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


def test_mlflow_reads_back_recipe_epochs_scores_and_pictures(tmp_path: Path, small_run: Path) -> None:
    from mlflow.tracking import MlflowClient

    run = read_run(small_run)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        trackers.export(run, "finished", "mlflow")
        trackers.export(run, "finished", "mlflow")  # the second goes on in the same MLflow run
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("sightlab")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["model.name"] == "cnn"
    assert float(found.data.params["optimizer.lr"]) == sightlab.recipe("cnn").optimizer.lr
    assert run.test is not None
    assert math.isclose(found.data.metrics["test_accuracy"], run.test.accuracy)
    history = client.get_metric_history(found.info.run_id, "validation_loss")
    assert {(point.step, point.value) for point in history} == {(e.epoch, e.validation_loss) for e in run.epochs}
    assert {"recipe.yaml", "confusion.png"} <= {file.path for file in client.list_artifacts(found.info.run_id)}


def test_a_tracker_that_cannot_write_is_said_once_and_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    said: list[str] = []
    recipe = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=2, log="mlflow")
    run = sightlab.train(recipe, home=tmp_path, watch=sightlab.Watch(say=said.append))
    assert run.test is not None
    assert sum("goes on without mlflow" in line for line in said) == 1
    assert os.environ["MLFLOW_TRACKING_URI"] not in str(list(tmp_path.iterdir()))


def test_an_unknown_tracker_is_one_line() -> None:
    with pytest.raises(RecipeError, match="unknown tracker 'tensorbord'; did you mean tensorboard"):
        trackers.check(["tensorbord"])


def test_runs_export_copies_a_run_to_a_tracker(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(small_run, tmp_path / "h" / small_run.name)
    status, out, err = cli("runs", "export", copy.name, "--to", "tensorboard", "--home", tmp_path / "h")
    assert status == 0, err
    assert out.strip() == f"{copy.name}: {tmp_path / 'h' / 'tensorboard' / copy.name}"
    assert len(tensorboard_figures(tmp_path / "h" / "tensorboard" / copy.name)["loss/train"]) == 2
    words = ("runs", "export", copy.name, "--to", "mlflow", "-o", "x", "--home", tmp_path / "h")
    refused_with(cli(*words), "writes to a place of its own")
