"""The JSON Schema of a recipe, by which editors complete and check its YAML."""

from __future__ import annotations

import inspect
import re
from typing import Any

from sightlab.errors import one_line
from sightlab.parts.registry import installed
from sightlab.recipes.group import CustomPart, Group
from sightlab.recipes.keys import GROUPS, members
from sightlab.recipes.part_groups import PARTS
from sightlab.recipes.schema import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

USER_FILE: Schema = {"type": "string", "pattern": r"\.py:\w+$"}
NUMBERED = ("label", "config", "split")  # columns and folders that may be called by a number


def recipe_schema() -> Schema:
    """The schema, draft 2020-12: every key with its type, default and meaning; of a part, the keys that it reads.

    Short forms (`data: kmnist`, `classes: cat,dog`) are allowed as `read_recipe` allows them. Names of parts that are
    neither shipped, nor installed now, nor in a file are refused; those of data and models are not checked.
    """
    schema = Recipe.model_json_schema()
    describe(schema, Recipe)
    for group in GROUPS:
        kinds = members(group)
        for kind in kinds:
            definition = schema["$defs"][kind.__name__]
            describe(definition, kind)
            if issubclass(kind, CustomPart):
                definition["properties"]["name"] = any_of(*names_of_own_parts(kind.slot))
            elif kind is not type(Recipe.model_fields[group].default):
                definition["required"] = ["name"]
        schema["properties"][group] = group_schema(group, kinds)
    compile_ = schema["properties"]["compile"]
    compile_["enum"] += [True, False]
    del compile_["type"]
    return {"$schema": DIALECT, **schema, "title": "sightlab recipe"}


def group_schema(group: str, kinds: list[type[Group]]) -> Schema:
    """What may stand for a group: the keys of one of its parts, or where it has a short form, a text."""
    shapes: list[Schema] = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]
    if group in PARTS:
        own = names_of_own_parts(kinds[-1].slot) if issubclass(kinds[-1], CustomPart) else []
        shapes += [{"enum": [*PARTS[group]]}, *own]
    elif kinds[0].short_for:
        shapes.append({"type": "string"})
    return any_of(*shapes)


def names_of_own_parts(slot: str) -> list[Schema]:
    """What names a part that does not ship: a place in a file, or what an installed package registers."""
    return [USER_FILE, {"enum": [*installed(slot)]}] if installed(slot) else [USER_FILE]


def describe(definition: Schema, kind: type[Group]) -> None:
    """Give each key its meaning from the docstring of its group, and its other spellings."""
    definition["description"] = one_line((inspect.getdoc(kind) or "").partition("\n\n")[0])
    meanings = key_meanings(kind)
    for key, found in definition["properties"].items():
        found.pop("title", None)
        if key in meanings:
            found["description"] = meanings[key]
        if found.get("type") == "array":
            definition["properties"][key] = any_of(found, {"type": "string"}, default=found.get("default"))
        elif key in NUMBERED:
            found["anyOf"].append({"type": "integer"})


def key_meanings(kind: type[Group]) -> dict[str, str]:
    """What the docstrings of a group and its bases say of its keys, which they write as `key: meaning.`

    >>> from sightlab.recipes.part_groups import CustomSchedule
    >>> key_meanings(CustomSchedule)["interval"]
    'what its steps are, optimizer steps or epochs.'
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, Group) and base.model_fields:
            text = one_line((inspect.getdoc(base) or "").partition(">>>")[0])
            pieces = re.split(rf"(?<![\w`])({'|'.join(base.model_fields)}): ", text)
            found |= dict(zip(pieces[1::2], (meaning.strip() for meaning in pieces[2::2]), strict=True))
    return found


def any_of(*shapes: Schema, **more: Any) -> Schema:
    """A schema that one of these must fit. more: keywords beside it."""
    return {"anyOf": list(shapes), **more}
