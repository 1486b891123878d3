"""What the tests of arrays share: small arrays, ways to save and to read them, and the one line of an error."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightlab.data.imageset import Parts, in_memory
from sightlab.data.inventory import look
from sightlab.data.layouts.claim import Claim
from sightlab.data.layouts.decide import decide
from sightlab.data.layouts.table import LAYOUTS
from sightlab.data.read_options import options_of
from sightlab.errors import DataError

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
LABELS = np.array([2, 0, 1, 1, 2, 0])
LONGEST_LINE = 300


def claimed(path: Path, **words: Any) -> Claim:
    """The claim that a source is read by, all layouts asked."""
    return decide(look(path), options_of(words), LAYOUTS).claim()  # type: ignore[arg-type]


def parts_of(path: Path, **words: Any) -> Parts:
    """What a source holds, read by the layout that the evidence chooses."""
    return claimed(path, **words).read(in_memory, None)


def fault(path: Path, **words: Any) -> str:
    """The one line with which a source is refused."""
    with pytest.raises(DataError) as caught:
        parts_of(path, **words)
    text = str(caught.value)
    assert "\n" not in text and path.name in text
    assert len(text) <= LONGEST_LINE + len(str(path.parent)), text
    return text


def save(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def save_npy(path: Path, array: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def npy_bytes(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def smooth(count: int, height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """Pictures whose neighbouring pixels are alike, as photographs' are, of channels that differ: [N, H, W, C]."""
    generator = np.random.default_rng(2)
    rows, columns = np.mgrid[0:height, 0:width]
    slopes = generator.uniform(-1, 1, (count, channels, 2))
    planes = (
        slopes[..., 0, None, None] * rows / height
        + slopes[..., 1, None, None] * columns / width
        + generator.uniform(0, 1, (count, channels, 1, 1))
    )
    scaled = 255 * (planes - planes.min()) / (planes.max() - planes.min())
    return np.rint(scaled).astype(np.uint8).transpose(0, 2, 3, 1).copy()
