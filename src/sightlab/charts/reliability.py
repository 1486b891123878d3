"""Reliability diagrams: accuracy against confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.number_format import compact
from sightlab.charts.theme import BLUE, INK, QUIET, TOP_LEVEL, VERMILION
from sightlab.records import ReliabilityBin

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

WIDTH, HEIGHT, BELOW = 390, 300, 84
PALE = "#bcd9ee"  # the bars, light enough for intervals and gaps to stand out
NARROW = 20  # up to this many bins the bars carry their counts


def reliability(bins: Sequence[ReliabilityBin], error: float | None = None) -> alt.VConcatChart:
    """Accuracy against confidence in bins, and below it the number of predictions in each bin.

    A bar shows a bin's accuracy, a point its mean confidence and accuracy with the 95 % Wilson interval, and a broad
    line the gap between the point and the diagonal of perfect calibration. Guo, Pleiss, Sun & Weinberger 2017, "On
    calibration of modern neural networks", figure 1.

    error: the expected calibration error for the title, in [0, 1]; computed from the bins if None.

    Raises ValueError when no bin holds a prediction.
    """
    import altair as alt

    rows = reliability_rows(bins)
    total = sum(row["count"] for row in rows)
    if error is None:
        error = sum(row["count"] * abs(row["gap"]) for row in rows) / (100 * total)
    confidence, accuracy = (sum(row["count"] * row[of] for row in rows) / total for of in ("confidence", "accuracy"))
    heading = alt.TitleParams(
        f"Reliability: expected calibration error {error:.2%}",
        subtitle=[
            f"mean confidence {confidence:.1f}%, accuracy {accuracy:.1f}%, {total:,} image{'s' if total > 1 else ''}",
            "thin lines: 95 % intervals; orange: the gap between confidence and accuracy",
        ],
    )
    panels = [_diagram(), _counts(len(bins), max(row["count"] for row in rows))]
    return alt.VConcatChart(vconcat=panels, data={"values": rows}, spacing=8, title=heading, **TOP_LEVEL)


def reliability_rows(bins: Sequence[ReliabilityBin]) -> list[Row]:
    """A row for each bin with predictions: {low, high, confidence, accuracy, least, most, gap in %, count, label}.

    least, most: the interval of the accuracy. gap: confidence less accuracy, above 0 where the model is overconfident.

    Raises ValueError when no bin holds a prediction.
    """
    rows = []
    for one in bins:
        if one.confidence is None or one.accuracy is None or one.interval is None:
            continue
        shares = {"low": one.low, "high": one.high, "confidence": one.confidence, "accuracy": one.accuracy}
        shares |= {"least": one.interval[0], "most": one.interval[1], "gap": one.confidence - one.accuracy}
        per_cent = {name: 100 * share for name, share in shares.items()}
        rows.append(per_cent | {"count": one.count, "label": compact(one.count)})
    if not rows:
        raise ValueError(f"{len(bins)} bins without predictions; a reliability diagram needs at least one prediction")
    return rows


def _diagram() -> alt.LayerChart:
    import altair as alt

    per_cent = alt.Scale(domain=[0, 100], nice=False)
    edge = alt.X("low:Q", scale=per_cent, axis=alt.Axis(labels=False, ticks=False, grid=False), title=None)
    at = alt.X("confidence:Q")
    base = alt.Chart().encode(x=at, tooltip=_tips())
    diagonal = alt.Chart({"values": [{"low": 0, "accuracy": 0}, {"low": 100, "accuracy": 100}]})
    layers = [
        base.mark_rect(color=PALE, stroke="white", strokeWidth=1).encode(
            x=edge, x2=alt.X2(field="high"), y2=alt.Y2Datum(0)
        ),
        diagonal.mark_line(color=QUIET, strokeWidth=1.2, strokeDash=[5, 4]).encode(x=edge),
        base.mark_rule(color=VERMILION, strokeWidth=6, opacity=0.55).encode(y2=alt.Y2(field="confidence")),
        base.mark_rule(color=INK, strokeWidth=1.2).encode(y=alt.Y("least:Q"), y2=alt.Y2(field="most")),
        base.mark_point(fill=BLUE, size=44, opacity=1, stroke="white", strokeWidth=1),
    ]
    up = alt.Y("accuracy:Q", scale=per_cent, title="accuracy (%)", axis=alt.Axis(tickCount=5))
    return alt.LayerChart(layer=layers, encoding=alt.FacetedEncoding(y=up), width=WIDTH, height=HEIGHT)


def _counts(bins: int, most: int) -> alt.LayerChart:
    import altair as alt

    x = alt.X(
        "low:Q",
        title="confidence: probability of the predicted class (%)",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(tickCount=5, grid=False),
    )
    y = alt.Y(
        "count:Q",
        title="images",
        scale=alt.Scale(domain=[0, 1.25 * most], nice=False),  # room for the numbers above the bars
        axis=alt.Axis(labels=False, ticks=False, grid=False, minExtent=28),
    )
    base = alt.Chart().encode(y=y, tooltip=_tips())
    layers = [
        base.mark_rect(color=QUIET, stroke="white", strokeWidth=1).encode(
            x=x, x2=alt.X2(field="high"), y2=alt.Y2Datum(0)
        )
    ]
    if bins <= NARROW:
        middle = alt.Chart().transform_calculate(middle="(datum.low + datum.high) / 2")
        text = middle.mark_text(baseline="bottom", dy=-2, fontSize=9, color=INK)
        layers.append(text.encode(x=alt.X("middle:Q"), y=y, text=alt.Text("label:N")))
    return alt.LayerChart(layer=layers, width=WIDTH, height=BELOW)


def _tips() -> list[alt.Tooltip]:
    import altair as alt

    shares = [alt.Tooltip(f"{of}:Q", format=".1f") for of in ("low", "high", "confidence", "accuracy", "least", "most")]
    return [*shares, alt.Tooltip("count:Q", format=",d")]
