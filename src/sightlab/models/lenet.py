"""LeNet-5 (LeCun et al. 1998, Gradient-based learning applied to document recognition, section II.B)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.models.regularise import head_dropout

SMALLEST = 12
UNPADDED = 32


class LeNet(nn.Module):
    """Two 5x5 convolutions of 6 and 16 channels, each with tanh and a 2x2 mean pool; linear layers of 120, 84, classes.

    Images float [N, channels, height, width] -> logits float [N, classes]. The paper sets digits of 28 x 28 in 32 x 32
    pixels; here images below 32 pixels are padded by 2 at the first convolution instead. Like most later versions,
    this leaves out the paper's trained pooling weights, the gaps between the layers S2 and C3, and the radial basis
    functions at the end.
    """

    def __init__(self, channels: int, classes: int, height: int, width: int, dropout: float) -> None:
        super().__init__()
        padding = 2 if min(height, width) < UNPADDED else 0
        rows, columns = ((((side + 2 * padding - 4) // 2) - 4) // 2 for side in (height, width))
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.linear1 = nn.Linear(16 * rows * columns, 120)
        self.linear2 = nn.Linear(120, 84)
        self.dropout = head_dropout(dropout)
        self.linear3 = nn.Linear(84, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, height, width] -> logits [N, classes]."""
        x = F.avg_pool2d(self.conv1(images).tanh(), 2)
        x = F.avg_pool2d(self.conv2(x).tanh(), 2).flatten(1)
        x = self.linear2(self.linear1(x).tanh()).tanh()
        logits: Tensor = self.linear3(self.dropout(x))
        return logits


def lenet(*, channels: int, classes: int, height: int, width: int, dropout: float = 0.0) -> LeNet:
    """A LeNet for images of one size; weights start from torch's defaults.

    >>> sum(p.numel() for p in lenet(channels=1, classes=10, height=28, width=28).parameters())
    61706

    Raises ModelError when a side is too short for two convolutions and two pools.
    """
    if min(height, width) < SMALLEST:
        raise ModelError(f"lenet takes images of at least {SMALLEST} x {SMALLEST} pixels, not {height} x {width}")
    return LeNet(channels, classes, height, width, dropout)
