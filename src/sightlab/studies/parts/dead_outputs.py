"""Outputs that a ReLU after the last layer has killed, and the losses that follow."""

from __future__ import annotations

import math

from sightlab.records import Epoch
from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.report.phrases import counted
from sightlab.studies.study_results import FORMS, Results, Trained, last_loss


def dead_outputs(results: Results) -> tuple[Block, ...]:
    """The number of outputs that are constant over the validation images after each epoch, and the final loss."""
    lines = [
        (
            row.planned.row.name,
            FORMS[row.planned.row.form],
            str(one.facts.get("seed", "")),
            counts(one.run.epochs),
            f"{last_loss(one):.4f}",
            f"{floor(dead_at_end(one), len(one.facts['data']['classes'])):.4f}",
            f"{one.result.score.accuracy:.1%}",
        )
        for row in results.rows
        for one in row.runs
        if row.planned.row.form == "published" or any(e.dead_outputs for e in one.run.epochs)
    ]
    header = ("network", "form", "seed", "dead after each epoch", "validation loss", "dead alone", "test accuracy")
    caption = (
        "Outputs that are the same for every validation image, after each epoch; the loss is that of the last, and "
        "beside it what the dead outputs alone cost where classes are equally large."
    )
    return (*grid_words(results), Table(header, rows_of(lines), right=(2, 4, 5, 6), caption=caption))


def floor(dead: int, classes: int) -> float:
    """The least mean cross-entropy with so many outputs stuck at 0 and none below it, classes equally large; in nats.

    An image of a dead class has logit 0 for its own class and at least 0 for each other: ln(sum exp z) >= ln C. The
    images of the other classes may cost nothing.

    >>> f"{floor(1, 10):.3f} {floor(10, 10):.4f}"
    '0.230 2.3026'
    """
    return dead / classes * math.log(classes)


def counts(epochs: tuple[Epoch, ...]) -> str:
    """Dead outputs, a number an epoch."""
    return " ".join("?" if e.dead_outputs is None else str(e.dead_outputs) for e in epochs)


def dead_at_end(one: Trained) -> int:
    """Dead outputs after the last epoch; 0 where that was not kept."""
    return one.run.epochs[-1].dead_outputs or 0


def grid_words(results: Results) -> tuple[Block, ...]:
    """The losses of the published grid's cells with and without dead outputs."""
    cells = [one for grid in results.grids if grid.planned.grid.form == "published" for one in grid.cells.values()]
    if not cells:
        return ()
    dead = {count: [last_loss(one) for one in cells if dead_at_end(one) == count] for count in range(11)}
    groups = [
        f"{counted(len(losses), 'cell')} with {count} dead: loss {span(losses)}"
        for count, losses in dead.items()
        if losses
    ]
    classes = len(cells[0].facts["data"]["classes"])
    text = (
        f"Of the grid with the ReLU, {'; '.join(groups)}. With all {classes} dead the loss is ln {classes} = "
        f"{math.log(classes):.4f}, whatever the images are."
    )
    alive = [one for grid in results.grids if grid.planned.grid.form == "repaired" for one in grid.cells.values()]
    if alive:
        hit = sum(dead_at_end(one) > 0 for one in alive)
        text += f" Without the ReLU {hit or 'none'} of {counted(len(alive), 'cell')} has a dead output; loss "
        text += f"{span([last_loss(one) for one in alive])}."
    return (Text(text),)


def span(losses: list[float]) -> str:
    """The lowest and the highest of some losses."""
    low, high = min(losses), max(losses)
    return f"{low:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{low:.3f} to {high:.3f}"
