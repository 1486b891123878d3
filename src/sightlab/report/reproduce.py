"""How a training is repeated: the command that means its recipe."""

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
    """The recipe that ships which a recipe differs least from, of those with the same network; one of its name first.

    Gives its name and itself; ("", Recipe()) where nothing that ships has this network.
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
    """What a recipe changes of the one it comes from: {dotted path: (before, after)}, but for name and notes."""
    _, base = base_of(recipe)
    return {key: pair for key, pair in changed_keys(base, recipe).items() if key not in (*SILENT, "name")}


def training_command(recipe: Recipe) -> str | None:
    """`sightlab train NAME KEY=VALUE ...` that means exactly this recipe; None where only its YAML does.

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
    """Words as a shell takes them."""
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
