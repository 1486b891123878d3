"""`sightlab test`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.data import Words, reading_of
from sightlab.cli.output import JSON_OPTION, Home, out, plain_name, progress_bar, say, table
from sightlab.cli.stdio import dumped, json_bytes, printable, write

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
    run: Annotated[str, typer.Argument(metavar="RUN", help="An id's beginning, `last`, a run folder or a bundle.")],
    data: Annotated[str, typer.Option(metavar="SOURCE", help="Labelled data; of divided data its test split.")],
    words: Words = None,
    predictions: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a row an image as CSV.")] = None,
    confusion: Annotated[Path | None, typer.Option(metavar="FILE", help="Confusion picture, .png or .svg.")] = None,
    label: Annotated[str | None, typer.Option(help="The label column of a table.")] = None,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out broken pictures.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    open_test: Annotated[
        str | None, typer.Option(metavar="REASON", help="Open the run's own test split once more; kept on record.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="FILE.py:NAME", help="Your own code that the run names.")] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Score a run's model on labelled data it never saw.

    Classes are matched by name; images of another size or channels are brought to the model's. KEY=VALUE says how
    SOURCE is read, as in training: label=, layout=, size=, ... The opening is put on record beside the model and
    counted.
    """
    from sightlab import evaluation

    read = reading_of(words, label=label, skip_broken=skip_broken)
    bundle = evaluation.bundle_of(run, home)
    with progress_bar("reading pictures") as reading, progress_bar("testing") as tick:
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
        write(json_bytes(dumped(facts_of(tested, str(bundle.folder), data, written))), None)
    else:
        result(tested, written)


def own_model(bundle: Any, code: str | None) -> Any:
    """The user's own network, built from the code they name for it; None where none is named."""
    if code is None:
        return None
    from sightlab.models import build

    facts = bundle.facts
    shape = {"channels": facts.channels, "height": facts.height, "width": facts.width}
    return build(code, **shape, classes=len(facts.classes), options=facts.options, say=say)


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
    out(f"openings   {score.openings}: this split has been opened so often for this model")
    if tested.seen:
        share = tested.seen / score.count
        out(
            f"warning    {tested.seen:,} of these images ({share:.1%}) were in its training data; the score is too good"
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
        out("\nmost often confused: " + ", ".join(pairs))
    for kind, path in written.items():
        out(printable(f"{kind}: {path}"))
