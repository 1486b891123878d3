"""Whether an explanation may be believed: does it find what counts, hold under noise, and depend on the weights?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.comparison.seed_interval import spread
from sightlab.lens.saliency.backgrounds import Background, blurred, mean_colour
from sightlab.lens.saliency.masking import masked_scores, probability
from sightlab.lens.saliency.randomisation import LEVELS, level_names, randomisation, rank_correlation
from sightlab.lens.saliency.target import Method, Target
from sightlab.lens.subject import Tick
from sightlab.records.analyses import Curve, Estimate
from sightlab.records.explanations import AT_RANDOM, BY_MAP, FROM_CENTRE, Check

STEPS = 10
CELLS = 14  # along each side: 2 pixels each at 28, 16 at 224
NOISE = 0.02  # of the range of a byte: 5 of 255
# What shows where the image is taken out, and where it is not yet put in (Petsiuk et al. 2018, section 4.1: edges of
# what is put on a plain canvas would be evidence of their own).
BACKGROUNDS: dict[str, Background] = {"deletion": mean_colour, "insertion": blurred}


def check_method(
    name: str,
    method: Method,
    target: Target,
    *,
    maps: Tensor | None = None,
    steps: int = STEPS,
    levels: int = LEVELS,
    noise: float = NOISE,
    again: int | None = None,
    seed: int = 0,
    completeness: Callable[[Target, Tensor], Tensor] | None = None,
    tick: Tick | None = None,
) -> Check:
    """Check a method for one network on some images; see `Check` for what is found and when it may be believed.

    Costs 6 * (steps - 1) + 4 forward passes an image, and the method itself levels + 1 times more (levels + 2 without
    maps). 24 images with Grad-CAM are worth 2,000 forward passes: for the network `cnn` at 28 pixels 1.8 seconds of one
    core of 2.5 GHz. `again` keeps a method of a thousand passes an image, such as RISE, within minutes.

    name: of the method, as shown. target: should hold the classes that the network predicts. maps: the method's on the
    target, where they are there already. steps, seed: of `perturbation_curves`. levels: of `randomisation`. noise: of
    `stability`. again: run the method anew, for stability and randomisation, on the first so many images only; None
    takes all. completeness: gives the error of maps that must add up, float [N]. tick: called with parts done and in
    all.
    """
    started = time.perf_counter()
    tell = tick or (lambda _done, _total: None)
    parts = levels + 3
    maps = method(target) if maps is None else maps
    tell(1, parts)
    scores = {kind: perturbation_curves(target, maps, kind, steps=steps, seed=seed) for kind in BACKGROUNDS}
    tell(2, parts)
    some, their_maps = target.part(slice(again)), maps[:again]
    steadiness = stability(some, method, their_maps, noise=noise, seed=seed)
    tell(3, parts)
    anew = randomisation(
        some, method, their_maps, levels=levels, seed=seed, tick=lambda done, of: tell(3 + done, 3 + of)
    )
    shares = tuple(level.share for level in anew.levels)
    areas = {kind: {order: area(values) for order, values in orders.items()} for kind, orders in scores.items()}
    found = {order: areas["insertion"][order] - areas["deletion"][order] for order in (BY_MAP, AT_RANDOM, FROM_CENTRE)}
    return Check(
        method=name,
        images=len(maps),
        areas={kind: {order: mean_of(v) for order, v in orders.items()} for kind, orders in areas.items()},
        curves={
            kind: tuple(curve(order, tuple(k / steps for k in range(steps + 1)), v.T) for order, v in orders.items())
            for kind, orders in scores.items()
        },
        gains={order: mean_of(found[BY_MAP] - found[order]) for order in (AT_RANDOM, FROM_CENTRE)},
        levels=level_names(anew.levels),
        randomised=curve("maps", shares, anew.signed),
        magnitude=curve("their absolute values", shares, anew.magnitude),
        stability=mean_of(steadiness),
        completeness=mean_of(completeness(target, maps).cpu().double().numpy()) if completeness else None,
        flat=int((maps.flatten(1).amax(1) == maps.flatten(1).amin(1)).sum()),
        seconds=time.perf_counter() - started,
    )


def perturbation_curves(
    target: Target, maps: Tensor, kind: str, *, steps: int = STEPS, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """The probability of each image's class while cells are taken out, or put in, in three orders.

    Petsiuk et al. 2018, section 4.1, by cells of a grid of 14 x 14 instead of single pixels: single pixels taken out at
    random are a noise on which any network fails, which would make any smooth map look bad at deletion.

    kind: "deletion" or "insertion". maps: float32 [N, H, W]. steps: in which the cells go. seed: of the random order,
    and of the order of cells with equal values. Gives float64 [N, steps + 1] by order: by the map, at random, by
    distance from the centre; the first cells are those of the largest values, or nearest to the centre.
    """
    generator = torch.Generator().manual_seed(seed)
    height, width = maps.shape[1:]
    grid = cells_of(height, width).to(maps.device)
    values = {
        BY_MAP: maps,
        AT_RANDOM: torch.rand((len(maps), int(grid.max()) + 1), generator=generator)[:, grid.cpu()].to(maps.device),
        FROM_CENTRE: -from_centre(height, width).expand(maps.shape).to(maps.device),
    }
    ranks = [cell_ranks(one, grid, generator) for one in values.values()]
    gone = torch.arange(1, steps, device=maps.device) * ranks[0].shape[1] / steps
    chosen = torch.cat([rank[:, None] < gone[:, None] for rank in ranks], 1)  # bool [N, 3 (steps - 1), cells]
    ends = torch.tensor([False, True], device=maps.device)[:, None].expand(len(maps), 2, ranks[0].shape[1])
    chosen = torch.cat([ends, chosen], 1)[:, :, grid]
    shown = chosen if kind == "insertion" else ~chosen
    scores = masked_scores(target, shown, BACKGROUNDS[kind](target), probability).cpu().double().numpy()
    between = scores[:, 2:].reshape(len(maps), len(values), steps - 1)
    return {
        order: np.concatenate([scores[:, :1], between[:, place], scores[:, 1:2]], axis=1)
        for place, order in enumerate(values)
    }


def cells_of(height: int, width: int) -> Tensor:
    """The cell that each pixel belongs to, of a grid of at most 14 x 14 over the image: int64 [H, W]."""
    rows, columns = (torch.arange(side) * min(CELLS, side) // side for side in (height, width))
    return rows[:, None] * min(CELLS, width) + columns


def cell_ranks(maps: Tensor, grid: Tensor, generator: torch.Generator) -> Tensor:
    """The place of each cell in the order of the maps' means in it, the largest first, int64 [N, cells].

    Cells of equal means come in a random order: none is preferred for where it lies.
    """
    count = int(grid.max()) + 1
    sizes = torch.bincount(grid.flatten(), minlength=count)
    sums = torch.zeros(len(maps), count, device=maps.device).index_add_(1, grid.flatten(), maps.float().flatten(1))
    shuffled = torch.randperm(count, generator=generator).to(maps.device)
    order = shuffled[(sums / sizes)[:, shuffled].sort(dim=1, descending=True, stable=True).indices]
    return order.argsort(1)


def from_centre(height: int, width: int) -> Tensor:
    """Each pixel's distance from the centre, in pixels: float32 [H, W]."""
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in (height, width))
    return torch.hypot(rows[:, None], columns[None])


def area(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area under each curve over [0, 1], by the trapezoid rule: float64 [N]. curves: float64 [N, steps + 1].

    >>> area(np.array([[1.0, 0.5, 0.0]])).tolist()
    [0.5]
    """
    areas: NDArray[np.float64] = (curves[:, 1:] + curves[:, :-1]).mean(1) / 2
    return areas


def stability(
    target: Target, method: Method, maps: Tensor, *, noise: float = NOISE, seed: int = 0
) -> NDArray[np.float64]:
    """The rank correlation of each map with that of the same image under weak noise, float64 [N].

    Normal noise, its standard deviation a share `noise` of the range of a byte, rounded to bytes; the same on every
    image, and the same classes are explained. Ghorbani, Abid & Zou 2019, "Interpretation of neural networks is
    fragile", section 2, compare maps so. Costs one call of the method.
    """
    images = target.images
    drawn = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(seed)).to(images.device)
    noisy = (images + 255 * noise * drawn).round().clamp(0, 255).to(torch.uint8)
    return rank_correlation(maps, method(replace(target, images=noisy)))


def mean_of(values: NDArray[np.float64]) -> Estimate:
    """The mean over images and its 95 % t interval; values that are NaN do not count. values: float64 [N]."""
    known = values[~np.isnan(values)].tolist()
    if not known:
        return Estimate(math.nan)
    found = spread(known)
    low, high = found.interval or (None, None)
    return Estimate(found.mean, low, high, len(known))


def curve(name: str, x: tuple[float, ...], values: NDArray[np.float64]) -> Curve:
    """The means over images at each x, with their intervals. values: float64 [len(x), N]."""
    means = [mean_of(row) for row in values]
    low = tuple(one.value if one.low is None else one.low for one in means)
    high = tuple(one.value if one.high is None else one.high for one in means)
    return Curve(name, x, tuple(one.value for one in means), low, high)
