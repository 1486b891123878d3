"""`sightlab recipes` and `sightlab models`: what there is to train."""

from __future__ import annotations

from typing import Annotated

import typer

from sightlab.cli.show import JSON_OPTION, as_json, out, table

RECIPE_EXAMPLES = """\b
Examples:
  sightlab recipes
  sightlab recipes mini-resnet-v4
  sightlab recipes mini-resnet-v4 > my-recipe.yaml
"""
MODEL_EXAMPLES = """\b
Examples:
  sightlab models
  sightlab models --size 64 --channels 3
"""


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[RECIPE]", help="Show this recipe's YAML.")] = None,
    json: bool = JSON_OPTION,
) -> None:
    """List the recipes that ship, or show one."""
    from sightlab.recipes.reading import parse_recipe, shipped_recipes, shipped_text

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
    size: Annotated[int, typer.Option(min=8, max=1024, help="Height and width of the images, pixels.")] = 28,
    channels: Annotated[int, typer.Option(min=1, max=64, help="Channels of the images.")] = 1,
    classes: Annotated[int, typer.Option(min=2, help="Number of classes.")] = 10,
    json: bool = JSON_OPTION,
) -> None:
    """List the models and their parameter counts for images of a size.

    timm/NAME takes any model of timm (extra `timm`), path/to/file.py:Name your own.
    """
    from sightlab.models import MODELS, build, parameter_count

    counts = {
        name: parameter_count(build(name, channels=channels, classes=classes, height=size, width=size))
        for name in MODELS
    }
    if json:
        shape = {"channels": channels, "classes": classes, "height": size, "width": size}
        as_json({**shape, "models": [{"name": name, "parameters": count} for name, count in counts.items()]})
        return
    table(["model", "parameters"], [[name, f"{count:,}"] for name, count in counts.items()], right=(1,))
