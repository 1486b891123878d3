"""A network's scores of images of which only a part is shown: what all explanations by perturbation ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from sightlab.lens.saliency.target import Target
from sightlab.lens.subject import Tick

Score = Callable[[Tensor, Tensor], Tensor]
# In a pass on a CPU: 83 images of 28 x 28, 1 of 224 x 224. A ResNet takes 0.4 GB more for them with its gradient, and
# larger batches are no faster there.
PIXELS = 2**16
ON_A_GPU = 64  # times as many


def logit(logits: Tensor, classes: Tensor) -> Tensor:
    """The logit of each row's class. logits: float [B, classes]. classes: int64 [B]. Gives float [B]."""
    return logits.gather(1, classes[:, None])[:, 0]


def probability(logits: Tensor, classes: Tensor) -> Tensor:
    """The softmax probability of each row's class. logits: float [B, classes]. classes: int64 [B]. Gives float [B]."""
    return logit(logits.softmax(1), classes)


def pairs(images: Tensor, variants: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All pairs of an image and a variant of it, as (rows, variants), int64 [B] each, a batch at a time.

    images: [N, H, W, C]; their size says how many make a batch.
    """
    height, width = images.shape[1:3]
    pixels = PIXELS if images.device.type == "cpu" else PIXELS * ON_A_GPU
    at_once = max(1, pixels // (height * width))
    total = len(images) * variants
    for start in range(0, total, at_once):
        flat = torch.arange(start, min(start + at_once, total), device=images.device)
        yield flat // variants, flat % variants


def masked_scores(
    target: Target, masks: Tensor, background: Tensor, score: Score = logit, *, tick: Tick | None = None
) -> Tensor:
    """The score of each image's class under each mask, float32 [N, V].

    masks: float or bool [V, H, W], or [N, V, H, W] for masks of each image's own; 1 shows the image, 0 the background,
    and what lies between a mixture of both. background: float32 [N, H, W, C]. tick: called with images done and in all.
    """
    images = target.images.float()
    masks = masks.expand(len(images), *masks.shape[-3:])
    scores = images.new_empty(masks.shape[:2])
    with torch.inference_mode():
        for rows, variants in pairs(images, masks.shape[1]):
            shown = masks[rows, variants, :, :, None].to(images.dtype)
            logits = target.classifier(torch.lerp(background[rows], images[rows], shown))
            scores[rows, variants] = score(logits.float(), target.classes[rows])
            if tick:
                tick(int(rows[-1]) * masks.shape[1] + int(variants[-1]) + 1, scores.numel())
    return scores
