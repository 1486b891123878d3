"""Charts of embeddings: the map of the images, linked to pictures, and how alike the layers of two networks are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.colormap import BLUES
from sightlab.charts.picture_data import picture_uri
from sightlab.charts.theme import COLOURS, LINE, QUIET, TOP_LEVEL, printable, short_names
from sightlab.records.analyses import AnalysisResult

if TYPE_CHECKING:
    import altair as alt

SIDE, COLUMNS = 460, 2  # pixels of a map; maps in a row
PICTURE, FRAME = 22, 3  # pixels of a picture's longer side on the map, and of its frame
SMALLEST, CELLS, LARGEST = 140, 360, 26  # pixels of a heat map's sides; of a cell's side, at most


def embedding_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: the map of the images, a panel a network.

    results: of the analysis `embedding`. Raises ValueError when there is none.
    """
    import altair as alt

    if not results:
        raise ValueError("charts of embeddings need at least one result")
    names = short_names([result.subject for result in results], most=40)
    classes = list(dict.fromkeys(row["name"] for result in results for row in embedding_rows(result)))
    panels = [_map(result, name, classes) for result, name in zip(results, names, strict=True)]
    lines = ["penultimate features in two dimensions; a dot an image, some with their pictures"]
    heading = alt.TitleParams("Map of the images", subtitle=lines)
    chart = alt.ConcatChart(concat=panels, columns=COLUMNS, spacing=26, title=heading, **TOP_LEVEL)
    return {"Map of the images": chart}


def embedding_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    """A row an image: {name: of its class, as it is shown, x, y}."""
    classes = result.curves["map"]
    names = short_names([curve.name for curve in classes])
    return [
        {"name": name, "x": x, "y": y}
        for curve, name in zip(classes, names, strict=True)
        for x, y in zip(curve.x, curve.y, strict=True)
    ]


def picture_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    """A row an image that is shown: {name: of its class, x, y, url: the picture}."""
    names = short_names([curve.name for curve in result.curves["map"]])
    positions, classes = result.arrays["picture_positions"], result.arrays["picture_classes"]
    return [
        {"name": names[int(label)], "x": float(x), "y": float(y), "url": picture_uri(picture)}
        for picture, (x, y), label in zip(result.arrays["pictures"], positions, classes, strict=True)
    ]


def _map(result: AnalysisResult, name: str, classes: list[str]) -> alt.LayerChart:
    """Dots in the colours of the classes, all grey where there are more classes than colours.

    classes: the names of those of all panels, which share a legend.
    """
    import altair as alt

    coloured = len(classes) <= len(COLOURS)
    scale = alt.Scale(domain=classes, range=list(COLOURS[: len(classes)]) if coloured else [LINE])
    legend = alt.Legend(title=None, orient="top", columns=6, labelLimit=0, symbolOpacity=1, symbolSize=60)
    colour = alt.Color("name:N", scale=scale, legend=legend if coloured else None)
    axis = alt.Axis(labels=False, ticks=False, grid=False)
    pictures = result.arrays["pictures"]
    longer = max(pictures.shape[1:3])
    height, width = (PICTURE * side / longer for side in pictures.shape[1:3])
    place = {axis_name: alt.Scale(zero=False, nice=False, padding=PICTURE) for axis_name in ("x", "y")}
    base = alt.Chart().encode(tooltip=[alt.Tooltip("name:N", title="class")])
    shown = alt.Chart({"values": picture_rows(result)}).encode(tooltip=[alt.Tooltip("name:N", title="class")])
    return alt.LayerChart(
        layer=[
            base.mark_point(filled=True, size=22, opacity=0.55).encode(color=colour),
            shown.mark_point(filled=True, shape="square", size=(PICTURE + FRAME) ** 2, opacity=1).encode(color=colour),
            shown.mark_image(width=width, height=height).encode(url="url:N"),
        ],
        encoding=alt.FacetedEncoding(
            x=alt.X("x:Q", title=_axis(result, 0), scale=place["x"], axis=axis),
            y=alt.Y("y:Q", title=_axis(result, 1), scale=place["y"], axis=axis),
        ),
        data={"values": embedding_rows(result)},
        width=SIDE,
        height=SIDE,
        view=alt.ViewBackground(stroke=LINE),
        title=alt.TitleParams(name, subtitle=_figures(result), fontSize=12, offset=8, subtitleColor=QUIET),
    )


def _figures(result: AnalysisResult) -> str:
    right = result.estimates["neighbour_accuracy"]
    return f"class of most of 5 nearest neighbours: {right.value:.1%} right"


def _axis(result: AnalysisResult, number: int) -> str:
    """The axis's title: a component with its share of the variance, or a side of a map that has no unit."""
    variance = result.arrays["variance"]
    if not variance.size:
        return f"t-SNE {number + 1} (no unit)"
    return f"principal component {number + 1} ({variance[number]:.1%} of the variance)"


def cka_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: linear CKA of each layer of one network with each of another.

    results: of `layer_cka`. Raises ValueError when there is none.
    """
    import altair as alt

    if not results:
        raise ValueError("charts of CKA need at least one result")
    heading = alt.TitleParams("Likeness of layers", subtitle=["linear CKA: 1 alike up to rotation and scale, 0 unlike"])
    panels = [_cka(result) for result in results]
    chart = alt.ConcatChart(concat=panels, columns=COLUMNS, spacing=26, title=heading, **TOP_LEVEL)
    return {"Likeness of layers": chart}


def cka_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    """A row a cell that has a value: {first, second: blocks, row, column: their places from 1, cka}."""
    matrix = result.arrays["cka"]
    first, second = (result.tables[axis][1] for axis in ("Rows", "Columns"))
    return [
        {"first": one[0], "second": other[0], "row": i + 1, "column": j + 1, "cka": round(float(matrix[i, j]), 4)}
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if not math.isnan(matrix[i, j])
    ]


def _cka(result: AnalysisResult) -> alt.Chart:
    import altair as alt

    rows = cka_rows(result)
    size = min(LARGEST, CELLS / max(result.arrays["cka"].shape))
    down, across = result.arrays["cka"].shape
    first, second = (printable(result.tables[axis][0][0]) for axis in ("Rows", "Columns"))
    axis = alt.Axis(labelAngle=0, domain=False, ticks=False, labelOverlap="greedy")
    legend = alt.Legend(title="linear CKA", gradientLength=120, values=[0, 0.25, 0.5, 0.75, 1], format=".2f")
    chart: alt.Chart = (
        alt.Chart({"values": rows}, width=max(SMALLEST, size * across), height=max(SMALLEST, size * down))
        .mark_rect()
        .encode(
            x=alt.X("column:O", title=f"block of {second}", axis=axis),
            y=alt.Y("row:O", title=f"block of {first}", axis=axis, sort="descending"),
            color=alt.Color("cka:Q", scale=alt.Scale(domain=[0, 1], range=["#f7fafd", *BLUES[1:]]), legend=legend),
            tooltip=[alt.Tooltip("first:N"), alt.Tooltip("second:N"), alt.Tooltip("cka:Q", format=".3f")],
        )
    )
    return chart
