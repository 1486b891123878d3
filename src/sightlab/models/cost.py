"""The cost of a network: parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from sightlab.errors import ModelError
from sightlab.models import parameter_count, silent, untrained


@dataclass(frozen=True)
class Cost:
    """The cost of a model of the table for images of one shape.

    parameters: how many are trained. macs: multiply-adds of one image's forward pass, None where they were not
    counted. refused: why it does not take such images, empty if it does; both numbers are None then.
    """

    parameters: int | None
    macs: int | None
    refused: str = ""


FILLS = (
    *(torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.fill_, torch.Tensor.zero_),
    *(nn.init.kaiming_normal_, nn.init.kaiming_uniform_),
)


class NoFirstWeights(TorchFunctionMode):
    """Draws no first weights, of which nothing is seen on the meta device: they take half of the time to build."""

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple[Any, ...] = (), keywords: Mapping[str, Any] | None = None
    ) -> Any:
        given = keywords or {}
        if function in FILLS:
            return args[0] if args else given["tensor"]
        return function(*args, **given)


def cost_of(
    name: str, *, channels: int, classes: int, height: int, width: int, count: Callable[..., int | None]
) -> Cost:
    """The cost of a model of the table for such images; no memory is allocated for its weights.

    count: `forward_flops`, or `uncounted` to save the forward pass where multiply-adds are not needed.

    >>> cost_of("lenet", channels=1, classes=10, height=28, width=28, count=forward_flops)
    Cost(parameters=61706, macs=416520, refused='')
    """
    shape = {"channels": channels, "classes": classes, "height": height, "width": width}
    try:
        with torch.device("meta"), NoFirstWeights():
            net = untrained(name, shape, "auto", {}, silent, pretrained=False)
            flops = count(net, channels, height, width)
    except ModelError as error:
        return Cost(None, None, str(error))
    return Cost(parameter_count(net), flops // 2 if flops is not None else None)


def uncounted(_net: nn.Module, _channels: int, _height: int, _width: int) -> None:
    """Counts nothing."""


def forward_flops(net: nn.Module, channels: int, height: int, width: int) -> int | None:
    """Floating-point operations of one image's forward pass: its convolutions and matrix products, a multiply-add as 2.

    Normalisation, activations and pooling are left out, as in published tables. Counted by torch's own counter on an
    image of zeros; the network keeps its mode. None for a network that the counter cannot run.
    """
    # Loads torch's compiler, as the first step of an optimizer does anyway.
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    first = next(net.parameters(), None)
    image = torch.zeros(1, channels, height, width, device=first.device if first is not None else None)
    was_training, fast = net.training, torch.backends.mha.get_fastpath_enabled()
    net.eval()
    # Fused attention hides its matrix products from the counter, in torch's encoder layers and in its kernels.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        plain = sdpa_kernel(SDPBackend.MATH)
        with torch.inference_mode(), plain, FlopCounterMode(display=False) as counter:
            net(image)
    except (RuntimeError, NotImplementedError, TypeError):
        return None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        net.train(was_training)
    return int(counter.get_total_flops())
