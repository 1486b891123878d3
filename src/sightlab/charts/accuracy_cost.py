"""Accuracy against cost: the candidates, and the Pareto front of those that no other dominates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sightlab.charts.axis_scales import Scale, spanning, time_unit
from sightlab.charts.learning_curves import log_ticks
from sightlab.charts.point_labels import Box, place_labels
from sightlab.charts.theme import BLUE, COLOURS, INK, LINE, QUIET, TOP_LEVEL, short_names, text_width
from sightlab.records import RankedCandidate

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

COSTS: dict[str, tuple[str, Callable[[RankedCandidate], float | None]]] = {
    "flops": ("FLOPs an image, forward pass", lambda candidate: candidate.flops),
    "parameters": ("parameters", lambda candidate: candidate.parameters),
    "seconds": ("training time", lambda candidate: candidate.seconds),
}
WIDTH, HEIGHT, MARGIN = 580, 360, 18  # MARGIN: pixels between the outermost point and the panel's edge
NAME_SIZE, NAME_LINE, POINT = 11, 13, 9
FRONT = COLOURS[5]  # the front's line, which must not look like an interval
WIDE = 8  # the axis has a log scale if the largest cost is more than this times the smallest


def pareto(candidates: Sequence[RankedCandidate], cost: str = "flops") -> alt.LayerChart:
    """Accuracy with its 95 % interval against cost, and the Pareto front: the best accuracy at each cost.

    cost: flops (of one image's forward pass), parameters or seconds (of training). Candidates on the front are filled
    and joined by a step line. Those whose cost is unknown are left out; the subtitle counts them.

    Raises ValueError for another cost, or when no candidate's cost is known.
    """
    import altair as alt

    rows = pareto_rows(candidates, cost)
    title = COSTS[cost][0]
    if cost == "seconds":
        unit, seconds = time_unit(max(row["cost"] for row in rows))
        title = f"{title} ({unit})"
        rows = [row | {"cost": row["cost"] / seconds} for row in rows]
    costs = [row["cost"] for row in rows]
    x = spanning(costs, MARGIN, WIDTH - MARGIN, log=max(costs) > WIDE * min(costs))
    y = spanning([row[end] for row in rows for end in ("low", "high")], HEIGHT - MARGIN, MARGIN)
    left_out = len(candidates) - len(rows)
    subtitle = "bars: 95 % intervals; filled: the Pareto front"
    subtitle += f"; not shown, cost unknown: {left_out}" if left_out else ""
    return alt.LayerChart(
        layer=[*_front(rows, x), *_points(rows), *_names(rows, x, y)],
        encoding=alt.FacetedEncoding(x=_x_axis(x, title), y=_y_axis(y)),
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams("Accuracy and its cost", subtitle=subtitle),
        **TOP_LEVEL,
    )


def pareto_rows(candidates: Sequence[RankedCandidate], cost: str = "flops") -> list[Row]:
    """A row for each candidate whose cost is known: {name, cost, accuracy, low, high in per cent, front}.

    front: no other candidate costs at most as much and is at least as accurate, one of the two strictly.

    Raises ValueError for an unknown kind of cost, or when no candidate's cost is known.
    """
    if cost not in COSTS:
        raise ValueError(f"unknown cost {cost!r}; known: {', '.join(COSTS)}")
    named = zip(short_names([candidate.name for candidate in candidates], most=28), candidates, strict=True)
    known = [(name, c, price) for name, c in named if (price := COSTS[cost][1](c)) is not None and price > 0]
    if not known:
        raise ValueError(f"no candidate with known {cost}, so there is nothing to draw")
    return [
        {
            "name": name,
            "cost": price,
            "accuracy": 100 * c.accuracy.mean,
            "low": 100 * c.interval[0],
            "high": 100 * c.interval[1],
            "front": not any(_dominates((o.accuracy.mean, other), (c.accuracy.mean, price)) for _, o, other in known),
        }
        for name, c, price in known
    ]


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether (accuracy, cost) is at least as good in both, and not equal."""
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def _x_axis(x: Scale, title: str) -> alt.X:
    import altair as alt

    axis = (
        alt.Axis(values=log_ticks(x.low, x.high), format="~s", grid=False)
        if x.log
        else alt.Axis(format="~s", tickCount=7, grid=False)
    )
    # A log scale has no zero, and Vega-Lite would say so.
    kind = {"type": "log"} if x.log else {"zero": False}
    scale = alt.Scale(domain=[x.low, x.high], nice=False, padding=MARGIN, **kind)
    return alt.X("cost:Q", title=f"{title}, log scale" if x.log else title, scale=scale, axis=axis)


def _y_axis(y: Scale) -> alt.Y:
    import altair as alt

    scale = alt.Scale(domain=[y.low, y.high], nice=False, zero=False, padding=MARGIN)
    return alt.Y("accuracy:Q", title="test accuracy (%)", scale=scale, axis=alt.Axis(tickCount=7))


def _steps(rows: list[Row], x: Scale) -> list[tuple[float, float]]:
    """The corners of the front as (cost, accuracy), cheapest first, to the panel's right edge."""
    front = sorted((row["cost"], row["accuracy"]) for row in rows if row["front"])
    return [*front, (x.value(WIDTH), front[-1][1])]


def _front(rows: list[Row], x: Scale) -> list[alt.Chart]:
    import altair as alt

    steps = [{"cost": cost, "accuracy": accuracy} for cost, accuracy in _steps(rows, x)]
    line = alt.Chart({"values": steps})
    return [line.mark_line(interpolate="step-after", color=FRONT, strokeWidth=2)]


def _points(rows: list[Row]) -> list[alt.Chart]:
    """Points, filled on the front and hollow elsewhere, with their intervals."""
    import altair as alt

    tips = [alt.Tooltip("name:N"), alt.Tooltip("cost:Q", format=".4s")]
    tips += [alt.Tooltip(f"{field}:Q", format=".2f") for field in ("accuracy", "low", "high")]
    layers = []
    for front, colour, fill in ((False, QUIET, "white"), (True, BLUE, BLUE)):
        base = alt.Chart({"values": [row for row in rows if row["front"] == front]})
        layers.append(base.mark_rule(color=colour, strokeWidth=1.2).encode(y=alt.Y("low:Q"), y2=alt.Y2(field="high")))
        layers.append(
            base.mark_point(size=POINT**2, stroke=colour, fill=fill, strokeWidth=1.6, opacity=1).encode(tooltip=tips)
        )
    return layers


def _names(rows: list[Row], x: Scale, y: Scale) -> list[alt.Chart]:
    """Each name near its point, with a thin leader line where it is farther away."""
    import altair as alt

    points = [(x.pixel(row["cost"]), y.pixel(row["accuracy"])) for row in rows]
    widths = [text_width(row["name"], NAME_SIZE) for row in rows]
    labels = place_labels(points, widths, NAME_LINE, (WIDTH, HEIGHT), _marks(rows, x, y))
    layers: list[alt.Chart] = []
    far = [(row, label) for row, label in zip(rows, labels, strict=True) if label.ring]
    if far:
        ends = [
            {"cost": row["cost"], "accuracy": row["accuracy"], "to_cost": x.value(label.x), "to": y.value(label.y)}
            for row, label in far
        ]
        lines = alt.Chart({"values": ends}).mark_rule(color=LINE, strokeWidth=0.8)
        layers.append(lines.encode(x2=alt.X2(field="to_cost"), y2=alt.Y2(field="to")))
    for align in dict.fromkeys(label.align for label in labels):
        texts = [
            {"name": row["name"], "cost": x.value(label.x), "accuracy": y.value(label.y)}
            for row, label in zip(rows, labels, strict=True)
            if label.align == align
        ]
        words = alt.Chart({"values": texts}).encode(text=alt.Text("name:N"))
        style: dict[str, Any] = {"align": align, "baseline": "middle", "fontSize": NAME_SIZE}
        # A white halo keeps the letters readable where they cross a line.
        layers.append(words.mark_text(stroke="white", strokeWidth=3, strokeJoin="round", opacity=0.85, **style))
        layers.append(words.mark_text(color=INK, **style))
    return layers


def _marks(rows: list[Row], x: Scale, y: Scale) -> list[Box]:
    """What names should not cover: points, intervals and the steps of the front, in pixels."""
    boxes = []
    for row in rows:
        across, up = x.pixel(row["cost"]), y.pixel(row["accuracy"])
        boxes.append(Box(across - POINT / 2, up - POINT / 2, across + POINT / 2, up + POINT / 2))
        boxes.append(Box(across - 1, y.pixel(row["high"]), across + 1, y.pixel(row["low"])))
    corners = [(x.pixel(cost), y.pixel(accuracy)) for cost, accuracy in _steps(rows, x)]
    for (left, low), (right, high) in pairwise(corners):
        boxes += [Box(left, low - 1, right, low + 1), Box(right - 1, high, right + 1, low)]
    return boxes
