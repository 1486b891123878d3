"""The axes of arrays of pictures, in whatever order: upright, channels last, or refused with the words that choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.data.formats.array_shapes import as_pictures
from sightlab.errors import DataError
from tests.array_files import COLOUR, GREY, LABELS, fault, parts_of, save, smooth

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_first_are_put_last(channels: int) -> None:
    last = GENERATOR.integers(0, 256, (2, 6, 5, channels), dtype=np.uint8)
    np.testing.assert_array_equal(as_pictures("a", np.moveaxis(last, 3, 1), 2), last)


def test_three_pixels_high_colour_pictures_are_left_as_they_are() -> None:
    images = GENERATOR.integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(as_pictures("a", images, 2), images)


def test_the_axis_of_as_many_as_there_are_labels_is_the_pictures() -> None:
    np.testing.assert_array_equal(as_pictures("a", np.moveaxis(COLOUR, 0, 3), 6), COLOUR)  # MATLAB's [H, W, C, N]
    np.testing.assert_array_equal(as_pictures("a", np.moveaxis(GREY, 0, 2), 6)[..., 0], GREY)
    flat = np.arange(3 * 16, dtype=np.uint8).reshape(3, 16)
    np.testing.assert_array_equal(as_pictures("a", flat.T, 3), flat.reshape(3, 4, 4, 1))
    with pytest.raises(DataError, match=r"\[6, 5, 4, 3\], and there are 7 labels; each image needs one"):
        as_pictures("a", COLOUR, 7)


def test_bands_are_the_axis_beside_two_equal_sides() -> None:
    bands = GENERATOR.integers(0, 256, (2, 8, 8, 13), dtype=np.uint8)
    np.testing.assert_array_equal(as_pictures("a", bands, 2), bands)
    np.testing.assert_array_equal(as_pictures("a", np.moveaxis(bands, 3, 1), 2), bands)
    odd = GENERATOR.integers(0, 256, (2, 8, 7, 13), dtype=np.uint8)
    with pytest.raises(DataError, match="say `shape=8x7x13`"):
        as_pictures("a", odd, 2)
    np.testing.assert_array_equal(as_pictures("a", odd, 2, (8, 7, 13)), odd)
    np.testing.assert_array_equal(as_pictures("a", np.moveaxis(odd, 3, 1), 2, (8, 7)), odd)


def test_rows_of_pixels_are_square_pictures() -> None:
    rows = GENERATOR.integers(0, 256, (2, 784), dtype=np.uint8)
    np.testing.assert_array_equal(as_pictures("a", rows, 2), rows.reshape(2, 28, 28, 1))
    np.testing.assert_array_equal(as_pictures("a", rows[..., None], 2), rows.reshape(2, 28, 28, 1))
    with pytest.raises(DataError, match=r"rows of 560 values.*say `shape=HEIGHTxWIDTH`"):
        as_pictures("a", rows[:, :560], 2)
    np.testing.assert_array_equal(as_pictures("a", rows[:, :560], 2, (28, 20)), rows[:, :560].reshape(2, 28, 20, 1))
    with pytest.raises(DataError, match="`shape=28x27` does not fit"):
        as_pictures("a", rows, 2, (28, 27))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40)])
def test_the_channel_order_of_rows_is_told_by_neighbours_alike(height: int, width: int) -> None:
    pictures = smooth(20, height, width)
    shape = () if height == width else (height, width)
    np.testing.assert_array_equal(as_pictures("a", pictures.reshape(20, -1), 20, shape), pictures)
    first = np.moveaxis(pictures, 3, 1).reshape(20, -1)
    np.testing.assert_array_equal(as_pictures("a", first, 20, shape), pictures)


def test_noise_has_no_channel_order_until_the_user_says_it() -> None:
    rows = GENERATOR.integers(0, 256, (6, 3072), dtype=np.uint8)
    with pytest.raises(DataError, match=r"`shape=3x32x32` .* or `shape=32x32x3`"):
        as_pictures("a", rows, 6)
    np.testing.assert_array_equal(as_pictures("a", rows, 6, (32, 32, 3)), rows.reshape(6, 32, 32, 3))
    np.testing.assert_array_equal(
        as_pictures("a", rows, 6, (3, 32, 32)), rows.reshape(6, 3, 32, 32).transpose(0, 2, 3, 1)
    )


def test_a_stated_shape_decides_between_the_orders() -> None:
    colour = GENERATOR.integers(0, 256, (6, 7, 5, 3), dtype=np.uint8)
    for shape in ((7, 5), (7, 5, 3), (3, 7, 5)):
        np.testing.assert_array_equal(as_pictures("a", colour, 6, shape), colour)
        np.testing.assert_array_equal(as_pictures("a", np.moveaxis(colour, 3, 1), 6, shape), colour)
    np.testing.assert_array_equal(as_pictures("a", GREY, 6, (5, 4)), GREY[..., None])
    for array, shape in ((COLOUR, (4, 5)), (GREY, (5, 5)), (COLOUR, (5, 4, 1))):
        with pytest.raises(DataError, match="does not fit"):
            as_pictures("a", array, 6, shape)


def test_matlabs_rows_run_down_the_columns() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    rows = picture.reshape(1, 12, order="F").repeat(2, 0)
    np.testing.assert_array_equal(as_pictures("a", rows, 2, (3, 4), by_column=True)[0, ..., 0], picture)
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    rows = colour.reshape(1, 36, order="F").repeat(2, 0)
    np.testing.assert_array_equal(as_pictures("a", rows, 2, (3, 4), by_column=True)[0], colour)


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4, 5, 6), (0, 3, 3), (2, 0, 3)])
def test_shapes_of_no_pictures_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"a: (has the shape|holds no images)"):
        as_pictures("a", np.zeros(shape, np.uint8), None)


@given(
    st.lists(st.integers(0, 7), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(0, 7)),
    st.lists(st.integers(1, 7), max_size=3).filter(lambda s: len(s) != 1),
    st.booleans(),
)
def test_any_shape_is_read_or_refused_in_one_line(
    shape: list[int], count: int | None, stated: list[int], by_column: bool
) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape)
    try:
        found = as_pictures("a", array, count, tuple(stated), by_column=by_column)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert found.ndim == 4 and sorted(found.ravel()) == sorted(array.ravel())


def test_the_users_shape_reaches_the_arrays(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x_train=GREY.reshape(6, 20), y_train=LABELS)
    assert "say `shape=HEIGHTxWIDTH`" in fault(path)
    np.testing.assert_array_equal(parts_of(path, shape="5x4").splits["train"].images[..., 0], GREY)


def test_alpha_is_laid_on_white_and_said(tmp_path: Path) -> None:
    clear, solid = COLOUR.copy(), COLOUR
    alpha = np.zeros((6, 5, 4, 1), np.uint8)
    alpha[3:] = 255
    path = save(tmp_path / "a.npz", images=np.concatenate([clear, alpha], 3), labels=LABELS)
    parts = parts_of(path)
    found = parts.splits["all"].images
    assert (found[:3] == 255).all() and "alpha" in parts.notes[0]
    np.testing.assert_array_equal(found[3:], solid[3:])
    half = np.stack([GREY, np.full_like(GREY, 51)], 3)  # a fifth of the colour, four fifths of white
    found = parts_of(save(tmp_path / "b.npz", images=half, labels=LABELS)).splits["all"].images
    np.testing.assert_array_equal(found[..., 0], np.rint(GREY / 5 + 204))


def test_bands_are_kept_and_said(tmp_path: Path) -> None:
    bands = GENERATOR.integers(0, 256, (6, 8, 8, 13), dtype=np.uint8)
    parts = parts_of(save(tmp_path / "a.npz", images=bands, labels=LABELS))
    assert "13 bands" in parts.notes[0] and parts.splits["all"].shape == (8, 8, 13)
