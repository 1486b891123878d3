"""HDF5 files, read with h5py, MATLAB 7.3 files among them: each data set is an array named by its path."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sightlab.data.containers.base import DataFile, unpacked
from sightlab.data.formats.file_io import DEFLATE_LIMIT, GZIP, opened, reading
from sightlab.data.formats.mat import HDF5_HEAD
from sightlab.data.formats.npy import without_suffix
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.errors import DataError, one_line

MOST_ARRAYS = 20_000
LONGEST_TEXT = 4096
SECONDS = 120
# HDF5's own library never comes back from some damaged files with texts in them, so another process reads these.
READ_TEXTS = """
import json, sys
import h5py
with h5py.File(sys.argv[1], "r") as root:
    item, found = root[sys.argv[2]].asstr("utf-8"), []
    flat = [()] if root[sys.argv[2]].ndim == 0 else range(0, len(item), 1024)
    for start in flat:
        part = item[()] if start == () else item[start : start + 1024]
        texts = [part] if isinstance(part, str) else part.ravel().tolist()
        if max(map(len, texts), default=0) > int(sys.argv[3]):
            sys.exit(3)
        found += texts
print(json.dumps(found))
"""
# What h5py raises on files that are not what they seem.
BROKEN = (
    *(OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, ArithmeticError, EOFError),
    *(NotImplementedError, MemoryError),
)


def hdf5_arrays(file: DataFile) -> list[StoredArray]:
    """The data sets of an HDF5 file, their heads read. Raises DataError: h5py is missing, or the file is broken.

    Those whose values lie in other files are left out: nothing outside the source is read.
    """
    is_matlab = file.head(len(HDF5_HEAD)) == HDF5_HEAD
    with opened_hdf5(file) as root:
        names = names_of(root, file)
        return [stored(file, name, root[name], is_matlab) for name in names]


@contextmanager
def opened_hdf5(file: DataFile) -> Iterator[Any]:
    """The file's root group. Raises DataError."""
    try:
        import h5py
    except ImportError:
        raise DataError(f"{file}: HDF5 files are read by h5py, which is not here; install sightlab[hdf5]") from None
    packed = file.head(2) == GZIP
    with plain(file) if packed else file.open() as stream, reading(file):
        try:
            with h5py.File(stream if packed or file.path is None else file.path, "r") as root:
                yield root
        except BROKEN as error:
            raise DataError(f"{file}: not a whole HDF5 file: {one_line(error)[:120]}; write it again") from None


def plain(file: DataFile) -> BinaryIO:
    """What a file packed by gzip holds, in an unnamed file of its own: HDF5 is read to and fro. Raises DataError."""
    with opened(file) as (stream, most):
        return unpacked(stream, most, file.shown)


def names_of(root: Any, file: DataFile) -> list[str]:
    """The paths of the data sets, links followed nowhere."""
    import h5py

    found: list[str] = []

    def take(name: Any, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not str(name).startswith("#"):
            if not item.external and not item.is_virtual:
                found.append(str(name))
            if len(found) > MOST_ARRAYS:
                raise DataError(f"{file}: holds more than {MOST_ARRAYS:,} arrays; join them into one of images")

    root.visititems(take)
    return found


def stored(file: DataFile, name: str, item: Any, is_matlab: bool) -> StoredArray:
    """One data set. MATLAB's dimensions are stored in reverse."""
    shape = tuple(int(n) for n in item.shape or ())
    text = is_text(item.dtype)

    def load() -> Array:
        with opened_hdf5(file) as root:
            return values_of(file, name, root[name], is_matlab)

    return StoredArray(
        f"{without_suffix(file.name)}/{name}",
        f"{file.name} ({name})",
        f"{file} ({name})",
        shape[::-1] if is_matlab else shape,
        np.dtype(np.str_) if text else item.dtype,
        load,
        is_matlab,
    )


def is_text(dtype: np.dtype[Any]) -> bool:
    """Whether a data set holds texts of any length."""
    import h5py

    found = h5py.check_string_dtype(dtype)
    return found is not None and found.length is None


def texts_of(file: DataFile, name: str) -> Array:
    """The texts of any length in a data set, [N], read by another process, which may be ended. Raises DataError."""
    with on_disk(file) as path:
        words = [sys.executable, "-c", READ_TEXTS, str(path), name, str(LONGEST_TEXT)]
        try:
            done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - our own words
            found = json.loads(done.stdout) if not done.returncode else None
        except (subprocess.TimeoutExpired, ValueError):
            found = None
    if not isinstance(found, list):
        raise DataError(f"{file} ({name}): its texts cannot be read; they are damaged, or longer than names are")
    return np.array(found, np.str_)


@contextmanager
def on_disk(file: DataFile) -> Iterator[Path]:
    """A path to a file's content: its own, or that of a copy of what an archive or gzip holds."""
    if file.path is not None and file.head(2) != GZIP:
        yield file.path
        return
    with opened(file) as (stream, _), tempfile.NamedTemporaryFile(suffix=".h5") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield Path(copy.name)


def values_of(file: DataFile, name: str, item: Any, is_matlab: bool) -> Array:
    """A data set's values. Raises DataError where they are no plain array, or more than the file can hold."""
    needed = math.prod(item.shape or ()) * item.dtype.itemsize
    if needed > DEFLATE_LIMIT * (item.id.get_storage_size() + 1):
        raise DataError(f"{file} ({name}): claims {needed:,} bytes, more than the file holds")
    if is_text(item.dtype):
        return texts_of(file, name)
    if item.dtype.hasobject:
        raise DataError(
            f"{file} ({name}): its rows have different lengths, as encoded pictures have; save plain arrays"
        )
    array: Array = np.asarray(item[()])
    return array.T if is_matlab else array
