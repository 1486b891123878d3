"""Metrics by epoch: kept, written to the table of a run, and the best epoch chosen by any of them."""

import csv
from pathlib import Path

import pytest

import sightlab
from sightlab.errors import MetricError, RecipeError
from sightlab.recipes.schema import Recipe
from sightlab.records import Predictions
from sightlab.store.run_folder import run_folders
from sightlab.training.callbacks import Callback, Paused, TrainingContext


class Scripted:
    """A metric that has these values, one an epoch."""

    def __init__(self, values: list[float], higher_is_better: bool = True) -> None:
        self.values = iter(values)
        self.higher_is_better = higher_is_better
        self.name = "scripted"

    def __call__(self, predictions: Predictions) -> float:
        return next(self.values)


class PauseAfter(Callback):
    changes_training = False

    def on_epoch_end(self, context: TrainingContext) -> None:
        if context.epoch == 2:
            context.pause()


def tiny(data: str, **changes: object) -> Recipe:
    return sightlab.recipe("cnn", data=data, model="lenet", limit_per_class=10, epochs=3, report=False, **changes)


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [([1.0, 3.0, 2.0], True, 2), ([2.0, 3.0, 1.0], False, 3), ([1.0, 1.0, 1.0], True, None)],
)
def test_the_best_epoch_is_chosen_by_the_metric(
    tmp_path: Path, small_data: str, values: list[float], higher: bool, best: int | None
) -> None:
    run = sightlab.train(tiny(small_data), home=tmp_path, metrics=[Scripted(values, higher)], select_by="scripted")
    assert [epoch.metrics for epoch in run.epochs] == [{"scripted": value} for value in values]
    if best is None:  # of equal ones, the lowest loss
        best = min(run.epochs, key=lambda epoch: epoch.validation_loss).epoch
    assert run.best_epoch == best
    with (run.folder / "metrics.csv").open() as file:
        assert [float(row["scripted"]) for row in csv.DictReader(file)] == values


def test_early_stopping_is_by_the_same_metric(tmp_path: Path, small_data: str) -> None:
    metric = Scripted([2.0, 1.0, 3.0])
    run = sightlab.train(tiny(small_data, early_stop=1), home=tmp_path, metrics=[metric], select_by="scripted")
    assert (len(run.epochs), run.best_epoch) == (2, 1)


def test_a_resumed_run_has_the_metrics_of_before(tmp_path: Path, small_data: str) -> None:
    recipe = tiny(small_data, metrics="balanced_accuracy,auc", select_by="auc")
    whole = sightlab.train(recipe, home=tmp_path / "whole")
    with pytest.raises(Paused):
        sightlab.train(recipe, home=tmp_path / "paused", callbacks=[PauseAfter()])
    (folder,) = run_folders(tmp_path / "paused")
    resumed = sightlab.resume(folder)
    assert [epoch.metrics for epoch in resumed.epochs] == [epoch.metrics for epoch in whole.epochs]
    assert set(whole.epochs[0].metrics) == {"balanced_accuracy", "auc"}
    assert resumed.best_epoch == whole.best_epoch == max(whole.epochs, key=lambda one: one.metrics["auc"]).epoch


def test_a_metric_that_is_no_number_is_one_line(tmp_path: Path, small_data: str) -> None:
    with pytest.raises(MetricError, match="metric scripted is nan on validation; a metric must be a finite number"):
        sightlab.train(tiny(small_data), home=tmp_path, metrics=[Scripted([float("nan")])])


def test_an_unknown_metric_is_refused_before_the_data_are_read() -> None:
    with pytest.raises(RecipeError, match="unknown metric 'auk'; did you mean auc"):
        tiny("fashion-mini", select_by="auk")
