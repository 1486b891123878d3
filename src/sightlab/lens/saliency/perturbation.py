"""Explanations from what the network answers when parts of the image are hidden: no gradient is needed."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from sightlab.errors import ModelError
from sightlab.lens.anatomy import activations
from sightlab.lens.saliency.backgrounds import Background, mean_colour, training_mean
from sightlab.lens.saliency.masking import masked_scores, probability
from sightlab.lens.saliency.target import Target
from sightlab.lens.subject import Tick

MASKS_AT_ONCE = 128


def occlusion(
    target: Target,
    *,
    tick: Tick | None = None,
    window: int | None = None,
    stride: int | None = None,
    background: Background = mean_colour,
) -> Tensor:
    """By how much the logit falls where a square hides the pixel, float32 [N, H, W]; mean over the squares over it.

    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2. window: the square's
    side, pixels; by default a seventh of the shorter side. stride: from one square to the next, pixels, at most the
    window; by default half of it. Squares at the right and lower edge are cut where they do not fit. background: what
    hides, by default the image's mean colour.
    """
    height, width = target.images.shape[1:3]
    window = window or max(1, round(min(height, width) / 7))
    stride = stride or max(1, window // 2)
    tops, lefts = places(height, window, stride), places(width, window, stride)
    hidden = torch.zeros(len(tops) * len(lefts), height, width, device=target.images.device)
    for square, (top, left) in zip(hidden, product(tops, lefts), strict=True):
        square[top : top + window, left : left + window] = 1
    masks = torch.cat([torch.ones_like(hidden[:1]), 1 - hidden])
    scores = masked_scores(target, masks, background(target), tick=tick)
    falls = scores[:, :1] - scores[:, 1:]
    return torch.einsum("nv,vhw->nhw", falls, hidden) / hidden.sum(0)


def places(side: int, window: int, stride: int) -> range:
    """Where windows begin along a side so that they cover it, pixels.

    >>> list(places(10, 4, 3))
    [0, 3, 6]
    """
    return range(0, max(side - window, 0) + stride, stride)


def rise(
    target: Target,
    *,
    tick: Tick | None = None,
    masks: int = 1000,
    grid: int = 7,
    share: float = 0.5,
    seed: int = 0,
    background: Background = mean_colour,
) -> Tensor:
    """RISE: how much likelier the class is where a random mask shows the pixel, float32 [N, H, W], in probability.

    Petsiuk, Das & Saenko 2018, "RISE: randomized input sampling for explanation of black-box models", equation 6, less
    its mean over the masks: 0 is then a pixel that makes no difference, and the order of the pixels is the same.

    masks: random masks, the same for all images (the paper takes 4,000 to 8,000 at 224 pixels; the error falls as one
    over their root). grid: cells along each side. share: of the cells that are shown. background: of what is hidden.
    """
    generator = torch.Generator().manual_seed(seed)
    hides, count = background(target), len(target.images)
    mean = torch.zeros(count, 1, device=hides.device)
    shown = torch.zeros(target.images.shape[1:3], device=hides.device)
    weighted = torch.zeros(count, *shown.shape, device=hides.device)
    for start in range(0, masks, MASKS_AT_ONCE):
        some = random_masks(min(MASKS_AT_ONCE, masks - start), (shown.shape[0], shown.shape[1]), grid, share, generator)
        some = some.to(hides.device)
        scores = masked_scores(target, some, hides, probability)
        mean += scores.sum(1, keepdim=True) / masks
        shown += some.sum(0) / masks
        weighted += torch.einsum("nv,vhw->nhw", scores, some) / masks
        if tick:
            tick(count * (start + len(some)), count * masks)
    return (weighted - mean[:, :, None] * shown) / share


def random_masks(count: int, size: tuple[int, int], grid: int, share: float, generator: torch.Generator) -> Tensor:
    """Smooth random masks, float32 [count, H, W] in [0, 1], each pixel shown with probability `share`.

    Petsiuk et al. 2018, section 3.2: a random grid of cells, enlarged bilinearly, and shifted by less than a cell. The
    grid has a cell more along each side than fit in the image.
    """
    cells = [-(-side // grid) for side in size]
    coarse = (torch.rand(count, 1, grid + 1, grid + 1, generator=generator) < share).float()
    large = functional.interpolate(coarse, [(grid + 1) * cell for cell in cells], mode="bilinear")[:, 0]
    top, left = (torch.randint(cell, (count, 1), generator=generator) for cell in cells)
    rows, columns = top + torch.arange(size[0]), left + torch.arange(size[1])
    return large[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def score_cam(
    target: Target, *, tick: Tick | None = None, channels: int = 256, background: Background = training_mean
) -> Tensor:
    """Score-CAM: the maps of a stage weighted by the logits of the image seen through each, float32 [N, H, W], >= 0.

    Wang et al. 2020, "Score-CAM: score-weighted visual explanations for convolutional neural networks", algorithm 1,
    with its softmax over the channels. background: what a map of 0 shows; the paper's is zeros after normalisation.

    channels: at most so many, those whose maps vary most over the image; a flat map weighs nothing in the sum's shape.
    Raises ModelError for a target without a stage.
    """
    if target.stage is None:
        raise ModelError("Score-CAM needs maps over the image and this network has none; occlusion and rise do without")
    height, width = target.images.shape[1:3]
    hides = background(target)
    found = torch.empty(len(target.images), height, width, device=hides.device)
    for row in range(len(found)):
        one = target.part(slice(row, row + 1))
        with torch.inference_mode(), activations(target.classifier.net, [target.stage.module]) as kept:
            target.classifier(one.images)
        maps = target.stage.as_maps(kept[target.stage.module])[0].float()
        maps = maps[maps.flatten(1).var(1).topk(min(channels, len(maps))).indices]
        large = functional.interpolate(maps[None], (height, width), mode="bilinear")[0]
        low, high = large.amin((1, 2), keepdim=True), large.amax((1, 2), keepdim=True)
        scores = masked_scores(one, (large - low) / (high - low).clamp_min(1e-8), hides[row : row + 1])
        found[row] = torch.einsum("k,khw->hw", scores[0].softmax(0), large).clamp_min(0)
        if tick:
            tick(row + 1, len(found))
    return found
