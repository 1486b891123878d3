"""`sightlab test`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.data import Words, reading_of
from sightlab.cli.output import JSON_OPTION, Home, out, plain_name, progress_bar, say, table
from sightlab.cli.stdio import json_bytes, json_line, printable, write

if TYPE_CHECKING:
    from sightlab.evaluation import Evaluation

EXAMPLES = """\b
Examples:
  sightlab test last --data hidden.csv
  sightlab test 3fa2 --data photos/ --predictions out.csv
  sightlab test 3fa2 --data HAM10000/ label=dx
  sightlab test last --data kmnist:test --open-test "the reviewers asked for it" --json
"""


def test(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The first characters of a run's id, `last`, a run folder or a bundle.")
    ],
    data: Annotated[
        str, typer.Option(metavar="SOURCE", help="Labelled data; where it is split, its test split is used.")
    ],
    words: Words = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a CSV with one row per image.")
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the confusion matrix, .png or .svg.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label column of a table.")] = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Skip images that cannot be decoded.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    open_test: Annotated[
        str | None, typer.Option(metavar="REASON", help="Open the run's own test split again; the reason is recorded.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:NAME", help="Your own model code, for a run that was trained with it."),
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Score a model on labelled data it has not seen.

    Classes are matched by name; images are converted to the model's size and channels. KEY=VALUE says how SOURCE is
    read, as in training: label=, layout=, size=, ... Each evaluation is recorded beside the model and counted.
    """
    from sightlab import evaluation

    read = reading_of(words, label=label, skip_broken=skip_broken)
    bundle = evaluation.bundle_of(run, home)
    with progress_bar("reading images") as reading, progress_bar("testing") as tick:
        tested = evaluation.evaluate(
            bundle,
            data,
            open_test=open_test,
            model=own_model(bundle, model),
            device=device,
            progress=reading,
            tick=tick,
            **read,
        )
    written = written_files(tested, bundle.folder, predictions, confusion, data)
    for text in tested.notes:
        say(printable(text))
    if json:
        write(json_bytes(json_line(facts_of(tested, str(bundle.folder), data, written))), None)
    else:
        result(tested, written)


def own_model(bundle: Any, code: str | None) -> Any:
    """The user's own network, built from the code they name for it; None where none is named."""
    if code is None:
        return None
    from sightlab.store.bundle import own_network

    return own_network(bundle, code, say)


def written_files(
    tested: Evaluation, folder: Path, predictions: Path | None, confusion: Path | None, source: str
) -> dict[str, str]:
    """Write the confusion picture, and the predictions where asked for. Gives what was written, by kind."""
    from sightlab import charts, metrics
    from sightlab.store.predictions import write_predictions_csv

    said = tested.predictions
    matrix = metrics.confusion_matrix(said)
    # Beside the run's own pictures where there is a run that may be written to, else where the user stands.
    in_run = (folder.parent / "run.json").is_file() and os.access(folder.parent, os.W_OK)
    target = confusion or (folder.parent if in_run else Path()) / f"confusion-{plain_name(source)}.png"
    charts.save_chart(charts.confusion(matrix, said.classes, title=f"{source}: true against predicted"), target)
    written = {"confusion": str(target)}
    if predictions is not None:
        write_predictions_csv(predictions, said, metrics.probabilities(said.logits))
        written["predictions"] = str(predictions)
    return written


def facts_of(tested: Evaluation, bundle: str, source: str, written: dict[str, str]) -> dict[str, Any]:
    """What `--json` prints."""
    from dataclasses import asdict

    return {
        "bundle": bundle,
        "data": source,
        **tested.score.to_json(),
        "seen_in_training": tested.seen,
        "classes": [asdict(one) for one in tested.classes],
        "notes": list(tested.notes),
        **written,
    }


def result(tested: Evaluation, written: dict[str, str]) -> None:
    """The test's result, for a person."""
    from sightlab import metrics

    score = tested.score
    out(f"accuracy   {score}")
    if score.top5 is not None:
        out(f"top 5      {score.top5:.2%}")
    out(f"loss       {score.loss:.4f}")
    out(f"openings   {score.openings} of this split for this model so far")
    if tested.seen:
        share = tested.seen / score.count
        out(
            f"warning    {tested.seen:,} of these images ({share:.1%}) were in the training data: the score is too high"
        )
    out("")
    rows = [
        [printable(one.name), f"{one.precision:.2%}", f"{one.recall:.2%}", f"{one.f1:.2%}", f"{one.support:,}"]
        for one in tested.classes
    ]
    table(["class", "precision", "recall", "F1", "images"], rows, right=(1, 2, 3, 4))
    said = tested.predictions
    worst = metrics.worst_confusions(metrics.confusion_matrix(said), said.classes, most=3)
    if worst:
        pairs = (printable(f"{true} taken for {taken}") + f" {n} times" for true, taken, n in worst)
        out("\nmost frequent confusions: " + ", ".join(pairs))
    for kind, path in written.items():
        out(printable(f"{kind}: {path}"))
