"""The data path alone: augmented batches a second against a DataLoader with PIL transforms, and a CSV against pandas.

Both sides start from the same images in memory and end with batches of bytes: the loader's last transform is
PILToTensor, its fastest, and the better of none and two loader workers counts. One thread a process: threads that wait
for a core that another process is using would be measured instead.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import peers
import torch
from measure import ROUNDS, Row, faster, in_turn, seconds_of, with_threads
from pictures import pictures
from torch.utils.data import DataLoader
from torchvision import transforms

from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.pipeline import augmentation
from sightlab.data.batches import Batches, images_at
from sightlab.data.imageset import ImageSet, in_memory
from sightlab.data.load import examined

BATCH = 128
CROP = {"crop_padding": 4, "flip": 0.5}
CIFAR10 = transforms.AutoAugmentPolicy.CIFAR10
# what is measured, ours, theirs (after the crop and the flip), how many times as fast the project wants to be
POLICIES: list[tuple[str, dict[str, Any], list[Any], float]] = [
    ("crop 4 and flip", CROP, [], 20),
    ("and AutoAugment CIFAR-10", CROP | {"policy": "autoaugment-cifar10"}, [transforms.AutoAugment(CIFAR10)], 5),
    ("and RandAugment", CROP | {"policy": "randaugment"}, [transforms.RandAugment()], 5),
    ("and TrivialAugment", CROP | {"policy": "trivialaugment"}, [transforms.TrivialAugmentWide()], 5),
]
CSV_ROWS, CSV_PIXELS = 60_000, 784


def their_epoch(images: ImageSet, policy: list[Any], workers: int) -> Callable[[], float]:
    """Batches a second of a DataLoader, whose workers are started and warm."""
    pictures = peers.Pictures(images.images, images.labels)
    crop, flip = transforms.RandomCrop(images.shape[:2], 4), transforms.RandomHorizontalFlip()
    pictures.transform = transforms.Compose([crop, flip, *policy, transforms.PILToTensor()])
    loader = DataLoader(pictures, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    for _ in loader:
        pass
    return lambda: len(loader) / seconds_of(lambda: list(loader))


def our_epoch(images: ImageSet, asked: dict[str, Any]) -> Callable[[], float]:
    """Batches a second of sightlab: order, gather, augment."""
    change, batches, epoch = augmentation(**asked), Batches(len(images), BATCH, seed=1), 0

    def run() -> None:
        nonlocal epoch
        epoch += 1
        for step in range(batches.steps):
            places = batches.indices(epoch, step)
            change(images_at(images, places, torch.device("cpu")), CounterRNG(1, epoch, places))

    run()
    return lambda: batches.steps / seconds_of(run)


def write_csv(path: Path) -> None:
    """As many digits as Fashion-MNIST: half of the pixels are 0, the others even over 1 to 255."""
    generator = np.random.default_rng(0)
    with path.open("w") as stream:
        stream.write("label," + ",".join(f"pixel{n}" for n in range(CSV_PIXELS)) + "\n")
        for _ in range(CSV_ROWS // 1000):
            pixels = generator.integers(1, 256, (1000, CSV_PIXELS)) * generator.integers(0, 2, (1000, CSV_PIXELS))
            labels = generator.integers(0, 10, (1000, 1))
            stream.writelines(",".join(map(str, row)) + "\n" for row in np.hstack([labels, pixels]).tolist())


def read_whole(path: Path) -> None:
    """Look at a file, decide how to read it, and read it into memory; nothing is kept in the cache."""
    examined(path).decision.claim().read(in_memory, None)


def csv_row() -> Row:
    """Reading a CSV of 60,000 pictures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.csv"
        write_csv(path)
        sides = {"sightlab": partial(read_whole, path), "pandas": partial(pd.read_csv, path)}
        in_turn({name: partial(seconds_of, side) for name, side in sides.items()}, rounds=1)
        found = in_turn({name: partial(seconds_of, side) for name, side in sides.items()})
    mine, other = median(found["sightlab"]), median(found["pandas"])
    what = f"CSV of {CSV_ROWS:,} x {CSV_PIXELS + 1}"
    reached = mine / other <= 0.2
    return Row(
        "data path", what, "sightlab", mine, "pandas", other, "s", mine / other, "at most 0.2", reached, *found.values()
    )


def rows() -> tuple[list[Row], dict[str, object]]:
    """Augmentations, then the CSV."""
    images, name = pictures()
    found = []
    for what, ours, theirs, least in POLICIES:

        def measure(ours: dict[str, Any] = ours, theirs: list[Any] = theirs) -> dict[str, list[float]]:
            alone, helped = "DataLoader", "DataLoader, 2 workers"
            sides = {
                "sightlab": our_epoch(images, ours),
                alone: their_epoch(images, theirs, 0),
                helped: their_epoch(images, theirs, 2),
            }
            return in_turn(sides)

        rates: dict[str, list[float]] = {}
        with_threads(1, lambda measure=measure, rates=rates: rates.update(measure()) or 0.0)  # type: ignore[misc]
        best = max((peer for peer in rates if peer != "sightlab"), key=lambda peer: median(rates[peer]))
        found.append(faster("data path", what, rates, "sightlab", best, "batches/s", least))
    facts = {"n": ROUNDS, "images": f"{name} {len(images):,}", "batch": BATCH, "threads": 1}
    return [*found, csv_row()], facts
