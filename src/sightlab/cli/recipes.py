"""`sightlab recipes` and `sightlab models`: what there is to train."""

from __future__ import annotations

from typing import Annotated

import typer

from sightlab.cli.output import JSON_OPTION, as_json, out, say, table

RECIPE_EXAMPLES = """\b
Examples:
  sightlab recipes
  sightlab recipes mini-resnet-v4
  sightlab recipes mini-resnet-v4 > my-recipe.yaml
  sightlab recipes --schema > recipe.schema.json
"""
MODEL_EXAMPLES = """\b
Examples:
  sightlab models
  sightlab models --input 3x224x224 --classes 1000
  sightlab models resnet18 vit-tiny --input 3x224x224
"""
SHAPE = "1x28x28"
LARGEST = 4096


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[RECIPE]", help="Print the YAML of this recipe.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of recipes, for editors that check YAML.")
    ] = False,
    json: bool = JSON_OPTION,
) -> None:
    """List or show built-in recipes, or print their JSON Schema."""
    from sightlab.errors import RecipeError
    from sightlab.recipes.json_schema import recipe_schema
    from sightlab.recipes.loader import parse_recipe, shipped_recipes, shipped_text

    if schema:
        if name is not None:
            raise RecipeError(f"--schema prints the schema of every recipe; leave out {name!r}")
        as_json(recipe_schema())
        return
    if name is not None:
        text = shipped_text(name)
        if json:
            recipe = parse_recipe(text, name)
            as_json({"name": name, "hash": recipe.hash, "recipe": recipe.model_dump(mode="json")})
        else:
            out(text.rstrip("\n"))
        return
    all_of_them = {each: parse_recipe(shipped_text(each), each) for each in shipped_recipes()}
    if json:
        as_json({"recipes": [{"name": n, "notes": r.notes, "hash": r.hash} for n, r in all_of_them.items()]})
        return
    rows = [
        [each, recipe.model.name, recipe.data.source, str(recipe.epochs), " ".join(recipe.notes.split())]
        for each, recipe in all_of_them.items()
    ]
    table(["recipe", "model", "data", "epochs", "expected"], rows, right=(3,))


def models(
    names: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="List only these models.")] = None,
    shape: Annotated[
        str | None,
        typer.Option("--input", metavar="CxHxW", help="Image shape for which to count parameters and multiply-adds."),
    ] = None,
    classes: Annotated[int, typer.Option(min=2, help="Number of classes.")] = 10,
    json: bool = JSON_OPTION,
) -> None:
    """List the models: family, parameters, and what each is for.

    Parameters are for images of 1x28x28 unless --input is given. model=timm/NAME takes any model of timm (extra
    `timm`), model=path/to/file.py:Name one of your own.
    """
    from sightlab.errors import ModelError, suggestion
    from sightlab.models import MODELS
    from sightlab.models.cost import cost_of, forward_flops, uncounted

    for name in names or ():
        if name not in MODELS:
            raise ModelError(f"unknown model '{name}'; {suggestion(name, MODELS)}")
    chosen = {name: model for name, model in MODELS.items() if not names or name in names}
    channels, height, width = shape_of(SHAPE if shape is None else shape)
    given = {"channels": channels, "classes": classes, "height": height, "width": width}
    count = forward_flops if shape else uncounted
    costs = {name: cost_of(name, **given, count=count) for name in chosen}
    if json:
        facts = [
            {
                "name": name,
                "family": model.family,
                "purpose": model.purpose,
                "parameters": costs[name].parameters,
                "macs": costs[name].macs,
                "refused": costs[name].refused or None,
            }
            for name, model in chosen.items()
        ]
        as_json({**given, "models": facts})
        return
    rows = []
    for name, model in chosen.items():
        cost = costs[name]
        numbers = [in_millions(cost.parameters)] + ([in_millions(cost.macs)] if shape else [])
        rows.append([name, model.family, *numbers, model.purpose])
    header = ["model", "family", "parameters", *(["multiply-adds"] if shape else []), "for"]
    table(header, rows, right=(2, 3) if shape else (2,))
    for reason in dict.fromkeys(cost.refused for cost in costs.values() if cost.refused):
        say(f"- {reason}")


def in_millions(count: int | None) -> str:
    """A count as a person reads it; a stroke where there is none.

    >>> in_millions(11_172_810), in_millions(61_706), in_millions(None)
    ('11.17 M', '0.06 M', '-')
    """
    return "-" if count is None else f"{count / 1e6:,.2f} M"


def shape_of(text: str) -> tuple[int, int, int]:
    """Channels, height and width of an image written as CxHxW. Raises RecipeError.

    >>> shape_of("3x32x48")
    (3, 32, 48)
    """
    from sightlab.errors import RecipeError

    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and 0 < int(part) <= LARGEST for part in parts):
        raise RecipeError(
            f"--input {text}: not a shape; write channels, height and width as 3x32x32, each up to {LARGEST}"
        )
    channels, height, width = map(int, parts)
    return channels, height, width
