"""Erased rectangles and mixed pairs: torchvision's pixels and distributions, the papers' formulas, fixed partners."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F  # noqa: N812 - its usual name

from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.mix import (
    beta,
    cutmix,
    draw_cutmix,
    draw_erasing,
    draw_noise,
    erase,
    mixup,
    soft_targets,
    with_partners,
)
from sightlab.augment.pipeline import mixing
from sightlab.errors import RecipeError
from tests.torchvisions import SHAPES, UNLIKELY, each, pictures
from tests.torchvisions import one_thread as one_thread

MANY = CounterRNG(3, 4, np.arange(20_000))
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def boxes_for(count: int, height: int, width: int) -> Tensor:
    """A third of the boxes empty, the rest of any size at any place."""
    boxes = draw_erasing(CounterRNG(1, 2, np.arange(count)), 0.7, height, width)
    return torch.from_numpy(boxes)


@shapes
def test_black_and_noise_are_erased_as_torchvision_erases(shape: tuple[int, int, int]) -> None:
    images, noise, boxes = pictures(24, *shape), pictures(24, *shape, seed=1), boxes_for(24, *shape[:2])
    black = torch.zeros(1, 1, 1, dtype=torch.uint8)
    assert torch.equal(erase(images, boxes), each(lambda x, b: F.erase(x, *b, black), images, boxes.tolist()))

    def noisy(image: Tensor, box: list[int], values: Tensor) -> Tensor:
        i, j, h, w = box
        return F.erase(image, i, j, h, w, values.permute(2, 0, 1)[:, i : i + h, j : j + w])

    assert torch.equal(erase(images, boxes, noise), each(noisy, images, boxes.tolist(), noise))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 45)])
@pytest.mark.parametrize("ratio", [(0.3, 3.3), (0.2, 0.6)], ids=str)
def test_erased_boxes_are_drawn_as_torchvision_draws_them(height: int, width: int, ratio: tuple[float, float]) -> None:
    boxes = draw_erasing(MANY, 1.0, height, width, ratio=ratio)
    theirs, image = v2.RandomErasing(p=1, ratio=ratio), [torch.zeros(1, height, width)]
    torch.manual_seed(0)
    drawn = [theirs.make_params(image) for _ in range(4000)]
    for column, key in zip(boxes.T, "ijhw", strict=True):
        assert stats.ks_2samp(column, [row[key] for row in drawn]).pvalue > UNLIKELY


def test_erasing_has_its_probability_and_nothing_is_erased_where_no_box_fits() -> None:
    erased = draw_erasing(MANY, 0.25, 32, 32)[:, 2] > 0
    assert stats.binomtest(int(erased.sum()), 20_000, 0.25).pvalue > UNLIKELY
    assert not draw_erasing(MANY, 1.0, 32, 32, scale=(1.0, 1.0), ratio=(1.0, 1.0)).any()


def test_noise_is_uniform_and_a_samples_own() -> None:
    noise = draw_noise(MANY, np.arange(100), 9, 7, 3)
    assert noise.shape == (100, 9, 7, 3) and noise.dtype == np.uint8
    assert stats.chisquare(np.bincount(noise.ravel(), minlength=256)).pvalue > UNLIKELY
    assert (draw_noise(MANY, np.array([70, 3]), 9, 7, 3) == noise[[70, 3]]).all()


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 2.0, 8.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    shares = beta(MANY.uniform("any", 2), alpha)
    assert shares.min() >= 0 and shares.max() <= 1
    # Both halves on their own: Beta(0.1, 0.1) piles up nearer to 1 than float64 can tell from 1, but not so near 0.
    small, large = shares[shares < 0.5], shares[shares >= 0.5]
    assert stats.binomtest(len(small), 20_000, 0.5).pvalue > UNLIKELY
    assert stats.kstest(small, lambda x: 2 * stats.beta(alpha, alpha).cdf(x)).pvalue > UNLIKELY
    if alpha > 0.1:
        assert stats.kstest(1 - large, lambda x: 2 * stats.beta(alpha, alpha).cdf(x)).pvalue > UNLIKELY


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 100.0])
def test_shares_are_numbers_at_the_ends_of_the_uniform_ones(alpha: float) -> None:
    last = 1 - 2.0**-53
    shares = beta(np.array([[0.0, 0.0], [0.0, last], [last, 0.0], [last, 0.5], [last, 0.25]]), alpha)
    assert np.isfinite(shares).all() and (shares >= 0).all() and (shares <= 1).all()
    assert shares[0] == shares[1] == 0.5 and shares[2] > 0.5 > shares[3]


def test_mixup_is_the_papers_sum() -> None:
    images, partners = pictures(8, 9, 7, 3).float(), pictures(8, 9, 7, 3, seed=1).float()
    shares = torch.linspace(0, 1, 8)
    expected = [float(s) * x + (1 - float(s)) * y for s, x, y in zip(shares, images, partners, strict=True)]
    assert torch.allclose(mixup(images, partners, shares), torch.stack(expected), atol=1e-4)
    assert torch.equal(mixup(images, partners, torch.ones(8)), images)


@shapes
def test_cutmix_pastes_the_partners_pixels(shape: tuple[int, int, int]) -> None:
    images, partners, boxes = pictures(24, *shape), pictures(24, *shape, seed=1), boxes_for(24, *shape[:2])
    expected = images.clone()
    for place, (top, left, tall, wide) in enumerate(boxes.tolist()):
        part = (place, slice(top, top + tall), slice(left, left + wide))
        expected[part] = partners[part]
    assert torch.equal(cutmix(images, partners, boxes), expected)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (17, 40)])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_cutmix_boxes_are_drawn_as_torchvision_draws_them(height: int, width: int, alpha: float) -> None:
    boxes, shares = draw_cutmix(MANY.uniform("any", 4), alpha, height, width)
    assert np.allclose(shares, 1 - boxes[:, 2] * boxes[:, 3] / (height * width))
    theirs, image = v2.CutMix(alpha=alpha, num_classes=2), [torch.zeros(4, 1, height, width)]
    torch.manual_seed(0)
    drawn = [theirs.make_params(image) for _ in range(4000)]
    assert stats.ks_2samp(shares, [row["lam_adjusted"] for row in drawn]).pvalue > UNLIKELY
    corners = np.array([row["box"] for row in drawn])
    top, left, tall, wide = boxes.T
    for column, their in zip((left, top, left + wide, top + tall), corners.T, strict=True):
        assert stats.ks_2samp(column, their).pvalue > UNLIKELY


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.floats(0, 1, width=32)), min_size=1, max_size=9))
def test_soft_targets_are_the_shares_of_both_labels(rows: list[tuple[int, int, float]]) -> None:
    labels, partners, shares = (torch.tensor(column) for column in zip(*rows, strict=True))
    targets = soft_targets(labels, partners, shares, 5)
    assert targets.dtype == torch.float32
    expected = np.zeros((len(rows), 5))
    for place, (label, partner, share) in enumerate(rows):
        expected[place, label] += share
        expected[place, partner] += 1 - share
    assert np.allclose(targets.numpy(), expected, atol=1e-6)


SETTINGS = [
    {"mixup": 0.2},
    {"cutmix": 1.0},
    {"mixup": 0.8, "cutmix": 1.0},
    {"mixup": 1.0, "cutmix": 1.0, "probability": 0.5},
]


@pytest.mark.parametrize("asked", SETTINGS, ids=str)
@pytest.mark.parametrize("count", [12, 13, 2, 1])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_of_a_batch_mix_as_the_whole_batch_does(asked: dict[str, float], count: int, processes: int) -> None:
    mix, split, labels = mixing(**asked), pictures(64, 8, 9, 3), torch.arange(64) % 5
    places = np.random.default_rng(7).permutation(64)[:count]

    def part(start: int, stop: int) -> tuple[Tensor, Tensor]:
        needed = torch.from_numpy(with_partners(places, start, stop))
        x, y = split[needed], labels[needed]
        return mix(x[1:], y[1:], x[:-1], y[:-1], 5, CounterRNG(1, 2, places[start:stop]))

    # The pairs themselves, from torch's roll.
    whole = torch.from_numpy(places)
    x, y = split[whole], labels[whole]
    expected = mix(x, y, x.roll(1, 0), y.roll(1, 0), 5, CounterRNG(1, 2, places))
    bounds = [count * process // processes for process in range(processes + 1)]
    parts = [part(start, stop) for start, stop in pairwise(bounds) if stop > start]
    for ours, theirs in zip(map(torch.cat, zip(*parts, strict=True)), expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("asked", SETTINGS, ids=str)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_target_says_how_much_of_an_image_is_whose(asked: dict[str, float], seed: int) -> None:
    # White images mixed with black ones: the mean level is the share of the white label.
    white = torch.full((32, 16, 16, 1), 255, dtype=torch.uint8)
    ones = torch.ones(32, dtype=torch.int64)
    images, targets = mixing(**asked)(white, ones, 0 * white, 0 * ones, 2, CounterRNG(seed, 1, np.arange(32)))
    assert images.dtype == (torch.float32 if "mixup" in asked else torch.uint8)
    assert torch.allclose(images.float().mean((1, 2, 3)) / 255, targets[:, 1], atol=1e-5)
    assert torch.allclose(targets.sum(1), torch.ones(32))


def test_kinds_of_mixing_and_their_probability_are_as_asked() -> None:
    white, ones = torch.full((4000, 8, 8, 1), 255, dtype=torch.uint8), torch.ones(4000, dtype=torch.int64)
    rng = CounterRNG(1, 1, np.arange(4000))
    images, _ = mixing(mixup=1.0, cutmix=1.0, probability=0.6)(white, ones, 0 * white, 0 * ones, 2, rng)
    # Beta(1, 1) mixes to a grey level inside the range, CutMix only to its ends.
    blended = ((images > 0) & (images < 255)).flatten(1).any(1)
    assert stats.binomtest(int(blended.sum()), 4000, 0.3).pvalue > UNLIKELY


@pytest.mark.parametrize("asked", [{"mixup": -1.0}, {"cutmix": -0.1}, {"mixup": 1.0, "probability": 1.5}], ids=str)
def test_mixing_that_cannot_be_is_refused_in_one_line(asked: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="use alphas from 0, a probability from 0 to 1"):
        mixing(**asked)
