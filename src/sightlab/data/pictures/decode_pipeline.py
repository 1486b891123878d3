"""The decoding pipeline: a survey of headers for the common shape, then decoding on threads."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import Progress
from sightlab.data.pictures.bit_depth import FULL, Depth, depth_of
from sightlab.data.pictures.decode import Decoded, Decoding, check_channels, decode_measured, fit, look
from sightlab.data.pictures.image_file import SKIP_HINT, quiet
from sightlab.errors import DataError
from sightlab.machine import cores

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


@dataclass
class Outcome:
    """What decoding brought to light. left: the broken pictures left out, in order of place.

    deep, floats: the largest value of each picture stored with 16 bits or as floats, by its place (see `Decoded`).
    """

    left: list[LeftOut] = field(default_factory=list)
    deep: dict[int, int] = field(default_factory=dict)
    floats: dict[int, float] = field(default_factory=dict)

    @property
    def depth(self) -> Depth:
        """What these pictures use of their ranges."""
        return depth_of(self.deep.values(), self.floats.values())

    def add(self, other: Outcome) -> None:
        """Take what another part of the pictures brought to light in."""
        self.left += other.left
        self.deep |= other.deep
        self.floats |= other.floats


def fitted_picture(data: bytes, name: str, decoding: Decoding) -> Decoded:
    """A picture decoded, and fitted where a size is asked for; one of 16 bits at 16 where no bit depth is given.

    Raises DataError naming it.
    """
    decoded = decode_measured(data, name, decoding.channels, decoding.bit_depth or FULL)
    if decoding.size is None:
        return decoded
    try:
        return replace(decoded, pixels=fit(decoded.pixels, decoding.size))
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


def decode_all(jobs: Iterable[Job], total: int, seen: Survey, decoding: Decoding, progress: Progress | None) -> Outcome:
    """Decodes every job into its target; pictures of 16 bits at 16 where no bit depth is given.

    total: how many jobs there are. Raises DataError for the first broken picture, unless broken ones are skipped,
    and for a picture of another size than the first.
    """
    exact = replace(decoding, channels=seen.shape[2])

    def work(batch: list[Job]) -> tuple[int, Outcome]:
        outcome = Outcome()
        for job in batch:
            try:
                decoded = fitted_picture(job.data, job.name, exact)
            except DataError as error:
                outcome.left.append(LeftOut(job.place, job.name, error))
                continue
            if decoded.pixels.shape != job.target.shape:
                raise _OtherSizeError(job.name, decoded.pixels.shape)
            job.target[:] = decoded.pixels
            if decoded.largest is not None:
                outcome.deep[job.place] = decoded.largest
            if decoded.brightest is not None:
                outcome.floats[job.place] = decoded.brightest
        return len(batch), outcome

    whole = Outcome()
    done = 0
    try:
        with quiet:
            for count, outcome in in_threads(work, batches(jobs), thread_count(seen.first_pixels)):
                if outcome.left and not decoding.skip_broken:
                    raise outcome.left[0].why
                whole.add(outcome)
                done += count
                if progress is not None:
                    progress(done, total)
    except _OtherSizeError as odd:
        raise sizes_differ(seen, *odd.args) from None
    whole.left.sort(key=lambda one: one.place)
    return whole


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
        f"(width x height); `size={round(statistics.median(shorter))}` resizes them all"
    )


def thread_count(pixels: int) -> int:
    """On how many threads pictures of so many pixels are best decoded; 1 is the caller's own."""
    return cores() if pixels >= THREADS_FROM_PIXELS else 1


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
