"""Changes of colour equal torchvision's pixels, and are drawn as torchvision draws them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torchvision.transforms.v2 import functional as F  # noqa: N812 - its usual name

from sightlab.augment import colour
from sightlab.augment.counter_rng import CounterRNG
from sightlab.errors import RecipeError
from tests.torchvisions import SHAPES, UNLIKELY, each, furthest, pictures
from tests.torchvisions import one_thread as one_thread

COUNT = 16
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def numbers(low: float, high: float) -> st.SearchStrategy[list[float]]:
    """One parameter a sample, of those that float32 holds: torchvision takes doubles but computes in float32."""
    return st.lists(st.floats(low, high, width=32), min_size=COUNT, max_size=COUNT)


@shapes
@pytest.mark.parametrize(
    ("ours", "theirs", "levels"),
    [
        (colour.brightness, F.adjust_brightness, 0),
        (colour.contrast, F.adjust_contrast, 1),
        (colour.saturation, F.adjust_saturation, 1),
        (colour.sharpness, F.adjust_sharpness, 1),
    ],
    ids=["brightness", "contrast", "saturation", "sharpness"],
)
@settings(max_examples=5, deadline=None)
@given(factors=numbers(0, 3))
def test_a_factors_change_is_torchvisions(
    shape: tuple[int, int, int],
    ours: Callable[..., Tensor],
    theirs: Callable[..., Tensor],
    levels: int,
    factors: list[float],
) -> None:
    images = pictures(COUNT, *shape)
    assert furthest(ours(images, torch.tensor(factors)), each(theirs, images, factors)) <= levels


@shapes
@settings(max_examples=5, deadline=None)
@given(shifts=numbers(-0.5, 0.5))
def test_hue_is_torchvisions_to_1_grey_level(shape: tuple[int, int, int], shifts: list[float]) -> None:
    images = pictures(COUNT, *shape)
    assert furthest(colour.hue(images, torch.tensor(shifts)), each(F.adjust_hue, images, shifts)) <= 1


@pytest.mark.parametrize("name", ["contrast", "saturation", "sharpness", "hue"])
def test_where_1_grey_level_is_allowed_it_is_rare(name: str) -> None:
    images = torch.randint(0, 256, (64, 32, 32, 3), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    factors = np.linspace(0.01, 0.5 if name == "hue" else 2, 64).astype(np.float32)
    theirs = each(getattr(F, f"adjust_{name}"), images, factors.tolist())
    ours = getattr(colour, name)(images, torch.from_numpy(factors))
    assert float((ours != theirs).float().mean()) < 1e-3


@shapes
def test_posterize_is_torchvisions(shape: tuple[int, int, int]) -> None:
    images, bits = pictures(COUNT, *shape), [place % 9 for place in range(COUNT)]
    assert torch.equal(colour.posterize(images, torch.tensor(bits)), each(F.posterize, images, bits))


@shapes
@settings(max_examples=5, deadline=None)
@given(thresholds=numbers(0, 255))
def test_solarize_is_torchvisions(shape: tuple[int, int, int], thresholds: list[float]) -> None:
    images = pictures(COUNT, *shape)
    assert torch.equal(colour.solarize(images, torch.tensor(thresholds)), each(F.solarize, images, thresholds))


@shapes
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(colour.autocontrast, F.autocontrast), (colour.equalize, F.equalize), (colour.invert, F.invert)],
    ids=["autocontrast", "equalize", "invert"],
)
def test_a_change_without_parameters_is_torchvisions(
    shape: tuple[int, int, int], ours: Callable[..., Tensor], theirs: Callable[..., Tensor]
) -> None:
    images = pictures(80, *shape)
    assert torch.equal(ours(images), each(theirs, images))


def test_equalize_is_exact_for_every_number_of_pixels_outside_the_brightest_level() -> None:
    # 0 to 1,023 dark pixels: the rule's quotients pass every boundary of its step.
    images = torch.full((1024, 32, 32, 1), 200, dtype=torch.uint8)
    for dark in range(1024):
        images[dark].view(-1)[:dark] = torch.arange(dark, dtype=torch.int32).remainder(150).to(torch.uint8)
    assert torch.equal(colour.equalize(images), each(F.equalize, images))


@shapes
def test_greyscale_is_torchvisions_to_1_grey_level(shape: tuple[int, int, int]) -> None:
    images = pictures(COUNT, *shape)
    assert furthest(colour.greyscale(images), each(lambda x: F.rgb_to_grayscale(x, shape[2]), images)) <= 1


def test_greyscale_differs_from_torchvision_in_3_of_all_colours() -> None:
    red, green = torch.meshgrid(*[torch.arange(256, dtype=torch.uint8)] * 2, indexing="ij")
    differing = 0
    for blue in range(256):
        every = torch.stack((red, green, torch.full_like(red, blue)), dim=2).unsqueeze(0)
        differing += int((colour.greyscale(every)[..., 0] != each(F.rgb_to_grayscale, every)[..., 0]).sum())
    assert differing <= 3


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("change", [colour.contrast, colour.saturation, colour.hue], ids=lambda f: f.__name__)
def test_changes_of_colour_refuse_other_channels_in_one_line(channels: int, change: Callable[..., Tensor]) -> None:
    with pytest.raises(RecipeError, match=f"these have {channels} channels"):
        change(pictures(2, 8, 8, channels), torch.zeros(2))


@pytest.mark.parametrize("channels", [2, 5])
def test_changes_of_one_level_at_a_time_take_any_channels(channels: int) -> None:
    images = pictures(4, 9, 7, channels)
    by_channel = torch.cat([colour.equalize(images[..., c : c + 1]) for c in range(channels)], dim=3)
    assert torch.equal(colour.equalize(images), by_channel)


@shapes
def test_colour_jitter_is_torchvisions_in_each_samples_order(shape: tuple[int, int, int]) -> None:
    images, rng = pictures(48, *shape), CounterRNG(1, 2, np.arange(48))
    factors, order = colour.draw_colour_jitter(rng, 0.4, 0.4, 0.4, 0.1)
    theirs = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)

    def one(image: Tensor, values: np.ndarray, steps: np.ndarray) -> Tensor:
        for step in steps:
            image = theirs[step](image, float(np.float32(values[step])))
        return image

    apart = (colour.colour_jitter(images, factors, order).int() - each(one, images, factors, order).int()).abs()
    # A level that differs after one step is stretched by the steps after it.
    assert apart.max() <= 4 and float((apart > 0).float().mean()) < 2e-3


def test_colour_jitter_factors_are_drawn_from_torchvisions_ranges() -> None:
    rng = CounterRNG(5, 6, np.arange(20_000))
    factors, order = colour.draw_colour_jitter(rng, 0.4, 1.5, 0.2, 0.1)
    for column, (low, high) in zip(factors.T, [(0.6, 1.4), (0.0, 2.5), (0.8, 1.2), (-0.1, 0.1)], strict=True):
        assert stats.kstest(column, "uniform", args=(low, high - low)).pvalue > UNLIKELY
    orders = np.unique(order @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(orders) == 24 and stats.chisquare(orders).pvalue > UNLIKELY
    for kind, column in enumerate(factors.T):
        first = order[:, 0] == kind
        assert stats.ks_2samp(column[first], column[~first]).pvalue > UNLIKELY


def test_a_jitter_of_0_leaves_its_change_out() -> None:
    images, rng = pictures(8, 12, 12, 3), CounterRNG(1, 1, np.arange(8))
    assert torch.equal(colour.colour_jitter(images, *colour.draw_colour_jitter(rng, 0, 0, 0, 0)), images)
