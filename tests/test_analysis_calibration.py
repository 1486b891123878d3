"""Calibration: temperatures and vectors are the best ones, figures are of images they were not fitted on."""

import math
from pathlib import Path

import altair as alt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import _TemperatureScaling
from torch import nn
from torch.nn.functional import cross_entropy
from torchmetrics.classification import MulticlassCalibrationError

from sightlab.charts.calibration import calibration_charts
from sightlab.data.imageset import ImageSet
from sightlab.lens.analyses.calibration import calibration, halves_of, unfit
from sightlab.lens.subject import Subject, subject_of
from sightlab.metrics import (
    calibration_error,
    calibration_interval,
    mean_cross_entropy,
    probabilities,
)
from sightlab.metrics.scaling import temperature, vector_scaling
from sightlab.models.classifier import Classifier
from sightlab.records import Predictions
from tests.drawings import drawing, outside, overlaps, texts

CPU = torch.device("cpu")
Floats = NDArray[np.float64]


def drawn(count: int, classes: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Calibrated logits: the labels are drawn from their softmax."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, classes))
    labels = (rng.random((count, 1)) > probabilities(logits).cumsum(axis=1)).sum(axis=1)
    return logits, labels.clip(max=classes - 1)


class Sharpened(nn.Module):
    """Gives the pixels, in [0, 1], as logits on a scale of its own."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.factor * images.flatten(1)


def sharpened(factor: float, count: int, classes: int = 4, seed: int = 0) -> Subject:
    """A network whose logits are `factor` times calibrated ones: each pixel of an image is a class's logit."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 1, classes, 1)).astype(np.uint8)
    shares = probabilities(8 * (pixels.reshape(count, classes) / 255))
    labels = (rng.random((count, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    names = tuple(f"class {n}" for n in range(classes))
    classifier = Classifier(Sharpened(8 * factor), [0.0], [1.0]).eval()
    return Subject(f"x{factor:g}", classifier, ImageSet(pixels, labels, names), CPU, "drawn", names)


def test_a_temperature_is_known_in_closed_form() -> None:
    # Of margins m and right answers in a share s of images, sigmoid(m / T) = s.
    for margin, right in ((4.0, 75), (1.0, 90), (9.0, 60)):
        logits = np.zeros((100, 2))
        logits[:, 0] = margin
        labels = (np.arange(100) >= right).astype(np.int64)
        found = temperature(logits, labels)
        assert found is not None
        assert found.value == pytest.approx(margin / math.log(right / (100 - right)), rel=1e-9)
        assert found.low < found.value < found.high


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_logits_times_a_factor_have_that_factor_times_the_temperature(seed: int, factor: float) -> None:
    logits, labels = drawn(60, 4, seed)
    plain, scaled = temperature(logits, labels), temperature(factor * logits, labels)
    assert plain is not None and scaled is not None
    assert scaled.value == pytest.approx(factor * plain.value, rel=1e-6)


def test_a_temperature_is_scikit_learns_and_torchs() -> None:
    logits, labels = drawn(500, 5, seed=1)
    found = temperature(2.5 * logits, labels)
    assert found is not None
    theirs = _TemperatureScaling().fit(2.5 * logits, labels)
    assert found.value == pytest.approx(1 / theirs.beta_, rel=1e-4)
    steepness = torch.ones(1, dtype=torch.float64, requires_grad=True)
    values, truth = torch.from_numpy(2.5 * logits), torch.from_numpy(labels)
    optimizer = torch.optim.LBFGS([steepness], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(values * steepness, truth)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert found.value == pytest.approx(1 / steepness.item(), rel=1e-5)


def test_the_interval_of_a_temperature_holds_the_true_one_in_95_per_cent_of_draws() -> None:
    held = []
    for seed in range(300):
        logits, labels = drawn(150, 4, seed)
        found = temperature(3 * logits, labels)
        assert found is not None
        held.append(found.low <= 3 <= found.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("sign", [1, -1])
def test_where_no_temperature_is_best_there_is_none(sign: int) -> None:
    assert temperature(sign * np.eye(5), np.arange(5)) is None


def test_vector_scaling_is_the_optimum_and_no_worse_than_temperature() -> None:
    logits, labels = drawn(400, 3, seed=4)
    skewed = 3 * logits * [1.0, 0.5, 2.0] + [1.0, 0.0, -1.0]
    factor, bias = vector_scaling(skewed, labels)
    found = temperature(skewed, labels)
    assert found is not None
    loss = mean_cross_entropy(skewed * factor + bias, labels)
    assert loss < mean_cross_entropy(skewed / found.value, labels)
    both = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in (factor, bias)]
    cross_entropy(torch.from_numpy(skewed) * both[0] + both[1], torch.from_numpy(labels)).backward()
    for one in both:  # a convex function whose gradient is 0
        assert one.grad is not None
        assert one.grad.abs().max() < 1e-5


@pytest.mark.parametrize(("factor", "truth"), [(1.0, 0.0), (3.0, None)])
def test_the_interval_of_the_calibration_error_holds_the_true_one(factor: float, truth: float | None) -> None:
    def predictions(count: int, seed: int) -> Predictions:
        logits, labels = drawn(count, 5, seed)
        return Predictions((factor * logits).astype(np.float32), labels, np.arange(count), tuple("abcde"))

    true = calibration_error(predictions(200_000, 999)) if truth is None else truth
    held = []
    for seed in range(60):
        low, high = calibration_interval(predictions(400, seed), resamples=200)
        assert low <= calibration_error(predictions(400, seed)) <= high
        held.append(low <= true <= high)
    assert np.mean(held) >= 0.88


def test_a_network_of_sharpened_logits_gets_its_factor_back() -> None:
    result = calibration(sharpened(3.0, 4000))
    found = result.estimates["temperature"]
    assert found.value == pytest.approx(3, rel=0.06)
    assert found.low is not None and found.high is not None
    assert found.low < 3 < found.high
    before, after = (result.estimates[name] for name in ("calibration_error", "calibration_error_temperature"))
    assert before.value > 0.1 > 0.03 > after.value
    assert before.low is not None and before.low > 0
    assert after.low == 0
    assert next(iter(result.estimates)) == "calibration_error"
    for figure in ("nll", "brier"):
        assert result.estimates[f"{figure}_temperature"].value < result.estimates[figure].value
    assert result.estimates["accuracy"] == result.estimates["accuracy_temperature"]


def test_figures_are_those_of_torch_on_logits_scaled_by_the_other_half() -> None:
    subject = sharpened(2.0, 300)
    result = calibration(subject, seed=5)
    logits = 16 * (subject.images.images.reshape(300, 4) / 255)
    labels = subject.images.labels
    scaled = np.empty_like(logits)
    one, other = halves_of(300, 5)
    assert sorted([*one, *other]) == list(range(300))
    for fitted, judged in ((one, other), (other, one)):
        found = temperature(logits[fitted].astype(np.float32), labels[fitted])
        assert found is not None
        scaled[judged] = logits[judged] / found.value
    truth = torch.from_numpy(labels)
    for end, values in (("", logits), ("_temperature", scaled)):
        own = torch.from_numpy(values)
        losses = cross_entropy(own, truth, reduction="none").numpy()
        assert result.per_image[f"nll{end}"] == pytest.approx(losses, abs=1e-5)
        assert result.estimates[f"nll{end}"].value == pytest.approx(losses.mean(), abs=1e-6)
        errors = ((own.softmax(1) - nn.functional.one_hot(truth, 4)) ** 2).sum(1).numpy()
        assert result.per_image[f"brier{end}"] == pytest.approx(errors, abs=1e-6)
        theirs = MulticlassCalibrationError(4, n_bins=15, norm="l1")(own.float(), truth)
        assert result.estimates[f"calibration_error{end}"].value == pytest.approx(float(theirs), abs=1e-6)


def test_sets_hold_the_true_class_as_asked_on_images_they_were_not_fitted_on() -> None:
    result = calibration(sharpened(1.0, 2000), coverage=0.8)
    for method in ("lac", "aps", "raps"):
        found = result.estimates[f"coverage_{method}"]
        assert found.value == pytest.approx(0.8, abs=0.045)
        assert result.arrays[f"sizes_{method}"].sum() == 2000
        assert result.estimates[f"set_size_{method}"].value == result.per_image[f"set_size_{method}"].mean()
    assert result.estimates["set_size_lac"].value <= result.estimates["set_size_aps"].value + 0.05


def test_what_needs_more_images_is_left_out_and_said() -> None:
    result = calibration(sharpened(1.0, 36, classes=10))
    assert not [name for name in result.estimates if "vector" in name or "lac" in name]
    assert any("Vector scaling is left out: 20 parameters" in note for note in result.notes)
    assert any("LAC sets of 95 % coverage are left out: they need 38 images" in note for note in result.notes)
    assert "Size of the sets by method" not in calibration_charts([result])


def test_a_network_that_is_always_right_keeps_its_logits() -> None:
    pixels = np.zeros((40, 1, 2, 1), np.uint8)
    labels = np.arange(40) % 2
    pixels[np.arange(40), 0, labels] = 255
    names = ("a", "b")
    classifier = Classifier(Sharpened(5.0), [0.0], [1.0]).eval()
    result = calibration(Subject("right", classifier, ImageSet(pixels, labels, names), CPU, "", names))
    assert result.estimates["nll"] == result.estimates["nll_temperature"]
    assert "temperature" not in result.estimates
    assert any("no temperature is best" in note for note in result.notes)


def test_too_few_images_and_features_are_no_ground_for_calibration() -> None:
    assert "19 images are too few" in unfit(sharpened(1.0, 19))
    fits = sharpened(1.0, 20)
    assert unfit(fits) == ""
    assert "features" in unfit(Subject("net", fits.classifier, fits.images, CPU, "", ()))


def test_a_trained_run_is_judged_the_same_each_time(small_run: Path) -> None:
    subject = subject_of(small_run)
    seen: list[tuple[int, int]] = []
    first = calibration(subject, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(subject.images), len(subject.images))
    again = calibration(subject)
    assert first.estimates == again.estimates
    assert first.sentences and "expected calibration error" in first.sentences[0]


@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]])
def test_the_charts_are_valid_and_legible(names: list[str]) -> None:
    results = [calibration(sharpened(1.0 + place, 200, seed=place)) for place in range(len(names))]
    made = calibration_charts(results)
    assert list(made) == ["Reliability before and after scaling", "Size of the sets by method"]
    for chart in made.values():
        assert isinstance(chart, alt.TopLevelMixin)
        svg = drawing(chart)
        assert not overlaps(svg)
        assert not outside(svg)
        shown = " ".join(texts(svg))
        assert all(result.subject in shown for result in results)
