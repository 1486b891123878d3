"""Augmented batches a second: sightlab against a DataLoader with PIL transforms, measured in turn.

    python bench/augmentation.py [--data SOURCE] [--json FILE]

Both start from the same images in memory and end with batches of bytes: the loader's last transform is PILToTensor,
its fastest. Its workers are started, and every way has run once, before anything is measured. Each figure is the
median of 5 rounds; a round runs every way once, so that a slow minute of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from sightlab.augment.draws import Draws
from sightlab.augment.pipeline import Augmentation, augmentation
from sightlab.data.batches import Batches, images_at
from sightlab.data.imageset import ImageSet
from sightlab.data.load import load
from sightlab.errors import SightlabError

BATCH, ROUNDS, IMAGES = 128, 5, 5120
CROP = {"crop_padding": 4, "flip": 0.5}
CIFAR10 = transforms.AutoAugmentPolicy.CIFAR10
# name, ours, theirs (after the crop and the flip), how many times faster the project wants to be
ROWS: list[tuple[str, dict[str, Any], list[Any], int]] = [
    ("crop 4 + flip", CROP, [], 20),
    ("and AutoAugment CIFAR-10", CROP | {"policy": "autoaugment-cifar10"}, [transforms.AutoAugment(CIFAR10)], 5),
    ("and RandAugment", CROP | {"policy": "randaugment"}, [transforms.RandAugment()], 5),
    ("and TrivialAugment", CROP | {"policy": "trivialaugment"}, [transforms.TrivialAugmentWide()], 5),
]


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """What a user writes: an image out of an array, through PIL and its transforms."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], policy: list[Any]) -> None:
        steps = [
            transforms.RandomCrop(images.shape[1:3], 4),
            transforms.RandomHorizontalFlip(),
            *policy,
            transforms.PILToTensor(),
        ]
        self.images, self.labels, self.transform = images, labels, transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        image = self.images[place]
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        return self.transform(picture), int(self.labels[place])


def loaders_epoch(images: ImageSet, policy: list[Any], workers: int) -> Callable[[], int]:
    """An epoch of the DataLoader; gives its batches."""
    data = Pictures(images.images, images.labels, policy)
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    return lambda: sum(1 for _ in loader)


def our_epoch(images: ImageSet, change: Augmentation) -> Callable[[], int]:
    """An epoch of sightlab: order, gather, augment; gives its batches."""
    batches, epoch = Batches(len(images), BATCH, seed=1), 0

    def run() -> int:
        nonlocal epoch
        epoch += 1
        for step in range(batches.steps):
            places = batches.places(epoch, step)
            change(images_at(images, places, torch.device("cpu")), Draws(1, epoch, places))
        return batches.steps

    return run


def medians_in_turn(ways: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Batches a second of each way, the median of ROUNDS rounds in which each runs once."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, epoch in ways.items():
            started = time.perf_counter()
            batches = epoch()
            if round_:
                rates[name].append(batches / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


def pictures_of(source: str | None) -> tuple[ImageSet, str]:
    """The images to measure with, and what they are: a source, CIFAR-10 where SIGHTLAB_DATA has it, or noise."""
    if source is None:
        local = Path(os.environ.get("SIGHTLAB_DATA", ".")) / "cifar10-jpeg.tar"
        source = str(local) if local.exists() else None
    if source is not None:
        train = load(source).train
        return train.take(np.arange(min(IMAGES, len(train)))), Path(source).name
    noise = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    return ImageSet(noise, np.zeros(IMAGES, np.int64), ("noise",)), "noise"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a data set; CIFAR-10 where SIGHTLAB_DATA has it, noise elsewhere")
    parser.add_argument("--json", type=Path, help="write the figures here")
    asked = parser.parse_args()
    # A loader's workers have one thread each; so has everything here. Threads that wait for a core that another
    # process is using would be measured instead.
    torch.set_num_threads(1)
    try:
        images, name = pictures_of(asked.data)
    except SightlabError as error:
        parser.error(str(error))
    print(f"{len(images):,} images {images.shape} of {name}, batches of {BATCH}, one thread a process")
    print(f"{'batches a second':26}{'loader':>10}{'2 workers':>12}{'sightlab':>12}{'times':>8}{'target':>8}")
    rows = []
    for title, ours, theirs, target in ROWS:
        ways = {
            "loader": loaders_epoch(images, theirs, 0),
            "loader_2_workers": loaders_epoch(images, theirs, 2),
            "sightlab": our_epoch(images, augmentation(**ours)),
        }
        rates = medians_in_turn(ways)
        times = rates["sightlab"] / max(rates["loader"], rates["loader_2_workers"])
        print(f"{title:26}" + "{:10.1f}{:12.1f}{:12.1f}".format(*rates.values()) + f"{times:8.1f}{target:8}")
        rows.append({"row": title, **rates, "times": times, "target": target})
    if asked.json:
        facts = {"data": name, "images": len(images), "shape": images.shape, "batch": BATCH, "rounds": ROUNDS}
        asked.json.write_text(json.dumps({**facts, "threads": 1, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
