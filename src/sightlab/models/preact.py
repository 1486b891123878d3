"""Residual networks with pre-activation: batch norm and ReLU before each convolution, nothing after the sum.

He et al. 2016, Identity mappings in deep residual networks, section 4.1 ("full pre-activation").
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.models.attention import attention as attention_called
from sightlab.models.head import Hidden
from sightlab.models.head import hidden as hidden_layers
from sightlab.models.regularise import StochasticDepth, depth_rates, head_dropout
from sightlab.models.resnet import WIDTHS, start_weights
from sightlab.models.stems import STEMS, Stem, choose_stem

# (channels in, channels out, kernel size, stride) of a branch's convolutions.
Convolutions = list[tuple[int, int, int, int]]


def basic(before: int, width: int, stride: int) -> Convolutions:
    """Two 3x3 convolutions, the first with the stride."""
    return [(before, width, 3, stride), (width, width, 3, 1)]


def bottleneck(before: int, width: int, stride: int) -> Convolutions:
    """1x1, 3x3 with the stride, and 1x1 to four times the width."""
    return [(before, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1)]


class PreActBlock(nn.Module):
    """A branch of (batch norm, ReLU, convolution) with a shortcut. [N, before, H, W] -> [N, after, H', W'].

    Where the shape changes the skip is a 1x1 convolution of the first batch norm's activations, without a batch norm of
    its own; elsewhere it is the identity, which carries x itself through the whole layer.
    """

    def __init__(self, convolutions: Convolutions, attention: str, drop_rate: float) -> None:
        super().__init__()
        before, after = convolutions[0][0], convolutions[-1][1]
        stride = max(each[3] for each in convolutions)
        self.bns = nn.ModuleList(nn.BatchNorm2d(channels) for channels, *_ in convolutions)
        self.convs = nn.ModuleList(
            nn.Conv2d(first, last, size, stride=step, padding=size // 2, bias=False)
            for first, last, size, step in convolutions
        )
        self.attention = attention_called(attention)(after)
        self.projects = stride != 1 or before != after
        self.downsample = nn.Conv2d(before, after, 1, stride=stride, bias=False) if self.projects else nn.Identity()
        self.drop = StochasticDepth(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, after, H', W']."""
        activated = branch = F.relu(self.bns[0](x), inplace=True)
        branch = self.convs[0](branch)
        for norm, convolution in zip(self.bns[1:], self.convs[1:], strict=True):
            branch = convolution(F.relu(norm(branch), inplace=True))
        total: Tensor = self.drop(self.attention(branch)) + self.downsample(activated if self.projects else x)
        return total


class PreActResNet(nn.Module):
    """A residual network with pre-activation. Images float [N, channels, H, W] -> logits float [N, classes].

    The stem is a convolution (and max pool) alone, since the first block begins with batch norm and ReLU; one more of
    each follows the last block. depths: blocks in each of the four layers.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        depths: Sequence[int],
        expansion: int,
        stem: Stem,
        *,
        attention: str,
        hidden: Hidden,
        dropout: float,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        branch = basic if expansion == 1 else bottleneck
        self.conv1 = stem.convolution(channels, WIDTHS[0])
        self.maxpool = stem.pooling()
        rates = iter(depth_rates(stochastic_depth, sum(depths)))
        self.layers = nn.Sequential()
        before = WIDTHS[0]
        for depth, width in zip(depths, WIDTHS, strict=True):
            layer = nn.Sequential()
            for place in range(depth):
                stride = 2 if place == 0 and width != WIDTHS[0] else 1
                layer.append(PreActBlock(branch(before, width, stride), attention, next(rates)))
                before = width * expansion
            self.layers.append(layer)
        self.bn = nn.BatchNorm2d(before)
        self.hidden = hidden.layers(before)
        self.dropout = head_dropout(dropout)
        self.fc = nn.Linear(hidden.width(before), classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        x = F.relu(self.bn(self.layers(self.maxpool(self.conv1(images)))), inplace=True)
        features = self.hidden(F.adaptive_avg_pool2d(x, 1).flatten(1))
        logits: Tensor = self.fc(self.dropout(features))
        return logits


def preact_resnet(
    *,
    depths: Sequence[int],
    expansion: int,
    channels: int,
    classes: int,
    height: int,
    width: int,
    stem: str = "auto",
    attention: str = "none",
    head: Sequence[int] | int = (),
    head_norm: bool = False,
    head_activation: str = "relu",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> PreActResNet:
    """A PreActResNet with Kaiming-normal convolutions (fan out), drawn from torch's global generator.

    expansion: 1 for basic blocks, 4 for bottlenecks. The other values are those of `resnet`.

    >>> model = preact_resnet(depths=(2, 2, 2, 2), expansion=1, channels=3, classes=10, height=32, width=32)
    >>> model.fc.in_features
    512

    Raises ModelError as `resnet` does.
    """
    model = PreActResNet(
        channels,
        classes,
        depths,
        expansion,
        STEMS[choose_stem(stem, height, width)],
        attention=attention,
        hidden=hidden_layers(head, head_norm, head_activation),
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )
    start_weights(model)
    return model
