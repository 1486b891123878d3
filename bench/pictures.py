"""The images that several benchmarks measure with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from sightlab.data.imageset import ImageSet
from sightlab.data.load import load_data

IMAGES = 5120


def pictures() -> tuple[ImageSet, str]:
    """The images to measure with, and what they are: CIFAR-10 where SIGHTLAB_DATA has it, else noise."""
    local = Path(os.environ.get("SIGHTLAB_DATA", "../shared/data")) / "cifar10-jpeg.tar"
    if local.exists():
        train = load_data(local).train
        return train.take(np.arange(min(IMAGES, len(train)))), "CIFAR-10"
    noise = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    return ImageSet(noise, np.zeros(IMAGES, np.int64), ("noise",)), "noise"
