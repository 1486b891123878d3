"""Attention inside residual blocks: gates for a branch's channels and positions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError, suggestion

REDUCTION = 16
PLACES_KERNEL = 7


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate that sees the means of all channels. [N, C, H, W] -> the same shape.

    gate = sigmoid(W2 relu(W1 mean(x) + b1) + b2), W1 from C to C / 16 channels, at least 1: Hu et al. 2018,
    Squeeze-and-excitation networks, equations 2 to 4. The two layers are 1x1 convolutions, as timm has them.

    >>> SqueezeExcitation(256).fc1.weight.shape
    torch.Size([16, 256, 1, 1])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // REDUCTION)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape, each channel scaled by a number in (0, 1)."""
        gate = self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)), inplace=True))
        scaled: Tensor = x * gate.sigmoid()
        return scaled


class CBAM(nn.Module):
    """Scales the channels, then the positions. [N, C, H, W] -> the same shape.

    Channels: sigmoid(MLP(mean) + MLP(maximum)), the MLP C -> C / 16 -> C with ReLU and no biases. Positions:
    sigmoid(norm(7x7 convolution of [mean, maximum over the channels])). Woo et al. 2018, CBAM, equations 2 and 3; the
    batch norm is that of the authors' code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // REDUCTION)
        self.fc1 = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.fc2 = nn.Conv2d(squeezed, channels, 1, bias=False)
        self.conv = nn.Conv2d(2, 1, PLACES_KERNEL, padding=PLACES_KERNEL // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape, each value scaled by a gate of its channel and one of its position."""
        means, maxima = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        x = x * (self.of_channels(means) + self.of_channels(maxima)).sigmoid()
        places = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        gate: Tensor = self.bn(self.conv(places))
        return x * gate.sigmoid()

    def of_channels(self, pooled: Tensor) -> Tensor:
        """The MLP shared by means and maxima. [N, C, 1, 1] -> the same shape."""
        scores: Tensor = self.fc2(F.relu(self.fc1(pooled), inplace=True))
        return scores


ATTENTIONS: dict[str, Callable[[int], nn.Module]] = {"none": nn.Identity, "se": SqueezeExcitation, "cbam": CBAM}


def attention(name: str) -> Callable[[int], nn.Module]:
    """The factory of the attention called `name`: channels -> module. Raises ModelError for an unknown name."""
    if name not in ATTENTIONS:
        raise ModelError(f"unknown attention '{name}'; {suggestion(str(name), ATTENTIONS)}")
    return ATTENTIONS[name]
