"""Charts of the analysis of calibration: reliability before and after scaling, and the size of conformal sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.theme import INK, QUIET, TOP_LEVEL, line_styles, printable, short_names, text_width
from sightlab.records.analyses import AnalysisResult

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

SCALINGS = {"plain": "as it is", "temperature": "temperature scaling", "vector": "vector scaling"}
METHODS = ("lac", "aps", "raps")
PANEL, DOTS, ROW = 210, 280, 20  # pixels: a panel's side; the width of the sets' panels, and a row's height
SYMBOL, NAME_SIZE = 40, 11


def calibration_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: reliability by scaling, and mean size and coverage of the sets by method.

    results: of the analysis `calibration`. The second is left out where no result has sets. Raises ValueError when
    there is no result.
    """
    if not results:
        raise ValueError("charts of calibration need at least one result")
    made: dict[str, alt.TopLevelMixin] = {"Reliability before and after scaling": reliability_panels(results)}
    if set_rows(results):
        made["Size of the sets by method"] = set_sizes(results)
    return made


def reliability_panels(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Accuracy against confidence, a panel for each scaling, a colour for each network; the diagonal is perfect."""
    import altair as alt

    names = names_of(results)
    kinds = [kind for kind in SCALINGS if any(f"reliability_{kind}" in one.arrays for one in results)]
    panels = [_reliability(kind, results, names, first=kind == kinds[0]) for kind in kinds]
    lead = f"{printable(results[0].subject)}; " if len(results) == 1 else ""
    title = alt.TitleParams(
        "Reliability before and after scaling",
        subtitle=f"{lead}vertical lines: 95 % intervals; dashed: perfect calibration; larger points: more images",
    )
    return alt.ConcatChart(concat=panels, columns=len(panels), spacing=26, title=title, **TOP_LEVEL)


def reliability_rows(results: Sequence[AnalysisResult], kind: str) -> list[Row]:
    """A row for each bin with images: {name, confidence, accuracy, low, high in %, count}."""
    columns = ("confidence", "accuracy", "low", "high")
    return [
        {"name": name, "count": int(row[0])} | {c: 100 * float(v) for c, v in zip(columns, row[1:], strict=True)}
        for name, result in zip(names_of(results), results, strict=True)
        for row in result.arrays.get(f"reliability_{kind}", ())
    ]


def set_sizes(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Mean size of the sets, and how often they hold the true class, a row for each method and network."""
    import altair as alt

    rows = set_rows(results)
    asked = 100 * float(results[0].arrays["coverage"][0])
    names = names_of(results)
    height = ROW * len(METHODS) * (len(names) + 1)
    size = _dots(rows, names, "size", "classes in a set, on average", height, first=True)
    held = _dots(rows, names, "held", "sets that hold the true class (%)", height, asked)
    lead = f"{printable(results[0].subject)}; " if len(results) == 1 else ""
    title = alt.TitleParams(
        f"Sets of classes that hold the true one in {asked:.4g} % of cases",
        subtitle=f"{lead}lines: 95 % intervals; dashed: the coverage asked for; fitted on the other half of the images",
    )
    return alt.ConcatChart(concat=[size, held], columns=2, spacing=26, title=title, **TOP_LEVEL)


def set_rows(results: Sequence[AnalysisResult]) -> list[Row]:
    """A row for each method and network: {method, name, size, size_low, size_high, held, held_low, held_high in %}."""
    rows = []
    for name, result in zip(names_of(results), results, strict=True):
        for method in METHODS:
            if f"set_size_{method}" not in result.estimates:
                continue
            row: Row = {"method": method.upper(), "name": name}
            for column, figure, scale in (("size", "set_size", 1), ("held", "coverage", 100)):
                one = result.estimates[f"{figure}_{method}"]
                ends = (one.value if end is None else end for end in (one.low, one.high))
                row |= {column: scale * one.value}
                row |= {f"{column}_{end}": scale * value for end, value in zip(("low", "high"), ends, strict=True)}
            rows.append(row)
    return rows


def names_of(results: Sequence[AnalysisResult]) -> list[str]:
    """What the networks are called, short enough for a legend."""
    return short_names([one.subject for one in results], most=34)


def _colour(names: list[str], room: int) -> alt.Color:
    """A colour for each network. room: pixels that the legend may take; one network alone has none."""
    import altair as alt

    shown = None
    if len(names) > 1:
        widest = SYMBOL + max(text_width(name, NAME_SIZE) for name in names)
        style: dict[str, Any] = {"symbolType": "circle", "symbolOpacity": 1, "labelLimit": 0, "columnPadding": 14}
        shown = alt.Legend(title=None, orient="top", columns=max(1, min(len(names), int(room / widest))), **style)
    return alt.Color("name:N", scale=alt.Scale(domain=names, range=line_styles(len(names))[0]), legend=shown)


def _reliability(kind: str, results: Sequence[AnalysisResult], names: list[str], *, first: bool) -> alt.LayerChart:
    import altair as alt

    rows = reliability_rows(results, kind)
    scale = alt.Scale(domain=[0, 100], nice=False, padding=4)
    x = alt.X("confidence:Q", title="confidence (%)", scale=scale, axis=alt.Axis(tickCount=5, grid=False))
    y = alt.Y("accuracy:Q", title="accuracy (%)" if first else None, scale=scale, axis=alt.Axis(tickCount=5))
    colour = _colour(names, room=3 * PANEL)
    tips = [alt.Tooltip("name:N"), alt.Tooltip("count:Q", format=",d")]
    tips += [alt.Tooltip(f"{of}:Q", format=".1f") for of in ("confidence", "accuracy", "low", "high")]
    base = alt.Chart().encode(tooltip=tips)
    diagonal = alt.Chart({"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 100, "accuracy": 100}]})
    area = alt.Size("count:Q", scale=alt.Scale(type="sqrt", rangeMin=14, rangeMax=150), legend=None)
    layers = [
        diagonal.mark_line(color=QUIET, strokeWidth=1.2, strokeDash=[5, 4]),
        base.mark_rule(opacity=0.6, strokeWidth=1.2).encode(color=colour, y=alt.Y("low:Q"), y2=alt.Y2(field="high")),
        base.mark_line(strokeWidth=1.2, opacity=0.7).encode(color=colour, order=alt.Order("confidence:Q")),
        base.mark_point(filled=True, opacity=1).encode(color=colour, size=area),
    ]
    heading = alt.TitleParams(SCALINGS[kind], fontSize=12, color=QUIET, offset=8)
    encoding = alt.FacetedEncoding(x=x, y=y)
    return alt.LayerChart(
        layer=layers, encoding=encoding, data={"values": rows}, width=PANEL, height=PANEL, title=heading
    )


def _dots(
    rows: list[Row], names: list[str], of: str, title: str, height: int, asked: float | None = None, first: bool = False
) -> alt.LayerChart:
    """Points with intervals, a band a method with a line in it for each network. first: carries the methods' names."""
    import altair as alt

    methods = [method.upper() for method in METHODS if any(row["method"] == method.upper() for row in rows)]
    axis = alt.Axis(labels=first, ticks=False, domain=False, grid=False, labelPadding=8)
    y = alt.Y("method:N", title=None, scale=alt.Scale(domain=methods), axis=axis)
    offset = alt.YOffset("name:N", scale=alt.Scale(domain=names, paddingOuter=0.6))
    low, high = min(row[f"{of}_low"] for row in rows), max(row[f"{of}_high"] for row in rows)
    ends = [min(low, asked), max(high, asked)] if asked is not None else [min(0.0, low), high]
    room = 0.06 * (ends[1] - ends[0])
    domain = [max(0.0, ends[0] - room), min(100.0, ends[1] + room) if asked is not None else ends[1] + room]
    x = alt.X(
        f"{of}:Q", title=title, scale=alt.Scale(domain=domain, nice=False, zero=False), axis=alt.Axis(tickCount=6)
    )
    colour = _colour(names, room=2 * DOTS)
    tips = [alt.Tooltip("method:N"), alt.Tooltip("name:N")]
    tips += [alt.Tooltip(f"{name}:Q", format=".4~g") for name in (of, f"{of}_low", f"{of}_high")]
    base = alt.Chart().encode(y=y, yOffset=offset, tooltip=tips)
    layers: list[alt.Chart] = []
    if asked is not None:
        line = alt.Chart().mark_rule(color=INK, strokeDash=[5, 4], strokeWidth=1.2)
        layers.append(line.encode(x=alt.XDatum(asked)))
    layers.append(
        base.mark_rule(strokeWidth=2, opacity=0.7).encode(
            x=alt.X(f"{of}_low:Q"), x2=alt.X2(field=f"{of}_high"), color=colour
        )
    )
    layers.append(base.mark_point(filled=True, size=60, opacity=1).encode(x=x, color=colour))
    return alt.LayerChart(layer=layers, data={"values": rows}, width=DOTS, height=height)
