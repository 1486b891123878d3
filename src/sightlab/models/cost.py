"""What a network costs."""

from __future__ import annotations

import torch
from torch import nn


def forward_flops(net: nn.Module, channels: int, height: int, width: int) -> int | None:
    """Floating-point operations of one image's forward pass: its convolutions and matrix products, a multiply-add as 2.

    Normalisation, activations and pooling are left out, as in published tables. Counted by torch's own counter on an
    image of zeros; the network is left in the mode it came in. None for a network that cannot be counted so.
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
