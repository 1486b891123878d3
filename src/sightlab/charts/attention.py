"""Charts of attention: how far heads attend by depth, how evenly, and where in some images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.picture_data import picture_uri
from sightlab.charts.theme import COLOURS, QUIET, TOP_LEVEL, short_names
from sightlab.records.analyses import AnalysisResult

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT, COLUMNS = 300, 220, 3
PICTURE, GAP = 96, 8  # pixels of a picture's side on the chart, and between two
WARM = ("#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf")  # magma of matplotlib: even in lightness


def attention_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: mean attention distance of each head, entropy, and attention maps of some images.

    results: of the analysis `attention`. Raises ValueError when there is none.
    """
    if not results:
        raise ValueError("charts of attention need at least one result")
    return {
        "Attention distance": distances(results),
        "Attention entropy": entropies(results),
        "Attention maps": maps(results),
    }


def distances(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Mean attention distance over depth: a dot a head, a line for their mean, dashed for even attention."""
    import altair as alt

    names = short_names([result.subject for result in results], most=34)
    panels = []
    for number, (result, name) in enumerate(zip(results, names, strict=True)):
        heads, mean, even = (result.curves[kind][0] for kind in ("heads", "distance", "even"))
        colour = COLOURS[number % len(COLOURS)]
        x, y = _layers(mean.x), alt.Y("y:Q", title="attention distance (pixels)", scale=alt.Scale(zero=True))
        tips = [alt.Tooltip("x:Q", title="layer"), alt.Tooltip("y:Q", title="pixels", format=".1f")]
        layers = [
            alt.Chart({"values": _points(even.x, even.y)}).mark_line(strokeDash=[5, 4], color=QUIET, strokeWidth=1.5),
            alt.Chart({"values": _points(heads.x, heads.y)}).mark_point(
                filled=True, size=32, opacity=0.45, color=colour
            ),
            alt.Chart({"values": _points(mean.x, mean.y)}).mark_line(strokeWidth=2.4, color=colour),
        ]
        panels.append(
            alt.LayerChart(
                layer=[layer.encode(tooltip=tips) for layer in layers],
                encoding=alt.FacetedEncoding(x=x, y=y),
                width=WIDTH,
                height=HEIGHT,
                title=alt.TitleParams(name, fontSize=12, offset=8),
            )
        )
    lines = ["dots: heads, over all images; line: their mean; dashed: even attention to all patches"]
    heading = alt.TitleParams("Mean attention distance", subtitle=lines)
    return alt.ConcatChart(concat=panels, columns=COLUMNS, spacing=26, title=heading, **TOP_LEVEL)


def entropies(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Entropy of the weights over depth, a panel a network; 100 % is even attention to all tokens."""
    import altair as alt

    names = short_names([result.subject for result in results], most=34)
    panels = []
    for number, (result, name) in enumerate(zip(results, names, strict=True)):
        curve = result.curves["entropy"][0]
        points = zip(curve.x, curve.y, curve.low, curve.high, strict=True)
        rows = [{"x": x, "y": y, "low": low, "high": high} for x, y, low, high in points]
        scale = alt.Scale(domain=[0, 100])
        base = alt.Chart().encode(
            tooltip=[alt.Tooltip("x:Q", title="layer"), alt.Tooltip("y:Q", title="per cent", format=".1f")]
        )
        colour = COLOURS[number % len(COLOURS)]
        panels.append(
            alt.LayerChart(
                layer=[
                    base.mark_area(opacity=0.16, color=colour).encode(y=alt.Y("low:Q"), y2="high:Q"),
                    base.mark_line(strokeWidth=2.4, color=colour),
                    base.mark_point(filled=True, size=26, opacity=1, color=colour),
                ],
                encoding=alt.FacetedEncoding(
                    x=_layers(curve.x), y=alt.Y("y:Q", title="entropy (% of its maximum)", scale=scale)
                ),
                data={"values": rows},
                width=WIDTH,
                height=HEIGHT,
                title=alt.TitleParams(name, fontSize=12, offset=8),
            )
        )
    lines = ["of the weights with which a patch attends, mean over heads; bands: 95 % intervals over images"]
    heading = alt.TitleParams("Attention entropy", subtitle=lines)
    return alt.ConcatChart(concat=panels, columns=COLUMNS, spacing=26, title=heading, **TOP_LEVEL)


def maps(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Some images, and below each where the last layer attends; a map's colours go from 0 to its own maximum."""
    import altair as alt

    names = short_names([result.subject for result in results], most=34)
    panels = [_pictures(result, name) for result, name in zip(results, names, strict=True)]
    lines = ["of the last layer, averaged over its heads; dark: none, bright: the most in the image"]
    heading = alt.TitleParams("Attention maps", subtitle=lines)
    return alt.ConcatChart(concat=panels, columns=1, spacing=22, title=heading, **TOP_LEVEL)


def _pictures(result: AnalysisResult, name: str) -> alt.LayerChart:
    """A row of pictures above a row of their maps."""
    import altair as alt

    pictures, attended = result.arrays["pictures"], result.arrays["maps"]
    across, down = _sides(pictures[0].shape[0], pictures[0].shape[1])
    step = across + GAP
    shown = [
        {"url": picture_uri(picture), "x": number * step + across / 2, "y": down / 2}
        for number, picture in enumerate(pictures)
    ]
    cells = [
        cell for number, one in enumerate(attended) for cell in _cells(one, number * step, down + GAP, across, down)
    ]
    width, height = len(pictures) * step - GAP, 2 * down + GAP
    x, y = alt.Scale(domain=[0, width], nice=False), alt.Scale(domain=[height, 0], nice=False)
    colour = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=list(WARM)), legend=None)
    images = (
        alt.Chart({"values": shown})
        .mark_image(width=across, height=down, aspect=False, smooth=False)
        .encode(x=alt.X("x:Q", scale=x, axis=None), y=alt.Y("y:Q", scale=y, axis=None), url="url:N")
    )
    heat = (
        alt.Chart({"values": cells})
        .mark_rect(strokeWidth=0)
        .encode(
            x=alt.X("left:Q", scale=x, axis=None),
            x2=alt.X2(field="right"),
            y=alt.Y("top:Q", scale=y, axis=None),
            y2=alt.Y2(field="bottom"),
            color=colour,
            tooltip=[alt.Tooltip("weight:Q", format=".2%")],
        )
    )
    title = alt.TitleParams(name, fontSize=12, offset=8)
    return alt.LayerChart(layer=[images, heat], width=width, height=height, title=title)


def _cells(attended: Any, left: float, top: float, across: float, down: float) -> list[dict[str, float]]:
    """A rectangle a patch, at whole pixels. attended: [h, w]. left, top: of the map; across, down: its sides."""
    rows, columns = attended.shape
    most = float(attended.max()) or 1.0
    return [
        {
            "left": left + round(across * column / columns),
            "right": left + round(across * (column + 1) / columns),
            "top": top + round(down * row / rows),
            "bottom": top + round(down * (row + 1) / rows),
            "share": float(attended[row, column]) / most,
            "weight": float(attended[row, column]),
        }
        for row in range(rows)
        for column in range(columns)
    ]


def _sides(height: int, width: int) -> tuple[float, float]:
    """(width, height) on the chart of a picture, whole pixels: its longer side is PICTURE."""
    scale = PICTURE / max(height, width)
    return round(width * scale), round(height * scale)


def _layers(x: Sequence[float]) -> alt.X:
    import altair as alt

    last = max(x)
    axis = alt.Axis(grid=False, format="d", tickMinStep=1)
    return alt.X("x:Q", title="layer of attention", scale=alt.Scale(domain=[1, max(last, 2)], padding=8), axis=axis)


def _points(x: Sequence[float], y: Sequence[float]) -> list[dict[str, float]]:
    return [{"x": one, "y": other} for one, other in zip(x, y, strict=True)]
