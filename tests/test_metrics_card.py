"""The numbers of a scorecard are those of scikit-learn and torchmetrics, on plain and on degenerate predictions."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk
from torchmetrics.functional import classification as tm

from sightlab.metrics import (
    balanced_accuracy,
    brier_score,
    calibration_error,
    checks,
    class_scores,
    macro_average,
    mean_roc_auc,
    probabilities,
    reliability,
    right_answers,
    roc_auc,
    score,
    scorecard,
    weighted_average,
    wilson_interval,
)
from sightlab.records import Predictions


def said_of(logits: NDArray[Any], labels: NDArray[Any]) -> Predictions:
    names = tuple(f"class {i}" for i in range(logits.shape[1]))
    return Predictions(logits.astype(np.float32), labels.astype(np.int64), np.arange(len(labels)), names)


def drawn(count: int = 400, classes: int = 10, scale: float = 2.0, favour: float = 2.0, seed: int = 0) -> Predictions:
    """Logits that favour the label without always choosing it."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) * scale
    logits[np.arange(count), labels] += favour * scale
    return said_of(logits, labels)


def absent_from_the_labels() -> Predictions:
    said = drawn()
    return said_of(said.logits, np.minimum(said.labels, 7))


def never_predicted() -> Predictions:
    said = drawn()
    said.logits[:, 4] -= 1000
    return said


def neither_labelled_nor_predicted() -> Predictions:
    said = absent_from_the_labels()
    said.logits[:, 8:] -= 1000
    return said


def tied_logits() -> Predictions:
    rng = np.random.default_rng(3)
    return said_of(rng.integers(0, 3, (400, 10)), rng.integers(0, 10, 400))


def all_right() -> Predictions:
    said = drawn()
    return said_of(said.logits, said.logits.argmax(1))


def all_wrong() -> Predictions:
    said = drawn()
    return said_of(said.logits, (said.logits.argmax(1) + 1) % 10)


CASES: dict[str, Callable[[], Predictions]] = {
    "plain": drawn,
    "a class absent from the labels": absent_from_the_labels,
    "a class never predicted": never_predicted,
    "a class neither labelled nor predicted": neither_labelled_nor_predicted,
    "two classes": lambda: drawn(classes=2),
    "ties": tied_logits,
    "all equal": lambda: said_of(np.zeros((40, 4)), np.arange(40) % 4),
    "all right": all_right,
    "all wrong": all_wrong,
    "one image": lambda: drawn(count=1),
    "one image, two classes": lambda: drawn(count=1, classes=2),
    "one class labelled": lambda: said_of(drawn().logits, np.full(400, 3)),
    "a hundred classes": lambda: drawn(count=2000, classes=100),
    "logits of ten thousand": lambda: drawn(scale=1e4, favour=0.5),
    "sure and right": lambda: said_of(1e4 * np.eye(10)[np.arange(50) % 10], np.arange(50) % 10),
    "sure and wrong": lambda: said_of(1e4 * np.eye(10)[np.arange(50) % 10], (np.arange(50) + 1) % 10),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Predictions:
    return CASES[request.param]()


def shares_of(said: Predictions) -> torch.Tensor:
    """The softmax, by torch in float64."""
    return torch.from_numpy(said.logits).double().softmax(1)


def quietly(measure: Callable[..., Any], *words: Any, **options: Any) -> Any:
    """The libraries warn of classes without images or answers; what they then give is what is looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure(*words, **options)


@pytest.mark.parametrize(("ours", "average"), [(macro_average, "macro"), (weighted_average, "weighted")])
def test_averages_are_those_of_both_libraries(case: Predictions, ours: Any, average: str) -> None:
    found = ours(case)
    answers = case.logits.argmax(1)
    theirs = sk.precision_recall_fscore_support(case.labels, answers, average=average, zero_division=0)[:3]
    assert (found.precision, found.recall, found.f1) == pytest.approx(theirs, abs=1e-12)
    for name, measure in (("precision", tm.multiclass_precision), ("recall", tm.multiclass_recall)):
        other = measure(torch.from_numpy(answers), torch.from_numpy(case.labels), len(case.classes), average=average)
        assert getattr(found, name) == pytest.approx(float(other), abs=1e-6)
    f1 = tm.multiclass_f1_score(torch.from_numpy(answers), torch.from_numpy(case.labels), len(case.classes), average)
    assert found.f1 == pytest.approx(float(f1), abs=1e-6)


def test_weighted_recall_is_the_accuracy(case: Predictions) -> None:
    assert weighted_average(case).recall == pytest.approx(score(case).accuracy, abs=1e-12)


def test_balanced_accuracy_is_scikit_learns(case: Predictions) -> None:
    theirs = quietly(sk.balanced_accuracy_score, case.labels, case.logits.argmax(1))
    assert balanced_accuracy(case) == pytest.approx(theirs, abs=1e-12)


def test_a_class_without_images_does_not_lower_the_balanced_accuracy() -> None:
    said = said_of(np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3]]), np.array([0, 1, 1]))
    assert balanced_accuracy(said) == 0.75
    assert macro_average(said).recall == 0.5  # it was predicted, so there it counts


def test_the_area_of_each_class_is_scikit_learns(case: Predictions) -> None:
    shares = shares_of(case).numpy()
    if len(np.unique(case.logits)) < 10:
        shares = shares.round(12)  # torch adds up in the order of the classes, which parts ties in the last bit
    for place, ours in enumerate(roc_auc(case)):
        own = case.labels == place
        if own.any() and not own.all():
            assert ours == pytest.approx(sk.roc_auc_score(own, shares[:, place]), abs=1e-12)
        else:
            assert ours is None


@pytest.mark.parametrize("name", ["plain", "a class never predicted", "a hundred classes", "logits of ten thousand"])
def test_the_mean_area_is_that_of_both_libraries_where_every_class_has_images(name: str) -> None:
    said = CASES[name]()
    shares = shares_of(said)
    assert mean_roc_auc(said) == pytest.approx(
        sk.roc_auc_score(said.labels, shares.numpy(), multi_class="ovr", labels=range(len(said.classes))), abs=1e-9
    )
    theirs = tm.multiclass_auroc(shares, torch.from_numpy(said.labels), len(said.classes), average="macro")
    assert mean_roc_auc(said) == pytest.approx(float(theirs), abs=1e-6)


def test_a_class_with_nothing_to_rank_has_no_area_and_is_left_out_of_the_mean() -> None:
    said = absent_from_the_labels()
    areas = roc_auc(said)
    assert areas[8:] == [None, None]
    assert mean_roc_auc(said) == pytest.approx(math.fsum(a for a in areas if a is not None) / 8)
    # torchmetrics gives such a class the area 0 and lets it count.
    theirs = quietly(tm.multiclass_auroc, shares_of(said), torch.from_numpy(said.labels), 10, average="none")
    assert theirs[8:].tolist() == [0, 0]
    assert mean_roc_auc(CASES["one class labelled"]()) is None


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_the_area_counts_pairs_and_half_of_the_ties(images: list[tuple[int, bool]]) -> None:
    # Of two classes the probability of the second grows with the difference of the logits: pairs can be counted.
    above = np.array([height for height, _ in images])
    own = np.array([label for _, label in images])
    said = said_of(np.stack([np.zeros(len(images)), above], 1), own)
    pairs = [(mine > other) + (mine == other) / 2 for mine in above[own] for other in above[~own]]
    expected = pytest.approx(sum(pairs) / len(pairs), abs=1e-12) if pairs else None
    assert roc_auc(said)[1] == expected


@given(st.permutations(range(6)), st.integers(0, 5))
def test_the_order_of_the_classes_changes_no_number_not_even_in_ties(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    said = said_of(rng.integers(0, 3, (30, 6)), rng.integers(0, 6, 30))
    moved = said_of(said.logits[:, order], np.argsort(order)[said.labels])
    np.testing.assert_array_equal(probabilities(moved.logits), probabilities(said.logits)[:, order])
    assert roc_auc(moved) == [roc_auc(said)[place] for place in order]
    assert brier_score(moved) == pytest.approx(brier_score(said), abs=1e-14)


def test_a_row_does_not_depend_on_its_batch() -> None:
    said = drawn(count=50, classes=17)
    whole = probabilities(said.logits.astype(np.float64))
    for row in range(50):
        np.testing.assert_array_equal(probabilities(said.logits[row : row + 1].astype(np.float64))[0], whole[row])


@pytest.mark.parametrize("bins", [15, 1, 2, 10, 100])
def test_the_calibration_error_is_torchmetrics(case: Predictions, bins: int) -> None:
    theirs = tm.multiclass_calibration_error(
        shares_of(case), torch.from_numpy(case.labels), len(case.classes), n_bins=bins, norm="l1"
    )
    assert calibration_error(case, bins) == pytest.approx(float(theirs), abs=1e-6)


def test_the_calibration_error_is_that_of_the_bins_but_for_answers_without_any_doubt(case: Predictions) -> None:
    parts = [one for one in reliability(case) if one.count]
    of_bins = math.fsum(abs(one.accuracy - one.confidence) * one.count for one in parts) / len(case)
    ours = calibration_error(case)
    assert ours >= of_bins - 1e-12
    if (1 / np.exp(case.logits - case.logits.max(1, keepdims=True)).sum(1)).max() < 1:
        assert ours == pytest.approx(of_bins, abs=1e-12)


def test_sure_answers_are_not_offset_by_doubtful_ones() -> None:
    # Nine sure answers, one of them wrong, and ten of 95 % that are all right: the last bin as a whole looks perfect.
    doubtful = np.tile([math.log(0.95 / 0.05), 0], (10, 1))
    logits = np.concatenate([np.tile([1000, 0], (10, 1)), doubtful])
    labels = np.zeros(20)
    labels[0] = 1
    said = said_of(logits, labels)
    last = reliability(said)[-1]
    assert last.confidence == pytest.approx(0.975)
    assert last.accuracy == pytest.approx(0.95)
    assert calibration_error(said) == pytest.approx((10 * 0.1 + 10 * 0.05) / 20)


def test_a_confidence_on_an_edge_is_in_the_bin_above_and_1_in_the_last() -> None:
    # Equal logits of m classes have the confidence 1 / m: exactly an edge for m of 3, 5 and 15, and for 1.
    for classes, place in ((3, 5), (5, 3), (15, 1), (1, 14)):
        said = said_of(np.zeros((2, classes)), np.zeros(2))
        assert [number for number, one in enumerate(reliability(said)) if one.count] == [place]


def test_reliability_says_what_its_bins_hold(case: Predictions) -> None:
    parts = reliability(case)
    confidence, right = shares_of(case).max(1).values.numpy(), right_answers(case)
    assert [one.low for one in parts] == [k / 15 for k in range(15)]
    assert [one.high for one in parts] == [(k + 1) / 15 for k in range(15)]
    assert sum(one.count for one in parts) == len(case)
    for one in parts:
        inside = (confidence >= one.low - 1e-7) & ((confidence < one.high - 1e-7) | (one.high == 1))
        assert one.count == inside.sum()
        if not one.count:
            assert (one.confidence, one.accuracy, one.interval) == (None, None, None)
            continue
        assert one.confidence == pytest.approx(confidence[inside].mean(), abs=1e-7)
        assert one.accuracy == right[inside].mean()
        assert one.interval == wilson_interval(int(right[inside].sum()), one.count)


def test_bins_that_are_none_are_refused() -> None:
    for measure in (reliability, calibration_error):
        with pytest.raises(ValueError, match="0 bins; must be at least 1"):
            measure(drawn(), 0)


def test_the_brier_score_is_scikit_learns(case: Predictions) -> None:
    shares = shares_of(case).numpy()
    theirs = sk.brier_score_loss(np.eye(len(case.classes))[case.labels], shares, scale_by_half=False)
    assert brier_score(case) == pytest.approx(theirs, abs=1e-12)


def test_the_brier_score_runs_from_0_to_2_and_of_two_classes_is_twice_torchs_mean_square() -> None:
    assert brier_score(CASES["sure and right"]()) == 0
    assert brier_score(CASES["sure and wrong"]()) == 2
    assert brier_score(CASES["all equal"]()) == pytest.approx(0.75)  # 3 times 1/16, and 9/16
    said = drawn(classes=2)
    second = shares_of(said)[:, 1]
    square = torch.nn.functional.mse_loss(second, torch.from_numpy(said.labels).double())
    assert brier_score(said) == pytest.approx(2 * float(square), abs=1e-12)


def test_the_interval_of_a_class_is_that_of_its_recall(case: Predictions) -> None:
    for place, one in enumerate(class_scores(case)):
        own = case.labels == place
        hits = int((case.logits[own].argmax(1) == place).sum())
        assert one.interval == (wilson_interval(hits, int(own.sum())) if own.any() else None)


def test_a_scorecard_holds_what_each_measure_says(case: Predictions) -> None:
    card = scorecard(case, openings=3)
    assert card.score == score(case, openings=3)
    assert list(card.classes) == class_scores(case)
    assert (card.macro, card.weighted) == (macro_average(case), weighted_average(case))
    assert (card.balanced_accuracy, card.auc) == (balanced_accuracy(case), mean_roc_auc(case))
    assert (card.calibration_error, card.brier) == (calibration_error(case), brier_score(case))


MEASURES = [macro_average, weighted_average, balanced_accuracy, roc_auc, calibration_error, brier_score, reliability]


@pytest.mark.parametrize("measure", MEASURES)
def test_what_cannot_be_measured_is_refused(measure: Any) -> None:
    broken = drawn()
    broken.logits[417 - 100, 3] = math.nan
    with pytest.raises(ValueError, match="row 317 are not finite"):
        measure(broken)
    with pytest.raises(ValueError, match="no predictions to score"):
        measure(drawn(count=0))


def test_the_size_of_the_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    said = drawn()
    whole = scorecard(said)
    monkeypatch.setattr(checks, "CHUNK_VALUES", 70)
    parts = scorecard(said)
    assert parts.brier == pytest.approx(whole.brier, abs=1e-14)
    assert (parts.auc, parts.calibration_error) == (whole.auc, whole.calibration_error)
