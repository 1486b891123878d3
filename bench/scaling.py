"""Cost of an image as epochs grow: 10,000, 20,000 and 40,000 images an epoch, with one process and one a core."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
from measure import ROUNDS, Row
from own_loop import OwnLoop

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.training.device import own_process, physical_cores
from sightlab.training.prepare import prepare

SIZES = (10_000, 20_000, 40_000)
BATCH, WARM, PARTS = 64, 20, 40


class Epoch:
    """One epoch of so many images under way, validation left out."""

    def __init__(self, count: int, processes: int) -> None:
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
        images = ImageSet(pixels, generator.integers(0, 10, count), tuple("abcdefghij"))
        few = images.take(np.arange(100))
        recipe = sightlab.recipe("demo", processes=processes, epochs=1, batch_size=BATCH)
        self.prepared = prepare(recipe, data={"train": images, "validation": few, "test": few})
        self.loop = OwnLoop(self.prepared)
        self.seconds, self.images = 0.0, 0
        self.train(WARM)
        self.seconds, self.images = 0.0, 0

    def train(self, steps: int) -> None:
        """So many more steps of the epoch, if it has them."""
        if self.prepared.training.step < self.prepared.plan.steps_per_epoch:
            started = time.perf_counter()
            self.images += self.loop.train(steps)
            self.seconds += time.perf_counter() - started


def microseconds_an_image(processes: int) -> list[float]:
    """What an image costs in one epoch of each size. The epochs take turns, a fortieth at a time."""
    epochs = [Epoch(size, processes) for size in SIZES]
    try:
        for _ in range(PARTS):
            for size, epoch in zip(SIZES, epochs, strict=True):
                epoch.train(-(-size // BATCH // PARTS))
        return [1e6 * epoch.seconds / epoch.images for epoch in epochs]
    finally:
        for epoch in epochs:
            epoch.loop.close()


def rows() -> tuple[list[Row], dict[str, object]]:
    """Each size against the smallest."""
    cores = physical_cores()
    found = []
    for processes in sorted({1, cores}):
        rounds: list[list[float]] = []
        for _ in range(ROUNDS):
            with own_process():
                rounds.append(microseconds_an_image(processes))
        costs = [list(column) for column in zip(*rounds, strict=True)]
        for size, cost in zip(SIZES[1:], costs[1:], strict=True):
            ours, base = median(cost), median(costs[0])
            times = median(one[SIZES.index(size)] / one[0] for one in rounds)
            found.append(
                Row(
                    *("scaling", f"{size:,} images an epoch, {processes} process{'es' * (processes > 1)}", "sightlab"),
                    *(ours, f"{SIZES[0]:,} images", base, "us/image", times, "0.95 to 1.05", 0.95 <= times <= 1.05),
                    *(cost, costs[0]),
                )
            )
    return found, {"n": ROUNDS, "model": "compact-resnet", "batch": BATCH}
