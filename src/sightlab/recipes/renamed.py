"""Keys of recipes that have a new name. The old one works for one more release, with a hint of the new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sightlab.errors import RecipeError

RENAMED = {"workers": "processes", "log": "callbacks"}


def hints(keys: Iterable[str]) -> list[str]:
    """A line for each old key among these, saying its new name.

    >>> hints(["workers", "lr"])
    ["the key 'workers' is now called 'processes'; the old name works until the next release"]
    """
    return [
        f"the key {key!r} is now called {RENAMED[key]!r}; the old name works until the next release"
        for key in keys
        if key in RENAMED
    ]


def with_new_keys(values: Mapping[Any, Any], where: str) -> dict[Any, Any]:
    """The values of a recipe under their keys' new names. Raises RecipeError where both names are there."""
    for old, new in RENAMED.items():
        if old in values and new in values:
            raise RecipeError(f"{where}: has both {old} and {new}, which is its new name; keep {new}")
    return {RENAMED.get(key, key): value for key, value in values.items()}
