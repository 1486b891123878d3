"""The calibration error is torchmetrics', and the bins of reliability hold what they say."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional import classification as tm

from sightlab.metrics import calibration_error, is_correct, reliability, wilson_interval
from sightlab.records import Predictions
from tests.prediction_cases import CASES, drawn, predictions_of, shares_of


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Predictions:
    return CASES[request.param]()


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
    predictions = predictions_of(logits, labels)
    last = reliability(predictions)[-1]
    assert last.confidence == pytest.approx(0.975)
    assert last.accuracy == pytest.approx(0.95)
    assert calibration_error(predictions) == pytest.approx((10 * 0.1 + 10 * 0.05) / 20)


def test_a_confidence_on_an_edge_is_in_the_bin_above_and_1_in_the_last() -> None:
    # Equal logits of m classes have the confidence 1 / m: exactly an edge for m of 3, 5 and 15, and for 1.
    for classes, place in ((3, 5), (5, 3), (15, 1), (1, 14)):
        predictions = predictions_of(np.zeros((2, classes)), np.zeros(2))
        assert [number for number, one in enumerate(reliability(predictions)) if one.count] == [place]


def test_reliability_says_what_its_bins_hold(case: Predictions) -> None:
    parts = reliability(case)
    confidence, right = shares_of(case).max(1).values.numpy(), is_correct(case)
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
