"""Optimizers: torch's own, those that torch does not have, and the user's, behind one table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sightlab.errors import RecipeError
from sightlab.optim.lamb import Lamb
from sightlab.optim.lion import Lion
from sightlab.optim.muon import Muon, by_rule
from sightlab.optim.param_groups import Groups, by_layer, hidden_matrices, parameter_groups
from sightlab.parts.call import call_part, part_name
from sightlab.parts.registry import resolve
from sightlab.recipes.part_groups import CustomOptimizer, OptimizerKeys


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


def lion(groups: Groups, *, lr: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    """Steps of size lr the way a momentum's sign points, weight decay decoupled (Chen et al. 2023, algorithm 2)."""
    return Lion(groups, lr=lr, betas=betas)


def lamb(groups: Groups, *, lr: float, betas: tuple[float, float], eps: float) -> torch.optim.Optimizer:
    """Adam's direction at a length in proportion to each layer's weights (You et al. 2020, algorithm 2).

    Norms and biases, where they are spared the decay, are spared the proportion too and move as with Adam.
    """
    return Lamb(groups, lr=lr, betas=betas, eps=eps)


def muon(
    groups: Groups,
    *,
    lr: float,
    hidden: Sequence[Tensor],
    momentum: float,
    nesterov: bool,
    betas: tuple[float, float],
    eps: float,
    adamw_lr_factor: float,
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


SHARED = set(OptimizerKeys.model_fields)


def build_optimizer(model: nn.Module, optimizer: OptimizerKeys, given: object = None) -> torch.optim.Optimizer:
    """The optimizer over the model's parameters that take gradients.

    given: from Python, a class or a function that stands for the recipe's, or an optimizer made over the model.
    Each group has the lr it starts with; a schedule multiplies that by its factor.
    Raises RecipeError for a model without parameters to train, and for an optimizer of the user's own that cannot be
    had: `(param_groups, lr=..., **options) -> torch.optim.Optimizer`, such as any optimizer class of torch's.

    >>> from sightlab.recipes.part_groups import SGD
    >>> optimizer = build_optimizer(nn.Linear(3, 2), SGD(lr=0.1, weight_decay=0.01))
    >>> [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups]
    [(0.01, 1), (0.0, 1)]
    """
    if isinstance(given, torch.optim.Optimizer):
        return checked_owner(given, model)
    groups = parameter_groups(
        model,
        lr=optimizer.lr,
        weight_decay=optimizer.weight_decay,
        decay_norms_and_biases=optimizer.decay_norms_and_biases,
        bias_lr_factor=optimizer.bias_lr_factor,
    )
    if not groups:
        raise RecipeError(
            f"model {type(model).__name__} has no parameter that takes a gradient; there is nothing to train"
        )
    if optimizer.layer_lr_decay != 1:
        groups = by_layer(model, groups, optimizer.layer_lr_decay)
    if given is not None:
        return custom_optimizer(part_name(given), given, {}, groups, optimizer.lr)
    if isinstance(optimizer, CustomOptimizer):
        name = optimizer.name
        return custom_optimizer(name, resolve("optimizer", name), optimizer.options, groups, optimizer.lr)
    make = OPTIMIZERS[optimizer.name]
    settings = optimizer.model_dump(exclude=SHARED)
    if "hidden" in inspect.signature(make).parameters:
        settings["hidden"] = hidden_matrices(model)
    return make(groups, lr=optimizer.lr, **settings)


def custom_optimizer(
    name: str, make: object, options: Mapping[str, Any], groups: Groups, lr: float
) -> torch.optim.Optimizer:
    """What a class or a function of the user's own makes of these groups. name: what errors call it."""
    if not callable(make):
        raise RecipeError(
            f"optimizer {name} is a {type(make).__name__}; it must be a class or a function that gives an optimizer"
        )
    found = call_part("optimizer", name, make, options, groups, lr=lr)
    if not isinstance(found, torch.optim.Optimizer):
        raise RecipeError(
            f"optimizer {name} gave a value of type {type(found).__name__}; it must give a torch.optim.Optimizer"
        )
    return found


def checked_owner(optimizer: torch.optim.Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """An optimizer made beforehand. Raises RecipeError unless it is over parameters of the model, all of them."""
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    trained = {id(weight) for weight in model.parameters() if weight.requires_grad}
    if held != trained:
        raise RecipeError(
            f"optimizer {type(optimizer).__name__} was made over {len(held & trained)} of the model's {len(trained)} "
            f"parameters that take gradients, and {len(held - trained)} others; give its class, or make it of "
            "model.parameters()"
        )
    return optimizer
