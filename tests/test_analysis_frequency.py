"""Filters and Fourier basis against closed forms, numpy's transform and networks that are fixed filters themselves."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from sightlab.charts.frequency import fourier_rows, frequency_charts
from sightlab.charts.interval_lines import frequency_ticks, interval_lines
from sightlab.data.imageset import ImageSet
from sightlab.lens.analyses.frequency import frequency, mean_known, unfit
from sightlab.lens.fourier_map import fourier_map, frequencies_for, strength
from sightlab.lens.image_filters import (
    axis_frequencies,
    canonical,
    clipped,
    fourier_basis,
    grid_step,
    half_plane,
    headline_radius,
    high_pass,
    hybrid,
    low_pass,
    nyquist,
    radii,
)
from sightlab.lens.subject import Subject, subject_of
from sightlab.models.classifier import Classifier

CPU = torch.device("cpu")
sides = st.integers(2, 17)


def grating(height: int, width: int, down: float, across: float) -> NDArray[np.float32]:
    """A cosine of so many periods over the height and the width, float32 [H, W], from -1 to 1."""
    rows, columns = np.arange(height)[:, None] / height, np.arange(width)[None, :] / width
    return np.cos(2 * np.pi * (down * rows + across * columns)).astype(np.float32)


class Detector(nn.Module):
    """A fixed band-pass filter: answers 1 where more than half a known amount of one grating is in the image."""

    def __init__(self, wave: NDArray[np.float32], least: float) -> None:
        super().__init__()
        self.register_buffer("wave", torch.from_numpy(wave))
        self.least = least
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        amount = (images.mean(1) * self.wave).mean((1, 2)) * self.weight
        return torch.stack([torch.full_like(amount, self.least / 2), amount], dim=1)


def detecting(side: int, cycles: int, channels: int = 1, count: int = 8) -> Subject:
    """Grey images, every other with a grating down of amplitude 40, and the network that detects it."""
    wave = grating(side, side, cycles, 0)
    labels = np.arange(count) % 2
    images = np.rint(128 + 40 * labels[:, None, None, None] * wave[None, :, :, None]).astype(np.uint8)
    classes = ("without", "with")
    net = Detector(wave, 40 / 255 * float((wave**2).mean()))
    classifier = Classifier(net, [0.5] * channels, [1.0] * channels).eval()
    found = ImageSet(np.repeat(images, channels, axis=3), labels.astype(np.int64), classes)
    return Subject("detector", classifier, found, CPU, "gratings", classes)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (31, 31), (32, 20)])
def test_a_grating_passes_a_filter_whole_or_not_at_all(height: int, width: int) -> None:
    down, across = 3, 4
    wave = torch.from_numpy(grating(height, width, down, across))[None, :, :, None].repeat(2, 1, 1, 3)
    radius = min(height, width) * math.hypot(down / height, across / width)
    torch.testing.assert_close(low_pass(wave, radius), wave, atol=1e-5, rtol=0)
    torch.testing.assert_close(low_pass(wave, radius - 0.01), torch.zeros_like(wave), atol=1e-5, rtol=0)
    torch.testing.assert_close(high_pass(wave, radius - 0.01), wave, atol=1e-5, rtol=0)
    torch.testing.assert_close(high_pass(wave, radius), torch.zeros_like(wave), atol=1e-5, rtol=0)


@given(height=sides, width=sides, radius=st.floats(0, 12), seed=st.integers(0, 9))
def test_a_filter_keeps_the_energy_of_its_disc(height: int, width: int, radius: float, seed: int) -> None:
    """Parseval's theorem, by numpy's transform of the whole plane."""
    image = np.random.default_rng(seed).uniform(0, 255, (height, width))
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    disc = np.hypot(rows, columns) * min(height, width) <= radius + 1e-9
    energy = (np.abs(np.fft.fft2(image)) ** 2)[disc].sum() / (height * width)
    low = low_pass(torch.from_numpy(image)[None, :, :, None], radius)
    assert float((low.double() ** 2).sum()) == pytest.approx(energy, rel=1e-4)


def test_both_filters_keep_the_mean_and_together_the_image() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 9, 12, 3), np.uint8))
    mean = images.float().mean((1, 2), keepdim=True)
    low, high = low_pass(images, 2), high_pass(images, 2)
    for filtered in (low, high):
        torch.testing.assert_close(filtered.mean((1, 2), keepdim=True), mean)
    torch.testing.assert_close(low + high - mean, images.float(), atol=1e-3, rtol=0)


def test_a_hybrid_has_the_low_frequencies_of_one_and_the_high_ones_of_the_other() -> None:
    one, other = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (2, 2, 16, 16, 1))).float()
    both = hybrid(one, other, 3)
    torch.testing.assert_close(low_pass(both, 3), low_pass(one, 3), atol=1e-3, rtol=0)
    torch.testing.assert_close(both - low_pass(both, 3), other - low_pass(other, 3), atol=1e-3, rtol=0)


def test_clipping_counts_what_it_changes() -> None:
    shown, count = clipped(torch.tensor([-3.0, -0.2, 0.0, 255.4, 256.0, 300.0]))
    assert shown.tolist() == [0, 0, 0, 255, 255, 255]
    assert count == 3


@given(height=sides, width=sides)
def test_a_basis_vector_is_one_frequency_and_its_mirror_image(height: int, width: int) -> None:
    frequencies = half_plane(height, width)
    basis = fourier_basis(frequencies, height, width).double().numpy()
    np.testing.assert_allclose((basis**2).sum((1, 2)), 1, rtol=1e-5)
    spectra = np.abs(np.fft.fft2(basis))
    for (down, across), spectrum in zip(frequencies, spectra, strict=True):
        found = {tuple(place) for place in np.argwhere(spectrum > 1e-3 * spectrum.max())}
        assert found == {(down, across), (-down % height, -across % width)}


@given(height=sides, width=sides, steps=st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_half_the_plane_and_its_mirror_image_are_the_plane(height: int, width: int, steps: tuple[int, int]) -> None:
    half = half_plane(height, width, steps)
    rows, columns = axis_frequencies(height, steps[0]), axis_frequencies(width, steps[1])
    plane = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    assert {tuple(one) for one in canonical(plane, height, width)} == {tuple(one) for one in half}
    mirrored = {tuple(-one % np.array([height, width])) for one in half}
    assert len({tuple(one) for one in half} & mirrored) == sum(
        tuple(-one % np.array([height, width])) == tuple(one) for one in half
    )


def test_waves_are_as_strong_in_images_of_any_size() -> None:
    """A norm of 4 on 32 x 32 pixels is a root mean square of 1/8 (Yin et al. 2019)."""
    for height, width in ((28, 28), (32, 32), (224, 224), (40, 12)):
        assert strength(4.0, height, width) / math.sqrt(height * width) == pytest.approx(1 / 8)


def test_large_images_have_a_coarser_grid() -> None:
    assert [grid_step(side) for side in (28, 32, 40, 64, 96, 224)] == [1, 1, 1, 4, 6, 14]
    assert len(frequencies_for(28, 28)) == 394
    assert len(frequencies_for(224, 224)) == (16 * 16 + 4) // 2
    assert axis_frequencies(224, 14)[[0, -1]].tolist() == [-112, 98]


@pytest.mark.parametrize(("height", "width"), [(4, 4), (28, 28), (32, 20), (224, 224)])
def test_a_sweep_rises_to_the_nyquist_frequency_and_passes_a_quarter_of_it(height: int, width: int) -> None:
    sweep = radii(height, width)
    assert list(sweep) == sorted(set(sweep))
    assert sweep[0] == 1
    assert sweep[-1] == nyquist(height, width)
    assert headline_radius(height, width) in sweep


@pytest.mark.parametrize(("side", "cycles", "channels"), [(16, 5, 1), (20, 4, 3)])
def test_a_network_that_is_a_filter_uses_its_own_frequency_alone(side: int, cycles: int, channels: int) -> None:
    result = frequency(detecting(side, cycles, channels, count=40), per_vector=40)
    for kind, passes in (("low-pass", lambda r: r >= cycles), ("high-pass", lambda r: r < cycles)):
        (curve,) = result.curves[kind]
        assert curve.y == tuple(1.0 if passes(radius) else 0.5 for radius in curve.x)
        assert all(low <= y <= high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True))
    wrong = result.arrays["fourier_error"]
    rows, columns = result.arrays["fourier_rows"], result.arrays["fourier_columns"]
    for down, across in np.argwhere(wrong > 0):
        assert (abs(rows[down]), columns[across]) == (cycles, 0)
    assert wrong.max() > 0
    assert result.estimates["accuracy"].value == 1


def test_every_image_meets_as_many_waves_and_every_wave_as_many_images() -> None:
    subject = detecting(12, 3, count=30)
    made = fourier_map(subject.classifier, subject.images, CPU, per_vector=10)
    met = ~np.isnan(made.wrong)
    assert set(met.sum(axis=0)) == {10}
    assert np.ptp(met.sum(axis=1)) <= 1
    again = fourier_map(subject.classifier, subject.images, CPU, per_vector=10)
    np.testing.assert_array_equal(made.wrong, again.wrong)
    whole = fourier_map(subject.classifier, subject.images, CPU, per_vector=30)
    assert not np.isnan(whole.wrong).any()


def test_the_map_is_its_own_mirror_image() -> None:
    subject = detecting(9, 2)
    plane = fourier_map(subject.classifier, subject.images, CPU).plane
    np.testing.assert_array_equal(plane, plane[::-1, ::-1])


def test_figures_are_means_of_single_images() -> None:
    result = frequency(detecting(12, 3))
    for name, estimate in result.estimates.items():
        assert np.nanmean(result.per_image[name]) == pytest.approx(estimate.value)
    low, high = (result.per_image[f"fourier_error_{part}"] for part in ("low", "high"))
    assert low.max() > high.max() == 0


def test_a_map_of_nothing_but_errors_says_so() -> None:
    subject = detecting(12, 3)
    wrong = ImageSet(subject.images.images, 1 - subject.images.labels, subject.classes)
    result = frequency(Subject("wrong", subject.classifier, wrong, CPU, "gratings", subject.classes), norm=0.5)
    assert result.notes[-1].startswith("Waves this strong upset nearly every answer: a norm below 0.5")
    assert not any("upset" in note for note in frequency(subject).notes)


def test_rows_without_numbers_have_no_mean() -> None:
    found = mean_known(np.array([[1.0, np.nan], [np.nan, np.nan]]))
    np.testing.assert_array_equal(found, [1, np.nan])


def test_the_network_and_the_random_numbers_of_torch_are_left_as_they_were() -> None:
    subject = detecting(8, 2)
    subject.classifier.train()
    before = torch.get_rng_state()
    subject.classifier.eval()
    done: list[tuple[int, int]] = []
    frequency(subject, lambda *ticks: done.append(ticks))
    assert torch.equal(before, torch.get_rng_state())
    assert not subject.classifier.training
    assert all(p.grad is None and p.requires_grad for p in subject.classifier.parameters())
    assert done[-1][0] == done[-1][1]
    assert all(one[0] <= after[0] for one, after in pairwise(done))


def test_what_does_not_fit_is_said() -> None:
    subject = detecting(8, 2)
    assert unfit(subject) == ""
    assert unfit(detecting(3, 1)).startswith("images of 3 x 3 have too few frequencies")
    others = Subject("net", subject.classifier, subject.images, CPU, "gratings", ("cat", "dog"))
    assert "not its classes" in unfit(others)
    features = Subject("net", subject.classifier, subject.images, CPU, "gratings", ())
    assert "features" in unfit(features)


def test_a_trained_run_is_analysed_and_drawn(small_run: Path) -> None:
    result = frequency(subject_of(small_run, limit=20), per_vector=4)
    assert json.loads(json.dumps(result.to_json()))["analysis"] == "frequency"
    assert result.arrays["fourier_error"].shape == (28, 28)
    assert any("394 waves" in note for note in result.notes)
    for results in ([result], [result, frequency(detecting(16, 5))]):
        charts = frequency_charts(results)
        assert list(charts) == ["Accuracy under filters", "Fourier heat map"]
        for chart in charts.values():
            chart.to_dict(validate=True)
    assert len(fourier_rows(result)) == 28 * 28


def test_charts_need_results() -> None:
    with pytest.raises(ValueError, match="at least one"):
        frequency_charts([])
    with pytest.raises(ValueError, match="at least one"):
        interval_lines([], "", "")


def test_ticks_of_frequencies_halve() -> None:
    assert frequency_ticks(112, 1) == (1.75, 3.5, 7, 14, 28, 56, 112)
    assert frequency_ticks(1, 0.25) == (0.25, 0.5, 1)
