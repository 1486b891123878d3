"""The worst confusions, and whether augmentation reduces those of three digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightlab import charts, metrics
from sightlab.comparison import mcnemar
from sightlab.report.article import Block, Bullets, Picture, Table, Text, rows_of
from sightlab.studies.study_results import Results, RowResult, p_text

SHOWN = 6  # confusions of each row
DIGITS = ("4", "7", "9")
PAIRS = (("cut-published", "cut-augmented"), ("fast-plain", "fast"))  # rows without and with augmentation
LEARNT = 0.9  # training accuracy below which a network is still busy with its training images


def confusions(results: Results) -> tuple[Block, ...]:
    """The most frequent confusions of each row over its seeds, and the confusion matrix of the study's own network."""
    shown = [row for row in results.rows if row.runs]
    lines = []
    for row in shown:
        matrix, classes = matrix_of(row)
        worst = metrics.worst_confusions(matrix, classes, SHOWN)
        images = int(matrix.sum())
        pairs = ", ".join(f"{true} for {guess}: {count}" for true, guess, count in worst)
        wrong = images - int(np.trace(matrix))
        lines.append((row.name, str(len(row.runs)), f"{images:,}", f"{wrong:,}", pairs))
    drawn = [row for row in shown if row.planned.row.form == "published"][-1:]
    pictures = []
    for row in drawn:
        matrix, classes = matrix_of(row)
        label = f"Confusion matrix of {row.name}: true class against predicted class"
        pictures.append(
            Picture("confusion", charts.svg_of(charts.confusion(matrix, classes)), label, f"{row.name}, test images.")
        )
    header = ("network", "seeds", "answers", "wrong", "taken for another most often (true class first)")
    text = (
        "Counts are of test images, added up over the seeds. A count of n has a standard error of about the root of n."
    )
    return Text(text), Table(header, rows_of(lines), right=(1, 2, 3)), *pictures


def matrix_of(row: RowResult) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """A row's confusion matrix over its seeds, int64 [C, C], rows the true class; and the classes."""
    predictions = [one.predictions for one in row.runs]
    return np.sum([metrics.confusion_matrix(one) for one in predictions], axis=0), predictions[0].classes


def digits_479(results: Results) -> tuple[Block, ...]:
    """How often 4, 7 and 9 are confused with each other with and without augmentation, on the same images."""
    pairs = [(results.row(plain), results.row(augmented)) for plain, augmented in PAIRS]
    lines, verdicts = [], []
    for plain, augmented in pairs:
        if plain is not None and augmented is not None:
            lines += [digits_line(plain), digits_line(augmented)]
            verdicts.append(verdict(plain, augmented))
    if not lines:
        return ()
    header = ("network", "seeds", "images of 4, 7, 9", "right", "mixed up", "share", "each (true digit first)")
    return Bullets(tuple(verdicts)), Table(header, rows_of(lines), right=(1, 2, 3, 4, 5))


def digits_line(row: RowResult) -> tuple[str, ...]:
    """How a row fares on the three digits, over its seeds."""
    matrix, classes = matrix_of(row)
    places = [classes.index(digit) for digit in DIGITS]
    pairs = [(a, b, int(matrix[a, b])) for a in places for b in places if a != b]
    images, right = int(matrix[places].sum()), int(sum(matrix[place, place] for place in places))
    mixed = sum(count for _, _, count in pairs)
    each = ", ".join(f"{classes[a]} for {classes[b]}: {count}" for a, b, count in pairs)
    cells = (f"{images:,}", f"{right / images:.2%}", str(mixed), f"{mixed / images:.2%}", each)
    return (row.name, str(len(row.runs)), *cells)


def verdict(plain: RowResult, augmented: RowResult) -> str:
    """Whether augmentation reduces the confusions: the first seed of each, on the same images of the three digits."""
    without, right_without = mixed_up(plain)
    with_it, right_with = mixed_up(augmented)
    fewer, more = int((without & ~with_it).sum()), int((with_it & ~without).sum())
    p = mcnemar(more, fewer)
    counts = (
        f"of {len(without):,} images of 4, 7 and 9, {fewer} are mixed up without augmentation alone and {more} with it "
        f"alone (first seed of each, exact McNemar test: {p_text(p)})"
    )
    answer = f"{plain.planned.row.name}: "
    if p >= 0.05:
        answer += f"it cannot be told: {counts}."
    elif fewer < more:
        answer += f"no, there are more with it: {counts}."
    elif right_with.sum() < right_without.sum():
        answer += f"no: {counts}; but fewer of them are right with it, as more are taken for other digits."
    else:
        answer += f"yes: {counts}."
    learnt = augmented.runs[0].run.epochs[-1].train_accuracy
    if learnt < LEARNT:
        answer += (
            f" But after {len(augmented.runs[0].run.epochs)} epochs the augmented network has learnt only {learnt:.0%} "
            "of its training images: so short a training does not answer for a long one."
        )
    return answer


def mixed_up(row: RowResult) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the images of the three digits, which the row's first run confuses, and which it classifies correctly.

    Both bool [M].
    """
    predictions = row.runs[0].predictions
    places = [predictions.classes.index(digit) for digit in DIGITS]
    guess, own = predictions.logits.argmax(1), np.isin(predictions.labels, places)
    correct = guess == predictions.labels
    return (np.isin(guess, places) & ~correct)[own], correct[own]
