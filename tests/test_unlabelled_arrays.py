"""Arrays without labels: the one array of images of a file, upright and as bytes, whatever the form."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from sightlab.data.containers.base import DataFile
from sightlab.data.layouts.claim import ReadOptions
from sightlab.data.pictures.decode import Decoding
from sightlab.data.unlabelled.array_input import read_unlabelled_arrays
from sightlab.errors import DataError
from tests.array_files import LABELS, save, save_npy, smooth

GREY = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
SHAPE = (28, 28, 1)


def read(path: Path, model: tuple[int, int, int] = SHAPE, **words: Any) -> tuple[list[str], NDArray[np.uint8], Any]:
    return read_unlabelled_arrays(DataFile.at(path), model, ReadOptions(**words))


def forms(folder: Path) -> dict[str, Path]:
    """The same pictures in every form, labels in those that can hold both."""
    found = {
        "npy": save_npy(folder / "x.npy", GREY),
        "npz": save(folder / "a.npz", x=GREY, y=LABELS),
        "unnamed": save(folder / "b.npz", GREY=GREY),
    }
    savemat(folder / "c.mat", {"X": np.moveaxis(GREY[..., None], 0, 3), "y": LABELS})
    with h5py.File(folder / "d.h5", "w") as root:
        root["images"] = GREY
    data = b"\0\0\x08\x03" + struct.pack(">3I", *GREY.shape) + GREY.tobytes()
    (folder / "e-images-idx3-ubyte").write_bytes(data)
    (folder / "f-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
    names = {"mat": "c.mat", "h5": "d.h5", "idx": "e-images-idx3-ubyte", "gz": "f-images-idx3-ubyte.gz"}
    return found | {kind: folder / name for kind, name in names.items()}


def test_every_form_gives_the_same_pictures(tmp_path: Path) -> None:
    for kind, path in forms(tmp_path).items():
        names, pixels, notes = read(path)
        np.testing.assert_array_equal(pixels[..., 0], GREY, err_msg=kind)
        assert names == [f"{path}:{n}" for n in range(1, 7)]
        assert bool(notes) is (kind in ("npz", "mat")), kind
    assert notes == () and pixels.dtype == np.uint8


def test_the_models_shape_tells_rows_single_pictures_and_the_last_axis(tmp_path: Path) -> None:
    for array in (GREY.reshape(6, 784), np.moveaxis(GREY, 0, 2)):
        np.testing.assert_array_equal(read(save_npy(tmp_path / "a.npy", array))[1][..., 0], GREY)
    np.testing.assert_array_equal(read(save_npy(tmp_path / "a.npy", GREY[0]))[1][0, ..., 0], GREY[0])
    photo = smooth(1, 40, 50)[0]
    assert read(save_npy(tmp_path / "a.npy", photo))[1].shape == (1, 40, 50, 3)
    colours = smooth(5, 28, 28)
    found = read(save_npy(tmp_path / "a.npy", colours.reshape(5, -1)), (28, 28, 3))[1]
    np.testing.assert_array_equal(found, colours)
    with pytest.raises(DataError, match=r"\[6, 64\], the model 28 x 28 x 1"):
        read(save_npy(tmp_path / "a.npy", GREY[:, :8, :8].reshape(6, 64)))
    assert read(tmp_path / "a.npy", shape=(8, 8))[1].shape == (6, 8, 8, 1)


def test_values_are_scaled_as_in_training(tmp_path: Path) -> None:
    _, pixels, notes = read(save_npy(tmp_path / "a.npy", GREY / 255))
    np.testing.assert_array_equal(pixels[..., 0], GREY)
    assert notes == ()
    deep = GREY.astype(np.uint16) * 16
    _, pixels, notes = read(save_npy(tmp_path / "a.npy", deep), decoding=Decoding(bit_depth=12))
    np.testing.assert_array_equal(pixels[..., 0], np.floor(deep.astype(float) * 255 / 4095 + 0.5))
    with pytest.raises(DataError, match="are no bytes"):
        read(save_npy(tmp_path / "a.npy", (GREY - 99.5) / 50))
    alpha = np.stack([GREY, np.zeros_like(GREY)], 3)
    assert (read(save_npy(tmp_path / "a.npy", alpha))[1] == 255).all()


def test_emnist_is_turned_upright(tmp_path: Path) -> None:
    data = b"\0\0\x08\x03" + struct.pack(">3I", *GREY.shape) + GREY.tobytes()
    path = tmp_path / "emnist-digits-test-images-idx3-ubyte"
    path.write_bytes(data)
    _, pixels, notes = read(path)
    np.testing.assert_array_equal(pixels[..., 0], GREY.transpose(0, 2, 1))
    assert "upright" in notes[0]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x_train": GREY, "x_test": GREY}, r"2 arrays of images \(x_train, x_test\)"),
        ({"labels": LABELS}, "no array of images; found labels"),
        ({"mean": GREY, "ids": LABELS}, "no array of images; found mean, ids"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(save(tmp_path / "a.npz", **arrays))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_text("no array")
    with pytest.raises(DataError, match=r"a\.npy"):
        read(tmp_path / "a.npy")
