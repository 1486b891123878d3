"""Charts of the analysis of frequencies: accuracy under filters, and the Fourier heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.interval_lines import frequency_panel, interval_lines
from sightlab.charts.theme import TOP_LEVEL, printable, short_names
from sightlab.records.analyses import AnalysisResult

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

EDGES = (("left", "right"), ("low", "high"))

# Light to dark: the more answers are wrong, the darker.
WRONG = ("#fff5eb", "#f6a05c", "#8a3000", "#2d0f00")
CELLS = 230  # pixels of a heat map's side, about: cells have whole ones, so that no seams show between them
HEADINGS = {
    "low-pass": "low-pass filter: frequencies up to the radius are left",
    "high-pass": "high-pass filter: frequencies above the radius are left",
}
COLUMNS = 3
LEAST_SPAN = 20.0  # points of error from the lightest colour to the darkest: less would make patterns of chance


def frequency_charts(results: Sequence[AnalysisResult]) -> dict[str, alt.TopLevelMixin]:
    """The charts by title: accuracy under low-pass and high-pass filters, and the Fourier heat map of each network.

    results: of the analysis `frequency`. Raises ValueError when there is none.
    """
    if not results:
        raise ValueError("charts of frequencies need at least one result")
    return {"Accuracy under filters": filters(results), "Fourier heat map": fourier_heat(results)}


def filters(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """Accuracy over the radius of a low-pass and of a high-pass filter, all networks in one chart.

    The radius is in cycles per image and in shares of the Nyquist frequency; in shares alone where sizes differ.
    """
    highest = [float(result.arrays["size"].min()) / 2 for result in results]
    panels = [
        frequency_panel(heading, [result.curves[kind][0] for result in results], "radius", "accuracy (%)", highest)
        for kind, heading in HEADINGS.items()
    ]
    return interval_lines(panels, "Accuracy under filters", subtitle(results, "bands: 95 % intervals"))


def subtitle(results: Sequence[AnalysisResult], line: str) -> str:
    """The line, after the network's name where there is but one: no legend says it then."""
    return line if len(results) > 1 else f"{results[0].subject}; {line}"


def fourier_heat(results: Sequence[AnalysisResult]) -> alt.ConcatChart:
    """The share of wrong answers with a wave of each frequency added, a map for each network in the same colours."""
    import altair as alt

    shares = [result.arrays["fourier_error"] for result in results]
    low, high = (100 * end(float(end(one.flat)) for one in shares) for end in (min, max))
    span = (low, max(high, low + LEAST_SPAN)) if low + LEAST_SPAN <= 100 else (100 - LEAST_SPAN, 100.0)
    names = short_names([result.subject for result in results], most=34)
    maps = [_map(result, name, span) for result, name in zip(results, names, strict=True)]
    heading = alt.TitleParams(
        "Fourier heat map", subtitle=["wrong answers with a wave of each frequency added; the centre is frequency 0"]
    )
    return alt.ConcatChart(concat=maps, columns=COLUMNS, spacing=26, title=heading, **TOP_LEVEL)


def fourier_rows(result: AnalysisResult) -> list[Row]:
    """A row a cell of the map: {left, right, low, high: its edges in cycles; across, down: its frequency; wrong: %}."""
    rows, columns, error = (result.arrays[name] for name in ("fourier_rows", "fourier_columns", "fourier_error"))
    half_row, half_column = ((axis[1] - axis[0]) / 2 for axis in (rows, columns))
    return [
        {
            "left": float(across - half_column),
            "right": float(across + half_column),
            "low": float(down - half_row),
            "high": float(down + half_row),
            "across": float(across),
            "down": float(down),
            "wrong": round(100 * float(error[line, column]), 2),
        }
        for line, down in enumerate(rows)
        for column, across in enumerate(columns)
    ]


def whole_cells(count: int) -> int:
    """Pixels for so many cells of a whole number of pixels each.

    >>> whole_cells(28), whole_cells(400)
    (224, 400)
    """
    return count * max(1, round(CELLS / count))


def _map(result: AnalysisResult, name: str, span: Sequence[float]) -> alt.Chart:
    import altair as alt

    cells = fourier_rows(result)
    plain = 1 - result.estimates["accuracy"].value
    tips = [alt.Tooltip(f"{of}:Q") for of in ("across", "down", "wrong")]
    legend = alt.Legend(
        type="gradient", title=["wrong", "answers (%)"], gradientLength=CELLS * 0.7, tickCount=5, format=".0f"
    )
    colour = alt.Color("wrong:Q", scale=alt.Scale(domain=list(span), range=list(WRONG)), legend=legend)
    ends = {side: [min(c[side[0]] for c in cells), max(c[side[1]] for c in cells)] for side in EDGES}
    across, down = (alt.Scale(domain=ends[side], nice=False) for side in EDGES)
    axis = alt.Axis(grid=False, tickCount=7)
    base = alt.Chart(
        {"values": cells},
        width=whole_cells(len(result.arrays["fourier_columns"])),
        height=whole_cells(len(result.arrays["fourier_rows"])),
        title=alt.TitleParams(printable(name), subtitle=f"without a wave: {plain:.1%} wrong", fontSize=12, offset=8),
    )
    chart: alt.Chart = base.mark_rect(strokeWidth=0).encode(
        x=alt.X("left:Q", title="across (cycles per width)", scale=across, axis=axis),
        x2=alt.X2(field="right"),
        y=alt.Y("low:Q", title="down (cycles per height)", scale=down, axis=axis),
        y2=alt.Y2(field="high"),
        color=colour,
        tooltip=tips,
    )
    return chart
