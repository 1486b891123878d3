"""The container interface: files with names and sizes, whose bytes can be streamed or opened."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.errors import DataError, one_line

MAX_MEMBER_BYTES = 256 * 2**20
MAX_NAME = 4096
IN_MEMORY_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class DataFile:
    """One file that a reader opens, on the disk or inside an archive.

    shown: what messages call it. name: its path relative to the source. size: bytes, unpacked. opener: gives its
    bytes anew, seekable. path: where it is on the disk, None for what an archive holds.
    """

    shown: str
    name: str
    size: int
    opener: Callable[[], BinaryIO]
    path: Path | None = None

    @classmethod
    def at(cls, path: Path) -> DataFile:
        """The file at a path. Raises DataError where there is none."""
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        return cls(str(path), path.name, size, lambda: path.open("rb"), path)

    def __str__(self) -> str:
        return self.shown

    def open(self) -> BinaryIO:
        """Its bytes from the start, seekable. Raises OSError or DataError."""
        return self.opener()

    def head(self, count: int) -> bytes:
        """At most so many of its first bytes. Raises DataError."""
        try:
            with self.open() as stream:
                return stream.read(count)
        except OSError as error:
            raise DataError(f"{self.shown}: cannot be read: {error.strerror or one_line(error)}") from error


class Container(Protocol):
    """A folder or an archive. Names are relative paths with forward slashes, as in `train/cat/1.png`."""

    @property
    def label(self) -> str:
        """What messages call it: its path as the user gave it."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Every regular file that is not ignored, and its size in bytes."""

    @property
    def folders(self) -> frozenset[str]:
        """Every folder that is not ignored, empty ones too; not the container itself."""

    @property
    def ignored(self) -> int:
        """How many files were ignored as hidden, or strewn about by a system."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how the names were read, a line each."""

    def shown(self, name: str) -> str:
        """What messages call one of its files."""

    def file(self, name: str) -> DataFile:
        """One of its files, to be opened."""

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of each of these files, in the order they are stored, one at a time.

        first: only so many leading bytes. Raises DataError when a file cannot be read whole.
        """


@dataclass(frozen=True, eq=False)
class Archive:
    """What archives have in common. members: each file's name, and what its kind of archive needs to read it."""

    packed: DataFile
    members: Mapping[str, Any]
    sizes: Mapping[str, int]
    folders: frozenset[str]
    ignored: int = 0
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The archive's path."""
        return self.packed.shown

    def shown(self, name: str) -> str:
        """The archive's path and the member's."""
        return f"{self.label}: {name}"


class Window(io.RawIOBase):
    """A part of a file, as a file of its own that is only read."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self.stream, self.start, self.size, self.place = stream, start, size, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `io.IOBase`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self.place

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        wanted = min(len(buffer), max(0, self.size - self.place))
        self.stream.seek(self.start + self.place)
        data = self.stream.read(wanted)
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)

    def close(self) -> None:
        """Closes the file that this is a part of."""
        self.stream.close()
        super().close()


def window(stream: BinaryIO, start: int, size: int) -> BinaryIO:
    """A part of a file as a buffered file of its own."""
    return cast(BinaryIO, io.BufferedReader(Window(stream, start, size)))


def unpacked(stream: BinaryIO, size: int, shown: str) -> BinaryIO:
    """What a compressed stream holds, seekable: in memory, or in an unnamed file where it is large.

    Raises DataError where it holds more than `size` bytes, as only a damaged or hostile archive does.
    """
    target: BinaryIO = io.BytesIO() if size <= IN_MEMORY_BYTES else cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(cast(BinaryIO, Limited(stream, size, shown)), target, 2**20)
    target.seek(0)
    return target


class Limited:
    """A stream of which no more than so many bytes may come."""

    def __init__(self, stream: BinaryIO, size: int, shown: str) -> None:
        self.stream, self.left, self.shown = stream, size, shown

    def read(self, count: int) -> bytes:
        """The next bytes. Raises DataError past the end."""
        data = self.stream.read(min(count, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise DataError(f"{self.shown}: holds more bytes than its archive declares; pack it again")
        return data


def member_name(name: str, label: str) -> str:
    """An archive member's name without `./`. Raises DataError for one that leads out of its archive, or is no path.

    >>> member_name("./cat//1.png", "pets.zip")
    'cat/1.png'
    """
    if len(name) > MAX_NAME or "\0" in name:
        raise DataError(f"{label}: a member's name is no path ({len(name):,} characters); pack the archive again")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DataError(
            f"{label}: member `{one_line(name)[:120]}` leads outside the archive; "
            "pack it again with relative paths that have no `..`"
        )
    return "/".join(part for part in parts if part not in ("", "."))


def check_size(shown: str, size: int) -> None:
    """Raises DataError for a file larger than any picture or list."""
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise DataError(f"{shown}: has {size:,} bytes; a file in a picture set may have {MAX_MEMBER_BYTES:,}")


def check_picture(shown: str, size: int) -> None:
    """Raises DataError for what is a picture by its name and larger than any: told before anything is read."""
    if is_picture_name(shown):
        check_size(shown, size)


def check_new(name: str, members: Mapping[str, object], label: str) -> None:
    """Raises DataError when an archive holds a file twice: only one of the two could be meant."""
    if name in members:
        raise DataError(f"{label}: member `{one_line(name)}` is there twice; pack the archive again with it once")


def parents(name: str) -> Iterator[str]:
    """The folders a file or folder lies in.

    >>> list(parents("a/b/1.png"))
    ['a/b', 'a']
    """
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
