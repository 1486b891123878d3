"""Several trainings one after another: the recipes of a comparison with several seeds each, none trained twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sightlab.errors import RecipeError
from sightlab.models.names import check_name
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import Run
from sightlab.runs.index import RunIndex
from sightlab.runs.lifecycle import resume, train
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.store.run_folder import home_folder, read_run
from sightlab.training.callbacks import Callback, Callbacks


def recipes_of(base: Recipe, lists: Mapping[str, Sequence[Any]], seeds: int) -> list[Recipe]:
    """Every combination of the listed values, each with `seeds` seeds that follow the base recipe's own.

    lists: dotted path -> values. Raises RecipeError for fewer than one seed, or a value that does not fit its key.
    """
    if seeds < 1:
        raise RecipeError(f"--seeds {seeds}: at least one seed is needed")
    combinations = itertools.product(*lists.values())
    changes = [dict(zip(lists, values, strict=True)) for values in combinations]
    return [
        changed(base, {**change, "seed": base.seed + extra, "name": name_of(base, change)})
        for change in changes
        for extra in range(seeds)
    ]


def name_of(base: Recipe, change: Mapping[str, Any]) -> str:
    """What to call a changed recipe: by its model where that changes, else by what does."""
    rest = [f"{key.rpartition('.')[2]}-{value}" for key, value in change.items() if key != "model.name"]
    first = str(change.get("model.name", base.name))
    return "-".join([first, *rest])[:80]


def train_all(
    recipes: Sequence[Recipe], home: str | Path | None = None, callbacks: Sequence[Callback] = ()
) -> Iterator[Run]:
    """Train each recipe, or find its run in `home`; yield the finished runs in the order of the recipes.

    A finished run is reused if it has the identity that the recipe's training would have now: the same values, seed,
    content of data, files of code and weights, and teacher. One that was interrupted is resumed. Runs that recipes name
    are found before the first is trained, so that `last` is none of these. Raises SightlabError as training does.
    """
    for recipe in recipes:
        check_name(recipe.model.name)  # the last one's mistake must not be found out after hours of the others
    place, say = home_folder(home), Callbacks(callbacks).message
    lines: list[str] = []
    found = [with_runs_found(recipe, place, lines.append) for recipe in recipes]
    for line in dict.fromkeys(lines):
        say(line)
    index = RunIndex(place)
    for number, recipe in enumerate(found, 1):
        what = f"run {number} of {len(found)}: {recipe.name}, seed {recipe.seed}"
        known = index.on_this_data(recipe)
        if known is None:
            say(what)
            run = train(recipe, home=place, callbacks=callbacks)
        elif known[1] == "finished":
            say(f"{what}: {known[0].name} is finished already")
            run = read_run(known[0])
        else:
            say(f"{what}: resuming {known[0].name}")
            run = resume(known[0], callbacks=callbacks)
        index.add(run.folder)
        yield run
