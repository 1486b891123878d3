"""Changes to a recipe: `key=value` words, and what differs between two recipes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from sightlab.errors import RecipeError, one_line
from sightlab.recipes.group import Group
from sightlab.recipes.keys import OPTIONS, field_type, full_key, leaf_keys, part_type, unread
from sightlab.recipes.loader import Say, read_recipe, silent, validated
from sightlab.recipes.part_groups import PARTS
from sightlab.recipes.renamed import hints
from sightlab.recipes.schema import Recipe


def recipe(name: str | Path = "demo", **changes: Any) -> Recipe:
    """The recipe of this name, or in the YAML file at this path, with changes.

    changes: keys as the command line takes them, dots as two underscores: `lr=0.03`, `data="kmnist"`,
    `data__size=32`; paths are texts or Path. Raises RecipeError.

    >>> import sightlab
    >>> sightlab.recipe("mini-resnet-v4", lr=0.03, data="fashion-mini").optimizer.lr
    0.03
    """
    values = {
        key.replace("__", "."): str(value) if isinstance(value, Path) else value for key, value in changes.items()
    }
    return changed(read_recipe(str(name)), values)


def parse_changes(words: Iterable[str], say: Say = silent) -> dict[str, Any]:
    """`key=value` words as {dotted path: value}; values are read as YAML (`0.03`, `true`, `null`, text).

    say: told the new name of a key that has one. Raises RecipeError.

    >>> parse_changes(["lr=1e-3", "epochs=3", "data=kmnist", "early_stop=null"])
    {'optimizer.lr': 0.001, 'epochs': 3, 'data.source': 'kmnist', 'early_stop': None}
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise RecipeError(f"unexpected {word!r}; changes look like KEY=VALUE, such as lr=0.03")
        for hint in hints([key.strip()]):
            say(hint)
        path = full_key(key.strip())
        if path in changes:
            raise RecipeError(f"{path} is given twice; keep one of them")
        changes[path] = change_value(path, text)
    return changes


def recipe_word(words: Iterable[str]) -> str:
    """The one of these words that names a recipe, being no `key=value`; the demo where there is none.

    Raises RecipeError where there are two.

    >>> recipe_word(["cnn", "lr=0.1"]), recipe_word([])
    ('cnn', 'demo')
    """
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise RecipeError(f"unexpected {names[1]!r}: the recipe is already {names[0]!r}; changes look like KEY=VALUE")
    return names[0] if names else "demo"


def parse_lists(words: Iterable[str]) -> dict[str, list[Any]]:
    """`key=v1,v2,...` words as {dotted path: values}; one value makes a list of one.

    Keys whose value is itself a list of things (betas, callbacks) take one value. Raises RecipeError as
    `parse_changes`, and for a value that is given twice.

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
        several = holds_several(field_type(group, leaf))
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

    Text keys must not be guessed at: `name=1e3` is no number. Numbers like 1e-3 are text in YAML 1.1, so they are tried
    as numbers too.
    """
    group, _, leaf = path.rpartition(".")
    kind = field_type(group, leaf)
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

    changes: dotted paths, short forms or unique leaf names, as `full_key` takes them. Where a part's name changes, what
    was set for the part before and the new one reads too is kept, and the rest dropped. Raises RecipeError for a value
    that does not fit its key, or for a key that the chosen part does not read. Null, and what such a key was by default
    when all parts held it, change nothing.

    >>> changed(Recipe(), {"lr": 0.03, "model": "cnn"}).optimizer.lr
    0.03
    >>> changed(Recipe(), {"loss": "bce", "loss.options": {}})
    Traceback (most recent call last):
    sightlab.errors.RecipeError: demo: loss.options: bce does not read it; it reads label_smoothing
    """
    paths = {full_key(key): value for key, value in changes.items()}
    values = recipe.model_dump(mode="python")
    for group in PARTS:
        name = paths.get(f"{group}.name")
        if isinstance(name, str):
            values[group] = kept_by(getattr(recipe, group), part_type(group, name), name)
    if "augment.custom" in paths and paths["augment.custom"] != recipe.augment.custom:
        values["augment"][OPTIONS] = {}
    for path, value in paths.items():
        *groups, leaf = path.split(".")
        if groups and groups[0] in PARTS and not is_read(values, groups[0], (*groups[1:], leaf)[0]):
            if value is None or value == once_default(groups[0], leaf):
                continue
            raise RecipeError(f"{recipe.name}: {unread(groups[0], values[groups[0]]['name'], (*groups[1:], leaf)[0])}")
        holder = values
        for group in groups:
            holder = holder.setdefault(group, {})
        holder[leaf] = value
    # What the recipe named before is not looked up again: a run's recipe may name parts that are not installed here.
    names = {f"{group}.name" for group in PARTS} | {"augment.custom", "metrics", "select_by", "callbacks"}
    return validated(values, recipe.name, stored=not names & paths.keys())


def readable(recipe: Recipe, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes, by dotted path, without the keys that the parts chosen by them, or by the recipe, do not read.

    For searches that choose among parts: each trial takes those of its values that mean something to it.

    >>> readable(Recipe(), {"optimizer": "adam", "momentum": 0.8, "lr": 0.01})
    {'optimizer.name': 'adam', 'optimizer.lr': 0.01}
    """
    paths = {full_key(key): value for key, value in changes.items()}
    names = {group: paths.get(f"{group}.name", getattr(recipe, group).name) for group in PARTS}
    return {
        path: value
        for path, value in paths.items()
        if (group := path.partition(".")[0]) not in PARTS
        or path.split(".")[1] in part_type(group, names[group]).model_fields
    }


def kept_by(before: Group, kind: type[Group], name: str) -> dict[str, Any]:
    """The values of a part that are kept when another takes its place: those that were set and that it reads too."""
    if getattr(before, "name", None) == name:
        return before.model_dump(mode="python")
    kept = {key: value for key, value in set_values(before).items() if key in kind.model_fields and key != OPTIONS}
    return {**kept, "name": name}


def set_values(part: Group) -> dict[str, Any]:
    """The values of a group that are not its type's defaults."""
    defaults = {key: field.get_default(call_default_factory=True) for key, field in type(part).model_fields.items()}
    return {key: value for key, value in part.model_dump(mode="python").items() if value != defaults[key]}


def is_read(values: Mapping[str, Any], group: str, leaf: str) -> bool:
    """Whether the part that these values name reads a key."""
    name = values[group]["name"]
    return not isinstance(name, str) or leaf in part_type(group, name).model_fields


def once_default(group: str, leaf: str) -> Any:
    """The default of a key from before each part had keys of its own; None for others."""
    return next(iter(PARTS[group].values())).once_shared.get(leaf)


def changed_keys(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """What changed between two recipes: {dotted path: (before, after)}, in the recipe's order.

    Where another part was chosen, its keys are told as far as they are set; those of the part before go with it.

    >>> changed_keys(Recipe(), changed(Recipe(), {"lr": 0.03}))
    {'optimizer.lr': (0.1, 0.03)}
    >>> changed_keys(Recipe(), changed(Recipe(), {"optimizer": "adam", "eps": 1e-7}))
    {'optimizer.name': ('sgd', 'adam'), 'optimizer.eps': (None, 1e-07)}
    """
    old, new = flat(before), flat(after)
    found = {key: (value, new[key]) for key, value in old.items() if value != new[key]}
    for group in PARTS:
        one, other = getattr(before, group), getattr(after, group)
        if type(one) is not type(other):
            told = {"name"} | (set_values(one) | set_values(other)).keys() & type(other).model_fields.keys()
            gone = [key for key in found if key.startswith(f"{group}.") and key.split(".")[1] not in told]
            found = {key: pair for key, pair in found.items() if key not in gone}
    return found


def flat(recipe: Recipe) -> dict[str, Any]:
    """Every key and its value, {dotted path: value}, in the recipe's order; None where the chosen part has no such key.

    >>> flat(Recipe(model="cnn"))["model.name"]
    'cnn'
    """
    found = {}
    for key in leaf_keys():
        group, _, leaf = key.rpartition(".")
        found[key] = getattr(getattr(recipe, group) if group else recipe, leaf, None)
    return found
