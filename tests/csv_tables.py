"""Tables of pictures as CSV text, for the tests that read them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def put(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def table(rows: int, pixels: int = 784, seed: int = 0) -> NDArray[np.uint8]:
    """Pixels with every value from 0 to 255 and many of one and two digits."""
    generator = np.random.default_rng(seed)
    return (generator.integers(0, 256, (rows, pixels)) // generator.choice([1, 9, 99, 999], (rows, pixels))).astype(
        np.uint8
    )


def text_of(pixels: NDArray[np.uint8], labels: list[str], header: bool = True, at: int = 0) -> str:
    rows = [[*map(str, row)] for row in pixels.tolist()]
    for row, label in zip(rows, labels, strict=True):
        row.insert(at, label)
    names = [f"pixel{n}" for n in range(pixels.shape[1])]
    names.insert(at, "label")
    return "".join(",".join(row) + "\n" for row in ([names] if header else []) + rows)
