"""The hashes of a recipe: equal for recipes that describe the same result, or the same training.

Both follow from the types: a key counts where its value is not its default, and a group holds only keys that its part
reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sightlab.parts.registry import SHIPPED
from sightlab.parts.user_code import code_reference
from sightlab.recipes.group import Group, Part

NOT_OF_THE_RESULT = ("name", "notes", "format", "test_flips", "report")
# What an identity holds by other means: the seed, hashes of the data, fingerprints of parts, the count of processes.
HELD_APART = ("seed", "data", "callbacks", "workers")
USER_FILE = "user file"


def result_hash(recipe: Group) -> str:
    """Sixteen hex digits; `Recipe.hash` says of what."""
    return digest(result_values(recipe))


def training_hash(recipe: Group) -> str:
    """Sixteen hex digits; `Recipe.training_hash` says of what."""
    values = {key: value for key, value in result_values(recipe).items() if key not in HELD_APART}
    model = {key: value for key, value in values.pop("model", {}).items() if key != "weights"}
    if model:
        values["model"] = model
    if "teacher" in values.get("distillation", {}):
        values["distillation"]["teacher"] = True
    if values.get("device", "").startswith("cuda"):
        values["device"] = "cuda"
    return digest(without_paths(values))


def result_values(recipe: Group) -> dict[str, Any]:
    """The values that the result depends on and that are not defaults."""
    values = stated(recipe)
    for key in NOT_OF_THE_RESULT:
        values.pop(key, None)
    # Loggers that ship only copy; any other callback may change the training.
    callbacks = [name for name in values.pop("callbacks", ()) if name not in SHIPPED["callback"]]
    if callbacks:
        values["callbacks"] = callbacks
    if "processes" in values:
        values["workers"] = values.pop("processes")  # the key's name when the first runs were hashed
    return values


def stated(group: Group, usual: object = None) -> dict[str, Any]:
    """The values of a group that are not its type's defaults, and a part's name where `usual` is another part."""
    dumped = group.model_dump(mode="json")
    found: dict[str, Any] = {}
    for key, field in type(group).model_fields.items():
        value, default = getattr(group, key), field.get_default(call_default_factory=True)
        if isinstance(value, Group):
            if inside := stated(value, default):
                found[key] = inside
        elif key not in group.unused and (value != default or key in group.always_hashed):
            found[key] = dumped[key]
    if isinstance(group, Part) and type(group) is not type(usual):
        found["name"] = group.name
    return found


def without_paths(value: Any) -> Any:
    """The values with `path/to/file.py:Name` replaced by one word; the part's fingerprint tells it apart."""
    if isinstance(value, Mapping):
        return {key: without_paths(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_paths(one) for one in value]
    return USER_FILE if isinstance(value, str) and code_reference(value) else value


def digest(values: Mapping[str, Any]) -> str:
    """The first sixteen hex digits of the SHA-256 of the values as JSON."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
