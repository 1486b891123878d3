"""Accuracy per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.theme import BLUE, HAIRLINE, INK, QUIET, TOP_LEVEL, VERMILION, short_names
from sightlab.records import ClassScore

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

WIDTH = 430
ROOMY, TIGHT, LEAST = 22.0, 12.0, 4.0  # pixels of a row: for up to 30 classes, up to 200, any number
FEW, MANY = 30, 200
NAME = 9.0  # pixels, the smallest font size; lower rows show every second name, or third, ...

# How a class compares with the accuracy over all images: below or above where its whole interval is.
STANDINGS = (("below", VERMILION), ("near", QUIET), ("above", BLUE))


def class_bars(classes: Sequence[ClassScore], title: str | None = None) -> alt.LayerChart:
    """Accuracy per class (its recall) with its 95 % interval, the worst first; a rule marks the overall accuracy.

    Classes whose whole interval is below the overall accuracy are orange, above it blue. The axis begins at the lowest
    interval. Classes without images are left out; the subtitle counts them.

    Raises ValueError when no class has images.
    """
    import altair as alt

    rows = class_rows(classes)
    images = sum(one.support for one in classes)
    overall = sum(row["accuracy"] * row["images"] for row in rows) / images
    height = row_height(len(rows))
    x = accuracy_axis("accuracy", min(row["low"] for row in rows), len(rows))
    empty = len(classes) - len(rows)
    subtitle = f"rule: all images, {overall:.2f}%; bars: 95 % intervals; orange, blue: interval below, above the rule"
    subtitle += f"; without images: {empty}" if empty else ""
    heading = alt.TitleParams(title or "Accuracy per class", subtitle=subtitle)
    layers = [*_overall(overall), *_intervals(rows, height)]
    if height >= TIGHT:
        text = alt.Chart().mark_text(align="left", baseline="middle", fontSize=min(11.0, 0.8 * height), color=INK)
        layers.append(text.encode(x=alt.value(WIDTH + 10), text=alt.Text("text:N")))
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=x, y=names_axis([row["class"] for row in rows], height)),
        data={"values": rows},
        width=WIDTH,
        height=height * len(rows),
        title=heading,
        **TOP_LEVEL,
    )


def class_rows(classes: Sequence[ClassScore]) -> list[Row]:
    """A row for each class with images, the worst first: {class, accuracy, low, high, images, standing, text}.

    Accuracy and the ends of its interval in per cent. standing: below or above the overall accuracy if the whole
    interval is, else near. Equal accuracies keep the order of the classes.

    Raises ValueError when no class has images.
    """
    names = short_names([one.name for one in classes])
    known = [
        (name, one, one.interval) for name, one in zip(names, classes, strict=True) if one.interval and one.support
    ]
    if not known:
        raise ValueError(f"{len(classes)} classes without images; at least one image is needed")
    overall = sum(one.recall * one.support for _, one, _ in known) / sum(one.support for _, one, _ in known)
    rows = []
    for name, one, (low, high) in sorted(known, key=lambda row: row[1].recall):
        standing = "below" if high < overall else "above" if low > overall else "near"
        facts = {"class": name, "accuracy": 100 * one.recall, "low": 100 * low, "high": 100 * high}
        text = f"{one.recall:.1%} of {one.support:,}"
        rows.append(facts | {"images": one.support, "standing": standing, "text": text})
    return rows


def row_height(rows: int) -> float:
    """Pixels of a row: roomy for a few classes, a chart of bounded size for a thousand."""
    if rows <= FEW:
        return ROOMY
    return TIGHT if rows <= MANY else max(LEAST, TIGHT * MANY / rows)


def accuracy_axis(field: str, lowest: float, rows: int) -> alt.X:
    """The axis of per cent, from the multiple of ten below the lowest value to 100; at the top of a tall panel."""
    import altair as alt

    scale = alt.Scale(domain=[min(90, 10 * math.floor(lowest / 10)), 100], nice=False, zero=False, padding=6)
    axis = alt.Axis(tickCount=6, orient="top" if rows > FEW else "bottom")
    return alt.X(f"{field}:Q", title="accuracy on the class (%)", scale=scale, axis=axis)


def names_axis(names: Sequence[str], height: float) -> alt.Y:
    """The axis of classes from top to bottom, with as many names as are legible."""
    import altair as alt

    size = min(12.0, max(NAME, 0.78 * height))
    axis = alt.Axis(
        values=list(names[:: math.ceil((size + 1) / height)]),
        labelFontSize=size,
        labelLimit=0,
        labelOverlap=False,
        labelPadding=6,
        domain=False,
        ticks=False,
        grid=False,
    )
    return alt.Y("class:N", title=None, scale=alt.Scale(domain=list(names), padding=0, round=False), axis=axis)


def _overall(overall: float) -> list[alt.Chart]:
    """The rule at the overall accuracy."""
    import altair as alt

    rule = alt.Chart({"values": [{"accuracy": overall}]}).mark_rule(color=INK, strokeWidth=1, strokeDash=[4, 3])
    return [rule.encode(y=alt.value(0), y2=alt.value("height"))]


def _intervals(rows: list[Row], height: float) -> list[alt.Chart]:
    """For each class a hairline to its name, the interval, and the accuracy as a point."""
    import altair as alt

    tips = [alt.Tooltip("class:N"), alt.Tooltip("images:Q", format=",d")]
    tips += [alt.Tooltip(f"{end}:Q", format=".2f") for end in ("accuracy", "low", "high")]
    layers = []
    if height >= TIGHT:
        line = alt.Chart().mark_rule(color=HAIRLINE, strokeWidth=1)
        layers.append(line.encode(x=alt.value(0), x2=alt.value("width")))
    for standing, colour in STANDINGS:
        if any(row["standing"] == standing for row in rows):
            own = alt.Chart().transform_filter(f"datum.standing === '{standing}'").encode(tooltip=tips)
            bar = own.mark_rule(color=colour, strokeWidth=min(3.0, height / 5), opacity=0.6)
            layers.append(bar.encode(x=alt.X("low:Q"), x2=alt.X2(field="high")))
            layers.append(own.mark_point(color=colour, fill=colour, size=min(60.0, 3.2 * height), opacity=1))
    return layers
