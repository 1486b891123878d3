"""Augmentation policies: AutoAugment, RandAugment and TrivialAugment, one pass over a batch for each step.

A policy becomes, for each sample and step, one operation and its magnitude. `apply` changes a batch by them in four
groups, whatever the operations: tables of grey levels, one affine resampling, colour, sharpness.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.augment.affine import resample
from sightlab.augment.chunks import apply_to_rows, chunks
from sightlab.augment.colour import saturation, sharpness
from sightlab.augment.counter_rng import CounterRNG
from sightlab.augment.lookup_tables import (
    autocontrast_tables,
    brightness_tables,
    contrast_tables,
    equalize_tables,
    grey_levels,
    invert_tables,
    posterize_tables,
    solarize_tables,
    through_tables,
)
from sightlab.augment.policy_tables import AUTOAUGMENT
from sightlab.errors import RecipeError, suggestion

# The order in which RandAugment and TrivialAugment choose; Invert is AutoAugment's alone.
GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
COLOURS = ("Brightness", "Color", "Contrast", "Sharpness")
OPERATIONS = ("Identity", *GEOMETRIC, *COLOURS, "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert")
NUMBER = {name: number for number, name in enumerate(OPERATIONS)}
IDENTITY, INVERT = NUMBER["Identity"], NUMBER["Invert"]
SIGNED = np.isin(OPERATIONS, GEOMETRIC + COLOURS)

Steps = tuple[NDArray[np.int64], NDArray[np.float64]]
"""What to do: operations int64 [B, steps], places in OPERATIONS, and magnitudes float64 [B, steps]."""

TABLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Brightness": lambda images, magnitudes: brightness_tables(images, 1 + magnitudes),
    "Contrast": lambda images, magnitudes: contrast_tables(images, 1 + magnitudes),
    "Posterize": posterize_tables,
    "Solarize": lambda images, magnitudes: solarize_tables(images, 255 * magnitudes),
    "AutoContrast": lambda images, _: autocontrast_tables(images),
    "Equalize": lambda images, _: equalize_tables(images),
    "Invert": lambda images, _: invert_tables(images),
}

BY_TABLE, MOVED = np.isin(OPERATIONS, list(TABLES)), np.isin(OPERATIONS, GEOMETRIC)


def apply(images: Tensor, steps: Steps) -> Tensor:
    """The images after all steps. images: uint8 [B, H, W, C]. Gives the same shape.

    Each operation is what torchvision's AutoAugment does under its name, with interpolation nearest and fill 0.
    Raises RecipeError unless the images have 1 or 3 channels.
    """
    if images.shape[3] not in (1, 3):
        grey_levels(images[:0])
    changed = images.clone()
    for operations, magnitudes in zip(steps[0].T, steps[1].T, strict=True):
        apply_step(changed, operations, magnitudes)
    return changed


def apply_step(images: Tensor, operations: NDArray[np.int64], magnitudes: NDArray[np.float64]) -> None:
    """One step, in place. operations: int64 [B]. magnitudes: float64 [B]."""

    alike = np.argsort(operations, kind="stable")
    by_table, moved = alike[BY_TABLE[operations[alike]]], np.flatnonzero(MOVED[operations])
    for rows in chunks(images, by_table):
        apply_to_rows(images, rows, partial(change_levels, operations=operations[rows]), magnitudes)
    apply_to_rows(images, moved, resample, sources_of(operations, magnitudes, *images.shape[1:3]))
    apply_to_rows(images, np.flatnonzero(operations == NUMBER["Color"]), saturation, 1 + magnitudes)
    apply_to_rows(images, np.flatnonzero(operations == NUMBER["Sharpness"]), sharpness, 1 + magnitudes)


def change_levels(images: Tensor, magnitudes: Tensor, operations: NDArray[np.int64]) -> Tensor:
    """Every operation that is a table of grey levels: tables by operation, then one gather. uint8 [B, H, W, C].

    magnitudes: float32 [B]. operations: int64 [B], sorted.
    """
    numbers, starts = np.unique(operations, return_index=True)
    tables, channels = [], images.shape[3]
    for number, start, stop in zip(numbers, starts, [*starts[1:], len(operations)], strict=True):
        made = TABLES[OPERATIONS[number]](images[start:stop], magnitudes[start:stop])
        tables.append(made.expand(-1, channels, -1))
    return through_tables(images, torch.cat(tables))


def sources_of(
    operations: NDArray[np.int64], magnitudes: NDArray[np.float64], height: int, width: int
) -> NDArray[np.float64]:
    """What geometric operations are to `resample`; no change for the others. float64 [B, 2, 3].

    `Affine.sources` written out for one operation at a time. Shears keep the top left corner in place, and their
    magnitude is a slope; shifts are cut to whole pixels.
    """
    slope_x, slope_y, across, down, degrees = (
        np.where(operations == NUMBER[name], magnitudes, 0.0) for name in GEOMETRIC
    )
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    from_column = (cosine, slope_x - sine, slope_x * (height / 2) - np.trunc(across))
    from_row = (slope_y + sine, cosine, slope_y * (width / 2) - np.trunc(down))
    return np.stack((*from_column, *from_row), axis=1).reshape(-1, 2, 3)


@lru_cache(maxsize=64)
def magnitudes_of(bins: int, height: int, width: int, wide: bool) -> NDArray[np.float64]:
    """The magnitude of every operation at every bin, float64 [operations, bins]; `wide` for TrivialAugment's.

    Steps are even from nothing to the largest magnitude (Cubuk et al. 2019 and Müller and Hutter 2021,
    appendices), in float32 as torchvision computes them: a shift of 15.999999 pixels is cut to 15.
    """
    strong, turn, slope, kept = (0.99, 135.0, 0.99, 2) if wide else (0.9, 30.0, 0.3, 4)
    across, down = (32.0, 32.0) if wide else (150 / 331 * width, 150 / 331 * height)
    largest = dict.fromkeys(COLOURS, strong) | {"ShearX": slope, "ShearY": slope, "Rotate": turn}
    largest |= {"TranslateX": across, "TranslateY": down}
    table = np.zeros((len(OPERATIONS), bins))
    for name, end in largest.items():
        table[NUMBER[name]] = torch.linspace(0, end, bins).numpy()
    table[NUMBER["Posterize"]] = (8 - torch.arange(bins) / ((bins - 1) / (8 - kept))).round().numpy()
    table[NUMBER["Solarize"]] = torch.linspace(1, 0, bins).numpy()
    return table


def signs(drawn: NDArray[np.float64], operations: NDArray[np.int64]) -> NDArray[np.float64]:
    """-1 or 1 with equal probability for signed operations, 1 for the others. Any shape."""
    return np.where((drawn < 0.5) & SIGNED[operations], -1.0, 1.0)


@lru_cache(maxsize=8)
def autoaugment_table(policy: str) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """The 25 sub-policies: operations, probabilities and bins, [25, 2] each. Raises RecipeError for another name."""
    if policy not in AUTOAUGMENT:
        raise RecipeError(f"unknown AutoAugment policy {policy!r}; {suggestion(policy, AUTOAUGMENT)}")
    rows = [[step.split() for step in line.split(",")] for line in AUTOAUGMENT[policy].strip().splitlines()]
    operations = np.array([[NUMBER[name] for name, _, _ in row] for row in rows])
    probabilities = np.array([[float(share) for _, share, _ in row] for row in rows])
    bins = np.array([[int(place) for _, _, place in row] for row in rows])
    return operations, probabilities, bins


def draw_autoaugment(rng: CounterRNG, policy: str, height: int, width: int) -> Steps:
    """AutoAugment (Cubuk et al. 2019): one of 25 sub-policies, each of its two steps with its own probability.

    policy: cifar10, svhn or imagenet. Raises RecipeError for another.
    """
    operations, probabilities, bins = autoaugment_table(policy)
    drawn = rng.uniform("autoaugment", 5)
    chosen = (drawn[:, 0] * len(operations)).astype(np.int64)
    steps = np.where(drawn[:, 1:3] < probabilities[chosen], operations[chosen], IDENTITY)
    sizes = magnitudes_of(10, height, width, False)[steps, bins[chosen]]
    return steps, sizes * signs(drawn[:, 3:], steps)


def draw_randaugment(rng: CounterRNG, count: int, magnitude: int, height: int, width: int) -> Steps:
    """RandAugment (Cubuk et al. 2020): `count` operations, any of 14, all at one magnitude.

    count: at least 0. magnitude: in [0, 30], of 31 bins.
    """
    drawn = rng.uniform("randaugment", max(1, 2 * count))
    steps = (drawn[:, :count] * INVERT).astype(np.int64)
    return steps, magnitudes_of(31, height, width, False)[steps, magnitude] * signs(drawn[:, count : 2 * count], steps)


def check_randaugment(count: int, magnitude: int) -> None:
    """Raises RecipeError for settings that RandAugment does not have."""
    if count < 0:
        raise RecipeError(f"augment.randaugment_ops is {count}; use 0 or more")
    if not 0 <= magnitude <= 30:
        raise RecipeError(f"augment.randaugment_magnitude is {magnitude}; use a whole number from 0 to 30")


def draw_trivialaugment(rng: CounterRNG, height: int, width: int) -> Steps:
    """TrivialAugment, wide (Müller and Hutter 2021): one operation of 14 at one of 31 magnitudes."""
    drawn = rng.uniform("trivialaugment", 3)
    steps = (drawn[:, :1] * INVERT).astype(np.int64)
    bins = (drawn[:, 1:2] * 31).astype(np.int64)
    return steps, magnitudes_of(31, height, width, True)[steps, bins] * signs(drawn[:, 2:], steps)
