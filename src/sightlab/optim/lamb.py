"""LAMB: Adam's direction, scaled layer by layer by the norm of the weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from sightlab.optim.groupwise import Group, GroupwiseOptimizer


class Lamb(GroupwiseOptimizer):
    """w = w - lr * |w| / |u| * u with u = m' / (sqrt(v') + eps) + weight_decay * w, m' and v' Adam's unbiased moments.

    You et al. 2020, Large batch optimization for deep learning, algorithm 2, with the identity for phi. The ratio
    is 1 where a norm is 0, and in groups that say `spared`: True: a bias that starts at 0 would hardly leave it.
    There is no clipping inside: clip_norm does that.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, spared=False)

    def move(self, group: Group, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """One step of these weights."""
        beta1, beta2 = group["betas"]
        first, second = self.kept("exp_avg", weights), self.kept("exp_avg_sq", weights)
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        steps = self.counted(weights)
        roots = torch._foreach_sqrt(second)
        torch._foreach_div_(roots, [(1 - beta2**step) ** 0.5 for step in steps])
        torch._foreach_add_(roots, group["eps"])
        moves = list(torch._foreach_div(first, [1 - beta1**step for step in steps]))
        torch._foreach_div_(moves, roots)
        if group["weight_decay"] != 0:
            torch._foreach_add_(moves, weights, alpha=group["weight_decay"])
        if not group["spared"]:
            torch._foreach_mul_(moves, trust_ratios(weights, moves))
        torch._foreach_add_(weights, moves, alpha=-group["lr"])

    def counted(self, weights: list[Tensor]) -> list[int]:
        """The number of steps of each weight, including this one."""
        for weight in weights:
            self.state[weight]["step"] = self.state[weight].get("step", 0) + 1
        return [self.state[weight]["step"] for weight in weights]


def trust_ratios(weights: list[Tensor], moves: list[Tensor]) -> list[Tensor]:
    """|weight| / |move| of each pair as tensors without dimensions, 1 where either norm is 0."""
    norms = zip(torch._foreach_norm(weights), torch._foreach_norm(moves), strict=True)
    return [torch.where((weight > 0) & (move > 0), weight / move, 1.0) for weight, move in norms]
