"""`sightlab structure`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, plain_name, say, table
from sightlab.cli.test import own_model
from sightlab.errors import ModelError, RunError

if TYPE_CHECKING:
    from PIL.Image import Image

    from sightlab.lens.design_rules import Rule
    from sightlab.lens.layer_graph import LayerGraph, Shape
    from sightlab.lens.resolve import ResolvedModel

EXAMPLES = """\b
Examples:
  sightlab structure mini-resnet-v4
  sightlab structure resnet18 --input 3x224x224 -o resnet18.svg
  sightlab structure mini-resnet-v4 --against resnet18
  sightlab structure last --picture photo.jpg
"""


def structure(
    model: Annotated[str, typer.Argument(metavar="MODEL|RUN", help="Model name, FILE.py:NAME, or a trained run.")],
    shape: Annotated[
        str | None,
        typer.Option("--input", metavar="CxHxW", help="Channels, height and width of the images; default 1x28x28."),
    ] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="Number of classes; default 10.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="MODEL|RUN", help="A second network, to compare design rules with.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the feature maps of a trained run for this image.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Diagram to write: .svg, .png or .pdf.")
    ] = None,
    own: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="FILE.py:NAME", help="Your own model code, for a run that was trained with it."
        ),
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Show a network's layers, costs and receptive fields.

    Prints a table and writes a diagram. For a trained run it also draws the filters of the first layer, and with
    --picture its feature maps. --against compares the design rules of two networks and draws both side by side.
    """
    from sightlab.lens.structure import read_shape

    asked = read_shape(shape) if shape is not None else None
    first = resolve_word(model, asked, classes, own, home)
    if picture is not None and first.classifier is None:
        raise RunError(f"--picture: feature maps need a trained run, and {model} is a model; name a run instead")
    second = resolve_second(first.structure, against, asked, classes, own, home) if against is not None else None
    file = target or Path(f"{plain_name(model)}-structure.svg")
    written = save_drawings(first, second, picture, file)
    rules = rules_of(first.structure, second) if second else ()
    if json:
        from sightlab.lens.design_rules import rules_json

        facts = first.structure.to_json() | {"written": [str(path) for path in written]}
        more = {"against": second.to_json(), "rules": rules_json(rules)} if second else {}
        as_json(facts | more)
        return
    if second:
        print_rules(first.structure, second, rules)
    else:
        print_structure(first.structure)
    for path in written:
        out(f"written: {path}")


def resolve_word(
    word: str, shape: Shape | None, classes: int | None, own: str | None, home: Path | None
) -> ResolvedModel:
    """The model or the run that a word names. Raises ModelError or RunError."""
    from sightlab.lens import resolve

    folder = resolve.find_run(word, home)
    if folder is None:
        return resolve.resolve_model(word, shape, classes)
    if shape is not None or classes is not None:
        raise ModelError(
            f"{word} is a trained run with its own image shape and classes; leave out --input and --classes"
        )
    from sightlab.store.bundle import read_bundle

    bundle = read_bundle(folder)
    return resolve.resolve_run(bundle, folder.name, own_model(bundle, own))


def resolve_second(
    first: LayerGraph, word: str, shape: Shape | None, classes: int | None, own: str | None, home: Path | None
) -> LayerGraph:
    """The second network; one given by name is built for the images and classes of the first."""
    from sightlab.lens import resolve

    if resolve.find_run(word, home) is None:
        return resolve.resolve_model(word, shape or first.shape, classes or first.classes).structure
    return resolve_word(word, shape, classes, own, home).structure


def rules_of(first: LayerGraph, second: LayerGraph) -> tuple[Rule, ...]:
    """The design rules of both, those that differ first."""
    from sightlab.lens.design_rules import compare_rules

    return compare_rules(first, second)


def save_drawings(first: ResolvedModel, second: LayerGraph | None, picture: Path | None, file: Path) -> list[Path]:
    """Save the diagram and the contact sheets; returns their files, the diagram first."""
    from sightlab.charts import save_svg
    from sightlab.lens.diagram import diagram, side_by_side

    sheets = contact_sheets(first, picture, file)
    save_svg(side_by_side(first.structure, second) if second else diagram(first.structure), file)
    if sheets:
        from sightlab.pictures import save_picture

        for path, sheet in sheets.items():
            save_picture(sheet, path)
    return [file, *sheets]


def contact_sheets(first: ResolvedModel, picture: Path | None, file: Path) -> dict[Path, Image]:
    """The contact sheets of a trained run, {file: sheet}; empty for an untrained model."""
    if first.classifier is None or first.bundle is None:
        return {}
    from sightlab.lens import feature_maps

    sheets: dict[Path, Image] = {}
    if picture is not None:
        from sightlab.prediction import first_picture

        pixels = first_picture(picture, first.bundle.facts)
        maps = feature_maps.map_sheet(first.classifier, first.structure, pixels)
        sheets[file.with_name(f"{file.stem}-maps.png")] = maps
    try:
        filters = feature_maps.filter_sheet(first.classifier.net, first.structure)
    except ModelError as error:
        say(str(error))
        return sheets
    return {file.with_name(f"{file.stem}-filters.png"): filters} | sheets


def print_structure(graph: LayerGraph) -> None:
    """Print the layers as a table, the design rules, and the notes."""
    from sightlab.lens.design_rules import design_rules
    from sightlab.lens.layer_table import layer_table

    table(*layer_table(graph.layers))
    out("")
    for name, value in design_rules(graph).items():
        out(f"{name:<15} {value}")
    for layer in graph.layers:
        if layer.note:
            out(f"note: {layer.name}: {layer.note}")
    for note in graph.notes:
        out(f"note: {note}")


def print_rules(first: LayerGraph, second: LayerGraph, rules: tuple[Rule, ...]) -> None:
    """Print the rules that differ, with a line for each network, then those that agree."""
    differing = [rule for rule in rules if rule.differs]
    for rule in differing:
        out(rule.name)
        out(f"  {first.model}: {rule.one}")
        out(f"  {second.model}: {rule.other}")
    equal = [f"{rule.name} {rule.one}" for rule in rules if not rule.differs]
    if equal:
        out("the same: " + "; ".join(equal))
