"""Class activation maps: the channels of one stage, weighted by the gradient of the explained logit.

A is the stage's output as maps [N, C, h, w], y the logit, g = dy / dA. Tokens count as maps, without the class and
register tokens. All methods give float32 [N, H, W] at the image's size, at least 0 and not scaled.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.lens.anatomy import activations
from sightlab.lens.saliency.target import Target, frozen, in_parts
from sightlab.lens.subject import Tick

BATCH = 32


def grad_cam(target: Target, *, tick: Tick | None = None) -> Tensor:
    """relu(sum over channels of the mean of g over positions, times A).

    Selvaraju et al. 2017, Grad-CAM, equations 1 and 2. Raises ModelError without a stage, or where no logit depends on
    it.
    """
    return in_parts(target, BATCH, lambda part: at_image_size(weighted(*gradients(part)), part), tick)


def grad_cam_plus_plus(target: Target, *, tick: Tick | None = None) -> Tensor:
    """relu(sum over channels of w A), w = sum over positions of alpha relu(g), alpha = g^2 / (2 g^2 + g^3 sum A).

    Chattopadhay et al. 2018, Grad-CAM++, equations 5, 10 and 19, for the score exp(y), whose own factor is the same at
    all positions and left out; alpha is 0 where its denominator is. Raises ModelError as `grad_cam` does.
    """
    return in_parts(target, BATCH, lambda part: at_image_size(doubly_weighted(*gradients(part)), part), tick)


def layer_cam(target: Target, *, tick: Tick | None = None) -> Tensor:
    """relu(sum over channels of relu(g) A), weighted position by position: fit for stages before the last too.

    Jiang et al. 2021, LayerCAM, equations 4 to 6. Raises ModelError as `grad_cam` does.
    """
    return in_parts(target, BATCH, lambda part: at_image_size(locally_weighted(*gradients(part)), part), tick)


def weighted(maps: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM of A and g, float [N, C, h, w] both. Gives [N, h, w]."""
    return (gradient.mean((2, 3), keepdim=True) * maps).sum(1).relu()


def doubly_weighted(maps: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM++ of A and g, float [N, C, h, w] both. Gives [N, h, w]."""
    square = gradient.square()
    below = 2 * square + gradient * square * maps.sum((2, 3), keepdim=True)
    alpha = torch.where(below == 0, 0.0, square / torch.where(below == 0, 1.0, below))
    return ((alpha * gradient.relu()).sum((2, 3), keepdim=True) * maps).sum(1).relu()


def locally_weighted(maps: Tensor, gradient: Tensor) -> Tensor:
    """Layer-CAM of A and g, float [N, C, h, w] both. Gives [N, h, w]."""
    return (gradient.relu() * maps).sum(1).relu()


def gradients(target: Target) -> tuple[Tensor, Tensor]:
    """A and g of the target's stage, float [N, C, h, w] each.

    Raises ModelError for a target without a stage, and where no gradient is other than 0.
    """
    if target.stage is None:
        raise ModelError("class activation maps need a stage of the network that gives maps; none was chosen")
    stage, net = target.stage, target.classifier.net
    # The graph begins at the stage: what comes before it needs no gradient, and no parameter does.
    with torch.enable_grad(), frozen(net), activations(net, [stage.module], leaf) as kept:
        score = target.scores(target.classifier(target.images)).sum()
        output = kept[stage.module]
        found = torch.autograd.grad(score, output, allow_unused=True)[0] if score.requires_grad else None
    if found is None or not found.any():
        raise ModelError(f"no explained logit depends on the output of {stage.module}, so that it explains none")
    return stage.as_maps(output.detach()), stage.as_maps(found)


def leaf(output: Tensor) -> tuple[Tensor, Tensor]:
    """Keep an output as what gradients end at, and go on with a copy of it."""
    kept = output.detach().requires_grad_()
    return kept, kept.clone()


def at_image_size(maps: Tensor, target: Target) -> Tensor:
    """Maps at the size of the images, by bilinear interpolation. float [N, h, w] -> float32 [N, H, W]."""
    size = (int(target.images.shape[1]), int(target.images.shape[2]))
    enlarged = F.interpolate(maps.float()[:, None], size=size, mode="bilinear", align_corners=False)
    return enlarged[:, 0].contiguous()
