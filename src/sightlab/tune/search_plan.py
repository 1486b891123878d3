"""The plan of a search: a recipe, what of it varies, and by which method; frozen, and stored beside its runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sightlab.errors import StudyError, suggestion
from sightlab.metrics import registry
from sightlab.parts.registry import resolve
from sightlab.recipes.loader import parse_recipe
from sightlab.recipes.overrides import changed, changed_keys, readable
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.tune.rungs import rungs_of
from sightlab.tune.space import Choice, Range, Space, Values, check_fit, short_key

FORMAT = 1
METHODS = ("grid", "random", "tpe", "cmaes", "asha", "hyperband")
EARLY = ("asha", "hyperband")  # the methods that end trials before their last epoch
METRICS = {"validation_loss": False, "validation_accuracy": True}  # of every run, and whether higher is better
SHORT_METRICS = {"val_loss": "validation_loss", "val_accuracy": "validation_accuracy"}
TRIALS = 24  # of a search through ranges that has neither a number of trials nor a budget


@dataclass(frozen=True)
class Plan:
    """The plan of a search.

    name: of the study. recipe: what all trials share. space: what varies. method: one of METHODS. metric: one of
    METRICS, or a metric of the recipe; maximize: whether higher is better. seeds: trainings of each trial. trials: how
    many at most, None where the budget alone ends the search. data: a hash of the images. words: recipe and keys as
    they were given; asked: the hash of the recipe that they mean, before runs that it names are resolved.
    """

    name: str
    recipe: Recipe
    space: Space
    method: str
    metric: str = "validation_accuracy"
    maximize: bool = True
    seeds: int = 1
    trials: int | None = None
    data: str = ""
    words: tuple[str, ...] = ()
    asked: str = ""

    @property
    def most(self) -> int | None:
        """How many trials there can be: as many as asked for and as the space has; None for no end."""
        known = [count for count in (self.trials, self.space.cells) if count is not None]
        return min(known) if known else None

    def recipe_of(self, values: Values) -> Recipe:
        """A trial's recipe, with the first seed; values of keys that its parts do not read are left out.

        Raises RecipeError for values that do not go together.
        """
        named = "-".join([self.recipe.name, *(f"{short_key(key)}-{one}" for key, one in values.items())])
        return changed(self.recipe, {**readable(self.recipe, values), "name": named[:80]})

    def rungs_of(self, values: Values) -> tuple[int, ...]:
        """The epochs after which a trial is evaluated, the last its end."""
        return rungs_of(self.recipe_of(values), self.method in EARLY)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "format": FORMAT,
            "name": self.name,
            "recipe": self.recipe.to_yaml(),
            "space": self.space.to_json(),
            "method": self.method,
            "metric": self.metric,
            "maximize": self.maximize,
            "seeds": self.seeds,
            "trials": self.trials,
            "data": self.data,
            "words": list(self.words),
            "asked": self.asked,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any], where: str) -> Plan:
        """The plan that `to_json` wrote, of older releases too. where: how errors name its place. Raises StudyError."""
        try:
            if facts["format"] > FORMAT:
                raise StudyError(f"{where}: format {facts['format']} is from a newer sightlab; upgrade")
            rest = {key: facts[key] for key in ("name", "method", "metric", "seeds", "trials", "data", "asked")}
            rest["metric"] = SHORT_METRICS.get(rest["metric"], rest["metric"])
            rest["maximize"] = facts["maximize"] if "maximize" in facts else METRICS[rest["metric"]]
            rest |= {"recipe": parse_recipe(facts["recipe"], where, stored=True), "words": tuple(facts["words"])}
            return cls(space=Space.from_json(facts["space"]), **rest)
        except (KeyError, TypeError, AttributeError) as error:
            raise StudyError(f"{where}: damaged: {error}") from error


def metric_name(text: str, recipe: Recipe) -> str:
    """The metric that a text names. Raises StudyError for one that the recipe's runs do not have.

    >>> metric_name("val_loss", Recipe()), metric_name("auc", Recipe(metrics="auc,brier"))
    ('validation_loss', 'auc')
    """
    name = SHORT_METRICS.get(text, text)
    known = [*METRICS, *map(short_name, recipe.metrics)]
    if name not in known:
        raise StudyError(f"--metric {text}: {suggestion(text, known)}; metrics={text} in the recipe adds one")
    return name


def higher_is_better(metric: str, recipe: Recipe) -> bool:
    """Whether a higher value of a metric is better. Raises RecipeError for one of the user's that cannot be loaded."""
    if metric in METRICS:
        return METRICS[metric]
    part = next(name for name in recipe.metrics if short_name(name) == metric)
    found = registry.METRICS.get(part) or resolve("metric", part)
    return bool(getattr(found, "higher_is_better", True))


def short_name(part: str) -> str:
    """What a run's record calls a metric: its name, or the `Name` of `file.py:Name`."""
    return part.rpartition(":")[2]


def metric_value(epoch: Epoch, metric: str) -> float | None:
    """An epoch's value of a metric; None where the run did not compute it."""
    return float(getattr(epoch, metric)) if metric in METRICS else epoch.metrics.get(metric)


def check_plan(plan: Plan) -> None:
    """Raise StudyError or RecipeError for a plan that cannot be searched.

    Values that do not fit their keys are found here, and those of a grid that do not go together.
    """
    space = plan.space
    check_fit(plan.recipe, space)
    check_method(plan)
    if plan.recipe.processes > 1:
        raise StudyError(
            f"processes: {plan.recipe.processes}; trials share the machine, one process each: leave it at 1"
        )
    if space.cells is not None:
        for values in space.grid():
            plan.recipe_of(values)


def check_method(plan: Plan) -> None:
    """Raise StudyError for a method that does not suit the space."""
    ranges = plan.space.ranges
    if plan.method == "grid" and ranges:
        raise StudyError(
            f"--method grid: {ranges[0]} is a range, which has no cells; list its values, or use --method random"
        )
    if plan.method == "cmaes" and len(ranges) < 2:
        raise StudyError(
            f"--method cmaes: needs at least two ranges of numbers, found {len(ranges)}; give key=low..high, or use "
            "--method tpe"
        )
    if plan.method in EARLY and "epochs" in plan.space.axes:
        raise StudyError(
            f"--method {plan.method}: decides how many epochs each trial gets; give a single value of epochs"
        )
    if plan.method in EARLY and len(rungs_of(plan.recipe, True)) < 2 and "schedule.name" not in plan.space.axes:
        raise StudyError(
            f"--method {plan.method}: {plan.recipe.epochs} epochs leave nothing to stop early; give epochs=3 or more"
        )


def default_method(space: Space) -> str:
    """grid for lists only, tpe where there is a range."""
    return "tpe" if space.ranges else "grid"


def name_of(recipe: Recipe, space: Space, method: str, seeds: int) -> str:
    """The default name of a search: its recipe's, and six hex digits that only the same search has."""
    values = [recipe.hash, space.to_json(), method, seeds]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
    return f"tune-{recipe.name}-{digest[:6]}"[-80:]


def check_same(asked: Plan, kept: Plan) -> None:
    """Raise StudyError where a study is asked for with another plan than it was created with; its budget may differ."""
    if asked.asked != kept.asked:
        changes = changed_keys(kept.recipe, asked.recipe)
        shown = ", ".join(f"{key} {old!r} -> {new!r}" for key, (old, new) in changes.items())
        raise StudyError(
            f"study {kept.name}: its recipe has changed ({shown}); restore it, or start another with --study"
        )
    for what in ("space", "method", "metric", "seeds"):
        if getattr(asked, what) != getattr(kept, what):
            raise StudyError(
                f"study {kept.name}: was created with another {what}; leave it out with --resume {kept.name}, or start "
                "another with --study"
            )
    if asked.data != kept.data:
        raise StudyError(
            f"study {kept.name}: the images of {kept.recipe.data.source} have changed since it was created; restore "
            "them, or start another with --study"
        )


def axis_words(axis: Choice | Range) -> str:
    """An axis as it is written on the command line.

    >>> axis_words(Choice((1, 2))), axis_words(Range(0.001, 0.1, log=True))
    ('1,2', '0.001..0.1:log')
    """
    if isinstance(axis, Choice):
        return ",".join("null" if one is None else str(one) for one in axis.values)
    return f"{axis.low:g}..{axis.high:g}{':log' if axis.log else ''}"
