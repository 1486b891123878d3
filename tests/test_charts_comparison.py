"""Charts of several candidates show all of them, tell them apart, and mark what is beyond noise."""

import math
import re
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as st

from sightlab.charts import (
    COSTS,
    comparison_curves,
    comparison_rows,
    difference_rows,
    differences,
    pareto,
    pareto_rows,
)
from sightlab.charts.axis_scales import Scale, spanning
from sightlab.charts.point_labels import place_labels
from sightlab.charts.shared_curves import mark_isolated
from sightlab.charts.theme import FONT, line_styles, text_width
from sightlab.records import Difference, Epoch, RankedCandidate, Spread
from tests.drawings import SVG, drawing, marks, outside, overlaps, texts, told

LONG = "a name of sixty characters, as nobody would want, yet has: {:02}"

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency",
# table 1, severity 1.0: linear RGB as protanopes, deuteranopes and tritanopes see it.
VISIONS = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no L": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no M": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no S": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def trained(count: int, seconds: float = 10.0, floor: float = 0.2, lost: int = 10**9) -> list[Epoch]:
    """Epochs whose loss falls; from epoch `lost` on it is not a number."""
    losses = [math.nan if e >= lost else floor + 1.5 / e for e in range(1, count + 1)]
    return [
        Epoch(e, loss * 0.8, 0.9 - 0.6 / e, loss, 0.88 - 0.6 / e, 0.1, seconds, 800.0, True)
        for e, loss in enumerate(losses, 1)
    ]


def candidate(name: str, accuracy: float, first: tuple[str, float] | None = None, **facts: Any) -> RankedCandidate:
    """A candidate; first: (name, accuracy) of the one it is compared with."""
    near = (max(0.0, accuracy - 0.006), min(1.0, accuracy + 0.006))
    difference = None
    if first:
        d = accuracy - first[1]
        difference = Difference(
            name, first[0], d, (d - 0.008, d + 0.008), 0.01 if abs(d) > 0.008 else 0.4, 10_000, (1, 1), "exact"
        )
    known = {"parameters": 300_000, "flops": 10**8, "seconds": 300.0} | facts
    spread = Spread(accuracy, None, None, 1)
    return RankedCandidate(
        name, ("r",), spread, near, None, Spread(0.3, None, None, 1),
        images_per_second=800.0, openings=1, rank=1, difference=difference, **known,
    )  # fmt: skip


# Colours, dashes, widths of text


@pytest.mark.parametrize("vision", VISIONS)
def test_twelve_lines_are_told_apart_by_colour_or_dash_with_any_colour_vision(vision: str) -> None:
    colours, dashes = line_styles(12)
    seen = [lab(np.array(VISIONS[vision]) @ linear(colour)) for colour in colours]
    apart = [
        np.linalg.norm(seen[a] - seen[b]) for a, b in combinations(range(12), 2) if dashes[a] == dashes[b]
    ]  # a difference of 2.3 is just seen
    assert min(apart) > 12
    assert len(set(zip(colours, map(tuple, dashes), strict=True))) == 12


def test_the_looks_of_36_lines_all_differ() -> None:
    colours, dashes = line_styles(36)
    assert len(set(zip(colours, map(tuple, dashes), strict=True))) == 36


def linear(colour: str) -> Any:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: Any) -> Any:
    """Linear RGB of sRGB's primaries as CIE L*a*b*, white D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("text", ["mini-resnet-v4", "WWWiii", "Hello, World (95 %)", "{}[]|~^_`@#$&*"])
def test_the_width_of_a_text_is_what_the_renderer_measures(text: str) -> None:
    mark = {"type": "text", "text": text, "font": FONT, "fontSize": 40, "align": "left"}
    spec = {"data": {"values": [{}]}, "mark": mark, "width": 1, "height": 40, "padding": 0, "view": {"stroke": None}}
    svg = vl_convert.vegalite_to_svg(spec | {"encoding": {"x": {"value": 0}, "y": {"value": 20}}})
    measured = re.search(r'width="([\d.]+)"', svg)
    assert measured
    assert text_width(text, 40) == pytest.approx(float(measured[1]), rel=0.02)


# Comparison curves


def test_comparison_rows_are_the_epochs_of_each_run_with_the_time_since_its_start() -> None:
    runs = [("a", [Epoch(1, 2.0, 0.25, math.inf, 0.5, 0.1, 3.0, 1.0, True)]), ("a", []), ("b", trained(2, 10.0))]
    rows = comparison_rows(runs)
    assert rows[:2] == [
        {"name": "a", "run": 0, "split": "train", "epoch": 1, "seconds": 3.0, "loss": 2.0, "accuracy": 25.0},
        {"name": "a", "run": 0, "split": "validation", "epoch": 1, "seconds": 3.0, "loss": None, "accuracy": 50.0},
    ]
    assert [(r["run"], r["split"], r["epoch"], r["seconds"]) for r in rows[2:]] == [
        (2, split, epoch, 10.0 * epoch) for split in ("train", "validation") for epoch in (1, 2)
    ]


@pytest.mark.parametrize("runs", [[], [("a", [])]])
def test_a_comparison_without_an_epoch_is_refused(runs: Any) -> None:
    with pytest.raises(ValueError, match="at least one run with an epoch"):
        comparison_curves(runs)


@given(st.lists(st.lists(st.one_of(st.none(), st.just(1.0)), min_size=1, max_size=6), min_size=1, max_size=3))
def test_a_value_is_alone_where_no_line_reaches_it(values: list[list[float | None]]) -> None:
    rows = [{"run": run, "split": "train", "loss": v} for run, line in enumerate(values) for v in line]
    mark_isolated(rows, "loss")
    joined = [
        {place for pair in pairwise(range(len(line))) if None not in (line[pair[0]], line[pair[1]]) for place in pair}
        for line in values
    ]
    expected = [
        v is not None and place not in joined[run] for run, line in enumerate(values) for place, v in enumerate(line)
    ]
    assert [row["loss_isolated"] for row in rows] == expected


def test_twelve_candidates_of_three_seeds_are_twelve_looks_in_four_panels() -> None:
    names = [LONG.format(i) if i % 3 == 0 else f"v{i}" for i in range(12)]
    svg = drawing(comparison_curves([(name, trained(4 + i, 5)) for i, name in enumerate(names) for _ in range(3)]))
    said = texts(svg)
    assert {"epoch", "time (seconds)", "loss (nats)", "accuracy (%)", "bold: validation; thin: training"} <= set(said)
    legend = [text for text in said if text.startswith(("v", "a name"))]
    assert len(legend) == len(set(legend)) == 12
    lines = marks(svg, "line mark")
    assert len(lines) == 12 * 3 * 2 * 4
    assert len({(line.attrib["stroke"], line.get("stroke-dasharray")) for line in lines}) == 12
    assert not overlaps(svg)
    assert not outside(svg)


def test_validation_is_bold_and_training_thin() -> None:
    svg = drawing(comparison_curves([("a", trained(4)), ("b", trained(5))]))
    widths = {"train": set(), "validation": set()}  # type: dict[str, set[float]]
    for line in marks(svg, "line mark"):
        split = next(split for split in widths if f"split: {split}" in line.attrib["aria-label"])
        widths[split].add(float(line.attrib["stroke-width"]))
    assert min(widths["validation"]) >= 2 * max(widths["train"])


@pytest.mark.parametrize(("seconds", "unit"), [(1.0, "seconds"), (100.0, "minutes"), (36_000.0, "hours")])
def test_time_has_a_unit_of_few_digits(seconds: float, unit: str) -> None:
    assert f'"time ({unit})"' in comparison_curves([("a", trained(4, seconds))]).to_json()


def test_runs_of_one_epoch_and_lost_runs_show_what_there_is() -> None:
    runs = [("one", trained(1)), ("lost", trained(5, lost=2)), ("all", trained(3, lost=1)), ("good", trained(9))]
    svg = drawing(comparison_curves(runs))
    assert len(marks(svg, "point")) == 2 * (2 * 2 + 2)  # two panels of loss with two lone epochs, of accuracy with one
    assert {"one", "lost", "all", "good"} <= set(texts(svg))
    drawing(comparison_curves([("all", trained(3, lost=1))]))


# What accuracy costs

accuracies = st.integers(0, 5).map(lambda n: n / 5)
prices = st.integers(1, 5)


@given(st.lists(st.tuples(accuracies, prices), min_size=1, max_size=12))
def test_the_front_is_who_is_not_beaten(points: list[tuple[float, int]]) -> None:
    rows = pareto_rows([candidate(f"m{i}", accuracy, flops=cost) for i, (accuracy, cost) in enumerate(points)])
    for (accuracy, cost), row in zip(points, rows, strict=True):
        cheaper = max((a for a, c in points if c < cost), default=-1.0)
        as_cheap = max(a for a, c in points if c <= cost)
        assert row["front"] == (accuracy == as_cheap and accuracy > cheaper)


def test_pareto_rows_are_in_per_cent_and_leave_out_who_has_no_cost() -> None:
    rows = pareto_rows([candidate("a", 0.5, flops=None), candidate("b", 0.75, flops=7)])
    assert rows == [
        {
            "name": "b",
            "cost": 7,
            "accuracy": 75.0,
            "low": pytest.approx(74.4),
            "high": pytest.approx(75.6),
            "front": True,
        }
    ]


@pytest.mark.parametrize(
    ("candidates", "cost", "says"),
    [
        ([], "flops", "nothing to draw"),
        ([candidate("a", 0.5, flops=None)], "flops", "no candidate with known flops"),
        ([candidate("a", 0.5)], "money", "unknown cost 'money'; known: flops, parameters, seconds"),
    ],
)
def test_a_cost_that_nobody_has_is_refused(candidates: Any, cost: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pareto(candidates, cost)


@pytest.mark.parametrize(
    "cost", [pytest.param(cost, marks=() if cost == "flops" else pytest.mark.slow) for cost in COSTS]
)
def test_every_candidate_is_named_marked_and_has_its_interval(cost: str) -> None:
    rng = np.random.default_rng(7)
    facts = [(f"mini-resnet-v{i}", 0.9 + 0.05 * rng.random(), int(10 ** rng.uniform(5, 7))) for i in range(12)]
    candidates = [candidate(n, a, flops=f * 100, parameters=f, seconds=f / 1000) for n, a, f in facts]
    svg = drawing(pareto(candidates, cost))
    assert {name for name, *_ in facts} <= set(texts(svg))
    points = [told(point) for point in marks(svg, "point")]
    assert len(points) == 12
    rows = {row["name"]: row for row in pareto_rows(candidates, cost)}
    filled = {told(p)["name"] for p in marks(svg, "point") if p.get("fill") == "#0072b2"}
    assert filled == {name for name, row in rows.items() if row["front"]}
    assert not overlaps(svg)
    assert not outside(svg)


@pytest.mark.parametrize("count", [1, 12, pytest.param(2, marks=pytest.mark.slow)])
def test_candidates_in_one_place_are_all_read(count: int) -> None:
    svg = drawing(pareto([candidate(LONG.format(i), 0.9) for i in range(count)]))
    assert len([text for text in texts(svg) if text.startswith("a name")]) == 2 * count  # each with its white edge
    assert not overlaps(svg)
    assert not outside(svg)


def test_the_subtitle_counts_who_is_not_shown() -> None:
    svg = drawing(pareto([candidate("a", 0.5), candidate("b", 0.6, flops=None), candidate("c", 1.0)]))
    assert any(text.endswith("not shown, cost unknown: 1") for text in texts(svg))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(20, 560), st.floats(20, 340), st.floats(10, 150)), min_size=1, max_size=12))
def test_labels_never_share_a_place_nor_leave_the_panel(names: list[tuple[float, float, float]]) -> None:
    labels = place_labels([(x, y) for x, y, _ in names], [width for *_, width in names], 13, (580, 360), [])
    assert not any(a.box.overlap(b.box) for a, b in combinations(labels, 2))
    assert all(0 <= b.left and b.right <= 580 and 0 <= b.top and b.bottom <= 360 for b in (x.box for x in labels))


def test_a_lone_label_stands_right_beside_its_point() -> None:
    (label,) = place_labels([(100, 100)], [50], 12, (400, 300), [])
    assert (label.align, label.y, label.ring) == ("left", 100, 0)
    assert 100 < label.x < 115


@given(st.floats(0.1, 1e6), st.floats(1.01, 1e6), st.floats(0, 1), st.booleans())
def test_a_scale_gives_back_what_it_was_given(low: float, times: float, along: float, log: bool) -> None:
    scale = Scale(low, low * times, 10, 500, log)
    value = low + along * (low * times - low)
    assert scale.value(scale.pixel(value)) == pytest.approx(value, rel=1e-6)
    assert scale.pixel(low) == pytest.approx(10)
    assert scale.pixel(low * times) == pytest.approx(500)


def test_a_scale_of_one_value_has_width_around_it() -> None:
    for value, log in ((0.0, False), (5.0, False), (5.0, True)):
        scale = spanning([value, value], 0, 100, log=log)
        assert scale.low < value < scale.high


# Differences to the first


def test_difference_rows_are_of_the_candidate_less_the_first_whichever_way_it_was_told() -> None:
    first = candidate("old", 0.9)
    plain = candidate("new", 0.92, ("old", 0.9))
    turned = candidate("bad", 0.88)
    difference = Difference("old", "bad", 0.02, (0.01, 0.03), 0.2, 100, (1, 1), "exact", adjusted=0.0004)
    turned = RankedCandidate(**(vars(turned) | {"difference": difference}))
    rows = difference_rows([first, plain, turned])
    assert [(r["name"], r["verdict"]) for r in rows] == [("new", "better"), ("bad", "worse")]
    assert [r["difference"] for r in rows] == pytest.approx([2, -2])
    assert [(r["low"], r["high"]) for r in rows] == [pytest.approx((1.2, 2.8)), pytest.approx((-3, -1))]
    assert [r["text"] for r in rows] == [
        "+2.00 (+1.20 to +2.80), p = 0.010",
        "\N{MINUS SIGN}2.00 (\N{MINUS SIGN}3.00 to \N{MINUS SIGN}1.00), p < 0.001",
    ]


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        ([], "at least two candidates"),
        ([candidate("a", 0.5)], "at least two candidates"),
        ([candidate("a", 0.5)] * 2, "'a' has no difference"),
    ],
)
def test_differences_to_nobody_are_refused(candidates: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        differences(candidates)


@pytest.mark.parametrize("count", [2, 12])
def test_differences_fill_what_is_told_apart_and_name_everybody(count: int) -> None:
    others = [candidate(LONG.format(i), 0.89 + 0.002 * i, (LONG.format(0), 0.9)) for i in range(1, count)]
    svg = drawing(differences([candidate(LONG.format(0), 0.9), *others]))
    said = texts(svg)
    assert len({text for text in said if text.startswith("a name")}) == count - 1
    assert {row["text"] for row in difference_rows([candidate("x", 0.9), *others])} <= set(said)
    fills = [told(point)["verdict"] == "not significant" for point in marks(svg, "point")]
    hollow = [point.get("fill") == "white" for point in marks(svg, "point")]
    assert fills == hollow
    assert len(hollow) == count - 1
    assert len([rule for rule in svg.iter(f"{SVG}line") if rule.get("stroke") == "#222222"]) == 1  # the line of nothing
    assert not overlaps(svg)
    assert not outside(svg)
