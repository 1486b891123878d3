"""AlexNet (Krizhevsky et al. 2012): the paper's layers as one tower, and a variant for small images."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.models.regularise import head_dropout

WIDTHS = (96, 256, 384, 384, 256)
HIDDEN = 4096
SMALL_HIDDEN = 1024
# The smallest sides at which the pools leave one position.
SMALLEST = 67
SMALLEST_SMALL = 8


class AlexNet(nn.Module):
    """Five convolutions and three fully connected layers.

    Images float [N, channels, H, W] -> logits float [N, classes]. first: the first convolution. widths: channels of
    all five; the second is 5x5 with padding 2, the others 3x3 with padding 1. A 3x3 max pool of stride 2, with
    pool_padding, behind the convolutions 1, 2 and 5; places: positions left after the last. ReLU after every layer but
    the last; local response normalisation after the first two (section 3.3: n = 5, k = 2, alpha = 1e-4, beta = 0.75);
    dropout before the fully connected layers 2 and 3.
    """

    def __init__(
        self,
        first: nn.Conv2d,
        widths: tuple[int, ...],
        places: int,
        hidden: int,
        classes: int,
        pool_padding: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.conv1 = first
        self.conv2 = nn.Conv2d(widths[0], widths[1], 5, padding=2)
        self.conv3 = nn.Conv2d(widths[1], widths[2], 3, padding=1)
        self.conv4 = nn.Conv2d(widths[2], widths[3], 3, padding=1)
        self.conv5 = nn.Conv2d(widths[3], widths[4], 3, padding=1)
        # torch divides alpha by n, the paper does not.
        self.norm = nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=pool_padding)
        self.fc1 = nn.Linear(widths[4] * places, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.dropout = head_dropout(dropout)
        self.fc3 = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        x = self.pool(self.norm(F.relu(self.conv1(images), inplace=True)))
        x = self.pool(self.norm(F.relu(self.conv2(x), inplace=True)))
        x = F.relu(self.conv4(F.relu(self.conv3(x), inplace=True)), inplace=True)
        x = self.pool(F.relu(self.conv5(x), inplace=True)).flatten(1)
        x = self.dropout(F.relu(self.fc1(x), inplace=True))
        x = self.dropout(F.relu(self.fc2(x), inplace=True))
        logits: Tensor = self.fc3(x)
        return logits


def alexnet(
    *,
    channels: int,
    classes: int,
    height: int,
    width: int,
    dropout: float = 0.0,
    widths: tuple[int, ...] = WIDTHS,
) -> AlexNet:
    """AlexNet as one tower: conv1 11x11 with stride 4 and no padding, 96 channels; then 256, 384, 384 and 256.

    In the paper two towers, one for each GPU, see only half of the channels in layers 2, 4 and 5; here every layer
    sees all of them. With images of 227 x 227 the last pool leaves 6 x 6 positions, as in the paper (which says 224).
    Weights start from torch's defaults. torchvision's AlexNet differs: 64, 192, 384, 256 and 256 channels.

    >>> alexnet(channels=3, classes=1000, height=227, width=227).fc1.in_features
    9216

    Raises ModelError when a side is too short for the strides and pools.
    """
    check_side("alexnet", height, width, SMALLEST)
    places = after_pools((height - 11) // 4 + 1, 0) * after_pools((width - 11) // 4 + 1, 0)
    first = nn.Conv2d(channels, widths[0], 11, stride=4)
    return AlexNet(first, widths, places, HIDDEN, classes, 0, dropout)


def small_alexnet(*, channels: int, classes: int, height: int, width: int, dropout: float = 0.0) -> AlexNet:
    """AlexNet for small images: conv1 5x5 with stride 1 and padding 2, pools with padding 1, 1024 hidden features.

    Channels and everything else are AlexNet's. 28 x 28 pixels become 14, 7 and finally 4 x 4 positions.

    >>> small_alexnet(channels=1, classes=10, height=28, width=28).fc1.in_features
    4096

    Raises ModelError when a side is too short for the pools to mean anything.
    """
    check_side("alexnet-small", height, width, SMALLEST_SMALL)
    places = after_pools(height, 1) * after_pools(width, 1)
    first = nn.Conv2d(channels, WIDTHS[0], 5, padding=2)
    return AlexNet(first, WIDTHS, places, SMALL_HIDDEN, classes, 1, dropout)


def after_pools(side: int, padding: int) -> int:
    """The side that three 3x3 max pools of stride 2 leave.

    >>> after_pools(55, 0), after_pools(28, 1)
    (6, 4)
    """
    for _ in range(3):
        side = (side + 2 * padding - 3) // 2 + 1
    return side


def check_side(name: str, height: int, width: int, smallest: int) -> None:
    """Raises ModelError when a side is shorter than the smallest that the model takes, pixels."""
    if min(height, width) < smallest:
        other = "; alexnet-small takes smaller ones" if name == "alexnet" else ""
        raise ModelError(
            f"{name} takes images of at least {smallest} x {smallest} pixels, not {height} x {width}{other}"
        )
