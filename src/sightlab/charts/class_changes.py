"""Accuracy per class in two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.class_accuracy import TIGHT, WIDTH, accuracy_axis, names_axis, row_height
from sightlab.charts.number_format import signed
from sightlab.charts.theme import BLUE, HAIRLINE, INK, QUIET, TOP_LEVEL, VERMILION, short_names
from sightlab.records import ClassChange

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

# Verdicts on a change, with their colours.
VERDICTS = (("worse", VERMILION), ("not significant", QUIET), ("better", BLUE))


def class_changes(changes: Sequence[ClassChange], names: tuple[str, str] = ("first", "second")) -> alt.LayerChart:
    """Accuracy per class in two runs, joined by a line, the largest decrease first and the largest increase last.

    names: of the two runs. A hollow mark is the first run, a filled one the second; significant changes
    (`ClassChange.significant`) are coloured. Classes without images are left out.

    Raises ValueError when no class has images.
    """
    import altair as alt

    rows = change_rows(changes)
    height = row_height(len(rows))
    x = accuracy_axis("second", min(min(row["first"], row["second"]) for row in rows), len(rows))
    first, second = short_names(names, most=32)
    subtitle = [f"hollow: {first}; filled: {second}", "blue, orange: significant (p < 0.05, Holm-corrected)"]
    layers = _dumbbells(rows, height)
    if height >= TIGHT:
        text = alt.Chart().mark_text(align="left", baseline="middle", fontSize=min(11.0, 0.8 * height), color=INK)
        layers.append(text.encode(x=alt.value(WIDTH + 10), text=alt.Text("text:N")))
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=x, y=names_axis([row["class"] for row in rows], height)),
        data={"values": rows},
        width=WIDTH,
        height=height * len(rows),
        title=alt.TitleParams("Change of accuracy per class", subtitle=subtitle),
        **TOP_LEVEL,
    )


def change_rows(changes: Sequence[ClassChange]) -> list[Row]:
    """A row for each class with images, by its change: {class, first, second, change, images, verdict, text}.

    first, second, change: in per cent and points. verdict: one of VERDICTS. Equal changes keep the classes' order.

    Raises ValueError when no class has images.
    """
    named = zip(short_names([change.name for change in changes]), changes, strict=True)
    known = [(name, change) for name, change in named if change.images]
    if not known:
        raise ValueError(f"{len(changes)} classes without images; at least one image is needed")
    rows = []
    for name, one in sorted(known, key=lambda row: row[1].difference):
        verdict = ("better" if one.difference > 0 else "worse") if one.significant else "not significant"
        shares = {"first": 100 * one.first, "second": 100 * one.second, "change": 100 * one.difference}
        text = f"{signed(100 * one.difference, digits=1)}, n = {one.images:,}"
        rows.append({"class": name, **shares, "images": one.images, "verdict": verdict, "text": text})
    return rows


def _dumbbells(rows: list[Row], height: float) -> list[alt.Chart]:
    """For each class a hairline to its name, the two accuracies and the line between them."""
    import altair as alt

    tips = [alt.Tooltip("class:N"), alt.Tooltip("images:Q", format=",d"), alt.Tooltip("verdict:N")]
    tips += [alt.Tooltip(f"{of}:Q", format=".2f") for of in ("first", "second", "change")]
    size = min(60.0, 3.2 * height)
    layers = []
    if height >= TIGHT:
        line = alt.Chart().mark_rule(color=HAIRLINE, strokeWidth=1)
        layers.append(line.encode(x=alt.value(0), x2=alt.value("width")))
    for verdict, colour in VERDICTS:
        if any(row["verdict"] == verdict for row in rows):
            own = alt.Chart().transform_filter(f"datum.verdict === '{verdict}'").encode(tooltip=tips)
            bar = own.mark_rule(color=colour, strokeWidth=min(3.0, height / 5), opacity=0.6)
            layers.append(bar.encode(x2=alt.X2(field="first")))
            before = own.mark_point(stroke=colour, fill="white", strokeWidth=1.4, size=size, opacity=1)
            layers.append(before.encode(x=alt.X("first:Q")))
            layers.append(own.mark_point(stroke=colour, fill=colour, strokeWidth=1.4, size=size, opacity=1))
    return layers
