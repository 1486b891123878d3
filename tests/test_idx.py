"""idx files: what is written is read, real sets are read to the last image, and what is broken is said."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.data.formats.idx import is_idx, read_idx, read_idx_folder, read_idx_pair, write_idx
from sightlab.data.imageset import UNDIVIDED, ImageSet
from sightlab.errors import DataError

DATA = Path(os.environ.get("SIGHTLAB_DATA", Path(__file__).parents[2] / "shared" / "data"))


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """The format as its authors describe it, written without numpy's help."""
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


def pictures(count: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def put(folder: Path, name: str, array: NDArray[np.uint8]) -> Path:
    path = folder / name
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def put_pair(folder: Path, split: str, images: NDArray[np.uint8], labels: list[int], gz: bool = False) -> None:
    ending = ".gz" if gz else ""
    put(folder, f"{split}-images-idx{images.ndim}-ubyte{ending}", images)
    put(folder, f"{split}-labels-idx1-ubyte{ending}", np.array(labels, np.uint8))


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


@pytest.mark.parametrize("shape", [(7,), (5, 4, 6), (3, 4, 6, 3)])
@pytest.mark.parametrize("packed", [False, True])
def test_an_array_is_read_as_its_bytes_say(tmp_path: Path, shape: tuple[int, ...], packed: bool) -> None:
    array = pictures(shape[0], *shape[1:])
    path = tmp_path / "any-name"
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    found = read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.uint8 and found.flags.writeable


@pytest.mark.parametrize(
    ("name", "train", "first_labels"),
    [("mnist", None, [7, 2, 1, 0, 4]), ("kmnist", 7011, None)],
)
def test_a_real_set_is_read(name: str, train: int | None, first_labels: list[int] | None) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{DATA / name} is not here; set SIGHTLAB_DATA")
    parts = read_idx_folder(DATA / name)
    assert list(parts.splits) == ["train", "test"]
    assert parts.classes == tuple("0123456789") and parts.splits["train"].numbered
    assert parts.splits["test"].shape == (28, 28, 1)
    if train:
        assert len(parts.splits["train"]) == train
    if first_labels:  # the well-known beginning of MNIST's test labels
        assert parts.splits["test"].labels[:5].tolist() == first_labels


def test_classes_run_to_the_greatest_label_of_any_split(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 2])
    put_pair(tmp_path, "t10k", pictures(1, 4, 4), [4], gz=True)
    put_pair(tmp_path, "validation", pictures(1, 4, 4), [1])
    parts = read_idx_folder(tmp_path)
    assert list(parts.splits) == ["train", "validation", "test"]
    assert parts.classes == ("0", "1", "2", "3", "4")


def test_colour_and_dotted_names_and_prefixes_are_found(tmp_path: Path) -> None:
    put(tmp_path, "emnist-letters-train-images.idx4-ubyte", pictures(2, 4, 4, 3))
    put(tmp_path, "emnist-letters-train-labels.idx1-ubyte", np.array([1, 0], np.uint8))
    put_pair(tmp_path, "emnist-digits-train", pictures(3, 4, 4), [0, 1, 1])
    parts = read_idx_folder(tmp_path, "emnist-letters-")
    assert parts.splits["train"].shape == (4, 4, 3)
    with pytest.raises(DataError, match="are both the train images"):
        read_idx_folder(tmp_path)


def test_a_plain_file_goes_before_its_own_gzip(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1])
    put_pair(tmp_path, "train", pictures(2, 4, 4), [1, 0], gz=True)
    assert read_idx_folder(tmp_path).splits["train"].labels.tolist() == [0, 1]


def test_one_file_is_read_with_the_labels_beside_it(tmp_path: Path) -> None:
    put_pair(tmp_path, "my", pictures(3, 4, 4), [0, 1, 1], gz=True)
    parts = read_idx_pair(tmp_path / "my-images-idx3-ubyte.gz")
    assert list(parts.splits) == [UNDIVIDED]
    assert parts.splits[UNDIVIDED].labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 5, 3)])
@pytest.mark.parametrize("split", ["train", "validation", "test", UNDIVIDED])
def test_what_is_written_is_read(tmp_path: Path, shape: tuple[int, int, int], split: str) -> None:
    images = ImageSet(pictures(3, *shape), np.array([2, 0, 1]), ("0", "1", "2"), numbered=True)
    write_idx(images, tmp_path, split)
    parts = read_idx_folder(tmp_path)
    np.testing.assert_array_equal(parts.splits[split].images, images.images)
    np.testing.assert_array_equal(parts.splits[split].labels, images.labels)
    assert parts.classes == images.classes


def test_equal_sets_give_equal_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    images = ImageSet(pictures(3, 4, 4, 1), np.array([2, 0, 1]), ("0", "1", "2"))
    first = [path.read_bytes() for path in write_idx(images, tmp_path / "a", "train")]
    second = [path.read_bytes() for path in write_idx(images, tmp_path / "b", "train")]
    assert first == second
    assert first[0][4:8] == b"\0\0\0\0"  # gzip's time
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    images = ImageSet(pictures(1, 4, 4, 1), np.array([0]), ("0",))
    with pytest.raises(DataError, match="cannot be written"):
        write_idx(images, tmp_path / "taken", "train")


def test_bytes_missing_are_counted(tmp_path: Path) -> None:
    path = put(tmp_path, "a", pictures(10, 4, 4))
    path.write_bytes(path.read_bytes()[:-3])
    assert "cut short" in fault(path) and "160 bytes, 157 follow" in fault(path)


def test_bytes_too_many_are_counted(tmp_path: Path) -> None:
    path = put(tmp_path, "a", pictures(10, 4, 4))
    path.write_bytes(path.read_bytes() + b"1234")
    assert "160 bytes, 164 follow" in fault(path)


@pytest.mark.parametrize("kept", [0, 2, 3, 7, 15])
def test_a_header_cut_short_is_said(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(idx_bytes(pictures(2, 4, 4))[:kept])
    fault(path)


def test_every_cut_of_a_gzip_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = gzip.compress(idx_bytes(pictures(2, 4, 4)))
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        fault(path)


def test_a_gzip_checksum_that_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = bytearray(gzip.compress(idx_bytes(pictures(2, 4, 4))))
    whole[-8] ^= 1
    path.write_bytes(whole)
    assert "damaged" in fault(path)


@pytest.mark.parametrize("packed", [False, True])
def test_an_absurd_size_is_refused_before_memory_is_taken(tmp_path: Path, packed: bool) -> None:
    data = b"\0\0\x08\x04" + struct.pack(">4I", *[2**32 - 1] * 4) + bytes(100)
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(data) if packed else data)
    assert "cannot hold more than" in fault(path)


def test_an_absurd_shape_of_no_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1))
    assert "describes no array" in fault(path)


def test_a_lie_that_a_gzip_file_could_hold_takes_only_the_memory_of_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 40_000) + os.urandom(100)))
    assert "40,000 bytes, 100 follow" in fault(path)


@pytest.mark.parametrize(("kind", "name"), [(0x0D, "float32"), (0x0C, "int32"), (0x09, "int8")])
def test_other_types_are_refused_by_their_name(tmp_path: Path, kind: int, name: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, kind, 1, 0, 0, 0, 0]))
    assert name in fault(path) and "only uint8" in fault(path)


def test_two_dimensions_are_refused(tmp_path: Path) -> None:
    assert "2 dimensions" in fault(put(tmp_path, "a", pictures(2, 3)))


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, z: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-idx"
    data = b"\0\0\x08" + tail
    path.write_bytes(gzip.compress(data, 1) if z else data)
    try:
        found = read_idx(path)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert idx_bytes(found) == data


def test_counts_that_differ_name_both_files(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(3, 4, 4), [0, 1])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: holds 3 images, .*train-labels-idx1-ubyte holds 2"):
        read_idx_folder(tmp_path)


def test_labels_in_the_place_of_images_are_told(tmp_path: Path) -> None:
    put(tmp_path, "train-images-idx3-ubyte", np.array([0, 1], np.uint8))
    put(tmp_path, "train-labels-idx1-ubyte", np.array([0, 1], np.uint8))
    with pytest.raises(DataError, match="holds labels"):
        read_idx_folder(tmp_path)
    put_pair(tmp_path, "test", pictures(2, 4, 4), [0, 1])
    put(tmp_path, "test-labels-idx1-ubyte", pictures(2, 4, 4))
    with pytest.raises(DataError, match="holds images"):
        read_idx_pair(tmp_path / "test-images-idx3-ubyte")


def test_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no idx files"):
        read_idx_folder(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(DataError, match="is a folder"):
        read_idx(tmp_path)
    put(tmp_path, "train-images-idx3-ubyte", pictures(2, 4, 4))
    with pytest.raises(DataError, match="labels are missing"):
        read_idx_folder(tmp_path)


def test_splits_of_different_sizes_are_refused(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1])
    put_pair(tmp_path, "test", pictures(2, 5, 5), [0, 1])
    with pytest.raises(DataError, match=r"5 x 5 x 1.*4 x 4 x 1"):
        read_idx_folder(tmp_path)


def test_no_images_are_refused(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(0, 4, 4), [])
    with pytest.raises(DataError, match="holds no images"):
        read_idx_folder(tmp_path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = put(tmp_path, "a", pictures(1, 4, 4))
    path.chmod(0)
    assert "permission denied" in fault(path)
    path.chmod(stat.S_IRUSR)


def test_detection_goes_by_content() -> None:
    assert is_idx(idx_bytes(pictures(1, 2, 2)))
    assert not any(
        map(is_idx, [b"", b"\0\0\x08", b"label,pixel0", zlib.compress(b"x"), b"\0\0\x07\x01", b"\0\0\x08\x09"])
    )
