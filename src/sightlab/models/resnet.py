"""ResNet-18, 34 and 50 (He et al. 2016, Deep residual learning, table 1) with torchvision's state-dict names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.models.regularise import StochasticDepth, depth_rates, head_dropout

STEMS = ("3x3", "7x7")
STEM = 64
LARGEST_FOR_3X3 = 64


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a skip. [N, before, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)]."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int, drop_rate: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = skip(before, width * self.expansion, stride)
        self.drop = StochasticDepth(drop_rate)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm that ends the branch."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, width, H', W'], not negative."""
        branch = F.relu(self.bn1(self.conv1(x)), inplace=True)
        branch = self.bn2(self.conv2(branch))
        return F.relu(self.drop(branch) + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a skip; the stride sits on the 3x3 ("version 1.5", as torchvision has it).

    [N, before, H, W] -> [N, 4 * width, ceil(H / stride), ceil(W / stride)].
    """

    expansion = 4

    def __init__(self, before: int, width: int, stride: int, drop_rate: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = skip(before, width * self.expansion, stride)
        self.drop = StochasticDepth(drop_rate)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm that ends the branch."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, 4 * width, H', W'], not negative."""
        branch = F.relu(self.bn1(self.conv1(x)), inplace=True)
        branch = F.relu(self.bn2(self.conv2(branch)), inplace=True)
        branch = self.bn3(self.conv3(branch))
        return F.relu(self.drop(branch) + self.downsample(x), inplace=True)


class ResNet(nn.Module):
    """A residual network of four layers. Images float [N, channels, H, W] -> logits float [N, classes].

    depths: blocks in each layer. stem: `7x7` (stride 2, then a 3x3 max pool of stride 2) for large images, or `3x3`
    (stride 1, no pool) for small ones, on which the large stem would throw away 15 of 16 places before any layer.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        stem: str,
        dropout: float,
        stochastic_depth: float,
    ) -> None:
        super().__init__()
        large = stem == "7x7"
        size, stride, padding = (7, 2, 3) if large else (3, 1, 1)
        self.conv1 = nn.Conv2d(channels, STEM, size, stride=stride, padding=padding, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        rates = depth_rates(stochastic_depth, sum(depths))
        ends = list(accumulate(depths))
        self.layer1 = residual_layer(block, STEM, 64, 1, rates[: ends[0]])
        self.layer2 = residual_layer(block, 64 * block.expansion, 128, 2, rates[ends[0] : ends[1]])
        self.layer3 = residual_layer(block, 128 * block.expansion, 256, 2, rates[ends[1] : ends[2]])
        self.layer4 = residual_layer(block, 256 * block.expansion, 512, 2, rates[ends[2] :])
        self.dropout = head_dropout(dropout)
        self.fc = nn.Linear(512 * block.expansion, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1)))
        return logits


def residual_layer(
    block: type[BasicBlock] | type[Bottleneck], before: int, width: int, stride: int, drop_rates: Sequence[float]
) -> nn.Sequential:
    """One block for each drop rate, the first with the stride. [N, before, H, W] -> [N, expansion * width, H', W']."""
    blocks = [block(before, width, stride, drop_rates[0])]
    blocks += [block(width * block.expansion, width, 1, rate) for rate in drop_rates[1:]]
    return nn.Sequential(*blocks)


def skip(before: int, after: int, stride: int) -> nn.Module:
    """The identity, or a 1x1 convolution and batch norm where the shape changes (He et al. 2016, option B)."""
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))


def resnet(
    *,
    block: type[BasicBlock] | type[Bottleneck],
    depths: Sequence[int],
    channels: int,
    classes: int,
    height: int,
    width: int,
    stem: str = "auto",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    zero_init_residual: bool = False,
) -> ResNet:
    """A ResNet with Kaiming-normal convolutions (fan out), drawn from torch's global generator.

    stem: auto, 3x3 or 7x7. zero_init_residual: each branch starts at zero (Goyal et al. 2017, section 5.1).
    Raises ModelError for another stem.
    """
    model = ResNet(channels, classes, block, depths, choose_stem(stem, height, width), dropout, stochastic_depth)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
            nn.init.zeros_(module.last_norm.weight)
    return model


def choose_stem(stem: str, height: int, width: int) -> str:
    """The stem itself, or for `auto` the one that suits images of this size.

    >>> choose_stem("auto", 32, 32), choose_stem("auto", 224, 224), choose_stem("7x7", 32, 32)
    ('3x3', '7x7', '7x7')

    Raises ModelError for a stem that is none of auto, 3x3 and 7x7.
    """
    if stem == "auto":
        return "3x3" if max(height, width) <= LARGEST_FOR_3X3 else "7x7"
    if stem not in STEMS:
        raise ModelError(f"unknown stem '{stem}'; known: auto, {', '.join(STEMS)}")
    return stem
