"""The charts of a search: heat map of a grid, losses, parallel coordinates, importance, cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightlab import charts
from sightlab.charts import Cell, ParameterAxis, TrialSummary
from sightlab.errors import StudyError
from sightlab.records import Epoch
from sightlab.report.article import Picture
from sightlab.report.phrases import counted
from sightlab.tune.importance import importance
from sightlab.tune.rungs import is_prefix
from sightlab.tune.search_plan import Plan
from sightlab.tune.space import Axis, Choice, short_key, shown, worded
from sightlab.tune.trials import RunCache, Trial, furthest_first, ranked

BEST = 5  # trials whose curves are shown alone
MOST_TICKS = 9  # labels of an axis


def trial_summaries(plan: Plan, trials: Sequence[Trial], runs: RunCache) -> list[TrialSummary]:
    """The trials as the charts take them, without duplicates; scores in per cent, or as the metric is."""
    order = order_of(plan, trials)
    places = {trial.number: place for place, trial in enumerate(order, 1)}
    found = []
    for trial in trials:
        if trial.duplicate_of is None:
            place = places.get(trial.number)
            score = factor_of(plan) * (trial.value or 0.0) if place is not None else None
            ended = {"open": "pruned"}.get(trial.state, trial.state)
            shares = tuple(share_of(axis, trial.values[key]) for key, axis in plan.space.axes.items())
            name = f"{trial.number + 1}: {worded(trial.values)}"
            found.append(
                TrialSummary(name, score, place, ended, seconds_of(runs, trial), epochs_of(runs, trial), shares)
            )
    return found


def factor_of(plan: Plan) -> float:
    """What the charts multiply a value of the metric with: accuracies are shown in per cent."""
    return 100.0 if plan.metric == "validation_accuracy" else 1.0


def metric_label(plan: Plan) -> str:
    """The metric with its unit, for an axis."""
    units = {"validation_accuracy": " (%)", "validation_loss": " (nats)"}
    return plan.metric.replace("_", " ") + units.get(plan.metric, "")


def order_of(plan: Plan, trials: Sequence[Trial]) -> list[Trial]:
    """The trials with a value, the best first: those that can be selected, then those that had fewer epochs."""
    first = ranked(plan, trials)
    rest = [one for one in trials if one not in first and one.duplicate_of is None and one.state != "failed"]
    return [*first, *furthest_first(plan, rest)]


def epochs_of(runs: RunCache, trial: Trial) -> tuple[Epoch, ...]:
    """The epochs of a trial's first seed, in the longest of its runs."""
    rungs = range(max(1, len(trial.values_at)))
    return max((runs.of(trial, rung)[0].known_epochs for rung in rungs), key=len)


def seconds_of(runs: RunCache, trial: Trial) -> float:
    """Seconds of training of a trial: of all its seeds, and of each rung where these are runs of their own."""
    rungs = (len(trial.rungs) - 1,) if is_prefix(trial.recipe) else range(max(1, len(trial.values_at)))
    return sum(epoch.seconds for rung in rungs for run in runs.of(trial, rung) for epoch in run.known_epochs)


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


def heat_map(plan: Plan, trials: Sequence[Trial]) -> Picture | None:
    """The first two lists as a heat map; over further keys the best value of each cell. None with fewer than two."""
    keys = [key for key, axis in plan.space.axes.items() if isinstance(axis, Choice)][:2]
    if len(keys) < 2:
        return None
    y, x = keys
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((str(trial.values[x]), str(trial.values[y])), []).append(trial)
    order = order_of(plan, trials)
    cells = [cell_of(plan, order, x, y, group) for group in groups.values()]
    label = metric_label(plan)
    best, digits = (max if plan.maximize else min), (2 if factor_of(plan) == 100 else 4)
    heat = charts.grid_heat(cells, short_key(x), short_key(y), label[0].upper() + label[1:], best, digits)
    rest = len(plan.space.axes) - 2
    caption = f"Below each {label.partition(' (')[0]}: after how many epochs, and whether the trial was ended early."
    caption += f" Each cell is the best over {rest} further keys." if rest else ""
    return Picture("grid", charts.svg_of(heat), f"Heat map of {short_key(x)} and {short_key(y)}: {label}", caption)


def cell_of(plan: Plan, order: Sequence[Trial], x: str, y: str, trials: Sequence[Trial]) -> Cell:
    """A cell of the heat map: the best of its trials. order: all trials with a value, the best first."""
    known = [one for one in order if one in trials]
    best = known[0] if known else trials[0]
    value = factor_of(plan) * best.value if best.value is not None and known else None
    notes = {"failed": "failed", "pruned": f"ended early, {best.epochs} ep.", "open": f"cut off, {best.epochs} ep."}
    note = notes.get(best.state, counted(best.epochs, "epoch"))
    axes = plan.space.axes
    return Cell(coordinate(axes[x], best.values[x]), coordinate(axes[y], best.values[y]), value, note)


def coordinate(axis: Axis, value: Any) -> float | str:
    """A value as the heat map takes it: a number where all of its list are."""
    assert isinstance(axis, Choice)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in axis.values)
    return value if numbers else shown(value)


def loss_pictures(trials: Sequence[TrialSummary]) -> list[Picture]:
    """The loss of all trials, and the learning curves of the best."""
    trained = [one for one in trials if one.epochs]
    if not trained:
        return []
    losses = charts.svg_of(charts.trial_losses(trained, BEST))
    every = Picture("losses", losses, f"Validation loss of {len(trained)} trials over epochs")
    best = sorted((one for one in trained if one.rank is not None), key=lambda one: one.rank or 0)[:BEST]
    if not best:
        return [every]
    runs = charts.comparison_curves([(one.name, one.epochs) for one in best])
    label = f"Loss and accuracy of the best {len(best)} trials over epochs and over time"
    return [every, Picture("best", charts.svg_of(runs), label, "The first seed of each trial.")]


def parameter_pictures(plan: Plan, trials: Sequence[Trial], shown_as: Sequence[TrialSummary]) -> list[Picture]:
    """Parallel coordinates, and importance where there are enough trials. shown_as: the trials, for the charts."""
    if not any(one.rank is not None for one in shown_as):
        return []
    axes = [axis_of(key, axis) for key, axis in plan.space.axes.items()]
    what = plan.metric.removeprefix("validation_")
    lines = charts.svg_of(charts.parallel_coordinates(axes, shown_as, what))
    label = f"Parallel coordinates of {len(axes)} parameters, ordered by validation {what}"
    found = [Picture("parameters", lines, label)]
    try:
        shares = importance(plan, trials)
    except StudyError:  # without Optuna the picture is left out
        shares = {}
    if shares:
        how = f"PED-ANOVA over the {sum(one.state == 'complete' for one in trials)} trials that had all epochs"
        bars = charts.svg_of(charts.importances({short_key(key): share for key, share in shares.items()}, how))
        found.append(Picture("importance", bars, "Importance of each parameter"))
    return found


def cost_picture(plan: Plan, trials: Sequence[TrialSummary]) -> Picture | None:
    """Score against time of training; None where no trial has both."""
    if not any(one.score is not None and one.seconds > 0 for one in trials):
        return None
    label = metric_label(plan)
    return Picture("cost", charts.svg_of(charts.cost_scores(trials, label)), f"{label} of each trial against its time")
