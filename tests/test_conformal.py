"""Conformal sets hold the true class as often as they promise, and are those of the papers and of MAPIE."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedShuffleSplit

from sightlab.metrics import probabilities
from sightlab.metrics.conformal import (
    SETS,
    aps_scores,
    calibrated_sets,
    lac_scores,
    least_count,
    own,
    ranks,
    raps_scores,
    threshold_of,
)

Floats = NDArray[np.float64]


def drawn(count: int, classes: int, seed: int, sharpness: float = 2.0) -> tuple[Floats, NDArray[np.int64]]:
    """Probabilities and labels drawn from flatter ones: an overconfident model."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, classes)) * sharpness
    labels = (rng.random((count, 1)) > probabilities(logits / 1.5).cumsum(axis=1)).sum(axis=1)
    return probabilities(logits), labels.clip(max=classes - 1)


@pytest.mark.parametrize("method", SETS)
def test_sets_of_90_per_cent_hold_the_true_class_in_90_per_cent_of_2000_draws(method: str) -> None:
    shares, labels = drawn(40_000, 6, seed=1)
    rng = np.random.default_rng(2)
    held = []
    for _ in range(2000):
        rows = rng.integers(0, len(labels), 99 + 20)
        fitted, judged = rows[:99], rows[99:]
        rule = calibrated_sets(method, shares[fitted], labels[fitted], 0.9)
        held.append(own(rule.members(shares[judged]).astype(float), labels[judged]).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.01)


def test_the_coverage_of_one_calibration_is_beta_distributed() -> None:
    # Vovk 2012, "Conditional validity of inductive conformal predictors": Beta(k, n + 1 - k) for the k-th of n scores.
    rng = np.random.default_rng(3)
    count, coverage = 59, 0.9
    place = math.ceil((count + 1) * coverage)
    held = [threshold_of(rng.random(count), coverage) for _ in range(4000)]  # a uniform score is its own coverage
    assert np.mean(held) == pytest.approx(place / (count + 1), abs=0.002)
    assert np.var(held) == pytest.approx(place * (count + 1 - place) / ((count + 1) ** 2 * (count + 2)), rel=0.1)


@given(st.integers(1, 400), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_a_threshold_is_the_finite_sample_quantile_or_refused(count: int, coverage: float) -> None:
    place = round((count + 1) * coverage * 100)  # in exact hundredths
    place = -(-place // 100)
    scores = np.random.default_rng(count).permutation(count) + 1.0
    if place > count:
        assert count < least_count("lac", coverage)
        with pytest.raises(ValueError, match=f"{count} images"):
            threshold_of(scores, coverage)
    else:
        assert count >= least_count("lac", coverage)
        assert threshold_of(scores, coverage) == place


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("method", SETS)
def test_the_least_count_works_and_one_less_does_not(method: str, coverage: float) -> None:
    least = least_count(method, coverage)
    shares, labels = drawn(least, 4, seed=least)
    calibrated_sets(method, shares, labels, coverage)
    if least > 1:
        with pytest.raises(ValueError, match="images"):
            calibrated_sets(method, shares[1:], labels[1:], coverage)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0, -1.0, math.nan])
def test_a_coverage_that_is_none_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        least_count("lac", coverage)
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrated_sets("raps", *drawn(50, 3, seed=0), coverage)


def test_scores_are_those_of_the_papers() -> None:
    shares = np.array([[0.2, 0.5, 0.3]])
    assert lac_scores(shares)[0] == pytest.approx([0.8, 0.5, 0.7])
    assert aps_scores(shares, u=0.0)[0] == pytest.approx([1.0, 0.5, 0.8])
    assert aps_scores(shares, u=0.25)[0] == pytest.approx([0.95, 0.375, 0.725])
    assert aps_scores(shares)[0] == pytest.approx([0.8, 0.0, 0.5])
    assert ranks(shares)[0].tolist() == [3, 1, 2]
    assert raps_scores(shares, penalty=0.1, free=1)[0] == pytest.approx([0.8 + 0.2, 0.0, 0.5 + 0.1])


@given(st.sampled_from(sorted(SETS)), st.integers(0, 50))
def test_sets_grow_with_coverage_and_are_never_empty(method: str, seed: int) -> None:
    shares, labels = drawn(260, 5, seed)
    new, _ = drawn(30, 5, seed + 1000)
    before = np.zeros((30, 5), bool)
    for coverage in (0.3, 0.8, 0.95):
        rule = calibrated_sets(method, shares, labels, coverage)
        members = rule.members(new)
        assert members[np.arange(30), new.argmax(axis=1)].all()
        if method != "raps":  # which chooses its penalty anew
            assert (members >= before).all()
        assert (rule.members(new[7:9]) == members[7:9]).all()  # no image's set depends on the others
        before = members


def test_a_model_that_is_right_more_often_than_asked_gets_sets_of_one_class() -> None:
    shares = np.tile([0.6, 0.4], (100, 1))
    labels = np.zeros(100, np.int64)
    labels[:4] = 1
    for method in ("lac", "aps"):
        assert calibrated_sets(method, shares, labels, 0.95).members(shares).sum(axis=1).max() == 1


class Given(ClassifierMixin, BaseEstimator):
    """A fitted classifier in scikit-learn's manner whose images are their own probabilities."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.classes_ = np.arange(classes)

    def predict_proba(self, images: Floats) -> Floats:
        return images

    def predict(self, images: Floats) -> NDArray[np.int64]:
        return images.argmax(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_lac_sets_are_mapies(coverage: float) -> None:
    shares, labels = drawn(300, 6, seed=5)
    new, _ = drawn(100, 6, seed=6)
    theirs = SplitConformalClassifier(Given(6), confidence_level=coverage, conformity_score="lac")
    theirs.conformalize(shares, labels)
    _, sets = theirs.predict_set(new)
    rule = calibrated_sets("lac", shares, labels, coverage)
    inside = lac_scores(new) <= rule.threshold
    assert (inside == sets[:, :, 0]).all()
    assert (rule.members(new) >= inside).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_aps_sets_with_the_papers_random_numbers_are_mapies(coverage: float) -> None:
    shares, labels = drawn(300, 6, seed=7)
    new, _ = drawn(100, 6, seed=8)
    theirs = SplitConformalClassifier(Given(6), confidence_level=coverage, conformity_score="aps", random_state=11)
    theirs.conformalize(shares, labels)
    _, sets = theirs.predict_set(new, conformity_score_params={"include_last_label": "randomized"})
    u, fresh = (np.random.RandomState(11).uniform(size=size) for size in (300, 100))
    threshold = threshold_of(own(aps_scores(shares, u), labels), coverage)
    assert threshold == pytest.approx(theirs._mapie_classifier.conformity_score_function_.quantiles_[0])
    assert ((aps_scores(new, fresh) <= threshold) == sets[:, :, 0]).all()


def test_raps_scores_and_threshold_are_mapies() -> None:
    shares, labels = drawn(500, 6, seed=9)
    theirs = SplitConformalClassifier(Given(6), confidence_level=0.9, conformity_score="raps", random_state=13)
    theirs.conformalize(shares, labels)
    theirs.predict_set(shares[:5])
    found = theirs._mapie_classifier.conformity_score_function_
    kept = found.y_pred_proba_raps
    rest, _ = next(StratifiedShuffleSplit(1, test_size=len(kept), random_state=13).split(shares, labels))
    u = np.random.RandomState(13).uniform(size=len(rest))
    free, penalty = int(found.k_star[0]), float(np.ravel(found.lambda_star)[0])
    scores = own(raps_scores(shares[rest], penalty, free, u), labels[rest])
    assert threshold_of(scores, 0.9) == pytest.approx(float(found.quantiles_[0]))
    assert free == sorted(ranks(kept)[np.arange(len(kept)), found.y_raps_no_enc])[math.ceil((len(kept) + 1) * 0.9) - 1]
