"""Which frequencies of an image a network uses, and which it is disturbed by."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sightlab.comparison.mean_interval import mean_of
from sightlab.data.imageset import ImageSet
from sightlab.lens.answers import batches, right, silent, unanswered
from sightlab.lens.estimates import share_curve, share_of
from sightlab.lens.fourier_map import (
    NORM,
    NORM_SIDE,
    PER_VECTOR,
    FourierMap,
    fourier_map,
    frequencies_for,
    groups_of,
    strength,
)
from sightlab.lens.image_filters import (
    WHITE,
    clipped,
    grid_step,
    headline_radius,
    low_passed,
    nyquist,
    radii,
    spectrum_of,
)
from sightlab.lens.subject import Subject, Tick
from sightlab.models.classifier import Classifier
from sightlab.records.analyses import AnalysisResult, Estimate
from sightlab.records.phrases import counted

SATURATED = 0.9  # share of wrong answers that every wave causes, from which on a map shows nothing
SMALLEST = 4  # pixels of a side, below which there are hardly any frequencies


def unfit(subject: Subject) -> str:
    """Why the analysis does not fit, "" where it does."""
    height, width, _ = subject.images.shape
    if min(height, width) < SMALLEST:
        return f"images of {height} x {width} have too few frequencies; it takes {SMALLEST} x {SMALLEST} pixels or more"
    return unanswered(subject)


def frequency(
    subject: Subject, tick: Tick = silent, *, norm: float = NORM, per_vector: int = PER_VECTOR, seed: int = 0
) -> AnalysisResult:
    """Accuracy under ideal low-pass and high-pass filters, and the error that each Fourier basis vector causes.

    Filters: from 1 cycle per image to the Nyquist frequency (`radii`); both keep each channel's mean, and what leaves
    0..255 is clipped. Their figures are those at a quarter of the Nyquist frequency (`headline_radius`). The errors
    under basis vectors are means over images, with Student's t intervals. norm, per_vector, seed: see `fourier_map`.
    """
    started = time.perf_counter()
    images = subject.images
    height, width, _ = images.shape
    sweep = radii(height, width)
    head = sweep.index(headline_radius(height, width))
    first = len(images) * (2 * len(sweep) + 1)
    second = len(images) * len(frequencies_for(height, width)) // groups_of(len(images), per_vector)
    filtered = filter_sweep(subject.classifier, images, subject.device, sweep, lambda n: tick(n, first + second))
    made = fourier_map(
        *(subject.classifier, images, subject.device, lambda done, total: tick(first + done, first + total)),
        norm=norm,
        per_vector=per_vector,
        seed=seed,
    )
    slow = made.radius <= nyquist(height, width) / 2
    per_image = {
        "low_pass_accuracy": filtered.low[:, head],
        "high_pass_accuracy": filtered.high[:, head],
        "accuracy": filtered.plain,
        "fourier_error": mean_known(made.wrong),
        "fourier_error_low": mean_known(made.wrong[:, slow]),
        "fourier_error_high": mean_known(made.wrong[:, ~slow]),
    }
    estimates = {
        name: share_of(values) if name.endswith("accuracy") else mean_of(values, share=True)
        for name, values in per_image.items()
    }
    rows, columns = made.axes
    return AnalysisResult(
        "frequency",
        subject.name,
        estimates=estimates,
        curves={
            "low-pass": (share_curve(subject.name, np.array(sweep), filtered.low),),
            "high-pass": (share_curve(subject.name, np.array(sweep), filtered.high),),
        },
        per_image=per_image,
        arrays={
            "fourier_error": made.plane,
            "fourier_rows": rows.astype(np.float64),
            "fourier_columns": columns.astype(np.float64),
            "size": np.array([height, width], np.float64),
        },
        sentences=said(estimates, sweep[head], nyquist(height, width)),
        notes=remarks(made, filtered, norm),
        seconds=time.perf_counter() - started,
    )


class Filtered(NamedTuple):
    """Whether each image is answered rightly, 1 or 0: as it is, float64 [N], and filtered at each radius, [N, R].

    low_clipped, high_clipped: the share of values that filters took out of 0..255.
    """

    plain: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low_clipped: float
    high_clipped: float


def filter_sweep(
    classifier: Classifier,
    images: ImageSet,
    device: torch.device,
    sweep: tuple[float, ...],
    tick: Callable[[int], None],
) -> Filtered:
    """The answers to filtered images. sweep: radii in cycles per image. tick: called with images answered so far."""
    plain = np.empty(len(images))
    found = [np.empty((len(images), len(sweep))) for _ in range(2)]
    outside, done = [0, 0], 0
    for rows, batch, labels in batches(images, device):
        spectrum, mean = spectrum_of(batch), batch.float().mean((1, 2), keepdim=True)
        plain[rows] = right(classifier, batch, labels)
        for place, radius in enumerate(sweep):
            low = low_passed(spectrum, radius, images.shape[:2])
            for which, made in enumerate((low, batch - low + mean)):
                shown, count = clipped(made)
                found[which][rows, place] = right(classifier, shown, labels)
                outside[which] += count
            tick(done + (2 * place + 3) * len(rows))
        done += (2 * len(sweep) + 1) * len(rows)
    values = len(images) * len(sweep) * int(np.prod(images.shape))
    return Filtered(plain, found[0], found[1], outside[0] / values, outside[1] / values)


def mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each row's numbers, NaN where it has none. values: float64 [N, V]. Gives [N]."""
    count = (~np.isnan(values)).sum(axis=1)
    mean = np.full(len(values), np.nan)
    np.divide(np.nansum(values, axis=1), count, where=count > 0, out=mean)
    return mean


def said(estimates: Mapping[str, Estimate], radius: float, highest: float) -> tuple[str, ...]:
    """What it comes to, in words."""
    plain, low, high, of_low, of_high = (
        estimates[name].value
        for name in ("accuracy", "low_pass_accuracy", "high_pass_accuracy", "fourier_error_low", "fourier_error_high")
    )
    return (
        f"Accuracy is {plain:.1%} on the images as they are, {low:.1%} on their frequencies up to {radius:g} cycles "
        f"per image alone, and {high:.1%} on those above.",
        f"With a wave of one frequency added, {of_low:.1%} of answers are wrong up to half the Nyquist frequency "
        f"({highest:g} cycles per image) and {of_high:.1%} beyond; without a wave, {1 - plain:.1%}.",
    )


def remarks(made: FourierMap, filtered: Filtered, norm: float) -> tuple[str, ...]:
    """What a reader must know of how it was measured."""
    height, width = made.size
    met = (~np.isnan(made.wrong)).sum(axis=0)
    notes = [
        "Filters keep each channel's mean. Values outside 0..255 are clipped: "
        f"{filtered.low_clipped:.1%} of values under low-pass filters, {filtered.high_clipped:.1%} under high-pass.",
        f"A wave has an L2 norm of {strength(norm, height, width):.3g} in each channel, white being 1, which is a root "
        f"mean square of {WHITE * norm / NORM_SIDE:.0f} of 255 grey levels, and a random sign; "
        f"{made.clipped:.1%} of values were clipped.",
    ]
    if met.min() < len(made.wrong):
        whole, each = counted(len(made.wrong), "image"), met.sum() / len(made.wrong)
        notes.append(
            f"Each of the {len(met):,} waves was added to about {met.mean():.0f} of the {whole}, and each image got "
            f"about {each:.0f} of the waves."
        )
    if (grid_step(height), grid_step(width)) != (1, 1):
        steps = f"{grid_step(height)} along the height and {grid_step(width)} along the width"
        notes.append(f"The map of {height} x {width} pixels has a frequency in every {steps}.")
    if made.plane.min() > SATURATED:
        notes.append(f"Waves this strong upset nearly every answer: a norm below {norm:g} tells frequencies apart.")
    return tuple(notes)
