"""Regularisation inside a network: stochastic depth, and dropout before the last layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightlab.errors import ModelError


class StochasticDepth(nn.Module):
    """Stochastic depth: zeroes a residual branch for some rows of a batch and scales the others to keep the mean.

    Each row is dropped on its own with probability `rate` in [0, 1), and otherwise divided by 1 - rate; in eval mode
    the branch passes unchanged. Huang et al. 2016, Deep networks with stochastic depth, section 3.

    branch: float [N, ...] -> the same shape. Draws from torch's global generator, as dropout does.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """branch [N, ...] with some rows zeroed while training; unchanged in eval mode."""
        if not self.training or self.rate == 0:
            return branch
        keep = 1 - self.rate
        rows = torch.empty((len(branch), *[1] * (branch.ndim - 1)), dtype=branch.dtype, device=branch.device)
        return branch * rows.bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """What a printout of the model shows between the brackets."""
        return f"rate={self.rate:.3g}"


def depth_rates(last: float, blocks: int) -> list[float]:
    """The drop rate of each residual block, rising linearly to `last` at the last block.

    The linear decay rule of Huang et al. 2016, equation 4: block l of L is dropped with probability last * l / L.

    >>> depth_rates(0.5, 4)
    [0.125, 0.25, 0.375, 0.5]

    Raises ModelError when last is not in [0, 1).
    """
    checked = share("stochastic_depth", last)
    return [checked * place / blocks for place in range(1, blocks + 1)]


def head_dropout(rate: float) -> nn.Dropout:
    """The dropout before a network's last linear layer. Raises ModelError when rate is not in [0, 1)."""
    return nn.Dropout(share("dropout", rate))


def share(name: str, value: float) -> float:
    """The value, when it is in [0, 1); else ModelError names the option."""
    if not 0 <= value < 1:
        raise ModelError(f"option {name} is {value}; it must be at least 0 and below 1")
    return value
