"""The networks: one readable table of ours, timm's by the prefix `timm/`, the user's own by `file.py:Name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from torch import nn

from sightlab.errors import ModelError
from sightlab.models.calling import call_builder
from sightlab.models.check import check_output
from sightlab.models.cnn import cnn
from sightlab.models.compact import compact_resnet
from sightlab.models.mini_resnet import mini_resnet
from sightlab.models.names import check_name
from sightlab.models.own_code import code_reference, own_model
from sightlab.models.pretrained import load_published
from sightlab.models.resnet import BasicBlock, Bottleneck, choose_stem, resnet
from sightlab.models.timm_models import PREFIX, timm_model
from sightlab.models.weights import load_weights

__all__ = ["MODELS", "build", "check_name", "check_output", "code_reference", "load_weights", "parameter_count"]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "cnn": cnn,
    "compact-resnet": compact_resnet,
    "mini-resnet-v1": partial(mini_resnet, layers=(32,)),
    "mini-resnet-v2": partial(mini_resnet, layers=(32, 32)),
    "mini-resnet-v3": partial(mini_resnet, layers=(32, 32, 64)),
    "mini-resnet-v4": partial(mini_resnet, layers=(32, 32, 64, 64)),
    "mini-resnet-v5": partial(mini_resnet, layers=(32, 32, 64, 64, 128)),
    "mini-resnet-v6": partial(mini_resnet, layers=(32, 32, 64, 64, 128, 128)),
    "resnet18": partial(resnet, block=BasicBlock, depths=(2, 2, 2, 2)),
    "resnet34": partial(resnet, block=BasicBlock, depths=(3, 4, 6, 3)),
    "resnet50": partial(resnet, block=Bottleneck, depths=(3, 4, 6, 3)),
}
WITH_STEM = ("resnet18", "resnet34", "resnet50")
NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


def silent(line: str) -> None:
    """Tells nobody."""


def build(
    name: str,
    *,
    channels: int,
    classes: int,
    height: int,
    width: int,
    stem: str = "auto",
    pretrained: bool = False,
    weights: Path | None = None,
    options: Mapping[str, object] = NO_OPTIONS,
    say: Callable[[str], None] = silent,
) -> nn.Module:
    """The network called `name` for images [N, channels, height, width] of so many classes, on the CPU, float32.

    name: a key of MODELS, `timm/NAME`, or `path/to/file.py:ClassOrFunction`. stem: auto, 3x3 or 7x7, for the ResNets.
    pretrained: start from the published weights; weights: start from a file. options: what the model itself takes.
    say: told, a line each, what was chosen or left out. First weights are drawn from torch's global generator.

    Raises ModelError for whatever of this cannot be had, and when the network does not give [N, classes] for such
    images.

    >>> parameter_count(build("mini-resnet-v4", channels=1, classes=10, height=28, width=28))
    356938
    """
    given = {"channels": channels, "classes": classes, "height": height, "width": width}
    for key, value in given.items():
        if value < 1:
            raise ModelError(f"{key} is {value}; a model needs at least 1")
    if pretrained and weights is not None:
        raise ModelError("pretrained and weights exclude each other; start from one of them")
    model = untrained(name, given, stem, options, say, pretrained=pretrained)
    check_output(model, channels, classes, height, width, name)
    if pretrained and not name.startswith(PREFIX):
        load_published(model, name, say)
    if weights is not None:
        load_weights(model, weights, say)
    return model


def untrained(
    name: str,
    given: Mapping[str, int],
    stem: str,
    options: Mapping[str, object],
    say: Callable[[str], None],
    *,
    pretrained: bool,
) -> nn.Module:
    """The network with its first weights; a timm model with its published ones where they are asked for."""
    if stem != "auto" and name not in WITH_STEM:
        raise ModelError(f"model {name} has no choice of stem; stem={stem} works for {', '.join(WITH_STEM)}")
    if name.startswith(PREFIX):
        return timm_model(name, **given, pretrained=pretrained, options=options, say=say)
    reference = code_reference(name)
    if reference is not None:
        return own_model(*reference, given, options, say)
    check_name(name)
    values: dict[str, object] = dict(given)
    if name in WITH_STEM:
        values["stem"] = stem
        if stem == "auto":
            say(stem_choice(name, given["height"], given["width"]))
    model: nn.Module = call_builder(MODELS[name], name, values, options)
    return model


def stem_choice(name: str, height: int, width: int) -> str:
    """The line that says which stem was chosen for images of this size.

    >>> stem_choice("resnet18", 32, 32)
    'resnet18: 3x3 stem without pooling for 32 x 32 images; stem=7x7 overrides'
    """
    stem = choose_stem("auto", height, width)
    pooling, other = ("without", "7x7") if stem == "3x3" else ("with", "3x3")
    return f"{name}: {stem} stem {pooling} pooling for {height} x {width} images; stem={other} overrides"


def parameter_count(model: nn.Module) -> int:
    """How many numbers a model learns: the sizes of its parameters, added up; batch-norm statistics are not among them.

    >>> parameter_count(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in model.parameters())
