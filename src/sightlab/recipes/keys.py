"""The keys of a recipe by their names: dotted paths, short forms, unique leaves, and what a misspelt one meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from sightlab.errors import RecipeError, suggestion
from sightlab.recipes.schema import Group, Recipe

GROUPS = ("data", "model", "augment", "optimizer", "schedule", "loss", "averaging", "distillation")
SHORT = {
    "data": "data.source",
    "model": "model.name",
    "optimizer": "optimizer.name",
    "schedule": "schedule.name",
    "loss": "loss.name",
    "averaging": "averaging.name",
    # Lookahead's alpha is the rarer one, and is written in full.
    "alpha": "distillation.alpha",
}


def leaf_keys() -> list[str]:
    """Every key that holds a value, as dotted paths in the recipe's order."""
    keys: list[str] = []
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Group):
            keys += [f"{name}.{leaf}" for leaf in kind.model_fields]
        else:
            keys.append(name)
    return keys


def full_key(key: str) -> str:
    """The dotted path that a user's key means: a path, a short form, or a leaf name that is unique.

    >>> full_key("lr"), full_key("data"), full_key("data.size"), full_key("options.dropout")
    ('optimizer.lr', 'data.source', 'data.size', 'model.options.dropout')
    """
    keys = leaf_keys()
    if key in keys:
        return key
    if key in SHORT:
        return SHORT[key]
    for prefix in ("model.options.", "options."):
        if key.startswith(prefix) and len(key) > len(prefix):
            return "model.options." + key.removeprefix(prefix)
    matches = [k for k in keys if k.rpartition(".")[2] == key]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise RecipeError(f"key {key!r} could mean {' or '.join(matches)}; write the one you mean in full")
    if key in GROUPS:
        inside = ", ".join(k for k in keys if k.startswith(key + "."))
        raise RecipeError(f"key {key!r} is a group; set one of {inside}")
    raise RecipeError(f"unknown key {key!r}; {suggestion_for(key.split('.'))}")


def field_type(group: str, leaf: str) -> Any:
    """The type of a recipe's key."""
    holder = Recipe.model_fields[group].annotation if group else Recipe
    assert isinstance(holder, type) and issubclass(holder, BaseModel)
    return holder.model_fields[leaf].annotation


def suggestion_for(place: Sequence[str]) -> str:
    """Where a misspelt key most likely belongs: the nearest key of its group, else of the whole recipe."""
    keys = leaf_keys()
    by_leaf = {k.rpartition(".")[2]: k for k in keys}
    if place[-1] in by_leaf:
        return f"did you mean {by_leaf[place[-1]]}?"
    group = ".".join(place[:-1])
    siblings = [k.rpartition(".")[2] for k in keys if k.rpartition(".")[0] == group]
    text = suggestion(place[-1], [*siblings, *(GROUPS if not group else ())])
    elsewhere = suggestion(place[-1], by_leaf)
    if text.startswith("known") and elsewhere.startswith("did you mean"):
        leaf = elsewhere.removeprefix("did you mean ").removesuffix("?")
        return f"did you mean {by_leaf[leaf]}?"
    return text
