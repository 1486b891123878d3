"""Parts of a batch: numbers drawn for it go to its device, and the samples that share an operation are changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def beside(drawn: NDArray[np.generic], images: Tensor) -> Tensor:
    """Drawn numbers as a tensor on the images' device. float64 becomes float32, other types stay.

    >>> beside(np.array([0.5]), torch.zeros(1)).dtype
    torch.float32
    """
    narrow = drawn.astype(np.float32) if drawn.dtype == np.float64 else np.ascontiguousarray(drawn)
    return torch.from_numpy(narrow).to(images.device, non_blocking=True)


def change_rows(images: Tensor, chosen: NDArray[np.bool_], change: Callable[[Tensor], Tensor]) -> None:
    """Put change(images[chosen]) in place of images[chosen]; nothing is called when no sample is chosen.

    images: [B, ...], written to. chosen: bool [B].
    """
    rows = np.flatnonzero(chosen)
    if len(rows):
        places = beside(rows, images)
        images.index_copy_(0, places, change(images.index_select(0, places)))
