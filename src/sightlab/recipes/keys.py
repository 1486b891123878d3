"""The keys of a recipe: dotted paths, short forms, unique last parts, and suggestions for misspelt ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from sightlab.errors import RecipeError, suggestion
from sightlab.recipes.group import Group
from sightlab.recipes.part_groups import PARTS
from sightlab.recipes.renamed import RENAMED
from sightlab.recipes.schema import Recipe

GROUPS = ("data", "model", "augment", "optimizer", "schedule", "loss", "averaging", "distillation")
SHORT = {
    "data": "data.source",
    "model": "model.name",
    "optimizer": "optimizer.name",
    "schedule": "schedule.name",
    "loss": "loss.name",
    "averaging": "averaging.name",
    "augment": "augment.custom",
    # Lookahead's alpha is the rarer one, and is written in full; so are the options of parts other than the model.
    "alpha": "distillation.alpha",
    "options": "model.options",
}
OPTIONS = "options"


def members(group: str) -> list[type[Group]]:
    """The types that a group of the recipe may be of: itself, or each part of a union, those of the user's own last.

    >>> [member.__name__ for member in members("loss")]
    ['CrossEntropy', 'BinaryCrossEntropy', 'CustomLoss']
    """
    return list(groups_in(Recipe.model_fields[group].annotation))


def groups_in(kind: Any) -> Iterator[type[Group]]:
    """The types of groups that an annotation names."""
    if isinstance(kind, type) and issubclass(kind, Group):
        yield kind
    else:
        for inner in get_args(kind):
            yield from groups_in(inner)


def leaf_keys() -> list[str]:
    """Every key with a value, as dotted paths in the recipe's order; for a union, the keys of all its parts."""
    keys: list[str] = []
    for name in Recipe.model_fields:
        found = members(name)
        keys += dict.fromkeys(f"{name}.{leaf}" for member in found for leaf in member.model_fields) if found else [name]
    return keys


def full_key(key: str) -> str:
    """The dotted path that a user's key means: a path, a short form, or a leaf name that is unique.

    A key's old name (`renamed.RENAMED`) means its new one.

    >>> full_key("lr"), full_key("data"), full_key("data.size"), full_key("options.dropout")
    ('optimizer.lr', 'data.source', 'data.size', 'model.options.dropout')
    """
    key = RENAMED.get(key, key)
    keys = leaf_keys()
    if key in keys:
        return key
    if key in SHORT:
        return SHORT[key]
    if key.startswith(f"{OPTIONS}.") and key != f"{OPTIONS}.":
        return f"model.{key}"
    holder, _, option = key.partition(f".{OPTIONS}.")
    if option and f"{holder}.{OPTIONS}" in keys:
        return key
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
    """The type of a recipe's key: of a part's name the Literal of those that ship, of one of its options Any."""
    if group.endswith(f".{OPTIONS}"):
        return Any
    if not group:
        return Recipe.model_fields[leaf].annotation
    if leaf == "name" and group in PARTS:
        return Literal[tuple(PARTS[group])]
    return next(member.model_fields[leaf].annotation for member in members(group) if leaf in member.model_fields)


def unread(group: str, name: str, leaf: str) -> str:
    """The message for a key that the chosen part of a group does not read.

    >>> unread("loss", "bce", "options")
    'loss.options: bce does not read it; it reads label_smoothing'
    """
    read = ", ".join(key for key in part_type(group, name).model_fields if key != "name")
    return f"{group}.{leaf}: {name} does not read it; it reads {read or 'no other key'}"


def part_type(group: str, name: str) -> type[Group]:
    """The type of a group's part by its name; what does not ship is of the type for the user's own."""
    return PARTS[group].get(name) or members(group)[-1]


def suggestion_for(place: Sequence[str]) -> str:
    """A suggestion for a misspelt key: the nearest key of its group, else of the whole recipe."""
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
