"""The plain convolutional network of the Fashion-MNIST study: two convolutions, three linear layers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.models.regularise import head_dropout

SMALLEST = 4


class CNN(nn.Module):
    """Two 5x5 convolutions, each with ReLU and a 2x2 max pool, then three linear layers with ReLU between them.

    Images float [N, channels, height, width] -> logits float [N, classes]. The size is fixed when the model is
    built; the pool drops an odd last row or column.
    """

    def __init__(self, channels: int, classes: int, height: int, width: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.linear1 = nn.Linear(64 * (height // 4) * (width // 4), 256)
        self.linear2 = nn.Linear(256, 128)
        self.dropout = head_dropout(dropout)
        self.linear3 = nn.Linear(128, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, height, width] -> logits [N, classes]."""
        x = F.max_pool2d(F.relu(self.conv1(images), inplace=True), 2)
        x = F.max_pool2d(F.relu(self.conv2(x), inplace=True), 2).flatten(1)
        x = F.relu(self.linear2(F.relu(self.linear1(x), inplace=True)), inplace=True)
        logits: Tensor = self.linear3(self.dropout(x))
        return logits


def cnn(*, channels: int, classes: int, height: int, width: int, dropout: float = 0.0) -> CNN:
    """A CNN for images of one size; weights start from torch's defaults.

    >>> cnn(channels=1, classes=10, height=28, width=28).linear1.in_features
    3136

    Raises ModelError when a side is too short for two pools.
    """
    if min(height, width) < SMALLEST:
        raise ModelError(f"cnn takes images of at least {SMALLEST} x {SMALLEST} pixels, not {height} x {width}")
    return CNN(channels, classes, height, width, dropout)
