"""`sightlab analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, progress_bar, say
from sightlab.cli.stdio import printable

if TYPE_CHECKING:
    from sightlab.lens.analyze import Found

EXAMPLES = """\b
Examples:
  sightlab analyze last
  sightlab analyze 3fa2 91bc --only spectrum,corruptions -o comparison.html
  sightlab analyze pretrained/efficientnet-lite0 --only shape --data cue-conflict.tar
"""


def analyze(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, or pretrained/NAME or timm/NAME.")],
    only: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="These analyses alone; default: all that fit.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Labelled images; default: the validation split.")
    ] = None,
    images: Annotated[int, typer.Option(min=2, help="The most images that are looked at.")] = 1000,
    target: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Page, .html or .md; default: analysis.html.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FILE.py:NAME", help="Your own model code, for a run trained with it.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Find out how trained networks see, and why they differ.

    Frequencies, shape, patches, corruptions, loss landscape, calibration and others: `--only` takes their names.
    Images are those of the validation split; the test split stays sealed. Several runs are compared on the same
    images. The page is analysis.html in the run's folder, or in the current one for several; figures are kept with
    each run, so that `sightlab runs --sort analysis.NAME.FIGURE` finds them.
    """
    from sightlab.lens.analyze import analyze as analyzed

    with progress_bar("reading images") as reading, progress_bar("analyzing") as tick:
        found = analyzed(
            runs,
            only=None if only is None else tuple(word.strip() for word in only.split(",") if word.strip()),
            data=data,
            limit=images,
            code=model,
            device=device,
            home=home,
            progress=reading,
            tick=tick,
            say=lambda text: say(printable(text)),
        )
    written = write_pages(found, target)
    if json:
        as_json({**found.to_json(), "written": [str(path) for path in written]})
        return
    for results in found.results.values():
        for result in results:
            lead = f"{result.subject}: " if len(results) > 1 else ""
            out(printable(lead + " ".join(result.sentences)))
    for name, reason in found.left_out.items():
        out(printable(f"left out: {name}: {reason}"))
    out(f"\npage: {written[0]}")


def write_pages(found: Found, target: Path | None) -> list[Path]:
    """Write the page; gives its files, the page first."""
    from sightlab.report.analysis_page import CHARTS, analysis_article
    from sightlab.report.article import page_file, write_article

    file = page_file(target or found.folder / "analysis.html")
    page = analysis_article(found.results, found.titles, CHARTS, found.source, found.left_out, found.subjects)
    return write_article(page, file)
