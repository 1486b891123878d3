"""The classifier: bytes in, logits out. Preprocessing is part of the model, so that it cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sightlab.augment.chunks import one_thread


class Classifier(nn.Module):
    """A network with the normalisation its images were trained with.

    net: takes float32 [N, C, H, W], gives logits float32 [N, classes]. mean, std: a channel each, of pixel values in
    [0, 1]; a channel with standard deviation 0 is only centred.

    >>> classifier = Classifier(nn.Flatten(), mean=[0.5], std=[0.25])
    >>> classifier(torch.full((1, 1, 2, 1), 255, dtype=torch.uint8)).tolist()
    [[2.0, 2.0]]
    """

    mean: Tensor
    scale: Tensor
    # The compiled form of `net`, used in training: a plain function, so that it is not part of the state.
    net_in_training: Callable[[Tensor], Tensor] | None = None

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        scale = torch.tensor([1 / (255 * s) if s > 0 else 1 / 255 for s in std])
        self.register_buffer("scale", scale.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch. images: uint8 [N, H, W, C], or float with values from 0 to 255. Gives [N, classes]."""
        net = self.net_in_training if self.training and self.net_in_training else self.net
        logits: Tensor = net(self.normalised(images))
        return logits

    def normalised(self, images: Tensor) -> Tensor:
        """float32 [N, C, H, W] in channels_last order: bytes [N, H, W, C] are in that order already."""
        with one_thread(images):
            return (images.permute(0, 3, 1, 2).to(torch.float32) - self.mean).mul_(self.scale)
