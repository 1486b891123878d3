"""Models: the table of those that ship, timm's by the prefix `timm/`, the user's own by `file.py:Name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from torch import nn

from sightlab.errors import ModelError
from sightlab.models.builder import call_builder
from sightlab.models.freezing import freeze_parts
from sightlab.models.load_weights import load_weights
from sightlab.models.names import check_name
from sightlab.models.output_check import check_output
from sightlab.models.pretrained import load_published
from sightlab.models.registry import MODELS
from sightlab.models.stems import stem_choice
from sightlab.models.timm_models import PREFIX, timm_model
from sightlab.models.user_models import user_model

__all__ = [
    "MODELS",
    "build",
    "check_name",
    "check_output",
    "freeze_parts",
    "load_weights",
    "parameter_count",
]

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
    class_names: Sequence[str] = (),
    options: Mapping[str, object] = NO_OPTIONS,
    say: Callable[[str], None] = silent,
) -> nn.Module:
    """The network called `name` for images [N, channels, height, width] of so many classes, on the CPU, float32.

    name: a key of MODELS, `timm/NAME`, `path/to/file.py:ClassOrFunction`, or what an installed package registers.
    stem: auto, 3x3 or 7x7, for models that have the choice. pretrained: start from the published weights; weights:
    start from a file. class_names: of the data; the head of a bundle with others is not taken. options: what the model
    itself takes. say: told, a line each, what was chosen or left out. First weights are drawn from torch's global
    generator.

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
        load_weights(model, weights, say, class_names)
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
    known = MODELS.get(name)
    if stem != "auto" and not (known and known.has_stem):
        with_stem = ", ".join(each for each, model in MODELS.items() if model.has_stem)
        raise ModelError(f"model {name} has no choice of stem; stem={stem} works for {with_stem}")
    if name.startswith(PREFIX):
        return timm_model(name, **given, pretrained=pretrained, options=options, say=say)
    check_name(name)
    if name not in MODELS:
        return user_model(name, given, options, say)
    chosen = MODELS[name]
    values: dict[str, object] = {**given, "say": say}
    if chosen.has_stem:
        values["stem"] = stem
        if stem == "auto":
            say(stem_choice(name, given["height"], given["width"]))
    model: nn.Module = call_builder(chosen.make, name, values, options)
    return model


def parameter_count(model: nn.Module) -> int:
    """How many numbers a model learns: the sizes of its parameters, added up; batch-norm statistics are not among them.

    >>> parameter_count(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in model.parameters())
