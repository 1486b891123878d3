"""Residual networks (He et al. 2016, Deep residual learning): table 1's for large images, section 4.2's for CIFAR.

State-dict names are torchvision's. Blocks are in `blocks`, attention in `attention`, pre-activation in `preact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError, suggestion
from sightlab.models.attention import attention as attention_called
from sightlab.models.head import Hidden
from sightlab.models.head import hidden as hidden_layers
from sightlab.models.regularise import depth_rates, head_dropout
from sightlab.models.residual_blocks import BasicBlock, Bottleneck, Shortcut, projection, zero_padding
from sightlab.models.stems import STEMS, Stem, choose_stem

WIDTHS = (64, 128, 256, 512)
CIFAR_WIDTHS = (16, 32, 64)
VECTOR = 8  # float32 values that processors of today handle at once: other widths would leave some idle
SHORTCUTS: dict[str, Shortcut] = {"a": zero_padding, "b": projection}
NO_HIDDEN = Hidden()
BlockType = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """A residual network. Images float [N, channels, H, W] -> logits float [N, classes].

    depths: blocks in each layer; widths: a layer's channels, times the block's expansion. Every layer but the first
    halves height and width. The stem has as many channels as widths[0]: `7x7` (stride 2, then a 3x3 max pool of
    stride 2) for large images, or `3x3` (stride 1, no pool) for small ones, on which the large stem would throw away
    15 of 16 positions before any layer. Global average pool, hidden layers if any, one linear layer.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        block: BlockType,
        depths: Sequence[int],
        stem: Stem,
        *,
        widths: Sequence[int] = WIDTHS,
        attention: str = "none",
        shortcut: Shortcut = projection,
        hidden: Hidden = NO_HIDDEN,
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv1 = stem.convolution(channels, widths[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = stem.pooling()
        self.depths = tuple(depths)
        make = partial(block, attention=attention_called(attention), shortcut=shortcut)
        rates = iter(depth_rates(stochastic_depth, sum(depths)))
        before = widths[0]
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), 1):
            layer = nn.Sequential()
            for place in range(depth):
                stride = 2 if number > 1 and place == 0 else 1
                layer.append(make(before, width, stride, next(rates)))
                before = width * block.expansion
            self.add_module(f"layer{number}", layer)
        self.hidden = hidden.layers(before)
        self.dropout = head_dropout(dropout)
        self.fc = nn.Linear(hidden.width(before), classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))
        for number in range(1, len(self.depths) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        features = self.hidden(F.adaptive_avg_pool2d(x, 1).flatten(1))
        logits: Tensor = self.fc(self.dropout(features))
        return logits


def start_weights(model: nn.Module) -> None:
    """Kaiming-normal convolutions (fan out; He et al. 2015, Delving deep, section 2.2), in place.

    Drawn from torch's global generator in the model's order; everything else stays as it is.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def zero_last_norms(model: nn.Module) -> None:
    """Each residual branch starts at zero, in place (Goyal et al. 2017, section 5.1)."""
    for module in model.modules():
        if isinstance(module, BasicBlock | Bottleneck):
            nn.init.zeros_(module.last_norm.weight)


def resnet(
    *,
    block: BlockType,
    depths: Sequence[int],
    channels: int,
    classes: int,
    height: int,
    width: int,
    stem: str = "auto",
    width_factor: float = 1.0,
    attention: str = "none",
    head: Sequence[int] | int = (),
    head_norm: bool = False,
    head_activation: str = "relu",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    zero_init_residual: bool = False,
) -> ResNet:
    """A ResNet with Kaiming-normal convolutions (fan out), drawn from torch's global generator.

    stem: auto, 3x3 or 7x7. width_factor: every channel count is multiplied by it, then rounded to a multiple of 8, at
    least 8. attention: none, se or cbam, at the end of every branch. head: sizes of hidden layers
    before the last linear layer, each with batch norm (head_norm) and an activation: relu, gelu or none.
    zero_init_residual: each branch starts at zero (Goyal et al. 2017, section 5.1).
    Raises ModelError for a value that is none of these, and a width_factor that is not in (0, 16].
    """
    if not 0 < width_factor <= 16:
        raise ModelError(f"option width_factor is {width_factor}; it must be above 0 and at most 16")
    model = ResNet(
        channels,
        classes,
        block,
        depths,
        STEMS[choose_stem(stem, height, width)],
        widths=[max(VECTOR, round(size * width_factor / VECTOR) * VECTOR) for size in WIDTHS],
        attention=attention,
        hidden=hidden_layers(head, head_norm, head_activation),
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )
    start_weights(model)
    if zero_init_residual:
        zero_last_norms(model)
    return model


def cifar_resnet(
    *,
    layers: int,
    channels: int,
    classes: int,
    shortcut: str = "a",
    attention: str = "none",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    zero_init_residual: bool = False,
) -> ResNet:
    """The ResNets for CIFAR-10 of He et al. 2016, section 4.2: 6n + 2 layers of 16, 32 and 64 channels.

    A 3x3 convolution, three layers of n basic blocks (32 x 32, 16 x 16 and 8 x 8 for images of 32 x 32), global
    average pool, one linear layer. layers: 6n + 2. shortcut: `a`, zeros for new channels, as the paper's
    experiment has it, or `b`, 1x1 convolutions with batch norm.

    >>> model = cifar_resnet(layers=20, channels=3, classes=10)
    >>> round(sum(p.numel() for p in model.parameters()) / 1e6, 2)
    0.27

    Raises ModelError for another shortcut.
    """
    if shortcut not in SHORTCUTS:
        raise ModelError(f"unknown shortcut '{shortcut}'; {suggestion(str(shortcut), SHORTCUTS)}")
    model = ResNet(
        channels,
        classes,
        BasicBlock,
        ((layers - 2) // 6,) * 3,
        STEMS["3x3"],
        widths=CIFAR_WIDTHS,
        attention=attention,
        shortcut=SHORTCUTS[shortcut],
        dropout=dropout,
        stochastic_depth=stochastic_depth,
    )
    start_weights(model)
    if zero_init_residual:
        zero_last_norms(model)
    return model
