"""A lazily loaded array in a file: name, shape and dtype are known, values are read on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Load = Callable[[], Array]


@dataclass(frozen=True, eq=False)
class StoredArray:
    """One array of a file.

    key: the path of names that leads to it, as in `x_train`, `train/images` or `kmnist-train-imgs/arr_0`. name: what
    notes call it, relative to the source. shown: what error messages call it. shape, dtype: what its head declares.
    load: reads the values; raises DataError. by_column: whether rows of flattened pictures run down the columns.
    """

    key: str
    name: str
    shown: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Load
    by_column: bool = False

    @property
    def size_text(self) -> str:
        """Its type and shape for a message: `uint8 [60000, 28, 28]`."""
        return f"{self.dtype} {list(self.shape)}"
