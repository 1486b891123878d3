"""What a network knows of an image before its last layer names a class: its penultimate features."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.lens.anatomy import running
from sightlab.lens.answers import batches
from sightlab.lens.subject import Subject, Tick
from sightlab.lens.tracer import tensors_in, trace

WEIGHTED = ("linear", "convolution")


def feature_layer(subject: Subject) -> str:
    """The module whose input is a network's penultimate features: the last linear layer or convolution that runs.

    "" where the network gives features itself: its outputs are taken. Raises ModelError for a network that cannot be
    traced, and one whose last layer is a plain function.
    """
    if not subject.outputs:
        return ""
    height, width, channels = subject.images.shape
    layers = trace(subject.net, torch.zeros(1, channels, height, width, device=subject.device)).layers
    last = next((layer for layer in reversed(layers) if layer.kind in WEIGHTED), None)
    if last is None:
        raise ModelError("it has no linear layer or convolution, so no features before its last one")
    modules = dict(subject.net.named_modules())
    name = running(last, modules)
    if not name or not isinstance(modules[name], nn.Linear | nn.Conv2d):
        raise ModelError(
            f"its last layer, {last.name}, is a plain function, so its input cannot be read; nn.Linear works"
        )
    return name


def penultimate_features(subject: Subject, name: str, tick: Tick) -> NDArray[np.float32]:
    """The penultimate features of all images, float32 [N, D]; maps and tokens are averaged over their places.

    name: as `feature_layer` gives it.
    """
    kept: list[Tensor] = []
    parts: list[NDArray[np.float32]] = []
    with ExitStack() as stack, torch.inference_mode():
        if name:
            module = dict(subject.net.named_modules())[name]
            stack.callback(module.register_forward_pre_hook(keep_input(kept, module)).remove)
        for rows, batch, _labels in batches(subject.images, subject.device):
            kept.clear()
            outputs = subject.classifier(batch)
            parts.append((kept[-1] if name else averaged(outputs, channels_last=True)).cpu().numpy())
            tick(int(rows[-1]) + 1, len(subject.images))
    return np.concatenate(parts)


def keep_input(kept: list[Tensor], module: nn.Module) -> Callable[[nn.Module, object], None]:
    """A forward pre-hook that keeps a module's input, averaged over its places."""
    return lambda _module, inputs: kept.append(
        averaged(tensors_in([inputs])[0], channels_last=not isinstance(module, nn.Conv2d))
    )


def averaged(features: Tensor, *, channels_last: bool) -> Tensor:
    """float32 [N, D]: the mean over all axes but the first and that of the channels, the second or the last."""
    moved = features if channels_last else features.movedim(1, -1)
    return moved.float().flatten(1, -2).mean(1) if moved.ndim > 2 else moved.float()
