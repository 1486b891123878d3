"""Where many files lie: a folder, a zip or a tar. Each lists its files and streams their bytes, unpacking nothing."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sightlab.errors import DataError, one_line

MAX_MEMBER_BYTES = 256 * 2**20
MAX_NAME = 4096
IGNORED_NAMES = ("__MACOSX", "Thumbs.db", "desktop.ini")
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
ZIP_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, LookupError)


class Container(Protocol):
    """A folder or an archive. Names are relative paths with forward slashes, as in `train/cat/1.png`."""

    @property
    def label(self) -> str:
        """What messages call it: its path as the user gave it."""

    @property
    def files(self) -> Sequence[str]:
        """Every regular file that is not hidden."""

    @property
    def folders(self) -> frozenset[str]:
        """Every folder that is not hidden, empty ones too; not the container itself."""

    def shown(self, name: str) -> str:
        """What messages call one of its files."""

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of each of these files, in the order they are stored, one at a time.

        first: only so many leading bytes. Raises DataError when a file cannot be read whole.
        """


@dataclass(frozen=True)
class Folder:
    """A real folder; its files stream in the order asked for."""

    root: Path
    files: tuple[str, ...]
    folders: frozenset[str]

    @property
    def label(self) -> str:
        """The folder's path."""
        return str(self.root)

    def shown(self, name: str) -> str:
        """The file's path."""
        return str(self.root / name)

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """See `Container`."""
        for name in names:
            try:
                with open(os.path.join(self.root, name), "rb", buffering=0) as file:  # noqa: PTH118, PTH123 (pace)
                    size = os.fstat(file.fileno()).st_size
                    check_size(self.shown(name), size if first is None else 0)
                    yield name, file.read(size if first is None else first) or b""
            except OSError as error:
                raise DataError(f"{self.shown(name)}: cannot be read: {error.strerror or one_line(error)}") from error


@dataclass(frozen=True)
class Archive:
    """What archives have in common. members: each file's name, and what its kind of archive needs to read it."""

    path: Path
    members: Mapping[str, Any]
    folders: frozenset[str]

    @property
    def label(self) -> str:
        """The archive's path."""
        return str(self.path)

    @property
    def files(self) -> tuple[str, ...]:
        """See `Container`."""
        return tuple(self.members)

    def shown(self, name: str) -> str:
        """The archive's path and the member's."""
        return f"{self.path}: {name}"


class Zip(Archive):
    """A zip archive; its files stream in the order of their bytes."""

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """See `Container`."""
        with open_zip(self.path) as archive:
            for name in sorted(names, key=lambda n: self.members[n].header_offset):
                try:
                    with archive.open(self.members[name]) as file:
                        data = file.read(-1 if first is None else first)
                except ZIP_BROKEN as error:
                    raise DataError(f"{self.shown(name)}: damaged or cut short: {one_line(error)}") from error
                yield name, data


def is_ignored(name: str) -> bool:
    """Whether a path is hidden, or of those that systems strew about.

    >>> is_ignored("cat/.DS_Store"), is_ignored("__MACOSX/cat/1.png"), is_ignored("cat/1.png")
    (True, True, False)
    """
    return any(part.startswith(".") or part in IGNORED_NAMES for part in name.split("/"))


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
            f"{label}: member `{one_line(name)}` leads outside the archive; "
            "pack it again with relative paths that have no `..`"
        )
    return "/".join(part for part in parts if part not in ("", "."))


def check_size(shown: str, size: int) -> None:
    """Raises DataError for a file larger than any picture or list."""
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise DataError(f"{shown}: has {size:,} bytes; a file in a picture set may have {MAX_MEMBER_BYTES:,}")


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


def read_folder(root: Path) -> Folder:
    """Lists a folder at any depth. Raises DataError for links that lead out of it, links to folders, and devices."""
    files: list[str] = []
    folders: set[str] = set()
    waiting = [""]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(root / above) as found:
                entries = [entry for entry in found if not is_ignored(entry.name)]
        except OSError as error:
            raise DataError(f"{root / above}: cannot be listed: {error.strerror}") from error
        for entry in entries:
            name = f"{above}/{entry.name}" if above else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.add(name)
                waiting.append(name)
                continue
            if entry.is_symlink():
                _check_link(root, name)
            elif not entry.is_file(follow_symlinks=False):
                raise DataError(f"{root / name}: is neither a file nor a folder (a device, a pipe?); remove it")
            files.append(name)
    return Folder(root, tuple(files), frozenset(folders))


def _check_link(root: Path, name: str) -> None:
    path = root / name
    target = path.resolve()
    if not target.is_file():
        raise DataError(f"{path}: is a link to {target}, which is no file; only links to files are followed")
    if not target.is_relative_to(root.resolve()):
        raise DataError(f"{path}: is a link to {target}, outside {root}; copy the file in its place")


def open_zip(path: Path) -> zipfile.ZipFile:
    """The archive, open. Raises DataError when it is not a whole zip."""
    try:
        return zipfile.ZipFile(path)
    except ZIP_BROKEN as error:
        raise DataError(f"{path}: not a whole zip archive: {one_line(error)}; fetch or pack it again") from error


def read_zip(path: Path) -> Zip:
    """Lists a zip. Raises DataError for encrypted, linked, doubled, huge and outward members, and broken archives."""
    members: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    with open_zip(path) as archive:
        for info in archive.infolist():
            name = member_name(info.filename.replace("\\", "/"), str(path))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if kind == stat.S_IFLNK else "neither a file nor a folder"
                raise DataError(f"{path}: member `{one_line(name)}` is {what}; pack it again with plain files")
            if info.flag_bits & 1:
                raise DataError(f"{path}: member `{one_line(name)}` is encrypted; pack it again without a password")
            check_size(f"{path}: {one_line(name)}", info.file_size)
            if is_ignored(name):
                continue
            folders.update(parents(name))
            if info.is_dir() or kind == stat.S_IFDIR:
                folders.add(name)
                continue
            check_new(name, members, str(path))
            members[name] = info
    return Zip(path, members, frozenset(folders - {""}))
