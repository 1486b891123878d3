"""Batch sampler: which image indices each training step sees; and gathering a batch onto the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.data.imageset import ImageSet
from sightlab.data.pixels import Groups

ORDER = 1


def epoch_order(count: int, seed: int, epoch: int, groups: Groups | None = None) -> NDArray[np.int64]:
    """The shuffled order of an epoch: a function of (seed, epoch) alone. int64 [count].

    groups: how the images are stored together, as in shards. Then the stores are shuffled, and the images are shuffled
    within windows of consecutive stores: an epoch opens each store once, and reads one window of them at a time.

    >>> sorted(epoch_order(4, seed=1, epoch=2).tolist())
    [0, 1, 2, 3]
    """
    generator = np.random.default_rng([seed, epoch, ORDER])
    if groups is None:
        return generator.permutation(count)
    by_store = np.argsort(groups.of, kind="stable")
    stores, starts = np.unique(groups.of[by_store], return_index=True)
    members = dict(zip(stores.tolist(), np.split(by_store, starts[1:]), strict=True))
    order = generator.permutation(stores).tolist()
    mixed = [
        generator.permutation(np.concatenate([members[store] for store in window])) for window in windows(order, groups)
    ]
    return np.concatenate(mixed)


def windows(order: Sequence[int], groups: Groups) -> Iterator[list[int]]:
    """Stores in this order, cut where the next one would make a window too large.

    >>> list(windows([2, 0, 1], Groups(np.arange(3), np.array([3, 9, 4]), window_bytes=8)))
    [[2, 0], [1]]
    """
    window: list[int] = []
    room = groups.window_bytes
    for store in order:
        size = int(groups.sizes[store])
        if window and size > room:
            yield window
            window, room = [], groups.window_bytes
        window.append(store)
        room -= size
    if window:
        yield window


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Steps that see every image once. A last batch of one image joins the batch before it.

    Batch norm has no variance to speak of in a batch of one.

    >>> steps_per_epoch(10, 4), steps_per_epoch(9, 4), steps_per_epoch(1, 4)
    (3, 2, 1)
    """
    whole, rest = divmod(count, batch_size)
    return max(1, whole + (rest > 1 or (rest == 1 and batch_size == 1)))


class Batches:
    """A batch sampler: the image indices of each step, a function of (seed, epoch, step) alone.

    groups: see `epoch_order`.

    >>> batches = Batches(count=10, batch_size=4, seed=1)
    >>> batches.steps, [len(batches.indices(1, step)) for step in range(3)]
    (3, [4, 4, 2])
    """

    def __init__(self, count: int, batch_size: int, seed: int, groups: Groups | None = None) -> None:
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.groups = groups
        self.steps = steps_per_epoch(count, batch_size)
        self._epoch = 0
        self._order = np.empty(0, np.int64)

    def indices(self, epoch: int, step: int) -> NDArray[np.int64]:
        """The indices into the split of a step's images; steps count from 0, epochs from 1. int64 [B]."""
        if epoch != self._epoch:
            self._epoch, self._order = epoch, epoch_order(self.count, self.seed, epoch, self.groups)
        start = step * self.batch_size
        return self._order[start:] if step == self.steps - 1 else self._order[start : start + self.batch_size]


def in_turn(count: int, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Indices 0 to count - 1 in batches, in order: a sequential sampler, for evaluation."""
    for start in range(0, count, batch_size):
        yield np.arange(start, min(start + batch_size, count))


def images_at(images: ImageSet, indices: NDArray[np.int64], device: torch.device) -> Tensor:
    """The images at these indices on the device. uint8 [B, H, W, C]."""
    return torch.from_numpy(images.gather(indices)).to(device, non_blocking=True)


def labels_at(images: ImageSet, indices: NDArray[np.int64], device: torch.device) -> Tensor:
    """The labels at these indices on the device. int64 [B]."""
    return torch.from_numpy(images.labels[indices]).to(device, non_blocking=True)
