"""Charts of the spectrum of feature maps: whole spectra by depth, and the highest frequency over depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.depth_lines import depth_lines
from sightlab.charts.theme import TOP_LEVEL, short_names
from sightlab.records.analyses import AnalysisResult

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT, COLUMNS = 300, 240, 3
SHALLOW_TO_DEEP = ("#8fd0c8", "#2f8fb5", "#2a4d8f", "#2b1150")
AMPLITUDE = "relative log amplitude"
FRACTION = "datum.value < 1 ? '1/' + format(1 / datum.value, '.0f') : '1'"


def spectrum_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: the spectra of some blocks, a panel a network, and the highest frequency over depth.

    results: of the analysis `spectrum`. Raises ValueError when there is none.
    """
    if not results:
        raise ValueError("charts of spectra need at least one result")
    curves = [result.curves["depth"][0] for result in results]
    subtitle = "at the highest frequency of each block's maps; bands: 95 % intervals over images"
    return {
        "Spectra of feature maps": spectra(results),
        "Highest frequency by depth": depth_lines(curves, "Highest frequency by depth", subtitle, AMPLITUDE),
    }


def spectra(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Relative log amplitude over frequency, a line a block coloured by its depth, a panel a network."""
    import altair as alt

    rows = [spectrum_rows(result) for result in results]
    every = [row for panel in rows for row in panel]
    lowest = min(row["frequency"] for row in every)
    span = [min(row["value"] for row in every), max(0.0, *(row["value"] for row in every))]
    names = short_names([result.subject for result in results], most=34)
    panels = [_panel(panel, name, lowest, span) for panel, name in zip(rows, names, strict=True)]
    lines = ["of some blocks, relative to frequency 0; a triangle below: the Nyquist frequency of a block's maps"]
    heading = alt.TitleParams("Spectra of feature maps", subtitle=lines)
    return alt.ConcatChart(concat=panels, columns=COLUMNS, spacing=26, title=heading, **TOP_LEVEL)


def spectrum_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    """A row a point: {block, depth, frequency, value, limit, last}.

    frequency: above 0, share of the image's Nyquist frequency. limit: the Nyquist frequency of the block's own maps.
    last: whether it is the last point of its block.
    """
    facts = zip(result.curves["spectra"], result.arrays["depth"], result.arrays["nyquist"], strict=True)
    return [
        {"block": curve.name, "depth": float(depth), "frequency": x, "value": y, "limit": float(limit), "last": last}
        for curve, depth, limit in facts
        for x, y, last in zip(curve.x, curve.y, [False] * (len(curve.x) - 1) + [True], strict=True)
        if x > 0
    ]


def _panel(rows: list[dict[str, Any]], name: str, lowest: float, span: list[float]) -> alt.LayerChart:
    import altair as alt

    scale = alt.Scale(domain=[0, 1], range=list(SHALLOW_TO_DEEP))
    legend = alt.Legend(title=["depth"], gradientLength=HEIGHT * 0.6, format=".0%", tickCount=4)
    x = alt.X(
        "frequency:Q",
        title="frequency (share of the image's Nyquist frequency)",
        scale=alt.Scale(type="log", domain=[lowest, 1], nice=False, padding=6),
        axis=alt.Axis(grid=False, values=ticks_from(lowest), labelExpr=FRACTION, labelOverlap="greedy"),
    )
    y = alt.Y("value:Q", title=AMPLITUDE, scale=alt.Scale(domain=span))
    tips = [alt.Tooltip("block:N"), *(alt.Tooltip(f"{of}:Q", format=".3~g") for of in ("depth", "frequency", "value"))]
    base = alt.Chart().encode(color=alt.Color("depth:Q", scale=scale, legend=legend), tooltip=tips)
    return alt.LayerChart(
        layer=[
            base.mark_line(strokeWidth=1.8).encode(x=x, y=y, detail="block:N"),
            base.transform_filter("datum.last").mark_point(filled=True, size=40, opacity=1).encode(x=x, y=y),
            base.transform_filter("datum.last")
            .mark_point(filled=True, size=50, opacity=1, shape="triangle-up")
            .encode(x=alt.X("limit:Q"), y=alt.value(HEIGHT - 4)),
        ],
        data={"values": rows},
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams(name, fontSize=12, offset=8),
    )


def ticks_from(lowest: float) -> list[float]:
    """Halves of 1 down to the lowest frequency.

    >>> ticks_from(0.25)
    [0.25, 0.5, 1.0]
    """
    ticks = [1.0]
    while ticks[0] / 2 >= lowest * 0.999:
        ticks.insert(0, ticks[0] / 2)
    return ticks
