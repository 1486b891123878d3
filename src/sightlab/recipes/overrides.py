"""Changes to a recipe: `key=value` words, and what differs between two recipes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

import yaml

from sightlab.errors import RecipeError, one_line
from sightlab.recipes.keys import field_type, full_key, leaf_keys
from sightlab.recipes.loader import read_recipe, validated
from sightlab.recipes.schema import Recipe


def recipe(name: str = "demo", **changes: Any) -> Recipe:
    """The recipe of this name, or in the YAML file at this path, with changes.

    changes: keys as the command line takes them, dots as two underscores: `lr=0.03`, `data="kmnist"`,
    `data__size=32`. Raises RecipeError.

    >>> import sightlab
    >>> sightlab.recipe("mini-resnet-v4", lr=0.03, data="fashion-mini").optimizer.lr
    0.03
    """
    return changed(read_recipe(name), {key.replace("__", "."): value for key, value in changes.items()})


def parse_changes(words: Iterable[str]) -> dict[str, Any]:
    """`key=value` words as {dotted path: value}; values are read as YAML (`0.03`, `true`, `null`, text).

    >>> parse_changes(["lr=1e-3", "epochs=3", "data=kmnist", "early_stop=null"])
    {'optimizer.lr': 0.001, 'epochs': 3, 'data.source': 'kmnist', 'early_stop': None}
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise RecipeError(f"{word!r} is not key=value; a change looks like lr=0.03")
        path = full_key(key.strip())
        if path in changes:
            raise RecipeError(f"{path} is given twice; keep one of them")
        changes[path] = change_value(path, text)
    return changes


def parse_lists(words: Iterable[str]) -> dict[str, list[Any]]:
    """`key=v1,v2,...` words as {dotted path: values}; one value makes a list of one.

    Keys whose value is itself a list of things (betas, log) take one value. Raises RecipeError as `parse_changes`,
    and for a value that is given twice.

    >>> parse_lists(["lr=0.1,0.3", "epochs=3"])
    {'optimizer.lr': [0.1, 0.3], 'epochs': [3]}
    """
    found: dict[str, list[Any]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        ((path, whole),) = parse_changes([word]).items()
        if path in found:
            raise RecipeError(f"{path} is given twice; keep one of them")
        group, _, leaf = path.rpartition(".")
        several = group != "model.options" and holds_several(field_type(group, leaf))
        values = [whole] if several else [parse_changes([key + equals + part])[path] for part in text.split(",")]
        if len({repr(value) for value in values}) < len(values):
            raise RecipeError(f"{path}: {text!r} names a value twice; keep one of them")
        found[path] = values
    return found


def holds_several(kind: Any) -> bool:
    """Whether a key of this type takes a tuple of values."""
    return tuple in (get_origin(kind), *map(get_origin, get_args(kind)))


def change_value(path: str, text: str) -> Any:
    """The value that a change's text means: text as it stands for keys that take text, else as YAML reads it.

    Text keys must not be guessed at: `name=1e3` is no number, `compile=off` no truth value. Numbers like 1e-3 are
    text in YAML 1.1, so they are tried as numbers too.
    """
    group, _, leaf = path.rpartition(".")
    kind = None if group == "model.options" else field_type(group, leaf)
    optional = type(None) in get_args(kind)
    if optional and text.casefold() in ("", "null", "none", "~"):
        return None
    if kind is str or get_origin(kind) is Literal or str in get_args(kind):
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: {text!r} is not a value: {one_line(error)}") from error
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with these values at these keys, validated anew.

    changes: dotted paths, short forms or unique leaf names, as `full_key` takes them.

    >>> changed(Recipe(), {"lr": 0.03, "model": "cnn"}).optimizer.lr
    0.03
    """
    values = recipe.model_dump(mode="python")
    for key, value in changes.items():
        *groups, leaf = full_key(key).split(".")
        holder = values
        for group in groups:
            holder = holder[group]
        holder[leaf] = value
    return validated(values, recipe.name)


def changed_keys(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """What changed between two recipes: {dotted path: (before, after)}, in the recipe's order.

    >>> changed_keys(Recipe(), changed(Recipe(), {"lr": 0.03}))
    {'optimizer.lr': (0.1, 0.03)}
    """
    old, new = flat(before), flat(after)
    return {key: (value, new[key]) for key, value in old.items() if value != new[key]}


def flat(recipe: Recipe) -> dict[str, Any]:
    """Every key and its value, {dotted path: value}, in the recipe's order.

    >>> flat(Recipe(model="cnn"))["model.name"]
    'cnn'
    """
    found = {}
    for key in leaf_keys():
        group, _, leaf = key.rpartition(".")
        found[key] = getattr(getattr(recipe, group) if group else recipe, leaf)
    return found
