"""U-Net (Ronneberger et al. 2015) as a classifier: encoder, decoder, skips between them, pooled at full size."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.models.regularise import head_dropout

LEVELS = 4
SMALLEST = 2 ** (LEVELS - 1)


class DoubleConv(nn.Module):
    """Twice a 3x3 convolution, batch norm and ReLU. [N, before, H, W] -> [N, after, H, W]."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, after, H, W], not negative."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True)


class UNet(nn.Module):
    """Images float [N, channels, H, W] -> logits float [N, classes].

    Encoder: four levels of a DoubleConv with base, 2, 4 and 8 times base channels, 2x2 max pools between them. Decoder:
    three times a 2x2 transposed convolution of stride 2 that halves the channels, the encoder's features of the same
    level concatenated (the skip), and a DoubleConv. Its last features [N, base, H, W] are averaged over all positions
    and go through dropout and one linear layer. Differences from the paper: three pools instead of four, padding 1 so
    that sizes stay, batch norm, and the pooled linear layer in place of a class for every pixel.
    """

    def __init__(self, channels: int, classes: int, base: int, dropout: float) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(DoubleConv(*pair) for pair in pairwise([channels, *widths]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(deep, shallow, 2, stride=2) for shallow, deep in reversed(list(pairwise(widths)))
        )
        self.merge = nn.ModuleList(DoubleConv(2 * width, width) for width in reversed(widths[:-1]))
        self.dropout = head_dropout(dropout)
        self.linear = nn.Linear(base, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        skips = [self.down[0](images)]
        for level in self.down[1:]:
            skips.append(level(F.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            skip = skips.pop()
            # An odd side lost a row to the pool; the transposed convolution gives it back.
            x = merge(torch.cat([skip, up(x, output_size=skip.shape[-2:])], 1))
        logits: Tensor = self.linear(self.dropout(x.mean((2, 3))))
        return logits


def unet(
    *, channels: int, classes: int, height: int, width: int, base_channels: int = 32, dropout: float = 0.0
) -> UNet:
    """A UNet with Kaiming-normal convolutions, drawn from torch's global generator.

    base_channels: of the first level; the paper has 64.

    >>> [level.conv2.out_channels for level in unet(channels=1, classes=10, height=28, width=28).down]
    [32, 64, 128, 256]

    Raises ModelError when a side is too short for three pools, or base_channels is below 1.
    """
    if min(height, width) < SMALLEST:
        raise ModelError(f"unet takes images of at least {SMALLEST} x {SMALLEST} pixels, not {height} x {width}")
    if base_channels != int(base_channels) or base_channels < 1:
        raise ModelError(f"option base_channels is {base_channels}; it must be a whole number from 1")
    model = UNet(channels, classes, int(base_channels), dropout)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model
