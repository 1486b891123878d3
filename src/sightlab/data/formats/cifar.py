"""CIFAR-10 and CIFAR-100 in their binary version: records of label bytes and 3,072 pixels, in a tar.gz."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import ImageSet, Parts
from sightlab.data.names import FINE, OBJECTS
from sightlab.errors import DataError, one_line

PIXELS = 3 * 32 * 32
LARGEST_FILE = 200_000_000
# Folder inside the archive -> label bytes before the pixels (the last is the fine label), classes, files of a split.
LAYOUTS: dict[str, tuple[int, tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "cifar-10-batches-bin": (
        1,
        OBJECTS,
        {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)},
    ),
    "cifar-100-binary": (2, FINE, {"train": ("train.bin",), "test": ("test.bin",)}),
}


def cifar_layout(names: set[str]) -> str | None:
    """Which CIFAR these file names make up, or None: the folder that holds them in the official archive."""
    for folder, (_, _, splits) in LAYOUTS.items():
        if all(name in names for files in splits.values() for name in files):
            return folder
    return None


def read_cifar(path: Path) -> Parts:
    """Train and test of a folder of CIFAR's .bin files, or of the official archive, read without unpacking.

    Raises DataError for a file that is missing, cut short, or holds a label out of range.
    """
    blobs = folder_blobs(path) if path.is_dir() else archive_blobs(path)
    layout = cifar_layout(set(blobs))
    if layout is None:
        raise DataError(f"{path}: holds no CIFAR .bin files; expected those of cifar-10-binary or cifar-100-binary")
    label_bytes, classes, splits = LAYOUTS[layout]
    return Parts(
        {
            split: records(f"{path}: {'+'.join(files)}", b"".join(blobs[f] for f in files), label_bytes, classes)
            for split, files in splits.items()
        }
    )


def folder_blobs(folder: Path) -> dict[str, bytes]:
    """The bytes of the .bin files of a folder."""
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.bin"))}


def archive_blobs(path: Path) -> dict[str, bytes]:
    """The bytes of the .bin files of an archive, in whatever folder of it they are."""
    blobs: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                if member.isfile() and name.endswith(".bin") and member.size <= LARGEST_FILE:
                    extracted = archive.extractfile(member)
                    assert extracted is not None
                    blobs[name] = extracted.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: not a whole CIFAR archive: {one_line(error)}; download it again") from error
    return blobs


def records(where: str, data: bytes, label_bytes: int, classes: tuple[str, ...]) -> ImageSet:
    """The images of a run of records, channels first in the file, last here."""
    length = label_bytes + PIXELS
    if not data or len(data) % length:
        raise DataError(f"{where}: {len(data)} bytes, which is no whole number of {length}-byte records")
    table: NDArray[np.uint8] = np.frombuffer(data, np.uint8).reshape(-1, length)
    labels = table[:, label_bytes - 1].astype(np.int64)
    if labels.max() >= len(classes):
        raise DataError(f"{where}: a label of {labels.max()}; there are {len(classes)} classes")
    images = np.ascontiguousarray(table[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return ImageSet(images, labels, classes, numbered=True)
