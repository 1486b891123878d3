"""A model on a whole split: every image once, in order, without augmentation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sightlab.data.batches import images_at, in_turn
from sightlab.data.imageset import ImageSet
from sightlab.records import Predictions

EVALUATION_BATCH = 256


class WithMirror(nn.Module):
    """A classifier that looks at each image and at its mirror image, and gives the mean of both logits.

    Test-time augmentation in its simplest form (Krizhevsky et al. 2012, 4.1). Takes what the classifier takes:
    uint8 [N, H, W, C].
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """The mean logits, float32 [N, C]."""
        both: Tensor = self.classifier(images) + self.classifier(images.flip(2))
        return both / 2


def predictions(
    classifier: nn.Module,
    images: ImageSet,
    device: torch.device,
    batch_size: int = EVALUATION_BATCH,
    tick: Callable[[int, int], None] | None = None,
) -> Predictions:
    """The logits of every image of a split, once each, in order.

    classifier: takes uint8 [N, H, W, C], gives logits [N, C]; it is left in the mode it came in. tick: called with
    images done and images in all.
    """
    logits = np.empty((len(images), len(images.classes)), np.float32)
    was_training = classifier.training
    classifier.eval()
    try:
        with torch.inference_mode():
            for indices in in_turn(len(images), batch_size):
                logits[indices] = classifier(images_at(images, indices, device)).float().cpu().numpy()
                if tick:
                    tick(int(indices[-1]) + 1, len(images))
    finally:
        classifier.train(was_training)
    return Predictions(logits, images.labels, np.arange(len(images)), images.classes)
