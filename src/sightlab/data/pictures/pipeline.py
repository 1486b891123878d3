"""Picture bytes poured into arrays: surveyed for the common shape, decoded on threads, broken ones left out."""

from __future__ import annotations

import os
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import Progress
from sightlab.data.pictures.decode import SKIP_HINT, Decoding, check_channels, decode, fit, look
from sightlab.errors import DataError

A = TypeVar("A")
B = TypeVar("B")

BATCH_PICTURES = 16
BATCH_BYTES = 4 * 2**20
# Below so many pixels a picture, Python's own work outweighs the decoding, and threads only wait for each other.
THREADS_FROM_PIXELS = 128 * 128
# So many pictures are looked at to say which size would suit them.
SIZES_LOOKED_AT = 1000

Pictures = Callable[[], Iterable[tuple[int, str, bytes]]]
"""Begins a stream of pictures anew: each one's place among all, what messages call it, and its file's bytes."""


@dataclass(frozen=True)
class Survey:
    """What is known of pictures before they are decoded.

    shape: the [H, W, C] that all will have. first: the first one that can be opened, and its pixels as stored.
    """

    pictures: Pictures
    shape: tuple[int, int, int]
    first: str
    first_pixels: int


@dataclass(frozen=True)
class Job:
    """A picture to be decoded into its place in an array. place: its row among all; target: uint8 [H, W, C]."""

    name: str
    data: bytes
    place: int
    target: NDArray[np.uint8]


@dataclass(frozen=True)
class LeftOut:
    """A broken picture: its place among all, its name, and what is wrong with it."""

    place: int
    name: str
    why: DataError


def picture_array(data: bytes, name: str, decoding: Decoding) -> NDArray[np.uint8]:
    """A picture decoded, and fitted where a size is asked for: uint8 [H, W, C]. Raises DataError naming it."""
    pixels = decode(data, name, decoding.channels)
    if decoding.size is None:
        return pixels
    try:
        return fit(pixels, decoding.size)
    except DataError as error:
        raise DataError(f"{name}: {error}; {SKIP_HINT}") from error


def survey(pictures: Pictures, decoding: Decoding) -> Survey:
    """Looks at headers: at one for the size; for own channels at one after the other until one has colour.

    Raises DataError when none can be opened.
    """
    check_channels(decoding.channels)
    found: Survey | None = None
    broken: DataError | None = None
    for _, name, data in pictures():
        try:
            header = look(data, name)
        except DataError as error:  # whether it may be left out is decided where it is decoded
            broken = broken or error
            continue
        height, width = (decoding.size, decoding.size) if decoding.size else (header.height, header.width)
        if found is None:
            found = Survey(pictures, (height, width, decoding.channels or 1), name, header.height * header.width)
        if decoding.channels is not None:
            break
        if not header.grey:
            return replace(found, shape=(*found.shape[:2], 3))
    if found is None:
        raise broken or DataError("there are no pictures")
    return found


def pour(jobs: Iterable[Job], total: int, seen: Survey, decoding: Decoding, progress: Progress | None) -> list[LeftOut]:
    """Decodes every job into its target; the broken pictures that were left out, in order of place.

    total: how many jobs there are. Raises DataError for the first broken picture, unless broken ones are skipped,
    and for a picture of another size than the first.
    """
    exact = replace(decoding, channels=seen.shape[2])

    def work(batch: list[Job]) -> tuple[int, list[LeftOut]]:
        left = []
        for job in batch:
            try:
                pixels = picture_array(job.data, job.name, exact)
            except DataError as error:
                left.append(LeftOut(job.place, job.name, error))
                continue
            if pixels.shape != job.target.shape:
                raise _OtherSizeError(job.name, pixels.shape)
            job.target[:] = pixels
        return len(batch), left

    broken: list[LeftOut] = []
    done = 0
    try:
        for count, left in in_threads(work, batches(jobs), thread_count(seen.first_pixels)):
            if left and not decoding.skip_broken:
                raise left[0].why
            broken += left
            done += count
            if progress is not None:
                progress(done, total)
    except _OtherSizeError as odd:
        raise sizes_differ(seen, *odd.args) from None
    return sorted(broken, key=lambda one: one.place)


class _OtherSizeError(Exception):
    """A picture's name and its shape, which is not that of the first."""


def sizes_differ(seen: Survey, name: str, shape: tuple[int, int, int]) -> DataError:
    """The error for a picture of another size, with a size that would suit: the median shorter side."""
    shorter = []
    for _, other, data in islice(seen.pictures(), SIZES_LOOKED_AT):
        try:
            header = look(data, other)
        except DataError:
            continue
        shorter.append(min(header.height, header.width))
    height, width = seen.shape[:2]
    return DataError(
        f"the pictures have different sizes: {seen.first} is {width} x {height} and {name} is {shape[1]} x {shape[0]} "
        f"(width x height); size={round(statistics.median(shorter))} resizes them all"
    )


def thread_count(pixels: int) -> int:
    """On how many threads pictures of so many pixels are best decoded; 1 is the caller's own."""
    return len(os.sched_getaffinity(0)) if pixels >= THREADS_FROM_PIXELS else 1


def batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs in lists short enough to lie in memory, long enough that handing them over costs little."""
    batch: list[Job] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += len(job.data)
        if len(batch) == BATCH_PICTURES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def in_threads(work: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """work(item) for each item, in order; on several threads at most twice as many items are under way as threads."""
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
