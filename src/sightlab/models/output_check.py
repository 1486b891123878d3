"""The check of a model that was just built: do images of this size give one logit for each class?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightlab.errors import ModelError, one_line


def check_output(model: nn.Module, channels: int, classes: int, height: int, width: int, name: str = "") -> None:
    """Raises ModelError unless float32 zeros [2, channels, height, width] give float logits [2, classes].

    One forward pass in eval mode without gradients, so that batch-norm statistics stay; every module keeps its mode.
    name: what the message calls the model; by default its class.
    """
    shown = f"model {name or type(model).__name__}"
    size = f"{channels} x {height} x {width} images"
    modes = {module: module.training for module in model.modules()}
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.eval()
    try:
        with torch.no_grad():
            logits = model(torch.zeros(2, channels, height, width, device=device))
    except ModelError:
        raise
    except Exception as error:  # a model may raise anything on images it does not take
        raise ModelError(f"{shown} does not work on {size}: {type(error).__name__}: {one_line(error)}") from error
    finally:
        for module, training in modes.items():
            module.training = training
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"{shown} gives a value of type {type(logits).__name__}, not a tensor of logits [N, {classes}]"
        )
    if tuple(logits.shape) != (2, classes) or not logits.is_floating_point():
        raise ModelError(
            f"{shown} gives {str(logits.dtype).removeprefix('torch.')} {list(logits.shape)} for 2 {size}; "
            f"it must give float [2, {classes}]"
        )
