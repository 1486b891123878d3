"""The sentences of a run's report, from its numbers and their uncertainty. Pure functions, plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sightlab.recipes.schema import Recipe
from sightlab.records import ClassScore, Epoch, Score, Scorecard
from sightlab.report.measures import Confidence, Mistake, difference_of_shares
from sightlab.report.phrases import counted, interval_words, listed, percent, points, quoted, times

TOO_SMALL = 30  # images; with fewer, a single prediction moves an accuracy by more than three points


def result(score: Score) -> str:
    """The score on the test split.

    >>> result(Score(0.9, 0.3, 1000, 900, (0.8799, 0.9171)))
    'The model classifies 900 of 1,000 test images correctly: 90.00% (95 % interval 87.99% to 91.71%).'
    """
    if score.count == 1:
        how = "correctly" if score.correct else "wrongly"
        return f"There is one test image, classified {how}: that proves nothing."
    if score.correct == score.count:
        which = f"all {score.count:,}"
    elif score.correct == 0:
        which = f"none of the {score.count:,}"
    else:
        which = f"{score.correct:,} of {score.count:,}"
    share = f"{percent(score.accuracy)} ({interval_words(score.interval)})"
    small = " With so few images, a single prediction changes the score noticeably." if score.count < TOO_SMALL else ""
    return f"The model classifies {which} test images correctly: {share}.{small}"


def chance(score: Score, classes: Sequence[ClassScore]) -> str:
    """The score against the baseline that always predicts the most frequent class of the test split."""
    most = max(one.support for one in classes)
    names = [one.name for one in classes if one.support == most]
    share = most / score.count
    which = f"{quoted(names[0])}, the most frequent class, would score" if len(names) == 1 else "one class would score"
    baseline = f"Always predicting {which} {percent(share)}"
    if share < score.interval[0]:
        return f"{baseline}."
    if share > score.interval[1]:
        return f"{baseline}: more than the model."
    return f"{baseline}: the model is not significantly better."


def top_five(share: float) -> str:
    """How often the true class is among the five most probable."""
    if share == 1:
        return "The true class is always among the five most probable."
    return f"The true class is among the five most probable for {percent(share)} of the images."


def choice(best: Epoch, epochs: int, planned: int, images: int, select_by: str = "accuracy") -> str:
    """Which epoch was kept, and why.

    images: of the validation split. planned: the epochs that the recipe asked for. select_by: the metric by which the
    best epoch is chosen.
    """
    reached = f"{percent(best.validation_accuracy)} of {counted(images, 'validation image')} correct"
    if epochs == 1 and planned == 1:
        return f"It was trained for one epoch, with {reached}."
    early = f" of {planned} planned" if epochs < planned else ""
    which = f"the best by validation {criterion(best, select_by)}"
    return f"Of {counted(epochs, 'epoch')}{early}, epoch {best.epoch} was kept, {which}, with {reached}."


def criterion(best: Epoch, select_by: str) -> str:
    """The metric by which the best epoch is chosen, with its value where the sentence does not have it anyway."""
    if select_by == "loss":
        return f"loss ({best.validation_loss:.4f})"
    value = best.metrics.get(select_by)
    return select_by if value is None else f"{select_by} ({value:.4g})"


def ending(best: Epoch, epochs: int, planned: int) -> str:
    """Whether training ran for long enough, judged by the position of the best epoch."""
    if epochs < planned:
        return f"Training stopped after epoch {epochs} of {planned}, as validation no longer improved."
    if best.epoch == epochs:
        return "The best epoch on validation was the last one: longer training may still help."
    after = epochs - best.epoch
    return f"Epoch {best.epoch} was the best on validation; {counted(after, 'epoch')} after it did not improve on it."


def against_validation(validation: Score, test: Score) -> str:
    """Test accuracy against validation accuracy, by which the epoch was chosen; with Newcombe's interval."""
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
        f"{text}, more than chance explains: the test images are {kind} than the validation images, or of another kind."
    )


def one_seed(seed: int) -> str:
    """What the interval does not cover."""
    return (
        f"The interval covers the choice of test images. This is a single run, with seed {seed}: it cannot show how "
        "much the score varies between seeds."
    )


def overfitting(best: Epoch) -> str:
    """Training accuracy of the epoch that was kept against its validation accuracy."""
    gap = best.train_accuracy - best.validation_accuracy
    train, validation = percent(best.train_accuracy), percent(best.validation_accuracy)
    text = f"In epoch {best.epoch} the accuracy was {train} on the training images and {validation} on validation"
    if gap <= 0:
        return f"{text}. Training accuracy is measured during the epoch and on augmented images, which lowers it."
    return f"{text}, {points(gap)} less."


def confusions(mistakes: Sequence[Mistake], wrong: int, most: int = 3) -> list[str]:
    """The most frequent mistakes in words.

    mistakes: each pair that occurs, the most frequent first. wrong: how many images were misclassified in all.
    """
    if not wrong:
        return ["No image was misclassified."]
    if mistakes[0].count == 1:
        one = f"One image was misclassified: {confused(mistakes[0])}."
        return [f"{counted(wrong, 'image')} were misclassified, each in a different way." if wrong > 1 else one]
    frequent = [one for one in mistakes[:most] if one.count > 1]
    noun = "mistake" if len(frequent) == 1 else "mistakes"
    lines = [f"The most frequent {noun}: {listed([confused(one) for one in frequent])}."]
    together = sum(one.count for one in frequent)
    if len(mistakes) > len(frequent):
        what = "This is" if len(frequent) == 1 else "Together they are"
        share = together / wrong
        lines.append(f"{what} {percent(share, 0 if share >= 0.01 else 1)} of the {counted(wrong, 'mistake')}.")
    pair = both_ways(mistakes)
    if pair and 0.05 * wrong <= pair[2] < wrong:
        first, second, count = pair
        lines.append(
            f"{quoted(first)} and {quoted(second)} were confused with each other {times(count)} "
            f"({percent(count / wrong, 0)} of the mistakes)."
        )
    name, count = most_overpredicted(mistakes)
    if len(mistakes) > 2 and count > 0.2 * wrong:
        lines.append(f"{quoted(name)} is the class most often predicted wrongly: {times(count)}.")
    return lines


def confused(mistake: Mistake) -> str:
    """One kind of mistake: “9” was predicted as “4” 15 times."""
    return f"{quoted(mistake.true)} was predicted as {quoted(mistake.predicted)} {times(mistake.count)}"


def most_overpredicted(mistakes: Iterable[Mistake]) -> tuple[str, int]:
    """The class that is most often predicted wrongly, and how often. mistakes: at least one."""
    counts: Counter[str] = Counter()
    for one in mistakes:
        counts[one.predicted] += one.count
    return counts.most_common(1)[0]


def both_ways(mistakes: Iterable[Mistake]) -> tuple[str, str, int] | None:
    """The two classes that are most often confused with each other, and how often; None if none are, both ways."""
    counts = {(one.true, one.predicted): one.count for one in mistakes}
    sums = {pair: n + counts[pair[::-1]] for pair, n in counts.items() if pair[::-1] in counts}
    if not sums:
        return None
    first, second = max(sums, key=lambda pair: (sums[pair], counts[pair]))
    return first, second, sums[first, second]


def class_reading(classes: Sequence[ClassScore]) -> list[str]:
    """Which classes have the highest and lowest recall, and where there are too few images to tell.

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
        lines.append(f"{who} {has} fewer than {TOO_SMALL} test images: rely on the interval, not on the estimate.")
    absent = [one.name for one in classes if not one.support]
    if absent:
        lines.append(f"Without test images, and so without a score: {some(absent)}.")
    missed = [one.name for one in known if not one.recall]
    if missed:
        lines.append(f"Never predicted correctly: {some(missed)}.")
    return lines


def extremes(known: Sequence[ClassScore]) -> list[str]:
    """The classes with the highest and lowest recall, and whether they differ for sure. known: at least two."""
    worst, best = min(known, key=lambda one: one.recall), max(known, key=lambda one: one.recall)
    if worst.recall == best.recall:
        return [f"All classes have the same recall: {percent(best.recall, 1)}."]
    lines = [f"The highest recall is that of {recall_words(best)}; the lowest, of {recall_words(worst)}."]
    if worst.interval and best.interval and worst.interval[1] >= best.interval[0]:
        lines.append("Their intervals overlap: which class is best and which is worst may be chance.")
    return lines


def recall_words(one: ClassScore) -> str:
    """A class and its recall, with its interval."""
    interval = f", {interval_words(one.interval, 1)}" if one.interval else ""
    return f"{quoted(one.name)} ({percent(one.recall, 1)} of {counted(one.support, 'image')}{interval})"


def averages(card: Scorecard) -> str:
    """The averages that weight every class equally."""
    text = f"Balanced accuracy, the mean recall of the classes, is {percent(card.balanced_accuracy)}"
    if card.auc is None:
        return f"{text}."
    return f"{text}; the mean area under the ROC curve, each class against the rest, is {card.auc:.4f}."


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    first = [quoted(name) for name in names[:most]]
    return listed(first) if more <= 0 else f"{', '.join(first)} and {more:,} more"


def calibration(confidence: Confidence, accuracy: float) -> str:
    """Whether the model is over- or underconfident.

    accuracy: on the same images, in [0, 1].
    """
    low, high = confidence.interval
    figures = f"its mean confidence is {percent(confidence.mean)} and its accuracy {percent(accuracy)}"
    ends = f"(95 % interval {100 * low:+.2f} to {100 * high:+.2f})"
    if low <= 0 <= high:
        difference = f"a difference of {points(confidence.gap)} {ends}"
        return f"On the whole the model is neither over- nor underconfident: {figures}, {difference}."
    way = "over" if confidence.gap > 0 else "under"
    return f"The model is {way}confident by {points(confidence.gap)} {ends}: {figures}."


def calibration_error(error: float, confidence: Confidence) -> str:
    """The expected calibration error beside what chance alone would show."""
    text = (
        f"The expected calibration error is {points(error)}; a perfectly calibrated model would show about "
        f"{points(confidence.error_by_chance)} on so many images"
    )
    level = confidence.interval[0] <= 0 <= confidence.interval[1]
    if level and error <= 1.5 * confidence.error_by_chance:
        return f"{text}, so there is little to correct."
    return f"{text}."


def seal(openings: int, at: str) -> str:
    """How often the test split was opened. at: when first, as a person reads it."""
    if openings <= 1:
        return (
            f"The test split was opened once, on {at}, for the final score of the epoch that was chosen on validation. "
            "No decision was based on it."
        )
    return (
        f"The test split has been opened {times(openings)}. The first opening, on {at}, was for the final score of the "
        "epoch that was chosen on validation. Decisions made after a later one may have been influenced by it; a score "
        "of such a model on these images is too optimistic."
    )


def suspects(split: str, count: int, images: int) -> str:
    """How many labels of a split confident learning flags."""
    if not count:
        return f"Confident learning flags none of the {counted(images, f'{split} label')}."
    advice = "It is a candidate to check, not a verdict"
    if count > 1:
        advice = "They are candidates to check, not verdicts"
    return (
        f"Confident learning flags {count:,} of {counted(images, f'{split} label')} ({percent(count / images, 1)}). "
        f"{advice}: a model is just as confident about some of its own mistakes."
    )


def repeats(what: str, environment: Mapping[str, Any], recipe: Recipe) -> str:
    """What reproducing the training takes, and what it gives. what: the command, and what it needs."""
    if environment.get("device") == "cpu" and recipe.device in ("auto", "cpu"):
        return (
            f"{what} trains the same model again, bit for bit with the same processor, torch version and number of "
            "threads; otherwise the score varies as it does between seeds."
        )
    return f"{what} trains the model again; on a GPU the score may vary as it does between seeds."
