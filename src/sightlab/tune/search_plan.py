"""What a search is: a recipe, what of it varies, and by which method; frozen, and kept beside its runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sightlab.errors import StudyError
from sightlab.recipes.loader import parse_recipe
from sightlab.recipes.overrides import changed, changed_keys
from sightlab.recipes.schema import Recipe
from sightlab.tune.rungs import rungs_of
from sightlab.tune.space import Choice, Range, Space, Values, check_fit, short_key

FORMAT = 1
METHODS = ("grid", "random", "tpe", "cmaes", "asha", "hyperband")
EARLY = ("asha", "hyperband")  # the methods that end trials before their last epoch
METRICS = ("val_loss", "val_accuracy")
TRIALS = 24  # of a search through ranges that has neither a number of trials nor a budget


@dataclass(frozen=True)
class Plan:
    """A search.

    name: of the study. recipe: what all trials share. space: what varies. method: one of METHODS. metric: one of
    METRICS; the loss is to be low, the accuracy high. seeds: trainings of each trial. trials: how many at most, None
    where the budget alone ends the search. data: the content of the pictures as a hash. words: recipe and keys as they
    were given; asked: the hash of the recipe that they meant, before runs that it names were found.
    """

    name: str
    recipe: Recipe
    space: Space
    method: str
    metric: str = "val_accuracy"
    seeds: int = 1
    trials: int | None = None
    data: str = ""
    words: tuple[str, ...] = ()
    asked: str = ""

    @property
    def high(self) -> bool:
        """Whether more is better."""
        return self.metric == "val_accuracy"

    @property
    def most(self) -> int | None:
        """How many trials there can be: as many as asked for and as the space has; None for no end."""
        known = [count for count in (self.trials, self.space.cells) if count is not None]
        return min(known) if known else None

    def recipe_of(self, values: Values) -> Recipe:
        """A trial's recipe, with the first seed. Raises RecipeError for values that do not go together."""
        named = "-".join([self.recipe.name, *(f"{short_key(key)}-{one}" for key, one in values.items())])
        return changed(self.recipe, {**values, "name": named[:80]})

    def rungs_of(self, values: Values) -> tuple[int, ...]:
        """The epochs after which a trial is looked at, the last its end."""
        return rungs_of(self.recipe_of(values), self.method in EARLY)

    def better(self, one: float, other: float) -> bool:
        """Whether one value of the metric is better than another."""
        return one > other if self.high else one < other

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "format": FORMAT,
            "name": self.name,
            "recipe": self.recipe.to_yaml(),
            "space": self.space.to_json(),
            "method": self.method,
            "metric": self.metric,
            "seeds": self.seeds,
            "trials": self.trials,
            "data": self.data,
            "words": list(self.words),
            "asked": self.asked,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any], where: str) -> Plan:
        """The plan that `to_json` wrote. where: how errors name its place. Raises StudyError."""
        try:
            if facts["format"] > FORMAT:
                raise StudyError(f"{where}: format {facts['format']} is from a newer sightlab; upgrade")
            rest = {key: facts[key] for key in ("name", "method", "metric", "seeds", "trials", "data", "asked")}
            rest |= {"recipe": parse_recipe(facts["recipe"], where, stored=True), "words": tuple(facts["words"])}
            return cls(space=Space.from_json(facts["space"]), **rest)
        except (KeyError, TypeError, AttributeError) as error:
            raise StudyError(f"{where}: damaged: {error}") from error


def checked(plan: Plan) -> Plan:
    """The plan, its number of trials set where it would have no end. Raises StudyError, RecipeError.

    Values that do not fit their keys are found here, and a grid's that do not go together.
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
    return plan


def check_method(plan: Plan) -> None:
    """Raise StudyError for a method that the space does not suit."""
    ranges = plan.space.ranges
    if plan.method == "grid" and ranges:
        raise StudyError(
            f"--method grid: {ranges[0]} is a range, which has no cells; list its values, or take --method random"
        )
    if plan.method == "cmaes" and len(ranges) < 2:
        raise StudyError(
            f"--method cmaes: searches two ranges of numbers or more, found {len(ranges)}; give key=low..high, or take "
            "--method tpe"
        )
    if plan.method in EARLY and "epochs" in plan.space.axes:
        raise StudyError(f"--method {plan.method}: decides how many epochs each trial gets; give epochs one value")
    if plan.method in EARLY and len(rungs_of(plan.recipe, True)) < 2 and "schedule.name" not in plan.space.axes:
        raise StudyError(
            f"--method {plan.method}: {plan.recipe.epochs} epochs leave nothing to stop early; give epochs=3 or more"
        )


def default_method(space: Space) -> str:
    """grid for lists alone, tpe where there is a range."""
    return "tpe" if space.ranges else "grid"


def name_of(recipe: Recipe, space: Space, method: str, seeds: int) -> str:
    """What a search is called that has no name: its recipe's, and six hex digits that only the same search has."""
    values = [recipe.hash, space.to_json(), method, seeds]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
    return f"tune-{recipe.name}-{digest[:6]}"[-80:]


def check_same(asked: Plan, kept: Plan) -> None:
    """Raise StudyError where what is asked of a study is not what it was begun with. Its budget may be another."""
    if asked.asked != kept.asked:
        changes = changed_keys(kept.recipe, asked.recipe)
        shown = ", ".join(f"{key} {old!r} -> {new!r}" for key, (old, new) in changes.items())
        raise StudyError(
            f"study {kept.name}: its recipe has changed ({shown}); put it back, or begin another with --study"
        )
    for what in ("space", "method", "metric", "seeds"):
        if getattr(asked, what) != getattr(kept, what):
            raise StudyError(
                f"study {kept.name}: was begun with another {what}; leave it to --resume {kept.name}, or begin another "
                "with --study"
            )
    if asked.data != kept.data:
        raise StudyError(
            f"study {kept.name}: the pictures of {kept.recipe.data.source} have changed since it was begun; put them "
            "back, or begin another with --study"
        )


def axis_words(axis: Choice | Range) -> str:
    """An axis as it is written on the command line.

    >>> axis_words(Choice((1, 2))), axis_words(Range(0.001, 0.1, log=True))
    ('1,2', '0.001..0.1:log')
    """
    if isinstance(axis, Choice):
        return ",".join("null" if one is None else str(one) for one in axis.values)
    return f"{axis.low:g}..{axis.high:g}{':log' if axis.log else ''}"
