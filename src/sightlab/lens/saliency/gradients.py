"""Explanations from the gradient of the logit by the pixels: for any network that has one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sightlab.errors import ModelError
from sightlab.lens.saliency.backgrounds import Background, mean_colour
from sightlab.lens.saliency.masking import logit, masked_scores, pairs
from sightlab.lens.saliency.target import Target
from sightlab.lens.subject import Tick


def integrated_gradients(
    target: Target, *, tick: Tick | None = None, steps: int = 32, background: Background = mean_colour
) -> Tensor:
    """Integrated gradients, summed over the channels: float32 [N, H, W], in logits; what speaks against is negative.

    (x - b) times the mean gradient on the straight line from the background b to the image x (Sundararajan, Taly & Yan
    2017, "Axiomatic attribution for deep networks", equation 1), by Gauss-Legendre quadrature. A map adds up to
    logit(x) - logit(b) (proposition 1), up to the error of the quadrature: see `completeness_gap`.

    steps: points on the line. background: what b is, by default the image's mean colour; a pixel of the background's
    own colour is given 0. Raises ModelError for a network without a gradient.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    places = torch.tensor((nodes + 1) / 2, dtype=torch.float32, device=target.images.device)
    images, start = target.images.float(), background(target)

    def on_the_line(rows: Tensor, variants: Tensor) -> Tensor:
        return torch.lerp(start[rows], images[rows], places[variants, None, None, None])

    gradient = mean_gradient(target, on_the_line, torch.tensor(weights / 2, dtype=torch.float32), tick)
    return ((images - start) * gradient).sum(3)


def completeness_gap(target: Target, maps: Tensor, *, background: Background = mean_colour) -> Tensor:
    """How far each map of `integrated_gradients` is from adding up to the change of the logit, float32 [N].

    In units of the mean absolute change over the images, so that the gap's own mean is a relative error and an image
    whose logit hardly changes has no endless one. Sundararajan et al. 2017, section 5: steps are enough below 0.05.
    """
    start = background(target)
    ends = torch.ones(2, *maps.shape[1:], device=maps.device)
    ends[0] = 0
    scores = masked_scores(target, ends, start)
    change = scores[:, 1] - scores[:, 0]
    gap = (maps.sum((1, 2)) - change).abs()
    return gap / change.abs().mean().clamp_min(torch.finfo(torch.float32).tiny)


def smoothgrad(
    target: Target, *, tick: Tick | None = None, samples: int = 50, noise: float = 0.15, seed: int = 0
) -> Tensor:
    """SmoothGrad: the mean gradient over noisy copies, its absolute value summed over the channels: float32 [N, H, W].

    Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise", section 3; the sign is dropped as in section 3.1,
    since a gradient says how much a pixel counts, not whether it speaks for the class. In logits per step of a byte.

    samples: copies of each image. noise: its standard deviation, as a share of the image's range of values. The noise
    is the same for all images, so that a map does not depend on its batch. Raises ModelError for a network without a
    gradient.
    """
    images = target.images.float()
    drawn = torch.randn((samples, *images.shape[1:]), generator=torch.Generator().manual_seed(seed))
    drawn = drawn.to(images.device)
    deviation = noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))

    def noisy(rows: Tensor, variants: Tensor) -> Tensor:
        return images[rows] + deviation[rows, None, None, None] * drawn[variants]

    return mean_gradient(target, noisy, torch.full((samples,), 1 / samples), tick).abs().sum(3)


def mean_gradient(
    target: Target, variant: Callable[[Tensor, Tensor], Tensor], weights: Tensor, tick: Tick | None
) -> Tensor:
    """The weighted mean over variants of an image of the gradient of its class's logit, float32 [N, H, W, C].

    variant: gives float32 [B, H, W, C] for rows and places of variants, int64 [B] each. weights: float32 [V], of sum 1.
    No gradient of a parameter is computed or left.
    """
    mean = torch.zeros_like(target.images, dtype=torch.float32)
    weights = weights.to(mean.device)
    for rows, variants in pairs(target.images, len(weights)):
        points = variant(rows, variants).requires_grad_()
        logits = target.classifier(points)
        if not logits.requires_grad:
            raise ModelError("the network gives no gradient of its logits by the pixels; occlusion and rise do without")
        (gradient,) = torch.autograd.grad(logit(logits, target.classes[rows]).sum(), points)
        mean.index_add_(0, rows, gradient * weights[variants, None, None, None])
        if tick:
            tick(int(rows[-1]) * len(weights) + int(variants[-1]) + 1, len(mean) * len(weights))
    return mean
