"""idx files, the form of MNIST: a magic number, the dimensions in big-endian 32 bits, then the bytes."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.labels import size_text
from sightlab.data.formats.opening import opened, read_up_to, reading
from sightlab.data.imageset import UNDIVIDED, ImageSet, Parts, split_name
from sightlab.errors import DataError
from sightlab.files import whole

TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
DIMENSIONS = (1, 3, 4)
IMAGES_NAME = re.compile(r"(?P<split>.*?)[-_.]?images[-_.]idx(?P<dimensions>[34])-ubyte(\.gz)?")
COUNT_BLOCKS = 64


def is_idx(head: bytes) -> bool:
    """Whether (unpacked) bytes begin as an idx file does, of whatever type.

    >>> is_idx(bytes([0, 0, 8, 3, 0, 0, 0, 9])), is_idx(b"label,pixel1")
    (True, False)
    """
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 4


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx file, plain or gzip: uint8 [N] labels, [N, H, W] or [N, H, W, C] images.

    Raises DataError: no such file, not an idx file, another type than uint8, bytes missing or too many.
    """
    with opened(path) as (stream, most):
        shape, header_bytes = read_header(path, stream)
        expected = math.prod(shape)
        if not expected and math.prod(max(n, 1) for n in shape) > np.iinfo(np.int32).max:
            raise DataError(f"{path}: its header {list(shape)} describes no array")
        if expected > most:
            raise DataError(
                f"{path}: its header {list(shape)} needs {expected:,} bytes, "
                f"but the file cannot hold more than {max(0, most - header_bytes):,}"
            )
        data = read_up_to(stream, expected)
        found = len(data) + count_rest(stream)
    if found != expected:
        fault = "is cut short" if found < expected else "holds bytes that do not belong to it"
        raise DataError(
            f"{path}: {fault}: its header {list(shape)} needs {expected:,} bytes, {found:,} follow the header"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_header(path: Path, stream: BinaryIO) -> tuple[tuple[int, ...], int]:
    """The shape that an idx header declares, and the header's length."""
    magic = stream.read(4)
    if not is_idx(magic):
        raise DataError(f"{path}: not an idx file: it begins with {magic.hex() or 'nothing'}, not with 000008")
    if TYPES[magic[2]] != "uint8":
        raise DataError(f"{path}: an idx file of {TYPES[magic[2]]}; only uint8 can be read")
    if magic[3] not in DIMENSIONS:
        raise DataError(f"{path}: an idx file of {magic[3]} dimensions; labels have 1, images have 3 or 4")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: is cut short: its header has {4 + len(sizes)} of {4 + 4 * magic[3]} bytes")
    return tuple(int(n) for n in np.frombuffer(sizes, ">u4")), 4 + len(sizes)


def count_rest(stream: BinaryIO) -> int:
    """How many bytes still follow, counted up to 64 MB. Reading to the end also makes gzip check its checksum."""
    return sum(len(stream.read(1 << 20)) for _ in range(COUNT_BLOCKS))


def read_idx_folder(folder: Path, prefix: str = "") -> Parts:
    """The data set of a folder with `train-images-idx3-ubyte` and its like, plain or gzip.

    Files are named `<prefix><split>-images-idx3-ubyte`, `<prefix><split>-images.idx3-ubyte` (idx4 for colour) with
    split `train`, `t10k` or `test`, `validation` or `all`; their labels lie beside them. Classes are "0" to the
    greatest label of all splits. Raises DataError: no such files, two for one split, or what `read_idx` raises.
    """
    pairs: dict[str, tuple[Path, Path]] = {}
    for images in images_files(folder, prefix):
        match = IMAGES_NAME.fullmatch(images.name)
        assert match is not None
        text = match["split"].removeprefix(prefix).strip("-_.")
        split = UNDIVIDED if text == UNDIVIDED else split_name(text)
        if split is None:
            continue
        if split in pairs:
            raise DataError(f"{folder}: {pairs[split][0].name} and {images.name} are both the {split} images; keep one")
        pairs[split] = images, labels_beside(images)
    if not pairs:
        raise DataError(f"{folder}: no idx files; expected names such as {prefix}train-images-idx3-ubyte.gz")
    if UNDIVIDED in pairs and len(pairs) > 1:
        raise DataError(
            f"{folder}: {pairs[UNDIVIDED][0].name} lies beside files of single splits; keep one or the other"
        )
    order = [split for split in ("train", "validation", "test", UNDIVIDED) if split in pairs]
    return parts_of({split: pairs[split] for split in order})


def read_idx_pair(images: Path) -> Parts:
    """One images file with the labels file beside it, as the one split `all`. Raises DataError."""
    return parts_of({UNDIVIDED: (images, labels_beside(images))})


def images_files(folder: Path, prefix: str) -> list[Path]:
    """The images files of a folder by name; where a file is there plain and gzip, the plain one."""
    with reading(folder):
        files = sorted(p for p in folder.iterdir() if p.name.startswith(prefix) and IMAGES_NAME.fullmatch(p.name))
    names = {p.name for p in files}
    return [p for p in files if p.name.removesuffix(".gz") == p.name or p.name.removesuffix(".gz") not in names]


def labels_beside(images: Path) -> Path:
    """The labels file that belongs to an images file, by its name. Raises DataError where there is none."""
    if "images" not in images.name:
        raise DataError(f"{images}: its labels file cannot be told: an images file has `images` in its name")
    base = re.sub(r"idx[34]", "idx1", images.name.removesuffix(".gz").replace("images", "labels"))
    other = base.replace(".idx1", "-idx1") if ".idx1" in base else base.replace("-idx1", ".idx1")
    for name in dict.fromkeys((base, base + ".gz", other, other + ".gz")):
        if (images.parent / name).is_file():
            return images.parent / name
    raise DataError(f"{images}: its labels are missing: no {base} or {base}.gz beside it")


def parts_of(pairs: dict[str, tuple[Path, Path]]) -> Parts:
    """The images and labels of each split under one list of classes."""
    arrays = {split: read_pair(images, labels) for split, (images, labels) in pairs.items()}
    first = next(iter(pairs))
    for split, (images, _) in arrays.items():
        if images.shape[1:] != arrays[first][0].shape[1:]:
            raise DataError(
                f"{pairs[split][0]}: images are {size_of(images)}, "
                f"those of {pairs[first][0].name} are {size_of(arrays[first][0])}"
            )
    classes = class_numbers(labels for _, labels in arrays.values())
    return Parts({split: ImageSet(*pair, classes, numbered=True) for split, pair in arrays.items()})


def read_pair(images_path: Path, labels_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images uint8 [N, H, W, C] and labels int64 [N] of two files that belong together."""
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim == 1:
        raise DataError(f"{images_path}: holds labels (one dimension); an images file has 3 or 4 dimensions")
    if labels.ndim != 1:
        raise DataError(f"{labels_path}: holds images ({labels.ndim} dimensions); a labels file has one dimension")
    if len(images) != len(labels):
        raise DataError(
            f"{images_path}: holds {len(images):,} images, but {labels_path} holds {len(labels):,} labels; "
            "each image needs one"
        )
    if not images.size:
        raise DataError(f"{images_path}: holds no images; its header says {list(images.shape)}")
    return (images[..., None] if images.ndim == 3 else images), labels.astype(np.int64)


def class_numbers(labels: Iterable[NDArray[np.int64]]) -> tuple[str, ...]:
    """The classes "0" to the greatest label."""
    return tuple(str(n) for n in range(1 + max(int(column.max()) for column in labels)))


def size_of(images: NDArray[np.uint8]) -> str:
    """The height, width and channels of an image array in words."""
    height, width, channels = images.shape[1:]
    return size_text((height, width, channels))


def write_idx(images: ImageSet, folder: Path, split: str) -> tuple[Path, Path]:
    """Write `<split>-images-idx3-ubyte.gz` (idx4 with more than one channel) and its labels file; gives both paths.

    The same images give the same bytes. Each file is there whole or not at all. An idx file holds class numbers, not
    names. Raises DataError: more than 256 classes, or the folder cannot be written.
    """
    if len(images.classes) > 256:
        raise DataError(f"{folder}: idx labels are bytes, for 256 classes; these images have {len(images.classes)}")
    name = {"test": "t10k"}.get(split, split)
    pixels = images.images[..., 0] if images.shape[2] == 1 else images.images
    targets = folder / f"{name}-images-idx{pixels.ndim}-ubyte.gz", folder / f"{name}-labels-idx1-ubyte.gz"
    write_array(targets[0], pixels)
    write_array(targets[1], images.labels.astype(np.uint8))
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
