"""The learning curves of several candidates in one chart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightlab.charts.axis_scales import time_unit
from sightlab.charts.learning_curves import SPLITS, Row, epoch_ticks, finite, value_axis
from sightlab.charts.theme import TOP_LEVEL, line_styles, short_names, text_width
from sightlab.records import Epoch

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 340, 210
FEW_RUNS = 12  # with more runs the lines are thinner
LEGEND_WIDTH, SYMBOL, NAME_SIZE = 2 * WIDTH, 52, 11


def comparison_curves(runs: Sequence[tuple[str, Sequence[Epoch]]]) -> alt.ConcatChart:
    """Loss and accuracy of several candidates, over epochs at the left and over time at the right.

    runs: (candidate, its epochs) for each run; the runs of one candidate (its seeds) share a name and a colour.
    Validation is bold, training thin. Non-finite values and runs without epochs are left out.

    Raises ValueError when no run has an epoch.
    """
    import altair as alt

    rows = comparison_rows(runs)
    for field in ("loss", "accuracy"):
        mark_isolated(rows, field)
    unit, seconds = time_unit(max(row["seconds"] for row in rows))
    data = {"values": [row | {"time": row["seconds"] / seconds} for row in rows]}
    panels = [
        _panel(rows, field, title, x)
        for field, title in (("loss", "loss (nats)"), ("accuracy", "accuracy (%)"))
        for x in (_epochs(rows), _time(unit))
    ]
    heading = alt.TitleParams("Learning curves", subtitle=_subtitle(rows))
    spacing = {"row": 18, "column": 30}
    return alt.ConcatChart(concat=panels, columns=2, data=data, spacing=spacing, title=heading, **TOP_LEVEL)


def comparison_rows(runs: Sequence[tuple[str, Sequence[Epoch]]]) -> list[Row]:
    """Two rows an epoch of a run, in order: {name, run: its index, split, epoch, seconds, loss, accuracy}.

    seconds: since the run's start, at the end of the epoch. Loss in nats, accuracy in per cent, None where not finite.

    Raises ValueError when no run has an epoch.
    """
    names = list(dict.fromkeys(name for name, _ in runs))
    short = dict(zip(names, short_names(names, most=30), strict=True))
    rows = []
    for number, (name, epochs) in enumerate(runs):
        ends = list(itertools.accumulate(e.seconds for e in epochs))
        for split in SPLITS:
            for e, end in zip(epochs, ends, strict=True):
                loss, accuracy = getattr(e, f"{split}_loss"), getattr(e, f"{split}_accuracy")
                row = {"name": short[name], "run": number, "split": split, "epoch": e.epoch, "seconds": end}
                rows.append(row | {"loss": finite(loss), "accuracy": finite(100 * accuracy)})
    if not rows:
        raise ValueError("comparison curves need at least one run with an epoch")
    return rows


def mark_isolated(rows: list[Row], field: str) -> None:
    """Mark each row whose value has no neighbour to draw a line to: sets `{field}_isolated`."""
    for _, line in itertools.groupby(rows, key=lambda row: (row["run"], row["split"])):
        own = list(line)
        known = [False, *(row[field] is not None for row in own), False]
        for row, (before, here, after) in zip(own, zip(known, known[1:], known[2:], strict=False), strict=True):
            row[f"{field}_isolated"] = here and not before and not after


def _panel(rows: list[Row], field: str, title: str, x: alt.X) -> alt.LayerChart:
    import altair as alt

    names = list(dict.fromkeys(row["name"] for row in rows))
    colours, dashes = line_styles(len(names))
    legend = _legend(names)
    color = alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    dash = alt.StrokeDash("name:N", scale=alt.Scale(domain=names, range=dashes), legend=legend)
    base = alt.Chart().encode(color=color, tooltip=[alt.Tooltip("name:N"), alt.Tooltip("split:N")])
    thin_bold = (1.0, 2.2) if rows[-1]["run"] < FEW_RUNS else (0.7, 1.4)
    layers = []
    for split, width, opacity in zip(SPLITS, thin_bold, (0.6, 1.0), strict=True):
        own = base.transform_filter(f"datum.split === '{split}'")
        line = own.mark_line(strokeWidth=width, opacity=opacity, strokeJoin="round")
        layers.append(line.encode(strokeDash=dash, detail=alt.Detail("run:N")))
    if any(row[f"{field}_isolated"] for row in rows):
        for split, filled in zip(SPLITS, (False, True), strict=True):
            isolated = base.transform_filter(f"datum.{field}_isolated && datum.split === '{split}'")
            layers.append(isolated.mark_point(size=46, filled=filled, opacity=1, strokeWidth=1.5))
    encoding = alt.FacetedEncoding(x=x, y=value_axis(rows, field, title))
    return alt.LayerChart(layer=layers, encoding=encoding, width=WIDTH, height=HEIGHT)


def _legend(names: Sequence[str]) -> alt.Legend:
    """A legend above the panels, with as many columns as fit."""
    import altair as alt

    widest = SYMBOL + max(text_width(name, NAME_SIZE) for name in names)
    columns = max(1, min(len(names), int(LEGEND_WIDTH / widest)))
    style: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 700, "symbolStrokeWidth": 2.2, "symbolOpacity": 1}
    return alt.Legend(title=None, orient="top", columns=columns, columnPadding=18, labelLimit=0, **style)


def _subtitle(rows: list[Row]) -> str:
    """How training and validation differ in the chart."""
    isolated = any(row["loss_isolated"] or row["accuracy_isolated"] for row in rows)
    return "bold: validation; thin: training" + ("; a single epoch: filled and hollow" if isolated else "")


def _epochs(rows: list[Row]) -> alt.X:
    import altair as alt

    first, last = min(row["epoch"] for row in rows), max(row["epoch"] for row in rows)
    domain = [first, last] if last > first else [first - 0.5, last + 0.5]  # one epoch alone would give it no width
    axis = alt.Axis(values=epoch_ticks(first, last), format="d", grid=False)
    return alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=domain, nice=False, padding=8), axis=axis)


def _time(unit: str) -> alt.X:
    import altair as alt

    scale = alt.Scale(zero=True, nice=False, padding=8)
    return alt.X("time:Q", title=f"time ({unit})", scale=scale, axis=alt.Axis(tickCount=6, grid=False))
