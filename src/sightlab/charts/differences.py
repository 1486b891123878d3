"""Differences to the first candidate, significant ones marked: a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.number_format import p_value, signed
from sightlab.charts.theme import BLUE, INK, QUIET, TOP_LEVEL, VERMILION, printable, short_names
from sightlab.records import RankedCandidate

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

WIDTH, ROW = 420, 28
# Verdicts on a difference, with stroke and fill: better and worse differ in colour, significant or not in fill.
VERDICTS = (("better", BLUE, BLUE), ("worse", VERMILION, VERMILION), ("not significant", QUIET, "white"))


def differences(candidates: Sequence[RankedCandidate]) -> alt.LayerChart:
    """The difference of each candidate's accuracy to the first one's, with its 95 % interval, in percentage points.

    Marks of significant differences (`Difference.significant`) are filled; the numbers are at the right.

    Raises ValueError when there is only one candidate.
    """
    import altair as alt

    rows = difference_rows(candidates)
    ends = [0.0, *(row[end] for row in rows for end in ("low", "high"))]
    # A margin at both ends, so that no bar looks cut off.
    margin = 0.04 * (max(ends) - min(ends)) or 0.1
    scale = alt.Scale(domain=[min(ends) - margin, max(ends) + margin], nice=False, zero=False)
    axis = alt.Axis(tickCount=7, format="+~g", labelExpr="datum.value === 0 ? '0' : datum.label")
    x = alt.X("difference:Q", title="difference in test accuracy (percentage points)", scale=scale, axis=axis)
    names = alt.Axis(labelLimit=0, labelFontSize=12, labelPadding=8, domain=False, ticks=False, grid=False)
    y = alt.Y("name:N", title=None, scale=alt.Scale(domain=[row["name"] for row in rows]), axis=names)
    adjusted = any(c.difference is not None and c.difference.adjusted is not None for c in candidates)
    filled = "significant (p < 0.05, Holm-corrected)" if adjusted else "significant (p < 0.05)"
    first = printable(candidates[0].name)
    return alt.LayerChart(
        layer=[*_zero(), *_marks(rows), *_numbers()],
        encoding=alt.FacetedEncoding(x=x, y=y),
        data={"values": rows},
        width=WIDTH,
        height=ROW * len(rows),
        title=alt.TitleParams(f"Accuracy compared with {first}", subtitle=f"bars: 95 % intervals; filled: {filled}"),
        **TOP_LEVEL,
    )


def difference_rows(candidates: Sequence[RankedCandidate]) -> list[Row]:
    """A row for each candidate after the first: {name, difference, low, high in points, verdict, text}.

    difference: candidate less first, whichever of the two its record names as the better. verdict: one of VERDICTS.

    Raises ValueError when there is only one candidate, or one of them has no difference.
    """
    others = candidates[1:]
    if not others:
        raise ValueError("differences need at least two candidates")
    rows = []
    for name, candidate in zip(short_names([c.name for c in candidates], most=36)[1:], others, strict=True):
        against = candidate.difference
        if against is None:
            raise ValueError(f"candidate {candidate.name!r} has no difference to the first")
        low, high = against.interval
        points = 100 * against.difference
        if against.worse == candidate.name:  # recorded the other way round
            points, low, high = -points, -high, -low
        verdict = ("better" if points > 0 else "worse") if against.significant else "not significant"
        p = against.p if against.adjusted is None else against.adjusted
        text = f"{signed(points)} ({signed(100 * low)} to {signed(100 * high)}), {p_value(p)}"
        row = {"name": name, "difference": points, "low": 100 * low, "high": 100 * high}
        rows.append(row | {"verdict": verdict, "text": text})
    return rows


def _zero() -> list[alt.Chart]:
    """The line at zero, from top to bottom."""
    import altair as alt

    rule = alt.Chart({"values": [{"difference": 0}]}).mark_rule(color=INK, strokeWidth=1)
    return [rule.encode(y=alt.value(0), y2=alt.value("height"))]


def _marks(rows: list[Row]) -> list[alt.Chart]:
    """The bars and points of each verdict that occurs."""
    import altair as alt

    tips = [alt.Tooltip("name:N"), alt.Tooltip("verdict:N"), alt.Tooltip("text:N", title="difference")]
    layers = []
    for verdict, colour, fill in VERDICTS:
        if any(row["verdict"] == verdict for row in rows):
            own = alt.Chart().transform_filter(f"datum.verdict === '{verdict}'").encode(tooltip=tips)
            bar = own.mark_rule(color=colour, strokeWidth=2)
            layers.append(bar.encode(x=alt.X("low:Q"), x2=alt.X2(field="high")))
            layers.append(own.mark_point(size=80, stroke=colour, fill=fill, strokeWidth=1.8, opacity=1))
    return layers


def _numbers() -> list[alt.Chart]:
    """Each difference, its interval and its p at the right of the panel."""
    import altair as alt

    text = alt.Chart().mark_text(align="left", baseline="middle", fontSize=11, color=INK)
    return [text.encode(x=alt.value(WIDTH + 12), text=alt.Text("text:N"))]
