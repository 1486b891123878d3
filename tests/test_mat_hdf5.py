"""MATLAB's and HDF5's files: variables, structs and groups as arrays, axes in MATLAB's order; broken ones are said."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.mat import plain_values
from sightlab.errors import DataError
from tests.array_files import COLOUR, GREY, LABELS, claimed, fault, parts_of
from tests.public_forms import stanford_cars
from tests.reading import decision

MATLAB_HEAD = b"MATLAB 5.0 MAT-file, Platform: PCWIN64, Created on: Mon Jan 01 00:00:00 2024"


def save_mat(path: Path, *, by_matlab: bool = False, packed: bool = False, **variables: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=packed)
    if by_matlab:  # MATLAB's own files say so in the text at their beginning
        whole = path.read_bytes()
        path.write_bytes(MATLAB_HEAD.ljust(116) + whole[116:])
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("names", [("X", "y"), ("images", "labels"), ("data", "target")])
def test_a_mat_file_of_images_and_labels_is_read(tmp_path: Path, packed: bool, names: tuple[str, str]) -> None:
    last = np.moveaxis(COLOUR, 0, 3)  # [H, W, C, N]
    path = save_mat(tmp_path / "a.mat", packed=packed, **dict(zip(names, (last, LABELS[:, None]), strict=True)))
    found = parts_of(path).splits["all"]
    np.testing.assert_array_equal(found.images, COLOUR)
    assert found.labels.tolist() == LABELS.tolist() and dict(claimed(path).splits) == {"all": 6}


def test_splits_of_two_mat_files_in_a_zip(tmp_path: Path) -> None:
    for split, step in (("train", 1), ("test", -1)):
        save_mat(tmp_path / f"{split}.mat", x=GREY[::step], y=LABELS[::step])
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for split in ("train", "test"):
            archive.write(tmp_path / f"{split}.mat", f"d/{split}.mat")
    parts = parts_of(tmp_path / "a.zip")
    np.testing.assert_array_equal(parts.splits["test"].images[..., 0], GREY[::-1])


def test_cells_of_texts_are_names(tmp_path: Path) -> None:
    names = np.array(["zebra", "ant", "mole"], dtype=object)
    path = save_mat(tmp_path / "a.mat", images=GREY, labels=LABELS + 1, classes=names)
    assert parts_of(path).classes == ("zebra", "ant", "mole")
    texts = np.array(["zebra", "ant", "mole"], dtype=object)[LABELS]
    assert parts_of(save_mat(tmp_path / "b.mat", images=GREY, labels=texts)).classes == ("ant", "mole", "zebra")
    mixed = np.array(["a", 2, "c", "d", "e", "f"], dtype=object)
    assert "other things than texts" in fault(save_mat(tmp_path / "c.mat", images=GREY, labels=mixed))


def test_fields_of_structs_are_arrays(tmp_path: Path) -> None:
    rows = GREY[:, :4].reshape(6, 16)
    dataset = {split: {"images": rows, "labels": LABELS[:, None]} for split in ("train", "test")}
    parts = parts_of(save_mat(tmp_path / "digits.mat", dataset=dataset))
    assert list(parts.splits) == ["train", "test"]
    np.testing.assert_array_equal(parts.splits["test"].images[..., 0], GREY[:, :4])


def test_rows_that_matlab_wrote_run_down_the_columns(tmp_path: Path) -> None:
    rows = GREY[:, :4].transpose(0, 2, 1).reshape(6, 16)
    parts = parts_of(save_mat(tmp_path / "a.mat", by_matlab=True, X=rows, y=LABELS))
    np.testing.assert_array_equal(parts.splits["all"].images[..., 0], GREY[:, :4])
    assert parts.notes == (
        "X: flattened pictures of MATLAB are read column by column; if they lie on their side, save [N, H, W]",
    )


def test_emnists_struct_is_upright_and_named(tmp_path: Path) -> None:
    pictures = np.arange(3 * 784, dtype=np.uint32).reshape(3, 28, 28).astype(np.uint8)
    rows = pictures.transpose(0, 2, 1).reshape(3, 784)
    split = {"images": rows, "labels": np.array([[1], [3], [26]])}
    mapping = np.array([[n, 64 + n, 96 + n] for n in range(1, 27)])
    for by_matlab in (False, True):
        path = save_mat(
            tmp_path / "emnist-letters.mat",
            by_matlab=by_matlab,
            dataset={"train": split, "test": split, "mapping": mapping},
        )
        parts = parts_of(path)
        assert parts.classes[:3] == ("A", "B", "C") and len(parts.classes) == 26
        np.testing.assert_array_equal(parts.splits["train"].images[..., 0], pictures)
        assert parts.splits["test"].labels.tolist() == [0, 2, 25]
        assert any("upright" in note for note in parts.notes)


def test_every_cut_of_a_mat_file_is_said(tmp_path: Path) -> None:
    path = save_mat(tmp_path / "a.mat", packed=True, x=GREY, y=LABELS)
    whole = path.read_bytes()
    for kept in range(1, len(whole) - 1, 5):
        path.write_bytes(whole[:kept])
        try:  # scipy reads the variables that are whole
            parts_of(path)
        except DataError as error:
            assert "\n" not in str(error) and "a.mat" in str(error)
    path.write_bytes(whole[:200])
    fault(path)


@given(st.data(), st.booleans())
def test_flipped_bytes_of_a_mat_file_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: Any, packed: bool
) -> None:
    stream = io.BytesIO()
    savemat(stream, {"x": GREY[:2], "y": LABELS[:2], "s": {"a": np.arange(3)}}, do_compression=packed)
    whole = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(124, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flip.mat"
    path.write_bytes(whole)
    try:
        parts_of(path)
    except DataError as error:
        assert "\n" not in str(error)


def test_hdf5_groups_are_splits(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        for split, step in (("train", 1), ("test", -1)):
            root.create_dataset(f"{split}/images", data=GREY[::step], compression="gzip")
            root[f"{split}/labels"] = LABELS[::step]
        root["class_names"] = ["zebra", "ant", "mole"]
    for path in (tmp_path / "a.h5", tmp_path):
        parts = parts_of(path)
        assert list(parts.splits) == ["train", "test"] and parts.classes == ("zebra", "ant", "mole")
        np.testing.assert_array_equal(parts.splits["test"].images[..., 0], GREY[::-1])


def test_two_hdf5_files_of_a_split_each(tmp_path: Path) -> None:
    for split in ("train", "test"):
        with h5py.File(tmp_path / f"{split}_catvnoncat.h5", "w") as root:
            root[f"{split}_set_x"], root[f"{split}_set_y"] = COLOUR, LABELS % 2
            root["list_classes"] = np.array([b"non-cat", b"cat"])
    parts = parts_of(tmp_path)
    assert list(parts.splits) == ["train", "test"] and parts.classes == ("non-cat", "cat")
    assert list(parts_of(tmp_path / "train_catvnoncat.h5").splits) == ["train"]


def test_hdf5_inside_a_zip_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as root:
        root["x"], root["y"] = GREY, LABELS
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "b.zip", "w", kind) as archive:
            archive.write(tmp_path / "a.hdf5", "a.hdf5")
        np.testing.assert_array_equal(parts_of(tmp_path / "b.zip").splits["all"].images[..., 0], GREY)


def test_matlabs_seventh_version_has_its_axes_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as root:
        for name, value in (("X", np.moveaxis(COLOUR, 0, 3)), ("y", LABELS[:, None])):
            root[name] = value.T
            root[name].attrs["MATLAB_class"] = np.bytes_("uint8")
        root["#refs#/a"] = np.zeros((6, 5, 4, 3))
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
    found = parts_of(path).splits["all"]
    np.testing.assert_array_equal(found.images, COLOUR)
    assert found.labels.tolist() == LABELS.tolist()


def test_hdf5_never_reads_other_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(GREY.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as root:
        root["x"] = GREY
    (tmp_path / "d").mkdir()
    with h5py.File(tmp_path / "d" / "a.h5", "w") as root:
        root.create_dataset("images", GREY.shape, "u1", external=[(str(secret), 0, secret.stat().st_size)])
        root["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
        layout = h5py.VirtualLayout(GREY.shape, "u1")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", GREY.shape)
        root.create_virtual_dataset("data", layout)
        root["y"] = LABELS
    assert "found y" in fault(tmp_path / "d" / "a.h5")


def test_hdf5_of_encoded_pictures_or_false_sizes_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.create_dataset("images", (2**20, 2**10, 2**10), "u1", chunks=(1, 64, 64))
        root["labels"] = np.zeros(2**20, np.uint8)
    assert "more than the file holds" in fault(tmp_path / "a.h5", one_class=True)
    with h5py.File(tmp_path / "b.h5", "w") as root:
        root["images"] = GREY
        root.create_dataset("labels", (6,), h5py.vlen_dtype(np.uint8))
    assert "different lengths" in fault(tmp_path / "b.h5")


def test_texts_of_hdf5_are_read_from_an_archive_and_a_broken_heap_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as root:
        root["images"] = GREY
        root["labels"] = ["zebra", "ant", "zebra", "mole", "ant", "é"]
        root["class_names"] = np.array([b"ant", b"mole", b"zebra", "é".encode()])
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "a.h5")
    for one in (path, tmp_path / "a.zip"):
        found = parts_of(one).splits["all"]
        assert found.classes == ("ant", "mole", "zebra", "é") and found.labels.tolist() == [2, 0, 2, 1, 0, 3]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"GCOL", b"GONE"))
    assert "its texts cannot be read" in fault(path)
    with h5py.File(path, "w") as root:
        root["images"], root["labels"] = GREY, ["x" * 5000] * 6
    assert "longer than names are" in fault(path)


def test_a_models_weights_are_no_pictures(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as root:
        root["model_weights/conv/kernel:0"] = np.zeros((3, 3, 3, 32), np.float32)
        root["model_weights/conv/bias:0"] = np.zeros(32, np.float32)
    assert "expected arrays called images and labels" in fault(tmp_path / "model.h5")


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["x"], root["y"] = GREY, LABELS
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    assert "install sightlab[hdf5]" in fault(tmp_path / "a.h5")


@given(st.data())
def test_flipped_bytes_of_hdf5_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "flip.h5"
    with h5py.File(path, "w") as root:
        root["x"], root["y"] = GREY[:2], LABELS[:2]
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        parts_of(path)
    except DataError as error:
        assert "\n" not in str(error)


def test_patch_camelyons_files_are_a_set(tmp_path: Path) -> None:
    import gzip

    for split, step in (("train", 1), ("valid", -1)):
        for key, value in (("x", COLOUR[::step]), ("y", (LABELS[::step] % 2).reshape(6, 1, 1, 1))):
            path = tmp_path / f"camelyonpatch_level_2_split_{split}_{key}.h5"
            with h5py.File(path, "w") as root:
                root[key] = value
            if split == "valid":
                (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
                path.unlink()
    parts = parts_of(tmp_path)
    assert list(parts.splits) == ["train", "validation"]
    np.testing.assert_array_equal(parts.splits["validation"].images, COLOUR[::-1])
    assert parts.splits["train"].labels.tolist() == (LABELS % 2).tolist()


def test_mat_variables_have_the_values_that_scipy_reads(tmp_path: Path) -> None:
    rows = [
        {"class": 3.0, "fname": "1.jpg", "box": np.array([1, 2])},
        {"class": 12.0, "fname": "", "box": np.array([])},
    ]
    table = np.array([tuple(row.values()) for row in rows], [(name, object) for name in rows[0]])
    texts = np.array(["ant", "bee wolf"], object)
    values = {"rows": table, "one": table[:1], "texts": texts, "n": np.uint16(7), "m": np.arange(6).reshape(2, 3)}
    for packed in (False, True):
        path = save_mat(tmp_path / "a.mat", packed=packed, **values)
        theirs = loadmat(path, squeeze_me=True, struct_as_record=False)
        found = plain_values(DataFile.at(path))
        assert found["n"] == theirs["n"] and found["m"] == theirs["m"].tolist()
        assert found["texts"] == theirs["texts"].tolist()
        for mine, other in zip([*found["rows"], found["one"]], [*theirs["rows"], theirs["one"]], strict=True):
            assert mine["class"] == getattr(other, "class") and list(mine["fname"]) == list(other.fname)
            assert mine["box"] == other.box.tolist()


@given(st.data())
def test_flipped_bytes_of_lists_in_mat_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    root = tmp_path_factory.getbasetemp() / "cars"
    if not root.exists():
        stanford_cars().at(root)
    path = root / data.draw(st.sampled_from(["devkit/cars_train_annos.mat", "devkit/cars_meta.mat"]))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        flipped[data.draw(st.integers(124, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(flipped)
    try:
        refusal = decision(root).refusal
        assert "\n" not in refusal
    finally:
        path.write_bytes(whole)
