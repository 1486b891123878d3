"""Work on parts of a batch: drawn numbers move to its device, and chosen rows are changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LARGE = 2**22
AT_ONCE = 2**17


def to_device_of(drawn: NDArray[np.generic], images: Tensor) -> Tensor:
    """Drawn numbers as a tensor on the images' device; float64 becomes float32, other types stay.

    >>> to_device_of(np.array([0.5]), torch.zeros(1)).dtype
    torch.float32
    """
    narrow = drawn.astype(np.float32) if drawn.dtype == np.float64 else np.ascontiguousarray(drawn)
    return torch.from_numpy(narrow).to(images.device, non_blocking=True)


def chunks(images: Tensor, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows to process at a time: all of them on a GPU, an eighth of a megabyte on a CPU; no rows yield nothing.

    Intermediate results then stay in a core's cache, and small enough that the allocator reuses their memory.
    """
    some = max(1, AT_ONCE // images.shape[1:].numel()) if images.device.type == "cpu" else max(1, len(rows))
    for start in range(0, len(rows), some):
        yield rows[start : start + some]


def apply_to_rows(
    images: Tensor, rows: NDArray[np.int64], change: Callable[..., Tensor], *parameters: NDArray[np.generic]
) -> None:
    """Replace images[rows] by change(images[rows], ...); `change` is not called when there are no rows.

    images: [B, ...], written to. rows: int64 [M], each at most once. parameters: [B, ...] each; change takes their
    rows after the images. It is called for `chunks` of the rows.
    """
    for some in chunks(images, rows):
        places = to_device_of(some, images)
        changed = change(images.index_select(0, places), *(to_device_of(p[some], images) for p in parameters))
        if images.device.type == "cpu":
            # The same bytes as index_copy_ leaves, in a tenth of its time.
            images.numpy()[some] = changed.numpy()
        else:
            images.index_copy_(0, places, changed)


@contextmanager
def one_thread(images: Tensor) -> Iterator[None]:
    """Run small batches on a CPU in the calling thread only; the number of threads is restored afterwards.

    Such a batch takes about a millisecond. Each parallel operation waits for all threads, and while another process
    uses a core a wait takes up to sixteen.
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
