"""Policies do what torchvision's do: the same operations in pixels, the same choices in distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from sightlab.augment import policies
from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.policies import GEOMETRIC, NUMBER, OPERATIONS, magnitudes_of
from sightlab.errors import RecipeError
from tests.torchvisions import SHAPES, UNLIKELY, each, furthest, pictures
from tests.torchvisions import one_thread as one_thread

MANY = CounterRNG(3, 4, np.arange(20_000))
THEIRS = {
    "cifar10": v2.AutoAugmentPolicy.CIFAR10,
    "svhn": v2.AutoAugmentPolicy.SVHN,
    "imagenet": v2.AutoAugmentPolicy.IMAGENET,
}
SPACES = [(v2.AutoAugment(), 10, False), (v2.RandAugment(), 31, False), (v2.TrivialAugmentWide(), 31, True)]
LEVELS = {"Contrast": 1, "Color": 1, "Sharpness": 1}


@pytest.mark.parametrize(("theirs", "bins", "wide"), SPACES, ids=["autoaugment", "randaugment", "trivialaugment"])
@pytest.mark.parametrize("size", [(28, 28), (32, 32), (17, 23), (224, 160)], ids=str)
def test_magnitudes_are_torchvisions(theirs: v2.Transform, bins: int, wide: bool, size: tuple[int, int]) -> None:
    ours = magnitudes_of(bins, *size, wide)
    for name, (magnitudes, signed) in theirs._AUGMENTATION_SPACE.items():
        expected = magnitudes(bins, *size)
        assert ours[NUMBER[name]].tolist() == ([0.0] * bins if expected is None else expected.tolist())
        assert bool(policies.SIGNED[NUMBER[name]]) == signed


def test_the_random_policies_choose_from_torchvisions_operations() -> None:
    for theirs, *_ in SPACES[1:]:
        assert set(OPERATIONS[: policies.INVERT]) == set(theirs._AUGMENTATION_SPACE)


@pytest.mark.parametrize("policy", THEIRS)
def test_sub_policies_are_torchvisions(policy: str) -> None:
    operations, probabilities, bins = policies.autoaugment_table(policy)
    rows = zip(operations.tolist(), probabilities.tolist(), bins.tolist(), strict=True)
    ours = [[(OPERATIONS[o], p, b) for o, p, b in zip(*row, strict=True)] for row in rows]
    assert ours == [[(name, p, b or 0) for name, p, b in row] for row in v2.AutoAugment(THEIRS[policy])._policies]


def by_torchvision(image: Tensor, steps: list[str], magnitudes: list[float]) -> Tensor:
    for name, magnitude in zip(steps, magnitudes, strict=True):
        image = v2.AutoAugment()._apply_image_or_video_transform(
            image, name, magnitude, interpolation=InterpolationMode.NEAREST, fill={}
        )
    return image


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("wide", [False, True], ids=["usual", "wide"])
def test_each_operation_is_torchvisions_at_every_magnitude(shape: tuple[int, int, int], name: str, wide: bool) -> None:
    table = magnitudes_of(31, *shape[:2], wide)[NUMBER[name]]
    magnitudes = np.concatenate((table, -table if policies.SIGNED[NUMBER[name]] else table[:0]))
    images = pictures(len(magnitudes), *shape)
    ours = policies.apply(images, (np.full((len(images), 1), NUMBER[name]), magnitudes[:, None]))
    names, sizes = [[name]] * len(images), magnitudes[:, None].tolist()
    if name in GEOMETRIC:
        # Torchvision's own rounding decides where a place is on the line between two pixels: with a slope of 0.2,
        # whole rows. Everywhere else the pixels are equal.
        expected = each(by_torchvision, images, names, sizes)
        slopes = [[m * (1 + e) for m in row] for row in sizes for e in (-1e-5, 1e-5)]
        nudged = each(by_torchvision, images.repeat_interleave(2, 0), [[name]] * len(slopes), slopes)
        allowed = (ours == expected) | (ours == nudged[::2]) | (ours == nudged[1::2])
        assert allowed.float().mean() > 0.9995 and (ours == expected).float().mean() > 0.98
    else:
        assert furthest(ours, each(by_torchvision, images, names, sizes)) <= LEVELS.get(name, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", THEIRS)
def test_a_mixed_batch_is_each_image_through_its_own_steps(policy: str, channels: int) -> None:
    images = pictures(128, 32, 32, channels)
    steps = policies.draw_autoaugment(CounterRNG(1, 2, np.arange(128)), policy, 32, 32)
    names = [[OPERATIONS[number] for number in row] for row in steps[0]]
    expected = each(by_torchvision, images, names, steps[1].tolist())
    ours = policies.apply(images, steps)
    # A first step that may be a level or a row off changes what the second sees; whole images stay rare.
    differing = (ours != expected).flatten(1).float().mean(1)
    assert (differing == 0).float().mean() > 0.8 and differing.mean() < 0.01


def test_a_policy_leaves_its_input_alone_and_refuses_other_channels() -> None:
    images = pictures(32, 16, 16, 3)
    before = images.clone()
    policies.apply(images, policies.draw_trivialaugment(CounterRNG(1, 2, np.arange(32)), 16, 16))
    assert torch.equal(images, before)
    with pytest.raises(RecipeError, match="these have 4 channels"):
        policies.apply(pictures(2, 8, 8, 4), policies.draw_trivialaugment(CounterRNG(1, 2, np.arange(2)), 8, 8))


def likely(counts: dict[tuple[int, float], float], steps: np.ndarray, magnitudes: np.ndarray) -> bool:
    """Whether pairs of operation and magnitude come as often as expected: shares by pair, adding up to 1."""
    keys, seen = np.unique(np.stack((steps, magnitudes), axis=1), axis=0, return_counts=True)
    found = {(int(step), float(size)): int(n) for (step, size), n in zip(keys, seen, strict=True)}
    assert set(found) <= set(counts)
    expected = [counts[key] * len(steps) for key in sorted(counts)]
    return bool(stats.chisquare([found.get(key, 0) for key in sorted(counts)], expected).pvalue > UNLIKELY)


@pytest.mark.parametrize("policy", THEIRS)
@pytest.mark.parametrize("step", [0, 1])
def test_autoaugment_draws_its_steps_with_their_probabilities(policy: str, step: int) -> None:
    operations, probabilities, bins = (table[:, step] for table in policies.autoaugment_table(policy))
    shares: dict[tuple[int, float], float] = {}
    for number, probability, place in zip(operations, probabilities, bins, strict=True):
        size = magnitudes_of(10, 32, 32, False)[number, place]
        ends = (-size, size) if policies.SIGNED[number] else (size,)
        for end in ends:
            shares[int(number), float(end)] = shares.get((int(number), float(end)), 0) + probability / len(ends) / 25
        shares[policies.IDENTITY, 0.0] = shares.get((policies.IDENTITY, 0.0), 0) + (1 - probability) / 25
    shares = {key: share for key, share in shares.items() if share}
    steps, magnitudes = policies.draw_autoaugment(MANY, policy, 32, 32)
    assert likely(shares, steps[:, step], magnitudes[:, step] + 0.0)


def test_randaugment_draws_every_operation_at_its_magnitude() -> None:
    shares: dict[tuple[int, float], float] = {}
    for number in range(14):
        size = float(magnitudes_of(31, 32, 32, False)[number, 9])
        for end in (-size, size) if policies.SIGNED[number] else (size,):
            shares[number, end] = 1 / 14 / (2 if policies.SIGNED[number] else 1)
    steps, magnitudes = policies.draw_randaugment(MANY, 3, 9, 32, 32)
    assert steps.shape == magnitudes.shape == (20_000, 3)
    for step in range(3):
        assert likely(shares, steps[:, step], magnitudes[:, step])
    assert policies.draw_randaugment(MANY, 0, 9, 32, 32)[0].shape == (20_000, 0)


def test_trivialaugment_draws_every_operation_at_every_magnitude() -> None:
    shares: dict[tuple[int, float], float] = {}
    for number in range(14):
        for size in magnitudes_of(31, 32, 32, True)[number]:
            ends = (-size, size) if policies.SIGNED[number] else (size,)
            for end in ends:
                key = (number, float(end) + 0.0)
                shares[key] = shares.get(key, 0) + 1 / 14 / 31 / len(ends)
    steps, magnitudes = policies.draw_trivialaugment(MANY, 32, 32)
    assert likely(shares, steps[:, 0], magnitudes[:, 0] + 0.0)


def test_an_unknown_policy_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RecipeError, match="did you mean cifar10"):
        policies.draw_autoaugment(MANY, "cifar-10", 32, 32)
