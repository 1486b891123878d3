"""The blocks of residual networks (He et al. 2016, Deep residual learning), and their shortcuts."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.models.regularise import StochasticDepth

# (channels before, channels after, stride) -> the shortcut of a block.
Shortcut = Callable[[int, int, int], nn.Module]


class ZeroPadding(nn.Module):
    """Every stride-th position, and zeros for new channels: a shortcut without parameters.

    He et al. 2016, section 3.3, option A. [N, before, H, W] -> [N, after, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.new, self.stride = after - before, stride

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, after, H', W']."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))

    def extra_repr(self) -> str:
        """The settings shown when the module is printed."""
        return f"new={self.new}, stride={self.stride}"


def zero_padding(before: int, after: int, stride: int) -> nn.Module:
    """The identity, or zeros for new channels where the shape changes (He et al. 2016, option A)."""
    return nn.Identity() if stride == 1 and before == after else ZeroPadding(before, after, stride)


def projection(before: int, after: int, stride: int) -> nn.Module:
    """The identity, or a 1x1 convolution and batch norm where the shape changes (He et al. 2016, option B)."""
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut. [N, before, H, W] -> [N, width, ceil(H / stride), ceil(W / stride)].

    attention: what scales the branch before the sum, made for its channels.
    """

    expansion = 1

    def __init__(
        self,
        before: int,
        width: int,
        stride: int,
        drop_rate: float,
        attention: Callable[[int], nn.Module] = nn.Identity,
        shortcut: Shortcut = projection,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.attention = attention(width)
        self.downsample = shortcut(before, width * self.expansion, stride)
        self.drop = StochasticDepth(drop_rate)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm that ends the branch."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, width, H', W'], not negative."""
        branch = F.relu(self.bn1(self.conv1(x)), inplace=True)
        branch = self.attention(self.bn2(self.conv2(branch)))
        return F.relu(self.drop(branch) + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut; the 3x3 has the stride ("version 1.5", as torchvision has it).

    [N, before, H, W] -> [N, 4 * width, ceil(H / stride), ceil(W / stride)]. attention: as for BasicBlock.
    """

    expansion = 4

    def __init__(
        self,
        before: int,
        width: int,
        stride: int,
        drop_rate: float,
        attention: Callable[[int], nn.Module] = nn.Identity,
        shortcut: Shortcut = projection,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.attention = attention(width * self.expansion)
        self.downsample = shortcut(before, width * self.expansion, stride)
        self.drop = StochasticDepth(drop_rate)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The batch norm that ends the branch."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] -> [N, 4 * width, H', W'], not negative."""
        branch = F.relu(self.bn1(self.conv1(x)), inplace=True)
        branch = F.relu(self.bn2(self.conv2(branch)), inplace=True)
        branch = self.attention(self.bn3(self.conv3(branch)))
        return F.relu(self.drop(branch) + self.downsample(x), inplace=True)
