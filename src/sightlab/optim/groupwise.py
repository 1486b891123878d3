"""Base class of sightlab's own optimizers: a step updates one parameter group after another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

Group = dict[str, Any]


class GroupwiseOptimizer(torch.optim.Optimizer):
    """An optimizer that updates a group's weights with operations on all of them at once (torch._foreach).

    The state of each weight is tensors and numbers; settings are plain values that JSON can store.
    Raises ValueError for a learning rate, a beta, an eps or a momentum out of range.
    """

    def __init__(self, params: ParamsT, **defaults: Any) -> None:
        super().__init__(params, defaults)
        for group in (defaults, *self.param_groups):
            check_ranges(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every weight that has a gradient. closure: recomputes the loss, which is then returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self.move(group, weights, [weight.grad for weight in weights])
        return loss

    @abstractmethod
    def move(self, group: Group, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Update these weights of the group and their state, in place. Gradients are not changed."""

    def kept(self, key: str, weights: list[Tensor]) -> list[Tensor]:
        """The state of this name of each weight, zeros in the weight's shape and memory format at first."""
        states = [self.state[weight] for weight in weights]
        for weight, state in zip(weights, states, strict=True):
            if key not in state:
                state[key] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        return [state[key] for state in states]


def check_ranges(group: Group) -> None:
    """Raises ValueError, in torch's words, for a setting out of range."""
    if not group["lr"] >= 0:
        raise ValueError(f"Invalid learning rate: {group['lr']}")
    for place, beta in enumerate(group.get("betas", ())):
        if not 0 <= beta < 1:
            raise ValueError(f"Invalid beta parameter at index {place}: {beta}")
    if not group.get("eps", 0) >= 0:
        raise ValueError(f"Invalid epsilon value: {group['eps']}")
    if not 0 <= group.get("momentum", 0) < 1:
        raise ValueError(f"Invalid momentum value: {group['momentum']}")
