"""The idx format of MNIST: magic number, big-endian 32-bit dimensions, then the values."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from sightlab.data.class_names import class_numbers
from sightlab.data.containers.base import DataFile
from sightlab.data.formats.file_io import BLOCK_BYTES, opened, read_up_to
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.data.imageset import ImageSet
from sightlab.errors import DataError
from sightlab.files import whole

TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
COUNT_BLOCKS = 64


def is_idx(head: bytes) -> bool:
    """Whether (unpacked) bytes begin as an idx file does, of whatever type.

    >>> is_idx(bytes([0, 0, 8, 3, 0, 0, 0, 9])), is_idx(b"label,pixel1")
    (True, False)
    """
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 4


def read_idx(file: DataFile) -> Array:
    """The array of an idx file, plain or gzip: [N] labels, [N, H, W] or [N, H, W, C] images, of the file's type.

    Raises DataError: no such file, not an idx file, bytes missing or too many.
    """
    with opened(file) as (stream, most):
        shape, dtype, header_bytes = read_header(file, stream)
        expected = math.prod(shape) * dtype.itemsize
        if not expected and math.prod(max(n, 1) for n in shape) > np.iinfo(np.int32).max:
            raise DataError(f"{file}: its header {list(shape)} describes no array")
        if expected > most:
            raise DataError(
                f"{file}: its header {list(shape)} needs {expected:,} bytes, "
                f"but the file cannot hold more than {max(0, most - header_bytes):,}"
            )
        data = read_up_to(stream, expected)
        found = len(data) + count_rest(stream)
    if found != expected:
        fault = "is cut short" if found < expected else "holds bytes that do not belong to it"
        raise DataError(
            f"{file}: {fault}: its header {list(shape)} needs {expected:,} bytes, {found:,} follow the header"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def read_header(file: DataFile, stream: BinaryIO) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    """The shape and the type that an idx header declares, and the header's length."""
    magic = stream.read(4)
    if not is_idx(magic):
        raise DataError(f"{file}: not an idx file: it begins with {magic.hex() or 'nothing'}, not with 000008")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{file}: is cut short: its header has {4 + len(sizes)} of {4 + 4 * magic[3]} bytes")
    dtype = np.dtype(TYPES[magic[2]]).newbyteorder(">")
    return tuple(int(n) for n in np.frombuffer(sizes, ">u4")), dtype, 4 + len(sizes)


def count_rest(stream: BinaryIO) -> int:
    """How many bytes still follow, counted up to 64 MB. Reading to the end also makes gzip check its checksum."""
    return sum(len(stream.read(1 << 20)) for _ in range(COUNT_BLOCKS))


def idx_array(file: DataFile) -> StoredArray:
    """The array of an idx file, its head read. Raises DataError."""
    with opened(file) as (stream, _):
        shape, dtype, _ = read_header(file, stream)
    return StoredArray(file.name.removesuffix(".gz"), file.name, file.shown, shape, dtype, lambda: read_idx(file))


def same_content(one: DataFile, other: DataFile) -> bool:
    """Whether two files hold the same bytes, once they are unpacked. Raises DataError."""
    return digest_of(one) == digest_of(other)


def digest_of(file: DataFile) -> bytes:
    """The sha256 of what a file holds, unpacked where it is gzip."""
    digest = hashlib.sha256()
    with opened(file) as (stream, _):
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.digest()


def write_idx(images: ImageSet, folder: Path, split: str) -> tuple[Path, Path]:
    """Write `<split>-images-idx3-ubyte.gz` (idx4 with more than one channel) and its labels file; gives both paths.

    The same images give the same bytes. Each file is there whole or not at all. An idx file holds class numbers, not
    names: see `class_numbers`. Raises DataError: more than 256 classes, a number above 255, or the folder cannot be
    written.
    """
    if len(images.classes) > 256:
        raise DataError(f"{folder}: idx labels are bytes, for 256 classes; these images have {len(images.classes)}")
    numbers = np.array(class_numbers(images.classes))
    if numbers.max(initial=0) > 255:
        raise DataError(
            f"{folder}: idx labels are bytes, up to 255; these classes go up to {numbers.max()}: npz keeps them"
        )
    name = {"test": "t10k"}.get(split, split)
    pixels = images.images[..., 0] if images.shape[2] == 1 else images.images
    targets = folder / f"{name}-images-idx{pixels.ndim}-ubyte.gz", folder / f"{name}-labels-idx1-ubyte.gz"
    write_array(targets[0], pixels)
    write_array(targets[1], numbers[images.labels].astype(np.uint8))
    return targets


def write_array(target: Path, array: NDArray[np.uint8]) -> None:
    """Write one idx file as gzip without name and time, so that equal arrays give equal bytes."""
    try:
        with (
            whole(target) as temporary,
            temporary.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, fileobj=cast(BinaryIO, raw), mtime=0) as stream,
        ):
            stream.write(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes())
            for start in range(0, len(array), 4096):
                stream.write(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from error
