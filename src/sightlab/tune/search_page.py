"""The page of a search: the winner and its uncertainty, charts of the trials, cost, how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.records import duration
from sightlab.report.article import Article, Bullets, Code, Section, Table, Text, rows_of
from sightlab.report.phrases import counted
from sightlab.report.reproduce import command
from sightlab.tune.progress import CostLog
from sightlab.tune.rungs import ETA
from sightlab.tune.search_charts import (
    cost_picture,
    heat_map,
    loss_pictures,
    order_of,
    parameter_pictures,
    seconds_of,
    trial_summaries,
)
from sightlab.tune.search_plan import EARLY, Plan, axis_words
from sightlab.tune.search_state import SearchState
from sightlab.tune.selection import Selection
from sightlab.tune.space import shown
from sightlab.tune.status import metric_text
from sightlab.tune.summary import ends, lines
from sightlab.tune.trials import RunCache, Trial

SHOWN = 20  # trials in the table
METHODS = {
    "grid": "every cell of the grid, in order",
    "random": "sampled at random",
    "tpe": "proposed from earlier ones by a tree-structured Parzen estimator (Optuna's TPESampler)",
    "cmaes": "proposed from earlier ones by CMA-ES (Optuna's CmaEsSampler)",
    "asha": "sampled at random and compared by asynchronous successive halving (Li et al. 2020)",
    "hyperband": "sampled at random and ended early in the brackets of Hyperband (Optuna's HyperbandPruner)",
}


def page_of(state: SearchState, costs: CostLog, seconds: float, selection: Selection) -> Article:
    """The page of a search; nothing is trained for it, and no test split is opened. seconds: that the search took."""
    plan, trials = state.plan, state.trials
    shown_as = trial_summaries(plan, trials, state.runs)
    heat, cost = heat_map(plan, trials), cost_picture(plan, shown_as)
    result = Bullets(tuple(f"{line}." for line in lines(plan, trials, selection)))
    took = Text(cost_text(seconds, state.used_epochs, costs))
    sections = [
        Section("Result", (result, table(plan, trials, state.runs))),
        Section("The grid", (heat,) if heat is not None else ()),
        Section("Trials over epochs", tuple(loss_pictures(shown_as))),
        Section("Parameters", tuple(parameter_pictures(plan, trials, shown_as))),
        Section("Cost", (took, *((cost,) if cost is not None else ()))),
        Section("How it was searched", (Text(method_text(plan)), *failures(trials))),
        Section("Repeating it", (repeating(plan),)),
    ]
    about = f"Study {plan.name} on {plan.recipe.data.source}: {ends(trials)}"
    return Article(f"Search {plan.name}", "Report of a search", about, tuple(one for one in sections if one.blocks))


def table(plan: Plan, trials: Sequence[Trial], runs: RunCache) -> Table:
    """The best trials, each with its values."""
    order = order_of(plan, trials)
    header = ("trial", *plan.space.axes, plan.metric.replace("_", " "), "epochs", "ended", "time")
    ended = {"complete": "", "pruned": "early", "open": "by the budget"}
    rows = [
        [
            str(trial.number + 1),
            *(shown(trial.values[key]) for key in plan.space.axes),
            metric_text(plan, trial.value or 0.0).rpartition(" ")[2],
            str(trial.epochs),
            ended[trial.state],
            duration(seconds_of(runs, trial)),
        ]
        for trial in order[:SHOWN]
    ]
    most = f"the best {len(rows)} of {len(order)}" if len(order) > len(rows) else "the best first"
    seeds = f"mean over {plan.seeds} seeds" if plan.seeds > 1 else "one seed each"
    last = len(header) - 1
    return Table(header, rows_of(rows), right=(*range(1, last - 1), last), caption=f"Trials, {most}; {seeds}.")


def cost_text(seconds: float, epochs: int, costs: CostLog) -> str:
    """What the search took, and what was predicted."""
    took = f"The search took {duration(seconds)} and {counted(epochs, 'epoch')}, over all its sessions."
    return f"{took} The last: {costs}." if costs.jobs else took


def method_text(plan: Plan) -> str:
    """How trials were proposed and ended."""
    words = f"Trials were {METHODS[plan.method]}."
    if plan.method in EARLY:
        words += (
            f" At each rung about one trial of {ETA} continues. Where the schedule makes a shorter training a prefix "
            "(constant, step, exponential), a rung pauses the trial's run; where it depends on the total (cosine, "
            "one-cycle), each rung is a run of its own with that many epochs."
        )
    return words + " Trials were compared on validation; the test split was opened for the winner only, if at all."


def failures(trials: Sequence[Trial]) -> tuple[Bullets, ...]:
    """The trials that failed, and why."""
    items = tuple(f"Trial {one.number + 1} failed: {one.reason}" for one in trials if one.state == "failed")
    return (Bullets(items),) if items else ()


def repeating(plan: Plan) -> Code:
    """The commands that repeat the search, and that resume it."""
    words = list(plan.words) or [
        plan.recipe.name,
        *(f"{key}={axis_words(axis)}" for key, axis in plan.space.axes.items()),
    ]
    options = ["--method", plan.method, "--metric", plan.metric]
    options += ["--seeds", str(plan.seeds)] if plan.seeds > 1 else []
    options += ["--trials", str(plan.trials)] if plan.trials is not None else []
    again = command(["sightlab", "tune", *words, *options])
    return Code((again, command(["sightlab", "tune", "--resume", plan.name])))
