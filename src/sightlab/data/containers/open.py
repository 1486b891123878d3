"""Opening a path as a container."""

from __future__ import annotations

from pathlib import Path

from sightlab.data.containers.base import Container, DataFile
from sightlab.data.containers.folders import read_folder
from sightlab.data.containers.tars import is_tar, read_tar
from sightlab.data.containers.zips import ZIP_MAGIC, read_zip


def open_container(path: Path, encoding: str | None = None) -> Container | None:
    """The folder or archive at a path, told by its content; None for another file. Raises DataError if it is broken.

    encoding: see `read_zip`.
    """
    return read_folder(path) if path.is_dir() else opened_archive(DataFile.at(path), encoding)


def opened_archive(packed: DataFile, encoding: str | None = None) -> Container | None:
    """The archive in a file, told by its content; None for another file. Raises DataError if it is broken."""
    if packed.head(4) in ZIP_MAGIC:
        return read_zip(packed, encoding)
    return read_tar(packed) if is_tar(packed) else None
