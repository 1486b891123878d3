"""Zip archives, read in place."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

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
from sightlab.data.containers.codepages import in_code_page
from sightlab.data.containers.junk import is_ignored
from sightlab.errors import DataError, one_line

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
ZIP_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, LookupError, RuntimeError),
    MemoryError,
)
MOST_MEMBERS = 5_000_000
LOCAL_HEADER = 30
UTF8_NAME = 0x800


class Zip(Archive):
    """A zip archive; its files stream in the order of their bytes. members: their places in the archive's directory."""

    def file(self, name: str) -> DataFile:
        """See `Container`; a stored member is opened in place, a compressed one unpacked."""
        shown = self.shown(name)

        def opener() -> BinaryIO:
            with open_zip(self.packed) as archive, broken_member(shown):
                info = archive.infolist()[self.members[name]]
                if info.compress_type == zipfile.ZIP_STORED:
                    return window(self.packed.open(), data_offset(self.packed, info), info.file_size)
                with archive.open(info) as stream:
                    return unpacked(cast(BinaryIO, stream), info.file_size, shown)

        return DataFile(shown, name, self.sizes[name], opener)

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """See `Container`."""
        with open_zip(self.packed) as archive:
            infos = archive.infolist()
            for name in sorted(names, key=lambda n: infos[self.members[n]].header_offset):
                info = infos[self.members[name]]
                check_size(self.shown(name), info.file_size if first is None else 0)
                with broken_member(self.shown(name)), archive.open(info) as file:
                    data = file.read(info.file_size if first is None else first)
                yield name, data


@contextmanager
def broken_member(shown: str) -> Iterator[None]:
    """Turns what goes wrong in reading a member into a DataError that names it."""
    try:
        yield
    except ZIP_BROKEN as error:
        reason = one_line(error)[:120] or type(error).__name__
        raise DataError(f"{shown}: damaged or cut short: {reason}") from error


def data_offset(packed: DataFile, info: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: after its local header, whose name and extra field vary."""
    with packed.open() as stream:
        stream.seek(info.header_offset)
        header = stream.read(LOCAL_HEADER)
    return (
        info.header_offset
        + LOCAL_HEADER
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:30], "little")
    )


@contextmanager
def open_zip(packed: DataFile) -> Iterator[zipfile.ZipFile]:
    """The archive, open. Raises DataError when it is not a whole zip."""
    with packed.open() as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except ZIP_BROKEN as error:
            raise DataError(
                f"{packed}: not a whole zip archive: {one_line(error)[:120]}; fetch or pack it again"
            ) from error
        with archive:
            yield archive


def read_zip(packed: DataFile, encoding: str | None = None) -> Zip:
    """Lists a zip. encoding: of names that are not marked as UTF-8; None tells it from the names.

    Raises DataError for encrypted, linked, doubled and outward members, and broken archives.
    """
    members: dict[str, int] = {}
    sizes: dict[str, int] = {}
    folders: set[str] = set()
    ignored = 0
    with open_zip(packed) as archive:
        infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise DataError(f"{packed}: lists {len(infos):,} members; at most {MOST_MEMBERS:,} are read")
    renamed, notes = names_of(infos, packed, encoding)
    for place, (info, raw) in enumerate(zip(infos, renamed, strict=True)):
        name = member_name(raw.replace("\\", "/"), str(packed))
        kind = checked_kind(info, name, packed)
        if is_ignored(name):
            ignored += not info.is_dir()
            continue
        folders.update(parents(name))
        if raw.endswith(("/", "\\")) or kind == stat.S_IFDIR:
            folders.add(name)
            continue
        check_new(name, members, str(packed))
        check_picture(f"{packed}: {one_line(name)}", info.file_size)
        members[name], sizes[name] = place, info.file_size
    return Zip(packed, members, sizes, frozenset(folders - {""}), ignored, notes)


def checked_kind(info: zipfile.ZipInfo, name: str, packed: DataFile) -> int:
    """The member's kind of file. Raises DataError for links, devices and encrypted members."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "neither a file nor a folder"
        raise DataError(f"{packed}: member `{one_line(name)}` is {what}; pack it again with plain files")
    if info.flag_bits & 1:
        raise DataError(f"{packed}: member `{one_line(name)}` is encrypted; pack it again without a password")
    return kind


def names_of(
    infos: Sequence[zipfile.ZipInfo], packed: DataFile, encoding: str | None
) -> tuple[list[str], tuple[str, ...]]:
    """The members' names, those of an old code page decoded again; and a note that says as what."""
    raw = [None if i.flag_bits & UTF8_NAME or i.filename.isascii() else i.orig_filename.encode("cp437") for i in infos]
    foreign = [name for name in raw if name is not None]
    if not foreign:
        return [info.filename for info in infos], ()
    page, names = in_code_page(foreign, encoding, str(packed))
    decoded = iter(names)
    texts = [i.filename if name is None else next(decoded) for i, name in zip(infos, raw, strict=True)]
    if page == "utf-8":
        return texts, ()
    return texts, (
        f"{len(foreign):,} names in the zip are not marked as UTF-8; read as {page} (`encoding=...` says otherwise)",
    )
