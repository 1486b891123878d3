"""Small runs for the tests of reports: real ones, on pictures and class names of their own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import sightlab
from sightlab.data.splits import as_splits
from sightlab.recipes.overrides import changed

NASTY = (
    "<script>alert(1)</script>",
    "</style></svg><b>&amp;",
    "ein Name, der sehr lang ist " * 7,
    "x" * 200,
    "قطة صغيرة",
    "ねこ 🐈\u200d⬛",
    "\"quotes\" and 'quotes'",
    "{{ 7 * 7 }} {% raw %}",
    " spaces\tand\nlines ",
    "Ω≈ç√∫",
)


def own_images(
    classes: Sequence[str], images: int, shape: tuple[int, int, int] = (8, 8, 1), seed: int = 0
) -> sightlab.ImageSet:
    """So many pictures of each class: noise, and a bright place that tells the class most of the time."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(classes)), images)
    pixels = generator.integers(0, 160, (len(labels), *shape), dtype=np.uint8)
    places = (labels * 7) % (shape[0] * shape[1])
    pixels[np.arange(len(labels)), places // shape[1], places % shape[1]] = 255
    return sightlab.ImageSet(pixels, labels.astype(np.int64), tuple(classes))


def own_net(classes: int, shape: tuple[int, int, int] = (8, 8, 1)) -> torch.nn.Module:
    """One linear layer, always with the same weights."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), classes))


def own_run(
    home: Path, classes: Sequence[str], images: int, shape: tuple[int, int, int] = (8, 8, 1), **changes: object
) -> Path:
    """The folder of a run on such pictures: one linear layer, one epoch unless changed."""
    plain = {"epochs": 1, "flip": 0.0, "crop_padding": 0, "lr": 0.02}
    recipe = changed(sightlab.recipe("cnn"), {**plain, **changes})
    net = own_net(len(classes), shape)
    return sightlab.train(recipe, model=net, data=own_images(classes, images, shape), home=home).folder


def opened_again(folder: Path, classes: Sequence[str], images: int, reason: str) -> None:
    """Test such a run's model on its own test split once more, for a reason."""
    test = as_splits(own_images(classes, images)).test.open("a test")
    sightlab.evaluate(folder, test, open_test=reason, model=own_net(len(classes)))
