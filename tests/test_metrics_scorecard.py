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
    roc_auc,
    score,
    scorecard,
    weighted_average,
    wilson_interval,
)
from sightlab.records import Predictions
from tests.prediction_cases import CASES, absent_from_the_labels, drawn, predictions_of, shares_of


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Predictions:
    return CASES[request.param]()


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
    predictions = predictions_of(np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3]]), np.array([0, 1, 1]))
    assert balanced_accuracy(predictions) == 0.75
    assert macro_average(predictions).recall == 0.5  # it was predicted, so there it counts


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
    predictions = CASES[name]()
    shares = shares_of(predictions)
    assert mean_roc_auc(predictions) == pytest.approx(
        sk.roc_auc_score(predictions.labels, shares.numpy(), multi_class="ovr", labels=range(len(predictions.classes))),
        abs=1e-9,
    )
    theirs = tm.multiclass_auroc(
        shares, torch.from_numpy(predictions.labels), len(predictions.classes), average="macro"
    )
    assert mean_roc_auc(predictions) == pytest.approx(float(theirs), abs=1e-6)


def test_a_class_with_nothing_to_rank_has_no_area_and_is_left_out_of_the_mean() -> None:
    predictions = absent_from_the_labels()
    areas = roc_auc(predictions)
    assert areas[8:] == [None, None]
    assert mean_roc_auc(predictions) == pytest.approx(math.fsum(a for a in areas if a is not None) / 8)
    # torchmetrics gives such a class the area 0 and lets it count.
    theirs = quietly(
        tm.multiclass_auroc, shares_of(predictions), torch.from_numpy(predictions.labels), 10, average="none"
    )
    assert theirs[8:].tolist() == [0, 0]
    assert mean_roc_auc(CASES["one class labelled"]()) is None


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_the_area_counts_pairs_and_half_of_the_ties(images: list[tuple[int, bool]]) -> None:
    # Of two classes the probability of the second grows with the difference of the logits: pairs can be counted.
    above = np.array([height for height, _ in images])
    own = np.array([label for _, label in images])
    predictions = predictions_of(np.stack([np.zeros(len(images)), above], 1), own)
    pairs = [(mine > other) + (mine == other) / 2 for mine in above[own] for other in above[~own]]
    expected = pytest.approx(sum(pairs) / len(pairs), abs=1e-12) if pairs else None
    assert roc_auc(predictions)[1] == expected


@given(st.permutations(range(6)), st.integers(0, 5))
def test_the_order_of_the_classes_changes_no_number_not_even_in_ties(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    predictions = predictions_of(rng.integers(0, 3, (30, 6)), rng.integers(0, 6, 30))
    moved = predictions_of(predictions.logits[:, order], np.argsort(order)[predictions.labels])
    np.testing.assert_array_equal(probabilities(moved.logits), probabilities(predictions.logits)[:, order])
    assert roc_auc(moved) == [roc_auc(predictions)[place] for place in order]
    assert brier_score(moved) == pytest.approx(brier_score(predictions), abs=1e-14)


def test_a_row_does_not_depend_on_its_batch() -> None:
    predictions = drawn(count=50, classes=17)
    whole = probabilities(predictions.logits.astype(np.float64))
    for row in range(50):
        np.testing.assert_array_equal(
            probabilities(predictions.logits[row : row + 1].astype(np.float64))[0], whole[row]
        )


def test_the_brier_score_is_scikit_learns(case: Predictions) -> None:
    shares = shares_of(case).numpy()
    theirs = sk.brier_score_loss(np.eye(len(case.classes))[case.labels], shares, scale_by_half=False)
    assert brier_score(case) == pytest.approx(theirs, abs=1e-12)


def test_the_brier_score_runs_from_0_to_2_and_of_two_classes_is_twice_torchs_mean_square() -> None:
    assert brier_score(CASES["sure and right"]()) == 0
    assert brier_score(CASES["sure and wrong"]()) == 2
    assert brier_score(CASES["all equal"]()) == pytest.approx(0.75)  # 3 times 1/16, and 9/16
    predictions = drawn(classes=2)
    second = shares_of(predictions)[:, 1]
    square = torch.nn.functional.mse_loss(second, torch.from_numpy(predictions.labels).double())
    assert brier_score(predictions) == pytest.approx(2 * float(square), abs=1e-12)


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
    predictions = drawn()
    whole = scorecard(predictions)
    monkeypatch.setattr(checks, "CHUNK_VALUES", 70)
    parts = scorecard(predictions)
    assert parts.brier == pytest.approx(whole.brier, abs=1e-14)
    assert (parts.auc, parts.calibration_error) == (whole.auc, whole.calibration_error)
