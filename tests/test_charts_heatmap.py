"""A grid shows each pair of values where it belongs, what came of it, and which is the best."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.charts import Cell, grid_heat, grid_rows
from sightlab.charts.colormap import BLUES, interpolate, luminance, text_colour, to_hex
from tests.drawings import drawing, marks, outside, overlaps, texts, told

VERMILION = "#d55e00"


def test_grid_rows_carry_value_and_note_and_mark_the_best() -> None:
    cells = [
        Cell(64, 0.1, 91.256, "12 epochs"),
        Cell(128, 0.1, None, "failed"),
        Cell(64, 1e-3, math.nan),
        Cell(128, 1e-3, 90),
    ]
    rows = grid_rows(cells)
    assert [(r["x"], r["y"], r["text"], r["note"], r["best"]) for r in rows] == [
        ("64", "0.1", "91.26", "12 epochs", True),
        ("128", "0.1", "", "failed", False),
        ("64", "0.001", "", "", False),
        ("128", "0.001", "90.00", "", False),
    ]
    assert [r["best"] for r in grid_rows(cells, best=min)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("cells", "says"),
    [([], "at least one cell"), ([Cell(1, "a", 1.0), Cell(1.0, "a", 2.0)], "two cells of the grid have x 1 and y a")],
)
def test_a_grid_of_nothing_or_with_two_of_a_place_is_refused(cells: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        grid_heat(cells, "x", "y", "value")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.sampled_from([max, min]))
def test_better_cells_are_darker_and_the_best_the_darkest(values: list[float], best: Any) -> None:
    rows = grid_rows([Cell(place, 0, value) for place, value in enumerate(values)], best=best)
    light = [luminance(tuple(int(row["fill"][i : i + 2], 16) / 255 for i in (1, 3, 5))) for row in rows]  # type: ignore[arg-type]
    order = sorted(range(len(values)), key=lambda place: values[place], reverse=best is max)
    assert all(light[a] <= light[b] + 0.01 for a, b in pairwise(order))
    assert [row["best"] for row in rows] == [value == best(values) for value in values]
    assert light[order[0]] == min(light)


def test_one_lost_run_does_not_wash_out_the_others() -> None:
    fills = [row["fill"] for row in grid_rows([Cell(i, 0, v) for i, v in enumerate([10.0, 90.0, 91.0, 92.0])])]
    assert len(set(fills)) == 4


def test_numbers_are_in_order_with_the_greatest_y_on_top_and_texts_as_they_come() -> None:
    spec = grid_heat([Cell(x, y, 1.0) for x in (128, 32, 64) for y in (0.1, 0.001, 1)], "b", "lr", "v").to_dict()
    assert spec["encoding"]["x"]["scale"]["domain"] == ["32", "64", "128"]
    assert spec["encoding"]["y"]["scale"]["domain"] == ["1", "0.1", "0.001"]
    spec = grid_heat([Cell(x, y, 1.0) for x in ("sgd", "adamw") for y in ("v6", "v1")], "b", "lr", "v").to_dict()
    assert spec["encoding"]["x"]["scale"]["domain"] == ["sgd", "adamw"]
    assert spec["encoding"]["y"]["scale"]["domain"] == ["v6", "v1"]


@pytest.mark.parametrize("side", [1, 2, 5, 12])
def test_every_cell_is_drawn_with_its_words_and_the_best_is_framed(side: int) -> None:
    rng = np.random.default_rng(side)
    cells = [
        Cell(
            2**x, 10.0**-y, None if (x + y) % 7 == 6 else float(rng.uniform(80, 95)), f"{x + y} epochs" if x % 2 else ""
        )
        for x in range(side)
        for y in range(side)
    ]
    svg = drawing(grid_heat(cells, "batch size", "learning rate", "accuracy (%)"))
    rows = grid_rows(cells)
    assert {row[of] for row in rows for of in ("text", "note")} - {""} <= set(texts(svg))
    rects = marks(svg, "rect mark")
    frames = [told(rect) for rect in rects if rect.get("stroke") == VERMILION]
    best = [(row["x"], row["y"]) for row in rows if row["best"]]
    assert [(frame["batch size"], frame["learning rate"]) for frame in frames] == best
    assert len(frames) == 1
    assert len(rects) == side * side + 1
    assert not overlaps(svg)
    assert not outside(svg)


def test_a_grid_of_lost_runs_says_so() -> None:
    svg = drawing(
        grid_heat([Cell("a", "犬", None, "pruned at epoch 3"), Cell("b", "犬", math.inf, "x" * 60)], "", "", "")
    )
    said = texts(svg)
    assert {"without a value, grey: 2", "pruned at epoch 3"} <= set(said)
    assert not any(rect.get("stroke") == VERMILION for rect in marks(svg, "rect mark"))


@given(st.floats(0, 1))
def test_ink_has_contrast_on_every_shade(along: float) -> None:
    colour = interpolate(BLUES, along)
    one, other = sorted((luminance(colour), {"#ffffff": 1.0, "#222222": 0.0160}[text_colour(colour)]))
    assert (other + 0.05) / (one + 0.05) > 3.9


def test_a_scale_of_shades_passes_through_all_three() -> None:
    assert [to_hex(interpolate(BLUES, along)) for along in (0, 0.5, 1)] == list(BLUES)
