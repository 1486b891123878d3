"""Charts of the analysis of corruptions: a heat map of one network, and several networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.colormap import BLUES, interpolate, text_colour, to_hex
from sightlab.charts.theme import HAIRLINE, TOP_LEVEL, line_styles, short_names
from sightlab.records.analyses import AnalysisResult, Estimate

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

CLEAN, CORRUPTED = "accuracy", "corrupted_accuracy"
BY_CORRUPTION, BY_SEVERITY = "corrupted_accuracy_", "severity_accuracy_"  # before a corruption's name, and a severity
UNCHANGED, ALL, MEAN = "unchanged images", "all corruptions", "mean"

CELL_WIDTH, CELL_HEIGHT, GAP = 54, 24, 2  # pixels
WIDTH, LINE_HEIGHT, SPACE = 420, 12, 9


def corruptions_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The chart by its title: accuracy by corruption, of one network by severity too.

    results: of the analysis `corruptions`. Raises ValueError when there is none.
    """
    if not results:
        raise ValueError("charts of corruptions need at least one result")
    if len(results) == 1:
        return {"Accuracy by corruption and severity": heat_map(results[0])}
    return {"Accuracy by corruption": dots(results)}


def label_of(name: str) -> str:
    """A corruption's name in words.

    >>> label_of("jpeg_compression"), label_of("gaussian_noise"), label_of("fog")
    ('JPEG compression', 'Gaussian noise', 'fog')
    """
    return name.replace("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian")


def heat_rows(result: AnalysisResult) -> list[Row]:
    """A row a cell: {corruption, severity, accuracy in %, text, fill, ink}; the severity "mean" is over the others.

    The lightest colour is 0, the darkest the accuracy on the unchanged images, or the best cell where that is higher.
    """
    names = corruptions_of(result)
    table = result.arrays["accuracy"]
    columns = [f"{severity:g}" for severity in result.arrays["severities"]]
    top = max(result.estimates[CLEAN].value, float(table.max())) or 1.0
    rows = []
    for name, values in zip(names, table, strict=True):
        cells = dict(zip(columns, values.tolist(), strict=True)) | {MEAN: float(values.mean())}
        for column, value in cells.items():
            colour = interpolate(BLUES, value / top)
            place = {"corruption": label_of(name), "severity": column, "accuracy": 100 * value}
            rows.append(place | {"text": f"{100 * value:.0f}", "fill": to_hex(colour), "ink": text_colour(colour)})
    return rows


def heat_map(result: AnalysisResult) -> alt.LayerChart:
    """Accuracy in per cent, a row for each corruption and a column for each severity, and their mean."""
    import altair as alt

    rows = heat_rows(result)
    down, across = (list(dict.fromkeys(row[of] for row in rows)) for of in ("corruption", "severity"))
    axis: dict[str, Any] = {"labelLimit": 0, "labelAngle": 0, "domain": False, "ticks": False, "labelPadding": 6}
    x = alt.X("severity:N", title="severity", scale=_bands(across, CELL_WIDTH), axis=alt.Axis(**axis, orient="top"))
    y = alt.Y("corruption:N", title=None, scale=_bands(down, CELL_HEIGHT), axis=alt.Axis(**axis, labelFontSize=12))
    tips = [alt.Tooltip("corruption:N"), alt.Tooltip("severity:N"), alt.Tooltip("accuracy:Q", format=".1f")]
    base = alt.Chart().encode(tooltip=tips)
    layers = [
        base.mark_rect().encode(color=alt.Color("fill:N", scale=None)),
        base.mark_text(fontSize=11).encode(text="text:N", color=alt.Color("ink:N", scale=None)),
    ]
    all_of_them, clean = (100 * result.estimates[of].value for of in (CORRUPTED, CLEAN))
    lines = [
        short_names([result.subject], most=60)[0],
        f"accuracy in %; unchanged images: {clean:.1f}%, mean of all: {all_of_them:.1f}%",
    ]
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=x, y=y),
        data={"values": rows},
        width=CELL_WIDTH * len(across),
        height=CELL_HEIGHT * len(down),
        title=alt.TitleParams("Accuracy under corruptions", subtitle=lines),
        **TOP_LEVEL,
    )


def dot_rows(results: Sequence[AnalysisResult]) -> list[Row]:
    """A row for every line of a network: {name, corruption, accuracy, low, high in %}, unchanged images and all first.

    A corruption that a network was not asked about has no row of it.
    """
    names = short_names([result.subject for result in results], most=34)
    rows = []
    for name, result in zip(names, results, strict=True):
        lines = {UNCHANGED: CLEAN, ALL: CORRUPTED}
        lines |= {label_of(corruption): BY_CORRUPTION + corruption for corruption in corruptions_of(result)}
        for label, key in lines.items():
            one = result.estimates[key]
            low, high = _ends(one)
            row = {"name": name, "corruption": label, "accuracy": 100 * one.value}
            rows.append(row | {"low": 100 * low, "high": 100 * high})
    return rows


def dots(results: Sequence[AnalysisResult]) -> alt.LayerChart:
    """The accuracy of each network under each corruption, the mean over its severities, with 95 % intervals."""
    import altair as alt

    rows = dot_rows(results)
    names, order = (list(dict.fromkeys(row[of] for row in rows)) for of in ("name", "corruption"))
    colours, _ = line_styles(len(names))
    band = SPACE + LINE_HEIGHT * len(names)
    scale = alt.Scale(domain=[0, 100], nice=False)
    axis = alt.Axis(domain=False, ticks=False, grid=False, labelPadding=8, labelFontSize=12, labelLimit=0)
    y = alt.Y("corruption:N", title=None, scale=alt.Scale(domain=order, type="band", padding=0.1), axis=axis)
    offset = alt.YOffset("name:N", scale=alt.Scale(domain=names, paddingOuter=0.6))
    legend = alt.Legend(title=None, orient="top", labelLimit=0, symbolType="circle", columns=2)
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    tips = [alt.Tooltip("name:N"), alt.Tooltip("corruption:N")]
    tips += [alt.Tooltip(f"{of}:Q", format=".1f") for of in ("accuracy", "low", "high")]
    base = alt.Chart({"values": rows}).encode(y=y, yOffset=offset, color=color, tooltip=tips)
    first = [{"corruption": UNCHANGED}, {"corruption": ALL}]
    layers = [
        alt.Chart({"values": first}).mark_rect(color=HAIRLINE, opacity=0.6).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2=alt.X2(field="high")),
        base.mark_point(filled=True, size=46, opacity=1).encode(
            x=alt.X("accuracy:Q", title="accuracy (%)", scale=scale)
        ),
    ]
    severities = ", ".join(f"{severity:g}" for severity in results[0].arrays["severities"])
    heading = alt.TitleParams(
        "Accuracy under corruptions", subtitle=f"mean over severities {severities}; lines: 95 % intervals over images"
    )
    return alt.LayerChart(layer=layers, width=WIDTH, height=band * len(order), title=heading, **TOP_LEVEL)


def corruptions_of(result: AnalysisResult) -> list[str]:
    """The names of the corruptions that a result is of, in its order."""
    return [key.removeprefix(BY_CORRUPTION) for key in result.estimates if key.startswith(BY_CORRUPTION)]


def _ends(one: Estimate) -> tuple[float, float]:
    """The ends of the interval, within what an accuracy can be; the value itself where there is none."""
    if one.low is None or one.high is None:
        return one.value, one.value
    return max(0.0, one.low), min(1.0, one.high)


def _bands(names: list[str], size: float) -> alt.Scale:
    import altair as alt

    return alt.Scale(domain=names, paddingInner=GAP / size, paddingOuter=GAP / size, round=False)
