"""Shares as functions of something swept: a line for each network, with its 95 % interval, in panels side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightlab.charts.theme import QUIET, TOP_LEVEL, line_styles, printable, short_names, text_width
from sightlab.records.analyses import Curve

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

WIDTH, HEIGHT = 300, 220
SYMBOL, NAME_SIZE = 52, 11
FEW_LINES = 3  # up to which intervals are drawn as bands; more would cover each other
TIPS = ("x", "share", "low", "high")


@dataclass(frozen=True)
class Panel:
    """One panel. curves: of shares of 1, their names those of the networks. ends: of the x axis. ticks: all labelled.

    label: a Vega expression for a tick's label, "" for the plain number. log: a logarithmic x axis.
    """

    heading: str
    curves: tuple[Curve, ...]
    x: str
    y: str
    ends: tuple[float, float]
    ticks: tuple[float, ...]
    label: str = ""
    log: bool = False
    width: int = WIDTH


def interval_lines(panels: Sequence[Panel], title: str, subtitle: str | Sequence[str]) -> alt.ConcatChart:
    """The panels in a row, one legend for all; intervals are bands, for more than 3 networks thin lines.

    Raises ValueError when no panel has a curve.
    """
    import altair as alt

    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    if not names:
        raise ValueError("lines with intervals need at least one curve")
    shown = dict(zip(names, short_names(names, most=34), strict=True))
    width = sum(panel.width for panel in panels)
    drawn = [_panel(panel, shown, number == 0, width) for number, panel in enumerate(panels)]
    lines = [subtitle] if isinstance(subtitle, str) else list(subtitle)
    heading = alt.TitleParams(printable(title), subtitle=[printable(line) for line in lines])
    return alt.ConcatChart(concat=drawn, columns=len(drawn), spacing=26, title=heading, **TOP_LEVEL)


def interval_rows(curves: Sequence[Curve]) -> list[Row]:
    """A row a point: {name, x, share, low, high}, shares in per cent; low and high None where there is no interval."""
    return [
        {
            "name": curve.name,
            "x": x,
            "share": 100 * y,
            "low": 100 * curve.low[place] if curve.low else None,
            "high": 100 * curve.high[place] if curve.high else None,
        }
        for curve in curves
        for place, (x, y) in enumerate(zip(curve.x, curve.y, strict=True))
    ]


def _panel(panel: Panel, shown: dict[str, str], first: bool, room: int) -> alt.LayerChart:
    """first: whether it carries the y axis's title. room: pixels that the legend may take."""
    import altair as alt

    rows = [row | {"name": shown[row["name"]]} for row in interval_rows(panel.curves)]
    names = list(shown.values())
    colours, dashes = line_styles(len(names))
    legend = _legend(names, room) if len(names) > 1 else None
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=names, range=dashes), legend=legend)
    own: dict[str, Any] = {"labelExpr": panel.label} if panel.label else {}
    x = alt.X(
        "x:Q",
        title=panel.x,
        scale=alt.Scale(
            type="log" if panel.log else "linear",
            domain=list(panel.ends),
            nice=False,
            padding=8,
        ),
        axis=alt.Axis(values=list(panel.ticks), format="~r", grid=False, **own),
    )
    y = alt.Y(
        "share:Q",
        title=panel.y if first else None,
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(tickCount=5),
    )
    base = alt.Chart().encode(tooltip=[alt.Tooltip("name:N"), *(alt.Tooltip(f"{of}:Q", format=".3~g") for of in TIPS)])
    between = {"y": alt.Y("low:Q"), "y2": alt.Y2(field="high")}
    layers = [
        base.mark_area(opacity=0.16).encode(color=color, **between)
        if len(names) <= FEW_LINES
        else base.mark_rule(opacity=0.5, strokeWidth=1).encode(color=color, **between),
        base.mark_line(strokeWidth=2).encode(color=color, strokeDash=dash),
        base.mark_point(filled=True, size=26, opacity=1).encode(color=color),
    ]
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=x, y=y),
        data={"values": rows},
        width=panel.width,
        height=HEIGHT,
        title=alt.TitleParams(panel.heading, fontSize=12, fontWeight="normal", color=QUIET, offset=8),
    )


def _legend(names: Sequence[str], room: int) -> alt.Legend:
    import altair as alt

    widest = SYMBOL + max(text_width(name, NAME_SIZE) for name in names)
    columns = max(1, min(len(names), int(room / widest)))
    style: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 700, "symbolStrokeWidth": 2, "symbolOpacity": 1}
    return alt.Legend(title=None, orient="top", columns=columns, columnPadding=18, labelLimit=0, **style)


def frequency_ticks(highest: float, lowest: float) -> tuple[float, ...]:
    """The Nyquist frequency `highest`, its half, its quarter and so on, down to `lowest`.

    >>> frequency_ticks(14, 1)
    (1.75, 3.5, 7.0, 14.0)
    """
    count = math.floor(math.log2(highest / lowest) + 1e-9)
    return tuple(highest / 2**power for power in range(count, -1, -1))


def frequency_panel(heading: str, curves: Sequence[Curve], what: str, y: str, highest: Sequence[float]) -> Panel:
    """A panel over a frequency, which `what` names, on a log scale.

    curves: over cycles per image. highest: each one's Nyquist frequency. Ticks say cycles per image and the share of
    that frequency, the share alone where networks take images of different sizes.
    """
    one_size = len(set(highest)) == 1
    if not one_size:
        pairs = zip(curves, highest, strict=True)
        curves = [Curve(c.name, tuple(x / top for x in c.x), c.y, c.low, c.high) for c, top in pairs]
    top = highest[0] if one_size else 1.0
    lowest = min(x for curve in curves for x in curve.x)
    share = f"format(100 * datum.value / {top:g}, '.3~r') + '%'"
    label = f"[datum.label, {share}]" if one_size else share
    title = f"{what} ({'cycles per image; ' if one_size else ''}share of the Nyquist frequency)"
    ticks = frequency_ticks(top, lowest)
    return Panel(heading, tuple(curves), title, y, (lowest, top), ticks, label, log=True)
