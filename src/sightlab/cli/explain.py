"""`sightlab explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, progress_bar, say, table
from sightlab.cli.stdio import printable
from sightlab.cli.test import own_model
from sightlab.errors import RunError

if TYPE_CHECKING:
    from sightlab.records.explained import Explanations

EXAMPLES = """\b
Examples:
  sightlab explain last
  sightlab explain 3fa2 cat.jpg dog.jpg -o why.png
  sightlab explain 3fa2 seven.png --class 9
  sightlab explain 3fa2 --data photos/ --method integrated-gradients
"""
SUFFIXES = (".html", ".png", ".svg")


def explain(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The first characters of a run's id, `last`, a run folder or a bundle.")
    ],
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PICTURE ...]", help="Pictures, folders or archives; default: validation images."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Labelled images instead of the validation split.")
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Explain this class, not the predicted one.")
    ] = None,
    method: Annotated[str | None, typer.Option(metavar="NAME", help="Default: what suits the network.")] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Check whether the method may be believed.")] = True,
    target: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Page or picture: .html, .png or .svg.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FILE.py:NAME", help="Your own model code, for a run trained with it.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Show which parts of images a run's answers come from.

    Each method is checked for whether it may be believed. Without pictures: the most confident mistakes, the least
    confident hits and the surest hit of each class, from the validation split; the test split stays sealed. The
    page is explanations.html in the run's folder, or in the current one for pictures and bundles.
    """
    from sightlab import evaluation
    from sightlab.lens.saliency.explain import explain as explained

    file = checked_target(target)
    bundle = evaluation.bundle_of(run, home)
    with progress_bar("reading images") as reading, progress_bar("explaining") as tick:
        found = explained(
            bundle,
            pictures or None,
            data=data,
            class_name=class_name,
            method=method,
            check=check,
            model=own_model(bundle, model),
            device=device,
            progress=reading,
            tick=tick,
        )
    folder = bundle.run_folder if pictures is None else None
    written = write_explanations(found, file or (folder or Path()) / "explanations.html")
    for note in found.notes:
        say(printable(note))
    if json:
        as_json({**found.to_json(), "written": str(written)})
        return
    rows = [
        [printable(one.name), one.group, printable(one.label), printable(one.predicted), f"{one.probability:.1%}"]
        + ([printable(one.explained), f"{one.share:.1%}"] if class_name else [])
        for one in found.images
    ]
    table(
        ["image", "shown as", "true", "predicted", "probability", *(["explained", "its"] if class_name else [])], rows
    )
    out(f"\nmethod: {found.method}{f', layer {found.layer}' if found.layer else ''}")
    if found.verdict:
        out(printable(found.verdict))
    out(f"page: {written}")


def checked_target(target: Path | None) -> Path | None:
    """The file to write, by its suffix. Raises RunError for another."""
    if target is not None and target.suffix.lower() not in SUFFIXES:
        raise RunError(f"--out {target}: a page is .html, a picture .png or .svg")
    return target


def write_explanations(found: Explanations, file: Path) -> Path:
    """Write explanations in the form of the file's suffix; gives its path. Raises RunError."""
    from sightlab import charts, pictures
    from sightlab.lens.saliency.sheet import explanation_sheet
    from sightlab.report.article import write_html
    from sightlab.report.explain_page import explain_article, svg_of

    if file.suffix.lower() == ".html":
        return write_html(explain_article(found), file)[0]
    sheet = explanation_sheet(found.images, f"What {found.subject} looks at: {found.method}")
    if file.suffix.lower() == ".png":
        pictures.save_picture(sheet, file)
    else:
        charts.save_svg(svg_of(sheet), file)
    return file
