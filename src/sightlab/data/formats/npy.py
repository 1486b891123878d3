"""numpy files: .npy in folders and archives, and .npz. Nothing is ever unpickled."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np

from sightlab.data.containers.base import Container, DataFile
from sightlab.data.containers.open import opened_archive
from sightlab.data.containers.zips import ZIP_BROKEN, Zip, open_zip
from sightlab.data.formats.file_io import DEFLATE_LIMIT, opened, read_up_to, reading
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.errors import DataError, one_line

HEAD_BYTES = 16384  # numpy's own headers have 128 bytes; it reads none of more than 10,000 characters
SUFFIX = ".npy"
MAX_CODE_POINT = 0x10FFFF
# What numpy raises on headers that are not what they seem.
BROKEN_HEAD = (
    *(ValueError, SyntaxError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError),
    tokenize.TokenError,
)


@dataclass(frozen=True)
class Head:
    """What the head of a .npy file declares. start: where the values begin, in bytes."""

    shape: tuple[int, ...]
    by_column: bool
    dtype: np.dtype[Any]
    start: int


def npy_arrays(container: Container, names: Sequence[str]) -> list[StoredArray]:
    """The arrays of a container's .npy files, their heads read. Raises DataError for a file that is none."""
    heads = heads_of(container, names)
    return [npy_array(container, name, heads[name]) for name in names]


def heads_of(container: Container, names: Sequence[str]) -> dict[str, Head]:
    """The head of each .npy file. Raises DataError."""
    packed = [name for name in names if name.casefold().endswith(".gz")]
    plain = [name for name in names if name not in frozenset(packed)]
    heads = {name: head_of(data, container.shown(name)) for name, data in container.stream(plain, HEAD_BYTES)}
    for name in packed:
        with opened(container.file(name)) as (stream, _):
            heads[name] = head_of(stream.read(HEAD_BYTES), container.shown(name))
    return heads


def npy_array(container: Container, name: str, head: Head) -> StoredArray:
    """One .npy file of a container; of a zip called .npz, one of its arrays."""
    key = without_suffix(name)
    is_npz = isinstance(container, Zip) and container.label.casefold().endswith(".npz")
    shown = f"{container.label} ({key})" if is_npz else container.shown(name)

    def load() -> Array:
        with streamed(container, name, shown) as (stream, size):
            return read_array(shown, stream, size)

    return StoredArray(key, key if is_npz else name, shown, head.shape, head.dtype, load)


def npy_file(file: DataFile) -> StoredArray:
    """The array of one .npy file, plain or gzip. Raises DataError."""
    with opened(file) as (stream, _):
        head = head_of(stream.read(HEAD_BYTES), file.shown)

    def load() -> Array:
        with opened(file) as (stream, most):
            return read_array(file.shown, stream, most)

    return StoredArray(without_suffix(file.name), file.name, file.shown, head.shape, head.dtype, load)


def npz_arrays(file: DataFile) -> list[StoredArray]:
    """The arrays of an .npz file in a folder or an archive: their keys are its path and their own names.

    Raises DataError for what is no .npz file.
    """
    archive = opened_archive(file)
    if not isinstance(archive, Zip):
        raise DataError(f"{file}: not an .npz file, or a broken one; save it again with numpy.savez")
    names = [name for name in archive.sizes if name.endswith(SUFFIX)]
    stem = without_suffix(file.name)
    found = npy_arrays(archive, names)
    return [
        StoredArray(
            f"{stem}/{one.key}", f"{file.name} ({one.key})", f"{file} ({one.key})", one.shape, one.dtype, one.load
        )
        for one in found
    ]


def without_suffix(name: str) -> str:
    """A file's path without what its suffix says.

    >>> without_suffix("a/x_train.npy"), without_suffix("b.npz"), without_suffix("c.npy.gz")
    ('a/x_train', 'b', 'c')
    """
    for suffix in (".gz", SUFFIX, ".npz", ".mat", ".h5", ".hdf5", ".hdf"):
        if name.casefold().endswith(suffix):
            name = name[: -len(suffix)]
    return name


@contextmanager
def streamed(container: Container, name: str, shown: str) -> Iterator[tuple[BinaryIO, int]]:
    """A file's bytes from the start, and how many there are or may be; a zip's member is not unpacked to the disk."""
    if not isinstance(container, Zip) or name.casefold().endswith(".gz"):
        with opened(container.file(name)) as (stream, most):
            yield stream, most if name.casefold().endswith(".gz") else container.sizes[name]
        return
    with reading(container.packed), open_zip(container.packed) as archive:
        info = archive.infolist()[container.members[name]]
        if info.file_size > DEFLATE_LIMIT * (info.compress_size + 1):
            raise DataError(f"{shown}: claims {info.file_size:,} bytes, more than the archive can hold")
        try:
            with archive.open(info) as member:
                yield cast(BinaryIO, member), info.file_size
        except ZIP_BROKEN as error:
            raise DataError(f"{shown}: a broken archive member: {one_line(error) or 'no memory for it'}") from None


def head_of(data: bytes, where: str) -> Head:
    """The head that these bytes begin with. Raises DataError where they are no .npy file's."""
    return read_head(io.BytesIO(data), where)


def read_head(stream: BinaryIO, where: str) -> Head:
    """The head of a stream, read up to where the values begin. Raises DataError."""
    try:
        version = np.lib.format.read_magic(stream)
        read: Callable[[BinaryIO], Any] = (
            np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
        )
        shape, by_column, dtype = read(stream)
    except BROKEN_HEAD as error:
        raise DataError(f"{where}: not a numpy array file, or a broken one: {one_line(error)[:120]}") from None
    return Head(tuple(int(n) for n in shape), by_column, dtype, stream.tell())


def read_array(where: str, stream: BinaryIO, size: int) -> Array:
    """The array of a stream in numpy's format, its declared length checked before memory is taken, never unpickled.

    size: how many bytes the stream has, or may have at most. Raises DataError.
    """
    head = read_head(stream, where)
    dtype, shape = head.dtype, head.shape
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, which may run code when read; save plain numbers or text")
    expected, most = math.prod(shape) * dtype.itemsize, size - head.start
    data = read_up_to(stream, expected) if 0 <= expected <= most else bytearray()
    more = len(stream.read(1 << 16)) if len(data) == expected else 0
    if len(data) != expected or more:
        raise DataError(
            f"{where}: is cut short or damaged: {dtype} {list(shape)} needs {expected:,} bytes, "
            f"found {(len(data) + more) or most:,}"
        )
    try:
        array: Array = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
        array = array.reshape(shape, order="F" if head.by_column else "C")
    except (ValueError, OverflowError, MemoryError):
        raise DataError(f"{where}: no array can have the type {dtype} and the shape {list(shape)}") from None
    check_text(where, array)
    return array


def check_text(where: str, array: Array) -> None:
    """Raises DataError for text with numbers in it that stand for no character: Python cannot make a str of them."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        order = array.dtype.byteorder
        codes = np.ascontiguousarray(array).reshape(-1).view(np.dtype(np.uint32).newbyteorder(order))
        if codes.max() > MAX_CODE_POINT:
            raise DataError(f"{where}: is damaged: its text holds {int(codes.max()):#x}, which is no character")
