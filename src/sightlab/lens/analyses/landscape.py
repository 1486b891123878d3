"""The loss around a network's weights: a surface over two directions, how sharp it is, and its largest curvatures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sightlab.comparison.mean_interval import mean_of
from sightlab.data.batches import images_at, in_turn, labels_at
from sightlab.errors import one_line
from sightlab.lens.answers import batch_size, silent, unanswered
from sightlab.lens.hessian import Spectrum, differentiable, graph_bytes, hessian_product, largest_eigenvalues
from sightlab.lens.subject import Subject, Tick, evenly
from sightlab.records.analyses import AnalysisResult, Curve, Estimate

Floats = NDArray[np.float64]
Places = Sequence[tuple[float, float]]

IMAGES, FEWEST_IMAGES = 256, 32
IMAGE_PIXELS = 2**22  # of all images together, above FEWEST_IMAGES: 256 of 128 x 128
POINTS = 11  # along a side of the surface
ANGLES = 8  # of the circle that sharpness is measured on
EIGENVALUES, STEPS = 5, 40
BASIS_BYTES = 2**29  # of the vectors that Lanczos' method keeps
GRAPH_BYTES = 2**27  # of the graph that is held for a batch while its gradient is differentiated
FEWEST_STEPS = 4


def unfit(subject: Subject) -> str:
    """Why a network has no loss surface here, "" where it has one."""
    if not any(one.ndim > 1 for one in weights_of(subject.net)):
        return "it has no weights with filters, which the surface is a function of"
    return unanswered(subject)


def landscape(
    subject: Subject,
    tick: Tick = silent,
    *,
    points: int = POINTS,
    radius: float = 0.5,
    limit: int = IMAGES,
    steps: int = STEPS,
    seed: int = 0,
) -> AnalysisResult:
    """The mean cross-entropy over two filter-normalised directions, and the largest eigenvalues of its Hessian.

    Li, Xu, Taylor, Studer & Goldstein 2018, "Visualizing the loss landscape of neural nets", section 4: both directions
    are Gaussian, each filter (row of a weight) scaled to the norm of the network's own; biases and the parameters of
    normalisations stay. The surface is a grid of `points` x `points` on [-1, 1] x [-1, 1], where 1 moves each filter by
    its own norm. Batch normalisation uses its running statistics, as it does in prediction. `sharpness` is the mean
    rise of the loss on a circle of `radius` in that plane; the Hessian is over all parameters. limit: the most images.
    steps: the most products with the Hessian. seed: of the directions and of Lanczos' first vector. The network's
    weights are moved in place and put back to the bit. The eigenvalues are left out, with a note, where the loss cannot
    be differentiated twice.

    Raises ValueError for an even number of points.
    """
    if points < 3 or points % 2 == 0:
        raise ValueError(f"{points} points a side; must be odd and at least 3, so that one is the trained network")
    started = time.perf_counter()
    subject = fewer(subject, limit)
    weights = weights_of(subject.net)
    products = min(steps, max(FEWEST_STEPS, BASIS_BYTES // sum(4 * one.numel() for one in weights)))
    axis = [float(place) for place in np.linspace(-1, 1, points)]
    grid = [(a, b) for b in axis for a in axis]
    turns = [2 * math.pi * turn / ANGLES for turn in range(ANGLES)]
    circle = [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]
    passes = len(grid) + len(circle)
    whole = passes + products
    directions = [filter_normalised(weights, seed + number) for number in range(2)]
    losses = losses_at(subject, weights, directions, [*grid, *circle], lambda done, _: tick(done, whole))
    spectrum = curvature(subject, weights, products, seed + 2, lambda done, _: tick(passes + done, whole))
    return result_of(subject, losses, spectrum, axis, radius, time.perf_counter() - started)


def fewer(subject: Subject, limit: int) -> Subject:
    """The subject with at most `limit` of its images, fewer of large ones."""
    height, width, _ = subject.images.shape
    count = min(limit, max(FEWEST_IMAGES, IMAGE_PIXELS // (height * width)))
    if len(subject.images) <= count:
        return subject
    return replace(subject, images=subject.images.take(evenly(subject.images.labels, count)))


def weights_of(net: nn.Module) -> list[Tensor]:
    """The parameters of floating-point numbers, each once."""
    return [one for one in net.parameters() if one.is_floating_point()]


def filter_normalised(weights: Sequence[Tensor], seed: int) -> list[Tensor]:
    """A Gaussian direction in which each filter has the norm of the network's own; 0 for what has one axis or none.

    A filter is a row along the first axis. Li et al. 2018, section 4, equation 1.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = []
    for one in weights:
        if one.ndim < 2:
            directions.append(torch.zeros_like(one))
            continue
        drawn = torch.randn(one.shape, generator=generator).to(one)
        rows, own = drawn.flatten(1), one.detach().flatten(1)
        scale = own.norm(dim=1) / rows.norm(dim=1).clamp_min(torch.finfo(rows.dtype).tiny)
        directions.append((rows * scale[:, None]).view(one.shape))
    return directions


@contextmanager
def moved(weights: Sequence[Tensor]) -> Iterator[Callable[[Sequence[Sequence[Tensor]], Sequence[float]], None]]:
    """Gives what moves weights along directions from where they are; afterwards they are what they were, to the bit."""
    start = [one.detach().clone() for one in weights]

    def move(directions: Sequence[Sequence[Tensor]], distances: Sequence[float]) -> None:
        with torch.no_grad():
            for number, (one, from_) in enumerate(zip(weights, start, strict=True)):
                one.copy_(from_)
                for direction, distance in zip(directions, distances, strict=True):
                    one.add_(direction[number], alpha=distance)

    try:
        yield move
    finally:
        move((), ())


def losses_at(
    subject: Subject,
    weights: Sequence[Tensor],
    directions: Sequence[Sequence[Tensor]],
    places: Places,
    tick: Tick = silent,
) -> Floats:
    """The cross-entropy of each image, in nats, at each place of the plane of two directions: float64 [places, N].

    Not finite where the network's logits are not. places: distances along both directions.
    """
    images = subject.images
    losses = np.empty((len(places), len(images)))
    batches = [
        (rows, images_at(images, rows, subject.device), labels_at(images, rows, subject.device))
        for rows in in_turn(len(images), batch_size(*images.shape[:2]))
    ]
    with moved(weights) as move, torch.no_grad():
        for number, place in enumerate(places):
            move(directions, place)
            for rows, batch, labels in batches:
                logits = subject.classifier(batch).double()
                losses[number, rows] = cross_entropy(logits, labels, reduction="none").cpu().numpy()
            tick(number + 1, len(places))
    return losses


def curvature(
    subject: Subject, weights: Sequence[Tensor], steps: int, seed: int, tick: Tick = silent
) -> Spectrum | str:
    """The largest eigenvalues of the Hessian of the mean cross-entropy over the images, with respect to all weights.

    Or, in words, why there are none: an operation without a second derivative.
    """
    generator = torch.Generator().manual_seed(seed)
    total = sum(one.numel() for one in weights)
    start = torch.randn(total, generator=generator, dtype=torch.float64).to(weights[0])
    with differentiable(weights):
        try:
            one_image = graph_bytes(partial(share_of_loss, subject, np.arange(1)), weights)
            size = max(1, min(batch_size(*subject.images.shape[:2]), GRAPH_BYTES // max(1, one_image)))
            parts = [partial(share_of_loss, subject, rows) for rows in in_turn(len(subject.images), size)]
            product = hessian_product(parts, weights)
            return largest_eigenvalues(product, start, count=EIGENVALUES, steps=steps, tick=tick)
        except (RuntimeError, ValueError) as error:
            return one_line(error)


def share_of_loss(subject: Subject, rows: NDArray[np.int64]) -> Tensor:
    """What a batch contributes to the mean cross-entropy over all images."""
    batch, labels = (of(subject.images, rows, subject.device) for of in (images_at, labels_at))
    return cross_entropy(subject.classifier(batch), labels, reduction="sum") / len(subject.images)


def result_of(
    subject: Subject,
    losses: Floats,
    spectrum: Spectrum | str,
    axis: Sequence[float],
    radius: float,
    seconds: float,
) -> AnalysisResult:
    """Figures, surface and words. losses: [points * points + ANGLES, N]."""
    points = len(axis)
    middle = points * points // 2
    surface = losses[: points * points].mean(axis=1).reshape(points, points)
    surface[~np.isfinite(surface)] = np.nan
    rise = (losses[points * points :] - losses[middle]).mean(axis=0)
    per_image = {"sharpness": rise} if np.isfinite(rise).all() else {}
    per_image["loss"] = losses[middle]
    estimates = {name: mean_of(values) for name, values in per_image.items()}
    arrays = {"axis": np.array(axis), "surface": surface}
    tables = {}
    if isinstance(spectrum, Spectrum):
        count = len(subject.images)
        largest = Estimate(float(spectrum.values[0]), count=count)
        estimates = {"largest_eigenvalue": largest, **estimates}
        estimates["smallest_eigenvalue"] = Estimate(spectrum.least, count=count)
        arrays["eigenvalues"] = spectrum.values
        rows = tuple(
            (str(number), f"{value:.4g}", f"{residual:.2g}")
            for number, (value, residual) in enumerate(zip(spectrum.values, spectrum.residuals, strict=True), 1)
        )
        tables["Largest eigenvalues of the Hessian"] = (("place", "eigenvalue", "residual"), rows)
    line = surface[points // 2]
    known = np.isfinite(line)
    cut = Curve(subject.name, tuple(np.array(axis)[known].tolist()), tuple(line[known].tolist()))
    return AnalysisResult(
        "landscape",
        subject.name,
        estimates=estimates,
        curves={"cut": (cut,)},
        per_image=per_image,
        arrays=arrays,
        tables=tables,
        sentences=said(estimates, spectrum, radius),
        notes=remarks(subject, spectrum, len(losses), surface),
        seconds=seconds,
    )


def said(estimates: dict[str, Estimate], spectrum: Spectrum | str, radius: float) -> tuple[str, ...]:
    """What it comes to, in words."""
    lines = []
    if isinstance(spectrum, Spectrum):
        lines.append(f"The largest curvature of the loss around the trained weights is {spectrum.values[0]:.3g}.")
    if "sharpness" in estimates:
        rise = estimates["sharpness"]
        lines.append(
            f"Moving every filter by {radius:.4g} of its norm changes the loss, {estimates['loss'].value:.3g} nats, "
            f"by {rise.value:+.3g} on average (95 % interval {rise.low:+.3g} to {rise.high:+.3g})."
        )
    if isinstance(spectrum, Spectrum) and spectrum.least < -spectrum.least_residual:
        lines.append(
            f"The loss also bends down: the smallest eigenvalue of its Hessian that was found is {spectrum.least:.3g}."
        )
    return tuple(lines)


def remarks(subject: Subject, spectrum: Spectrum | str, passes: int, surface: Floats) -> tuple[str, ...]:
    """What a reader must know of how it was measured, and its cost."""
    cost = f"{passes} forward passes for surface and sharpness"
    if isinstance(spectrum, Spectrum):
        cost += f", {spectrum.steps} products with the Hessian"
    notes = [
        f"On {len(subject.images):,} images, the network in eval mode (batch normalisation by its running statistics): "
        f"{cost}.",
        "Directions are Gaussian, each filter scaled to the norm of the network's own; biases and the parameters of "
        "normalisations stay (Li et al. 2018). Another plane gives another surface.",
    ]
    if isinstance(spectrum, Spectrum):
        notes.append(
            "The Hessian is over all weights. Each of its eigenvalues is known to within its residual, on these images."
        )
        unsettled = int((spectrum.residuals > 0.01 * abs(spectrum.values[0])).sum())
        if unsettled:
            notes.append(f"{unsettled} of {len(spectrum.values)} eigenvalues had not settled to 1 % of the largest.")
    else:
        notes.append(f"{subject.name}: eigenvalues of the Hessian are left out, which cannot be computed: {spectrum}.")
    missing = int(np.isnan(surface).sum())
    if missing:
        notes.append(f"At {missing} of the {surface.size} points the loss is no number, since logits overflow there.")
    return tuple(notes)
