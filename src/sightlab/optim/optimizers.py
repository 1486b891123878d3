"""Optimizers: which parameters decay, and torch's own update rules behind one table."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from sightlab.errors import RecipeError, suggestion

Groups = list[dict[str, Any]]

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


# foreach: the same arithmetic, bit for bit, as one parameter after another, with fewer calls. torch's fused kernels are
# faster still, by less than a hundredth of a training step, but on a CPU they walk a weight, its gradient and its state
# in memory order without comparing their strides: a state restored in another layout would be applied to wrong weights.
def sgd(groups: Groups, *, lr: float, momentum: float, nesterov: bool) -> torch.optim.Optimizer:
    """Stochastic gradient descent; v = momentum * v + g, w = w - lr * v, or w - lr * (g + momentum * v) with Nesterov.

    Sutskever et al. 2013, On the importance of initialization and momentum, section 2, in torch's form, in which lr
    scales the velocity as it is applied. Weight decay is added to the gradient.
    Raises RecipeError for Nesterov without momentum.
    """
    if nesterov and momentum <= 0:
        raise RecipeError(f"optimizer.nesterov needs a momentum above 0, found momentum {momentum:g}")
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, foreach=True)


def adam(groups: Groups, *, lr: float, betas: tuple[float, float], eps: float) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015, algorithm 1). Weight decay is added to the gradient."""
    return torch.optim.Adam(groups, lr=lr, betas=betas, eps=eps, foreach=True)


def adamw(groups: Groups, *, lr: float, betas: tuple[float, float], eps: float) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay, w = w - lr * weight_decay * w (Loshchilov and Hutter 2019, algorithm 2)."""
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, foreach=True)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": adam,
    "adamw": adamw,
    "sgd": sgd,
}


def build_optimizer(
    model: nn.Module,
    name: str,
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay_norms_and_biases: bool = False,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> torch.optim.Optimizer:
    """The optimizer called `name` over the model's parameters that take gradients.

    It reads those of the settings that it has: momentum and nesterov for sgd, betas and eps for adam and adamw.
    Raises RecipeError for an unknown name, a setting out of range, or a model without parameters to train.

    >>> optimizer = build_optimizer(nn.Linear(3, 2), "sgd", lr=0.1, weight_decay=0.01)
    >>> [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups]
    [(0.01, 1), (0.0, 1)]
    """
    if name not in OPTIMIZERS:
        raise RecipeError(f"unknown optimizer '{name}'; {suggestion(name, OPTIMIZERS)}")
    if not 0 <= weight_decay < math.inf:
        # torch does not look at what stands in a group.
        raise RecipeError(f"optimizer.weight_decay is {weight_decay:g}; it must be a number from 0")
    groups = parameter_groups(model, weight_decay, decay_norms_and_biases=decay_norms_and_biases)
    if not groups:
        raise RecipeError(
            f"model {type(model).__name__} has no parameter that takes a gradient; there is nothing to train"
        )
    settings = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "betas": betas, "eps": eps}
    make = OPTIMIZERS[name]
    read = inspect.signature(make).parameters
    try:
        return make(groups, **{key: value for key, value in settings.items() if key in read})
    except ValueError as error:  # torch's own check of ranges: "Invalid learning rate: -1.0"
        raise RecipeError(f"optimizer {name}: {error}") from error


def parameter_groups(model: nn.Module, weight_decay: float, *, decay_norms_and_biases: bool = False) -> Groups:
    """The parameters that take gradients, in the model's order, in one group that decays and one that does not.

    What normalisation layers own, biases, and whatever else has at most one dimension does not decay, unless
    decay_norms_and_biases: He et al. 2019, Bag of tricks, section 3.1. A group without parameters is left out.
    """
    spared = set() if decay_norms_and_biases else set(norms_and_biases(model))
    decaying = [p for p in model.parameters() if p.requires_grad and p not in spared]
    others = [p for p in model.parameters() if p.requires_grad and p in spared]
    groups = ((decaying, weight_decay), (others, 0.0))
    return [{"params": parameters, "weight_decay": decay} for parameters, decay in groups if parameters]


def norms_and_biases(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters of normalisation layers, those called bias, and those of at most one dimension."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, NORMS) or name == "bias" or parameter.ndim <= 1:
                yield parameter
