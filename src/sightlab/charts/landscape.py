"""Charts of the analysis of the loss landscape: the surface as a map with contours, and the Hessian's eigenvalues."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightlab.charts.colormap import BLUES
from sightlab.charts.theme import HAIRLINE, INK, QUIET, TOP_LEVEL, VERMILION, line_styles, printable, short_names
from sightlab.records.analyses import AnalysisResult

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]
Floats = NDArray[np.float64]
Point = tuple[float, float]
Edge = tuple[int, int]

SIDE = 230  # pixels of a map
COLUMNS = 3
LINES = 12  # contours on the shared scale
LEAST_LOSS = 1e-6  # nats: what a loss of 0 counts as on a logarithmic scale
WIDE = 20.0  # how many times the smallest loss the largest is from where the scale is logarithmic


def landscape_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: the loss over two directions, and the largest eigenvalues of the Hessian.

    results: of the analysis `landscape`. The second is left out where none has eigenvalues. Raises ValueError when
    there is no result.
    """
    if not results:
        raise ValueError("charts of the loss landscape need at least one result")
    made: dict[str, alt.TopLevelMixin] = {"Loss surface": loss_surfaces(results)}
    if any("eigenvalues" in one.arrays for one in results):
        made["Curvature"] = eigenvalue_dots(results)
    return made


def loss_surfaces(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """A map of the loss for each network, on one colour scale, with the same contours; a cross marks the weights."""
    import altair as alt

    known = np.concatenate([one.arrays["surface"].ravel() for one in results])
    known = np.maximum(known[np.isfinite(known)], LEAST_LOSS)
    low, high = float(known.min()), float(known.max())
    log = high > WIDE * low
    levels = contour_levels(low, high, log=log)
    names = short_names([one.subject for one in results], most=30)
    maps = [
        _surface(one, name, (low, high), levels, log=log, first=number % COLUMNS == 0)
        for number, (one, name) in enumerate(zip(results, names, strict=True))
    ]
    title = alt.TitleParams(
        "Loss around the trained weights",
        subtitle=[
            f"mean cross-entropy (nats{', logarithmic colours' if log else ''}); cross: the trained weights",
            "lines: equal loss, the same in every map, at " + listed_levels(levels),
        ],
    )
    return alt.ConcatChart(concat=maps, columns=COLUMNS, spacing=26, title=title, **TOP_LEVEL)


def eigenvalue_dots(results: Sequence[AnalysisResult]) -> alt.LayerChart:
    """The largest eigenvalues of the Hessian by place, a colour for each network."""
    import altair as alt

    names = short_names([one.subject for one in results], most=34)
    rows: list[Row] = [
        {"name": name, "place": place, "eigenvalue": float(value)}
        for name, result in zip(names, results, strict=True)
        for place, value in enumerate(result.arrays.get("eigenvalues", ()), 1)
    ]
    values = [row["eigenvalue"] for row in rows]
    log = min(values) > 0 and max(values) > WIDE * min(values)
    several = len(names) > 1
    legend = alt.Legend(title=None, orient="top", columns=3, labelLimit=0, symbolOpacity=1) if several else None
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=line_styles(len(names))[0]), legend=legend)
    places = sorted({row["place"] for row in rows})
    x = alt.X(
        "place:Q",
        title="place among the eigenvalues",
        scale=alt.Scale(domain=[places[0], places[-1]], nice=False, padding=14),
        axis=alt.Axis(values=places, format="d", grid=False),
    )
    scale = alt.Scale(type="log") if log else alt.Scale(zero=True, nice=True)
    y = alt.Y(
        "eigenvalue:Q", title="eigenvalue of the Hessian (nats)", scale=scale, axis=alt.Axis(tickCount=5, format="~g")
    )
    tips = [alt.Tooltip("name:N"), alt.Tooltip("place:Q"), alt.Tooltip("eigenvalue:Q", format=".4~g")]
    base = alt.Chart().encode(x=x, y=y, color=color, tooltip=tips)
    lead = "" if several else f"{names[0]}; "
    title = alt.TitleParams(
        "Curvature of the loss at the trained weights",
        subtitle=f"{lead}second derivatives of the mean cross-entropy in the directions that bend it most",
    )
    layers = [base.mark_line(strokeWidth=1.2, opacity=0.6), base.mark_point(filled=True, size=60, opacity=1)]
    return alt.LayerChart(layer=layers, data={"values": rows}, width=420, height=240, title=title, **TOP_LEVEL)


def contour_levels(low: float, high: float, *, log: bool) -> list[float]:
    """Round losses between the smallest and the largest, at most LINES: 1, 2 and 5 times powers of ten, or even steps.

    >>> contour_levels(0.3, 30, log=True)
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    >>> contour_levels(0.3, 1.1, log=False)
    [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """
    if not low < high:
        return []
    if log:
        tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 2, 5), (1, 3), (1,)):
            found = [
                float(f"{digit}e{ten}") for ten in tens for digit in digits if low < float(f"{digit}e{ten}") < high
            ]
            if len(found) <= LINES:
                return found
        return found[:: math.ceil(len(found) / LINES)]
    ten = 10.0 ** math.floor(math.log10((high - low) / LINES))
    step = next(times * ten for times in (1, 2, 5, 10) if (high - low) / (times * ten) <= LINES)
    marks = (float(f"{n * step:.6g}") for n in range(math.floor(low / step), math.ceil(high / step) + 1))
    return [mark for mark in marks if low < mark < high]


def listed_levels(levels: Sequence[float]) -> str:
    """The levels in words."""
    return ", ".join(f"{level:g}" for level in levels) or "no round loss"


def contours(surface: Floats, axis: Floats, level: float) -> Iterator[list[Point]]:
    """The lines on which a surface has a value, each a list of points (x, y): straight within triangles of the grid.

    surface: [h, w], rows along y; not finite where it is not known. axis: [h] = [w], the places of rows and columns. A
    closed line ends where it begins.

    >>> [len(line) for line in contours(np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]), np.array([-1.0, 0, 1]), 0.5)]
    [7]
    """
    side = len(axis)
    values = surface.ravel()
    met: dict[Edge, list[Edge]] = {}  # an edge of the grid that a line crosses -> those that it goes on to
    for row in range(side - 1):
        for column in range(side - 1):
            first = row * side + column
            for corners in ((first, first + 1, first + side + 1), (first, first + side, first + side + 1)):
                if not np.isfinite(values[list(corners)]).all():
                    continue
                above = [bool(values[corner] > level) for corner in corners]
                crossed = [(corners[a], corners[b]) for a, b in ((0, 1), (0, 2), (1, 2)) if above[a] != above[b]]
                if crossed:
                    one, other = crossed
                    met.setdefault(one, []).append(other)
                    met.setdefault(other, []).append(one)

    def point(edge: Edge) -> Point:
        a, b = edge
        share = (level - values[a]) / (values[b] - values[a])
        (y0, x0), (y1, x1) = divmod(a, side), divmod(b, side)
        x, y = (axis[one] + share * (axis[other] - axis[one]) for one, other in ((x0, x1), (y0, y1)))
        return float(x), float(y)

    for start in sorted(met, key=lambda edge: len(met[edge])):  # lines that end at the rim begin there
        line, edge = [], start
        while met.get(edge):
            line.append(edge)
            following = met[edge].pop()
            met[following].remove(edge)
            edge = following
        if line:
            yield [point(edge) for edge in [*line, edge]]


def _surface(
    result: AnalysisResult, name: str, ends: tuple[float, float], levels: list[float], *, log: bool, first: bool
) -> alt.LayerChart:
    import altair as alt

    axis, surface = result.arrays["axis"], np.maximum(result.arrays["surface"], LEAST_LOSS)
    half = 0.51 * float(axis[1] - axis[0])  # a little more than half, so that no seam shows between cells
    cells = [
        {"x": x - half, "x2": x + half, "y": y - half, "y2": y + half, "loss": loss if math.isfinite(loss) else None}
        for y, row in zip(axis.tolist(), surface.tolist(), strict=True)
        for x, loss in zip(axis.tolist(), row, strict=True)
    ]
    shown = np.log(surface) if log else surface
    lines = [
        {"line": f"{level:g}-{number}", "order": order, "x": x, "y": y, "level": level}
        for level in levels
        for number, line in enumerate(contours(shown, axis, math.log(level) if log else level))
        for order, (x, y) in enumerate(line)
    ]
    span = alt.Scale(domain=[float(axis[0]), float(axis[-1])], nice=False)
    ticks = [-1, -0.5, 0, 0.5, 1]
    x = alt.X("x:Q", title="first direction (filter norms)", scale=span, axis=alt.Axis(values=ticks, grid=False))
    title = "second direction (filter norms)" if first else None
    y = alt.Y("y:Q", title=title, scale=span, axis=alt.Axis(values=ticks, grid=False))
    scale = alt.Scale(type="log" if log else "linear", domain=list(ends), range=list(BLUES), nice=False)
    legend = alt.Legend(title="loss (nats)", gradientLength=SIDE - 40, format="~g", tickCount=5)
    color = alt.Color("loss:Q", scale=scale, legend=legend)
    base = alt.Chart({"values": cells}).encode(x=x, y=y, x2=alt.X2(field="x2"), y2=alt.Y2(field="y2"))
    tip = alt.Tooltip("loss:Q", format=".4~g")
    layers = [
        base.mark_rect(color=HAIRLINE, clip=True).transform_filter("datum.loss === null"),
        base.mark_rect(clip=True).transform_filter("datum.loss !== null").encode(color=color, tooltip=tip),
    ]
    if lines:
        drawn = alt.Chart({"values": lines}).mark_line(color=INK, strokeWidth=0.8, opacity=0.75)
        layers.append(drawn.encode(x=x, y=y, detail="line:N", order="order:Q", tooltip=alt.Tooltip("level:Q")))
    middle = alt.Chart({"values": [{"x": 0, "y": 0}]})
    layers.append(middle.mark_point(shape="cross", size=90, fill=VERMILION, stroke="white", opacity=1).encode(x=x, y=y))
    heading = alt.TitleParams(printable(name), fontSize=12, color=QUIET, offset=8)
    return alt.LayerChart(layer=layers, width=SIDE, height=SIDE, title=heading)
