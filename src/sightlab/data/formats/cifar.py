"""The binary version of CIFAR-10 and CIFAR-100: records of label bytes and 3,072 pixels, channels first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import Container
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.data.named_sets import FINE, OBJECTS, SUPERCLASSES
from sightlab.errors import DataError

PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Version:
    """One of the two sets. folder: what the official archive calls it. labels: the classes of each label byte, by what
    `label` calls it; the last is what the set is known for. files: of each split, in order.
    """

    folder: str
    labels: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[str, ...]]

    @property
    def record(self) -> int:
        """Bytes a picture."""
        return len(self.labels) + PIXELS


VERSIONS = (
    Version(
        "cifar-10-batches-bin",
        {"label": OBJECTS},
        {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)},
    ),
    Version(
        "cifar-100-binary",
        {"coarse": tuple(SUPERCLASSES), "fine": FINE},
        {"train": ("train.bin",), "test": ("test.bin",)},
    ),
)


class Records:
    """The records of files of a container, read in one pass the first time that one of them is asked for."""

    def __init__(self, container: Container, names: Sequence[str], version: Version) -> None:
        self.container, self.names, self.version = container, names, version
        self.tables: dict[str, NDArray[np.uint8]] = {}

    def table(self, name: str) -> NDArray[np.uint8]:
        """The records of one file. uint8 [N, label bytes + 3,072]. Raises DataError."""
        if name not in self.tables:
            for one, data in self.container.stream(self.names):
                check_records(self.container.shown(one), len(data), self.version)
                self.tables[one] = np.frombuffer(data, np.uint8).reshape(-1, self.version.record)
        return self.tables[name]

    def images(self, name: str) -> StoredArray:
        """The pictures of one file, [N, 3, 32, 32]; asked for last, so that the file's bytes are kept no longer."""
        shape = (self.count(name), 3, 32, 32)

        def load() -> Array:
            table = self.table(name)
            del self.tables[name]
            return table[:, len(self.version.labels) :].reshape(shape)

        return StoredArray(name, name, self.container.shown(name), shape, np.dtype(np.uint8), load)

    def labels(self, name: str, place: int) -> StoredArray:
        """The label bytes of one file, [N]. place: which of those that a record has."""
        classes = list(self.version.labels.values())[place]
        shown = self.container.shown(name)

        def load() -> Array:
            found = self.table(name)[:, place]
            if found.size and found.max() >= len(classes):
                raise DataError(f"{shown}: a label of {found.max()}; there are {len(classes)} classes")
            return found.copy()

        return StoredArray(name, name, shown, (self.count(name),), np.dtype(np.uint8), load)

    def count(self, name: str) -> int:
        """How many pictures a file holds. Raises DataError for one that is cut short."""
        size = self.container.sizes[name]
        check_records(self.container.shown(name), size, self.version)
        return size // self.version.record


def check_records(where: str, size: int, version: Version) -> None:
    """Raises DataError for a file that is no whole number of records."""
    if not size or size % version.record:
        raise DataError(
            f"{where}: {size:,} bytes, which is no whole number of {version.record:,}-byte records; fetch it again"
        )
