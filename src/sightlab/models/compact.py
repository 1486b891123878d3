"""A residual network for small images, designed for accuracy per second of training on CPUs.

What makes it fast there:
- the 4x4 stem of stride 2 leaves a quarter of the positions before the first wide layer;
- every channel count is a multiple of 16, so that a vector register of 16 floats is always full;
- pooling comes before batch norm and ReLU, which then process a quarter of the values. Max pooling and ReLU commute,
  and so does batch norm where its scale is positive, so little changes in what can be computed;
- most of the weights work at 7 x 7 and 3 x 3, where activations are small.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.models.regularise import StochasticDepth, depth_rates, head_dropout

VECTOR = 16
WIDTHS = (32, 96, 96)
LOGIT_SCALE = 0.125


class ConvNorm(nn.Module):
    """3x3 convolution, optional 2x2 max pool, batch norm, ReLU. [N, before, H, W] -> [N, after, H', W']."""

    def __init__(self, before: int, after: int, *, pool: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, after, H', W'], H' = H // 2 with a pool."""
        return F.relu(self.bn(self.pool(self.conv(x))), inplace=True)


class Residual(nn.Module):
    """x plus two ConvNorms of x. [N, width, H, W] -> the same shape."""

    def __init__(self, width: int, drop_rate: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(ConvNorm(width, width, pool=False), ConvNorm(width, width, pool=False))
        self.drop = StochasticDepth(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] -> the same shape."""
        shifted: Tensor = x + self.drop(self.branch(x))
        return shifted


class CompactResNet(nn.Module):
    """Images float [N, channels, H, W] -> logits float [N, classes].

    Three residual blocks, at 14 x 14, 7 x 7 and 3 x 3 for images of 28 x 28, each but the first after a convolution
    and pool; global max pool; a linear layer without bias whose logits are scaled down, so that the first steps at a
    high learning rate do not saturate the softmax.
    """

    def __init__(
        self, channels: int, classes: int, widths: tuple[int, int, int], dropout: float, stochastic_depth: float
    ) -> None:
        super().__init__()
        first, second, third = widths
        rates = depth_rates(stochastic_depth, 3)
        self.stem = nn.Conv2d(channels, first, 4, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(first)
        self.body = nn.Sequential(
            Residual(first, rates[0]),
            ConvNorm(first, second, pool=True),
            Residual(second, rates[1]),
            ConvNorm(second, third, pool=True),
            Residual(third, rates[2]),
        )
        self.dropout = head_dropout(dropout)
        self.linear = nn.Linear(third, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        x = self.body(F.relu(self.bn(self.stem(images)), inplace=True))
        logits: Tensor = self.linear(self.dropout(x.amax((2, 3))))
        return logits * LOGIT_SCALE


def compact_resnet(
    *, channels: int, classes: int, width_factor: float = 1.0, dropout: float = 0.0, stochastic_depth: float = 0.0
) -> CompactResNet:
    """A CompactResNet with Kaiming-normal convolutions (fan out), drawn from torch's global generator.

    width_factor: every channel count is multiplied by it, then rounded to a multiple of 16, at least 16.

    >>> model = compact_resnet(channels=1, classes=10, width_factor=0.5)
    >>> model.linear
    Linear(in_features=48, out_features=10, bias=False)

    Raises ModelError when width_factor is not in (0, 16].
    """
    if not 0 < width_factor <= 16:
        raise ModelError(f"option width_factor is {width_factor}; it must be above 0 and at most 16")
    first, second, third = (max(VECTOR, round(size * width_factor / VECTOR) * VECTOR) for size in WIDTHS)
    model = CompactResNet(channels, classes, (first, second, third), dropout, stochastic_depth)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model
