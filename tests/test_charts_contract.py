"""Every chart meets the same contract: checked by the schema, free of warnings, the same each time, on white paper."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pytest
import vl_convert

from sightlab import charts
from tests.drawings import outside, overlaps, read
from tests.test_charts_classes import bins, change, classes, matrix, said
from tests.test_charts_comparison import candidate, trained
from tests.trial_records import AXES, trial_summaries

NAMES = ["cat", "<dog>", "犬", "a name of sixty characters, as nobody would want, yet has it"]
CONTENDERS = [candidate(NAMES[0], 0.9), *(candidate(name, 0.93, (NAMES[0], 0.9), flops=10**9) for name in NAMES[1:])]

CHARTS: dict[str, Callable[[], Any]] = {
    "class_bars": lambda: charts.class_bars(classes([(name, 7, 9) for name in NAMES])),
    "class_changes": lambda: charts.class_changes([change(name, 0.5, 0.75) for name in NAMES]),
    "comparison_curves": lambda: charts.comparison_curves([(name, trained(4)) for name in NAMES]),
    "cost_scores": lambda: charts.cost_scores(trial_summaries(9), "validation accuracy (%)"),
    "confusion": lambda: charts.confusion(matrix(4), NAMES),
    "confusion_shares": lambda: charts.confusion_shares(matrix(4), NAMES),
    "differences": lambda: charts.differences(CONTENDERS),
    "grid_heat": lambda: charts.grid_heat(
        [charts.Cell(a, b, a * b, "x") for a in (1, 2) for b in (3, 4)], "x", "y", "v"
    ),
    "importances": lambda: charts.importances(dict.fromkeys(NAMES, 0.25), "PED-ANOVA"),
    "learning_curves": lambda: charts.learning_curves(
        [replace(epoch, metrics=dict.fromkeys(NAMES[2:], 0.5)) for epoch in trained(4)]
    ),
    "learning_rates": lambda: charts.learning_rates([0.001, 0.01, 0.1], [2.0, 1.0, 1.5], 0.02),
    "parallel_coordinates": lambda: charts.parallel_coordinates(AXES, trial_summaries(9), "accuracy"),
    "pareto": lambda: charts.pareto(CONTENDERS),
    "reliability": lambda: charts.reliability(bins(10)),
    "top_k_curve": lambda: charts.top_k_curve([(name, said(20, 4)) for name in NAMES]),
    "trial_losses": lambda: charts.trial_losses(trial_summaries(9)),
}


def test_the_table_holds_every_chart() -> None:
    functions = {name: getattr(charts, name) for name in charts.__all__ if inspect.isfunction(getattr(charts, name))}
    draw = {
        name for name, function in functions.items() if "Chart" in str(inspect.signature(function).return_annotation)
    }
    assert draw == set(CHARTS)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_valid_quiet_legible_and_the_same_each_time(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    chart = CHARTS[name]()
    assert isinstance(chart, alt.TopLevelMixin)
    spec = chart.to_dict()
    assert spec["background"] == "white"
    vl_convert.vegalite_to_vega(spec, show_warnings=True)
    assert capfd.readouterr().err == ""
    svg = read(charts.svg_of(chart))
    if "confusion" not in name:  # whose slanted labels stand in rectangles that overlap, though they do not
        assert not overlaps(svg)
    assert not outside(svg)
    assert CHARTS[name]().to_dict(validate=False) == spec  # drawn alike: test_chart_files.py


def test_numbers_of_numpy_are_drawn_like_pythons() -> None:
    grid = [charts.Cell(np.float32(1), np.int64(2), np.float32(3.5))]  # type: ignore[arg-type]
    assert charts.svg_of(charts.grid_heat(grid, "x", "y", "v")) == charts.svg_of(
        charts.grid_heat([charts.Cell(1.0, 2, 3.5)], "x", "y", "v")
    )
