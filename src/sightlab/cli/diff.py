"""`sightlab diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, progress_bar, table

if TYPE_CHECKING:
    from sightlab.runs.diff import RunDiff

EXAMPLES = """\b
Examples:
  sightlab diff 3fa2 91bc
  sightlab diff last runs/3fa2c1-demo --out difference/
  sightlab diff 3fa2 91bc --open-test "to see what the better one sees"
"""
MOST_CLASSES = 20  # lines of the table of classes; --json has them all


def diff(
    first: Annotated[
        str, typer.Argument(metavar="RUN", help="The first characters of a run's id, `last`, or a run folder.")
    ],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The run to compare it with.")],
    target: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write charts.")] = Path(
        "difference"
    ),
    open_test: Annotated[
        str | None, typer.Option(metavar="REASON", help="Compare on test images instead; the reason is recorded.")
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Show how two runs differ: recipe, scores, classes, images.

    The images on which they disagree are taken from the validation split, so the test split stays sealed; --open-test
    takes them from the test split.
    """
    from sightlab.runs import diff

    with progress_bar("reading images") as progress:
        found = diff.diff(first, second, open_test=open_test, home=home, progress=progress)
    written = diff.draw(found, target)
    if json:
        as_json(found.to_json() | {"written": [str(path) for path in written]})
        return
    result(found)
    for path in written:
        out(f"written: {path}")


def p_shown(p: float) -> str:
    """A p-value with three decimals, never as 0.

    >>> p_shown(0.0004), p_shown(0.0312)
    ('<0.001', '0.031')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def result(found: RunDiff) -> None:
    """Print the difference."""
    a, b = found.runs
    if found.keys:
        table(["key", a.id, b.id], [[key, str(old), str(new)] for key, (old, new) in found.keys.items()])
    else:
        out("the recipes are the same")
    if found.identity:
        table(["beside the recipe", a.id, b.id], [[name, *values] for name, values in found.identity.items()])
    out("")
    out(found.sentence)
    counts = found.counts
    out(
        f"{found.split}: both correct {counts.both_right:,}, only {a.id} {counts.only_first:,}, "
        f"only {b.id} {counts.only_second:,}, both wrong {counts.both_wrong:,}"
    )
    out("")
    most = sorted(found.classes, key=lambda one: -abs(one.difference))[:MOST_CLASSES]
    rows = [
        [one.name, f"{one.first:.2%}", f"{one.second:.2%}", f"{100 * one.difference:+.2f}", p_shown(one.adjusted)]
        for one in most
    ]
    table([f"class ({found.split})", a.id, b.id, "points", "p (Holm)"], rows, right=(1, 2, 3, 4))
    if more := len(found.classes) - len(most):
        out(f"and {more} classes with smaller changes")
    for note in found.notes:
        out(note)
