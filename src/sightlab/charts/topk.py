"""Top-k accuracy over k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.theme import INK, TOP_LEVEL, line_styles, short_names
from sightlab.metrics import top_k_accuracy, wilson_interval
from sightlab.records import Predictions

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

MOST = 10  # the largest k
WIDTH, HEIGHT = 430, 260
APART = 0.5  # of the distance from k to k + 1, over which the marks of several runs are spread


def top_k_curve(runs: Sequence[tuple[str, Predictions]]) -> alt.LayerChart:
    """Top-k accuracy over k, with its 95 % Wilson interval: the share of images whose label is among the first k.

    runs: (name, predictions) each. k runs from 1 to the number of classes, at most 10. The values of a single run are
    written beside its marks; several runs are drawn side by side, so that their intervals do not hide one another.

    Raises ValueError when there is no run, or one has no predictions.
    """
    import altair as alt

    rows = top_k_rows(runs)
    names = list(dict.fromkeys(row["name"] for row in rows))
    colours, dashes = line_styles(len(names))
    most = max(row["k"] for row in rows)
    legend = None
    if len(names) > 1:
        legend = alt.Legend(title=None, orient="right", symbolType="stroke", symbolSize=500, labelLimit=0)
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=names, range=dashes), legend=legend)
    tips = [alt.Tooltip("name:N"), alt.Tooltip("k:Q")]
    tips += [alt.Tooltip(f"{of}:Q", format=".2f") for of in ("share", "low", "high")]
    base = alt.Chart().encode(color=color, tooltip=tips)
    layers = [
        base.mark_line(strokeWidth=1.6).encode(strokeDash=dash),
        base.mark_rule(strokeWidth=1.2).encode(y=alt.Y("low:Q"), y2=alt.Y2(field="high")),
        base.mark_point(filled=True, size=42, opacity=1),
    ]
    if len(names) == 1:
        # The curve rises from the left, so there is room at the lower right of a mark.
        text = alt.Chart().mark_text(align="left", baseline="top", dx=4, dy=4, fontSize=10, color=INK)
        layers.append(text.encode(text=alt.Text("share:Q", format=".1f")))
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=_x_axis(most), y=_y_axis()),
        data={"values": rows},
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams("Top-k accuracy", subtitle="bars: 95 % intervals"),
        **TOP_LEVEL,
    )


def top_k_rows(runs: Sequence[tuple[str, Predictions]]) -> list[Row]:
    """A row for each run and k: {name, k, at, share, low, high in per cent}.

    at: its position on the axis, shifted a little from k where there are several runs.

    Raises ValueError when there is no run, or one has no predictions.
    """
    if not runs:
        raise ValueError("a top-k curve needs at least one run")
    rows = []
    names = short_names([name for name, _ in runs])
    for number, (name, (_, predictions)) in enumerate(zip(names, runs, strict=True)):
        shift = APART * ((number + 0.5) / len(runs) - 0.5)
        for k in range(1, min(predictions.logits.shape[1], MOST) + 1):
            share = top_k_accuracy(predictions.logits, predictions.labels, k)
            low, high = wilson_interval(round(share * len(predictions)), len(predictions))
            per_cent = {"share": 100 * share, "low": 100 * low, "high": 100 * high}
            rows.append({"name": name, "k": k, "at": k + shift, **per_cent})
    return rows


def _x_axis(most: int) -> alt.X:
    import altair as alt

    scale = alt.Scale(domain=[1 - APART, most + APART], nice=False, zero=False)
    axis = alt.Axis(values=list(range(1, most + 1)), format="d", grid=False)
    return alt.X("at:Q", title="k", scale=scale, axis=axis)


def _y_axis() -> alt.Y:
    import altair as alt

    scale = alt.Scale(nice=False, zero=False, padding=14)
    return alt.Y("share:Q", title="top-k accuracy (%)", scale=scale, axis=alt.Axis(tickCount=6))
