"""A confusion matrix as a heatmap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightlab.charts.colormap import BLUES, ink_on, mixed
from sightlab.charts.theme import INK, LINE, TOP_LEVEL, printable, short_names
from sightlab.metrics import check_matrix

if TYPE_CHECKING:
    import altair as alt

# Blue and orange are told apart with any colour vision.
RIGHT_SHADES = BLUES
WRONG_SHADES = ("#fde3cd", "#f08c3a", "#8a3000")
MIDDLE_SHARE = 0.25  # half way up a square-root scale

FEW_CLASSES = 20  # up to which the cells carry their counts or shares

Row = dict[str, Any]


def confusion(matrix: NDArray[np.int64], classes: Sequence[str], title: str | None = None) -> alt.LayerChart:
    """A confusion matrix as a heatmap: rows the true class, columns the predicted one.

    matrix: int64 [C, C]. Colour is the share of the row, on a square-root scale, so that classes of any size compare
    and rare mistakes show; right answers are blue, mistakes orange; what never happened stays white. Up to 20 classes
    the cells carry their counts. The three most frequent mistakes are framed where there are more.

    Raises ValueError when the matrix is not C x C for the C classes, or holds a negative count.
    """
    rows = confusion_rows(matrix, classes)
    framed = worst_cells(rows, "count")
    return _heatmap(matrix, classes, title or "Confusion matrix", rows, "count", framed, "the most frequent mistakes")


def confusion_shares(matrix: NDArray[np.int64], classes: Sequence[str], title: str | None = None) -> alt.LayerChart:
    """A confusion matrix as `confusion` draws it, but with the share of its row, in per cent, in each cell.

    The mistakes that take the three greatest shares of their class are framed where there are more.

    Raises ValueError when the matrix is not C x C for the C classes, or holds a negative count.
    """
    rows = confusion_rows(matrix, classes)
    framed = worst_cells(rows, "share")
    heading = title or "Confusion matrix, per cent of each row"
    return _heatmap(matrix, classes, heading, rows, "per_cent", framed, "the greatest shares of a class mistaken")


def worst_cells(rows: Sequence[Row], field: str, most: int = 3) -> list[Row]:
    """The rows of the greatest mistakes by count or share, the greatest first; equal ones keep their order.

    None where there are no more mistakes than that: to mark them all would mark none.

    >>> cells = [{"right": True, "count": 9}, {"right": False, "count": 2}, {"right": False, "count": 3}]
    >>> [cell["count"] for cell in worst_cells(cells, "count", most=1)], worst_cells(cells, "count", most=2)
    ([3], [])
    """
    mistakes = sorted((row for row in rows if not row["right"]), key=lambda row: -row[field])
    return mistakes[:most] if len(mistakes) > most else []


def _heatmap(
    matrix: NDArray[np.int64],
    classes: Sequence[str],
    title: str,
    rows: list[Row],
    words: str,
    framed: list[Row],
    frames: str,
) -> alt.LayerChart:
    """The picture. words: the field written into the cells; framed: the rows of cells in a frame, frames: which."""
    import altair as alt

    cell = _cell_size(len(classes))
    side = cell * len(classes)
    layers = _cells(min(110, max(45, (side - 90) / 2)))
    if len(classes) <= FEW_CLASSES:
        digits = max((len(str(row[words])) for row in rows), default=1)
        text = alt.Chart().mark_text(fontSize=min(12.0, 1.5 * cell / digits), baseline="middle")
        layers.append(text.encode(text=alt.Text(f"{words}:N"), color=alt.Color("ink:N", scale=None)))
    if framed:
        frame = alt.Chart({"values": [{name: row[name] for name in ("true", "predicted")} for row in framed]})
        layers.append(frame.mark_rect(filled=False, stroke=INK, strokeWidth=2 if cell > 12 else 1.5))
    subtitle = [_summary(matrix), *([f"framed: {frames}"] if framed else [])]
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(**_places(classes, cell)),
        data={"values": rows},
        resolve={"scale": {"color": "independent"}},
        view=alt.ViewBackground(stroke=LINE),
        width=side,
        height=side,
        title=alt.TitleParams(printable(title), subtitle=subtitle),
        **TOP_LEVEL,
    )


def _cells(legend_length: float) -> list[alt.Chart]:
    """The coloured cells, right answers and mistakes, each with a legend of that length in pixels."""
    import altair as alt

    layers = []
    for right, shades, name in (("true", RIGHT_SHADES, "right"), ("false", WRONG_SHADES, "mistaken")):
        scale = alt.Scale(
            type="pow", exponent=0.5, domain=[0, MIDDLE_SHARE, 1], range=list(shades), interpolate="rgb", clamp=True
        )
        legend = alt.Legend(
            title=[name, "share of row"], format=".0%", values=[0.01, 0.1, 0.25, 0.5, 1], gradientLength=legend_length
        )
        cells = alt.Chart().transform_filter(f"datum.right === {right}").mark_rect()
        layers.append(cells.encode(color=alt.Color("share:Q", scale=scale, legend=legend), tooltip=_tips()))
    return layers


def confusion_rows(matrix: NDArray[np.int64], classes: Sequence[str]) -> list[Row]:
    """A row for each cell that is not zero: {true, predicted, count, share, per_cent, right, ink}.

    true, predicted: short names. share: of its row, in (0, 1]; per_cent: the same in words. right: on the diagonal.
    ink: white or near black, whichever reads better on the cell's colour.

    Raises ValueError when the matrix is not C x C for the C classes, or holds a negative count.
    """
    check_matrix(matrix, classes)
    if matrix.min(initial=0) < 0:
        raise ValueError(f"a confusion matrix holds {matrix.min()}; counts are never below 0")
    names = short_names(classes)
    sums = matrix.sum(axis=1).tolist()
    rows = []
    for true, said in np.argwhere(matrix).tolist():
        count, right = int(matrix[true, said]), true == said
        share = count / sums[true]
        along = 0.5 * math.sqrt(share / MIDDLE_SHARE)  # the root of a quarter is the middle of the scale
        ink = ink_on(mixed(RIGHT_SHADES if right else WRONG_SHADES, along))
        names_count = {"true": names[true], "predicted": names[said], "count": count}
        rows.append(names_count | {"share": share, "per_cent": _per_cent(share), "right": right, "ink": ink})
    return rows


def _places(classes: Sequence[str], cell: float) -> dict[str, Any]:
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
    total, right = int(matrix.sum()), int(np.trace(matrix))
    return f"{right:,} of {total:,} images right ({right / total:.2%})" if total else "no images"


def _per_cent(share: float) -> str:
    """A share above 0 in at most four characters."""
    text = f"{100 * share:.1f}"
    return {"100.0": "100", "0.0": "<0.1"}.get(text, text)
