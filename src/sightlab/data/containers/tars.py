"""Tar archives, plain or compressed, read in place by member offset."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from sightlab.data.containers.base import (
    Archive,
    DataFile,
    check_new,
    check_picture,
    check_size,
    member_name,
    parents,
    unpacked,
    window,
)
from sightlab.data.containers.junk import is_ignored
from sightlab.errors import DataError, one_line

BLOCK = 512
# Long names and PAX records are read into memory whole; no honest one is as long as this.
MAX_HEADER_BYTES = 2**20
BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, LookupError)
OPENERS: dict[bytes, Callable[[BinaryIO], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


class Tar(Archive):
    """A tar archive; its files stream in the order of their bytes, so that a compressed one is unpacked once."""

    def file(self, name: str) -> DataFile:
        """See `Container`; a member of a plain tar is opened in place, one of a compressed tar unpacked."""
        offset, size = self.members[name]
        shown = self.shown(name)

        def opener() -> BinaryIO:
            if not is_compressed(self.packed):
                return window(self.packed.open(), offset, size)
            with open_bytes(self.packed) as stream:
                try:
                    stream.seek(offset)
                    return unpacked(window(cast(BinaryIO, stream), offset, size), size, shown)
                except BROKEN as error:
                    raise DataError(f"{shown}: damaged: {one_line(error)}") from error

        return DataFile(shown, name, size, opener)

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """See `Container`."""
        with open_bytes(self.packed) as file:
            for name in sorted(names, key=lambda n: self.members[n]):
                offset, size = self.members[name]
                check_size(self.shown(name), size if first is None else 0)
                wanted = size if first is None else min(size, first)
                try:
                    file.seek(offset)
                    data = file.read(wanted)
                except BROKEN as error:
                    raise DataError(f"{self.shown(name)}: damaged: {one_line(error)}") from error
                if len(data) < wanted:
                    raise DataError(f"{self.shown(name)}: cut short: {len(data)} of {wanted} bytes are there")
                yield name, data


def is_compressed(packed: DataFile) -> bool:
    """Whether an archive's first bytes are those of gzip, bzip2 or xz."""
    return packed.head(8).startswith(tuple(OPENERS))


@contextmanager
def open_bytes(packed: DataFile) -> Iterator[IO[bytes]]:
    """The archive's bytes, decompressed where they are compressed (told by its first bytes)."""
    head = packed.head(8)
    opener = next((opener for magic, opener in OPENERS.items() if head.startswith(magic)), None)
    try:
        with packed.open() as raw:
            if opener is None:
                yield raw
            else:
                with opener(raw) as stream:
                    yield cast(IO[bytes], stream)
    except OSError as error:
        raise DataError(f"{packed}: cannot be read: {error.strerror or one_line(error)}") from error


def is_tar(packed: DataFile) -> bool:
    """Whether a file begins with a tar header, after decompression. A broken one still counts as what it claims.

    Raises DataError when it cannot be read.
    """
    header = b""
    try:
        with open_bytes(packed) as file:
            header = file.read(BLOCK)
        tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return header[257:262] == b"ustar"
    except (DataError, *BROKEN):
        return packed.name.casefold().endswith((".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"))
    return True


class _Headers:
    """What tarfile reads headers from; keeps the last block it saw, which tells a proper end from a cut one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.last = b""
        self.tell = file.tell
        self.seek = file.seek

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header declares {size:,} bytes")
        self.last = self.file.read(size)
        return self.last


def read_tar(packed: DataFile) -> Tar:
    """Lists a tar, plain or compressed, reading a compressed one to its end, checksums included.

    Raises DataError for links, devices, doubled, huge, sparse and outward members, and archives cut or damaged.
    """
    listing = _Listing(packed)
    with open_bytes(packed) as file:
        try:
            headers = _Headers(file)
            with tarfile.open(fileobj=cast(IO[bytes], headers), mode="r:") as archive:
                for info in archive:
                    listing.add(info)
                    archive.members = []  # type: ignore[attr-defined]  # it keeps every header; one is enough
            # tarfile takes a damaged header for the end; the true end is a block of zeros.
            if headers.last != bytes(BLOCK):
                raise tarfile.ReadError("it ends, or has a damaged header, before its end mark")
            check_rest(file)
        except (*BROKEN, RecursionError) as error:
            raise DataError(f"{packed}: not a whole tar archive: {one_line(error)}; fetch or pack it again") from error
    return listing.tar()


def check_rest(file: IO[bytes]) -> None:
    """Reads on to the end, so that a compressed archive's checksums are checked. Raises ReadError past 1 GiB."""
    for _ in range(1024):
        if not file.read(2**20):
            return
    raise tarfile.ReadError("more than 1 GiB follow its end mark")


class _Listing:
    """A tar's members while they are listed."""

    def __init__(self, packed: DataFile) -> None:
        self.packed = packed
        self.members: dict[str, tuple[int, int]] = {}
        self.folders: set[str] = set()
        self.ignored = 0

    def add(self, info: tarfile.TarInfo) -> None:
        """Takes a member into the listing, or refuses it."""
        label = str(self.packed)
        name = member_name(info.name, label)
        if not (info.isreg() or info.isdir()):
            what = "a link" if info.issym() or info.islnk() else "neither a file nor a folder"
            raise DataError(f"{label}: member `{one_line(name)}` is {what}; pack it again with plain files")
        if info.issparse():
            raise DataError(f"{label}: member `{one_line(name)}` is stored sparse; pack it again without that")
        if is_ignored(name):
            self.ignored += info.isreg()
            return
        self.folders.update(parents(name))
        if info.isdir():
            self.folders.add(name)
            return
        check_new(name, self.members, label)
        check_picture(f"{label}: {one_line(name)}", info.size)
        self.members[name] = (info.offset_data, info.size)

    def tar(self) -> Tar:
        """The archive with these members."""
        sizes = {name: size for name, (_, size) in self.members.items()}
        return Tar(self.packed, self.members, sizes, frozenset(self.folders - {""}), self.ignored)
