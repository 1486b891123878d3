"""Parts of a batch: numbers drawn for it go to its device, and the samples that share an operation are changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LARGE = 2**22


def beside(drawn: NDArray[np.generic], images: Tensor) -> Tensor:
    """Drawn numbers as a tensor on the images' device. float64 becomes float32, other types stay.

    >>> beside(np.array([0.5]), torch.zeros(1)).dtype
    torch.float32
    """
    narrow = drawn.astype(np.float32) if drawn.dtype == np.float64 else np.ascontiguousarray(drawn)
    return torch.from_numpy(narrow).to(images.device, non_blocking=True)


def change_rows(
    images: Tensor, rows: NDArray[np.int64], change: Callable[..., Tensor], *parameters: NDArray[np.generic]
) -> None:
    """Put change(images[rows], ...) in place of images[rows]; nothing is called when there are no rows.

    images: [B, ...], written to. rows: int64 [M], each at most once. parameters: [B, ...] each; change takes their
    rows, beside the images.
    """
    if not len(rows):
        return
    places = beside(rows, images)
    changed = change(images.index_select(0, places), *(beside(p[rows], images) for p in parameters))
    if images.device.type == "cpu":
        # The same bytes; torch's copy takes ten times as long.
        images.numpy()[rows] = changed.numpy()
    else:
        images.index_copy_(0, places, changed)


@contextmanager
def one_thread(images: Tensor) -> Iterator[None]:
    """Work of small batches on a CPU stays in the calling thread; what torch does afterwards is as it was.

    Such a batch takes about a millisecond. Each operation shared among threads waits for all of them, and where
    another process is using a core, a wait takes up to sixteen.
    """
    threads = torch.get_num_threads()
    if images.device.type != "cpu" or images.numel() > LARGE or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
