"""Tar archives, plain or compressed, read in place: members are sought by their offset, nothing is unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from sightlab.data.pictures.containers import Archive, check_new, check_size, is_ignored, member_name, parents
from sightlab.errors import DataError, one_line

BLOCK = 512
# Long names and PAX records are read into memory whole; no honest one is as long as this.
MAX_HEADER_BYTES = 2**20
BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, LookupError)
OPENERS: dict[bytes, Callable[[Path], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


class Tar(Archive):
    """A tar archive; its files stream in the order of their bytes, so that a compressed one is unpacked once."""

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """See `Container`."""
        with open_bytes(self.path) as file:
            for name in sorted(names, key=lambda n: self.members[n]):
                offset, size = self.members[name]
                wanted = size if first is None else min(size, first)
                try:
                    file.seek(offset)
                    data = file.read(wanted)
                except BROKEN as error:
                    raise DataError(f"{self.shown(name)}: damaged: {one_line(error)}") from error
                if len(data) < wanted:
                    raise DataError(f"{self.shown(name)}: cut short: {len(data)} of {wanted} bytes are there")
                yield name, data


def open_bytes(path: Path) -> IO[bytes]:
    """The archive's bytes, decompressed where they are compressed (told by its first bytes)."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
        for magic, opener in OPENERS.items():
            if head.startswith(magic):
                return cast(IO[bytes], opener(path))
        return path.open("rb", buffering=2**20)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def is_tar(path: Path) -> bool:
    """Whether a file begins with a tar header, after decompression. A broken one still counts as what it claims.

    Raises DataError when it cannot be read.
    """
    with open_bytes(path) as file:
        try:
            header = file.read(BLOCK)
            tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.TarError:
            return header[257:262] == b"ustar"
        except BROKEN:
            return path.name.casefold().endswith((".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"))
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


def read_tar(path: Path) -> Tar:
    """Lists a tar, plain or compressed, reading a compressed one to its end, checksums included.

    Raises DataError for links, devices, doubled, huge, sparse and outward members, and archives cut or damaged.
    """
    members: dict[str, tuple[int, int]] = {}
    folders: set[str] = set()
    with open_bytes(path) as file:
        try:
            headers = _Headers(file)
            with tarfile.open(fileobj=cast(IO[bytes], headers), mode="r:") as archive:
                for info in archive:
                    _add(info, path, members, folders)
            # tarfile takes a damaged header for the end; the true end is a block of zeros.
            if headers.last != bytes(BLOCK):
                raise tarfile.ReadError("it ends, or has a damaged header, before its end mark")
            while file.read(2**20):
                pass
        except BROKEN as error:
            raise DataError(f"{path}: not a whole tar archive: {one_line(error)}; fetch or pack it again") from error
    return Tar(path, members, frozenset(folders - {""}))


def _add(info: tarfile.TarInfo, path: Path, members: dict[str, tuple[int, int]], folders: set[str]) -> None:
    """Takes a member into the listing, or refuses it."""
    name = member_name(info.name, str(path))
    if not (info.isreg() or info.isdir()):
        what = "a link" if info.issym() or info.islnk() else "neither a file nor a folder"
        raise DataError(f"{path}: member `{one_line(name)}` is {what}; pack it again with plain files")
    check_size(f"{path}: {one_line(name)}", info.size)
    if info.issparse():
        raise DataError(f"{path}: member `{one_line(name)}` is stored sparse; pack it again without that")
    if is_ignored(name):
        return
    folders.update(parents(name))
    if info.isdir():
        folders.add(name)
        return
    check_new(name, members, str(path))
    members[name] = (info.offset_data, info.size)
