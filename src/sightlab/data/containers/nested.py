"""Archives inside a folder or an archive, read as the folders they would unpack to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sightlab.data.containers.base import Container, DataFile, check_new
from sightlab.data.containers.open import opened_archive
from sightlab.errors import DataError

ARCHIVE_SUFFIX = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
# What a cloud drive adds to the name of a folder that it packs, in several parts where it is large.
DRIVE_SUFFIX = re.compile(r"-\d{8}T\d{6}Z(-\d+)*$")
MOST_ARCHIVES = 20_000
DEPTH = 3


@dataclass(frozen=True, eq=False)
class Nested:
    """A container whose archives are folders. inside: where each of their files is, as (archive's container, name)."""

    outer: Container
    inside: Mapping[str, tuple[Container, str]]
    sizes: Mapping[str, int]
    folders: frozenset[str]
    ignored: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """The outer container's path."""
        return self.outer.label

    def shown(self, name: str) -> str:
        """See `Container`."""
        inner, own = self.inside.get(name, (self.outer, name))
        return inner.shown(own)

    def file(self, name: str) -> DataFile:
        """See `Container`."""
        inner, own = self.inside.get(name, (self.outer, name))
        return replace(inner.file(own), name=name)

    def stream(self, names: Sequence[str], first: int | None = None) -> Iterator[tuple[str, bytes]]:
        """See `Container`; one archive after the other."""
        by_place: dict[int, tuple[Container, dict[str, str]]] = {}
        for name in names:
            inner, own = self.inside.get(name, (self.outer, name))
            by_place.setdefault(id(inner), (inner, {}))[1][own] = name
        for inner, whole in by_place.values():
            for own, data in inner.stream(list(whole), first):
                yield whole[own], data


def is_archive_name(name: str) -> bool:
    """Whether a file is an archive by its name.

    >>> is_archive_name("a/train.ZIP"), is_archive_name("x.tar.gz"), is_archive_name("x.csv.gz")
    (True, True, False)
    """
    return bool(ARCHIVE_SUFFIX.search(name))


def folder_of(archive: str) -> str:
    """The folder that an archive unpacks to: its name without the suffix.

    >>> folder_of("a/train.tar.gz"), folder_of("cat-20240501T101500Z-001.zip")
    ('a/train', 'cat')
    """
    return DRIVE_SUFFIX.sub("", ARCHIVE_SUFFIX.sub("", archive))


def with_archives(outer: Container, archives: Sequence[str], depth: int = DEPTH) -> Container:
    """The container with these of its archives as folders, and those inside them, a few levels deep.

    An archive that holds one folder of its own name becomes that folder. Raises DataError as reading archives does.
    """
    if not archives or not depth:
        return outer
    if len(archives) > MOST_ARCHIVES:
        raise DataError(f"{outer.label}: holds {len(archives):,} archives; at most {MOST_ARCHIVES:,} are looked into")
    sizes = {name: size for name, size in outer.sizes.items() if name not in frozenset(archives)}
    inside: dict[str, tuple[Container, str]] = {}
    folders = set(outer.folders)
    ignored, notes = outer.ignored, list(outer.notes)
    for archive in archives:
        found = opened_archive(outer.file(archive))
        if found is None:
            raise DataError(
                f"{outer.shown(archive)}: is called an archive, and is neither a zip nor a tar; fetch it again"
            )
        inner = with_archives(found, [name for name in found.sizes if is_archive_name(name)], depth - 1)
        prefix = prefix_of(archive, inner)
        for own, size in inner.sizes.items():
            check_new(prefix + own, sizes, outer.label)
            sizes[prefix + own] = size
            inside[prefix + own] = (inner, own)
        folders.update(prefix + own for own in inner.folders)
        if prefix:
            folders.add(prefix.rstrip("/"))
        ignored += inner.ignored
        notes += inner.notes
    return Nested(outer, inside, sizes, frozenset(folders), ignored, tuple(notes))


def prefix_of(archive: str, inner: Container) -> str:
    """What stands before the names of an archive's files: its folder, unless all of them lie in one of that name."""
    folder = folder_of(archive)
    parent, own = posixpath.split(folder)
    if inner.sizes and all(name.startswith(f"{own}/") for name in inner.sizes):
        return f"{parent}/" if parent else ""
    return f"{folder}/"
