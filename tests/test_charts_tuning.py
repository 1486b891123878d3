"""The pictures of a search show every trial where it belongs, and the best above all."""

from dataclasses import replace

import pytest

from sightlab.charts import (
    TrialSummary,
    cost_rows,
    cost_scores,
    importance_rows,
    importances,
    line_rows,
    loss_rows,
    parallel_coordinates,
    trial_losses,
)
from tests.drawings import drawing, marks
from tests.trial_records import AXES, trial_summaries


def test_every_epoch_of_every_trial_has_a_row_and_the_last_of_each_is_marked() -> None:
    trials = trial_summaries(14)
    rows = loss_rows(trials, 5)
    assert len(rows) == sum(len(trial.epochs) for trial in trials)
    assert sum(row["last"] for row in rows) == sum(bool(trial.epochs) for trial in trials)
    kinds = {row["trial"]: row["kind"] for row in rows}
    assert [place for place, kind in kinds.items() if kind == "best"] == [9, 10, 11, 12, 13]
    assert [place for place, kind in kinds.items() if kind == "pruned"] == [3, 6]


def test_better_trials_lie_above_worse_ones_and_failed_ones_are_left_out() -> None:
    rows = line_rows(AXES, trial_summaries(14))
    assert len(rows) == 13 * 3
    assert rows[0]["name"] == "trial 1"
    assert [row["name"] for row in rows if row["best"]] == ["trial 13"] * 3
    assert len({row["colour"] for row in rows}) == 13


def test_a_parameter_alone_has_a_dot_for_every_trial_where_lines_would_not_be_seen() -> None:
    trials = [replace(trial, shares=trial.shares[:1]) for trial in trial_summaries(14)]
    scored = sum(trial.rank is not None for trial in trials)
    alone = drawing(parallel_coordinates(AXES[:1], trials, "accuracy"))
    assert len(marks(alone, "point")) == scored + 1  # the best once more, above all
    early = sum(trial.state == "pruned" for trial in trials)
    assert sum(point.get("fill") is None for point in marks(alone, "point")) == early > 0
    assert not marks(drawing(parallel_coordinates(AXES, trial_summaries(14), "accuracy")), "point")


def test_parameters_are_in_the_order_of_their_importance() -> None:
    rows = importance_rows({"a": 0.1, "b": 0.654, "c": 0.246})
    assert [(row["name"], row["text"]) for row in rows] == [("b", "65"), ("c", "25"), ("a", "10")]


def test_a_trial_with_fewer_epochs_is_told_from_those_that_had_all() -> None:
    rows = cost_rows(trial_summaries(6))
    assert [row["kind"] for row in rows] == ["complete", "complete", "early", "complete", "best"]
    assert [row["seconds"] for row in rows] == [3.0, 6.0, 9.0, 12.0, 15.0]


def test_pictures_of_nothing_are_refused() -> None:
    failed = [TrialSummary("failed", None, None, "failed")]
    with pytest.raises(ValueError, match="at least one epoch"):
        trial_losses(failed)
    with pytest.raises(ValueError, match="need an axis, and a trial"):
        parallel_coordinates(AXES, failed, "accuracy")
    with pytest.raises(ValueError, match="at least one parameter"):
        importances({}, "nothing")
    with pytest.raises(ValueError, match="no trial has a score"):
        cost_scores(failed, "accuracy")
