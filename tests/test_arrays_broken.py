"""npz and npy files that are broken, that lie, or that could run code: one line each, and nothing is run."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightlab.data.formats.arrays import read_npy_pair, read_npz
from sightlab.errors import DataError
from tests.array_files import GREY, LABELS, fault, save


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
    np.save(tmp_path / "images.npy", GREY)
    np.save(tmp_path / "labels.npy", objects, allow_pickle=True)
    with pytest.raises(DataError, match=r"labels\.npy: holds Python objects"):
        read_npy_pair(tmp_path / "images.npy")
    (tmp_path / "images.npy").write_bytes(pickle.dumps(Mischief(target)))
    with pytest.raises(DataError, match="not a numpy array file"):
        read_npy_pair(tmp_path / "images.npy")
    assert not target.exists()


def npy_bytes(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


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
    with pytest.raises(DataError) as refused:
        read_npz(tmp_path / "a.npz")
    assert "\n" not in str(refused.value)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_flipped_bytes_are_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "flip.npz"
    np.savez_compressed(path, images=GREY[:1], labels=LABELS[:1])
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        read_npz(path)
    except DataError as error:
        assert "\n" not in str(error)


@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.one_of(st.integers(-2, 7), st.just(2**40), st.just(2**62)), max_size=5),
    dtype=st.sampled_from(["|u1", "<f8", "<U0", "|V0", "|O", "<U3", "bad", "(2,)<i4"]),
)
def test_any_declared_shape_is_read_or_refused_without_taking_memory(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    header = repr({"descr": dtype, "fortran_order": False, "shape": tuple(shape)}).encode().ljust(117) + b"\n"
    (folder / "images.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24))
    np.save(folder / "labels.npy", LABELS[:1])
    try:
        read_npy_pair(folder / "images.npy")
    except DataError as error:
        assert "\n" not in str(error)


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


def test_files_that_are_not_there_are_said(tmp_path: Path) -> None:
    assert "no such file" in fault(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    assert "not an .npz file" in fault(tmp_path / "text.npz")
