"""What is explained: the logit of one class for each of some images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sightlab.lens.anatomy import Anatomy, Stage
from sightlab.models.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Target:
    """Images and the class whose logit is explained for each.

    classifier: in eval mode. images: uint8 [N, H, W, C] on its device. classes: int64 [N]. stage: where activations are
    taken from, for methods that take any; None for the others.
    """

    classifier: Classifier
    images: Tensor
    classes: Tensor
    anatomy: Anatomy
    stage: Stage | None = None

    def scores(self, logits: Tensor) -> Tensor:
        """The explained logit of each image, float [N]. logits: float [N, classes]."""
        return logits.gather(1, self.classes[:, None])[:, 0]

    def part(self, rows: slice) -> Target:
        """The target of some of the images."""
        return Target(self.classifier, self.images[rows], self.classes[rows], self.anatomy, self.stage)


# Gives a map for each image, float32 [N, H, W]: the larger, the more the pixel speaks for the class. Maps of methods
# that also see what speaks against it have negative values; no map is scaled.
Method = Callable[[Target], Tensor]


def predicted(classifier: Classifier, images: Tensor) -> Tensor:
    """The class predicted for each image, int64 [N]. images: uint8 [N, H, W, C]."""
    with torch.inference_mode():
        classes: Tensor = classifier(images).argmax(1)
    return classes.clone()
