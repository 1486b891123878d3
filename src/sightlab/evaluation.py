"""A model on a whole split: every image once, in order, without augmentation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from sightlab.data.batches import images_at, in_turn
from sightlab.data.imageset import ImageSet
from sightlab.records import Predictions

EVALUATION_BATCH = 256


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
            for places in in_turn(len(images), batch_size):
                logits[places] = classifier(images_at(images, places, device)).float().cpu().numpy()
                if tick:
                    tick(int(places[-1]) + 1, len(images))
    finally:
        classifier.train(was_training)
    return Predictions(logits, images.labels, np.arange(len(images)), images.classes)
