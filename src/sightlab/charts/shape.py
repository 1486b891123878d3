"""Charts of the analysis of shape against texture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.interval_lines import frequency_panel, interval_lines
from sightlab.charts.theme import HAIRLINE, INK, QUIET, TOP_LEVEL, line_styles, short_names
from sightlab.records.analyses import AnalysisResult, Estimate

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

BIAS = "shape_bias"
OVERALL = "all categories"
REFERENCES = {"people": 95.9, "ResNet-50": 22.1}  # published shape bias, Geirhos et al. 2019
CONFLICTS = {
    "low frequencies": "answers for the low frequencies, of those for either",
    "either": "answers for either image, of all",
}
WIDTH, LINE_HEIGHT, GAP = 420, 13, 9


def shape_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: shape bias by category, and who wins in cue conflicts made from a network's own images.

    results: of the analysis `shape`, with either kind of images; a chart without results is left out. Raises
    ValueError when there is none at all.
    """
    if not results:
        raise ValueError("charts of shape need at least one result")
    published = [result for result in results if BIAS in result.estimates]
    own = [result for result in results if result.curves]
    charts: dict[str, alt.TopLevelMixin] = {}
    if published:
        charts["Shape bias by category"] = shape_bias(published)
    if own:
        charts["Low against high frequencies"] = conflicts(own)
    return charts


def bias_rows(results: Sequence[AnalysisResult]) -> list[Row]:
    """A row for each category of each network, overall first: {name, category, bias, low, high in %, count}."""
    names = short_names([result.subject for result in results], most=34)
    return [
        {
            "name": name,
            "category": key.removeprefix(BIAS).removeprefix("_") or OVERALL,
            "bias": 100 * one.value,
            "low": 100 * _known(one.low, one),
            "high": 100 * _known(one.high, one),
            "count": one.count,
        }
        for name, result in zip(names, results, strict=True)
        for key, one in result.estimates.items()
        if key.startswith(BIAS)
    ]


def shape_bias(results: Sequence[AnalysisResult]) -> alt.LayerChart:
    """Shape bias overall and by category with 95 % intervals, the published figures of people and ResNet-50 marked.

    Categories stand in the order of the first network's bias, the highest on top.
    """
    import altair as alt

    rows = bias_rows(results)
    names = list(dict.fromkeys(row["name"] for row in rows))
    ranked = sorted(rows, key=lambda row: (row["category"] != OVERALL, row["name"] != names[0], -row["bias"]))
    order = list(dict.fromkeys(row["category"] for row in ranked))
    colours, _ = line_styles(len(names))
    band = max(2 * LINE_HEIGHT, GAP + LINE_HEIGHT * len(names))
    offset: dict[str, Any] = {}
    legend = None
    if len(names) > 1:
        offset["yOffset"] = alt.YOffset("name:N", scale=alt.Scale(domain=names, paddingOuter=0.6))
        legend = alt.Legend(title=None, orient="top", offset=22, labelLimit=0, symbolType="circle")
    scale = alt.Scale(domain=[0, 100], nice=False)
    x = alt.X("bias:Q", title="answers by shape, of those by shape or by texture (%)", scale=scale)
    axis = alt.Axis(domain=False, ticks=False, grid=False, labelPadding=8, labelFontSize=12, labelLimit=0)
    y = alt.Y("category:N", title=None, scale=alt.Scale(domain=order, type="band", padding=0.1), axis=axis)
    tips = [alt.Tooltip(f"{of}:N") for of in ("name", "category")]
    tips += [alt.Tooltip(f"{of}:Q", format=".1f") for of in ("bias", "low", "high")]
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    base = alt.Chart({"values": rows}).encode(y=y, color=color, tooltip=[*tips, alt.Tooltip("count:Q")], **offset)
    stripe = alt.Chart({"values": [{"category": OVERALL}]}).mark_rect(color=HAIRLINE, opacity=0.6).encode(y=y)
    layers = [
        stripe,
        *_references(),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2(field="high")),
        base.mark_point(filled=True, size=52, opacity=1).encode(x=x),
    ]
    line = "by the category of the shape; lines: 95 % intervals"
    heading = alt.TitleParams(
        "Shape bias on cue-conflict images", subtitle=line if len(names) > 1 else f"{names[0]}; {line}"
    )
    if len(names) == 1:
        heading.offset = 30
    return alt.LayerChart(layer=layers, width=WIDTH, height=band * len(order), title=heading, **TOP_LEVEL)


def _references() -> list[alt.Chart]:
    """A dashed rule at each published figure, named above the panel."""
    import altair as alt

    marks = [{"bias": value, "label": f"{name} {value:g}%"} for name, value in REFERENCES.items()]
    base = alt.Chart({"values": marks}).encode(x=alt.X("bias:Q"))
    return [
        base.mark_rule(color=QUIET, strokeWidth=1, strokeDash=[3, 3]).encode(y=alt.value(0), y2=alt.value("height")),
        base.mark_text(baseline="bottom", fontSize=11, color=INK).encode(text=alt.Text("label:N"), y=alt.value(-5)),
    ]


def conflicts(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Over the cut-off: the share of answers for the low frequencies' image, and how many answers are for either."""
    highest = [float(result.arrays["size"].min()) / 2 for result in results]
    panels = [
        frequency_panel(heading, [result.curves[kind][0] for result in results], "cut-off", "answers (%)", highest)
        for kind, heading in CONFLICTS.items()
    ]
    name = f"{results[0].subject}; " if len(results) == 1 else ""
    line = f"{name}low frequencies of one image, high ones of another class; bands: 95 % intervals"
    return interval_lines(panels, "Cue conflicts of low and high frequencies", line)


def _known(end: float | None, one: Estimate) -> float:
    return one.value if end is None else end
