"""Recipes that name runs, as weights to start from or as a teacher: each run is found and replaced by a path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sightlab.errors import RunError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.runs.resolve_teacher import with_teacher_of_run
from sightlab.store.bundle import WEIGHTS, read_bundle
from sightlab.store.run_folder import locate


def with_runs_found(
    recipe: Recipe, home: str | Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Recipe:
    """The recipe with paths where it names runs, in model.weights and distillation.teacher. Raises RunError.

    Call it once, before anything is trained: what `last` means changes with every run.
    """
    return with_teacher_of_run(with_weights_of_run(recipe, home, say), home)


def with_weights_of_run(
    recipe: Recipe, home: str | Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Recipe:
    """The recipe with model.weights as the path of a file, where it names a run: an id's beginning, `last`, a folder.

    `last` means another run tomorrow, so a run's own recipe has the path. A recipe whose weights are a file, or that
    has none, is returned unchanged. home: where runs are kept. say: called with a line that names the run.

    Raises RunError when there is no such file and no such run, or when the run has no bundle yet.
    """
    asked = recipe.model.weights
    if asked is None or Path(asked).expanduser().is_file():
        return recipe
    try:
        bundle = read_bundle(locate(asked, home))
    except RunError as error:
        raise RunError(f"model.weights: {asked} is neither a file nor a run with a bundle: {error}") from error
    path = (bundle.folder / WEIGHTS).resolve()
    say(f"weights of {bundle.folder.parent.name or bundle.folder}: {bundle.facts.model}, {bundle.facts.data}")
    return changed(recipe, {"model.weights": str(path)})
