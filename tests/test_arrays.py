"""npz and npy files: every layout in use gives the same set; what could run code or does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightlab.data.formats.arrays import as_images, read_npy_pair, read_npz, role, write_npz
from sightlab.data.imageset import UNDIVIDED, ImageSet
from sightlab.errors import DataError
from tests.array_files import GREY, LABELS, fault, save

GENERATOR = np.random.default_rng(0)
COLOUR = GENERATOR.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("images", "labels"),
    [("images", "labels"), ("x", "y"), ("data", "labels"), ("arr_0", "arr_1"), ("X", "Y"), ("imgs", "targets")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_pair_of_names_is_an_undivided_set(tmp_path: Path, images: str, labels: str, packed: bool) -> None:
    write = np.savez_compressed if packed else np.savez
    write(tmp_path / "a.npz", **{images: GREY, labels: LABELS})  # type: ignore[arg-type]
    found = read_npz(tmp_path / "a.npz").splits[UNDIVIDED]
    np.testing.assert_array_equal(found.images, GREY[..., None])
    assert found.labels.tolist() == LABELS.tolist() and found.classes == ("0", "1", "2") and found.numbered


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "Y_train", "X_test", "Y_test"),
    ],
)
def test_keras_and_medmnist_names_are_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays = dict(zip(names, (COLOUR, LABELS[:, None], COLOUR[:2], LABELS[:2, None].astype(np.uint8)), strict=True))
    parts = read_npz(save(tmp_path / "a.npz", **arrays))
    assert list(parts.splits) == ["train", "test"] and parts.classes == ("0", "1", "2")
    np.testing.assert_array_equal(parts.splits["test"].images, COLOUR[:2])
    assert parts.splits["test"].labels.tolist() == [2, 0]


def test_medmnist_has_a_validation_split(tmp_path: Path) -> None:
    arrays = {f"{s}_images": GREY for s in ("train", "val", "test")} | {
        f"{s}_labels": LABELS for s in ("train", "val", "test")
    }
    assert list(read_npz(save(tmp_path / "a.npz", **arrays)).splits) == ["train", "validation", "test"]


def test_an_array_alone_takes_its_labels_from_the_file_beside_it(tmp_path: Path) -> None:
    save(tmp_path / "kmnist-train-imgs.npz", arr_0=GREY)
    assert "labels are missing" in fault(tmp_path / "kmnist-train-imgs.npz")
    save(tmp_path / "kmnist-train-labels.npz", arr_0=LABELS)
    save(tmp_path / "kmnist-test-labels.npz", arr_0=LABELS[::-1])
    found = read_npz(tmp_path / "kmnist-train-imgs.npz").splits[UNDIVIDED]
    assert found.labels.tolist() == LABELS.tolist()


def test_npy_files_are_read_as_a_pair_or_a_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        np.save(tmp_path / f"{split}_images.npy", GREY)
        np.save(tmp_path / f"{split}_labels.npy", LABELS)
    assert list(read_npy_pair(tmp_path).splits) == ["train", "test"]
    assert list(read_npy_pair(tmp_path / "test_images.npy").splits) == [UNDIVIDED]
    (tmp_path / "xy").mkdir()
    np.save(tmp_path / "xy" / "x_train.npy", np.asfortranarray(COLOUR))
    np.save(tmp_path / "xy" / "y_train.npy", np.array(["cat", "ant", "bee", "bee", "cat", "ant"]))
    for path in (tmp_path / "xy", tmp_path / "xy" / "x_train.npy"):
        (found,) = read_npy_pair(path).splits.values()
        np.testing.assert_array_equal(found.images, COLOUR)
        assert [found.classes[n] for n in found.labels] == ["cat", "ant", "bee", "bee", "cat", "ant"]
        assert not found.numbered


def test_text_labels_of_bytes_are_read(tmp_path: Path) -> None:
    labels = np.array(["é", "b", "b", "c", "c", "c"])
    found = read_npz(save(tmp_path / "a.npz", images=GREY, labels=np.char.encode(labels, "utf-8"))).splits[UNDIVIDED]
    assert found.classes[found.labels[0]] == "é"


@pytest.mark.parametrize("key", ["classes", "class_names"])
def test_class_names_keep_their_order(tmp_path: Path, key: str) -> None:
    names = np.array(["zebra", "ant", "mole", "never seen"])
    by_number = read_npz(save(tmp_path / "a.npz", images=GREY, labels=LABELS, **{key: names})).splits[UNDIVIDED]
    by_name = read_npz(save(tmp_path / "b.npz", images=GREY, labels=names[LABELS], **{key: names})).splits[UNDIVIDED]
    for found in (by_number, by_name):
        assert found.classes == tuple(names) and found.labels.tolist() == LABELS.tolist()
    assert "labels run from 0 to 2" in fault(save(tmp_path / "c.npz", images=GREY, labels=LABELS, **{key: names[:2]}))
    assert "'mole' is none of" in fault(save(tmp_path / "d.npz", images=GREY, labels=names[LABELS], **{key: names[:2]}))
    assert "the same name" in fault(save(tmp_path / "e.npz", images=GREY, labels=LABELS, **{key: names[[0, 0, 1]]}))


@pytest.mark.parametrize("split", ["train", UNDIVIDED])
@pytest.mark.parametrize("classes", [("0", "1", "2"), ("zebra", "ant", "mole")])
def test_what_is_written_is_read(tmp_path: Path, split: str, classes: tuple[str, ...]) -> None:
    splits = {split: ImageSet(COLOUR, LABELS, classes, numbered=True)}
    if split == "train":
        splits["test"] = ImageSet(COLOUR[:2], LABELS[:2], classes, numbered=True)
    write_npz(splits, tmp_path / "new" / "a.npz")
    parts = read_npz(tmp_path / "new" / "a.npz")
    assert list(parts.splits) == list(splits)
    for name, images in splits.items():
        np.testing.assert_array_equal(parts.splits[name].images, images.images)
        np.testing.assert_array_equal(parts.splits[name].labels, images.labels)
        assert parts.splits[name].classes == classes and parts.splits[name].numbered
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.npz"]
    with np.load(tmp_path / "new" / "a.npz", allow_pickle=False) as plain:
        assert plain["classes"].tolist() == list(classes)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        write_npz({"train": ImageSet(COLOUR, LABELS, ("0", "1", "2"))}, tmp_path / "taken" / "a.npz")


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_first_are_put_last(channels: int) -> None:
    last = GENERATOR.integers(0, 256, (2, 6, 5, channels), dtype=np.uint8)
    found = as_images("a", np.moveaxis(last, 3, 1))
    np.testing.assert_array_equal(found, last)
    assert found.flags.c_contiguous


def test_three_pixels_high_colour_pictures_are_left_as_they_are() -> None:
    images = GENERATOR.integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(as_images("a", images), images)


EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_byte_survives_floats(dtype: type) -> None:
    np.testing.assert_array_equal(as_images("a", EVERY_BYTE.astype(dtype) / dtype(255))[..., 0], EVERY_BYTE)
    np.testing.assert_array_equal(as_images("a", (EVERY_BYTE / 255.0).astype(dtype))[..., 0], EVERY_BYTE)
    np.testing.assert_array_equal(as_images("a", EVERY_BYTE.astype(dtype))[..., 0], EVERY_BYTE)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint64])
def test_every_byte_survives_wider_integers(dtype: type) -> None:
    np.testing.assert_array_equal(as_images("a", EVERY_BYTE.astype(dtype))[..., 0], EVERY_BYTE)


@pytest.mark.parametrize("value", [-1.0, 256.0, 3.5, 0.5001, np.nan, np.inf, 1.5])
@pytest.mark.parametrize("top", [1.0, 255.0])
def test_values_that_are_no_bytes_are_refused(value: float, top: float) -> None:
    images = np.zeros((2, 3, 3), np.float32)
    images[1, 1, 1], images[1, 2, 2] = value, top
    with pytest.raises(DataError, match="not exact bytes"):
        as_images("a", images)


def test_images_of_other_kinds_are_refused() -> None:
    for array, says in [
        (np.zeros((2, 784), np.uint8), r"shape \[2, 784\]"),
        (np.zeros((2, 3, 3), np.complex64), "complex64"),
        (np.zeros((2, 3, 3), "U3"), "<U3"),
        (np.zeros((0, 3, 3), np.uint8), "holds no images"),
        (np.full((1, 3, 3), -5, np.int8), "not exact bytes"),
    ]:
        with pytest.raises(DataError, match=says):
            as_images("a", array)


def test_a_key_that_is_missing_names_those_that_are_there(tmp_path: Path) -> None:
    assert "found mean, notes" in fault(save(tmp_path / "a.npz", mean=LABELS, notes=LABELS))
    assert "x_train has no labels; found x_train, y_test" in fault(
        save(tmp_path / "b.npz", x_train=GREY, y_test=LABELS)
    )
    assert "keep one" in fault(save(tmp_path / "c.npz", x=GREY, images=GREY, labels=LABELS))
    assert "found images, labels, x_train" in fault(save(tmp_path / "d.npz", images=GREY, labels=LABELS, x_train=GREY))
    (tmp_path / "empty").mkdir()
    assert "found none" in fault(tmp_path / "empty")


def test_arrays_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    assert "6 images, labels 5 labels" in fault(save(tmp_path / "a.npz", images=GREY, labels=LABELS[:5]))
    assert "[6, 3]; labels are" in fault(save(tmp_path / "b.npz", images=GREY, labels=np.eye(3, dtype=int)[LABELS]))
    assert "labels are integers or text" in fault(save(tmp_path / "c.npz", images=GREY, labels=LABELS / 2))
    assert "is empty text" in fault(
        save(tmp_path / "d.npz", images=GREY, labels=np.array(["a", "", "b", "a", "a", "a"]))
    )
    extra = {"train_images": GREY, "train_labels": LABELS, "test_images": GREY[:1], "test_labels": np.array([7])}
    assert "the label '7'" in fault(save(tmp_path / "e.npz", **extra))
    extra |= {"test_images": GREY[:1, :3], "test_labels": LABELS[:1]}
    assert "3 x 4 x 1" in fault(save(tmp_path / "f.npz", **extra))


@pytest.mark.parametrize("key", ["mean", "std", "index", "boxes", "xmin"])
def test_other_keys_have_no_role(key: str) -> None:
    assert role(key) is None
