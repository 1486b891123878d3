"""Accuracy read off the last batch, as a study published it, beside the true one."""

from __future__ import annotations

import math

from sightlab.recipes.schema import Recipe
from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.store.run_folder import recipe_in
from sightlab.studies.study_results import Results, Trained


def last_batch(results: Results) -> tuple[Block, ...]:
    """The best last-batch accuracy of all epochs, as published, beside what validation and test really were."""
    everyone = [
        (row.planned.row.name, figure(row.planned.row.figures.accuracy), one)
        for row in results.rows
        for one in row.runs
    ]
    for grid in results.grids:
        planned = grid.planned
        published = {
            (x, y): planned.grid.published[j][i]
            for j, y in enumerate(planned.grid.y.values)
            for i, x in enumerate(planned.grid.x.values)
            if planned.grid.published
        }
        for (x, y), one in grid.cells.items():
            name = f"{planned.grid.name.partition(',')[0]}, {planned.grid.x.key} {x}, {planned.grid.y.key} {y}"
            everyone.append((name, figure(published.get((x, y))), one))
    lines = [line(name, published, one) for name, published, one in everyone]
    header = (
        "network",
        "published",
        "last batch, best epoch",
        "all of validation, that epoch",
        "images in it",
        "test",
        "95 % interval",
    )
    caption = (
        "The best accuracy of a last batch over the epochs, as the study reports it; the accuracy of the whole "
        "validation split after the same epoch; and the test accuracy of the epoch that the whole of validation chose."
    )
    too_good = [luck(one) for _, _, one in everyone if one.run.epochs[0].last_batch_accuracy is not None]
    above = sum(gap > 0 for gap in too_good)
    words = (
        f"In {above} of {len(too_good)} runs the best last batch is above the accuracy of all validation images after "
        f"the same epoch; on average by {100 * sum(too_good) / len(too_good):.1f} points, at most by "
        f"{100 * max(too_good):.1f}."
        if too_good
        else "The epochs' last batches were not kept."
    )
    return Text(words), Table(header, rows_of(lines), right=(1, 2, 3, 4, 5, 6), caption=caption)


def figure(accuracy: float | None) -> str:
    """A published accuracy."""
    return "" if accuracy is None else f"{accuracy:.2%}"


def line(name: str, published: str, one: Trained) -> tuple[str, ...]:
    """A row of the table."""
    recipe = recipe_in(one.folder)[0]
    best = max(one.run.epochs, key=lambda e: e.last_batch_accuracy or 0.0)
    low, high = one.trial.score.interval
    return (
        f"{name}, seed {recipe.seed}",
        published,
        f"{best.last_batch_accuracy or math.nan:.2%}",
        f"{best.validation_accuracy:.2%}",
        str(size_of_last(one, recipe)),
        f"{one.trial.score.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
    )


def luck(one: Trained) -> float:
    """How much the best last batch is above the whole of validation after the same epoch, in [-1, 1]."""
    best = max(one.run.epochs, key=lambda e: e.last_batch_accuracy or 0.0)
    return (best.last_batch_accuracy or 0.0) - best.validation_accuracy


def size_of_last(one: Trained, recipe: Recipe) -> int:
    """How many images the last batch of validation has."""
    images = int(one.facts["data"]["validation"])
    return (images - 1) % recipe.batch_size + 1
