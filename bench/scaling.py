"""Cost of an image as epochs grow: 10,000, 20,000 and 40,000 images an epoch, with one process and one a core."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from statistics import median

import numpy as np
from measure import ROUNDS, Row, in_turn, with_threads

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.training import loop
from sightlab.training.prepare import prepare, stepper_of
from sightlab.training.workers import physical_cores

SIZES = (10_000, 20_000, 40_000)


def microseconds_an_image(count: int, workers: int) -> float:
    """What an image costs in one epoch of so many, validation left out."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    labels = generator.integers(0, 10, count)
    few = np.arange(100)
    images = ImageSet(pixels, labels, tuple("abcdefghij"))
    recipe = sightlab.recipe("demo", workers=workers, epochs=1, batch_size=64)
    prepared = prepare(recipe, data={"train": images, "validation": images.take(few), "test": images.take(few)})
    stepper = stepper_of(prepared)
    with suppress(loop.Paused):  # twenty steps that do not count
        loop.train_epoch(prepared.training, prepared.plan, stepper, None, lambda: prepared.training.step == 20)
    try:
        started, done = time.perf_counter(), prepared.training.step * 64
        loop.train_epoch(prepared.training, prepared.plan, stepper, None, lambda: False)
        return 1e6 * (time.perf_counter() - started) / (count - done)
    finally:
        stepper.close()


def rows() -> tuple[list[Row], dict[str, object]]:
    """Each size against the smallest."""
    cores = physical_cores()
    found = []
    for workers in sorted({1, cores}):
        sides = {
            str(size): partial(with_threads, cores, partial(microseconds_an_image, size, workers)) for size in SIZES
        }
        costs = in_turn(sides)
        base = median(costs[str(SIZES[0])])
        for size in SIZES[1:]:
            rounds = costs[str(size)]
            cost = median(rounds)
            times = cost / base
            found.append(
                Row(
                    *("scaling", f"{size:,} images an epoch, {workers} processes", "sightlab", cost),
                    *(f"{SIZES[0]:,} images", base, "us/image", times, "0.95 to 1.05", 0.95 <= times <= 1.05),
                    *(rounds, costs[str(SIZES[0])]),
                )
            )
    return found, {"n": ROUNDS, "model": "compact-resnet", "batch": 64}
