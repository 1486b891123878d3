"""Several trainings one after the other: the recipes of a comparison, each with several seeds, none trained twice."""

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
from sightlab.runs.lifecycle import SILENT, Watch, resume, train
from sightlab.runs.resolve_teacher import teacher_bundle
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.store.bundle import is_own_code
from sightlab.store.run_folder import read_facts, read_run, run_folders, status_of
from sightlab.training.prepare import splits_of


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


def train_all(recipes: Sequence[Recipe], home: Path, watch: Watch = SILENT) -> Iterator[Run]:
    """Train each recipe, or find its run in `home`; yield the finished runs in the order of the recipes.

    A run stands for a recipe of the same hash (which covers the seed) on the same data, taught by a teacher of the same
    weights; one that was interrupted is gone on with. A network that is the user's own code, or starts from a file of
    weights, is trained anew: the file may have changed. Runs that recipes name are found before the first is trained,
    so that `last` is none of these. Raises SightlabError as training does.
    """
    for recipe in recipes:
        check_name(recipe.model.name)  # the last one's mistake must not be found out after hours of the others
    lines: list[str] = []
    found = [with_runs_found(recipe, home, lines.append) for recipe in recipes]
    for line in dict.fromkeys(lines):
        watch.say(line)
    for number, recipe in enumerate(found, 1):
        what = f"run {number} of {len(found)}: {recipe.name}, seed {recipe.seed}"
        known = run_of(recipe, home)
        if known is None:
            watch.say(what)
            yield train(recipe, home=home, watch=watch)
        elif known[1] == "finished":
            watch.say(f"{what}: {known[0].name} is there already")
            yield read_run(known[0])
        else:
            watch.say(f"{what}: goes on with {known[0].name}")
            yield resume(known[0], watch=watch)


def run_of(recipe: Recipe, home: Path) -> tuple[Path, str] | None:
    """The newest run of a recipe on data and teacher as they are now, and its status: finished or interrupted."""
    if is_own_code(recipe.model.name) or recipe.model.weights:
        return None
    teacher = teacher_bundle(recipe, home).facts.weights_sha256 if recipe.distillation.asks else None
    for folder in reversed(run_folders(home)):
        facts = read_facts(folder)
        status = status_of(facts)
        if facts.get("recipe_hash") != recipe.hash or status not in ("finished", "interrupted"):
            continue
        if (facts.get("teacher") or {}).get("sha256") != teacher:
            continue
        if facts.get("data", {}).get("key") == splits_of(recipe, None, None).key:
            return folder, status
    return None
