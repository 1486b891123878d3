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
    from sightlab.lens.resolve import Opened
    from sightlab.lens.structure import Shape, Structure

EXAMPLES = """\b
Examples:
  sightlab structure mini-resnet-v4
  sightlab structure resnet18 --input 3x224x224 -o resnet18.svg
  sightlab structure mini-resnet-v4 --against resnet18
  sightlab structure last --picture photo.jpg
"""
NUMBERS = (6, 7, 8, 9, 10)  # columns of the table that hold numbers
HEADER = (
    *("layer", "operation", "kernel", "stride", "padding", "channels", "output"),
    *("parameters", "mult-adds", "sees", "jump"),
)


def structure(
    model: Annotated[str, typer.Argument(metavar="MODEL|RUN", help="A model's name, FILE.py:NAME, or a trained run.")],
    shape: Annotated[
        str | None, typer.Option("--input", metavar="CxHxW", help="Channels, height, width; default 1x28x28.")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="Number of classes; default 10.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="MODEL|RUN", help="Another one, to be held against it rule by rule.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the feature maps that a run makes of this picture.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The drawing: .svg, .png or .pdf.")
    ] = None,
    own: Annotated[
        str | None, typer.Option("--model", metavar="FILE.py:NAME", help="Your own code that the run names.")
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Show what a network is made of: layers, sizes, costs, receptive fields; as a table and as a drawing.

    Of a trained run also the filters of its first layer, and with --picture its feature maps. With --against, the rules
    by which two networks are designed, and both drawings side by side.
    """
    from sightlab.lens.structure import read_shape

    asked = read_shape(shape) if shape is not None else None
    first = opened(model, asked, classes, own, home)
    if picture is not None and first.classifier is None:
        raise RunError(f"--picture: feature maps are of a trained run, and {model} is a model; name a run instead")
    second = beside(first.structure, against, asked, classes, own, home) if against is not None else None
    file = target or Path(f"{plain_name(model)}-structure.svg")
    written = files(first, second, picture, file)
    rules = rules_of(first.structure, second) if second else ()
    if json:
        from sightlab.lens.design_rules import rules_json

        facts = first.structure.to_json() | {"written": [str(path) for path in written]}
        more = {"against": second.to_json(), "rules": rules_json(rules)} if second else {}
        as_json(facts | more)
        return
    if second:
        show_rules(first.structure, second, rules)
    else:
        show(first.structure)
    for path in written:
        out(f"written: {path}")


def opened(word: str, shape: Shape | None, classes: int | None, own: str | None, home: Path | None) -> Opened:
    """The model or the run that a word names. Raises ModelError or RunError."""
    from sightlab.lens import resolve

    folder = resolve.run_named(word, home)
    if folder is None:
        return resolve.opened_model(word, shape, classes)
    if shape is not None or classes is not None:
        raise ModelError(
            f"{word} is a trained run, which has images and classes of its own; leave out --input, --classes"
        )
    from sightlab.store.bundle import read_bundle

    bundle = read_bundle(folder)
    return resolve.opened_run(bundle, folder.name, own_model(bundle, own))


def beside(
    first: Structure, word: str, shape: Shape | None, classes: int | None, own: str | None, home: Path | None
) -> Structure:
    """The second network; one that is given by name is made for the images and classes of the first."""
    from sightlab.lens import resolve

    if resolve.run_named(word, home) is None:
        return resolve.opened_model(word, shape or first.shape, classes or first.classes).structure
    return opened(word, shape, classes, own, home).structure


def rules_of(first: Structure, second: Structure) -> tuple[Rule, ...]:
    """The rules of both, those that differ first."""
    from sightlab.lens.design_rules import side_by_side

    return side_by_side(first, second)


def files(first: Opened, second: Structure | None, picture: Path | None, file: Path) -> list[Path]:
    """Draw what there is to draw; gives the files, the network's own first."""
    from sightlab.charts import save_svg
    from sightlab.lens.diagram import drawn, drawn_beside

    sheets = sheets_of(first, picture, file)
    save_svg(drawn_beside(first.structure, second) if second else drawn(first.structure), file)
    if sheets:
        from sightlab.pictures import save_picture

        for path, sheet in sheets.items():
            save_picture(sheet, path)
    return [file, *sheets]


def sheets_of(first: Opened, picture: Path | None, file: Path) -> dict[Path, Image]:
    """The contact sheets of a trained run, by the file they go to; none of a model that is not trained."""
    if first.classifier is None or first.bundle is None:
        return {}
    from sightlab.lens import feature_maps

    sheets: dict[Path, Image] = {}
    if picture is not None:
        from sightlab.prediction import first_picture

        shown = first_picture(picture, first.bundle.facts)
        sheets[file.with_name(f"{file.stem}-maps.png")] = feature_maps.map_sheet(
            first.classifier, first.structure, shown
        )
    try:
        filters = feature_maps.filter_sheet(first.classifier.net, first.structure)
    except ModelError as error:
        say(str(error))
        return sheets
    return {file.with_name(f"{file.stem}-filters.png"): filters} | sheets


def show(found: Structure) -> None:
    """The structure, for a person."""
    from sightlab.lens.blocks import row_words

    rows = [row_words(layer) for layer in found.layers]
    table(HEADER, [[row[column] for column in HEADER] for row in rows], right=NUMBERS)
    out("")
    for name, value in summary(found):
        out(f"{name:<15} {value}")
    for layer in found.layers:
        if layer.note:
            out(f"note: {layer.name}: {layer.note}")
    for note in found.notes:
        out(f"note: {note}")


def summary(found: Structure) -> list[tuple[str, str]]:
    """What the table comes to."""
    from sightlab.lens.design_rules import design

    rules = design(found)
    return [(name, rules[name]) for name in ("input", *list(rules)[1:])]


def show_rules(first: Structure, second: Structure, rules: tuple[Rule, ...]) -> None:
    """The rules that differ, a column a network, and below them those that do not."""
    differing = [rule for rule in rules if rule.differs]
    for rule in differing:
        out(rule.name)
        out(f"  {first.model}: {rule.one}")
        out(f"  {second.model}: {rule.other}")
    alike = [f"{rule.name} {rule.one}" for rule in rules if not rule.differs]
    if alike:
        out("the same: " + "; ".join(alike))
