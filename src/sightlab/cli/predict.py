"""`sightlab predict`."""

from __future__ import annotations

import csv
import io
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightlab.cli.hints import with_options
from sightlab.cli.output import JSON_OPTION, Home, say, table
from sightlab.cli.stdio import encode_names, json_bytes, json_line, printable, write
from sightlab.cli.test import own_model

if TYPE_CHECKING:
    from sightlab.records import Answer

EXAMPLES = """\b
Examples:
  sightlab predict last photo.jpg
  sightlab predict 3fa2 inbox/ --format csv > answers.csv
  sightlab predict last inbox/ --coverage 0.95
  sightlab predict last test/ --format submission -o submission.csv
  sightlab predict runs/3fa2c1-demo pixels.csv --json
"""
FILES = "Images; folders, archives or lists of them; tables or arrays of pixels."


class Sets(StrEnum):
    """How sets of classes are made."""

    lac = "lac"
    aps = "aps"
    raps = "raps"


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    csv = "csv"
    json = "json"
    submission = "submission"


def predict(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The first characters of a run's id, `last`, a run folder or a bundle.")
    ],
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help=FILES)],
    top: Annotated[int, typer.Option(min=1, help="How many classes to list for each image.")] = 3,
    form: Annotated[Format, typer.Option("--format", help="table, csv, json or submission.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead of stdout.")] = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Skip images that cannot be decoded.")] = False,
    bit_depth: Annotated[int | None, typer.Option(min=8, max=16, help="Significant bits of 16-bit images.")] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="HxW", help="Height and width of flattened images in an array.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Text encoding of tables, lists and file names in old zips.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    model: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:NAME", help="Your own model code, for a run that was trained with it."),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Also give a set of classes that holds the true one with this probability."),
    ] = None,
    sets: Annotated[
        Sets | None, typer.Option(help="How sets are made: lac, aps or raps. [default: lac]", show_default=False)
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Predict the class of images, with probabilities.

    FILE is an image, a folder or an archive of images, a text file that lists images, Parquet, or unlabelled pixels as
    CSV, npy, npz or idx. A submission has two columns, id and label, with the headings of a sample_submission.csv
    beside FILE where there is one. With --coverage 0.95 each image also gets a set of classes that holds the true one
    with that probability, for images drawn as the run's validation images were.
    """
    from sightlab import evaluation, prediction
    from sightlab.errors import RunError

    if coverage is not None and form is Format.submission and not json:
        raise RunError("--coverage: a submission has no place for sets of classes; use --format csv or json")

    bundle = evaluation.bundle_of(run, home)
    answers = prediction.predict(
        bundle,
        files,
        top=top,
        model=own_model(bundle, model),
        skip_broken=skip_broken,
        on_broken=left_out,
        on_note=note,
        bit_depth=bit_depth,
        shape=shape,
        encoding=encoding,
        device=device,
        coverage=coverage,
        sets=None if sets is None else sets.value,
    )
    if json or form is Format.json:
        write(json_bytes(json_line(facts_of(answers))), output)
    elif form is Format.submission:
        write(encode_names(submitted(answers, files)), output)
    elif form is Format.csv or output is not None:
        write(encode_names(as_csv(answers)), output)
    else:
        show(answers)


def note(text: str) -> None:
    """Say what the user should know, its hints as this command takes them."""
    say(printable(with_options(text, "predict")))


def left_out(error: Exception) -> None:
    """Say which picture is left out, and why; that broken ones may be left out is known already."""
    from sightlab.data.pictures.image_file import SKIP_HINT

    say(printable(f"left out: {str(error).removesuffix(f'; {SKIP_HINT}')}"))


def facts_of(answers: list[Answer]) -> dict[str, object]:
    """What `--json` prints."""
    return {"count": len(answers), "predictions": [answer.to_json() for answer in answers]}


def submitted(answers: list[Answer], files: list[str]) -> str:
    """The answers as a submission; what it follows is said."""
    from sightlab.cli.submission import submission

    text, notes = submission(answers, files)
    for line in notes:
        note(line)
    return text


def show(answers: list[Answer]) -> None:
    """The answers, for a person."""
    own = any(answer.own_id for answer in answers)
    rows = []
    several = any(answer.set is not None for answer in answers)
    for a in answers:
        cells = [a.file, *([a.id] if own else []), a.predicted, f"{a.probability:.2%}", runners_up(a)]
        rows.append([printable(cell) for cell in (*cells, *([members(a)] if several else []))])
    header = ["file", *(["id"] if own else []), "class", "probability", "then", *(["set"] if several else [])]
    table(header, rows, right=(2 + own,))


def runners_up(answer: Answer) -> str:
    """The classes after the first, with their probabilities."""
    return ", ".join(f"{name} {share:.2%}" for name, share in answer.top[1:])


def members(answer: Answer, most: int = 5) -> str:
    """The classes of the set, at most this many of them named."""
    several = answer.set or ()
    more = f" and {len(several) - most} more" if len(several) > most else ""
    return ", ".join(several[:most]) + more


def as_csv(answers: list[Answer]) -> str:
    """A row an answer: file, its id in a table or list that has ids, class, probability, then the other classes named.

    Where answers have sets of classes, two more columns: set_size, and set, its names as a JSON list.

    Cells that a spreadsheet would run as formulas have an apostrophe before them.
    """
    from sightlab.store.predictions import plain_cell

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    own = any(answer.own_id for answer in answers)
    others = max((len(a.top) for a in answers), default=1)
    more = [name for n in range(2, others + 1) for name in (f"class_{n}", f"probability_{n}")]
    sets = ["set_size", "set"] if any(answer.set is not None for answer in answers) else []
    rows.writerow(["file", *(["id"] if own else []), "class", "probability", *more, *sets])
    for a in answers:
        cells = [a.file, *([a.id] if own else []), *(cell for name, share in a.top for cell in (name, f"{share:.6f}"))]
        if a.set is not None:
            cells += [str(len(a.set)), json.dumps(a.set, ensure_ascii=False)]
        rows.writerow([plain_cell(cell) for cell in cells])
    return text.getvalue()
