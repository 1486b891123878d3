"""How alike the layers of two networks are."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.data.content_hash import content_of
from sightlab.errors import ModelError, RunError
from sightlab.lens.anatomy import Stage
from sightlab.lens.answers import batches, silent
from sightlab.lens.stage_hooks import looking_at
from sightlab.lens.subject import Subject, Tick
from sightlab.records.analyses import AnalysisResult, Estimate

MOST = 1000  # images: the products of all pairs of them are held for every block
FEWEST = 3


def layer_cka(first: Subject, second: Subject, tick: Tick = silent) -> AnalysisResult:
    """Linear CKA between each block of one network and each of another, on the same images.

    Kornblith et al. 2019, "Similarity of neural network representations revisited", section 3: for features X and Y,
    centred over the images, |Y'X|^2 / (|X'X| |Y'Y|) with Frobenius norms; 1 where they are equal up to rotation and
    scale. Features are a block's maps averaged over their places, so that maps of any sizes can be compared (the paper
    takes all places as features of their own). All images are taken at once, not minibatches; with fewer images than
    channels it is biased upwards.

    `arrays["cka"]`: float64 [blocks of the first, blocks of the second], NaN for a block whose features are the same
    for all images. `most_alike_mean`: for each block of the first the most alike block of the second, averaged.

    Raises RunError where the images differ, or are over 1,000; ModelError for a network without blocks.
    """
    started = time.perf_counter()
    check_comparable(first, second)
    total = len(first.images) + len(second.images)
    similarities = [
        block_similarities(subject, lambda done, _total, before=before: tick(before + done, total))  # type: ignore[misc]
        for subject, before in ((first, 0), (second, len(first.images)))
    ]
    matrix = cka(*similarities)
    best = np.nanmax(np.where(np.isnan(matrix), -np.inf, matrix), axis=1)
    best = best[np.isfinite(best)]
    mean = {"most_alike_mean": Estimate(float(best.mean()), count=len(first.images))} if best.size else {}
    tables = {
        axis: ((subject.name, "depth"), tuple((stage.module, f"{stage.depth:.2f}") for stage in subject.anatomy.blocks))
        for axis, subject in (("Rows", first), ("Columns", second))
    }
    return AnalysisResult(
        "cka",
        f"{first.name} and {second.name}",
        estimates=mean,
        arrays={"cka": matrix},
        tables=tables,
        sentences=said(first, second, matrix),
        notes=("Linear CKA of the blocks' maps averaged over their places, on all images at once.",),
        seconds=time.perf_counter() - started,
    )


def check_comparable(first: Subject, second: Subject) -> None:
    """Raises RunError where two networks see different images or too many, ModelError where one has no blocks."""
    for subject in (first, second):
        if not subject.anatomy.blocks:
            raise ModelError(f"{subject.name}: no layer of it gives maps; CKA compares networks with maps or tokens")
    count = len(first.images)
    same = count == len(second.images) and bool((first.images.labels == second.images.labels).all())
    if same and first.images.shape == second.images.shape:
        same = content_of(first.images) == content_of(second.images)
    if not same:
        raise RunError(
            f"{first.name} and {second.name} are looked at with different images ({first.source}; {second.source}); "
            "name the same for both with --data SOURCE"
        )
    if not FEWEST <= count <= MOST:
        raise RunError(f"{first.source}: {count:,} images; CKA takes {FEWEST} to {MOST:,} (--images)")


def block_similarities(subject: Subject, tick: Tick) -> NDArray[np.float32]:
    """The inner products of all images' centred features, scaled to norm 1, for each block: float32 [blocks, N * N].

    NaN for a block whose features are the same for all images.
    """
    blocks, count = subject.anatomy.blocks, len(subject.images)
    features = {stage.module: np.empty((count, stage.channels), np.float32) for stage in blocks}
    found: dict[str, Tensor] = {}

    def look(stage: Stage, maps: Tensor) -> None:
        found[stage.module] = maps.float().mean((2, 3))

    with looking_at(subject.net, blocks, look), torch.inference_mode():
        for rows, batch, _labels in batches(subject.images, subject.device):
            subject.classifier(batch)
            for module, values in found.items():
                features[module][rows] = values.cpu().numpy()
            tick(int(rows[-1]) + 1, count)
    return np.stack([scaled_products(features.pop(stage.module)).ravel() for stage in blocks])


def scaled_products(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """XX' over its Frobenius norm, X centred over the images: float32 [N, N]. features: [N, D]. NaN where all equal."""
    values = features.astype(np.float64)
    size = np.abs(values).max(initial=0)
    values -= values.mean(axis=0)
    products = values @ values.T
    norm = float(np.linalg.norm(products))
    rounding = (size * np.finfo(np.float32).eps) ** 2 * values.size
    return (products / (norm if norm > rounding else np.nan)).astype(np.float32)


def cka(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Linear CKA of each pair, float64 [first, second]. first, second: as `block_similarities` gives them.

    |Y'X|^2 is the sum of the products of XX' and YY', element by element.
    """
    return (first @ second.T).astype(np.float64).clip(0, 1)


def said(first: Subject, second: Subject, matrix: NDArray[np.float64]) -> tuple[str, ...]:
    """Which blocks are most alike, in words."""
    if np.isnan(matrix).all():
        return ("No two blocks can be compared: their features are the same for all images.",)
    row, column = np.unravel_index(int(np.nanargmax(matrix)), matrix.shape)
    blocks: Sequence[str] = (first.anatomy.blocks[row].module, second.anatomy.blocks[column].module)
    last = matrix[-1, -1]
    ends = "" if np.isnan(last) else f"; that of their last blocks is {last:.2f}"
    return (
        f"The most alike are block {blocks[0]} of {first.name} and {blocks[1]} of {second.name}: CKA "
        f"{matrix[row, column]:.2f}{ends}.",
    )
