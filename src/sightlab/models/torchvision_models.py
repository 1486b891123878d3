"""torchvision's DenseNet, MobileNetV3, EfficientNet and VGG, fitted to the data's channels and to small images.

torchvision is imported when one of them is built: it takes half a second that no other network needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sightlab.errors import ModelError, suggestion
from sightlab.models.head import DropoutLinear
from sightlab.models.regularise import StochasticDepth, depth_rates, share
from sightlab.models.stems import STEMS, choose_stem, is_small

Say = Callable[[str], None]
FORMS = ("auto", "small", "published")
VGG_FEATURES = 512
# MobileNetV3's own 0.01 needs some 500 steps before the running statistics, used in evaluation, are worth anything.
NORM_MOMENTUM = 0.1


def densenet121(
    *, channels: int, classes: int, height: int, width: int, stem: str = "auto", dropout: float = 0.0
) -> nn.Module:
    """DenseNet-121 (Huang et al. 2017, table 1), torchvision's. Float [N, channels, H, W] -> logits [N, classes].

    stem: 7x7 with pool, as published, or 3x3 without; dropout: before the last layer.
    """
    from torchvision.models import densenet121 as theirs

    chosen = STEMS[choose_stem(stem, height, width)]
    model: Any = theirs(weights=None, num_classes=classes)
    model.features.conv0 = chosen.convolution(channels, model.features.conv0.out_channels)
    nn.init.kaiming_normal_(model.features.conv0.weight)
    model.features.pool0 = chosen.pooling()
    model.classifier = DropoutLinear(model.classifier.in_features, classes, dropout)
    nn.init.zeros_(model.classifier.bias)
    checked: nn.Module = model
    return checked


def mobilenet_v3(
    *,
    variant: str,
    channels: int,
    classes: int,
    height: int,
    width: int,
    say: Say,
    form: str = "auto",
    dropout: float = 0.0,
) -> nn.Module:
    """MobileNetV3 (Howard et al. 2019, tables 1 and 2), torchvision's. variant: small or large.

    Float [N, channels, H, W] -> logits [N, classes]. form: published; small, with stride 1 where the first two
    strides of 2 are; or auto, by the size of the images.
    """
    import torchvision.models as theirs

    builders = {"small": theirs.mobilenet_v3_small, "large": theirs.mobilenet_v3_large}
    model: nn.Module = builders[variant](weights=None, num_classes=classes, dropout=share("dropout", dropout))
    fit(model, f"mobilenet-v3-{variant}", channels, form, (height, width), say)
    return model


def efficientnet_b0(
    *,
    channels: int,
    classes: int,
    height: int,
    width: int,
    say: Say,
    form: str = "auto",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> nn.Module:
    """EfficientNet-B0 (Tan and Le 2019, table 1), torchvision's. Float [N, channels, H, W] -> logits [N, classes].

    form: as for mobilenet_v3. stochastic_depth: rises linearly over the blocks that have a shortcut.
    """
    from torchvision.models import efficientnet_b0 as theirs
    from torchvision.models.efficientnet import MBConv

    model: nn.Module = theirs(weights=None, num_classes=classes, dropout=share("dropout", dropout))
    blocks = [module for module in model.modules() if isinstance(module, MBConv) and module.use_res_connect]
    for block, rate in zip(blocks, depth_rates(stochastic_depth, len(blocks)), strict=True):
        block.stochastic_depth = StochasticDepth(rate)
    fit(model, "efficientnet-b0", channels, form, (height, width), say)
    return model


def fit(model: nn.Module, name: str, channels: int, form: str, size: tuple[int, int], say: Say) -> None:
    """Replace a mobile network's first convolution by one for so many channels, in place; stride 1 in a small form.

    A small form's batch norms move their running statistics by a tenth a step, as all other networks here do.
    """
    small = is_small_form(name, form, size)
    strided = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
    if small:
        for convolution in strided[:2]:
            convolution.stride = (1, 1)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = NORM_MOMENTUM
    if form == "auto" and small:
        say(
            f"{name}: the first two strides are 1 instead of 2 for {size[0]} x {size[1]} images; "
            "options.form=published overrides"
        )
    stem: Any = model.get_submodule("features.0")
    if stem[0].in_channels != channels:
        stem[0] = with_channels(stem[0], channels)


def is_small_form(name: str, form: str, size: tuple[int, int]) -> bool:
    """Whether a model is built in its form for small images. Raises ModelError for an unknown form."""
    if form not in FORMS:
        raise ModelError(f"unknown form '{form}' of model {name}; {suggestion(str(form), FORMS)}")
    return form == "small" or (form == "auto" and is_small(*size))


def with_channels(convolution: nn.Conv2d, channels: int) -> nn.Conv2d:
    """A convolution of the same shape for another number of input channels, Kaiming-normal (fan out), biases zero."""
    shape: Any = {key: getattr(convolution, key) for key in ("kernel_size", "stride", "padding")}
    fresh = nn.Conv2d(channels, convolution.out_channels, bias=convolution.bias is not None, **shape)
    nn.init.kaiming_normal_(fresh.weight, mode="fan_out", nonlinearity="relu")
    if fresh.bias is not None:
        nn.init.zeros_(fresh.bias)
    return fresh


class SmallVGG(nn.Module):
    """VGG's convolutions, global average pool and one linear layer, for small images.

    Float [N, channels, H, W] -> logits float [N, classes]. features: torchvision's, with their names.
    """

    def __init__(self, features: nn.Module, classes: int, dropout: float) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = DropoutLinear(VGG_FEATURES, classes, dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, channels, H, W] -> logits [N, classes]."""
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def vgg(
    *,
    layers: int,
    channels: int,
    classes: int,
    height: int,
    width: int,
    say: Say,
    form: str = "auto",
    dropout: float = 0.0,
) -> nn.Module:
    """VGG with batch norm (Simonyan and Zisserman 2015, table 1), torchvision's. layers: 11 or 16.

    Float [N, channels, H, W] -> logits [N, classes]. form: published, with two hidden layers of 4096; small, without
    them and without the pools that would leave a single place; or auto, by the size of the images.
    """
    import torchvision.models as theirs
    from torchvision.models.vgg import cfgs, make_layers

    name = f"vgg{layers}-bn"
    if not is_small_form(name, form, (height, width)):
        builders = {11: theirs.vgg11_bn, 16: theirs.vgg16_bn}
        model: Any = builders[layers](weights=None, num_classes=classes, dropout=share("dropout", dropout))
        if channels != model.features[0].in_channels:
            model.features[0] = with_channels(model.features[0], channels)
        published: nn.Module = model
        return published
    features = make_layers(cfgs[{11: "A", 16: "D"}[layers]], batch_norm=True)
    side = min(height, width)
    for place, module in enumerate(features):
        if isinstance(module, nn.Conv2d):
            features[place] = with_channels(module, channels if place == 0 else module.in_channels)
        elif isinstance(module, nn.MaxPool2d):
            if side < 4:  # it would leave a single place, of which batch norm has no statistics
                features[place] = nn.Identity()
            else:
                side //= 2
    if form == "auto":
        say(
            f"{name}: one linear layer instead of three for {height} x {width} images; options.form=published overrides"
        )
    return SmallVGG(features, classes, dropout)
