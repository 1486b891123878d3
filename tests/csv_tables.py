"""Tables of pictures as CSV text, for the tests that read them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.array_classes import ClassWords
from sightlab.data.formats.csv import TableSet, read_tables
from sightlab.data.formats.sheets import sheet_of
from sightlab.data.imageset import UNDIVIDED, ImageSet, Parts, in_memory
from sightlab.data.tables.roles import Wish
from sightlab.errors import DataError


def put(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def read_csv(file: DataFile, label: str | None = None, shape: Sequence[int] = (), encoding: str | None = None) -> Parts:
    """One table by itself, as the layout of tables of pixels reads it."""
    sheet = sheet_of(file, Wish(label=label, shape=tuple(shape), given=bool(shape)), encoding)
    if not sheet.columns.labels:
        raise DataError(f"{file}: has no labels")
    return read_tables(TableSet({UNDIVIDED: sheet}, ClassWords(str(file)), label_asked=label is not None), in_memory)


def read(path: Path, label: str | None = None, shape: Sequence[int] = (), encoding: str | None = None) -> ImageSet:
    """The pictures of a table that is not divided."""
    return read_csv(DataFile.at(path), label, shape, encoding).splits["all"]


def table(rows: int, pixels: int = 784, seed: int = 0) -> NDArray[np.uint8]:
    """Pixels with every value from 0 to 255 and many of one and two digits; 255 is among them."""
    generator = np.random.default_rng(seed)
    found = generator.integers(0, 256, (rows, pixels)) // generator.choice([1, 9, 99, 999], (rows, pixels))
    found[0, -1] = 255
    return found.astype(np.uint8)


def smooth(rows: int, side: int = 8, channels: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """Pictures in which neighbours are near each other, as in photographs. uint8 [rows, side, side, channels]."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0, 255, (rows, 3, 3, 1)) + generator.uniform(-25, 25, (rows, 3, 3, channels))
    places = np.linspace(0, 2, side)
    low, share = np.minimum(places.astype(int), 1), places - np.minimum(places.astype(int), 1)
    tall = coarse[:, low] * (1 - share)[:, None, None] + coarse[:, low + 1] * share[:, None, None]
    wide = tall[:, :, low] * (1 - share)[:, None] + tall[:, :, low + 1] * share[:, None]
    return np.clip(np.rint(wide), 0, 255).astype(np.uint8)


def drawn(rows: int, side: int = 8, seed: int = 0) -> NDArray[np.uint8]:
    """Pictures of grey strokes within a black border, as of digits. uint8 [rows, side * side]."""
    found = smooth(rows, side, seed=seed)[..., 0]
    found[:, 0], found[:, -1], found[:, :, 0], found[:, :, -1] = 0, 0, 0, 0
    found[0, 1, 1] = 255
    return found.reshape(rows, -1)


def text_of(
    pixels: NDArray[np.uint8], labels: Sequence[str], header: bool = True, at: int = 0, label: str = "label"
) -> str:
    rows = [[*map(str, row)] for row in pixels.tolist()]
    for row, own in zip(rows, labels, strict=True):
        row.insert(at, own)
    names = [f"pixel{n}" for n in range(pixels.shape[1])]
    names.insert(at, label)
    return "".join(",".join(row) + "\n" for row in ([names] if header else []) + rows)
