"""Crops, mirror images, shifts and turns equal torchvision's pixels, and are drawn as torchvision draws them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F  # noqa: N812 - its usual name

from sightlab.augment.affine import Affine, draw_affine, resample
from sightlab.augment.chunks import to_device_of
from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.geometry import (
    crop_and_flip,
    cropped,
    draw_alternating_flip,
    draw_crop,
    draw_flip,
    draw_translation,
    translate,
)
from sightlab.augment.resized_crop import draw_resized_crop, resized_crop
from sightlab.errors import RecipeError
from tests.torchvisions import SHAPES, UNLIKELY, each, furthest, pictures
from tests.torchvisions import one_thread as one_thread

COUNT = 16
shapes = pytest.mark.parametrize("shape", [*SHAPES, (9, 6, 4)], ids=str)
MANY = CounterRNG(3, 4, np.arange(20_000))


def whole_numbers(low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=COUNT, max_size=COUNT)


@shapes
@pytest.mark.parametrize(("mode", "theirs"), [("black", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize("padding", [0, 2, 4])
def test_crop_and_flip_are_torchvisions(shape: tuple[int, int, int], mode: str, theirs: str, padding: int) -> None:
    images, rng = pictures(COUNT, *shape), CounterRNG(1, 2, np.arange(COUNT))
    corners, flipped = draw_crop(rng, padding), draw_flip(rng, 0.5)

    def one(image: Tensor, top: int, left: int, mirrored: bool) -> Tensor:
        part = F.crop(F.pad(image, [padding] * 4, padding_mode=theirs), top, left, *shape[:2])
        return F.horizontal_flip(part) if mirrored else part

    values = [torch.from_numpy(v) for v in (*corners, flipped)]
    expected = each(one, images, *(v.tolist() for v in values))
    assert torch.equal(crop_and_flip(images, padding, *values, mode), expected)
    # The same through the gather that other devices use.
    assert torch.equal(cropped(images, padding, *values, mode), expected)


@pytest.mark.parametrize(("padding", "mode"), [(6, "reflect"), (9, "reflect"), (1, "wrap")])
def test_a_frame_that_cannot_be_filled_is_refused_in_one_line(padding: int, mode: str) -> None:
    zero = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(RecipeError, match="reflect at most 5" if mode == "reflect" else "black and reflect work"):
        crop_and_flip(pictures(2, 8, 6, 1), padding, zero, zero, zero.bool(), mode)


def test_crop_corners_are_uniform() -> None:
    for corner in draw_crop(MANY, 4):
        assert stats.chisquare(np.bincount(corner, minlength=9)).pvalue > UNLIKELY


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_flips_have_their_probability(probability: float) -> None:
    assert stats.binomtest(int(draw_flip(MANY, probability).sum()), 20_000, probability).pvalue > UNLIKELY
    assert not draw_flip(MANY, 0.0).any() and draw_flip(MANY, 1.0).all()


def test_alternating_flips_show_both_sides_in_any_two_epochs_in_a_row() -> None:
    epochs = [draw_alternating_flip(CounterRNG(3, epoch, MANY.index)) for epoch in range(1, 6)]
    for one, next_one in itertools.pairwise(epochs):
        assert (one != next_one).all()
    assert stats.binomtest(int(epochs[0].sum()), 20_000, 0.5).pvalue > UNLIKELY


@shapes
@settings(max_examples=5, deadline=None)
@given(across=whole_numbers(-6, 6), down=whole_numbers(-6, 6))
def test_a_shift_is_torchvisions(shape: tuple[int, int, int], across: list[int], down: list[int]) -> None:
    images = pictures(COUNT, *shape)
    expected = each(lambda x, a, d: F.affine(x, 0.0, [a, d], 1.0, [0.0, 0.0]), images, across, down)
    assert torch.equal(translate(images, torch.tensor(across), torch.tensor(down), 6), expected)


def test_shifts_are_drawn_as_random_affine_draws_them() -> None:
    # RandomAffine rounds a uniform number: the outermost shifts have half the others' probability.
    expected = np.array([0.5, 1, 1, 1, 1, 1, 0.5]) / 6 * 20_000
    for shift in draw_translation(MANY, 3):
        assert stats.chisquare(np.bincount(shift + 3, minlength=7), expected).pvalue > UNLIKELY
    theirs = v2.RandomAffine(0, translate=(3 / 32, 3 / 32))
    torch.manual_seed(0)
    drawn = [theirs.make_params([torch.zeros(1, 32, 32)])["translate"][0] for _ in range(3000)]
    table = [np.bincount(np.array(drawn) + 3, minlength=7), np.bincount(draw_translation(MANY, 3)[0] + 3, minlength=7)]
    assert stats.chi2_contingency(np.array(table)).pvalue > UNLIKELY


changes = st.builds(
    dict,
    angle=st.floats(-180, 180),
    across=st.floats(-5, 5),
    down=st.floats(-5, 5),
    scale=st.floats(0.5, 2),
    shear_x=st.floats(-40, 40),
    shear_y=st.floats(-40, 40),
)


def by_torchvision(
    image: Tensor, change: dict[str, float], mode: InterpolationMode, nudge: tuple[float, float]
) -> Tensor:
    shift = [change["across"] + nudge[0], change["down"] + nudge[1]]
    shear = [change["shear_x"], change["shear_y"]]
    return F.affine(image, change["angle"], shift, change["scale"], shear, mode)  # type: ignore[arg-type]


def ours(images: Tensor, rows: list[dict[str, float]], interpolation: str) -> Tensor:
    values = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return resample(images, to_device_of(Affine(**values).sources(len(rows)), images), interpolation)


@shapes
@settings(max_examples=5, deadline=None)
@given(rows=st.lists(changes, min_size=COUNT, max_size=COUNT))
def test_nearest_is_torchvisions_but_on_the_line_between_two_pixels(
    shape: tuple[int, int, int], rows: list[dict[str, float]]
) -> None:
    images = pictures(COUNT, *shape)
    result = ours(images, rows, "nearest")
    # A pixel must be torchvision's, or torchvision's after a shift of at most 0.001 pixel in the source.
    allowed = torch.zeros_like(result, dtype=torch.bool)
    for nudge in itertools.product((0, -1, 1), repeat=2):
        sizes = [tuple(0.0005 * n * row["scale"] for n in nudge) for row in rows]
        modes = [InterpolationMode.NEAREST] * COUNT
        allowed |= result == each(by_torchvision, images, rows, modes, sizes)
    assert allowed.all()


@shapes
@settings(max_examples=5, deadline=None)
@given(rows=st.lists(changes, min_size=COUNT, max_size=COUNT))
def test_bilinear_is_torchvisions_to_1_grey_level(shape: tuple[int, int, int], rows: list[dict[str, float]]) -> None:
    images = pictures(COUNT, *shape)
    modes = [InterpolationMode.BILINEAR] * COUNT
    expected = each(by_torchvision, images, rows, modes, [(0.0, 0.0)] * COUNT)
    assert furthest(ours(images, rows, "bilinear"), expected) <= 1


# Where height and width differ by an odd number, a right angle puts every place on the line between two pixels.
@pytest.mark.parametrize(
    ("shape", "degrees"),
    [
        (shape, degrees)
        for shape in [*SHAPES, (9, 6, 4)]
        for degrees in (-133.1, -90.0, -7.3, 0.0, 31.7, 90.0, 180.0)
        if degrees % 180 != 90 or (shape[0] - shape[1]) % 2 == 0
    ],
    ids=str,
)
def test_a_turn_is_torchvisions_rotate(shape: tuple[int, int, int], degrees: float) -> None:
    images = pictures(COUNT, *shape)
    turned = resample(images, to_device_of(Affine(angle=-degrees).sources(COUNT), images))
    differs = turned != each(lambda x: F.rotate(x, degrees), images)
    assert float(differs.float().mean()) < 0.002


def test_affine_numbers_are_drawn_from_random_affines_ranges() -> None:
    drawn = draw_affine(MANY, degrees=15, scale=0.2, shear=10)
    for values, (low, high) in ((drawn.angle, (-15, 15)), (drawn.scale, (0.8, 1.2)), (drawn.shear_x, (-10, 10))):
        assert stats.kstest(values, "uniform", args=(low, high - low)).pvalue > UNLIKELY
    for one, other in itertools.combinations((drawn.angle, drawn.scale, drawn.shear_x), 2):
        assert stats.chi2_contingency(np.histogram2d(one, other, bins=8)[0]).pvalue > UNLIKELY


boxes_in = st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=COUNT, max_size=COUNT)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [None, (12, 20), (40, 9)], ids=str)
@settings(max_examples=6, deadline=None)
@given(chunks=boxes_in)
def test_a_resized_crop_is_torchvisions_to_1_grey_level(
    shape: tuple[int, int, int], size: tuple[int, int] | None, chunks: list[tuple[float, ...]]
) -> None:
    height, width, _ = shape
    size = size or (height, width)
    rows = []
    for a, b, c, d in chunks:
        tall, wide = 1 + int(a * (height - 1)), 1 + int(b * (width - 1))
        rows.append([int(c * (height - tall)), int(d * (width - wide)), tall, wide])
    images = pictures(COUNT, *shape)
    expected = each(lambda x, box: F.resized_crop(x, *box, size=list(size), antialias=True), images, rows)
    assert furthest(resized_crop(images, torch.tensor(rows), *size), expected) <= 1


def test_a_resized_crop_of_the_whole_image_is_the_image() -> None:
    images = pictures(COUNT, 17, 23, 3)
    assert torch.equal(resized_crop(images, torch.tensor([[0, 0, 17, 23]] * COUNT), 17, 23), images)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (17, 40)])
def test_resized_crops_are_drawn_as_torchvision_draws_them(height: int, width: int) -> None:
    boxes = draw_resized_crop(MANY, height, width)
    top, left, tall, wide = boxes.T
    assert (top >= 0).all() and (left >= 0).all() and (top + tall <= height).all() and (left + wide <= width).all()
    theirs, image = v2.RandomResizedCrop((height, width)), [torch.zeros(1, height, width)]
    torch.manual_seed(0)
    drawn = [theirs.make_params(image) for _ in range(4000)]
    for column, key in zip(boxes.T, ("top", "left", "height", "width"), strict=True):
        assert stats.ks_2samp(column, [row[key] for row in drawn]).pvalue > UNLIKELY


@pytest.mark.parametrize(("height", "width"), [(100, 5), (5, 100), (8, 9)])
def test_a_resized_crop_that_never_fits_is_the_centre_as_torchvision_takes_it(height: int, width: int) -> None:
    # Ten times the image's area cannot fit, so every try fails.
    theirs = v2.RandomResizedCrop((height, width), scale=(10, 11))
    expected = theirs.make_params([torch.zeros(1, height, width)])
    boxes = draw_resized_crop(CounterRNG(1, 1, np.arange(3)), height, width, scale=(10, 11))
    assert boxes.tolist() == [[expected[key] for key in ("top", "left", "height", "width")]] * 3
