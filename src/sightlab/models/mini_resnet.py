"""MiniResNet: the small residual networks of the KMNIST study; each version is one layer deeper."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.models.regularise import StochasticDepth, depth_rates, head_dropout

STEM = 32
BLOCKS_A_LAYER = 2


class MiniBlock(nn.Module):
    """Two 3x3 convolutions with biases and a shortcut; ReLU after the sum.

    Where the channel count changes, the first convolution has stride 2, and the skip is a 1x1 convolution of stride 2
    with a bias and without batch norm; elsewhere the skip is the identity.

    [N, before, H, W] -> [N, after, H, W], or [N, after, ceil(H / 2), ceil(W / 2)] where before differs from after.
    """

    def __init__(self, before: int, after: int, drop_rate: float = 0.0) -> None:
        super().__init__()
        stride = 1 if before == after else 2
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(after)
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1, stride=stride)
        self.drop = StochasticDepth(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, after, H', W'], not negative."""
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return F.relu(self.drop(branch) + self.skip(x), inplace=True)


class MiniResNet(nn.Module):
    """A 7x7 stem of stride 2, residual layers of two blocks, global average pool, one linear layer.

    Images float [N, channels, H, W] -> logits float [N, classes]. No ReLU follows the last linear layer: the study
    as published had one, and logits that cannot be negative die. stem: the stem's channels; pool_stride: of its 3x3 max
    pool; last: what follows the last linear layer.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        layers: Sequence[int],
        dropout: float,
        stochastic_depth: float,
        *,
        stem: int = STEM,
        pool_stride: int = 1,
        last: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, stem, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.pool = nn.MaxPool2d(3, stride=pool_stride, padding=1)
        rates = iter(depth_rates(stochastic_depth, len(layers) * BLOCKS_A_LAYER))
        self.layers = nn.Sequential()
        before = stem
        for after in layers:
            blocks = [MiniBlock(before, after, next(rates)), MiniBlock(after, after, next(rates))]
            self.layers.append(nn.Sequential(*blocks))
            before = after
        self.dropout = head_dropout(dropout)
        self.linear = nn.Linear(before, classes)
        self.last = last()

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        x = self.pool(F.relu(self.bn1(self.conv1(images)), inplace=True))
        x = F.adaptive_avg_pool2d(self.layers(x), 1).flatten(1)
        logits: Tensor = self.last(self.linear(self.dropout(x)))
        return logits


def mini_resnet(
    *, channels: int, classes: int, layers: Sequence[int], dropout: float = 0.0, stochastic_depth: float = 0.0
) -> MiniResNet:
    """A MiniResNet; layers: the channel count of each residual layer, so that v4 is (32, 32, 64, 64).

    Weights start from torch's defaults, as the study's did.

    >>> model = mini_resnet(channels=1, classes=10, layers=(32, 32, 64, 64))
    >>> sum(p.numel() for p in model.parameters())
    356938
    """
    return MiniResNet(channels, classes, layers, dropout, stochastic_depth)
