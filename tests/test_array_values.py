"""Values of arrays as bytes: exact where they stand for bytes, one scale for all splits, else refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from sightlab.data.formats.array_values import as_bytes, common_scale
from sightlab.errors import DataError
from tests.array_files import GREY, LABELS, fault, parts_of, save

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def converted(array: NDArray[Any], bit_depth: int | None = None) -> tuple[NDArray[np.uint8], str]:
    scale = common_scale({"a": array}, bit_depth)
    return as_bytes(array, scale), scale.note


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_byte_survives_floats(dtype: type) -> None:
    for array in (
        EVERY_BYTE.astype(dtype) / dtype(255),
        (EVERY_BYTE / 255.0).astype(dtype),
        EVERY_BYTE.astype(dtype),
    ):
        found, note = converted(array)
        np.testing.assert_array_equal(found, EVERY_BYTE)
        assert note == ""


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint64, ">u2"])
def test_every_byte_survives_wider_integers(dtype: Any) -> None:
    assert (converted(EVERY_BYTE.astype(dtype))[0] == EVERY_BYTE).all()


def test_truth_values_are_black_and_white() -> None:
    found, note = converted(EVERY_BYTE > 100)
    np.testing.assert_array_equal(found, np.where(EVERY_BYTE > 100, 255, 0))
    assert note == ""
    assert "pictures are black" in converted((EVERY_BYTE > 100).astype(np.int64))[1]


def test_floats_between_bytes_are_rounded_and_said() -> None:
    array = np.array([0, 0.1, 0.5, 1.0]).reshape(1, 2, 2, 1)  # 0, 25.5, 127.5, 255
    found, note = converted(array)
    np.testing.assert_array_equal(found.ravel(), [0, 26, 128, 255])
    assert note == "values from 0 to 1 are scaled from 0..1 to 0..255 and rounded, at most 0.5 of 255 off"
    found, note = converted(np.array([0, 100.25, 254.75]).reshape(1, 3, 1, 1))
    assert found.ravel().tolist() == [0, 100, 255] and "fractions to 254.8 are rounded" in note


def test_floats_from_minus_one_to_one_are_stretched_and_said() -> None:
    exact = (EVERY_BYTE / 127.5 - 1).astype(np.float32)
    found, note = converted(exact)
    np.testing.assert_array_equal(found, EVERY_BYTE)
    assert note == "values from -1 to 1 are scaled from -1..1 to 0..255"
    part = exact[:, 6:8]  # near grey, and exactly what bytes give
    np.testing.assert_array_equal(converted(part)[0], EVERY_BYTE[:, 6:8])
    assert "rounded" in converted(np.linspace(-0.95, 0.95, 16).reshape(1, 4, 4, 1))[1]


@pytest.mark.parametrize(("largest", "bits"), [(4080, 12), (1000, 10), (16383, 14), (65535, 16)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_values_use_the_range_they_need(largest: int, bits: int, dtype: type) -> None:
    array = np.array([0, largest // 2, largest], dtype).reshape(1, 3, 1, 1)
    found, note = converted(array)
    np.testing.assert_array_equal(found, np.floor(array.astype(np.float64) * 255 / (2**bits - 1) + 0.5))
    assert f"use {bits} bits" in note
    fixed, note = converted(array, 16)
    np.testing.assert_array_equal(fixed, np.floor(array.astype(np.float64) / 257 + 0.5))
    assert note == ""


def test_a_bit_depth_that_does_not_hold_the_values_is_refused() -> None:
    with pytest.raises(DataError, match=r"`bit_depth=12` holds 0..4,095; `bit_depth=14` would hold them"):
        converted(np.full((1, 1, 1, 1), 5000, np.uint16), 12)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        *((-0.42, 2.82, "f4"), (-0.4, 0.57, "f4"), (-2, 300, "f8"), (-5, 5, "i1"), (0, 5.5, "f4"), (-1024, 3071, "i2")),
        *((0, 70_000, "u4"), (0, 1.5, "f4")),
    ],
)
def test_values_from_which_bytes_cannot_be_had_are_refused(low: float, high: float, dtype: str) -> None:
    array = np.linspace(low, high, 16).reshape(1, 4, 4, 1).astype(dtype)
    with pytest.raises(DataError, match=r"values from -?[\d.e+]+ to [\d.e+]+ are no bytes.*before they are normalised"):
        converted(array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    array = np.zeros((2, 3, 3, 1), np.float32)
    array[1, 1, 1] = value
    with pytest.raises(DataError, match="holds NaN or infinite values"):
        converted(array)
    for dtype in (np.complex64, "U3"):
        with pytest.raises(DataError, match=r"holds (complex64|<U3); images are uint8"):
            converted(np.zeros((2, 3, 3, 1), dtype))


def test_all_splits_are_scaled_alike(tmp_path: Path) -> None:
    train, test = np.array([0, 4000], np.uint16), np.array([0, 200], np.uint16)
    shaped = {f"x_{name}": array.reshape(2, 1, 1) for name, array in (("train", train), ("test", test))}
    path = save(tmp_path / "a.npz", **shaped, y_train=LABELS[:2], y_test=LABELS[:2])
    parts = parts_of(path)
    assert parts.splits["train"].images.ravel().tolist() == [0, 249]
    assert parts.splits["test"].images.ravel().tolist() == [0, 12]
    assert sum("12 bits" in note for note in parts.notes) == 1
    assert parts_of(path, bit_depth=16).splits["train"].images.ravel().tolist() == [0, 16]


def test_splits_of_different_scales_are_refused(tmp_path: Path) -> None:
    for name, other in (("unit", GREY / 255), ("signed", GREY / 127.5 - 1), ("truth", GREY > 99)):
        path = save(tmp_path / f"{name}.npz", x_train=GREY, y_train=LABELS, x_test=other, y_test=LABELS)
        assert "on one scale" in fault(path)
    path = save(tmp_path / "b.npz", x_train=GREY, y_train=LABELS, x_test=np.zeros((6, 5, 4)), y_test=LABELS)
    assert not parts_of(path).splits["test"].images.any()  # black fits any scale
    path = save(tmp_path / "c.npz", x_train=GREY, y_train=LABELS, x_test=GREY.astype(np.int64), y_test=LABELS)
    np.testing.assert_array_equal(parts_of(path).splits["test"].images[..., 0], GREY)


@given(
    arrays(st.sampled_from([np.uint8, np.int16, np.uint16, np.float16, np.float32, np.float64, np.bool_]), (2, 2, 2, 1))
)
def test_any_values_keep_their_order_or_are_refused_in_one_line(array: NDArray[Any]) -> None:
    try:
        found, _ = converted(array)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        order = np.argsort(array, axis=None, kind="stable")
        assert found.dtype == np.uint8 and (np.diff(found.ravel()[order].astype(int)) >= 0).all()
