"""Charts of a hyperparameter search: trials over epochs, parallel coordinates, score against cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightlab.charts.axis_scales import Scale, spanning, time_unit
from sightlab.charts.colormap import BLUES, interpolate, to_hex
from sightlab.charts.learning_curves import epoch_ticks, finite, log_ticks
from sightlab.charts.theme import (
    BLUE,
    HAIRLINE,
    INK,
    LINE,
    QUIET,
    TOP_LEVEL,
    VERMILION,
    printable,
    short_names,
    text_width,
)
from sightlab.records import Epoch

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, Any]

WIDTH, HEIGHT, MARGIN = 560, 320, 16
AXIS_HEIGHT, TICK_SIZE, NAME_SIZE = 280, 10, 11
WIDE = 8  # an axis has a log scale if its largest value is more than this times the smallest


@dataclass(frozen=True)
class TrialSummary:
    """One trial of a search, as its charts show it.

    name: shown in tooltips. score: None if it failed. rank: of its score, 1 for the best; None without a
    score. state: "complete", "pruned" or "failed". seconds: of training. shares: the positions of its values along the
    axes, in [0, 1].
    """

    name: str
    score: float | None
    rank: int | None
    state: str
    seconds: float = 0.0
    epochs: tuple[Epoch, ...] = ()
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class ParameterAxis:
    """An axis of parallel coordinates. name: of the parameter. ticks: (position in [0, 1], label), from the lowest."""

    name: str
    ticks: tuple[tuple[float, str], ...]


def trial_losses(trials: Sequence[TrialSummary], best: int = 5) -> alt.LayerChart:
    """Validation loss of every trial over the epochs: the best in blue, pruned ones in orange, the others grey.

    Raises ValueError when no trial has an epoch.
    """
    import altair as alt

    rows = loss_rows(trials, best)
    first, last = min(row["epoch"] for row in rows), max(row["epoch"] for row in rows)
    domain = [first, last] if last > first else [first - 0.5, last + 0.5]
    axis = alt.Axis(values=epoch_ticks(first, last), format="d", grid=False)
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=domain, nice=False, padding=8), axis=axis)
    y = _losses([row["loss"] for row in rows if row["loss"] is not None])
    base = alt.Chart().encode(color=alt.Color("colour:N", scale=None), detail=alt.Detail("trial:N"), tooltip=["name:N"])
    layers = []
    for kind, width in (("other", 1.0), ("pruned", 1.2), ("best", 2.2)):
        own = base.transform_filter(f"datum.kind === '{kind}'")
        layers.append(own.mark_line(strokeWidth=width, opacity=0.9, strokeJoin="round"))
        layers.append(own.transform_filter("datum.last").mark_point(size=28, filled=True, opacity=1))
    count = sum(trial.state == "pruned" for trial in trials)
    subtitle = f"blue: the best {best}; orange: pruned ({count}); grey: the others" if len(trials) > best else ""
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=x, y=y),
        data={"values": rows},
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams(f"Validation loss of {len(trials)} trials", subtitle=subtitle),
        **TOP_LEVEL,
    )


def _losses(losses: Sequence[float]) -> alt.Y:
    """The axis of losses, on a log scale where one diverging trial would flatten the others."""
    import altair as alt

    title = "validation loss (nats)"
    if not losses or min(losses) <= 0 or max(losses) <= WIDE * min(losses):
        return alt.Y("loss:Q", title=title, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=6))
    low, high = min(losses), max(losses)
    scale = alt.Scale(domain=[low, high], type="log", nice=False, padding=8)
    axis = alt.Axis(values=log_ticks(low, high), format="~g")
    return alt.Y("loss:Q", title=f"{title}, log scale", scale=scale, axis=axis)


def loss_rows(trials: Sequence[TrialSummary], best: int) -> list[Row]:
    """A row for each epoch of a trial: {trial: its index, name, epoch, loss: None if not finite, kind, colour, last}.

    Raises ValueError when no trial has an epoch.
    """
    colours = {"best": BLUE, "pruned": VERMILION, "other": LINE}
    rows = []
    for number, trial in enumerate(trials):
        among_best = trial.rank is not None and trial.rank <= best
        kind = "best" if among_best else "pruned" if trial.state == "pruned" else "other"
        for epoch in trial.epochs:
            row = {"trial": number, "name": printable(trial.name), "epoch": epoch.epoch, "kind": kind}
            last = epoch is trial.epochs[-1]
            rows.append(row | {"loss": finite(epoch.validation_loss), "colour": colours[kind], "last": last})
    if not rows:
        raise ValueError("curves of trials need at least one epoch")
    return rows


def parallel_coordinates(axes: Sequence[ParameterAxis], trials: Sequence[TrialSummary], score: str) -> alt.LayerChart:
    """A line for each trial across the parameters' axes, the better the darker; pruned trials dashed, failed left out.

    With a single axis each trial is a dot, hollow if it was pruned.

    score: the name of the score. Raises ValueError for no axis, or no trial with a score.
    """
    import altair as alt

    rows = line_rows(axes, trials)
    names = short_names([axis.name for axis in axes])
    labels = [text_width(printable(text), TICK_SIZE) for axis in axes for _, text in axis.ticks]
    step = max(120.0, max(labels) + 30, *(text_width(name, NAME_SIZE) + 20 for name in names))
    top = alt.Axis(orient="top", labelAngle=0, labelLimit=0, domain=False, ticks=False, labelPadding=10, title=None)
    x = alt.X("axis:N", scale=alt.Scale(domain=names, type="point", padding=0.5), axis=top)
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    pruned = "dashed" if len(names) > 1 else "hollow"
    return alt.LayerChart(
        layer=[_axis_lines(names), *_trials(rows, len(names) == 1), *_ticks(axes, names)],
        encoding=alt.FacetedEncoding(x=x, y=y),
        width=step * len(names),
        height=AXIS_HEIGHT,
        title=alt.TitleParams(
            "Parameters of the trials", subtitle=f"darker: better {score}; orange: the best; {pruned}: pruned"
        ),
        **TOP_LEVEL,
    )


def _axis_lines(names: Sequence[str]) -> alt.Chart:
    """The parameters' axes."""
    import altair as alt

    ends = [{"axis": name, "share": 0.0, "end": 1.0} for name in names]
    rule = alt.Chart({"values": ends}).mark_rule(color=HAIRLINE, strokeWidth=2)
    lines: alt.Chart = rule.encode(y2=alt.Y2(field="end"))
    return lines


def _trials(rows: list[Row], alone: bool) -> list[alt.Chart]:
    """The trials' lines, the best on top; dots where there is a single axis."""
    import altair as alt

    base = alt.Chart({"values": rows}).encode(
        color=alt.Color("colour:N", scale=None), detail=alt.Detail("trial:N"), tooltip=["name:N"], order="position:Q"
    )
    layers = []
    for state, dash in (("pruned", [3, 3]), ("complete", [1, 0])):
        some = base.transform_filter(f"datum.state === '{state}'")
        dots = some.mark_point(size=60, filled=state == "complete", opacity=1)
        layers.append(dots if alone else some.mark_line(strokeWidth=1.4, strokeDash=dash))
    best = base.transform_filter("datum.best")
    best = best.mark_point(size=90, filled=True, opacity=1) if alone else best.mark_line(strokeWidth=3)
    return [*layers, best.encode(color=alt.value(VERMILION))]


def _ticks(axes: Sequence[ParameterAxis], names: Sequence[str]) -> list[alt.Chart]:
    """The values along each axis; at the last axis to its right, where there are no lines."""
    import altair as alt

    layers = []
    for number, (name, axis) in enumerate(zip(names, axes, strict=True)):
        side = 1 if 0 < number == len(names) - 1 else -1
        ticks = [{"axis": name, "share": share, "text": printable(text)} for share, text in axis.ticks]
        words = alt.Chart({"values": ticks}).encode(text="text:N")
        style: dict[str, Any] = {"align": "left" if side > 0 else "right", "dx": 6 * side}
        style |= {"baseline": "middle", "fontSize": TICK_SIZE}
        # A white halo keeps the letters readable where lines cross them.
        layers.append(words.mark_text(stroke="white", strokeWidth=3, strokeJoin="round", opacity=0.85, **style))
        layers.append(words.mark_text(color=INK, **style))
    return layers


def line_rows(axes: Sequence[ParameterAxis], trials: Sequence[TrialSummary]) -> list[Row]:
    """A row for each trial with a score at each axis: {trial, name, axis, position, share, colour, state, best}.

    The worst trial comes first, so that better ones are drawn above it. Raises ValueError for no axis, or no trial.
    """
    ranked = sorted((one for one in trials if one.rank is not None), key=lambda one: -(one.rank or 0))
    if not axes or not ranked:
        raise ValueError("parallel coordinates need an axis, and a trial with a score")
    names = short_names([axis.name for axis in axes])
    rows: list[Row] = []
    for number, trial in enumerate(ranked):
        shade = to_hex(interpolate(BLUES, (number + 1) / len(ranked)))
        row = {"trial": number, "name": printable(trial.name), "colour": shade, "state": trial.state}
        row |= {"best": trial.rank == 1}
        for position, (name, share) in enumerate(zip(names, trial.shares, strict=True)):
            rows.append(row | {"axis": name, "position": position, "share": share})
    return rows


def cost_scores(trials: Sequence[TrialSummary], score: str) -> alt.LayerChart:
    """The score of each trial against its training time: filled if it ran all its epochs, else hollow.

    score: its title, with the unit. Raises ValueError where no trial has a score and a time.
    """
    import altair as alt

    rows = cost_rows(trials)
    unit, seconds = time_unit(max(row["seconds"] for row in rows))
    times = [row["seconds"] / seconds for row in rows]
    rows = [row | {"time": time} for row, time in zip(rows, times, strict=True)]
    across = spanning(times, MARGIN, WIDTH - MARGIN, log=max(times) > WIDE * min(times))
    up = spanning([row["score"] for row in rows], HEIGHT - MARGIN, MARGIN)
    y = alt.Y("score:Q", title=score, scale=_scale(up), axis=alt.Axis(tickCount=6))
    layers = []
    for kind, fill, stroke in (("early", "white", VERMILION), ("complete", QUIET, QUIET), ("best", BLUE, BLUE)):
        own = alt.Chart({"values": [row for row in rows if row["kind"] == kind]})
        mark = own.mark_point(size=64, fill=fill, stroke=stroke, strokeWidth=1.5, opacity=1)
        layers.append(mark.encode(tooltip=["name:N", alt.Tooltip("score:Q", format=".4f")]))
    return alt.LayerChart(
        layer=layers,
        encoding=alt.FacetedEncoding(x=_times(across, unit), y=y),
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams(
            "Score against cost", subtitle="blue: the best; grey: the others; orange, hollow: pruned"
        ),
        **TOP_LEVEL,
    )


def cost_rows(trials: Sequence[TrialSummary]) -> list[Row]:
    """A row for each trial with a score that took time: {name, seconds, score, kind: best, complete or early}.

    Raises ValueError where there is none.
    """
    rows = [
        {
            "name": printable(trial.name),
            "seconds": trial.seconds,
            "score": trial.score,
            "kind": "best" if trial.rank == 1 else "complete" if trial.state == "complete" else "early",
        }
        for trial in trials
        if trial.score is not None and trial.seconds > 0
    ]
    if not rows:
        raise ValueError("no trial has a score and a time")
    return rows


def _scale(found: Scale) -> alt.Scale:
    import altair as alt

    return alt.Scale(domain=[found.low, found.high], nice=False, zero=False, padding=MARGIN)


def _times(found: Scale, unit: str) -> alt.X:
    import altair as alt

    if not found.log:
        return alt.X(
            "time:Q", title=f"training time ({unit})", scale=_scale(found), axis=alt.Axis(tickCount=6, grid=False)
        )
    axis = alt.Axis(values=log_ticks(found.low, found.high), format="~g", grid=False)
    scale = alt.Scale(domain=[found.low, found.high], type="log", nice=False, padding=MARGIN)
    return alt.X("time:Q", title=f"training time ({unit}), log scale", scale=scale, axis=axis)
