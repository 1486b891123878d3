"""How a network's accuracy holds when patches are shuffled, or left out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.lens.answers import batches, right, silent, unanswered
from sightlab.lens.estimates import share_curve, share_of
from sightlab.lens.patch_grid import (
    SMALLEST,
    drop_grid,
    dropped,
    patch_of,
    patch_sums,
    permutations,
    shuffle_grids,
    shuffled,
    shuffles,
)
from sightlab.lens.saliency.target import predicted
from sightlab.lens.subject import Subject, Tick
from sightlab.models.classifier import Classifier
from sightlab.records.analyses import AnalysisResult, Estimate

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
HALF = 0.5  # the share dropped that the figures are given for
HEADLINE_GRID = 4  # patches along a side that the figure of shuffling is given for; the finest there is, if coarser
ORDERS = ("random", "salient", "non-salient")


def unfit(subject: Subject) -> str:
    """Why the analysis does not fit, "" where it does."""
    height, width, _ = subject.images.shape
    if not shuffle_grids(height, width):
        smallest = 2 * SMALLEST
        return f"images of {height} x {width} have no patches to shuffle; it takes {smallest} x {smallest} or more"
    return unanswered(subject)


def patches(subject: Subject, tick: Tick = silent, *, seed: int = 0) -> AnalysisResult:
    """Accuracy with patches shuffled, and with a share of patches dropped: at random, salient or non-salient first.

    Naseer et al. 2021, "Intriguing properties of vision transformers", section 3. Shuffling: `GRIDS` as far as patches
    have 2 x 2 pixels, every image in an order of its own. Dropping: a grid of 14 x 14, coarser where patches had under
    4 pixels a side (`drop_grid`); a dropped patch gets the mean colour of the training images, which the network sees
    as 0. Salient is what speaks for the class that the network itself predicts: see `patch_saliency` (the paper takes
    the attention of DINO, for every network alike). seed: of orders and of random patches.
    """
    started = time.perf_counter()
    images = subject.images
    height, width, _ = images.shape
    grids, cells = shuffle_grids(height, width), drop_grid(height, width)
    counts = [round(share * cells * cells) for share in SHARES]
    orders = {grid: shuffles(len(images), height, width, grid, seed) for grid in grids}
    at_random = permutations(len(images), cells * cells, seed)
    found = Found(
        np.empty(len(images)),
        np.empty((len(images), len(grids))),
        {name: np.empty((len(images), len(SHARES))) for name in ORDERS},
    )
    each = 2 + len(grids) + len(SHARES) * len(ORDERS)
    place = torch.from_numpy(patch_of(height, width, cells)).to(subject.device)
    for rows, batch, labels in batches(images, subject.device):
        done = int(rows[0]) * each
        found.plain[rows] = right(subject.classifier, batch, labels)
        for column, grid in enumerate(grids):
            found.moved[rows, column] = right(subject.classifier, shuffled(batch, grid, orders[grid][rows]), labels)
            tick(done + (column + 2) * len(rows), each * len(images))
        salience = patch_saliency(subject.classifier, batch, place)
        ranked = {
            "random": torch.from_numpy(at_random[rows]).to(subject.device),
            "salient": salience.argsort(dim=1, descending=True, stable=True),
            "non-salient": salience.argsort(dim=1, stable=True),
        }
        for name, order in ranked.items():
            for column, count in enumerate(counts):
                shown = dropped(batch, place, first_of(order, count), subject.classifier.mean.flatten())
                found.left[name][rows, column] = right(subject.classifier, shown, labels)
            tick(done + len(rows) * (each - len(SHARES) * (2 - ORDERS.index(name))), each * len(images))
    return result_of(subject, found, grids, cells, time.perf_counter() - started)


class Found(NamedTuple):
    """Whether each image is answered rightly, 1 or 0.

    plain: float64 [N], as it is. moved: [N, grids], shuffled. left: by order of dropping, [N, shares].
    """

    plain: NDArray[np.float64]
    moved: NDArray[np.float64]
    left: Mapping[str, NDArray[np.float64]]


def patch_saliency(classifier: Classifier, images: Tensor, place: Tensor) -> Tensor:
    """How much each patch speaks for the predicted class: gradient x input, summed over it. Float [N, P].

    That is the first-order estimate of what the class's logit loses when the patch gets the mean colour, as dropped
    patches do. images: uint8 [N, H, W, C]. place: int64 [H, W], the patch of each pixel.
    """
    classes = predicted(classifier, images)
    with torch.enable_grad():
        shown = images.float().requires_grad_()
        logits = classifier(shown).gather(1, classes[:, None])
        (slope,) = torch.autograd.grad(logits.sum(), shown)
    given = shown.detach() - classifier.mean.flatten()
    return patch_sums((slope * given).sum(dim=3), place)


def first_of(order: Tensor, count: int) -> Tensor:
    """Which patches are among the first `count` of an order: bool [N, P]. order: int64 [N, P]."""
    drop = torch.zeros_like(order, dtype=torch.bool)
    return drop.scatter_(1, order[:, :count], value=True)


def result_of(subject: Subject, found: Found, grids: tuple[int, ...], cells: int, seconds: float) -> AnalysisResult:
    """Figures, curves and words of what was found."""
    height, width, _ = subject.images.shape
    headline = min(HEADLINE_GRID, grids[-1])
    half = SHARES.index(HALF)
    per_image = {
        "shuffled_accuracy": found.moved[:, grids.index(headline)],
        "random_drop_accuracy": found.left["random"][:, half],
        "salient_drop_accuracy": found.left["salient"][:, half],
        "non_salient_drop_accuracy": found.left["non-salient"][:, half],
        "accuracy": found.plain,
    }
    estimates = {name: share_of(values) for name, values in per_image.items()}
    plain = found.plain[:, None]
    sides, shares = np.array([1.0, *grids]), np.array([0.0, *SHARES])
    moved = share_curve(subject.name, sides, np.hstack([plain, found.moved]))
    left = {
        f"{name} drop": (share_curve(subject.name, shares, np.hstack([plain, found.left[name]])),) for name in ORDERS
    }
    return AnalysisResult(
        "patches",
        subject.name,
        estimates=estimates,
        curves={"shuffle": (moved,), **left},
        per_image=per_image,
        sentences=said(estimates, headline),
        notes=remarks(height, width, grids, cells),
        seconds=seconds,
    )


def said(estimates: Mapping[str, Estimate], grid: int) -> tuple[str, ...]:
    """What it comes to, in words."""
    plain, moved, random, salient, rest = (
        estimates[name].value
        for name in (
            *("accuracy", "shuffled_accuracy", "random_drop_accuracy"),
            *("salient_drop_accuracy", "non_salient_drop_accuracy"),
        )
    )
    return (
        f"Accuracy is {plain:.1%} on whole images and {moved:.1%} with their {grid} x {grid} patches shuffled.",
        f"With {HALF:.0%} of the patches dropped it is {random:.1%} where they are drawn at random, {salient:.1%} "
        f"where the most salient go and {rest:.1%} where the least salient go.",
    )


def remarks(height: int, width: int, grids: tuple[int, ...], cells: int) -> tuple[str, ...]:
    """What a reader must know of how it was measured."""
    notes = [
        f"Patches are dropped from a grid of {cells} x {cells}; a dropped patch gets the mean colour of the training "
        "images. Salient: what speaks for the network's own answer, by gradient x input.",
    ]
    uneven = [f"{grid} x {grid}" for grid in grids if height % grid or width % grid]
    if uneven:
        notes.append(
            f"{', '.join(uneven)} patches do not divide {height} x {width} pixels: their sides differ by a pixel, and "
            "they change places with those of their own size."
        )
    return tuple(notes)
