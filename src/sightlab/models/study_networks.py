"""Networks of four student studies as they published them, mistakes and all, so that the mistakes can be shown.

The same networks without the mistakes: `mini-resnet-v1` to `v6` and `resnet18` for study 1 (KMNIST), `cifar-resnet20`
for study 2 (Fashion-MNIST), `resnet34` for study 3 (CIFAR-10), `resnet18` for study 4 (MNIST-M).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.models.head import Hidden
from sightlab.models.mini_resnet import MiniResNet
from sightlab.models.regularise import head_dropout
from sightlab.models.residual_blocks import BasicBlock
from sightlab.models.resnet import WIDTHS, ResNet, start_weights
from sightlab.models.stems import STEMS, Stem

# Study 1's table gives 384 channels to all of conv3, conv4 and conv5; the paper's conv5 has 256.
STUDY1_ALEXNET_WIDTHS = (96, 256, 384, 384, 384)
SHARED_WIDTHS = (16, 32, 64)
BLOCKS_A_STAGE = 3


def study1_resnet18(*, channels: int, classes: int, dropout: float = 0.0, stochastic_depth: float = 0.0) -> MiniResNet:
    """Study 1's ResNet-18: every convolution has a bias, the skip that changes shape is a 1x1/2 convolution alone.

    7x7/2 stem, 3x3/2 max pool with padding 1, two blocks of 64, 128, 256 and 512 channels, average pool, linear.
    Weights start from torch's defaults.

    >>> study1_resnet18(channels=1, classes=10).linear
    Linear(in_features=512, out_features=10, bias=True)
    """
    return MiniResNet(channels, classes, WIDTHS, dropout, stochastic_depth, stem=WIDTHS[0], pool_stride=2)


def study1_mini_resnet(
    *, channels: int, classes: int, layers: Sequence[int], dropout: float = 0.0, stochastic_depth: float = 0.0
) -> MiniResNet:
    """Study 1's MiniResNet with the ReLU that it had after the last linear layer.

    Logits cannot be negative, and an output that is zero for every image gets no gradient and stays so.

    >>> study1_mini_resnet(channels=1, classes=10, layers=(32,)).last
    ReLU()
    """
    return MiniResNet(channels, classes, layers, dropout, stochastic_depth, last=nn.ReLU)


class SharedResNet20(nn.Module):
    """Study 2's "ResNet-20". Images float [N, channels, H, W] -> probabilities float [N, classes], as published.

    The study calls the same layers again and again: its 18 convolutions in blocks share the weights of five, and with
    the stem six convolutions are all it has. Its shortcut is no identity but another pass through the layer. Batch norm
    stands on the logits, and a softmax before the cross-entropy, which takes a softmax of its own.

    What is known of it is that much; channels and order follow He et al. 2016, section 4.2: a stem of 16, then three
    stages of three blocks with 16, 32 and 64 channels. A block is relu(layer(first(x)) + first(x)), where `layer` is
    the stage's one 3x3 convolution with batch norm, and `first` is `layer` too but in a stage's first block that halves
    the size: there it is the stage's own convolution of stride 2.
    """

    def __init__(self, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        first, second, third = SHARED_WIDTHS
        self.stem = conv_norm(channels, first, 1)
        self.stage1 = conv_norm(first, first, 1)
        self.halve2, self.stage2 = conv_norm(first, second, 2), conv_norm(second, second, 1)
        self.halve3, self.stage3 = conv_norm(second, third, 2), conv_norm(third, third, 1)
        self.dropout = head_dropout(dropout)
        self.linear = nn.Linear(third, classes)
        self.norm = nn.BatchNorm1d(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> probabilities [N, classes]."""
        x = F.relu(self.stem(images))
        for halve, layer in ((self.stage1, self.stage1), (self.halve2, self.stage2), (self.halve3, self.stage3)):
            for place in range(BLOCKS_A_STAGE):
                first = halve if place == 0 else layer
                x = F.relu(layer(F.relu(first(x))) + first(x))
        logits: Tensor = self.norm(self.linear(self.dropout(x.mean((2, 3)))))
        return logits.softmax(1)


def conv_norm(before: int, after: int, stride: int) -> nn.Sequential:
    """A 3x3 convolution with a bias, and batch norm. [N, before, H, W] -> [N, after, H', W']."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.BatchNorm2d(after))


def study2_resnet20(*, channels: int, classes: int, dropout: float = 0.0) -> SharedResNet20:
    """A SharedResNet20; weights start from torch's defaults.

    >>> model = study2_resnet20(channels=1, classes=10)
    >>> sum(isinstance(module, nn.Conv2d) for module in model.modules())
    6
    """
    return SharedResNet20(channels, classes, dropout)


def study3_resnet34(*, channels: int, classes: int, dropout: float = 0.0, stochastic_depth: float = 0.0) -> ResNet:
    """Study 3's ResNet-34: a 7x7/2 stem with padding 5, a 2x2/2 max pool, two linear layers with nothing between them.

    512 features -> 128 -> classes; two linear maps in a row are one, of rank 128. Made for images of 128 x 128. Weights
    start from torch's defaults.

    >>> study3_resnet34(channels=3, classes=10).fc
    Linear(in_features=128, out_features=10, bias=True)
    """
    return ResNet(
        channels,
        classes,
        BasicBlock,
        (3, 4, 6, 3),
        Stem(7, 2, 5, pool=(2, 2, 0)),
        hidden=Hidden((128,), activation="none"),
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )


def study4_resnet18_cut(*, channels: int, classes: int, dropout: float = 0.0, stochastic_depth: float = 0.0) -> ResNet:
    """Study 4's ResNet-18 without layer3 and layer4; 128 features -> 64, batch norm, GELU -> classes.

    7x7/2 stem with 3x3/2 max pool at any size of image: made for 64 x 64. Weights start as a ResNet's do.

    >>> study4_resnet18_cut(channels=3, classes=10).hidden[0]
    Linear(in_features=128, out_features=64, bias=True)
    """
    model = ResNet(
        channels,
        classes,
        BasicBlock,
        (2, 2),
        STEMS["7x7"],
        widths=WIDTHS[:2],
        hidden=Hidden((64,), norm=True, activation="gelu"),
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )
    start_weights(model)
    return model
