"""Whether a network goes by shape or by texture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sightlab.errors import ModelError
from sightlab.lens.answers import batch_size, batches, right, silent, unanswered
from sightlab.lens.cue_conflict import (
    CLASSES,
    CueConflict,
    categories,
    category_probabilities,
    is_imagenet,
    read_cue_conflict,
)
from sightlab.lens.estimates import share_curve, share_of
from sightlab.lens.image_filters import clipped, headline_radius, hybrid, nyquist, radii
from sightlab.lens.patch_grid import shuffle_grids, shuffled, shuffles
from sightlab.lens.saliency.target import predicted
from sightlab.lens.subject import Subject, Tick
from sightlab.records.analyses import AnalysisResult, Estimate

PUBLISHED = {"people": 0.959, "ResNet-50": 0.221}  # shape bias in Geirhos et al. 2019
GRID = 4  # patches along a side of the shuffled images; the finest that images allow, if coarser


def unfit(subject: Subject, data: str | Path | None = None) -> str:
    """Why the analysis does not fit, "" where it does. data: as `shape` takes it."""
    if data is not None:
        if is_imagenet(subject.outputs):
            return ""
        own = "its own images" if subject.labelled else "images of its own classes"
        found = f"{len(subject.outputs):,}" if subject.outputs else "none"
        return (
            f"the images in {data} are for networks with ImageNet's {CLASSES:,} classes, and its classes are {found}; "
            f"without them, cue conflicts are made from {own}"
        )
    height, width, _ = subject.images.shape
    if not shuffle_grids(height, width):
        return f"images of {height} x {width} have no shapes to tell from textures; it takes 4 x 4 pixels or more"
    if subject.labelled and len(np.unique(subject.images.labels)) < 2:
        return "all images are of one class; cue conflicts take images of two classes or more"
    return unanswered(subject)


def shape(subject: Subject, tick: Tick = silent, *, data: str | Path | None = None, seed: int = 0) -> AnalysisResult:
    """Shape against texture: on the cue-conflict images of Geirhos et al. in `data`, else on the subject's own images.

    data: a folder or archive of cue-conflict images, for networks with the 1,000 classes of ImageNet: see
    `published_cues`. Without it: see `own_cues`. Raises ModelError for `data` and a network of other classes, DataError
    for `data` that holds no such images.
    """
    if data is None:
        return own_cues(subject, tick, seed=seed)
    if reason := unfit(subject, data):
        raise ModelError(f"{subject.name}: {reason}")
    return published_cues(subject, read_cue_conflict(data), tick)


def published_cues(subject: Subject, cues: CueConflict, tick: Tick = silent) -> AnalysisResult:
    """The shape bias of Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards texture": section 2 and 3.1.

    The answer is the category whose classes' mean probability is largest. Answers that are neither the shape's nor the
    texture's category do not count; the bias is the share of the shape's among the others.
    """
    started = time.perf_counter()
    names = list(categories())
    answers = np.empty(len(cues.names), np.int64)
    done = 0
    for rows, pixels in cues.batches(subject.images.shape, batch_size(*subject.images.shape[:2])):
        with torch.inference_mode():
            chances = category_probabilities(subject.classifier(pixels.to(subject.device)))
        answers[rows] = chances.argmax(1).cpu().numpy()
        tick(done := done + len(rows), len(cues.names))
    by_shape = hits(answers, cues.shapes, cues.textures)
    per_image = {"shape_bias": by_shape, "cue_answers": (~np.isnan(by_shape)).astype(np.float64)}
    for place, name in enumerate(names):
        per_image[f"shape_bias_{name}"] = np.where(cues.shapes == place, by_shape, np.nan)
    estimates = {name: share_of(values) for name, values in per_image.items() if not np.isnan(values).all()}
    by_category = {name: estimates[key] for name in names if (key := f"shape_bias_{name}") in estimates}
    counts = [int((by_shape == hit).sum()) for hit in (1, 0)]
    return AnalysisResult(
        "shape",
        subject.name,
        estimates=estimates,
        per_image={name: values for name, values in per_image.items() if name in estimates},
        tables={"Shape bias by the category of the shape": table("category", by_category)},
        sentences=published_sentences(estimates, counts),
        notes=(
            *cues.notes,
            "An answer is the category with the largest mean probability of its classes; answers that are neither the "
            "shape's nor the texture's category do not count.",
        ),
        seconds=time.perf_counter() - started,
    )


def own_cues(subject: Subject, tick: Tick = silent, *, seed: int = 0) -> AnalysisResult:
    """Cue conflicts made from the subject's images: frequencies up to a cut-off of one, those above of another class.

    Each image gives its low frequencies once; whose high frequencies it gets is drawn among all images of other
    classes. Answers for neither class do not count. Figures are those at a quarter of the Nyquist frequency
    (`headline_radius`). And accuracy with patches shuffled, which keeps textures and destroys shapes. Cut-offs and
    texture are no measure of what Geirhos et al. call shape bias: the figures have another name. seed: of the draws.
    """
    started = time.perf_counter()
    images = subject.images
    height, width, _ = images.shape
    sweep = radii(height, width)
    head = sweep.index(headline_radius(height, width))
    grid = min(GRID, shuffle_grids(height, width)[-1])
    orders = shuffles(len(images), height, width, grid, seed)
    partners = others(images.labels, seed)
    found = Own(np.empty((len(images), len(sweep))), np.empty(len(images)), np.empty(len(images)))
    each = len(sweep) + 2
    for rows, batch, labels in batches(images, subject.device):
        found.plain[rows] = right(subject.classifier, batch, labels)
        found.moved[rows] = right(subject.classifier, shuffled(batch, grid, orders[rows]), labels)
        high = torch.from_numpy(images.gather(partners[rows])).to(subject.device)
        for place, radius in enumerate(sweep):
            shown, _ = clipped(hybrid(batch, high, radius))
            answers = predicted(subject.classifier, shown).cpu().numpy()
            found.low[rows, place] = hits(answers, images.labels[rows], images.labels[partners[rows]])
            tick(int(rows[0]) * each + (place + 3) * len(rows), each * len(images))
    return own_result(subject, found, sweep, head, grid, time.perf_counter() - started)


class Own(NamedTuple):
    """Answers to a subject's own images.

    low: float64 [N, R], 1 for the class of the low frequencies, 0 for that of the high ones, NaN for neither. plain,
    moved: float64 [N], 1 where the answer to the image as it is, and with its patches shuffled, is right.
    """

    low: NDArray[np.float64]
    plain: NDArray[np.float64]
    moved: NDArray[np.float64]


def own_result(
    subject: Subject, found: Own, sweep: tuple[float, ...], head: int, grid: int, seconds: float
) -> AnalysisResult:
    """Figures, curves and words of what was found."""
    height, width, _ = subject.images.shape
    at_head = found.low[:, head]
    per_image = {
        "low_frequency_answers": at_head,
        "either_answers": (~np.isnan(at_head)).astype(np.float64),
        "shuffled_accuracy": found.moved,
        "accuracy": found.plain,
    }
    estimates = {name: share_of(values) for name, values in per_image.items() if not np.isnan(values).all()}
    by_class = {
        name: share_of(own)
        for label, name in enumerate(subject.classes)
        if not np.isnan(own := at_head[subject.images.labels == label]).all()
    }
    either = (~np.isnan(found.low)).astype(np.float64)
    return AnalysisResult(
        "shape",
        subject.name,
        estimates=estimates,
        curves={
            "low frequencies": (share_curve(subject.name, np.array(sweep), found.low),),
            "either": (share_curve(subject.name, np.array(sweep), either),),
        },
        per_image={name: values for name, values in per_image.items() if name in estimates},
        arrays={"size": np.array([height, width], np.float64)},
        tables={"Answers for the low frequencies by their class": table("class", by_class)},
        sentences=own_sentences(estimates, sweep[head], nyquist(height, width), grid),
        notes=(
            "Cue conflicts: the frequencies up to a cut-off of one image with those above it of an image of another "
            "class, clipped to 0..255. Answers for neither class do not count.",
        ),
        seconds=seconds,
    )


def hits(answers: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 where an answer is the one cue's, 0 where it is the other's, NaN where it is neither's. int64 [N] each."""
    return np.where(answers == one, 1.0, np.where(answers == other, 0.0, np.nan))


def others(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """For each image one of another class, drawn evenly from all of those. labels: int64 [N], of 2 classes or more.

    >>> labels = np.array([0, 0, 1, 2])
    >>> bool((labels[others(labels, seed=0)] != labels).all())
    True
    """
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    start = np.concatenate([[0], np.cumsum(counts)])
    drawn = np.random.default_rng(seed).integers(0, len(labels) - counts[labels])
    return order[(start[labels + 1] + drawn) % len(labels)]


def table(what: str, estimates: dict[str, Estimate]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and rows: a share, its interval and the number of images, by name."""
    rows = [
        (name, f"{one.value:.1%}", f"{one.low:.1%} to {one.high:.1%}", f"{one.count:,}")
        for name, one in estimates.items()
    ]
    return (what, "share", "95 % interval", "images"), tuple(rows)


def published_sentences(estimates: dict[str, Estimate], counts: list[int]) -> tuple[str, ...]:
    """What the published images come to, in words. counts: of answers by shape and by texture."""
    if "shape_bias" not in estimates:
        return ("No answer is the category of a shape or of a texture: there is no bias to tell.",)
    bias = estimates["shape_bias"]
    references = " and ".join(f"{name} {value:.1%}" for name, value in PUBLISHED.items())
    return (
        f"Shape bias {bias.value:.1%} (95 % interval {bias.low:.1%} to {bias.high:.1%}): {counts[0]:,} answers by "
        f"shape, {counts[1]:,} by texture, of {estimates['cue_answers'].count:,} images. Published: {references}.",
    )


def own_sentences(estimates: dict[str, Estimate], radius: float, highest: float, grid: int) -> tuple[str, ...]:
    """What cue conflicts from own images come to, in words."""
    moved = (
        f"With {grid} x {grid} patches shuffled accuracy is {estimates['shuffled_accuracy'].value:.1%}, "
        f"on whole images {estimates['accuracy'].value:.1%}.",
    )
    if "low_frequency_answers" not in estimates:
        return ("No answer is the class of either image of a cue conflict.", *moved)
    low = estimates["low_frequency_answers"]
    return (
        f"Frequencies up to {radius:g} of {highest:g} cycles per image win over the higher ones of another class in "
        f"{low.value:.1%} of cases (95 % interval {low.low:.1%} to {low.high:.1%}, {low.count:,} answers for either).",
        *moved,
    )
