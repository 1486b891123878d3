"""Sentences from numbers: what a report says, with how sure that is. Pure functions, plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sightlab.recipes.schema import Recipe
from sightlab.records import ClassScore, Epoch, Score, Scorecard
from sightlab.report.measures import Confidence, Mistake, difference_of_shares
from sightlab.report.phrases import counted, interval_words, listed, percent, points, quoted, times

TOO_SMALL = 30  # images; below, one answer more or less moves an accuracy by more than three points


def result(score: Score) -> str:
    """The score on the test split.

    >>> result(Score(0.9, 0.3, 1000, 900, (0.8799, 0.9171)))
    'The model is right on 900 of 1,000 test images: 90.00% (95 % interval 87.99% to 91.71%).'
    """
    share = f"{percent(score.accuracy)} ({interval_words(score.interval)})"
    if score.count == 1:
        return f"There is one test image, and the model is {'right' if score.correct else 'wrong'}: that says nothing."
    if score.correct == score.count:
        right = f"right on all {score.count:,} test images"
    elif score.correct == 0:
        right = f"right on none of the {score.count:,} test images"
    else:
        right = f"right on {score.correct:,} of {score.count:,} test images"
    small = " With so few images one answer more or less changes much." if score.count < TOO_SMALL else ""
    return f"The model is {right}: {share}.{small}"


def chance(score: Score, classes: Sequence[ClassScore]) -> str:
    """The score against that of always giving the same answer, the most frequent class of the test split."""
    most = max(one.support for one in classes)
    names = [one.name for one in classes if one.support == most]
    share = most / score.count
    who = f"{quoted(names[0])}, the most frequent class" if len(names) == 1 else "one and the same class"
    base = f"Always answering {who}{',' if len(names) == 1 else ''} would be right"
    if share < score.interval[0]:
        return f"{base} on {percent(share)}."
    if share > score.interval[1]:
        return f"{base} on {percent(share)}: more often than the model."
    return f"{base} on {percent(share)}: the model cannot be told apart from that."


def top_five(share: float) -> str:
    """How often the true class is among the first five answers."""
    if share == 1:
        return "The true class is always among its first five answers."
    return f"The true class is among its first five answers on {percent(share)}."


def choice(best: Epoch, epochs: int, planned: int, images: int) -> str:
    """Which epoch was kept, and why.

    images: of the validation split. planned: the epochs that the recipe asked for.
    """
    reached = f"{percent(best.validation_accuracy)} of {counted(images, 'validation image')} right"
    if epochs == 1 and planned == 1:
        return f"It was trained for one epoch, with {reached}."
    early = f" of {planned} planned" if epochs < planned else ""
    return f"Of {counted(epochs, 'epoch')}{early}, epoch {best.epoch} was kept, the best on validation: {reached}."


def ending(best: Epoch, epochs: int, planned: int) -> str:
    """Whether training went on for long enough, by the place of the best epoch."""
    if epochs < planned:
        return f"Training stopped after epoch {epochs} of {planned}, as validation no longer improved."
    if best.epoch == epochs:
        return "The best epoch on validation was the last one: longer training may still gain."
    after = epochs - best.epoch
    return f"Epoch {best.epoch} was the best on validation; {counted(after, 'epoch')} after it did not improve on it."


def against_validation(validation: Score, test: Score) -> str:
    """Test accuracy against validation accuracy, which chose the epoch; the interval is Newcombe's."""
    difference, (low, high) = difference_of_shares((test.correct, test.count), (validation.correct, validation.count))
    ends = f"(95 % interval {100 * low:+.2f} to {100 * high:+.2f})"
    where = "above" if difference > 0 else "below"
    text = f"Test accuracy is {points(difference)} {where} validation accuracy {ends}"
    if not difference:
        text = f"Test accuracy equals validation accuracy {ends.replace('(', '(of the difference, ')}"
    if low <= 0 <= high:
        return f"{text}, no more than chance explains."
    kind = "easier" if difference > 0 else "harder"
    return (
        f"{text}, more than chance explains: the test images are {kind}, or of another kind, than those the epoch was "
        "chosen on."
    )


def one_seed(seed: int) -> str:
    """What the interval does not cover."""
    return (
        f"The interval is over the choice of test images. This is one training, with seed {seed}: how much another "
        "seed would change the score, one run cannot say."
    )


def overfitting(best: Epoch) -> str:
    """Training accuracy of the epoch that was kept against its validation accuracy."""
    gap = best.train_accuracy - best.validation_accuracy
    train, validation = percent(best.train_accuracy), percent(best.validation_accuracy)
    text = f"In epoch {best.epoch} the accuracy was {train} on the training images and {validation} on validation"
    if gap <= 0:
        return (
            f"{text}. Training images are seen augmented and with the weights of their step, which lowers their figure."
        )
    return f"{text}, {points(gap)} less."


def confusions(mistakes: Sequence[Mistake], wrong: int, most: int = 3) -> list[str]:
    """The most frequent mistakes in words.

    mistakes: each pair that happened, the most frequent first. wrong: how many images were taken wrongly, in all.
    """
    if not wrong:
        return ["No image was taken for another class."]
    if mistakes[0].count == 1:
        return [f"{counted(wrong, 'image')} were taken wrongly, no two of them in the same way."
                if wrong > 1 else f"One image was taken wrongly: {taken(mistakes[0])}."]  # fmt: skip
    frequent = [one for one in mistakes[:most] if one.count > 1]
    noun = "mistake" if len(frequent) == 1 else "mistakes"
    lines = [f"The most frequent {noun}: {listed([taken(one) for one in frequent])}."]
    together = sum(one.count for one in frequent)
    if len(mistakes) > len(frequent):
        what = "This makes" if len(frequent) == 1 else "Together they make"
        share = together / wrong
        lines.append(f"{what} {percent(share, 0 if share >= 0.01 else 1)} of the {counted(wrong, 'mistake')}.")
    pair = both_ways(mistakes)
    if pair and 0.05 * wrong <= pair[2] < wrong:
        first, second, count = pair
        lines.append(
            f"{quoted(first)} and {quoted(second)}, taken one for the other, make {count:,} of them "
            f"({percent(count / wrong, 0)})."
        )
    magnet, drawn = attractor(mistakes)
    if len(mistakes) > 2 and drawn > 0.2 * wrong:
        lines.append(f"{quoted(magnet)} is the answer that is wrong most often: {times(drawn)}.")
    return lines


def taken(mistake: Mistake) -> str:
    """One kind of mistake: “9” was taken for “4” 15 times."""
    return f"{quoted(mistake.true)} was taken for {quoted(mistake.said)} {times(mistake.count)}"


def attractor(mistakes: Iterable[Mistake]) -> tuple[str, int]:
    """The class that most images of other classes were taken for, and how many. mistakes: at least one."""
    counts: Counter[str] = Counter()
    for one in mistakes:
        counts[one.said] += one.count
    return counts.most_common(1)[0]


def both_ways(mistakes: Iterable[Mistake]) -> tuple[str, str, int] | None:
    """The two classes that are most often taken for each other, and how often; None where none are both ways."""
    counts = {(one.true, one.said): one.count for one in mistakes}
    sums = {pair: n + counts[pair[::-1]] for pair, n in counts.items() if pair[::-1] in counts}
    if not sums:
        return None
    first, second = max(sums, key=lambda pair: (sums[pair], counts[pair]))
    return first, second, sums[first, second]


def class_reading(classes: Sequence[ClassScore]) -> list[str]:
    """Which classes are recognised worst and best, and what the figures cannot say.

    classes: with their intervals; those without images are named and left out.
    """
    known = [one for one in classes if one.support]
    lines = extremes(known) if len(known) > 1 else []
    small = [one.name for one in known if one.support < TOO_SMALL]
    if small:
        who = f"{'Class' if len(small) == 1 else 'Classes'} {some(small)}"
        has = "has" if len(small) == 1 else "have"
        if len(small) > 3:
            who = counted(len(small), "class", "classes")
        if len(small) == len(known) > 3:
            who, has = "Each class", "has"
        lines.append(f"{who} {has} fewer than {TOO_SMALL} test images: read the interval, not the figure.")
    absent = [one.name for one in classes if not one.support]
    if absent:
        lines.append(f"Without a test image, and so without a figure: {some(absent)}.")
    missed = [one.name for one in known if not one.recall]
    if missed:
        lines.append(f"Never recognised: {some(missed)}.")
    return lines


def extremes(known: Sequence[ClassScore]) -> list[str]:
    """The classes that are recognised best and worst, and whether that can be told. known: two or more, with images."""
    worst, best = min(known, key=lambda one: one.recall), max(known, key=lambda one: one.recall)
    if worst.recall == best.recall:
        return [f"All classes are recognised equally often: {percent(best.recall, 1)}."]
    lines = [f"Recognised best is {recognised(best)}; worst, {recognised(worst)}."]
    if worst.interval and best.interval and worst.interval[1] >= best.interval[0]:
        lines.append("Their intervals overlap: which class is best and which worst may be chance.")
    return lines


def recognised(one: ClassScore) -> str:
    """A class, its recall and how sure that is."""
    sure = f", {interval_words(one.interval, 1)}" if one.interval else ""
    return f"{quoted(one.name)} ({percent(one.recall, 1)} of {counted(one.support, 'image')}{sure})"


def averages(card: Scorecard) -> str:
    """The figures that weigh every class alike."""
    text = f"Balanced accuracy, the mean recall of the classes, is {percent(card.balanced_accuracy)}"
    if card.auc is None:
        return f"{text}."
    return f"{text}; the mean area under the ROC curve, each class against the rest, is {card.auc:.4f}."


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    shown = [quoted(name) for name in names[:most]]
    return listed(shown) if more <= 0 else f"{', '.join(shown)} and {more:,} more"


def calibration(sure: Confidence, accuracy: float) -> str:
    """Whether the model trusts its answers as much as they deserve.

    accuracy: on the same images, in [0, 1].
    """
    low, high = sure.interval
    figures = f"its answers have a mean probability of {percent(sure.mean)} and {percent(accuracy)} of them are right"
    ends = f"(95 % interval {100 * low:+.2f} to {100 * high:+.2f})"
    if low <= 0 <= high:
        difference = f"a difference of {points(sure.gap)} {ends}"
        return f"On the whole the model is neither over- nor underconfident: {figures}, {difference}."
    way = "over" if sure.gap > 0 else "under"
    return f"The model is {way}confident by {points(sure.gap)} {ends}: {figures}."


def calibration_error(error: float, sure: Confidence) -> str:
    """The expected calibration error beside what chance alone would show."""
    text = (
        f"The expected calibration error is {points(error)}; a model whose probabilities are exactly right would show "
        f"about {points(sure.error_by_chance)} on so many images"
    )
    level = sure.interval[0] <= 0 <= sure.interval[1]
    return f"{text}, so there is little to mend." if level and error <= 1.5 * sure.error_by_chance else f"{text}."


def seal(openings: int, at: str) -> str:
    """How often the test split was opened. at: when first, as a person reads it."""
    if openings <= 1:
        return (
            f"The test split was opened once, on {at}, for the final score of the epoch that validation had chosen. "
            "No choice was made by it."
        )
    return (
        f"The test split has been opened {times(openings)}. The first opening, on {at}, was for the final score of the "
        "epoch that validation had chosen. Whatever was decided after a later one may have been decided by it; a "
        "score of such a model on these images is too good."
    )


def suspects(split: str, count: int, images: int) -> str:
    """How many labels of a split confident learning doubts."""
    if not count:
        return f"Confident learning doubts none of the {counted(images, f'{split} label')}."
    advice = "It is a candidate to look at, not a verdict"
    if count > 1:
        advice = "They are candidates to look at, not verdicts"
    return (
        f"Confident learning doubts {count:,} of {counted(images, f'{split} label')} ({percent(count / images, 1)}). "
        f"{advice}: a model is as sure of some of its own mistakes."
    )


def repeats(what: str, environment: Mapping[str, Any], recipe: Recipe) -> str:
    """What repeating the training takes, and what it gives. what: the words that are run, and what they need."""
    if environment.get("device") == "cpu" and recipe.device in ("auto", "cpu"):
        return (
            f"{what} trains the same model again, bit for bit where the processor, torch and the number of threads are "
            "the same; elsewhere the score differs as that of another seed would."
        )
    return f"{what} trains the model again; on a GPU the score may differ as that of another seed would."
