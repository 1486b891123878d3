"""A confusion matrix as a heatmap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightlab.charts.colormap import BLUES, interpolate, text_colour
from sightlab.charts.theme import INK, LINE, TOP_LEVEL, printable, short_names
from sightlab.metrics import check_matrix

if TYPE_CHECKING:
    import altair as alt

# Blue and orange differ with any colour vision.
CORRECT_COLOURS = BLUES
WRONG_COLOURS = ("#fde3cd", "#f08c3a", "#8a3000")
MIDDLE_SHARE = 0.25  # half way up a square-root scale

FEW_CLASSES = 20  # up to which the cells carry their counts or shares

Row = dict[str, Any]


def confusion(matrix: NDArray[np.int64], classes: Sequence[str], title: str | None = None) -> alt.LayerChart:
    """A confusion matrix as a heatmap: rows the true class, columns the predicted one.

    matrix: int64 [C, C]. Colour is the share of the row, on a square-root scale, so that classes of any size compare
    and rare mistakes show; correct predictions are blue, mistakes orange, empty cells white. Up to 20 classes the cells
    carry their counts. If there are more than three kinds of mistakes, the three most frequent are framed.

    Raises ValueError when the matrix is not C x C for the C classes, or holds a negative count.
    """
    rows = confusion_rows(matrix, classes)
    framed = worst_cells(rows, "count")
    return _heatmap(matrix, classes, title or "Confusion matrix", rows, "count", framed, "the most frequent mistakes")


def confusion_shares(matrix: NDArray[np.int64], classes: Sequence[str], title: str | None = None) -> alt.LayerChart:
    """A confusion matrix as `confusion` draws it, but with the share of its row, in per cent, in each cell.

    If there are more than three kinds of mistakes, those with the three greatest shares of their class are framed.

    Raises ValueError when the matrix is not C x C for the C classes, or holds a negative count.
    """
    rows = confusion_rows(matrix, classes)
    framed = worst_cells(rows, "share")
    heading = title or "Confusion matrix, per cent of each row"
    return _heatmap(matrix, classes, heading, rows, "per_cent", framed, "the greatest shares of a class mistaken")


def worst_cells(rows: Sequence[Row], field: str, most: int = 3) -> list[Row]:
    """The rows of the greatest mistakes by count or share, the greatest first; equal ones keep their order.

    Empty if there are no more mistakes than that: a frame around each would highlight nothing.

    >>> cells = [{"correct": True, "count": 9}, {"correct": False, "count": 2}, {"correct": False, "count": 3}]
    >>> [cell["count"] for cell in worst_cells(cells, "count", most=1)], worst_cells(cells, "count", most=2)
    ([3], [])
    """
    mistakes = sorted((row for row in rows if not row["correct"]), key=lambda row: -row[field])
    return mistakes[:most] if len(mistakes) > most else []


def _heatmap(
    matrix: NDArray[np.int64],
    classes: Sequence[str],
    title: str,
    rows: list[Row],
    text_field: str,
    framed: list[Row],
    frames: str,
) -> alt.LayerChart:
    """The chart. text_field: of the text in the cells; framed: rows of the framed cells; frames: what these are."""
    import altair as alt

    cell = _cell_size(len(classes))
    side = cell * len(classes)
    layers = _cells(min(110, max(45, (side - 90) / 2)))
    if len(classes) <= FEW_CLASSES:
        digits = max((len(str(row[text_field])) for row in rows), default=1)
        text = alt.Chart().mark_text(fontSize=min(12.0, 1.5 * cell / digits), baseline="middle")
        layers.append(text.encode(text=alt.Text(f"{text_field}:N"), color=alt.Color("ink:N", scale=None)))
    if framed:
        frame = alt.Chart({"values": [{name: row[name] for name in ("true", "predicted")} for row in framed]})
        layers.append(frame.mark_rect(filled=False, stroke=INK, strokeWidth=2 if cell > 12 else 1.5))
    subtitle = [_summary(matrix), *([f"framed: {frames}"] if framed else [])]
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(**_axes(classes, cell)),
        data={"values": rows},
        resolve={"scale": {"color": "independent"}},
        view=alt.ViewBackground(stroke=LINE),
        width=side,
        height=side,
        title=alt.TitleParams(printable(title), subtitle=subtitle),
        **TOP_LEVEL,
    )


def _cells(legend_length: float) -> list[alt.Chart]:
    """The coloured cells, correct predictions and mistakes, each with a legend of that length in pixels."""
    import altair as alt

    layers = []
    for correct, colours, name in (("true", CORRECT_COLOURS, "correct"), ("false", WRONG_COLOURS, "wrong")):
        scale = alt.Scale(
            type="pow", exponent=0.5, domain=[0, MIDDLE_SHARE, 1], range=list(colours), interpolate="rgb", clamp=True
        )
        legend = alt.Legend(
            title=[name, "share of row"], format=".0%", values=[0.01, 0.1, 0.25, 0.5, 1], gradientLength=legend_length
        )
        cells = alt.Chart().transform_filter(f"datum.correct === {correct}").mark_rect()
        layers.append(cells.encode(color=alt.Color("share:Q", scale=scale, legend=legend), tooltip=_tips()))
    return layers


def confusion_rows(matrix: NDArray[np.int64], classes: Sequence[str]) -> list[Row]:
    """A row for each cell that is not zero: {true, predicted, count, share, per_cent, correct, ink}.

    true, predicted: short names. share: of its row, in (0, 1]; per_cent: the same as text. correct: on the diagonal.
    ink: white or near black, whichever has more contrast with the cell.

    Raises ValueError when the matrix is not C x C for the C classes, or holds a negative count.
    """
    check_matrix(matrix, classes)
    if matrix.min(initial=0) < 0:
        raise ValueError(f"a confusion matrix holds {matrix.min()}; counts are never below 0")
    names = short_names(classes)
    sums = matrix.sum(axis=1).tolist()
    rows = []
    for true, predicted in np.argwhere(matrix).tolist():
        count, correct = int(matrix[true, predicted]), true == predicted
        share = count / sums[true]
        position = 0.5 * math.sqrt(share / MIDDLE_SHARE)  # the root of a quarter is the middle of the scale
        ink = text_colour(interpolate(CORRECT_COLOURS if correct else WRONG_COLOURS, position))
        cell = {"true": names[true], "predicted": names[predicted], "count": count}
        rows.append(cell | {"share": share, "per_cent": _per_cent(share), "correct": correct, "ink": ink})
    return rows


def _axes(classes: Sequence[str], cell: float) -> dict[str, Any]:
    """Both axes."""
    import altair as alt

    names = short_names(classes)
    size = min(12.0, max(7.0, cell * 0.95))
    longest = max((len(name) for name in names), default=0)
    slanted = -45 if len(classes) <= FEW_CLASSES else -90
    angle = 0 if longest * 0.56 * size <= cell - 4 else slanted
    gap = 1 / cell if cell >= 7 else 0
    scale = alt.Scale(domain=names, paddingInner=gap, paddingOuter=gap, round=False)
    axis: dict[str, Any] = {
        "values": names[:: math.ceil(size / cell)],  # labels that would overlap are thinned
        "labelFontSize": size,
        "labelLimit": 0,
        "labelOverlap": False,
        "labelPadding": 4,
        "titlePadding": 10,
        "domain": False,
        "ticks": False,
        "grid": False,
    }
    return {
        "x": alt.X("predicted:N", title="predicted", scale=scale, axis=alt.Axis(labelAngle=angle, **axis)),
        "y": alt.Y("true:N", title="true", scale=scale, axis=alt.Axis(**axis)),
    }


def _tips() -> list[alt.Tooltip]:
    import altair as alt

    share = alt.Tooltip("share:Q", format=".1%")
    return [alt.Tooltip("true:N"), alt.Tooltip("predicted:N"), alt.Tooltip("count:Q"), share]


def _cell_size(classes: int) -> float:
    """Side of a cell in pixels: room for counts with few classes, a picture of bounded size with many."""
    if classes <= FEW_CLASSES:
        return max(32, min(90, 460 // max(classes, 1)))
    return max(1.0, min(20.0, 820 / classes))


def _summary(matrix: NDArray[np.int64]) -> str:
    total, correct = int(matrix.sum()), int(np.trace(matrix))
    return f"{correct:,} of {total:,} images correct ({correct / total:.2%})" if total else "no images"


def _per_cent(share: float) -> str:
    """A share above 0 in at most four characters."""
    text = f"{100 * share:.1f}"
    return {"100.0": "100", "0.0": "<0.1"}.get(text, text)
