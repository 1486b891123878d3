"""A figure over the depth of networks: a line for each network, with its 95 % interval at each block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.theme import TOP_LEVEL, line_styles, printable, short_names
from sightlab.records.analyses import Curve

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 460, 240
DEPTH = "depth (share of the layers)"


def depth_lines(curves: Sequence[Curve], title: str, subtitle: str, y: str) -> alt.LayerChart:
    """The lines in one panel. curves: over depth in [0, 1], each called by its network. y: the axis's title, with unit.

    Raises ValueError when there is no curve.
    """
    import altair as alt

    if not curves:
        raise ValueError("lines over depth need at least one curve")
    names = short_names([curve.name for curve in curves], most=34)
    rows = depth_rows(curves, names)
    colours, dashes = line_styles(len(names))
    style: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 700, "symbolStrokeWidth": 2, "symbolOpacity": 1}
    legend = alt.Legend(title=None, orient="top", columns=2, columnPadding=18, labelLimit=0, **style)
    shown = legend if len(names) > 1 else None
    colour = alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=shown)
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=names, range=dashes), legend=shown)
    x = alt.X("depth:Q", title=DEPTH, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(grid=False, format=".0%"))
    value = alt.Y("value:Q", title=printable(y), scale=alt.Scale(zero=False))
    tips = [alt.Tooltip("name:N"), *(alt.Tooltip(f"{of}:Q", format=".3~g") for of in ("depth", "value", "low", "high"))]
    base = alt.Chart().encode(tooltip=tips)
    lines = [subtitle] if len(names) > 1 else [f"{names[0]}; {subtitle}"]
    return alt.LayerChart(
        layer=[
            base.mark_area(opacity=0.16).encode(color=colour, y="low:Q", y2="high:Q"),
            base.mark_line(strokeWidth=2).encode(color=colour, strokeDash=dash),
            base.mark_point(filled=True, size=26, opacity=1).encode(color=colour),
        ],
        encoding=alt.FacetedEncoding(x=x, y=value),
        data={"values": rows},
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams(title, subtitle=[printable(line) for line in lines]),
        **TOP_LEVEL,
    )


def depth_rows(curves: Sequence[Curve], names: Sequence[str]) -> list[dict[str, Any]]:
    """A row a point: {name, depth, value, low, high}; low and high are the value where there is no interval."""
    return [
        {
            "name": name,
            "depth": depth,
            "value": value,
            "low": curve.low[place] if curve.low else value,
            "high": curve.high[place] if curve.high else value,
        }
        for curve, name in zip(curves, names, strict=True)
        for place, (depth, value) in enumerate(zip(curve.x, curve.y, strict=True))
    ]
