"""What a file or a folder holds, told from its content, and the reader for it."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sightlab.data.formats import arrays, cifar, csv, idx
from sightlab.data.imageset import UNDIVIDED, Allocate, Parts, Progress, in_memory, split_name
from sightlab.data.pictures import parquet, read
from sightlab.data.pictures.decode import Decoding
from sightlab.errors import DataError, one_line

HEAD_BYTES = 4096
PICTURE_NAME = re.compile(rb"\.(png|jpe?g|bmp|gif|tiff?|webp|p[bgpn]m)[\"']?[\s,;]")


@dataclass(frozen=True)
class Reading:
    """How a source is to be read: the pictures' decoding, and the label column of tables."""

    decoding: Decoding = field(default_factory=Decoding)
    label: str | None = None


Reader = Callable[[Path, Reading, Allocate, Progress | None], Parts]


def read_source(
    path: Path, reading: Reading, allocate: Allocate = in_memory, progress: Progress | None = None
) -> Parts:
    """The labelled images at a path, whatever their form. Raises DataError for a form not known, or broken."""
    kind = folder_kind(path) if path.is_dir() else file_kind(path)
    return READERS[kind](path, reading, allocate, progress)


READERS: dict[str, Reader] = {
    "idx folder": lambda path, *_: idx.read_idx_folder(path),
    "idx": lambda path, *_: idx.read_idx_pair(path),
    "cifar": lambda path, *_: cifar.read_cifar(path),
    "csv folder": lambda path, reading, *_: csv.read_csv_pair(path, reading.label, reading.decoding.channels),
    "csv": lambda path, reading, *_: Parts(
        {UNDIVIDED: csv.read_csv(path, reading.label, reading.decoding.channels)},
    ),
    "npz": lambda path, *_: arrays.read_npz(path),
    "npy": lambda path, *_: arrays.read_npy_pair(path),
    "parquet": lambda path, reading, allocate, progress: parquet.read_parquet(
        path, reading.decoding, allocate, progress, reading.label
    ),
    "pictures": lambda path, reading, allocate, progress: read.read_pictures(
        path, reading.decoding, allocate, progress
    ),
}


def folder_kind(folder: Path) -> str:
    """Which reader a folder is for. Picture folders are what is left when no other form is there."""
    try:
        files = {p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error
    if any("-images" in f and "idx" in f for f in files):
        return "idx folder"
    if cifar.cifar_layout(files):
        return "cifar"
    if any(f.endswith(".parquet") for f in files) or any(folder.glob("*/*.parquet")):
        return "parquet"
    if any(split_name(f.partition(".")[0]) and f.endswith((".csv", ".csv.gz")) for f in files):
        return "csv folder"
    if any(f.endswith(".npy") for f in files):
        return "npy"
    return "pictures"


def file_kind(path: Path) -> str:
    """Which reader a file is for, from its first bytes. Raises DataError where none is."""
    head = head_of(path)
    if not head:
        raise DataError(f"{path}: empty file")
    packed = head[:2] == b"\x1f\x8b"
    inner = unpacked_head(path, head) if packed else head
    if idx.is_idx(inner):
        return "idx"
    if inner.startswith(b"\x93NUMPY"):
        return "npy"
    if inner.startswith(b"PAR1"):
        return "parquet"
    if inner.startswith(b"PK"):
        return zip_kind(path)
    if inner[257:262] == b"ustar" or inner[:3] == b"BZh" or inner[:6] == b"\xfd7zXZ\x00":
        return tar_kind(path)
    if is_pickle(inner):
        raise DataError(f"{path}: holds a pickle, which could run code; give the pictures as files, npz or Parquet")
    if b"\0" in inner:
        raise DataError(
            f"{path}: not a form that is known; expected idx, CSV, npz, npy, Parquet, a picture folder, "
            "a tar or zip of one, or an image list"
        )
    return text_kind(inner)


def head_of(path: Path) -> bytes:
    """The first bytes of a file."""
    try:
        with path.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def unpacked_head(path: Path, head: bytes) -> bytes:
    """The first bytes of what a gzip file holds."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error as error:
        raise DataError(f"{path}: broken gzip file: {one_line(error)}") from error


def zip_kind(path: Path) -> str:
    """npz when all members are .npy arrays, else pictures."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: broken zip file: {one_line(error)}") from error
    return "npz" if names and all(name.endswith(".npy") for name in names) else "pictures"


def tar_kind(path: Path) -> str:
    """The official CIFAR archives are known by their name; any other tar holds pictures."""
    return "cifar" if path.name in ("cifar-10-binary.tar.gz", "cifar-100-binary.tar.gz") else "pictures"


def is_pickle(head: bytes) -> bool:
    """Whether bytes begin as pickles of protocol 2 and later do."""
    return len(head) > 1 and head[0] == 0x80 and head[1] in range(2, 6)


def text_kind(head: bytes) -> str:
    """An image list when the first line names a picture, else CSV."""
    return "pictures" if PICTURE_NAME.search(head.split(b"\n", 1)[0].lower()) else "csv"


def holds_table(path: Path) -> bool:
    """Whether a file is text with commas, packed or not: pixels as CSV, not a picture or an archive of them."""
    head = head_of(path)
    inner = unpacked_head(path, head) if head[:2] == b"\x1f\x8b" else head
    return b"\0" not in inner and b"," in inner.split(b"\n", 1)[0]
