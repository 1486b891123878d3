"""Charts show the numbers they were given, whatever their number and whatever the classes are called."""

import itertools
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import altair as alt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightlab.charts import confusion, confusion_rows, curve_rows, learning_curves, printable, save_chart, short_names
from sightlab.charts.learning_curves import best_row, epoch_ticks, log_ticks, needs_log
from sightlab.errors import RunError
from sightlab.records import Epoch
from tests.drawings import SVG, drawing, marks, outside, overlaps, texts, told

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
ODD = ["<b>&amp;\"'</b>", "犬", "a\n\x00\ud800b", "العربية", "", "datum['x']", "{{7*7}}", "2026-01-01", "null", "🙂"]


def trained(count: int, first_loss: float = 2.0, best: int | None = None) -> list[Epoch]:
    """Epochs whose loss falls and whose accuracy rises; the best so far at every epoch up to `best`."""
    losses = [first_loss if e == 1 else 0.1 + 1.5 / e for e in range(1, count + 1)]
    rise = [1 - 0.6 / e for e in range(1, count + 1)]
    return [
        Epoch(e, loss, share, loss * 1.1, share * 0.98, 0.1, 9.0, 800.0, e <= (best or count))
        for e, loss, share in zip(range(1, count + 1), losses, rise, strict=True)
    ]


def counts(classes: int, each: int = 100, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    rng = np.random.default_rng(seed)
    matrix = np.zeros((classes, classes), np.int64)
    for true in range(classes):
        chances = rng.gamma(0.2, size=classes)
        chances[true] = 6 * max(chances.sum(), 1.0)
        matrix[true] = rng.multinomial(each, chances / chances.sum())
    return matrix


def drawn(chart: alt.TopLevelMixin, folder: Path) -> tuple[ET.Element, Image.Image]:
    """The chart's SVG, parsed, and its PNG, opened."""
    save_chart(chart, folder / "chart.svg", folder / "chart.png")
    picture = Image.open(BytesIO((folder / "chart.png").read_bytes()))
    picture.load()
    return ET.fromstring((folder / "chart.svg").read_text(encoding="utf-8")), picture


def luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance of #rrggbb or rgb(r, g, b)."""
    parts = (
        [int(colour[i : i + 2], 16) for i in (1, 3, 5)] if colour[0] == "#" else map(int, re.findall(r"\d+", colour))
    )
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_curve_rows_are_the_epochs_in_nats_and_per_cent() -> None:
    epochs = [
        Epoch(1, 2.0, 0.25, 1.5, 0.5, 0.1, 1.0, 1.0, True),
        Epoch(2, math.nan, 0.5, math.inf, 0.75, 0.1, 1.0, 1.0, False),
    ]
    assert curve_rows(epochs) == [
        {"epoch": 1, "split": "train", "loss": 2.0, "accuracy": 25.0},
        {"epoch": 1, "split": "validation", "loss": 1.5, "accuracy": 50.0},
        {"epoch": 2, "split": "train", "loss": None, "accuracy": 50.0},
        {"epoch": 2, "split": "validation", "loss": None, "accuracy": 75.0},
    ]


def test_curves_of_no_epoch_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one epoch"):
        learning_curves([])


def test_the_best_epoch_is_the_last_that_was_best() -> None:
    assert best_row(trained(9, best=4)) == curve_rows(trained(9))[7]
    assert best_row([Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 1.0, False)]) is None


@given(st.integers(0, 10**4), st.integers(0, 10**5))
def test_epoch_ticks_are_whole_even_and_few(first: int, span: int) -> None:
    ticks = epoch_ticks(first, first + span)
    steps = {b - a for a, b in itertools.pairwise(ticks[1:])}
    assert ticks[0] == first
    assert all(isinstance(tick, int) and first <= tick <= first + span for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert len(steps) <= 1
    assert len(ticks) <= 9
    assert span == 0 or len(ticks) >= 2


@given(st.floats(1e-12, 1e12), st.floats(1, 1e15))
def test_log_ticks_are_few_and_on_the_axis(low: float, times: float) -> None:
    ticks = log_ticks(low, low * times)
    assert len(ticks) <= 15
    assert all(low <= tick <= low * times for tick in ticks)
    assert len(ticks) >= 2 or times < 1000


def test_a_loss_that_a_linear_axis_would_flatten_gets_a_log_axis() -> None:
    svg = drawing(learning_curves(trained(60, first_loss=50.0)))
    assert "loss (nats), log scale" in texts(svg)
    svg = drawing(learning_curves(trained(6)))
    assert "loss (nats)" in texts(svg)
    assert not needs_log([50.0, 0.0, 0.1, 0.1])
    assert not needs_log([])


@pytest.mark.parametrize("count", [1, 300, *(pytest.param(count, marks=pytest.mark.slow) for count in (2, 5))])
def test_learning_curves_validate_and_name_the_best_epoch(count: int, tmp_path: Path) -> None:
    epochs = trained(count)
    chart = learning_curves(epochs)
    assert chart.to_dict()["background"] == "white"
    svg, picture = drawn(chart, tmp_path)
    said = texts(svg)
    assert f"best: epoch {count}, {epochs[-1].validation_loss:.4f}" in said
    assert f"best: epoch {count}, {100 * epochs[-1].validation_accuracy:.2f}%" in said
    assert {"train", "validation", "accuracy (%)", "epoch", str(count)} <= set(said)
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    assert picture.size == pytest.approx((2 * width, 2 * height), abs=2)
    assert 1400 < picture.width < 1800


def test_each_metric_has_a_panel_of_its_own_whatever_it_is_called() -> None:
    kept = [{"macro_f1": 0.5, "own.py:A[0]: b": 2.0}, {"macro_f1": 0.75, "own.py:A[0]: b": math.nan}, {}]
    epochs = [replace(epoch, metrics=metrics) for epoch, metrics in zip(trained(3, best=2), kept, strict=True)]
    assert [(row["split"], row["metric0"], row["metric1"]) for row in curve_rows(epochs)] == [
        ("train", None, None), ("validation", 0.5, 2.0),
        ("train", None, None), ("validation", 0.75, None),
        ("train", None, None), ("validation", None, None),
    ]  # fmt: skip
    svg = drawing(learning_curves(epochs))
    words = texts(svg)
    assert {"macro_f1", "own.py:A[0]: b", "best: epoch 2, 0.75"} <= set(words)
    points = [told(point) for point in marks(svg, "point") if "split" in told(point)]
    assert [(one["epoch"], one["macro_f1"], one["split"]) for one in points if "macro_f1" in one] == [
        ("1", "0.5", "validation"),
        ("2", "0.75", "validation"),
    ]
    assert not overlaps(svg)
    assert not outside(svg)


@pytest.mark.parametrize(
    "value", [0.0, -2.0, *(pytest.param(value, marks=pytest.mark.slow) for value in (0.5333, 1.0, 37.5))]
)
def test_an_axis_of_one_value_has_labels_around_it(value: float) -> None:
    epoch = Epoch(1, 0.7, value / 100, 0.7, value / 100, 0.1, 1.0, 1.0, True, metrics={"kappa": value})
    svg = drawing(learning_curves([epoch]))
    labels = [
        float(text.replace("\N{MINUS SIGN}", "-")) for text in texts(svg) if re.match(r"[\d\N{MINUS SIGN}]", text)
    ]
    around = [label for label in labels if abs(label - value) <= 0.1 * abs(value) + 0.1]
    assert len(set(around) - {1.0}) >= 2  # 1 is the epoch


def test_one_epoch_shows_a_point_of_each_split_in_both_panels() -> None:
    svg = drawing(learning_curves(trained(1)))
    for colour in ("#d55e00", "#0072b2"):
        points = [p for p in svg.iter(f"{SVG}path") if p.get("fill") == colour]
        assert len(points) == 3  # two panels and the legend


def test_the_lines_differ_in_dash_and_marker_too() -> None:
    svg = drawing(learning_curves(trained(9)))
    paths = list(svg.iter(f"{SVG}path"))
    dashes = {c: {p.get("stroke-dasharray") for p in paths if p.get("stroke") == c} for c in ("#d55e00", "#0072b2")}
    assert dashes["#d55e00"].isdisjoint(dashes["#0072b2"])
    outlines = {c: {p.get("d") for p in paths if p.get("fill") == c} for c in ("#d55e00", "#0072b2")}
    assert all(outlines.values())
    assert outlines["#d55e00"].isdisjoint(outlines["#0072b2"])


def test_no_axis_of_accuracy_goes_beyond_100_per_cent() -> None:
    epochs = [Epoch(e, 0.01, 0.999, 0.02, 0.98 + e / 500, 0.1, 1.0, 1.0, True) for e in range(1, 10)]
    svg = drawing(learning_curves(epochs))
    labels = [float(text) for text in texts(svg) if re.fullmatch(r"[\d.]+", text)]
    assert max(labels) <= 100


def test_a_run_that_diverged_is_drawn_up_to_there() -> None:
    good = trained(3)
    lost = Epoch(4, math.nan, 0.1, math.nan, 0.1, 0.1, 1.0, 1.0, False)
    svg = drawing(learning_curves([*good, lost]))
    assert "NaN" not in ET.tostring(svg, encoding="unicode")
    svg = drawing(learning_curves([lost]))
    assert "NaN" not in ET.tostring(svg, encoding="unicode")


def test_confusion_rows_are_the_cells_that_are_not_zero() -> None:
    rows = confusion_rows(np.array([[3, 1, 0], [0, 0, 0], [0, 5, 5]]), ["a", "b", "c"])
    cells = [(r["true"], r["predicted"], r["count"], r["share"], r["correct"]) for r in rows]
    assert cells == [
        ("a", "a", 3, 0.75, True),
        ("a", "b", 1, 0.25, False),
        ("c", "b", 5, 0.5, False),
        ("c", "c", 5, 0.5, True),
    ]


@pytest.mark.parametrize(
    "classes", [20, 21, *(pytest.param(classes, marks=pytest.mark.slow) for classes in (2, 10, 100))]
)
def test_a_confusion_matrix_validates_and_carries_counts_up_to_20_classes(classes: int, tmp_path: Path) -> None:
    matrix, names = counts(classes), [f"class {i}" for i in range(classes)]
    chart = confusion(matrix, names, "Run 7 on test")
    chart.to_dict()
    svg, picture = drawn(chart, tmp_path)
    said = texts(svg)
    numbers = sorted(int(text) for text in said if text.isdecimal())
    assert numbers == (sorted(matrix[matrix > 0].tolist()) if classes <= 20 else [])
    assert {"Run 7 on test", "true", "predicted", *names} <= set(said)
    assert said.count("class 1") == 2  # rows and columns
    right = int(np.trace(matrix))
    summary = f"{right:,} of {matrix.sum():,} images correct ({right / matrix.sum():.2%})"
    assert any(text.startswith(summary) for text in said)
    assert picture.width < 2600
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20


def test_right_answers_are_blue_and_mistakes_orange_in_every_cell() -> None:
    matrix = counts(10)
    svg = drawing(confusion(matrix, FASHION))
    cells = [p for p in svg.iter(f"{SVG}path") if "share" in (p.get("aria-label") or "")]
    assert len(cells) == np.count_nonzero(matrix)
    for cell in cells:
        facts = dict(part.split(": ") for part in cell.attrib["aria-label"].split("; "))
        red, _, blue = map(int, re.findall(r"\d+", cell.attrib["fill"]))
        assert (blue > red) == (facts["true"] == facts["predicted"])
        assert luminance(cell.attrib["fill"]) < 0.82  # stands off from the white of no mistake


def test_counts_stand_in_the_ink_that_reads_better() -> None:
    shares = [1, 3, 10, 20, 30, 35, 40, 45, 50, 60, 70, 80, 90, 99]
    matrix = np.zeros((len(shares), len(shares)), np.int64)
    for row, share in enumerate(shares):
        matrix[row, row], matrix[row, row - 1] = share, 100 - share
    names = [f"class {i}" for i in range(len(shares))]
    svg = drawing(confusion(matrix, names))
    cells = [p for p in svg.iter(f"{SVG}path") if "share" in (p.get("aria-label") or "")]
    shade = {re.sub("; (share|correct): [^;]+", "", p.attrib["aria-label"]): luminance(p.attrib["fill"]) for p in cells}
    inks = {(r["true"], r["predicted"], r["count"]): luminance(r["ink"]) for r in confusion_rows(matrix, names)}
    assert len(shade) == len(inks) == 28
    for (true, said, count), ink in inks.items():
        fill = next(v for k, v in shade.items() if {f"true: {true}", f"predicted: {said}"} <= set(k.split("; ")))
        contrast = {i: (max(i, fill) + 0.05) / (min(i, fill) + 0.05) for i in set(inks.values())}
        assert contrast[ink] > 3.8, (true, said, count)
        assert contrast[ink] > max(contrast.values()) - 0.1


def test_class_names_of_any_kind_reach_the_picture_as_text() -> None:
    svg = drawing(confusion(counts(10), ODD, title="<script>alert('&')</script>"))
    said = texts(svg)
    kept = {"<b>&amp;\"'</b>", "a U+0000 U+D800 b", "(no name)", "datum['x']", "{{7*7}}", "null"}
    assert kept | set(short_names(["犬", "العربية", "🙂"])) <= set(said)
    assert "<script>alert('&')</script>" in said
    assert not list(svg.iter(f"{SVG}script"))


def test_a_thousand_classes_have_thinned_labels() -> None:
    spec = confusion(counts(1000, each=5), [f"class {i}" for i in range(1000)]).to_dict()
    axis = spec["encoding"]["x"]["axis"]
    assert 50 < len(axis["values"]) < 200
    assert spec["width"] < 1100


@pytest.mark.parametrize("classes", [0, 1, 3])
def test_a_matrix_without_images_is_drawn_empty(classes: int) -> None:
    svg = drawing(confusion(np.zeros((classes, classes), np.int64), FASHION[:classes]))
    assert "no images" in texts(svg)


@pytest.mark.parametrize(
    ("matrix", "says"),
    [(np.eye(3, dtype=np.int64), "does not match 2 classes"), (np.array([[1, -2], [0, 1]]), "holds -2")],
)
def test_a_matrix_that_is_none_is_refused(matrix: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        confusion(matrix, ["a", "b"])


anything = st.text(st.characters(), max_size=40)


@given(st.lists(st.one_of(anything, st.text("ab ", max_size=30)), max_size=30), st.integers(4, 30))
def test_short_names_are_all_different_printable_and_short(classes: Sequence[str], most: int) -> None:
    names = short_names(classes, most)
    assert len(names) == len(classes) == len(set(names))
    assert all(name.isprintable() and name for name in names)
    assert all(len(re.sub(r" \(\d+\)$", "", name)) <= max(most, len("(no name)")) for name in names)


def test_names_that_fit_and_differ_are_left_alone() -> None:
    assert short_names(FASHION) == FASHION


def test_names_that_differ_at_their_ends_keep_their_ends() -> None:
    long = "an extremely long common beginning"
    assert short_names([f"{long} one", f"{long} two", "short"], most=16) == [
        "an extre…ing one",
        "an extre…ing two",
        "short",
    ]


@given(anything)
def test_printable_text_is_one_line_of_well_formed_xml(text: str) -> None:
    clean = printable(text)
    assert ET.fromstring(f"<a>{escape(clean)}</a>".encode()).text == clean
    assert len(clean.splitlines()) == 1


def test_drawing_leaves_altairs_themes_alone() -> None:
    before = alt.Chart({"values": []}).mark_point().to_dict()
    learning_curves(trained(2)).to_dict()
    assert alt.Chart({"values": []}).mark_point().to_dict() == before


def test_a_chart_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_chart(confusion(counts(2), FASHION[:2]), tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_place_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "file" / "b" / "a.svg", tmp_path / "folder.png"):
        with pytest.raises(RunError) as caught:
            save_chart(confusion(counts(2), FASHION[:2]), path)
        assert str(caught.value).startswith(f"{path}: cannot be written (")
        assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]
    assert (tmp_path / "file").read_text() == "kept"
