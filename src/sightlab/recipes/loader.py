"""Recipes from their YAML: those that ship, and files of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sightlab.errors import RecipeError, one_line, suggestion
from sightlab.recipes.group import STORED
from sightlab.recipes.keys import members, suggestion_for, unread
from sightlab.recipes.part_groups import PARTS
from sightlab.recipes.renamed import hints, with_new_keys
from sightlab.recipes.schema import FORMAT, Recipe
from sightlab.recipes.yaml_files import is_file_name, mapping_of, read_text

Say = Callable[[str], None]


def silent(_: str) -> None:
    """Tells nobody."""


def shipped_recipes() -> list[str]:
    """The names of the recipes that ship, sorted."""
    folder = resources.files("sightlab") / "recipes"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def shipped_text(name: str) -> str:
    """The YAML of a recipe that ships. Raises RecipeError for another name."""
    if name not in shipped_recipes():
        raise RecipeError(f"unknown recipe {name!r}; {suggestion(name, shipped_recipes())}")
    return (resources.files("sightlab") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def read_recipe(name: str, say: Say = silent) -> Recipe:
    """The recipe of this name, or in the YAML file at this path. say: told the new name of a key that has one.

    Raises RecipeError for an unknown name, an unreadable file, or a key or value that does not fit.
    """
    path = Path(name)
    if is_file_name(name):
        return parse_recipe(read_text(path, "recipe", RecipeError), str(path), say=say)
    return parse_recipe(shipped_text(name), f"recipe {name}")


def parse_recipe(text: str, where: str, *, stored: bool = False, say: Say = silent) -> Recipe:
    """The recipe in a YAML text.

    where: how errors name its place. stored: it is the recipe of a run, which is read although it names parts that are
    not installed, or keys that its parts do not read and that were written down all the same. say: told the new name
    of a key that has one.
    """
    values = mapping_of(text, where, "a recipe is a mapping of keys such as `epochs: 10`", RecipeError)
    written = values.get("format", FORMAT)
    if not isinstance(written, int) or written > FORMAT or written < 1:
        raise RecipeError(
            f"{where}: format {written!r}, this sightlab reads format {FORMAT}; "
            "upgrade sightlab to read a recipe from the future"
        )
    if not stored:
        for hint in hints(values):
            say(f"{where}: {hint}")
    return validated(with_new_keys(values, where), where, stored=stored)


def validated(values: Mapping[str, Any], where: str, *, stored: bool = False) -> Recipe:
    """The recipe of these nested values. Raises RecipeError, one line, naming the first key that does not fit.

    stored: as `parse_recipe` takes it.
    """
    try:
        return Recipe.model_validate(values, context={STORED: stored})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RecipeError(
            f"{where}: {explained(first['loc'], first['type'], first['msg'], first.get('input'))}"
        ) from error


def explained(location: tuple[int | str, ...], kind: str, message: str, found: object) -> str:
    """What pydantic found wrong, in one line that names the key.

    >>> explained(("optimizer", "sgd", "eps"), "extra_forbidden", "", 1.0).partition(";")[0]
    'optimizer.eps: sgd does not read it'
    """
    place = [str(part) for part in location]
    group = place[0] if place else ""
    # The second place of a union is the name of the part that was chosen.
    part = place.pop(1) if group in PARTS and len(place) > 1 else ""
    key = ".".join(p for p in place if p == group or not p.startswith(("function-", "constrained-")))
    if kind == "extra_forbidden":
        others = [one for one in members(group) if place[-1] in one.model_fields] if part else []
        return unread(group, part, place[-1]) if others else f"unknown key {key!r}; {suggestion_for(place)}"
    text = one_line(message.removeprefix("Value error, "))
    is_shown = isinstance(found, bool | int | float | str | None) and repr(found) not in text
    return f"{key}: {text[:1].lower()}{text[1:]}" + (f", found {found!r}" if is_shown else "")
