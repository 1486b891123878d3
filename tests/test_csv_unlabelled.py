"""Tables of pixels without labels: their pictures, under the ids of the table; tables with labels are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.csv import Unlabelled, read_unlabelled_csv
from sightlab.errors import DataError
from tests.csv_tables import drawn, put, smooth, table, text_of

SHAPE = (8, 8, 1)


def read_rows(path: Path, shape: tuple[int, int, int] = SHAPE, bit_depth: int | None = None) -> Unlabelled:
    return read_unlabelled_csv(DataFile.at(path), shape, bit_depth=bit_depth)


def plain(pixels: np.ndarray, heading: str = "") -> str:
    lines = [",".join(map(str, row)) for row in pixels.reshape(len(pixels), -1).tolist()]
    return "\n".join(([heading] if heading else []) + lines)


@pytest.mark.parametrize("heading", ["", "pixel{}", "{}"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (2, 32, 1), (4, 8, 2)])
def test_rows_of_pixels_are_read_in_the_models_shape(tmp_path: Path, heading: str, shape: tuple[int, int, int]) -> None:
    pixels = table(30, 64)
    names = ",".join(heading.format(n) for n in range(64)) if heading else ""
    found = read_rows(put(tmp_path, plain(pixels, names)), shape)
    np.testing.assert_array_equal(found.images, pixels.reshape(30, *shape))
    assert not found.names and not found.notes


def test_one_row_is_enough(tmp_path: Path) -> None:
    for path in (put(tmp_path, plain(table(1, 64))), put(tmp_path, plain(table(1, 64)), "b.csv.gz")):
        np.testing.assert_array_equal(read_rows(path).images.reshape(1, -1), table(1, 64))


@pytest.mark.parametrize("heading", ["id", "ImageId", "", "Unnamed: 0", "filename"])
def test_ids_are_given_back_as_they_are_written(tmp_path: Path, heading: str) -> None:
    pixels, ids = table(30, 64), [f"{n:05d}" for n in range(30)]
    path = put(tmp_path, text_of(pixels, ids, label=heading))
    found = read_rows(path)
    np.testing.assert_array_equal(found.images.reshape(30, -1), pixels)
    assert found.names == tuple(ids)


def test_a_counting_column_without_a_heading_names_the_pictures(tmp_path: Path) -> None:
    pixels = drawn(30)
    found = read_rows(put(tmp_path, text_of(pixels, [str(n + 1) for n in range(30)], header=False)))
    np.testing.assert_array_equal(found.images.reshape(30, -1), pixels)
    assert found.names == tuple(str(n + 1) for n in range(30))


@pytest.mark.parametrize("header", [False, True])
def test_a_table_with_labels_is_for_test(tmp_path: Path, header: bool) -> None:
    path = put(tmp_path, text_of(drawn(60), [str(n * 7 % 10) for n in range(60)], header=header))
    with pytest.raises(DataError, match="`sightlab test` takes it") as caught:
        read_rows(path)
    assert ("`label`" if header else "column 0 (from 0)") in str(caught.value)


def test_one_more_column_that_says_nothing_names_both_ways_out(tmp_path: Path) -> None:
    path = put(tmp_path, "\n".join([",".join(["1"] * 65)] * 3))
    with pytest.raises(DataError, match=r"65 columns of numbers: 8 x 8 pixels and one more.*`sightlab test` takes it"):
        read_rows(path)


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 63 pixel columns; 8 x 8 pictures need 64"):
        read_rows(put(tmp_path, plain(table(5, 63))))
    with pytest.raises(DataError, match="has 784 pixel columns; 8 x 8 pictures need 64"):
        read_rows(put(tmp_path, plain(table(5), ",".join(f"pixel{n}" for n in range(784)))))


def test_pixels_in_one_column_are_read(tmp_path: Path) -> None:
    pixels = table(20, 64)
    cells = [" ".join(map(str, row)) for row in pixels.tolist()]
    for text in ("\n".join(["pixels", *cells]), "\n".join(["id,pixels", *(f"x{n},{c}" for n, c in enumerate(cells))])):
        found = read_rows(put(tmp_path, text))
        np.testing.assert_array_equal(found.images.reshape(20, -1), pixels)
    assert found.names == tuple(f"x{n}" for n in range(20))


def test_values_are_scaled_as_in_training_tables(tmp_path: Path) -> None:
    pixels = table(30, 64)
    scaled = "\n".join(",".join(f"{value / 255:.6f}" for value in row) for row in pixels.tolist())
    found = read_rows(put(tmp_path, scaled))
    np.testing.assert_array_equal(found.images.reshape(30, -1), pixels)
    low = pixels % 17
    path = put(tmp_path, plain(low))
    found = read_rows(path)
    np.testing.assert_array_equal(found.images.reshape(30, -1), np.rint(low * (255.0 / 16)))
    assert "scaled to 0 to 255" in found.notes[0]
    np.testing.assert_array_equal(read_rows(path, bit_depth=8).images.reshape(30, -1), low)


def test_planes_of_colour_are_seen(tmp_path: Path) -> None:
    pictures = smooth(30, 16, 3)
    path = put(tmp_path, plain(pictures.transpose(0, 3, 1, 2)))
    np.testing.assert_array_equal(read_rows(path, (16, 16, 3)).images, pictures)
    np.testing.assert_array_equal(read_rows(put(tmp_path, plain(pictures)), (16, 16, 3)).images, pictures)
