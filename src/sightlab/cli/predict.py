"""`sightlab predict`."""

from __future__ import annotations

import csv
import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.show import JSON_OPTION, Home, as_json, out, say, table
from sightlab.cli.test import own_model
from sightlab.errors import RunError

if TYPE_CHECKING:
    from sightlab.records import Answer

EXAMPLES = """\b
Examples:
  sightlab predict last photo.jpg
  sightlab predict 3fa2 inbox/ --format csv > answers.csv
  sightlab predict runs/3fa2c1-demo pixels.csv --json
"""


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="An id's beginning, `last`, a run folder or a bundle.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Pictures, folders, archives, or CSV.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes an answer names.")] = 3,
    form: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write there instead of stdout.")] = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out broken pictures.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    model: Annotated[str | None, typer.Option(metavar="FILE.py:NAME", help="Your own code that the run names.")] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Say what is on pictures: class, probability and the most probable others.

    FILE is a picture, a folder or an archive of pictures, or a CSV file of pixel columns without labels.
    """
    from sightlab import prediction, testing

    bundle = testing.bundle_of(run, home)
    network = own_model(bundle, model)
    answers = prediction.predict(
        bundle,
        files,
        top=top,
        model=network,
        skip_broken=skip_broken,
        on_broken=lambda error: say(f"left out: {error}"),
        device=device,
    )
    if json or form is Format.json:
        if output is None:
            as_json(facts_of(answers))
        else:
            from json import dumps

            write(output, dumps(facts_of(answers), ensure_ascii=False) + "\n")
    elif form is Format.csv or output is not None:
        text = as_csv(answers)
        write(output, text) if output is not None else out(text.removesuffix("\n"))
    else:
        rows = [[a.file, a.predicted, f"{a.probability:.2%}", runners_up(a)] for a in answers]
        table(["file", "class", "probability", "then"], rows, right=(2,))


def facts_of(answers: list[Answer]) -> dict[str, object]:
    """What `--json` prints."""
    return {"count": len(answers), "predictions": [answer.to_json() for answer in answers]}


def runners_up(answer: Answer) -> str:
    """The classes after the first, with their probabilities."""
    return ", ".join(f"{name} {share:.2%}" for name, share in answer.top[1:])


def as_csv(answers: list[Answer]) -> str:
    """A row an answer: file, class, probability, then the other classes named, each with its probability."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    others = max((len(a.top) for a in answers), default=1)
    more = [name for n in range(2, others + 1) for name in (f"class_{n}", f"probability_{n}")]
    rows.writerow(["file", "class", "probability", *more])
    for answer in answers:
        rows.writerow([answer.file, *(cell for name, share in answer.top for cell in (name, f"{share:.6f}"))])
    return text.getvalue()


def write(path: Path, text: str) -> None:
    """Write the answers to a file, whole or not at all. Raises RunError."""
    from sightlab.files import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
