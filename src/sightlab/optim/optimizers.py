"""Optimizers: torch's own update rules, and those torch has not, behind one table."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sightlab.errors import RecipeError, suggestion
from sightlab.optim.lamb import Lamb
from sightlab.optim.lion import Lion
from sightlab.optim.muon import Muon, by_rule
from sightlab.optim.param_groups import Groups, by_layer, hidden_matrices, parameter_groups


# foreach: the same arithmetic, bit for bit, as one parameter after another, with fewer calls. torch's fused kernels are
# faster still, by less than a hundredth of a training step, but on a CPU they walk a weight, its gradient and its state
# in memory order without comparing their strides: a state restored in another layout would be applied to wrong weights.
def sgd(groups: Groups, *, lr: float, momentum: float = 0.9, nesterov: bool = False) -> torch.optim.Optimizer:
    """Stochastic gradient descent; v = momentum * v + g, w = w - lr * v, or w - lr * (g + momentum * v) with Nesterov.

    Sutskever et al. 2013, On the importance of initialization and momentum, section 2, in torch's form, in which lr
    scales the velocity as it is applied. Weight decay is added to the gradient.
    Raises RecipeError for Nesterov without momentum.
    """
    if nesterov and momentum <= 0:
        raise RecipeError(f"optimizer.nesterov needs a momentum above 0, found momentum {momentum:g}")
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, foreach=True)


def adam(
    groups: Groups, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015, algorithm 1). Weight decay is added to the gradient."""
    return torch.optim.Adam(groups, lr=lr, betas=betas, eps=eps, foreach=True)


def adamw(
    groups: Groups, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay, w = w - lr * weight_decay * w (Loshchilov and Hutter 2019, algorithm 2)."""
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, foreach=True)


def lion(groups: Groups, *, lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> torch.optim.Optimizer:
    """Steps of size lr the way a momentum's sign points, weight decay decoupled (Chen et al. 2023, algorithm 2)."""
    return Lion(groups, lr=lr, betas=betas)


def lamb(
    groups: Groups, *, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-6
) -> torch.optim.Optimizer:
    """Adam's direction at a length in proportion to each layer's weights (You et al. 2020, algorithm 2).

    Norms and biases, where they are spared the decay, are spared the proportion too and move as with Adam.
    """
    return Lamb(groups, lr=lr, betas=betas, eps=eps)


def muon(
    groups: Groups,
    *,
    lr: float,
    hidden: Sequence[Tensor],
    momentum: float = 0.95,
    nesterov: bool = True,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-10,
    adamw_lr_factor: float = 1.0,
) -> torch.optim.Optimizer:
    """Momentum made orthogonal for hidden matrices (Jordan 2024), AdamW at lr * adamw_lr_factor for all else.

    hidden: the weights that are such matrices. Their steps are of AdamW's size: so are good values of lr and decay.
    """
    return Muon(by_rule(groups, hidden, adamw_lr_factor), lr, momentum, nesterov, betas, eps)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": adam,
    "adamw": adamw,
    "lamb": lamb,
    "lion": lion,
    "muon": muon,
    "sgd": sgd,
}


def build_optimizer(
    model: nn.Module,
    name: str,
    *,
    lr: float,
    momentum: float | None = None,
    nesterov: bool | None = None,
    weight_decay: float = 0.0,
    decay_norms_and_biases: bool = False,
    betas: tuple[float, float] | None = None,
    eps: float | None = None,
    bias_lr_factor: float = 1.0,
    adamw_lr_factor: float = 1.0,
    layer_lr_decay: float = 1.0,
) -> torch.optim.Optimizer:
    """The optimizer called `name` over the model's parameters that take gradients.

    It reads those of momentum, nesterov, betas, eps and adamw_lr_factor that its entry in OPTIMIZERS names; None is
    that entry's own default, which for betas and eps differs from one to the next. bias_lr_factor: biases of
    normalisation layers move at lr times this. adamw_lr_factor: what muon leaves to AdamW moves at lr times this.
    layer_lr_decay: each layer moves at the lr of the one behind it times this (see groups.by_layer).

    Each group has the lr it starts with; a schedule multiplies that by its factor.
    Raises RecipeError for an unknown name, a setting out of range, or a model without parameters to train.

    >>> optimizer = build_optimizer(nn.Linear(3, 2), "sgd", lr=0.1, weight_decay=0.01)
    >>> [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups]
    [(0.01, 1), (0.0, 1)]
    """
    if name not in OPTIMIZERS:
        raise RecipeError(f"unknown optimizer '{name}'; {suggestion(name, OPTIMIZERS)}")
    factors = {"bias_lr_factor": bias_lr_factor, "adamw_lr_factor": adamw_lr_factor, "layer_lr_decay": layer_lr_decay}
    check_ranges(weight_decay, **factors)
    groups = parameter_groups(
        model,
        lr=lr,
        weight_decay=weight_decay,
        decay_norms_and_biases=decay_norms_and_biases,
        bias_lr_factor=bias_lr_factor,
    )
    if not groups:
        raise RecipeError(
            f"model {type(model).__name__} has no parameter that takes a gradient; there is nothing to train"
        )
    if layer_lr_decay != 1:
        groups = by_layer(model, groups, layer_lr_decay)
    read = inspect.signature(OPTIMIZERS[name]).parameters
    given: dict[str, Any] = {
        "momentum": momentum,
        "nesterov": nesterov,
        "betas": betas,
        "eps": eps,
        "adamw_lr_factor": adamw_lr_factor,
    }
    settings = {key: value for key, value in given.items() if key in read and value is not None}
    if "hidden" in read:
        settings["hidden"] = hidden_matrices(model)
    try:
        return OPTIMIZERS[name](groups, lr=lr, **settings)
    except ValueError as error:  # torch's own check of ranges: "Invalid learning rate: -1.0"
        raise RecipeError(f"optimizer {name}: {error}") from error


def check_ranges(weight_decay: float, **factors: float) -> None:
    """Raises RecipeError for a negative weight decay, and naming the first factor that is not a number above 0."""
    # torch does not look at what stands in a group.
    if not 0 <= weight_decay < math.inf:
        raise RecipeError(f"optimizer.weight_decay is {weight_decay:g}; it must be a number from 0")
    for key, value in factors.items():
        if not 0 < value < math.inf:
            raise RecipeError(f"optimizer.{key} is {value:g}; it must be a number above 0")
