"""npz and npy files that are broken, that lie, or that could run code: one line each, and nothing is run."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.errors import DataError
from tests.array_files import GREY, LABELS, fault, npy_bytes, parts_of, save


class Mischief:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "run")


def test_objects_are_refused_and_never_run(tmp_path: Path) -> None:
    target = tmp_path / "mischief"
    objects = np.empty(6, object)
    objects[:] = Mischief(target)
    path = save(tmp_path / "a.npz", images=GREY, labels=objects)
    assert "may run code" in fault(path)
    assert "may run code" in fault(save(tmp_path / "b.npz", images=GREY, labels=LABELS, classes=objects))
    np.save(tmp_path / "images.npy", GREY)
    np.save(tmp_path / "labels.npy", objects, allow_pickle=True)
    with pytest.raises(DataError, match=r"labels\.npy: holds Python objects"):
        parts_of(tmp_path / "images.npy")
    (tmp_path / "images.npy").write_bytes(pickle.dumps(Mischief(target)))
    assert "not a numpy array file" in fault(tmp_path / "images.npy")
    assert not target.exists()


def test_every_cut_of_an_npy_file_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", LABELS[:2])
    whole = npy_bytes(GREY[:2])
    for kept in range(len(whole)):
        (tmp_path / "images.npy").write_bytes(whole[:kept])
        fault(tmp_path / "images.npy")
    (tmp_path / "images.npy").write_bytes(whole[:-3])
    assert "needs 40 bytes, found 37" in fault(tmp_path / "images.npy")
    (tmp_path / "images.npy").write_bytes(whole + b"123")
    assert "needs 40 bytes, found 43" in fault(tmp_path / "images.npy")


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_of_an_npz_file_is_said(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.npz"
    (np.savez_compressed if packed else np.savez)(path, images=GREY[:1], labels=LABELS[:1])
    whole = path.read_bytes()
    for kept in range(0, len(whole), 7):
        path.write_bytes(whole[:kept])
        fault(path)


@pytest.mark.parametrize("names", [("images", "ima\nges"), ("images", "images\n"), ("one\n", "two")])
def test_names_with_line_ends_are_refused_in_one_line(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, GREY[:1]))
    fault(tmp_path / "a.npz")


def flipped(data: Any, whole: bytes) -> bytes:
    """The bytes with one to three of them changed."""
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    return bytes(changed)


@given(st.data())
def test_flipped_bytes_are_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "flip.npz"
    np.savez_compressed(path, images=GREY[:1], labels=LABELS[:1])
    path.write_bytes(flipped(data, path.read_bytes()))
    try:
        parts_of(path)
    except DataError as error:
        assert "\n" not in str(error)


@given(st.data(), st.booleans())
def test_flipped_bytes_inside_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: Any, text: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "inside.npz"
    labels = np.array(["cat", "dog"]) if text else LABELS[:2]
    members = {"images": flipped(data, npy_bytes(GREY[:2])), "labels": flipped(data, npy_bytes(labels))}
    with zipfile.ZipFile(path, "w") as archive:  # the checksums are right
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    try:
        parts_of(path)
    except DataError as error:
        assert "\n" not in str(error)


@given(
    shape=st.lists(st.one_of(st.integers(-2, 7), st.just(2**40), st.just(2**62)), max_size=5),
    dtype=st.sampled_from(["|u1", "<f8", "<U0", "|V0", "|O", "<U3", "bad", "(2,)<i4"]),
)
def test_any_declared_shape_is_read_or_refused_without_taking_memory(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "declared"
    folder.mkdir(exist_ok=True)
    header = repr({"descr": dtype, "fortran_order": False, "shape": tuple(shape)}).encode().ljust(117) + b"\n"
    (folder / "images.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24))
    np.save(folder / "labels.npy", LABELS[:1])
    for path in (folder / "images.npy", folder):
        try:
            parts_of(path)
        except DataError as error:
            assert "\n" not in str(error)


def test_text_of_no_characters_is_refused(tmp_path: Path) -> None:
    for order in "<>":
        names = np.array([0x110000, 65, 66, 67, 68, 69], f"{order}u4").view(f"{order}U1")
        text = fault(save(tmp_path / f"{ord(order)}.npz", images=GREY, labels=names))
        assert "0x110000, which is no character" in text


@pytest.mark.parametrize("header", [b"{'descr': '|u1', 'shape': (3, ", b"{'descr': [('a', '<f4')" * 100, b"\xff" * 90])
def test_headers_that_are_no_python_are_refused(tmp_path: Path, header: bytes) -> None:
    header = header.ljust(117) + b"\n"
    (tmp_path / "images.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert "not a numpy array file" in fault(tmp_path / "images.npy")


def test_an_archive_that_claims_more_than_it_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", npy_bytes(GREY))
        archive.writestr("labels.npy", npy_bytes(LABELS))
    whole = bytearray(path.read_bytes())
    central = whole.index(b"PK\x01\x02")
    whole[central + 24 : central + 28] = (2**32 - 2).to_bytes(4, "little")  # the declared size of images.npy
    path.write_bytes(whole)
    assert "more than the archive can hold" in fault(path)


def test_a_zip_of_a_version_to_come_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", images=GREY, labels=LABELS)
    whole = bytearray(path.read_bytes())
    for place in (whole.index(b"PK\x01\x02") + 6, whole.index(b"PK\x03\x04") + 4):
        whole[place] = 255
    path.write_bytes(whole)
    assert "zip file version 25.5" in fault(path)


def test_files_that_are_none_are_said(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    assert "not an .npz file" in fault(tmp_path / "text.npz")
    (tmp_path / "text.npy").write_text("no array")
    assert "not a numpy array file" in fault(tmp_path / "text.npy")


def test_a_broken_array_beside_pictures_does_not_hide_them(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "1.png")
    (tmp_path / "broken.npz").write_text("no archive")
    (tmp_path / "broken.mat").write_text("no matrix")
    assert parts_of(tmp_path).classes == ("cat", "dog")
