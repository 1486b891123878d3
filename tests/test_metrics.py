"""Our numbers are those of scipy, scikit-learn and torch, and keep what the formulas promise."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn import metrics as sk
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassAccuracy

from sightlab.metrics import (
    checks,
    class_scores,
    confusion_matrix,
    mean_cross_entropy,
    probabilities,
    score,
    top_k_accuracy,
    wilson_interval,
    worst_confusions,
)
from sightlab.records import Predictions


def drawn(count: int = 500, classes: int = 10, seed: int = 0, scale: float = 2.0) -> Predictions:
    """Logits that favour the label without always choosing it."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) * scale
    logits[np.arange(count), labels] += 2
    names = tuple(f"class {i}" for i in range(classes))
    return Predictions(logits.astype(np.float32), labels, np.arange(count), names)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_the_interval_is_scipys(confidence: float) -> None:
    for count, share in itertools.product([1, 2, 7, 100, 10_000, 3_000_000], [0, 0.01, 0.5, 0.936, 1]):
        correct = round(count * share)
        theirs = binomtest(correct, count).proportion_ci(confidence, method="wilson")
        assert wilson_interval(correct, count, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_interval_is_the_published_one() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (correct, count), ends in published.items():
        assert wilson_interval(correct, count) == pytest.approx(ends, abs=5e-5)


counted = st.integers(1, 10**12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confident = st.floats(1e-6, 1 - 1e-9)


@given(counted, confident)
def test_the_interval_holds_the_point_estimate_and_stays_in_0_to_1(answers: tuple[int, int], confidence: float) -> None:
    correct, count = answers
    low, high = wilson_interval(correct, count, confidence)
    assert 0 <= low <= correct / count <= high <= 1


@given(counted)
def test_the_interval_is_symmetric_under_right_for_wrong(answers: tuple[int, int]) -> None:
    correct, count = answers
    low, high = wilson_interval(correct, count)
    assert wilson_interval(count - correct, count) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(2, 50))
def test_the_interval_shrinks_with_more_answers_of_the_same_share(answers: tuple[int, int], times: int) -> None:
    correct, count = answers
    low, high = wilson_interval(correct, count)
    nearer_low, nearer_high = wilson_interval(correct * times, count * times)
    assert nearer_high - nearer_low < high - low


@given(counted, confident, confident)
def test_more_confidence_never_narrows_the_interval(answers: tuple[int, int], a: float, b: float) -> None:
    inner, outer = (wilson_interval(*answers, confidence) for confidence in sorted((a, b)))
    assert outer[0] <= inner[0] + 1e-15
    assert inner[1] <= outer[1] + 1e-15


def test_the_interval_ends_exactly_at_0_and_1() -> None:
    for count in [1, 3, 10, 997, 10**9]:
        assert wilson_interval(0, count)[0] == 0.0
        assert wilson_interval(count, count)[1] == 1.0


@pytest.mark.parametrize(
    ("correct", "count", "confidence", "says"),
    [(0, 0, 0.95, "at least one"), (5, 4, 0.95, "from 0 to 4"), (-1, 4, 0.95, "from 0 to 4"), (1, 2, 1.0, "between")],
)
def test_an_impossible_interval_is_refused(correct: int, count: int, confidence: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        wilson_interval(correct, count, confidence)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k_accuracy_is_scikit_learns_and_torchmetrics(k: int) -> None:
    predictions = drawn()
    ours = top_k_accuracy(predictions.logits, predictions.labels, k)
    assert ours == sk.top_k_accuracy_score(predictions.labels, predictions.logits, k=k, labels=range(10))
    theirs = MulticlassAccuracy(num_classes=10, top_k=k, average="micro")
    assert ours == pytest.approx(
        float(theirs(torch.from_numpy(predictions.logits), torch.from_numpy(predictions.labels)))
    )


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6), st.integers(1, 4), st.data()
)
def test_ties_go_to_the_lower_class_in_a_stable_order(rows: list[list[int]], k: int, data: st.DataObject) -> None:
    labels = [data.draw(st.integers(0, 3)) for _ in rows]
    ours = top_k_accuracy(np.array(rows, np.float32), np.array(labels), k)
    first = [sorted(range(4), key=lambda c, row=row: -row[c])[:k] for row in rows]
    assert ours == sum(label in best for label, best in zip(labels, first, strict=True)) / len(rows)


def test_every_label_is_among_as_many_as_there_are_classes() -> None:
    predictions = drawn(classes=4)
    assert top_k_accuracy(predictions.logits, predictions.labels, 4) == 1.0


@pytest.mark.parametrize("k", [0, 11])
def test_k_outside_the_classes_is_refused(k: int) -> None:
    predictions = drawn()
    with pytest.raises(ValueError, match="must be from 1 to 10"):
        top_k_accuracy(predictions.logits, predictions.labels, k)


@pytest.mark.parametrize("scale", [0.01, 2.0, 300.0])
def test_the_loss_is_torchs_and_scikit_learns(scale: float) -> None:
    predictions = drawn(scale=scale)
    ours = mean_cross_entropy(predictions.logits, predictions.labels)
    exact = cross_entropy(torch.from_numpy(predictions.logits).double(), torch.from_numpy(predictions.labels))
    assert ours == pytest.approx(float(exact), rel=1e-12)
    if scale < 100:  # scikit-learn clips probabilities
        wide = probabilities(predictions.logits.astype(np.float64))
        assert ours == pytest.approx(sk.log_loss(predictions.labels, wide, labels=range(10)), rel=1e-9)


def test_the_loss_of_equal_logits_is_the_log_of_the_classes_at_any_height() -> None:
    for height in [-1e30, -5.0, 0.0, 1e30]:
        logits = np.full((3, 7), height, np.float32)
        assert mean_cross_entropy(logits, np.array([0, 3, 6])) == pytest.approx(math.log(7), rel=1e-15)


def test_a_certain_and_wrong_answer_costs_the_distance_of_the_logits() -> None:
    assert mean_cross_entropy(np.array([[0.0, 1e6]]), np.array([0])) == 1e6


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), max_size=5))
def test_probabilities_are_torchs_softmax_and_add_up_to_one(rows: list[list[float]]) -> None:
    logits = np.array(rows, np.float32).reshape(-1, 3)
    ours = probabilities(logits)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, torch.from_numpy(logits).double().softmax(1).numpy(), atol=1e-7)
    np.testing.assert_allclose(ours.sum(1), 1, atol=1e-6)


def test_probabilities_leave_their_input_and_its_type_alone() -> None:
    logits = np.array([[1.0, 2.0]])
    assert probabilities(logits).dtype == np.float64
    assert logits.tolist() == [[1.0, 2.0]]


def test_the_confusion_matrix_and_class_scores_are_scikit_learns() -> None:
    predictions = drawn(count=300, classes=12)
    predictions = Predictions(
        predictions.logits, np.minimum(predictions.labels, 9), predictions.index, predictions.classes
    )  # two classes have no images
    predictions.logits[:, 11] = -100  # and one of them is never predicted
    answers = predictions.logits.argmax(1)
    assert confusion_matrix(predictions).dtype == np.int64
    np.testing.assert_array_equal(
        confusion_matrix(predictions), sk.confusion_matrix(predictions.labels, answers, labels=range(12))
    )
    theirs = sk.precision_recall_fscore_support(predictions.labels, answers, labels=range(12), zero_division=0)
    ours = class_scores(predictions)
    assert [s.name for s in ours] == list(predictions.classes)
    for column, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert [getattr(s, column) for s in ours] == pytest.approx(list(values), abs=1e-15)


def test_the_worst_confusions_come_first_and_equal_ones_in_class_order() -> None:
    matrix = np.array([[90, 4, 0], [4, 50, 9], [0, 1, 3]])
    assert worst_confusions(matrix, ["a", "b", "c"]) == [("b", "c", 9), ("a", "b", 4), ("b", "a", 4), ("c", "b", 1)]
    assert worst_confusions(matrix, ["a", "b", "c"], most=2) == [("b", "c", 9), ("a", "b", 4)]
    assert worst_confusions(np.diag([3, 4]), ["a", "b"]) == []
    assert matrix[0, 0] == 90


def test_a_matrix_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[3, 3\] does not match 2 classes"):
        worst_confusions(np.eye(3, dtype=np.int64), ["a", "b"])


def test_a_score_says_what_its_parts_say() -> None:
    predictions = drawn()
    ours = score(predictions, openings=2)
    assert ours.accuracy == sk.accuracy_score(predictions.labels, predictions.logits.argmax(1))
    assert ours.correct == np.trace(confusion_matrix(predictions))
    assert (ours.count, ours.openings) == (500, 2)
    assert ours.interval == wilson_interval(ours.correct, 500)
    assert ours.top5 == sk.top_k_accuracy_score(predictions.labels, predictions.logits, k=5, labels=range(10))
    assert ours.loss == mean_cross_entropy(predictions.logits, predictions.labels)


def test_top5_says_nothing_of_five_classes() -> None:
    assert score(drawn(classes=5)).top5 is None
    assert score(drawn(classes=6)).top5 is not None


def test_the_size_of_the_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = drawn()
    whole = score(predictions)
    shares = probabilities(predictions.logits)
    monkeypatch.setattr(checks, "CHUNK_VALUES", 70)
    parts = score(predictions)
    assert (parts.correct, parts.top5, parts.loss) == (whole.correct, whole.top5, pytest.approx(whole.loss, rel=1e-14))
    np.testing.assert_array_equal(probabilities(predictions.logits), shares)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "measure", [score, confusion_matrix, class_scores, lambda predictions: probabilities(predictions.logits)]
)
def test_logits_that_are_not_finite_are_refused_by_row(measure: Any, value: float) -> None:
    predictions = drawn()
    predictions.logits[417, 3] = value
    with pytest.raises(ValueError, match="row 417 are not finite"):
        measure(predictions)


@pytest.mark.parametrize("measure", [score, confusion_matrix, class_scores])
def test_no_predictions_are_refused(measure: Any) -> None:
    predictions = drawn(count=0)
    with pytest.raises(ValueError, match="no predictions to score"):
        measure(predictions)
    assert probabilities(predictions.logits).shape == (0, 10)


@pytest.mark.parametrize(
    ("logits", "labels", "says"),
    [
        (np.zeros((2, 3)), np.array([0, 3]), "run from 0 to 3, but there are 3"),
        (np.zeros((2, 3)), np.array([-1, 0]), "run from -1 to 0"),
        (np.zeros((2, 3)), np.array([0]), "2 rows of logits"),
        (np.zeros(3), np.array([0, 1, 2]), r"shape \[3\]"),
        (np.zeros((2, 0)), np.array([0, 0]), "at least one class"),
        (np.zeros((2, 4)), np.array([0, 1]), "4 logits a row do not match 3 classes"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    logits: NDArray[np.float32], labels: NDArray[np.int64], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        score(Predictions(logits, labels, np.arange(len(labels)), ("a", "b", "c")))
