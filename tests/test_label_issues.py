"""Suspect labels are those that confident learning counts off the diagonal, the worst first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.metrics import checks, find_label_issues
from sightlab.records import Predictions


def predictions_of(shares: NDArray[np.float64], labels: NDArray[np.int64]) -> Predictions:
    names = tuple(f"class {i}" for i in range(shares.shape[1]))
    return Predictions(np.log(shares).astype(np.float32), labels, np.arange(len(labels)), names)


def by_the_paper(shares: NDArray[np.float64], labels: NDArray[np.int64]) -> list[int]:
    """Section 3.1, image by image: the confident joint's cells off the diagonal."""
    classes = range(shares.shape[1])
    means = {j: shares[labels == j, j].mean() for j in classes if (labels == j).any()}
    suspects = []
    for row, label in enumerate(labels):
        passing = [j for j in means if shares[row, j] >= means[j]]
        if passing and max(passing, key=lambda j: shares[row, j]) != label:
            best = max(passing, key=lambda j: shares[row, j])
            suspects.append((shares[row, label] - shares[row, best], row))
    return [row for _, row in sorted(suspects)]


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 6))
@settings(deadline=None)
def test_suspects_are_those_of_the_paper_in_order_of_the_margin(seed: int, count: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(classes, 0.5), count).clip(1e-6)
    labels = rng.integers(0, classes, count)
    predictions = predictions_of(shares, labels)
    exact = np.exp(predictions.logits.astype(np.float64))
    assert find_label_issues(predictions).tolist() == by_the_paper(exact / exact.sum(1, keepdims=True), labels)


def test_nothing_but_swapped_labels_is_found_and_nearly_all_of_them() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 1000)
    logits = rng.normal(size=(1000, 10)) * 0.3
    logits[np.arange(1000), truth] += 4
    swapped = np.sort(rng.choice(1000, 80, replace=False))
    labels = truth.copy()
    labels[swapped] = (labels[swapped] + rng.integers(1, 10, 80)) % 10
    names = tuple("abcdefghij")
    found = find_label_issues(Predictions(logits.astype(np.float32), labels, np.arange(1000), names))
    assert set(found) <= set(swapped)
    assert len(found) > 72  # a threshold is a mean: those whose true class falls a little short of it go unseen


def test_the_threshold_is_the_mean_of_the_class() -> None:
    # Images labelled a: 0.9 and 0.5 of a; of b: 0.6 and 0.7 of b. The thresholds are 0.7 and 0.65.
    shares = np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6], [0.3, 0.7]])
    labels = np.array([0, 0, 1, 1])
    assert find_label_issues(predictions_of(shares, labels)).tolist() == []
    # A third image labelled a, of which 0.66 is b: the threshold of b is passed.
    more = np.array([[0.34, 0.66]])
    assert find_label_issues(predictions_of(np.concatenate([shares, more]), np.append(labels, 0))).tolist() == [4]


def test_a_label_may_be_suspect_although_it_is_the_likelier_answer() -> None:
    # b is the rarer and fainter class: 0.35 is much for it, 0.6 little for a.
    shares = np.array([[0.95, 0.05], [0.99, 0.01], [0.6, 0.4], [0.7, 0.3]])
    assert find_label_issues(predictions_of(shares, np.array([0, 0, 0, 1]))).tolist() == [2]


def test_a_class_without_images_accuses_nobody() -> None:
    shares = np.array([[0.1, 0.0001, 0.8999], [0.05, 0.9, 0.05], [0.0001, 0.0999, 0.9]])
    assert find_label_issues(predictions_of(shares, np.array([0, 1, 1]))).tolist() == []


def test_equal_images_are_not_suspect() -> None:
    for count in range(1, 30):  # the mean of equal numbers is not always that number in floating point
        shares = np.tile([0.1, 0.7, 0.2], (count, 1))
        assert find_label_issues(predictions_of(shares, np.ones(count, np.int64))).tolist() == []
        assert find_label_issues(predictions_of(shares, np.zeros(count, np.int64))).tolist() == []


def test_of_equal_classes_the_label_goes_first() -> None:
    shares = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert find_label_issues(predictions_of(shares, np.array([0, 1]))).tolist() == []


def test_equal_margins_keep_the_order_of_the_rows() -> None:
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8], [0.9, 0.1]])
    found = find_label_issues(predictions_of(shares, np.array([0, 0, 0, 1, 0])))
    assert found.dtype == np.int64
    assert found.tolist() == [1, 2]


def test_the_size_of_the_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    predictions = predictions_of(rng.dirichlet(np.ones(5), 200), rng.integers(0, 5, 200))
    whole = find_label_issues(predictions)
    assert len(whole) > 10
    monkeypatch.setattr(checks, "CHUNK_VALUES", 35)
    np.testing.assert_array_equal(find_label_issues(predictions), whole)


def test_no_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="no predictions to score"):
        find_label_issues(predictions_of(np.ones((0, 2)), np.zeros(0, np.int64)))
