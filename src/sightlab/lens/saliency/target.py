"""What is explained: the logit of one class for each of some images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightlab.lens.anatomy import Anatomy, Stage
from sightlab.lens.subject import Tick
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


def in_parts(target: Target, images: int, method: Method, tick: Tick | None = None) -> Tensor:
    """A method's maps, float32 [N, H, W], made from so many images at a time. tick: called with images done, in all."""
    maps: list[Tensor] = []
    count = len(target.images)
    for start in range(0, count, images):
        maps.append(method(target.part(slice(start, start + images))).float())
        if tick:
            tick(min(start + images, count), count)
    return torch.cat(maps) if maps else torch.zeros(target.images.shape[:3], device=target.images.device)


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Within the context, no parameter of the network takes a gradient."""
    learned = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for parameter in learned:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learned:
            parameter.requires_grad_(True)
