"""What the tests of npz and npy files share: small arrays, a way to save them, and the one line of an error."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightlab.data.formats.arrays import read_npy_pair, read_npz
from sightlab.errors import DataError

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
LABELS = np.array([2, 0, 1, 1, 2, 0])


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_npz(path) if path.suffix == ".npz" else read_npy_pair(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path
