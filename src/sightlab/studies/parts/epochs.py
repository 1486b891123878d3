"""The published accuracies of each epoch beside those of the runs."""

from __future__ import annotations

from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.studies.study_results import Results


def published_epochs(results: Results) -> tuple[Block, ...]:
    """Training and test accuracy by epoch as published; training and validation accuracy here."""
    published = next((row for row in results.plan.study.rows if row.figures.by_epoch), None)
    shown = [row for row in results.rows if row.runs and row.planned.row.form == "published"]
    if published is None or not shown:
        return ()
    names = [row.planned.row.name.rpartition(", ")[2] for row in shown]
    header = (
        "epoch",
        "published: train",
        "published: test",
        *(f"{name}: {of}" for name in names for of in ("train", "validation")),
    )
    lines = []
    for place, (train, test) in enumerate(published.figures.by_epoch):
        cells = [str(place + 1), f"{train:.2%}", f"{test:.2%}"]
        for row in shown:
            epochs = row.runs[0].run.epochs
            known = place < len(epochs)
            cells += (
                [f"{epochs[place].train_accuracy:.2%}", f"{epochs[place].validation_accuracy:.2%}"]
                if known
                else ["", ""]
            )
        lines.append(cells)
    words = (
        f"The published figures are those of {published.name}. The study looked at the test images after each epoch; "
        "here validation images are kept from training for that, and the test split is opened once, at the end."
    )
    return Text(words), Table(header, rows_of(lines), right=tuple(range(len(header))))
