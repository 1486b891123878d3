"""Learning curves: loss, accuracy and the recipe's metrics over the epochs of a training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sightlab.charts.axis_scales import spanning
from sightlab.charts.theme import BLUE, INK, QUIET, TOP_LEVEL, VERMILION, short_names
from sightlab.records import Epoch

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

# The splits also differ in dash and marker, for greyscale print.
SPLITS = ["train", "validation"]
COLOURS, DASHES, SHAPES = (VERMILION, BLUE), ([5, 3], [1, 0]), ("circle", "diamond")

FEW_EPOCHS = 40  # up to which every epoch has a marker
WIDTH, HEIGHT = 330, 230


def learning_curves(epochs: Sequence[Epoch]) -> alt.ConcatChart:
    """Loss and accuracy of each epoch, train and validation, and a panel for each metric; the best epoch is marked.

    The best epoch is the last that is marked best. A loss whose range would flatten its curve is drawn on a log
    scale; values that are not finite are left out.

    Raises ValueError when there is no epoch.
    """
    import altair as alt

    rows = curve_rows(epochs)
    best = best_row(epochs)
    names = metric_names(epochs)
    titles = zip(map(_metric_field, range(len(names))), short_names(names, most=36), strict=True)
    fields = [("loss", "loss (nats)"), ("accuracy", "accuracy (%)"), *titles]
    panels = [_panel(rows, best, field, title) for field, title in fields]
    # The rows are given once, to the whole: Altair copies a panel's data with every change of the panel.
    return alt.ConcatChart(concat=panels, columns=2, data={"values": rows}, spacing=36, **TOP_LEVEL)


def curve_rows(epochs: Sequence[Epoch]) -> list[Row]:
    """Two rows an epoch: {epoch, split: train or validation, loss in nats, accuracy in per cent, metric0, ...}.

    The metrics are those of `metric_names`, in its order; they are of validation, so None for train. A value that is
    missing or not finite is None. Raises ValueError when there is no epoch.
    """
    if not epochs:
        raise ValueError("learning curves need at least one epoch")
    names = metric_names(epochs)
    rows = []
    for e in epochs:
        train, validation = (e.train_loss, e.train_accuracy), (e.validation_loss, e.validation_accuracy)
        for split, (loss, accuracy) in zip(SPLITS, (train, validation), strict=True):
            row: Row = {"epoch": e.epoch, "split": split, "loss": finite(loss), "accuracy": finite(100 * accuracy)}
            known = e.metrics if split == "validation" else {}
            row |= {_metric_field(n): finite(known.get(name, math.nan)) for n, name in enumerate(names)}
            rows.append(row)
    return rows


def metric_names(epochs: Sequence[Epoch]) -> list[str]:
    """The names of the metrics that any epoch has, in the order in which they first occur."""
    return list(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))


def _metric_field(number: int) -> str:
    # A metric's own name may hold what means something to Vega-Lite: dots, colons, brackets.
    return f"metric{number}"


def best_row(epochs: Sequence[Epoch]) -> Row | None:
    """The validation row of the last epoch marked best; None when no epoch is."""
    best = [number for number, epoch in enumerate(epochs) if epoch.best]
    return curve_rows(epochs)[2 * best[-1] + 1] if best else None


def epoch_ticks(first: int, last: int, most: int = 8) -> list[int]:
    """Whole epochs for an axis: the first, then round numbers up to the last, at most about `most`.

    >>> epoch_ticks(1, 5), epoch_ticks(1, 300), epoch_ticks(7, 7)
    ([1, 2, 3, 4, 5], [1, 50, 100, 150, 200, 250, 300], [7])
    """
    steps = (base * 10**power for power in range(20) for base in (1, 2, 5))
    step = next(step for step in steps if last - first <= step * (most - 1))
    # A round number right beside the first epoch would overlap it.
    return [first, *(tick for tick in range(0, last + 1, step) if tick - first > step / 2)]


def needs_log(values: Iterable[float | None]) -> bool:
    """True when the largest value is over eight times the median, so that a linear axis would flatten the curve.

    False where a value is not above 0, which a log scale cannot show.

    >>> needs_log([40.0, 1.0, 0.9, 0.8, None]), needs_log([2.3, 1.0, 0.9])
    (True, False)
    """
    known = [v for v in values if v is not None]
    return bool(known) and min(known) > 0 and max(known) > 8 * float(np.median(known))


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten from low to high (both above 0); powers alone where there would be many.

    >>> log_ticks(0.15, 3), log_ticks(0.5, 2e6)
    ([0.2, 0.5, 1.0, 2.0], [1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0, 1000000.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{base}e{power}") for power in powers for base in (1, 2, 5)]
    if len(powers) > 5:
        ticks = ticks[:: 3 * math.ceil(len(powers) / 10)]
    return [tick for tick in ticks if low <= tick <= high]


def _panel(rows: list[Row], best: Row | None, field: str, title: str) -> alt.LayerChart:
    import altair as alt

    first, last = rows[0]["epoch"], rows[-1]["epoch"]
    domain = [first, last] if last > first else [first - 0.5, last + 0.5]  # one epoch alone would give it no width
    ticks = alt.Axis(values=epoch_ticks(first, last), format="d", grid=False)
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=domain, nice=False, padding=8), axis=ticks)
    y = value_axis(rows, field, title)
    # Channels are spelt out: parsing a shorthand string takes Altair four times as long.
    value = alt.Tooltip(f"{field}:Q", title=title, format=_digits(field))
    base = alt.Chart().encode(tooltip=[alt.Tooltip("split:N"), alt.Tooltip("epoch:Q"), value])
    layers = [*(_lines(base, last - first) if last > first else _lone_points(base))]
    if best is not None and best[field] is not None:
        layers += _best_marks(best, field, (best["epoch"] - domain[0]) / (domain[1] - domain[0]))
    return alt.LayerChart(layer=layers, encoding=alt.FacetedEncoding(x=x, y=y), width=WIDTH, height=HEIGHT)


def _lines(base: alt.Chart, span: int) -> list[alt.Chart]:
    """The lines, which the legend shows, with markers if there is room."""
    import altair as alt

    legend = alt.Legend(title=None, orient="top", columnPadding=18, offset=24, symbolType="stroke", symbolSize=700)
    lines = base.mark_line(strokeWidth=2 if span < FEW_EPOCHS else 1.5).encode(
        color=alt.Color("split:N", scale=alt.Scale(domain=SPLITS, range=COLOURS), legend=legend),
        strokeDash=alt.StrokeDash("split:N", scale=alt.Scale(domain=SPLITS, range=DASHES), legend=legend),
    )
    if span >= FEW_EPOCHS:
        return [lines]
    # Markers are constants, not encodings: encoded ones would push the lines out of the legend.
    marked = (
        base.transform_filter(f"datum.split === '{split}'").mark_point(
            shape=shape, color=colour, size=34, filled=True, opacity=1
        )
        for split, shape, colour in zip(SPLITS, SHAPES, COLOURS, strict=True)
    )
    return [lines, *marked]


def _lone_points(base: alt.Chart) -> list[alt.Chart]:
    """A single epoch has no line; the legend shows the markers."""
    import altair as alt

    legend = alt.Legend(title=None, orient="top", columnPadding=18, offset=24, symbolSize=70)
    color = alt.Color("split:N", scale=alt.Scale(domain=SPLITS, range=COLOURS), legend=legend)
    shape = alt.Shape("split:N", scale=alt.Scale(domain=SPLITS, range=SHAPES), legend=legend)
    return [base.mark_point(size=60, filled=True, opacity=1).encode(color=color, shape=shape)]


def value_axis(rows: list[Row], field: str, title: str) -> alt.Y:
    """The axis of a panel: a log scale for a loss that a linear one would flatten; accuracy never beyond 100 %."""
    import altair as alt

    # Rounding the ends to ticks could take the axis of accuracy beyond 100 %; the padding keeps markers whole.
    bounds: dict[str, Any] = {"nice": False, "padding": 8}
    values = [row[field] for row in rows if row[field] is not None]
    if not values:  # nothing finite to show: an empty axis, where Vega would draw NaN
        empty = alt.Scale(domain=[0, 1])
        return alt.Y(f"{field}:Q", title=title, scale=empty, axis=alt.Axis(values=[]))
    if field == "loss" and needs_log(values):
        axis = alt.Axis(values=log_ticks(min(values), max(values)), format="~r")
        return alt.Y(f"{field}:Q", title=f"{title}, log scale", scale=alt.Scale(type="log", **bounds), axis=axis)
    if min(values) == max(values):  # of a single value Vega would label whole numbers alone, which are not it
        around = spanning(values, 0, HEIGHT)
        top = min(around.high, 100.0) if field == "accuracy" else around.high
        bounds["domain"] = [around.low, max(top, values[0])]
    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(zero=False, **bounds), axis=alt.Axis(tickCount=6))


def _best_marks(best: Row, field: str, along: float) -> list[alt.Chart]:
    """A rule at the best epoch, a ring around its value and a label above the panel.

    along: the position of the epoch on the axis, in [0, 1].
    """
    import altair as alt

    align: Any = "left" if along < 0.2 else "right" if along > 0.8 else "center"
    label = f"best: epoch {best['epoch']}, {best[field]:{_digits(field)}}{'%' if field == 'accuracy' else ''}"
    base = alt.Chart({"values": [best | {"label": label}]})
    return [
        base.mark_rule(color=QUIET, strokeWidth=1, strokeDash=[2, 2]).encode(y=alt.value(0), y2=alt.value("height")),
        base.mark_point(size=130, color=INK, strokeWidth=1.5, filled=False, opacity=1),
        base.mark_text(align=align, baseline="bottom", fontSize=11, color=INK).encode(
            text=alt.Text("label:N"), y=alt.value(-5)
        ),
    ]


def _digits(field: str) -> str:
    return {"loss": ".4f", "accuracy": ".2f"}.get(field, ".4g")


def finite(value: float) -> float | None:
    """The value, or None where it is not a finite number: JSON has no other."""
    return float(value) if math.isfinite(value) else None
