"""The table of models that ship: how each is built, its family and its purpose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from sightlab.models.alexnet import WIDTHS as ALEXNET_WIDTHS
from sightlab.models.alexnet import alexnet, small_alexnet
from sightlab.models.builder import option_names
from sightlab.models.cnn import cnn
from sightlab.models.compact import compact_resnet
from sightlab.models.lenet import lenet
from sightlab.models.mini_resnet import mini_resnet
from sightlab.models.preact import preact_resnet
from sightlab.models.residual_blocks import BasicBlock, Bottleneck
from sightlab.models.resnet import cifar_resnet, resnet
from sightlab.models.study_networks import (
    STUDY1_ALEXNET_WIDTHS,
    study1_mini_resnet,
    study1_resnet18,
    study2_resnet20,
    study3_resnet34,
    study4_resnet18_cut,
)
from sightlab.models.torchvision_models import densenet121, efficientnet_b0, mobilenet_v3, vgg
from sightlab.models.unet import unet
from sightlab.models.vit import vit


@dataclass(frozen=True)
class Architecture:
    """A network of the table.

    make: builds it. purpose: one line. published: torchvision's name of its weights, empty where there are none.
    """

    make: Callable[..., nn.Module]
    family: str
    purpose: str
    published: str = ""

    @property
    def options(self) -> list[str]:
        """The names of the options it takes.

        >>> MODELS["cnn"].options
        ['dropout']
        """
        return option_names(self.make)

    @property
    def has_stem(self) -> bool:
        """Whether there is a choice of stem.

        >>> MODELS["resnet18"].has_stem, MODELS["cnn"].has_stem
        (True, False)
        """
        return "stem" in inspect.signature(self.make).parameters


basic = partial(resnet, block=BasicBlock)
deep = partial(resnet, block=Bottleneck)
senet = partial(deep, attention="se")
preact = partial(preact_resnet, expansion=1)

MODELS: dict[str, Architecture] = {
    "cnn": Architecture(cnn, "CNN", "two convolutions, three linear layers: the first thing to try"),
    "lenet": Architecture(lenet, "CNN", "the first convolutional network, for digits; LeCun et al. 1998"),
    "alexnet": Architecture(
        partial(alexnet, widths=ALEXNET_WIDTHS), "CNN", "the network of 2012, for images of 227 x 227; one tower"
    ),
    "alexnet-small": Architecture(small_alexnet, "CNN", "AlexNet's layers for images from 8 x 8"),
    "vgg11-bn": Architecture(partial(vgg, layers=11), "VGG", "eight plain 3x3 convolutions in a row", "vgg11_bn"),
    "vgg16-bn": Architecture(
        partial(vgg, layers=16), "VGG", "thirteen plain 3x3 convolutions: large, slow", "vgg16_bn"
    ),
    "compact-resnet": Architecture(compact_resnet, "ResNet", "shaped for accuracy a second on CPUs, small images"),
    "mini-resnet-v1": Architecture(partial(mini_resnet, layers=(32,)), "MiniResNet", "study 1 repaired, one layer"),
    "mini-resnet-v2": Architecture(partial(mini_resnet, layers=(32, 32)), "MiniResNet", "study 1 repaired, two layers"),
    "mini-resnet-v3": Architecture(
        partial(mini_resnet, layers=(32, 32, 64)), "MiniResNet", "study 1 repaired, three layers"
    ),
    "mini-resnet-v4": Architecture(
        partial(mini_resnet, layers=(32, 32, 64, 64)), "MiniResNet", "study 1's choice, repaired: 28 x 28 characters"
    ),
    "mini-resnet-v5": Architecture(
        partial(mini_resnet, layers=(32, 32, 64, 64, 128)), "MiniResNet", "study 1 repaired, five layers"
    ),
    "mini-resnet-v6": Architecture(
        partial(mini_resnet, layers=(32, 32, 64, 64, 128, 128)), "MiniResNet", "study 1 repaired, six layers"
    ),
    "resnet18": Architecture(
        partial(basic, depths=(2, 2, 2, 2)), "ResNet", "the baseline; start from its published weights", "resnet18"
    ),
    "resnet34": Architecture(
        partial(basic, depths=(3, 4, 6, 3)), "ResNet", "twice resnet18, where there is enough data", "resnet34"
    ),
    "resnet50": Architecture(
        partial(deep, depths=(3, 4, 6, 3)), "ResNet", "the standard of published comparisons", "resnet50"
    ),
    "resnet101": Architecture(partial(deep, depths=(3, 4, 23, 3)), "ResNet", "for GPUs and much data", "resnet101"),
    "resnet152": Architecture(partial(deep, depths=(3, 8, 36, 3)), "ResNet", "the deepest of 2015", "resnet152"),
    "seresnet50": Architecture(
        partial(senet, depths=(3, 4, 6, 3)), "ResNet", "resnet50 that weighs its channels; Hu et al. 2018"
    ),
    "seresnet101": Architecture(partial(senet, depths=(3, 4, 23, 3)), "ResNet", "resnet101 that weighs its channels"),
    "preact-resnet18": Architecture(
        partial(preact, depths=(2, 2, 2, 2)), "ResNet", "batch norm and ReLU before convolutions; He et al. 2016b"
    ),
    "preact-resnet34": Architecture(partial(preact, depths=(3, 4, 6, 3)), "ResNet", "the same, 34 layers"),
    "preact-resnet50": Architecture(
        partial(preact_resnet, expansion=4, depths=(3, 4, 6, 3)), "ResNet", "the same with bottlenecks, 50 layers"
    ),
    "cifar-resnet20": Architecture(
        partial(cifar_resnet, layers=20), "ResNet", "0.27 million weights, for 32 x 32; He et al. 2016, section 4.2"
    ),
    "cifar-resnet32": Architecture(partial(cifar_resnet, layers=32), "ResNet", "the same, 32 layers"),
    "cifar-resnet44": Architecture(partial(cifar_resnet, layers=44), "ResNet", "the same, 44 layers"),
    "cifar-resnet56": Architecture(partial(cifar_resnet, layers=56), "ResNet", "the same, 56 layers"),
    "cifar-resnet110": Architecture(partial(cifar_resnet, layers=110), "ResNet", "the same, 110 layers"),
    "densenet121": Architecture(
        densenet121, "DenseNet", "each layer sees all before it: few weights, slow", "densenet121"
    ),
    "mobilenet-v3-small": Architecture(
        partial(mobilenet_v3, variant="small"), "MobileNet", "for phones, smallest cost", "mobilenet_v3_small"
    ),
    "mobilenet-v3-large": Architecture(
        partial(mobilenet_v3, variant="large"), "MobileNet", "for phones, more accurate", "mobilenet_v3_large"
    ),
    "efficientnet-b0": Architecture(
        efficientnet_b0, "EfficientNet", "little cost for its accuracy on large images", "efficientnet_b0"
    ),
    "vit-tiny": Architecture(partial(vit, size="tiny"), "ViT", "a vision transformer to learn with"),
    "vit-small": Architecture(partial(vit, size="small"), "ViT", "a vision transformer as large as resnet50"),
    "vit-base": Architecture(partial(vit, size="base"), "ViT", "the vision transformer of 2021", "vit_b_16"),
    "unet": Architecture(unet, "U-Net", "encoder and decoder with skips, pooled to a classifier"),
    "study1-alexnet": Architecture(
        partial(alexnet, widths=STUDY1_ALEXNET_WIDTHS), "as published", "study 1's table of AlexNet: 384 in conv5 too"
    ),
    "study1-resnet18": Architecture(
        study1_resnet18, "as published", "study 1: biases everywhere, skips without batch norm"
    ),
    "study1-mini-resnet-v1-relu": Architecture(
        partial(study1_mini_resnet, layers=(32,)), "as published", "study 1: ReLU after the last layer, outputs die"
    ),
    "study1-mini-resnet-v2-relu": Architecture(
        partial(study1_mini_resnet, layers=(32, 32)), "as published", "the same, two layers"
    ),
    "study1-mini-resnet-v3-relu": Architecture(
        partial(study1_mini_resnet, layers=(32, 32, 64)), "as published", "the same, three layers"
    ),
    "study1-mini-resnet-v4-relu": Architecture(
        partial(study1_mini_resnet, layers=(32, 32, 64, 64)),
        "as published",
        "the same, four layers: the study's choice",
    ),
    "study1-mini-resnet-v5-relu": Architecture(
        partial(study1_mini_resnet, layers=(32, 32, 64, 64, 128)), "as published", "the same, five layers"
    ),
    "study1-mini-resnet-v6-relu": Architecture(
        partial(study1_mini_resnet, layers=(32, 32, 64, 64, 128, 128)), "as published", "the same, six layers"
    ),
    "study2-resnet20": Architecture(
        study2_resnet20, "as published", "study 2: layers shared, softmax and batch norm on the logits"
    ),
    "study3-resnet34": Architecture(study3_resnet34, "as published", "study 3: padding 5, two linear layers in a row"),
    "study4-resnet18-cut": Architecture(
        study4_resnet18_cut, "as published", "study 4: without layer3 and layer4, GELU in the head"
    ),
}
