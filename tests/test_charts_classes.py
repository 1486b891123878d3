"""Charts of one model's classes and confidence show every class, in order, with what is known of it."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.charts import (
    change_rows,
    class_bars,
    class_changes,
    class_rows,
    confusion,
    confusion_rows,
    confusion_shares,
    reliability,
    reliability_rows,
    top_k_curve,
    top_k_rows,
)
from sightlab.charts.confusion import worst_cells
from sightlab.charts.number_format import compact
from sightlab.metrics import wilson_interval
from sightlab.records import ClassChange, ClassScore, Predictions, ReliabilityBin
from tests.drawings import drawing, marks, outside, overlaps, texts, told

LONG = "a name of sixty characters, as nobody would want, yet has: {:02}"


def classes(shares: list[tuple[str, int, int]]) -> list[ClassScore]:
    """(name, right, images) as scores."""
    return [
        ClassScore(
            name,
            0.5,
            right / images if images else 0.0,
            0.5,
            images,
            wilson_interval(right, images) if images else None,
        )
        for name, right, images in shares
    ]


def bins(count: int, images: int = 100) -> list[ReliabilityBin]:
    """Bins whose answers are right a tenth less often than they say; the lower half is empty."""
    found = []
    for place in range(count):
        low, high = place / count, (place + 1) / count
        if place < count // 2:
            found.append(ReliabilityBin(low, high, 0, None, None, None))
            continue
        confidence = (low + high) / 2
        right = round((confidence - 0.1) * images)
        found.append(ReliabilityBin(low, high, images, confidence, right / images, wilson_interval(right, images)))
    return found


def matrix(size: int, each: int = 200) -> Any:
    rng = np.random.default_rng(1)
    return np.array([rng.multinomial(each, rng.dirichlet(np.where(np.arange(size) == i, 9, 0.3))) for i in range(size)])


# Accuracy on each class


def test_class_rows_are_the_worst_first_in_per_cent_and_say_how_they_stand_to_the_whole() -> None:
    scores = classes([("good", 99, 100), ("bad", 10, 100), ("empty", 0, 0), ("fair", 50, 100)])
    rows = class_rows(scores)
    assert [(r["class"], r["accuracy"], r["images"], r["standing"]) for r in rows] == [
        ("bad", 10.0, 100, "below"),
        ("fair", 50.0, 100, "near"),  # the whole is 53 %
        ("good", 99.0, 100, "above"),
    ]
    low, high = wilson_interval(10, 100)
    assert (rows[0]["low"], rows[0]["high"]) == (100 * low, 100 * high)
    assert rows[2]["text"] == "99.0% of 100"


@pytest.mark.parametrize("nothing", [[], classes([("a", 0, 0), ("b", 0, 0)])])
def test_classes_without_images_are_nothing_to_draw(nothing: Any) -> None:
    with pytest.raises(ValueError, match=f"{len(nothing)} classes without images"):
        class_bars(nothing)


@pytest.mark.parametrize("count", [1, 10, *(pytest.param(count, marks=pytest.mark.slow) for count in (2, 100))])
def test_every_class_has_its_name_bar_and_numbers_up_to_200(count: int) -> None:
    rng = np.random.default_rng(0)
    shares = [(LONG.format(i), int(rng.integers(0, 51)), 50) for i in range(count)]
    svg = drawing(class_bars(classes(shares), title="Run <7>"))
    rows = class_rows(classes(shares))
    said = texts(svg)
    assert "Run <7>" in said
    assert {row["class"] for row in rows} | {row["text"] for row in rows} <= set(said)
    assert len(marks(svg, "point")) == count
    overall = sum(right for _, right, _ in shares) / (50 * count)
    assert any(text.startswith(f"rule: all images, {overall:.2%};") for text in said)
    assert not overlaps(svg)
    assert not outside(svg)


def test_a_thousand_classes_have_thinned_names() -> None:
    chart = class_bars(classes([(f"class {i}", i % 50, 50) for i in range(1000)]))
    svg = drawing(chart)
    assert 200 < len([text for text in texts(svg) if text.startswith("class ")]) < 500
    assert float(svg.attrib["height"]) < 4500
    assert not overlaps(svg)


def test_classes_of_equal_accuracy_keep_their_order() -> None:
    assert [r["class"] for r in class_rows(classes([("b", 5, 10), ("a", 5, 10), ("c", 4, 10)]))] == ["c", "b", "a"]


# Reliability


def test_reliability_rows_are_the_bins_with_answers_in_per_cent() -> None:
    one = ReliabilityBin(0.5, 1.0, 1500, 0.8, 0.6, (0.5, 0.7))
    assert reliability_rows([ReliabilityBin(0.0, 0.5, 0, None, None, None), one]) == [
        {
            "low": 50.0, "high": 100.0, "confidence": 80.0, "accuracy": 60.0, "least": 50.0, "most": 70.0,
            "gap": pytest.approx(20.0), "count": 1500, "label": "1.5k",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("nothing", [[], [ReliabilityBin(0.0, 1.0, 0, None, None, None)]])
def test_bins_without_answers_are_nothing_to_draw(nothing: Any) -> None:
    with pytest.raises(ValueError, match="at least one prediction"):
        reliability(nothing)


@pytest.mark.parametrize("count", [15, 30, pytest.param(1, marks=pytest.mark.slow)])
def test_a_reliability_diagram_shows_each_bin_its_interval_and_its_count(count: int) -> None:
    drawn = bins(count)
    full = [one for one in drawn if one.count]
    svg = drawing(reliability(drawn))
    said = texts(svg)
    error = sum(abs(one.confidence - one.accuracy) for one in full) / len(full)  # type: ignore[operator]
    assert f"Reliability: expected calibration error {error:.2%}" in said
    assert any(text.endswith("intervals; orange: the gap between confidence and accuracy") for text in said)
    assert len(marks(svg, "point")) == len(full)
    assert said.count("100") == 2 + (len(full) if count <= 20 else 0)  # the ends of two axes, and the counts
    rules = [told(rule) for rule in marks(svg, "rule mark")]
    assert len(rules) == 2 * len(full)  # gap and interval
    assert not overlaps(svg)
    assert not outside(svg)


def test_the_title_says_the_error_it_is_given() -> None:
    assert "Reliability: expected calibration error 12.34%" in texts(drawing(reliability(bins(15), error=0.12341)))


@given(st.integers(0, 10**9 - 10**6))
def test_a_compact_count_has_four_characters_and_is_near(count: int) -> None:
    text = compact(count)
    value = float(text.rstrip("kM")) * {"k": 1e3, "M": 1e6}.get(text[-1], 1)
    assert len(text) <= 4
    assert math.isclose(value, count, rel_tol=0.05)


# Confusion


def test_shares_are_told_in_four_characters() -> None:
    table = np.array([[9999, 1, 0], [0, 3, 0], [1, 1, 6]])
    rows = confusion_rows(table, ["a", "b", "c"])
    assert [r["per_cent"] for r in rows] == ["100", "<0.1", "100", "12.5", "12.5", "75.0"]


@pytest.mark.parametrize("size", [3, 8, *(pytest.param(size, marks=pytest.mark.slow) for size in (20, 100))])
def test_the_three_greatest_mistakes_are_framed(size: int) -> None:
    table, names = matrix(size), [f"class {i}" for i in range(size)]
    for draw, weights in ((confusion, table), (confusion_shares, table / table.sum(axis=1, keepdims=True))):
        mistakes = np.sort((weights - np.diag(np.diag(weights))).ravel())[::-1]
        svg = drawing(draw(table, names))
        frames = [told(m) for m in marks(svg, "rect mark") if m.get("stroke") == "#222222"]
        framed = sorted((weights[names.index(f["true"]), names.index(f["predicted"])] for f in frames), reverse=True)
        assert framed == mistakes[:3].tolist()
        assert any("framed" in text for text in texts(svg))


def test_all_mistakes_or_none_are_not_framed() -> None:
    for table in (np.array([[5, 1], [2, 5]]), np.eye(2, dtype=np.int64)):
        svg = drawing(confusion(table, ["a", "b"]))
        assert not any("framed" in text for text in texts(svg))


def test_equal_mistakes_are_framed_in_the_order_of_the_classes() -> None:
    rows = confusion_rows(np.ones((3, 3), np.int64), ["a", "b", "c"])
    assert [(r["true"], r["predicted"]) for r in worst_cells(rows, "count")] == [("a", "b"), ("a", "c"), ("b", "a")]


def test_the_cells_of_shares_carry_them_up_to_20_classes() -> None:
    for size in (3, 20):
        table, names = matrix(size), [LONG.format(i) for i in range(size)]
        svg = drawing(confusion_shares(table, names))
        said = texts(svg)
        assert {row["per_cent"] for row in confusion_rows(table, names)} <= set(said)
        assert not outside(svg)
    assert "99.9" not in texts(drawing(confusion_shares(matrix(21), [f"c{i}" for i in range(21)])))


# Two runs, class by class


def change(name: str, first: float, second: float, adjusted: float = 1.0, images: int = 100) -> ClassChange:
    return ClassChange(name, images, first, second, second - first, adjusted, adjusted)


def test_change_rows_are_ordered_from_the_greatest_loss_to_the_greatest_gain() -> None:
    rows = change_rows(
        [
            change("up", 0.5, 0.75, 0.001),
            change("same", 1.0, 1.0),
            change("none", 0, 0, images=0),
            change("down", 0.5, 0.25, 0.049),
        ]
    )
    assert [(r["class"], r["first"], r["second"], r["change"], r["verdict"], r["text"]) for r in rows] == [
        ("down", 50.0, 25.0, -25.0, "worse", "\N{MINUS SIGN}25.0, n = 100"),
        ("same", 100.0, 100.0, 0.0, "not significant", "0.0, n = 100"),
        ("up", 50.0, 75.0, 25.0, "better", "+25.0, n = 100"),
    ]


def test_changes_of_no_class_are_refused() -> None:
    for nothing in ([], [change("a", 0, 0, images=0)]):
        with pytest.raises(ValueError, match="at least one image"):
            class_changes(nothing)


@pytest.mark.parametrize("count", [1, 10, pytest.param(100, marks=pytest.mark.slow)])
def test_every_class_has_a_hollow_and_a_filled_mark(count: int) -> None:
    rng = np.random.default_rng(3)
    changes = [
        change(LONG.format(i), *rng.uniform(0.6, 1, 2).round(2).tolist(), float(rng.choice([0.01, 1])))
        for i in range(count)
    ]
    svg = drawing(class_changes(changes, ("run <a>", LONG.format(0))))
    rows = {row["class"]: row for row in change_rows(changes)}
    assert set(rows) <= set(texts(svg))
    points = marks(svg, "point")
    assert sum(point.get("fill") == "white" for point in points) == count
    assert len(points) == 2 * count
    colours = {"worse": "#d55e00", "not significant": "#5f6b76", "better": "#0072b2"}
    assert all(point.get("stroke") == colours[told(point)["verdict"]] for point in points)
    assert any("hollow: run <a>; filled:" in text for text in texts(svg))
    assert not overlaps(svg)
    assert not outside(svg)


# Top-k accuracy


def said(images: int, count: int, seed: int = 0) -> Predictions:
    """Predictions of a model that is right on about half the images."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(images, count)).astype(np.float32)
    labels = np.where(rng.random(images) < 0.5, logits.argmax(axis=1), rng.integers(0, count, images))
    return Predictions(logits, labels.astype(np.int64), np.arange(images), tuple(map(str, range(count))))


def test_top_k_rows_are_the_shares_of_labels_among_the_first_answers() -> None:
    logits = np.array([[3, 2, 1], [3, 2, 1], [3, 2, 1], [3, 2, 1]], np.float32)
    one = Predictions(logits, np.array([0, 1, 2, 2]), np.arange(4), ("a", "b", "c"))
    rows = top_k_rows([("x", one)])
    assert [(r["k"], r["at"], r["share"]) for r in rows] == [(1, 1, 25.0), (2, 2, 50.0), (3, 3, 100.0)]
    assert [(r["low"], r["high"]) for r in rows] == [
        pytest.approx([100 * end for end in wilson_interval(right, 4)]) for right in (1, 2, 4)
    ]


def test_a_curve_of_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        top_k_curve([])


@pytest.mark.parametrize(
    ("runs", "size"),
    [(1, 30), (12, 10), *(pytest.param(*few, marks=pytest.mark.slow) for few in ((1, 2), (2, 10)))],
)
def test_the_first_answers_of_every_run_are_drawn_up_to_ten(runs: int, size: int) -> None:
    svg = drawing(top_k_curve([(LONG.format(i), said(200, size, seed=i)) for i in range(runs)]))
    points = [told(point) for point in marks(svg, "point")]
    assert len(points) == runs * min(size, 10)
    assert len({point["name"] for point in points}) == runs
    assert len(marks(svg, "rule mark")) == len(points)
    assert len([text for text in texts(svg) if text.startswith("a name")]) == (runs if runs > 1 else 0)
    assert not overlaps(svg)
    assert not outside(svg)
