"""Accuracy of the last batch only, as a study published it, beside that of all images."""

from __future__ import annotations

import math

from sightlab.recipes.schema import Recipe
from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.store.run_folder import recipe_in
from sightlab.studies.study_results import Results, Trained, percent


def last_batch(results: Results) -> tuple[Block, ...]:
    """The best last-batch accuracy over the epochs, as published, beside the validation and test accuracy."""
    entries = [
        (row.planned.row.name, percent(row.planned.row.figures.accuracy), one)
        for row in results.rows
        for one in row.runs
    ]
    for grid in results.grids:
        planned = grid.planned
        published = planned.grid.published_cells
        for (x, y), one in grid.cells.items():
            name = f"{planned.grid.name.partition(',')[0]}, {planned.grid.x.key} {x}, {planned.grid.y.key} {y}"
            entries.append((name, percent(published.get((x, y))), one))
    lines = [line(name, published, one) for name, published, one in entries]
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
    excess = [excess_of(one) for _, _, one in entries if one.run.epochs[0].last_batch_accuracy is not None]
    above = sum(gap > 0 for gap in excess)
    words = (
        f"In {above} of {len(excess)} runs the best last batch is above the accuracy of all validation images after "
        f"the same epoch; on average by {100 * sum(excess) / len(excess):.1f} points, at most by "
        f"{100 * max(excess):.1f}."
        if excess
        else "The epochs' last batches were not kept."
    )
    return Text(words), Table(header, rows_of(lines), right=(1, 2, 3, 4, 5, 6), caption=caption)


def line(name: str, published: str, one: Trained) -> tuple[str, ...]:
    """A row of the table."""
    recipe = recipe_in(one.folder)[0]
    best = max(one.run.epochs, key=lambda e: e.last_batch_accuracy or 0.0)
    low, high = one.result.score.interval
    return (
        f"{name}, seed {recipe.seed}",
        published,
        f"{best.last_batch_accuracy or math.nan:.2%}",
        f"{best.validation_accuracy:.2%}",
        str(size_of_last(one, recipe)),
        f"{one.result.score.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
    )


def excess_of(one: Trained) -> float:
    """How much the best last batch is above the whole of validation after the same epoch, in [-1, 1]."""
    best = max(one.run.epochs, key=lambda e: e.last_batch_accuracy or 0.0)
    return (best.last_batch_accuracy or 0.0) - best.validation_accuracy


def size_of_last(one: Trained, recipe: Recipe) -> int:
    """The number of images in the last batch of validation."""
    images = int(one.facts["data"]["validation"])
    return (images - 1) % recipe.batch_size + 1
