"""What changed between two runs: classes by scipy's numbers, images in the stated order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from sightlab.comparison.agreement import agreement, class_changes, disagreements
from sightlab.records import Predictions

NAMES = ("cat", "dog", "cow", "bat")


def drawn(seed: int, labels: NDArray[np.int64], favour: float) -> Predictions:
    logits = np.random.default_rng(seed).normal(size=(len(labels), 4))
    logits[np.arange(len(labels)), labels] += favour
    return Predictions(logits.astype(np.float32), labels, np.arange(len(labels)), NAMES)


LABELS = np.random.default_rng(0).integers(0, 3, 600)  # no bats
BEFORE, AFTER = drawn(1, LABELS, 1.0), drawn(2, LABELS, 1.6)


def shares(said: Predictions) -> NDArray[np.float64]:
    power = np.exp(said.logits.astype(np.float64))
    return power / power.sum(1, keepdims=True)


def test_each_class_has_its_accuracies_and_the_exact_p_of_their_change() -> None:
    found = class_changes(BEFORE, AFTER)
    assert [one.name for one in found] == ["cat", "dog", "cow"]  # there are no images of bats
    old, new = (said.logits.argmax(1) == LABELS for said in (BEFORE, AFTER))
    for place, one in enumerate(found):
        own = LABELS == place
        assert one.images == own.sum()
        assert (one.first, one.second) == pytest.approx((old[own].mean(), new[own].mean()))
        assert one.difference == pytest.approx(new[own].mean() - old[own].mean())
        lost, won = int((old & ~new & own).sum()), int((new & ~old & own).sum())
        assert one.p == pytest.approx(stats.binomtest(lost, lost + won).pvalue)


def test_the_changes_of_classes_are_corrected_over_the_classes() -> None:
    found = class_changes(BEFORE, AFTER)
    in_order = sorted(found, key=lambda one: one.p)
    assert in_order[0].adjusted == pytest.approx(min(1, 3 * in_order[0].p))
    assert all(one.adjusted >= one.p for one in found)
    assert [one.significant for one in found] == [one.adjusted < 0.05 for one in found]


def test_a_run_does_not_differ_from_itself() -> None:
    assert all((one.difference, one.p, one.significant) == (0, 1, False) for one in class_changes(BEFORE, BEFORE))
    assert disagreements(BEFORE, BEFORE).tolist() == []
    found = agreement(BEFORE, BEFORE)
    assert (found.only_first, found.only_second) == (0, 0)


def test_agreement_counts_every_image_once() -> None:
    found = agreement(BEFORE, AFTER)
    old, new = (said.logits.argmax(1) == LABELS for said in (BEFORE, AFTER))
    counts = (found.both_right, found.only_first, found.only_second, found.both_wrong)
    assert counts == ((old & new).sum(), (old & ~new).sum(), (new & ~old).sum(), (~old & ~new).sum())
    assert sum(counts) == 600
    assert found.to_json() == dict(zip(["both_right", "only_first", "only_second", "both_wrong"], counts, strict=True))


def by_the_definition(first: Predictions, second: Predictions) -> list[int]:
    """Rows of different answers; the surest wrong answer first, then the other run's confidence, then the row."""
    keys = []
    for row, label in enumerate(first.labels):
        sure = [(shares(said)[row].max(), int(said.logits[row].argmax())) for said in (first, second)]
        if sure[0][1] == sure[1][1]:
            continue
        wrong = [confidence if answer != label else 0.0 for confidence, answer in sure]
        worse = 0 if wrong[0] >= wrong[1] else 1
        keys.append((-wrong[worse], -sure[1 - worse][0], row))
    return [row for _, _, row in sorted(keys)]


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(deadline=None)
def test_disagreements_come_in_the_stated_order(seed: int, count: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, count)
    first, second = drawn(seed + 1, labels, 0.5), drawn(seed + 2, labels, 0.5)
    found = disagreements(first, second)
    assert found.dtype == np.int64
    assert found.tolist() == by_the_definition(first, second)


def test_the_same_mistake_is_no_disagreement_and_a_different_one_is() -> None:
    said = {name: np.eye(4, dtype=np.float32)[place] for place, name in enumerate(NAMES)}
    labels = np.zeros(3, np.int64)  # cats
    first = Predictions(np.stack([said["dog"], said["dog"], said["cat"]]), labels, np.arange(3), NAMES)
    second = Predictions(np.stack([said["dog"], said["cow"], said["bat"]]), labels, np.arange(3), NAMES)
    assert disagreements(first, second).tolist() == [1, 2]


@pytest.mark.parametrize("measure", [class_changes, agreement, disagreements])
def test_predictions_of_other_images_or_classes_are_refused(measure: object) -> None:
    assert callable(measure)
    other = drawn(1, np.roll(LABELS, 1), 1.0)
    with pytest.raises(ValueError, match="different labels"):
        measure(BEFORE, other)
    with pytest.raises(ValueError, match="different classes"):
        measure(BEFORE, Predictions(BEFORE.logits, LABELS, BEFORE.index, ("a", "b", "c", "d")))
    nothing = drawn(1, LABELS[:0], 1.0)
    with pytest.raises(ValueError, match="no predictions"):
        measure(nothing, nothing)
