"""A grid of two recipe keys as a heat map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightlab.charts.colormap import BLUES, interpolate, text_colour, to_hex
from sightlab.charts.theme import HAIRLINE, QUIET, TOP_LEVEL, VERMILION, printable, text_width

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

NARROWEST, HEIGHT, GAP = 58.0, 44.0, 2  # pixels of a cell; GAP: between two cells
VALUE_SIZE, NOTE_SIZE, LONGEST_NOTE = 12, 9, 24
SPAN = 4.0  # times the distance from the best value to the median: anything worse has the lightest colour


@dataclass(frozen=True)
class Cell:
    """One run of a grid: the values of two keys, the result, and a note such as the number of epochs.

    x, y: numbers or texts. value: None for a run that was stopped or failed, as the note should say.

    >>> Cell(64, 0.1, 92.31, "12 epochs").value
    92.31
    """

    x: float | str
    y: float | str
    value: float | None
    note: str = ""


def grid_heat(
    cells: Sequence[Cell],
    x: str,
    y: str,
    value: str,
    best: Callable[[Iterable[float]], float] = max,
    digits: int = 2,
) -> alt.LayerChart:
    """A heat map of a grid: a cell for each pair of values, with the result and its note; the best is framed.

    x, y, value: titles with their units. best: max or min. digits: after the decimal point. Numbers are sorted, the
    greatest y on top; texts keep their order. The better a value, the darker its cell; runs without a value are grey,
    pairs that were never run are blank.

    Raises ValueError when there is no cell, or two have the same x and y.
    """
    import altair as alt

    rows = grid_rows(cells, best, digits)
    columns, lines = _ordered(cell.x for cell in cells), _ordered(cell.y for cell in cells)
    if all(isinstance(cell.y, int | float) for cell in cells):
        lines.reverse()
    wide = [text_width(row["text"], VALUE_SIZE) for row in rows] + [text_width(row["note"], NOTE_SIZE) for row in rows]
    wide += [text_width(name, 11) for name in columns]
    width = max(NARROWEST, max(wide) + 12)
    axis: dict[str, Any] = {"labelLimit": 0, "labelAngle": 0, "domain": False, "ticks": False, "labelPadding": 6}
    across = alt.X("x:N", title=printable(x), scale=_bands(columns, width), axis=alt.Axis(**axis))
    down = alt.Y("y:N", title=printable(y), scale=_bands(lines, HEIGHT), axis=alt.Axis(**axis))
    return alt.LayerChart(
        layer=_cells(rows),
        encoding=alt.FacetedEncoding(x=across, y=down),
        data={"values": rows},
        width=width * len(columns),
        height=HEIGHT * len(lines),
        title=alt.TitleParams(printable(value), subtitle=_summary(rows)),
        **TOP_LEVEL,
    )


def grid_rows(cells: Sequence[Cell], best: Callable[[Iterable[float]], float] = max, digits: int = 2) -> list[Row]:
    """A row a cell: {x, y, text, note: as drawn, fill, ink: colours, best: whether no value is better}.

    Values that are not finite count as None. Raises ValueError when there is no cell, or two have the same x and y.
    """
    if not cells:
        raise ValueError("a grid needs at least one cell")
    pairs = [(_label(cell.x), _label(cell.y)) for cell in cells]
    twice = next((pair for number, pair in enumerate(pairs) if pair in pairs[:number]), None)
    if twice:
        raise ValueError(f"two cells of the grid have x {twice[0]} and y {twice[1]}; each pair has one")
    values = [float(c.value) if c.value is not None and math.isfinite(c.value) else None for c in cells]
    known = sorted(v for v in values if v is not None)
    top = best(known) if known else 0.0
    reach = SPAN * abs(top - known[len(known) // 2]) if known else 0.0
    farthest = max((abs(top - v) for v in known), default=0.0)
    span = min(farthest, reach) or farthest or 1.0
    rows = []
    for (x, y), cell, value in zip(pairs, cells, values, strict=True):
        row: Row = {
            "x": x,
            "y": y,
            "text": "",
            "note": _short(cell.note),
            "fill": HAIRLINE,
            "ink": QUIET,
            "best": False,
        }
        if value is not None:
            colour = interpolate(BLUES, 1 - min(1.0, abs(top - value) / span))
            row |= {"text": f"{value:.{digits}f}", "fill": to_hex(colour), "ink": text_colour(colour)}
            row["best"] = value == top
        rows.append(row)
    return rows


def _cells(rows: list[Row]) -> list[alt.Chart]:
    """Coloured cells, their two lines of text, and the frame of the best."""
    import altair as alt

    base = alt.Chart().encode(tooltip=[alt.Tooltip(f"{of}:N") for of in ("x", "y", "text", "note")])
    ink = alt.Color("ink:N", scale=None)
    layers = [base.mark_rect().encode(color=alt.Color("fill:N", scale=None))]
    # A single line is centred in its cell; two are stacked.
    for of, other, size, shift in (("text", "note", VALUE_SIZE, -7), ("note", "text", NOTE_SIZE, 9)):
        for test, dy in ((f"datum.{of} && datum.{other}", shift), (f"datum.{of} && !datum.{other}", 0)):
            chosen = [row for row in rows if row[of] and bool(row[other]) == bool(dy)]
            if chosen:
                words = alt.Chart().transform_filter(test).mark_text(baseline="middle", fontSize=size, dy=dy)
                layers.append(words.encode(text=alt.Text(f"{of}:N"), color=ink))
    if any(row["best"] for row in rows):
        layers.append(
            alt.Chart().transform_filter("datum.best").mark_rect(filled=False, stroke=VERMILION, strokeWidth=3)
        )
    return layers


def _bands(names: list[str], size: float) -> alt.Scale:
    import altair as alt

    return alt.Scale(domain=names, paddingInner=GAP / size, paddingOuter=GAP / size, round=False)


def _ordered(values: Iterable[float | str]) -> list[str]:
    """The labels of the distinct values: numbers sorted, texts in their order."""
    distinct = list(dict.fromkeys(values))
    if all(isinstance(value, int | float) for value in distinct):
        distinct.sort()
    return list(dict.fromkeys(map(_label, distinct)))


def _label(value: float | str) -> str:
    return printable(value) if isinstance(value, str) else f"{value:g}"


def _short(note: str) -> str:
    text = printable(note) if note.strip() else ""
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1].rstrip() + "…"


def _summary(rows: list[Row]) -> str:
    """Which cell is the best, and how many have no value."""
    parts = []
    best = [row["text"] for row in rows if row["best"]]
    if best:
        parts.append(f"best, framed: {best[0]}" + (f" ({len(best)} times)" if len(best) > 1 else ""))
    missing = sum(not row["text"] for row in rows)
    if missing:
        parts.append(f"without a value, grey: {missing}")
    return "; ".join(parts)
