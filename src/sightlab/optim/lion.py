"""Lion: steps of equal size in the direction of the momentum's sign."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from sightlab.optim.groupwise import Group, GroupwiseOptimizer


class Lion(GroupwiseOptimizer):
    """w = w - lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * w), then m = beta2 * m + (1 - beta2) * g.

    Chen et al. 2023, Symbolic discovery of optimization algorithms, algorithm 2. Every weight moves by lr, so lr is
    3 to 10 times smaller than for AdamW and weight_decay as many times larger (section 5 there).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay)

    def move(self, group: Group, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """One step of these weights."""
        beta1, beta2 = group["betas"]
        momenta = self.kept("exp_avg", weights)
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        directions = torch._foreach_mul(momenta, beta1)
        torch._foreach_add_(directions, gradients, alpha=1 - beta1)
        torch._foreach_sign_(directions)
        torch._foreach_add_(weights, directions, alpha=-group["lr"])
        torch._foreach_mul_(momenta, beta2)
        torch._foreach_add_(momenta, gradients, alpha=1 - beta2)
