"""The pictures of a search: the grid as a heat map, losses, parameters side by side, what matters, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightlab import charts
from sightlab.charts import Cell, ParameterAxis, Tried
from sightlab.errors import StudyError
from sightlab.records import Epoch
from sightlab.report.article import Picture
from sightlab.report.phrases import counted
from sightlab.tune.importance import importance
from sightlab.tune.rungs import is_prefix
from sightlab.tune.space import Axis, Choice, short_key, shown, worded
from sightlab.tune.trials import Trial, furthest_first, ranked
from sightlab.tune.tuner import Tuner

BEST = 5  # trials whose curves are shown alone
MOST_TICKS = 9  # labels of an axis


def tried(tuner: Tuner) -> list[Tried]:
    """The trials as the charts take them, without those that only repeat another; scores in per cent, or nats."""
    order = order_of(tuner)
    places = {trial.number: place for place, trial in enumerate(order, 1)}
    factor = 100.0 if tuner.plan.high else 1.0
    found = []
    for trial in tuner.trials:
        if trial.twin is None:
            place = places.get(trial.number)
            score = factor * (trial.value or 0.0) if place is not None else None
            ended = {"open": "pruned"}.get(trial.state, trial.state)
            shares = tuple(share_of(axis, trial.values[key]) for key, axis in tuner.plan.space.axes.items())
            name = f"{trial.number + 1}: {worded(trial.values)}"
            found.append(Tried(name, score, place, ended, seconds_of(tuner, trial), epochs_of(tuner, trial), shares))
    return found


def order_of(tuner: Tuner) -> list[Trial]:
    """The trials with a value, the best first: those that can be chosen, then those that had fewer epochs."""
    first = ranked(tuner.plan, tuner.trials)
    rest = [one for one in tuner.trials if one not in first and one.twin is None and one.state != "failed"]
    return [*first, *furthest_first(tuner.plan, rest)]


def epochs_of(tuner: Tuner, trial: Trial) -> tuple[Epoch, ...]:
    """The epochs of a trial's first seed, in the longest of its runs."""
    places = range(max(1, len(trial.values_at)))
    return max((tuner.book.of(trial, place)[0].shown for place in places), key=len)


def seconds_of(tuner: Tuner, trial: Trial) -> float:
    """The time a trial was trained: of all its seeds, and of each rung where these are runs of their own."""
    places = (len(trial.rungs) - 1,) if is_prefix(trial.recipe) else range(max(1, len(trial.values_at)))
    runs = [run for place in places for run in tuner.book.of(trial, place)]
    return sum(epoch.seconds for run in runs for epoch in run.shown)


def share_of(axis: Axis, value: Any) -> float:
    """How far along its axis a value lies, in [0, 1]."""
    if isinstance(axis, Choice):
        return axis.values.index(value) / max(1, len(axis.values) - 1)
    return axis.share(value)


def axis_of(key: str, axis: Axis) -> ParameterAxis:
    """A parameter's axis: the values of a list, the ends and the middle of a range."""
    if isinstance(axis, Choice):
        step = -(-len(axis.values) // MOST_TICKS)
        ticks = [(share_of(axis, value), shown(value)) for value in axis.values[::step]]
    else:
        middle = (axis.low * axis.high) ** 0.5 if axis.log else (axis.low + axis.high) / 2
        ticks = [(axis.share(value), shown(float(value))) for value in (axis.low, middle, axis.high)]
    return ParameterAxis(short_key(key), tuple(ticks))


def heat_map(tuner: Tuner) -> Picture | None:
    """The first two lists as a heat map; of further keys the best value of each cell. None with fewer than two."""
    plan = tuner.plan
    keys = [key for key, axis in plan.space.axes.items() if isinstance(axis, Choice)][:2]
    if len(keys) < 2:
        return None
    y, x = keys
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in tuner.trials:
        groups.setdefault((str(trial.values[x]), str(trial.values[y])), []).append(trial)
    cells = [cell_of(tuner, x, y, trials) for trials in groups.values()]
    what = "validation accuracy (%)" if plan.high else "validation loss (nats)"
    best, digits = (max, 2) if plan.high else (min, 4)
    heat = charts.grid_heat(cells, short_key(x), short_key(y), what[0].upper() + what[1:], best, digits)
    rest = len(plan.space.axes) - 2
    caption = f"Below each {what.partition(' (')[0]}: after how many epochs, and whether the trial was ended early."
    caption += f" Of {rest} further keys each cell has the best." if rest else ""
    return Picture("grid", charts.svg_of(heat), f"Heat map of {short_key(x)} and {short_key(y)}: {what}", caption)


def cell_of(tuner: Tuner, x: str, y: str, trials: Sequence[Trial]) -> Cell:
    """A cell of the heat map: the best of its trials, those with all their epochs before the others."""
    order = [one for one in order_of(tuner) if one in trials]
    best = order[0] if order else trials[0]
    factor = 100.0 if tuner.plan.high else 1.0
    value = factor * best.value if best.value is not None and order else None
    notes = {"failed": "failed", "pruned": f"ended early, {best.epochs} ep.", "open": f"cut off, {best.epochs} ep."}
    note = notes.get(best.state, counted(best.epochs, "epoch"))
    return Cell(place_of(tuner, x, best.values[x]), place_of(tuner, y, best.values[y]), value, note)


def place_of(tuner: Tuner, key: str, value: Any) -> float | str:
    """A value as the heat map takes it: a number where all of its list are."""
    axis = tuner.plan.space.axes[key]
    assert isinstance(axis, Choice)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in axis.values)
    return value if numbers else shown(value)


def loss_pictures(tuner: Tuner) -> list[Picture]:
    """The loss of all trials, and the curves of the best."""
    trials = [one for one in tried(tuner) if one.epochs]
    if not trials:
        return []
    every = Picture(
        "losses",
        charts.svg_of(charts.trial_losses(trials, BEST)),
        f"Validation loss of {len(trials)} trials over epochs",
    )
    best = sorted((one for one in trials if one.better is not None), key=lambda one: one.better or 0)[:BEST]
    if not best:
        return [every]
    runs = charts.comparison_curves([(one.name, one.epochs) for one in best])
    label = f"Loss and accuracy of the best {len(best)} trials over epochs and over time"
    return [every, Picture("best", charts.svg_of(runs), label, "Of each trial its first seed.")]


def parameter_pictures(tuner: Tuner) -> list[Picture]:
    """Parallel coordinates, and what matters where there are trials enough to say."""
    plan, trials = tuner.plan, tried(tuner)
    axes = [axis_of(key, axis) for key, axis in plan.space.axes.items()]
    if not any(one.better is not None for one in trials):
        return []
    what = "accuracy" if plan.high else "loss"
    found = [
        Picture(
            "parameters",
            charts.svg_of(charts.parallel_coordinates(axes, trials, what)),
            f"Parallel coordinates of {len(axes)} parameters, ordered by validation {what}",
        )
    ]
    try:
        shares = importance(plan, tuner.trials)
    except StudyError:  # without Optuna the picture is left out
        shares = {}
    if shares:
        how = f"PED-ANOVA over the {sum(one.state == 'complete' for one in tuner.trials)} trials that had all epochs"
        named = {short_key(key): share for key, share in shares.items()}
        found.append(
            Picture("importance", charts.svg_of(charts.importances(named, how)), "Importance of each parameter")
        )
    return found


def cost_picture(tuner: Tuner) -> Picture | None:
    """Score against time of training; None where nothing has both."""
    trials = tried(tuner)
    if not any(one.score is not None and one.seconds > 0 for one in trials):
        return None
    what = "validation accuracy (%)" if tuner.plan.high else "validation loss (nats)"
    return Picture("cost", charts.svg_of(charts.cost_scores(trials, what)), f"{what} of each trial against its time")
