"""A folder as a container: symbolic links are followed, cycles are not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sightlab.data.containers.base import DataFile, check_size
from sightlab.data.containers.junk import holds_runs, is_junk
from sightlab.errors import DataError, one_line


@dataclass(frozen=True, eq=False)
class Folder:
    """A real folder; its files stream in the order asked for."""

    root: Path
    sizes: Mapping[str, int]
    folders: frozenset[str] = frozenset()
    ignored: int = 0
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The folder's path."""
        return str(self.root)

    def shown(self, name: str) -> str:
        """The file's path."""
        return str(self.root / name)

    def file(self, name: str) -> DataFile:
        """See `Container`."""
        path = self.root / name
        return DataFile(str(path), name, self.sizes[name], lambda: path.open("rb"), path)

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


@dataclass
class _Listing:
    """A folder's listing while it is made. waiting: folders to be listed, each with the folders above it."""

    root: Path
    sizes: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    ignored: int = 0
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = field(default_factory=list)

    def add(self, entry: os.DirEntry[str], name: str, above: frozenset[tuple[int, int]]) -> None:
        """Take an entry in. Raises DataError for a link to nothing, and for devices."""
        if is_junk(entry.name):
            self.ignored += 1
        elif entry.is_dir():
            self.folders.add(name)
            self.waiting.append((name, above))
        elif entry.is_file():
            self.sizes[name] = entry.stat().st_size
        elif entry.is_symlink():
            target = os.readlink(entry.path)  # noqa: PTH115 (a DirEntry's own path)
            raise DataError(
                f"{self.root / name}: is a link to {one_line(target)}, which is not there; mend or remove it"
            )
        else:
            raise DataError(f"{self.root / name}: is neither a file nor a folder (a device, a pipe?); remove it")


def read_folder(root: Path) -> Folder:
    """Lists a folder at any depth; links are followed, but not back into a folder above.

    Raises DataError for links to nothing, devices, and what may not be listed.
    """
    listing = _Listing(root, waiting=[("", frozenset())])
    while listing.waiting:
        above, seen = listing.waiting.pop()
        folder = os.path.join(root, above)  # noqa: PTH118 (pace)
        try:
            status = os.stat(folder)  # noqa: PTH116
            here = (status.st_dev, status.st_ino)
            if here in seen:
                listing.folders.discard(above)
                continue
            with os.scandir(folder) as entries:
                found = list(entries)
            if above and holds_runs({entry.name for entry in found}):
                listing.folders.discard(above)
                continue
            for entry in found:
                listing.add(entry, f"{above}/{entry.name}" if above else entry.name, seen | {here})
        except OSError as error:
            raise DataError(f"{folder}: cannot be listed: {error.strerror}") from error
    return Folder(root, listing.sizes, frozenset(listing.folders), listing.ignored)


def lone_file(path: Path) -> Folder:
    """A container of one file on the disk. Raises DataError where it cannot be read."""
    return Folder(path.parent, {path.name: DataFile.at(path).size})
