"""idx files: what is written is read, real sets are read to the last image, and what is broken is said."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.csv import write_csv
from sightlab.data.formats.idx import TYPES, is_idx, read_idx, write_idx
from sightlab.data.imageset import UNDIVIDED, ImageSet
from sightlab.data.load import load_parts
from sightlab.errors import DataError
from tests.array_files import claimed, parts_of
from tests.array_files import fault as refusal

DATA = Path(os.environ.get("SIGHTLAB_DATA", Path(__file__).parents[2] / "shared" / "data"))


def idx_bytes(array: NDArray[Any]) -> bytes:
    """The format as its authors describe it, written without numpy's help."""
    kind = next(number for number, name in TYPES.items() if name == array.dtype.name)
    head = bytes([0, 0, kind]) + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pictures(count: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def put(folder: Path, name: str, array: NDArray[Any]) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def put_pair(folder: Path, split: str, images: NDArray[Any], labels: list[int], gz: bool = False) -> None:
    ending = ".gz" if gz else ""
    put(folder, f"{split}-images-idx{images.ndim}-ubyte{ending}", images)
    put(folder, f"{split}-labels-idx1-ubyte{ending}", np.array(labels, np.uint8))


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(DataFile.at(path))
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


@pytest.mark.parametrize("shape", [(7,), (5, 6), (5, 4, 6), (3, 4, 6, 3)])
@pytest.mark.parametrize("dtype", list(TYPES.values()))
@pytest.mark.parametrize("packed", [False, True])
def test_an_array_is_read_as_its_bytes_say(tmp_path: Path, shape: tuple[int, ...], dtype: str, packed: bool) -> None:
    array = pictures(shape[0], *shape[1:]).astype(dtype)
    path = tmp_path / "any-name"
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    found = read_idx(DataFile.at(path))
    np.testing.assert_array_equal(found, array)
    assert found.dtype.name == dtype and found.flags.writeable


@pytest.mark.parametrize(
    ("name", "train", "first_labels"),
    [("mnist", None, [7, 2, 1, 0, 4]), ("kmnist", 7011, None)],
)
def test_a_real_set_is_read(name: str, train: int | None, first_labels: list[int] | None) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"{DATA / name} is not here; set SIGHTLAB_DATA")
    parts = parts_of(DATA / name)
    assert list(parts.splits) == ["train", "test"]
    assert parts.classes == tuple("0123456789") and parts.splits["train"].numbered
    assert parts.splits["test"].shape == (28, 28, 1)
    if train:
        assert len(parts.splits["train"]) == train
    if first_labels:  # the well-known beginning of MNIST's test labels
        assert parts.splits["test"].labels[:5].tolist() == first_labels


def test_classes_run_to_the_greatest_label_of_train(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(3, 4, 4), [0, 2, 4])
    put_pair(tmp_path, "t10k", pictures(1, 4, 4), [4], gz=True)
    put_pair(tmp_path, "validation", pictures(1, 4, 4), [2])
    parts = parts_of(tmp_path)
    assert list(parts.splits) == ["train", "validation", "test"]
    assert parts.classes == ("0", "1", "2", "3", "4")
    put_pair(tmp_path, "validation", pictures(1, 4, 4), [3])
    assert "holds the label '3', which train has no image of" in refusal(tmp_path)


def test_labels_from_one_have_no_class_of_no_pictures(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(3, 4, 4), [1, 2, 10])
    found = parts_of(tmp_path).splits["train"]
    assert found.classes == ("1", "2", "10") and found.labels.tolist() == [0, 1, 2]


def test_colour_and_dotted_names_and_prefixes_are_found(tmp_path: Path) -> None:
    put(tmp_path, "mine-letters-train-images.idx4-ubyte", pictures(2, 4, 4, 3))
    put(tmp_path, "mine-letters-train-labels.idx1-ubyte", np.array([1, 0], np.uint8))
    put_pair(tmp_path, "mine-digits-train", pictures(3, 4, 4), [0, 1, 1])
    assert parts_of(tmp_path, config="letters").splits["train"].shape == (4, 4, 3)
    assert parts_of(tmp_path, config="digits").splits["train"].shape == (4, 4, 1)
    assert "`config=digits` or `config=letters`" in refusal(tmp_path)


def test_a_file_that_is_there_plain_and_packed_is_read_once(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1])
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1], gz=True)
    assert claimed(tmp_path).labels == "array train-labels-idx1-ubyte"
    assert parts_of(tmp_path).splits["train"].labels.tolist() == [0, 1]
    put_pair(tmp_path, "train", pictures(2, 4, 4), [1, 0], gz=True)
    text = refusal(tmp_path)
    assert "train-labels-idx1-ubyte and train-labels-idx1-ubyte.gz hold different bytes; remove the one" in text


@pytest.mark.parametrize("below", ["", "raw/", "MNIST/raw/"])
def test_torchvisions_folders_are_read_from_any_height(tmp_path: Path, below: str) -> None:
    for gz in (False, True):
        put_pair(tmp_path / below, "train", pictures(3, 4, 4), [0, 1, 1], gz)
        put_pair(tmp_path / below, "t10k", pictures(2, 4, 4), [1, 0], gz)
    parts = parts_of(tmp_path)
    assert list(parts.splits) == ["train", "test"] and parts.splits["test"].labels.tolist() == [1, 0]


def test_a_root_of_several_sets_asks_which(tmp_path: Path) -> None:
    for place, name in enumerate(("MNIST", "FashionMNIST", "KMNIST")):
        put_pair(tmp_path / name / "raw", "train", pictures(3, 4, 4), [0, 1, place % 2])
        put_pair(tmp_path / name / "raw", "t10k", pictures(2, 4, 4), [1, 0])
    text = refusal(tmp_path)
    assert "holds 3 data sets; say which: `config=FashionMNIST` or `config=KMNIST` or `config=MNIST`" in text
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        assert parts_of(tmp_path / name).splits["train"].labels.tolist()[2] == (name == "FashionMNIST")


def test_a_zip_with_each_file_in_a_folder_of_its_name(tmp_path: Path) -> None:
    put_pair(tmp_path / "d", "train", pictures(3, 4, 4), [0, 1, 1])
    put_pair(tmp_path / "d", "t10k", pictures(2, 4, 4), [1, 0])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in (tmp_path / "d").iterdir():
            archive.write(file, f"{file.name}/{file.name}")
            archive.write(file, file.name.replace("-idx", ".idx"))
    parts = parts_of(tmp_path / "a.zip")
    assert {split: len(images) for split, images in parts.splits.items()} == {"train": 3, "test": 2}


def test_one_file_is_read_with_the_labels_beside_it(tmp_path: Path) -> None:
    put_pair(tmp_path, "my", pictures(3, 4, 4), [0, 1, 1], gz=True)
    put_pair(tmp_path, "other", pictures(2, 4, 4), [0, 1])
    parts = parts_of(tmp_path / "my-images-idx3-ubyte.gz")
    assert list(parts.splits) == [UNDIVIDED]
    assert parts.splits[UNDIVIDED].labels.tolist() == [0, 1, 1]
    claim = claimed(tmp_path / "my-images-idx3-ubyte.gz")
    assert claim.beside == ("my-labels-idx1-ubyte.gz",)
    put(tmp_path, "my-labels-idx1-ubyte.gz", np.array([1, 0, 0], np.uint8))
    assert claimed(tmp_path / "my-images-idx3-ubyte.gz").identity != claim.identity
    assert "no images among them" in refusal(tmp_path / "my-labels-idx1-ubyte.gz")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32"])
def test_other_types_are_read_by_their_range(tmp_path: Path, dtype: str) -> None:
    images = pictures(3, 4, 4)
    stored = (images / 255 if dtype.startswith("f") else images).astype(dtype)
    put_pair(tmp_path, "train", stored, [0, 1, 1])
    np.testing.assert_array_equal(parts_of(tmp_path).splits["train"].images[..., 0], images)


LETTERS = "\n".join(f"{n} {64 + n} {96 + n}" for n in range(1, 27))


def emnist(folder: Path, subset: str, labels: list[int], mapping: str = "") -> Path:
    for split in ("train", "test"):
        put_pair(folder, f"emnist-{subset}-{split}", pictures(len(labels), 28, 28), labels, gz=True)
    if mapping:
        (folder / f"emnist-{subset}-mapping.txt").write_text(mapping)
    return folder


@pytest.mark.parametrize("mapping", [LETTERS, ""])
@pytest.mark.parametrize("folder", ["gzip", "EMNIST/raw"])
def test_emnist_letters_are_upright_and_named(tmp_path: Path, mapping: str, folder: str) -> None:
    parts = parts_of(emnist(tmp_path / folder, "letters", [1, 2, 26], mapping))
    assert parts.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert parts.splits["train"].labels.tolist() == [0, 1, 25] and list(parts.splits) == ["train", "test"]
    np.testing.assert_array_equal(parts.splits["train"].images[..., 0], pictures(3, 28, 28).transpose(0, 2, 1))
    assert parts.notes == ("EMNIST is stored transposed; its pictures are turned upright",)


def test_a_lone_file_of_emnist_is_read_the_same(tmp_path: Path) -> None:
    folder = emnist(tmp_path, "letters", [1, 2, 26], LETTERS)
    claim = claimed(folder / "emnist-letters-train-images-idx3-ubyte.gz")
    assert set(claim.beside) == {"emnist-letters-train-labels-idx1-ubyte.gz", "emnist-letters-mapping.txt"}
    parts = parts_of(folder / "emnist-letters-train-images-idx3-ubyte.gz")
    assert parts.splits[UNDIVIDED].labels.tolist() == [0, 1, 25] and len(parts.classes) == 26
    np.testing.assert_array_equal(parts.splits[UNDIVIDED].images[..., 0], pictures(3, 28, 28).transpose(0, 2, 1))


@pytest.mark.parametrize(
    ("subset", "classes"), [("digits", 10), ("mnist", 10), ("balanced", 47), ("bymerge", 47), ("byclass", 62)]
)
def test_every_set_of_emnist_has_its_classes(tmp_path: Path, subset: str, classes: int) -> None:
    parts = parts_of(emnist(tmp_path, subset, [0, 3, 9]))
    assert len(parts.classes) == classes and parts.classes[:10] == tuple("0123456789")
    for label in (classes, 255):
        emnist(tmp_path, subset, [0, 3, label])
        assert f"has the label {label}; the labels of this set are 0 to {classes - 1}" in refusal(tmp_path)


def test_two_sets_of_emnist_in_a_folder_are_asked_about(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", [1, 2, 26], LETTERS)
    emnist(tmp_path, "digits", [0, 1, 2])
    assert "`config=digits` or `config=letters`" in refusal(tmp_path)
    assert len(parts_of(tmp_path, config="letters").classes) == 26
    assert len(parts_of(tmp_path, config="emnist-digits").classes) == 10
    assert "holds 2 data sets" in refusal(tmp_path, config="emnist")


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 5, 3)])
@pytest.mark.parametrize("split", ["train", "validation", "test", UNDIVIDED])
def test_what_is_written_is_read(tmp_path: Path, shape: tuple[int, int, int], split: str) -> None:
    images = ImageSet(pictures(3, *shape), np.array([2, 0, 1]), ("0", "1", "2"), numbered=True)
    write_idx(images, tmp_path, split)
    parts = parts_of(tmp_path)
    np.testing.assert_array_equal(parts.splits[split].images, images.images)
    np.testing.assert_array_equal(parts.splits[split].labels, images.labels)
    assert parts.classes == images.classes


def test_classes_named_by_numbers_keep_them_where_one_between_has_no_images(tmp_path: Path) -> None:
    pixels, classes = np.zeros((3, 2, 2, 1), np.uint8), ("1", "2", "5")
    images = ImageSet(pixels, np.array([0, 1, 2]), classes)
    write_idx(images, tmp_path / "idx", "test")
    read = load_parts(tmp_path / "idx").parts.splits["test"]
    assert [read.classes[label] for label in read.labels] == ["1", "2", "5"]
    write_csv(images, tmp_path / "test.csv")
    assert [line.split(",")[0] for line in (tmp_path / "test.csv").read_text().splitlines()] == ["label", "1", "2", "5"]
    with pytest.raises(DataError, match="these classes go up to 300: npz keeps them"):
        write_idx(ImageSet(pixels, np.array([0, 1, 2]), ("1", "2", "300")), tmp_path / "large", "test")


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
    assert "cut short" in fault(path) or "cannot hold more than 157" in fault(path)


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


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=64), st.booleans())
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: int, tail: bytes, z: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-idx"
    data = bytes([0, 0, kind]) + tail
    path.write_bytes(gzip.compress(data, 1) if z else data)
    try:
        found = read_idx(DataFile.at(path))
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert data.endswith(found.tobytes()) and list(found.shape) == [
            int.from_bytes(data[4 + 4 * n : 8 + 4 * n]) for n in range(data[3])
        ]


def test_counts_that_differ_name_both_files(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(3, 5, 4), [0, 1])
    assert "train-images holds 3 images, train-labels 2 labels; each image needs one" in refusal(tmp_path)


def test_labels_in_the_place_of_images_are_told(tmp_path: Path) -> None:
    put(tmp_path, "train-images-idx3-ubyte", np.array([0, 1], np.uint8))
    put(tmp_path, "train-labels-idx1-ubyte", np.array([0, 1], np.uint8))
    assert "no images among them (train-images-idx3-ubyte [2], train-labels-idx1-ubyte [2])" in refusal(tmp_path)
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1])
    put(tmp_path, "train-labels-idx1-ubyte", pictures(2, 4, 4))
    assert "labels are [N] class numbers" in refusal(tmp_path)


def test_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_idx(DataFile.at(tmp_path / "none"))
    put(tmp_path, "train-images-idx3-ubyte", pictures(2, 4, 4))
    for path in (tmp_path, tmp_path / "train-images-idx3-ubyte"):
        with pytest.raises(DataError, match=r"labels are missing: no train-labels-idx1-ubyte or .*\.gz beside it"):
            parts_of(path)


def test_splits_of_different_sizes_are_refused(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1])
    put_pair(tmp_path, "test", pictures(2, 5, 5), [0, 1])
    assert "images are 5 x 5, those of" in refusal(tmp_path)


def test_no_images_are_refused(tmp_path: Path) -> None:
    put_pair(tmp_path, "train", pictures(0, 4, 4), [])
    assert "holds no images" in refusal(tmp_path)


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


def test_pictures_beside_idx_files_are_not_mixed_up(tmp_path: Path) -> None:
    from PIL import Image

    put_pair(tmp_path, "train", pictures(2, 4, 4), [0, 1])
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "1.png")
    text = refusal(tmp_path)
    assert "`layout=idx`" in text and "`layout=class-folders`" in text
    shutil.rmtree(tmp_path / "cat")
