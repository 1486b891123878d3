"""HDF5 files by h5py, MATLAB's version 7.3 among them: each data set is an array, called by its path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from sightlab.data.containers.base import DataFile, unpacked
from sightlab.data.formats.mat import HDF5_HEAD
from sightlab.data.formats.npy import without_suffix
from sightlab.data.formats.opening import DEFLATE_LIMIT, GZIP, opened, reading
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.errors import DataError, one_line

MOST_ARRAYS = 20_000
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

    return h5py.check_string_dtype(dtype) is not None


def values_of(file: DataFile, name: str, item: Any, is_matlab: bool) -> Array:
    """A data set's values. Raises DataError where they are no plain array, or more than the file can hold."""
    needed = math.prod(item.shape or ()) * item.dtype.itemsize
    if needed > DEFLATE_LIMIT * (item.id.get_storage_size() + 1):
        raise DataError(f"{file} ({name}): claims {needed:,} bytes, more than the file holds")
    if is_text(item.dtype):
        texts = item.asstr("utf-8")[()]
        return np.array(texts.tolist() if isinstance(texts, np.ndarray) else [texts], np.str_)
    if item.dtype.hasobject:
        raise DataError(
            f"{file} ({name}): its rows have different lengths, as encoded pictures have; save plain arrays"
        )
    array: Array = np.asarray(item[()])
    return array.T if is_matlab else array
