"""Known forms of arrays: one array a class, CIFAR's records, SVHN; and the forms that are known and not read."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from sightlab.data.formats.cifar import PIXELS
from sightlab.data.imageset import UNDIVIDED
from sightlab.data.named_sets import FINE, OBJECTS, SUPERCLASSES
from tests.array_files import claimed, fault, parts_of, save, save_npy

GENERATOR = np.random.default_rng(0)


def rows(count: int, pixels: int = 784) -> Any:
    return GENERATOR.integers(0, 256, (count, pixels), dtype=np.uint8)


def quickdraw(folder: Path, **classes: Any) -> Path:
    for name, array in classes.items():
        save_npy(folder / f"full_numpy_bitmap_{name}.npy", array)
    return folder


def test_quick_draw_has_an_array_a_class(tmp_path: Path) -> None:
    drawn = {"apple": rows(5), "camel": rows(3), "cat": rows(4), "train": rows(2)}  # train is a class here
    parts = parts_of(quickdraw(tmp_path, **drawn))
    assert parts.classes == ("apple", "camel", "cat", "train") and list(parts.splits) == [UNDIVIDED]
    found = parts.splits[UNDIVIDED]
    assert found.labels.tolist() == [0] * 5 + [1] * 3 + [2] * 4 + [3] * 2
    np.testing.assert_array_equal(found.images, np.concatenate(list(drawn.values())).reshape(-1, 28, 28, 1))
    assert claimed(tmp_path).layout == "array-per-class"
    assert parts_of(tmp_path, classes="cat,apple").splits[UNDIVIDED].labels.tolist() == [1] * 5 + [0] * 4


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (784,)])
def test_an_array_a_class_by_plain_names(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for name, count in (("pos", 4), ("neg", 3)):
        save_npy(tmp_path / f"{name}.npy", GENERATOR.integers(0, 256, (count, *shape), dtype=np.uint8))
    parts = parts_of(tmp_path)
    assert parts.classes == ("neg", "pos") and len(parts.splits[UNDIVIDED]) == 7


def test_an_array_a_class_in_split_folders_and_in_one_npz(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        for name in ("cat", "dog"):
            save_npy(tmp_path / "d" / split / f"{name}.npy", rows(count))
    parts = parts_of(tmp_path / "d")
    assert {split: len(images) for split, images in parts.splits.items()} == {"train": 8, "test": 4}
    parts = parts_of(save(tmp_path / "a.npz", cat=rows(3), dog=rows(2)))
    assert parts.classes == ("cat", "dog") and len(parts.splits[UNDIVIDED]) == 5


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"part_1": rows(4), "part_2": rows(3)}, "differ by a number alone"),
        ({"cat": rows(9, 64) / 255, "dog": rows(8, 64) / 255}, "may be other things than pixels"),
        ({"cat": rows(100, 256), "dog": rows(100, 256)}, "may be one picture of 100 x 256 pixels"),
    ],
)
def test_what_may_be_no_class_an_array_is_asked_about(tmp_path: Path, arrays: dict[str, Any], says: str) -> None:
    for name, array in arrays.items():
        save_npy(tmp_path / f"{name}.npy", array)
    text = fault(tmp_path)
    assert says in text and text.endswith("`layout=array-per-class` reads them so")
    assert len(parts_of(tmp_path, layout="array-per-class").classes) == 2


@pytest.mark.parametrize(
    "names",
    [("images", "masks"), ("x_train", "x_test"), ("train", "test"), ("embeddings_a", "embeddings_b"), ("mean", "std")],
)
def test_arrays_that_are_no_classes_are_no_classes(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        save_npy(tmp_path / f"{name}.npy", GENERATOR.integers(0, 256, (5, 8, 8), dtype=np.uint8))
    fault(tmp_path)


def test_single_pictures_as_arrays_are_no_classes(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        save_npy(tmp_path / f"{name}.npy", GENERATOR.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    assert "expected arrays called images and labels" in fault(tmp_path)


CIFAR10 = {"train": [f"data_batch_{n}.bin" for n in range(1, 6)], "test": ["test_batch.bin"]}


def put_cifar(folder: Path, label_bytes: list[list[int]], files: dict[str, list[str]]) -> dict[str, Any]:
    """Files of CIFAR's binary version, and their pixels channels first by name."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = {}
    for name in (name for own in files.values() for name in own):
        pixels[name] = GENERATOR.integers(0, 256, (len(label_bytes), 3, 32, 32), dtype=np.uint8)
        content = b"".join(bytes(own) + one.tobytes() for own, one in zip(label_bytes, pixels[name], strict=True))
        (folder / name).write_bytes(content)
    return pixels


@pytest.mark.parametrize("form", ["folder", "gztar", "zip", "above"])
def test_cifar10_is_read_from_folder_and_archive(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "d" / "cifar-10-batches-bin"
    pixels = put_cifar(folder, [[0], [9], [3]], CIFAR10)
    (folder / "batches.meta.txt").write_text("\n".join(OBJECTS))
    path = {"folder": folder, "above": folder.parent}.get(form)
    if path is None:
        path = Path(shutil.make_archive(str(tmp_path / "any-name"), form, folder.parent, folder.name))
    parts = parts_of(path)
    assert parts.classes == OBJECTS and claimed(path).layout == "cifar-binary" and not parts.notes
    assert parts.splits["train"].labels.tolist() == [0, 9, 3] * 5 and parts.splits["test"].numbered
    ordered = np.concatenate([pixels[name] for name in CIFAR10["train"]])
    np.testing.assert_array_equal(parts.splits["train"].images, ordered.transpose(0, 2, 3, 1))


def test_cifar100_has_two_kinds_of_labels(tmp_path: Path) -> None:
    put_cifar(tmp_path, [[0, 4], [19, 99]], {"train": ["train.bin"], "test": ["test.bin"]})
    parts = parts_of(tmp_path)
    assert parts.classes == FINE and parts.splits["test"].labels.tolist() == [4, 99]
    parts = parts_of(tmp_path, label="coarse")
    assert parts.classes == tuple(SUPERCLASSES) and parts.splits["test"].labels.tolist() == [0, 19]
    assert "`label=coarse` or `label=fine`" in fault(tmp_path, label="medium")


def test_a_part_of_cifar_is_read_and_said(tmp_path: Path) -> None:
    put_cifar(tmp_path, [[0], [9]], {"train": ["data_batch_2.bin"]})
    assert "cifar-10-batches-bin lacks 5 files (data_batch_1.bin" in parts_of(tmp_path).notes[0]
    parts = parts_of(tmp_path / "data_batch_2.bin")
    assert list(parts.splits) == [UNDIVIDED] and parts.classes == OBJECTS and not parts.notes


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"\xff" + b[1:], lambda b: b""])
def test_a_damaged_cifar_file_is_refused(tmp_path: Path, damage: Any) -> None:
    put_cifar(tmp_path, [[0], [9]], CIFAR10)
    file = tmp_path / "test_batch.bin"
    file.write_bytes(damage(file.read_bytes()))
    assert "test_batch.bin" in fault(tmp_path)


def test_other_bin_files_are_not_cifar(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(b"\xff" * (PIXELS + 2))
    (tmp_path / "test.bin").write_bytes(b"weights")
    assert "cifar" not in fault(tmp_path).casefold().replace(str(tmp_path).casefold(), "")


def test_cifar_takes_no_words_of_other_forms(tmp_path: Path) -> None:
    put_cifar(tmp_path, [[0], [9]], CIFAR10)
    assert "takes no `shape=`" in fault(tmp_path, shape="32x32")


def svhn(folder: Path, *splits: str) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for split in splits:
        found[split] = GENERATOR.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
        variables = {"X": found[split].transpose(1, 2, 3, 0), "y": np.array([[1], [10], [5], [9]], np.uint8)}
        savemat(folder / f"{split}_32x32.mat", variables)
    return found


def test_svhns_tenth_label_is_the_digit_zero(tmp_path: Path) -> None:
    pictures = svhn(tmp_path, "train", "test", "extra")
    parts = parts_of(tmp_path)
    assert parts.classes == tuple("0123456789") and list(parts.splits) == ["train", "test"]
    for split, images in parts.splits.items():
        assert images.labels.tolist() == [1, 0, 5, 9] and images.numbered
        np.testing.assert_array_equal(images.images, pictures[split])
    assert parts.notes[0] == "SVHN: label 10 is the digit 0" and "extra_32x32.mat" in parts.notes[1]
    lone = parts_of(tmp_path / "extra_32x32.mat").splits[UNDIVIDED]
    np.testing.assert_array_equal(lone.images, pictures["extra"])
    assert parts_of(tmp_path, layout="arrays", config="extra").classes == ("1", "5", "9", "10")


def test_a_file_called_as_svhns_with_other_labels_is_refused(tmp_path: Path) -> None:
    variables = {"X": np.zeros((32, 32, 3, 3), np.uint8), "y": np.array([[0], [11], [5]])}
    savemat(tmp_path / "train_32x32.mat", variables)
    assert "has the label 0; the labels of this set are 1 to 10" in fault(tmp_path / "train_32x32.mat")


class Mischief:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "run")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ["cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch"],
            "`sightlab data show cifar10` fetches",
        ),
        (
            ["cifar-100-python/train", "cifar-100-python/meta"],
            "`sightlab data show cifar100` fetches the binary version",
        ),
        (["mnist.pkl.gz"], "`sightlab data show mnist` fetches MNIST as idx files"),
        (["train.pickle"], "save its arrays as npz"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "tar", "file"])
def test_pickles_are_refused_by_what_they_are_and_never_run(
    tmp_path: Path, names: list[str], says: str, form: str
) -> None:
    target = tmp_path / "mischief"
    for name in names:
        content = pickle.dumps({b"data": np.zeros(3), b"labels": Mischief(target)}, 2)
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    path = {"folder": tmp_path / "d", "file": tmp_path / "d" / names[0]}.get(form)
    path = path or Path(shutil.make_archive(str(tmp_path / "packed"), "gztar", tmp_path / "d"))
    text = fault(path)
    assert "which could run code" in text and says in text and not target.exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(90), "is a 7z archive; unpack it"),
        ("a.rar", b"Rar!\x1a\x07\x01\x00" + bytes(90), "is a RAR archive; unpack it"),
        ("a.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(90), "is a Zstandard archive; unpack it"),
        ("a.dcm", bytes(128) + b"DICM" + bytes(90), "is a DICOM file; convert it to PNG"),
        ("a.nii", bytes(344) + b"n+1\0" + bytes(9), "is a NIfTI file; save its slices"),
        ("a.tfrecord", struct.pack("<Q", 5) + bytes(90), "is a TFRecord file; export its pictures"),
    ],
)
def test_other_forms_are_named_with_the_way_out(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert says in fault(path)
    assert says.split(";")[1] in fault(tmp_path)


def test_an_lmdb_database_is_one_thing(tmp_path: Path) -> None:
    for name in ("data.mdb", "lock.mdb"):
        (tmp_path / name).write_bytes(bytes(16) + b"\xde\xc0\xef\xbe" + bytes(90))
    assert "holds an LMDB database (data.mdb, lock.mdb); export its pictures" in fault(tmp_path)


def test_a_workbook_is_told_from_other_archives(tmp_path: Path) -> None:
    path = tmp_path / "labels.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            archive.writestr(name, "<x/>")
    assert "is an Excel workbook; save the sheet as CSV" in fault(path)


def test_weights_beside_a_set_do_not_hide_it(tmp_path: Path) -> None:
    save(tmp_path / "data.npz", x_train=rows(6).reshape(6, 28, 28), y_train=np.arange(6) % 2)
    (tmp_path / "model.pth").write_bytes(pickle.dumps({"weights": [1.0]}, 2))
    (tmp_path / "history.json").write_text(json.dumps({"loss": [1, 2]}))
    assert len(parts_of(tmp_path).splits["train"]) == 6
    assert claimed(tmp_path).unused == ("1 other file (model.pth) ignored",)
