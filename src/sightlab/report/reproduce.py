"""How to reproduce a training: the command that stands for its recipe."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import yaml

from sightlab.errors import RecipeError
from sightlab.recipes.loader import read_recipe, shipped_recipes
from sightlab.recipes.overrides import changed, changed_keys, parse_changes
from sightlab.recipes.schema import Recipe

SILENT = ("notes", "format")  # keys that do not change a training


def base_of(recipe: Recipe) -> tuple[str, Recipe]:
    """The shipped recipe from which a recipe differs least: the one of its name, else among those with its network.

    Returns its name and itself; ("", Recipe()) if no shipped recipe has this network.
    """
    names = shipped_recipes()
    if recipe.name in names:
        return recipe.name, read_recipe(recipe.name)
    known = {name: read_recipe(name) for name in names}
    alike = {name: one for name, one in known.items() if one.model.name == recipe.model.name}
    if not alike:
        return "", Recipe()
    nearest = min(alike, key=lambda name: (len(changed_keys(alike[name], recipe)), name))
    return nearest, alike[nearest]


def changes_of(recipe: Recipe) -> dict[str, tuple[Any, Any]]:
    """What a recipe changes of its base: {dotted path: (before, after)}, except for name and notes."""
    _, base = base_of(recipe)
    return {key: pair for key, pair in changed_keys(base, recipe).items() if key not in (*SILENT, "name")}


def training_command(recipe: Recipe) -> str | None:
    """The `sightlab train NAME KEY=VALUE ...` that gives exactly this recipe; None if only its YAML can.

    >>> from sightlab.recipes.overrides import recipe
    >>> training_command(recipe("cnn", lr=0.03, data="photos of cats/"))
    "sightlab train cnn 'data.source=photos of cats/' optimizer.lr=0.03"
    """
    name, base = base_of(recipe)
    if not name:
        return None
    words = [f"{key}={_text(after)}" for key, (_, after) in changed_keys(base, recipe).items() if key not in SILENT]
    try:
        again = changed(base, parse_changes(words))
    except RecipeError:
        return None
    if again.hash != recipe.hash:
        return None
    return command(["sightlab", "train", name, *words])


def command(words: Sequence[str]) -> str:
    """Words quoted for a shell."""
    return " ".join(shlex.quote(word) for word in words)


def _text(value: Any) -> str:
    """A value as `key=value` takes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        value = list(value)
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False).strip().removesuffix("...").strip()
    )
