"""Recipes from their YAML: those that ship, and files of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sightlab.errors import RecipeError, one_line, suggestion
from sightlab.recipes.keys import suggestion_for
from sightlab.recipes.schema import FORMAT, Recipe
from sightlab.recipes.yaml_files import is_file_name, mapping_of, read_text


def shipped_recipes() -> list[str]:
    """The names of the recipes that ship, sorted."""
    folder = resources.files("sightlab") / "recipes"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def shipped_text(name: str) -> str:
    """The YAML of a recipe that ships. Raises RecipeError for another name."""
    if name not in shipped_recipes():
        raise RecipeError(f"unknown recipe {name!r}; {suggestion(name, shipped_recipes())}")
    return (resources.files("sightlab") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def read_recipe(name: str) -> Recipe:
    """The recipe of this name, or in the YAML file at this path.

    Raises RecipeError for an unknown name, an unreadable file, or a key or value that does not fit.
    """
    path = Path(name)
    if is_file_name(name):
        return parse_recipe(read_text(path, "recipe", RecipeError), str(path))
    return parse_recipe(shipped_text(name), f"recipe {name}")


def parse_recipe(text: str, where: str) -> Recipe:
    """The recipe in a YAML text. where: how errors name its place."""
    values = mapping_of(text, where, "a recipe is a mapping of keys such as `epochs: 10`", RecipeError)
    written = values.get("format", FORMAT)
    if not isinstance(written, int) or written > FORMAT or written < 1:
        raise RecipeError(
            f"{where}: format {written!r}, this sightlab reads format {FORMAT}; "
            "upgrade sightlab to read a recipe from the future"
        )
    return validated(values, where)


def validated(values: Mapping[str, Any], where: str) -> Recipe:
    """The recipe of these nested values. Raises RecipeError, one line, naming the first key that does not fit."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = [str(part) for part in first["loc"]]
        key = ".".join(p for p in place if p in place[:1] or not p.startswith(("function-", "constrained-")))
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{where}: unknown key {key!r}; {suggestion_for(place)}") from error
        found = first.get("input")
        shown = f", found {found!r}" if isinstance(found, bool | int | float | str | None) else ""
        message = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{where}: {key}: {one_line(message)[:1].lower()}{one_line(message)[1:]}{shown}") from error
