"""The page of a search: the winner and how sure it is, the trials in pictures, what it took, how to repeat it."""

from __future__ import annotations

from sightlab.records import duration
from sightlab.report.article import Article, Bullets, Code, Section, Table, Text, rows_of
from sightlab.report.phrases import counted
from sightlab.report.reproduce import command
from sightlab.tune.progress import metric_words
from sightlab.tune.rungs import ETA
from sightlab.tune.search_charts import cost_picture, heat_map, loss_pictures, order_of, parameter_pictures, seconds_of
from sightlab.tune.search_plan import EARLY, Plan, axis_words
from sightlab.tune.selection import Selection
from sightlab.tune.space import shown
from sightlab.tune.summary import ends, lines
from sightlab.tune.tuner import Tuner

SHOWN = 20  # trials in the table
METHODS = {
    "grid": "every cell of the grid, in order",
    "random": "drawn at random",
    "tpe": "proposed by a tree-structured Parzen estimator from those before them (Optuna's TPESampler)",
    "cmaes": "proposed by CMA-ES from those before them (Optuna's CmaEsSampler)",
    "asha": "drawn at random and held against each other by asynchronous successive halving (Li et al. 2020)",
    "hyperband": "drawn at random and ended early in the brackets of Hyperband (Optuna's HyperbandPruner)",
}


def page_of(tuner: Tuner, verdict: Selection) -> Article:
    """The page of a search; nothing is trained for it, and no test split is opened."""
    plan = tuner.plan
    heat, cost = heat_map(tuner), cost_picture(tuner)
    sections = [
        Section("Result", (Bullets(tuple(f"{line}." for line in lines(tuner, verdict))), table(tuner))),
        Section("The grid", (heat,) if heat is not None else ()),
        Section("Trials over epochs", tuple(loss_pictures(tuner))),
        Section("Parameters", tuple(parameter_pictures(tuner))),
        Section("Cost", (Text(cost_words(tuner)), *((cost,) if cost is not None else ()))),
        Section("How it was searched", (Text(method_words(plan)), *failures(tuner))),
        Section("Repeating it", (repeating(plan),)),
    ]
    about = f"Study {plan.name} on {plan.recipe.data.source}: {ends(tuner)}"
    return Article(f"Search {plan.name}", "Report of a search", about, tuple(one for one in sections if one.blocks))


def table(tuner: Tuner) -> Table:
    """The best trials, each with its values."""
    plan, order = tuner.plan, order_of(tuner)
    what = "validation accuracy" if plan.high else "validation loss"
    header = ("trial", *plan.space.axes, what, "epochs", "ended", "time")
    ended = {"complete": "", "pruned": "early", "open": "by the budget"}
    rows = [
        [
            str(trial.number + 1),
            *(shown(trial.values[key]) for key in plan.space.axes),
            metric_words(plan, trial.value or 0.0).removeprefix("loss "),
            str(trial.epochs),
            ended[trial.state],
            duration(seconds_of(tuner, trial)),
        ]
        for trial in order[:SHOWN]
    ]
    most = f"the best {len(rows)} of {len(order)}" if len(order) > len(rows) else "the best first"
    seeds = f"mean over {plan.seeds} seeds" if plan.seeds > 1 else "one seed each"
    last = len(header) - 1
    return Table(header, rows_of(rows), right=(*range(1, last - 1), last), caption=f"Trials, {most}; {seeds}.")


def cost_words(tuner: Tuner) -> str:
    """What the search took, and what was predicted."""
    epochs = counted(tuner.used_epochs, "epoch")
    took = f"The search has taken {duration(tuner.taken())} and {epochs}, over all its sittings."
    return f"{took} The last: {tuner.account}." if tuner.account.stretches else took


def method_words(plan: Plan) -> str:
    """How trials were proposed and ended."""
    words = f"Trials were {METHODS[plan.method]}."
    if plan.method in EARLY:
        words += (
            f" At each rung about one trial of {ETA} goes on. Where the schedule makes a shorter training a prefix "
            "(constant, step, exponential), a rung pauses the trial's run; where it depends on the total (cosine, "
            "one-cycle), each rung is a run of its own with that many epochs."
        )
    return words + " Trials were chosen on validation; the test split was opened for the winner alone, if at all."


def failures(tuner: Tuner) -> tuple[Bullets, ...]:
    """The trials that failed, and why."""
    told = tuple(f"Trial {one.number + 1} failed: {one.reason}" for one in tuner.trials if one.state == "failed")
    return (Bullets(told),) if told else ()


def repeating(plan: Plan) -> Code:
    """The command that repeats the search, and what to do with the winner."""
    words = list(plan.words) or [
        plan.recipe.name,
        *(f"{key}={axis_words(axis)}" for key, axis in plan.space.axes.items()),
    ]
    options = ["--method", plan.method, "--metric", plan.metric]
    options += ["--seeds", str(plan.seeds)] if plan.seeds > 1 else []
    options += ["--trials", str(plan.trials)] if plan.trials is not None else []
    again = command(["sightlab", "tune", *words, *options])
    return Code((again, command(["sightlab", "tune", "--resume", plan.name])))
