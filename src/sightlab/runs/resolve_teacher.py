"""Recipes that name a teacher: the run is found and replaced by the path of its bundle, and its model is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sightlab.errors import RunError, SightlabError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Distillation, Recipe
from sightlab.store.bundle import Bundle, is_own_code, open_model, read_bundle, seen_images
from sightlab.store.run_folder import locate
from sightlab.training.distillation import Teacher


def with_teacher_of_run(recipe: Recipe, home: str | Path | None = None) -> Recipe:
    """The recipe with distillation.teacher as the path of a bundle, where it names one, or a run.

    `last` means another run tomorrow, so a run's own recipe has the path. A recipe that names no teacher is returned
    unchanged. home: where runs are kept.

    Raises RunError when there is no such run, or when it has no bundle yet.
    """
    if recipe.distillation.teacher is None:
        return recipe
    folder = teacher_bundle(recipe.distillation.teacher, home).folder
    return changed(recipe, {"distillation.teacher": str(folder.resolve())})


def teacher_bundle(name: str, home: str | Path | None = None) -> Bundle:
    """The bundle of a teacher, its weights not yet read. name: of a run or a bundle. Raises RunError without one."""
    try:
        return read_bundle(locate(name, home))
    except RunError as error:
        raise RunError(f"distillation.teacher: {name} is no run with a bundle: {error}") from error


def teacher_of(asked: Distillation, say: Callable[[str], None] = lambda _: None) -> Teacher | None:
    """The teacher that a recipe asks for, opened; None if it asks for none. say: called with a line that names it.

    Its network is built on the CPU, its first weights drawn from torch's global generator and then replaced by the
    bundle's. Raises RunError for a bundle that is gone, damaged, or of the user's own code: a bundle names
    such code and never runs it.
    """
    if not asked.asks:
        return None
    bundle = teacher_bundle(str(asked.teacher))
    facts, name = bundle.facts, name_of(bundle)
    if is_own_code(facts.model):
        raise RunError(
            f"distillation.teacher: {name} is a network of your own code, {facts.model}, which a bundle does not run; "
            "a teacher is one of `sightlab models` or timm/NAME"
        )
    try:
        classifier = open_model(bundle)
    except SightlabError as error:
        raise RunError(f"distillation.teacher: {error}") from error
    say(f"teacher {name}: {facts.model}, {facts.parameters:,} parameters, {facts.data}")
    return Teacher(
        classifier=classifier,
        classes=facts.classes,
        shape=(facts.height, facts.width, facts.channels),
        seen=seen_images(bundle),
        name=name,
        sha256=facts.weights_sha256,
    )


def name_of(bundle: Bundle) -> str:
    """What to call a teacher: the id of its run where the bundle lies in one's folder, else the bundle's path."""
    run = bundle.folder.resolve().parent
    return run.name if (run / "run.json").is_file() else str(bundle.folder)
