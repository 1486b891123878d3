"""The sentences of a report: exact at the edges (none correct, all correct, one image, ties), never overstated."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import sightlab
from sightlab import metrics
from sightlab.recipes.loader import read_recipe, shipped_recipes
from sightlab.recipes.overrides import changed, parse_changes
from sightlab.recipes.schema import Recipe
from sightlab.records import (
    Averages,
    ClassScore,
    Difference,
    Epoch,
    Predictions,
    RankedCandidate,
    Score,
    Scorecard,
    Spread,
)
from sightlab.report import comparison_text, phrases, run_text
from sightlab.report.measures import Confidence, Mistake, confidence_of, difference_of_shares, mistakes_of
from sightlab.report.reproduce import changes_of, training_command


def score(correct: int, count: int, top5: float | None = None) -> Score:
    return Score(correct / count, 1.0, count, correct, metrics.wilson_interval(correct, count), top5)


def one_class(name: str, hits: int, images: int, precision: float = 1.0) -> ClassScore:
    interval = metrics.wilson_interval(hits, images) if images else None
    return ClassScore(name, precision, hits / images if images else 0.0, 0.0, images, interval)


def epoch(number: int, train: float = 0.9, validation: float = 0.8) -> Epoch:
    return Epoch(number, 0.5, train, 0.6, validation, 0.1, 1.0, 100.0, True)


def pairs(*found: tuple[str, str, int]) -> list[Mistake]:
    return [Mistake(true, predicted, count, 0.5) for true, predicted, count in found]


def test_the_result_names_count_share_and_interval() -> None:
    wilson = scipy.stats.binomtest(900, 1000).proportion_ci(method="wilson")
    assert wilson == pytest.approx((0.8798, 0.9171), abs=5e-5)
    text = "The model classifies 900 of 1,000 test images correctly: 90.00% (95 % interval 87.98% to 91.71%)."
    assert run_text.result(score(900, 1000)) == text


@pytest.mark.parametrize(
    ("correct", "count", "says"),
    [
        (0, 500, "classifies none of the 500 test images correctly: 0.00% (95 % interval 0.00% to 0.76%)"),
        (500, 500, "classifies all 500 test images correctly: 100.00% (95 % interval 99.24% to 100.00%)"),
        (3, 10, "With so few images, a single prediction changes the score noticeably."),
        (1, 1, "There is one test image, classified correctly: that proves nothing."),
        (0, 1, "There is one test image, classified wrongly: that proves nothing."),
    ],
)
def test_the_result_is_exact_at_its_edges(correct: int, count: int, says: str) -> None:
    assert says in run_text.result(score(correct, count))


def test_always_answering_the_most_frequent_class_is_the_bar_to_pass() -> None:
    classes = [one_class("cat", 10, 70), one_class("dog", 20, 30)]
    name = "Always predicting “cat”, the most frequent class, would score 70.00%"
    assert run_text.chance(score(90, 100), classes) == f"{name}."
    assert run_text.chance(score(70, 100), classes) == f"{name}: the model is not significantly better."
    assert run_text.chance(score(30, 100), classes) == f"{name}: more than the model."


def test_a_tie_for_the_most_frequent_class_names_none() -> None:
    classes = [one_class(str(n), 10, 10) for n in range(10)]
    assert run_text.chance(score(90, 100), classes) == "Always predicting one class would score 10.00%."


@pytest.mark.parametrize(
    ("epochs", "planned", "kept", "chosen", "ended"),
    [
        (1, 1, 1, "It was trained for one epoch, with 80.00% of 200", "the last one: longer training may still help"),
        (5, 5, 5, "Of 5 epochs, epoch 5 was kept", "the last one: longer training may still help"),
        (5, 5, 3, "Of 5 epochs, epoch 3 was kept", "Epoch 3 was the best on validation; 2 epochs after it did not"),
        (5, 5, 4, "Of 5 epochs, epoch 4 was kept", "Epoch 4 was the best on validation; 1 epoch after it did not"),
        (
            5,
            30,
            3,
            "Of 5 epochs of 30 planned, epoch 3",
            "stopped after epoch 5 of 30, as validation no longer improved",
        ),
    ],
)
def test_the_choice_of_the_epoch_is_told(epochs: int, planned: int, kept: int, chosen: str, ended: str) -> None:
    assert chosen in run_text.choice(epoch(kept), epochs, planned, 200)
    assert ended in run_text.ending(epoch(kept), epochs, planned)


def test_the_metric_that_chose_the_epoch_is_named_with_its_value() -> None:
    best = replace(epoch(3), metrics={"macro_f1": 0.71239})
    kept = "Of 5 epochs, epoch 3 was kept, the best by validation {}, with 80.00% of 200 validation images correct."
    assert run_text.choice(best, 5, 5, 200) == kept.format("accuracy")
    assert run_text.choice(best, 5, 5, 200, "loss") == kept.format("loss (0.6000)")
    assert run_text.choice(best, 5, 5, 200, "macro_f1") == kept.format("macro_f1 (0.7124)")


def test_test_and_validation_are_compared_with_their_noise() -> None:
    close = run_text.against_validation(score(910, 1000), score(900, 1000))
    assert close.startswith("Test accuracy is 1.00 points below validation accuracy (95 % interval -3.")
    assert close.endswith("no more than chance explains.")
    harder = run_text.against_validation(score(950, 1000), score(900, 1000))
    assert "more than chance explains: the test images are harder" in harder
    easier = run_text.against_validation(score(800, 1000), score(900, 1000))
    assert "10.00 points above validation accuracy" in easier
    assert "the test images are easier than the validation images" in easier
    assert run_text.against_validation(score(9, 10), score(90, 100)).startswith(
        "Test accuracy equals validation accuracy"
    )


# Newcombe 1998, table II, method 10 (score intervals without continuity correction).
NEWCOMBE = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0),
    ((10, 10), (0, 10), 0.6075, 1.0),
]


@pytest.mark.parametrize(("first", "second", "low", "high"), NEWCOMBE)
def test_the_difference_of_shares_is_newcombes(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    difference, interval = difference_of_shares(first, second)
    assert difference == first[0] / first[1] - second[0] / second[1]
    assert interval == pytest.approx((low, high), abs=6e-5)


def test_training_images_right_more_often_than_validation_images_is_said_with_the_gap() -> None:
    assert "99.00% on the training images and 80.00% on validation, 19.00 points less." in run_text.overfitting(
        epoch(1, 0.99)
    )
    assert "which lowers it" in run_text.overfitting(epoch(1, 0.7))


def test_mistakes_are_told_with_counts_shares_and_both_ways() -> None:
    found = pairs(("Shirt", "T-shirt", 40), ("T-shirt", "Shirt", 30), ("Coat", "Pullover", 20), ("Coat", "Shirt", 10))
    assert run_text.confusions(found, 100) == [
        "The most frequent mistakes: “Shirt” was predicted as “T-shirt” 40 times, “T-shirt” was predicted as "
        "“Shirt” 30 times and “Coat” was predicted as “Pullover” 20 times.",
        "Together they are 90% of the 100 mistakes.",
        "“Shirt” and “T-shirt” were confused with each other 70 times (70% of the mistakes).",
        "“T-shirt” is the class most often predicted wrongly: 40 times.",
    ]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], ["No image was misclassified."]),
        ([("9", "4", 1)], ["One image was misclassified: “9” was predicted as “4” once."]),
        ([("9", "4", 1), ("3", "5", 1)], ["2 images were misclassified, each in a different way."]),
        ([("9", "4", 15)], ["The most frequent mistake: “9” was predicted as “4” 15 times."]),
        ([("9", "4", 2)], ["The most frequent mistake: “9” was predicted as “4” twice."]),
        (
            [("9", "4", 1500), ("3", "5", 1)],
            ["The most frequent mistake: “9” was predicted as “4” 1,500 times.", "This is 100% of the 1,501 mistakes."],
        ),
    ],
)
def test_few_mistakes_are_told_in_the_singular(found: list[tuple[str, str, int]], says: list[str]) -> None:
    assert run_text.confusions(pairs(*found), sum(count for _, _, count in found)) == says


def test_two_classes_taken_for_each_other_and_nothing_else_are_not_told_twice() -> None:
    text = run_text.confusions(pairs(("cat", "dog", 8), ("dog", "cat", 5)), 13)
    assert text == [
        "The most frequent mistakes: “cat” was predicted as “dog” 8 times and “dog” was predicted as “cat” 5 times."
    ]


def test_the_most_frequent_mistakes_come_first_and_ties_by_their_share_of_the_class() -> None:
    matrix = np.array([[90, 5, 5], [5, 5, 0], [0, 7, 3]])
    found = mistakes_of(matrix, ("a", "b", "c"))
    told = [(one.true, one.predicted, one.count, round(one.share, 3)) for one in found]
    assert told == [("c", "b", 7, 0.7), ("b", "a", 5, 0.5), ("a", "b", 5, 0.05), ("a", "c", 5, 0.05)]
    assert mistakes_of(matrix, ("a", "b", "c"), 1) == found[:1]


def test_the_best_and_the_worst_class_carry_their_intervals() -> None:
    (text,) = run_text.class_reading(
        [one_class("Bag", 199, 200), one_class("Coat", 170, 200), one_class("Shirt", 130, 200)]
    )
    low, high = metrics.wilson_interval(130, 200)
    assert text == (
        "The highest recall is that of “Bag” (99.5% of 200 images, 95 % interval 97.2% to 99.9%); the lowest, of "
        f"“Shirt” (65.0% of 200 images, 95 % interval {low:.1%} to {high:.1%})."
    )


def test_classes_whose_intervals_overlap_are_not_called_best_and_worst_for_sure() -> None:
    text = run_text.class_reading([one_class("cat", 90, 100), one_class("dog", 88, 100)])
    assert text[-1] == "Their intervals overlap: which class is best and which is worst may be chance."


def test_classes_that_figures_say_little_of_are_named() -> None:
    text = run_text.class_reading(
        [one_class("a", 5, 5), one_class("b", 40, 40), one_class("c", 0, 0), one_class("d", 0, 40)]
    )
    assert "Class “a” has fewer than 30 test images: rely on the interval, not on the estimate." in text
    assert "Without test images, and so without a score: “c”." in text
    assert "Never predicted correctly: “d”." in text
    assert run_text.class_reading([one_class("a", 30, 40), one_class("b", 30, 40)]) == [
        "All classes have the same recall: 75.0%."
    ]


def test_a_hundred_small_classes_are_counted_not_listed() -> None:
    classes = [one_class(f"class {n}", n % 6, 5 + n % 6) for n in range(100)]
    text = run_text.class_reading(classes)
    more = run_text.class_reading([*classes, one_class("large", 20, 40)])
    assert "100 classes have fewer than 30 test images: rely on the interval, not on the estimate." in more
    assert "Each class has fewer than 30 test images: rely on the interval, not on the estimate." in text
    assert any("and 12 more" in line for line in text)  # 17 of a hundred are multiples of 6; five are named


def test_balanced_accuracy_and_auc_stand_in_one_sentence() -> None:
    mean = Averages(0.5, 0.5, 0.5)
    card = Scorecard(score(9, 10), (), mean, mean, 0.875, 0.91, 0.1, 0.2)
    assert "is 87.50%; the mean area under the ROC curve" in run_text.averages(card)
    without = Scorecard(score(9, 10), (), mean, mean, 0.875, None, 0.1, 0.2)
    assert run_text.averages(without) == "Balanced accuracy, the mean recall of the classes, is 87.50%."


@pytest.mark.parametrize(
    ("gap", "interval", "says"),
    [
        (0.028, (0.019, 0.037), "overconfident by 2.80 points (95 % interval +1.90 to +3.70)"),
        (-0.028, (-0.037, -0.019), "underconfident by 2.80 points (95 % interval -3.70 to -1.90)"),
        (0.001, (-0.008, 0.010), "neither over- nor underconfident"),
    ],
)
def test_confidence_is_judged_beyond_noise_only(gap: float, interval: tuple[float, float], says: str) -> None:
    assert says in run_text.calibration(Confidence(0.9 + gap, gap, interval, 0.01), 0.9)


def test_the_calibration_error_is_told_beside_that_of_chance() -> None:
    sure = Confidence(0.9, 0.0, (-0.01, 0.01), 0.012)
    assert run_text.calibration_error(0.013, sure).endswith(
        "about 1.20 points on so many images, so there is little to correct."
    )
    gap = Confidence(0.9, 0.1, (0.05, 0.15), 0.012)
    assert run_text.calibration_error(0.013, gap).endswith("about 1.20 points on so many images.")
    assert run_text.calibration_error(0.08, sure).endswith("about 1.20 points on so many images.")


def calibrated(generator: np.random.Generator, count: int) -> Predictions:
    """Answers of two classes that are right just as often as their probability says."""
    probability = generator.uniform(0.5, 1.0, count)
    logits = np.stack([np.log(probability), np.log1p(-probability)], 1).astype(np.float32)
    labels = (generator.random(count) > probability).astype(np.int64)
    return Predictions(logits, labels, np.arange(count), ("a", "b"))


def test_the_calibration_error_by_chance_is_that_of_calibrated_models() -> None:
    generator = np.random.default_rng(0)
    drawn = [calibrated(generator, 2000) for _ in range(200)]
    shown = np.mean([metrics.calibration_error(text) for text in drawn])
    assert confidence_of(drawn[0]).error_by_chance == pytest.approx(shown, rel=0.05)


def test_the_gaps_interval_is_that_of_a_mean_and_covers() -> None:
    generator = np.random.default_rng(1)
    text = calibrated(generator, 500)
    sure = confidence_of(text)
    trust = metrics.probabilities(text.logits.astype(np.float64)).max(axis=1)
    excess = trust - (text.labels == 0)
    expected = scipy.stats.norm.interval(0.95, excess.mean(), scipy.stats.sem(excess))
    assert sure.interval == pytest.approx(expected)
    assert sure.gap == pytest.approx(trust.mean() - (text.labels == 0).mean())
    intervals = [confidence_of(calibrated(generator, 300)).interval for _ in range(1000)]
    assert 0.93 <= np.mean([low <= 0 <= high for low, high in intervals]) <= 0.97


def test_one_answer_says_nothing_of_confidence() -> None:
    lone = Predictions(np.array([[3, 0]], np.float32), np.array([0]), np.arange(1), ("a", "b"))
    low, high = confidence_of(lone).interval
    assert low <= 0 <= high
    with pytest.raises(ValueError, match="no predictions"):
        confidence_of(Predictions(np.empty((0, 2), np.float32), np.empty(0, np.int64), np.arange(0), ("a", "b")))


def test_the_seal_is_told_once_and_broken() -> None:
    assert run_text.seal(1, "24 November 2026, 11:58 UTC").startswith(
        "The test split was opened once, on 24 November 2026"
    )
    assert run_text.seal(2, "then").startswith("The test split has been opened twice. The first opening, on then, was")
    assert "opened 3 times" in run_text.seal(3, "then")


def test_label_suspects_are_candidates() -> None:
    assert run_text.suspects("test", 0, 100) == "Confident learning flags none of the 100 test labels."
    one = run_text.suspects("test", 1, 1)
    assert one.startswith(
        "Confident learning flags 1 of 1 test label (100.0%). It is a candidate to check, not a verdict"
    )
    many = run_text.suspects("validation", 12, 2000)
    assert many.startswith(
        "Confident learning flags 12 of 2,000 validation labels (0.6%). They are candidates to check"
    )


@given(st.text(max_size=200))
def test_a_name_stands_in_a_sentence_on_one_line_and_not_for_ever(name: str) -> None:
    text = run_text.quoted(name)
    assert len(text) <= 64
    assert text == " ".join(text.split())


def test_a_name_from_right_to_left_keeps_that_to_itself() -> None:
    assert run_text.quoted("قطة") == "“\u2068قطة\u2069”"
    assert run_text.quoted("猫") == "“猫”"
    assert run_text.quoted("the beginning of it " + "x" * 100 + " and the end") == (
        "“the beginning of it xxxxxxxxxxxxxxxxxxxx…xxxxxxx and the end”"
    )


@given(st.floats(0, 1), st.integers(0, 4))
def test_a_share_is_rounded_as_a_person_would(share: float, digits: int) -> None:
    text = float(phrases.percent(share, digits).removesuffix("%"))
    assert abs(text - 100 * share) <= 0.5 * 10**-digits + 1e-8


def test_two_ways_to_one_share_read_the_same() -> None:
    assert phrases.percent(0.5615, 1) == phrases.percent(sum([0.05615] * 10), 1)


def test_moments_and_operations_are_told_in_words() -> None:
    assert phrases.moment("2026-11-24T23:30:00-02:00") == "25 November 2026, 01:30 UTC"
    assert phrases.moment("") == "an unknown day"
    assert phrases.moment("last week") == "last week"
    assert [phrases.flops(n) for n in (999, 45_600_000, 2_730_000_000, 123_456_000_000)] == [
        "999 FLOP", "45.6 MFLOP", "2.73 GFLOP", "123 GFLOP",
    ]  # fmt: skip


# How a training is repeated.

CHANGES: Sequence[dict[str, object]] = [
    {},
    {"lr": 0.03, "epochs": 3},
    {"data": "photos of cats/", "seed": 7},
    {"data": 'it\'s "quoted" $HOME', "name": "my run"},
    {"optimizer": "adam", "betas": [0.9, 0.95], "early_stop": 3},
    {"label": "1e3", "limit_per_class": 20, "test_flips": True},
]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("name", ["cnn", "demo", "mini-resnet-v4"])
def test_the_command_means_exactly_the_recipe(name: str, changes: dict[str, object]) -> None:
    recipe = changed(read_recipe(name), changes)
    command = training_command(recipe)
    assert command is not None
    first, second, base, *given_words = shlex.split(command)
    assert (first, second) == ("sightlab", "train")
    assert changed(read_recipe(base), parse_changes(given_words)).hash == recipe.hash


def test_a_recipe_of_another_name_is_told_by_the_nearest_that_ships() -> None:
    own = changed(read_recipe("mini-resnet-v4"), {"name": "mine", "lr": 0.02})
    assert training_command(own) == "sightlab train mini-resnet-v4 name=mine optimizer.lr=0.02"
    assert list(changes_of(own)) == ["optimizer.lr"]


def test_every_recipe_that_ships_is_its_own_command() -> None:
    for name in shipped_recipes():
        assert training_command(read_recipe(name)) == f"sightlab train {name}"


def test_a_network_of_ones_own_is_told_by_its_yaml() -> None:
    own = sightlab.recipe("cnn", model="net.py:Net")
    assert training_command(changed(own, {"name": "own"})) is None


def test_bit_for_bit_is_promised_on_a_cpu_only() -> None:
    assert run_text.repeats("This", {"device": "cpu"}, Recipe()).startswith(
        "This trains the same model again, bit for bit"
    )
    assert "bit for bit" not in run_text.repeats("This", {"device": "cuda:0"}, Recipe())
    assert "bit for bit" not in run_text.repeats("This", {}, Recipe())


# Several models.


def candidate(name: str, accuracy: float, rank: int, difference: Difference | None = None) -> RankedCandidate:
    spread = Spread(accuracy, None, None, 1)
    interval = metrics.wilson_interval(round(1000 * accuracy), 1000)
    return RankedCandidate(name, ("r",), spread, interval, None, spread, 1, None, 1.0, 1.0, 1, rank, difference)


def test_the_leader_is_named_with_those_that_are_not_significantly_worse() -> None:
    alone = comparison_text.leaders([candidate("v4", 0.8, 2), candidate("v5", 0.9, 1)])
    assert alone == (
        "“v5” has the highest test accuracy (90.00%, 95 % interval 87.98% to 91.71%); no other model shares its rank."
    )
    shared = comparison_text.leaders([candidate("v3", 0.7, 3), candidate("v4", 0.89, 1), candidate("v5", 0.9, 1)])
    assert shared.endswith("No model is significantly better than “v4” either.")
    level = comparison_text.leaders([candidate("v4", 0.899, 1), candidate("v5", 0.9, 1)])
    assert level.endswith("but no model is significantly better than another.")


def test_a_difference_is_told_with_sign_and_interval() -> None:
    difference = Difference("v5", "v4", 0.0042, (-0.00001, 0.0085), 0.06, 10_000, (1, 1), "exact McNemar")
    assert comparison_text.difference(difference) == "+0.42 (0.00 to +0.85)"
    assert comparison_text.difference(None) == ""
    assert math.copysign(1, float(comparison_text.signed(-0.000001))) == 1


def test_a_candidates_mistakes_are_counted_over_its_runs() -> None:
    assert comparison_text.mistakes([], 0, 1) == "No image was misclassified."
    assert comparison_text.mistakes(pairs(("a", "b", 1)), 1, 1) == "1 mistake."
    assert (
        comparison_text.mistakes(pairs(("a", "b", 3)), 3, 2)
        == "3 mistakes in 2 runs; “a” was predicted as “b” 3 times."
    )


def test_the_seal_of_several_runs_names_those_that_broke_it() -> None:
    assert comparison_text.seal([("r1", ["x"]), ("r2", ["x"])]).startswith("Each run opened the test split once")
    broken = comparison_text.seal([("r1", ["x"]), ("r2", ["x", "y"])])
    assert broken.startswith("The test split was opened more than once for r2 (twice).")
