"""Optimizers step as their papers and torch's own say, and decay what should decay."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import nn

from sightlab.errors import RecipeError
from sightlab.optim.lamb import Lamb
from sightlab.optim.lion import Lion
from sightlab.optim.muon import Muon
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.param_groups import norm_biases, parameter_groups
from sightlab.recipes.overrides import changed
from sightlab.recipes.part_groups import OPTIMIZERS
from sightlab.recipes.schema import Recipe

LR = 0.1


def optimizer_of(net: nn.Module, name: str, **settings: object) -> torch.optim.Optimizer:
    """The optimizer of this name that ships, by these keys of a recipe."""
    return build_optimizer(net, OPTIMIZERS[name](**settings))


class Weights(nn.Module):
    """One weight matrix with a gradient that is set by hand."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([values], dtype=torch.float64))


def walk(model: nn.Module, optimizer: torch.optim.Optimizer, gradients: list[float]) -> list[float]:
    """The first weight after each step."""
    (weight,) = model.parameters()
    path = []
    for gradient in gradients:
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        path.append(weight.detach().flatten()[0].item())
    return path


def test_sgd_without_momentum_follows_the_gradient() -> None:
    model = Weights(1.0)
    optimizer = optimizer_of(model, "sgd", lr=LR, momentum=0, weight_decay=0.5)
    first = 1 - LR * (2 + 0.5 * 1)
    assert walk(model, optimizer, [2, -1]) == pytest.approx([first, first - LR * (-1 + 0.5 * first)])


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_a_sum_of_past_gradients(nesterov: bool) -> None:
    # Constant gradient 1: velocity after n steps is (1 - m^n) / (1 - m), by the geometric series.
    model, m = Weights(0.0), 0.9
    optimizer = optimizer_of(model, "sgd", lr=LR, momentum=m, nesterov=nesterov)
    velocities = [(1 - m**n) / (1 - m) for n in range(1, 6)]
    moves = [1 + m * v for v in velocities] if nesterov else velocities
    assert walk(model, optimizer, [1.0] * 5) == pytest.approx([-LR * sum(moves[:n]) for n in range(1, 6)])


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_moves_by_lr_whatever_the_size_of_a_constant_gradient(name: str) -> None:
    # Both moments, unbiased, equal g and g^2 at every step: each move is lr * g / (|g| + eps).
    model = Weights(0.0)
    optimizer = optimizer_of(model, name, lr=LR, eps=0.5)
    assert walk(model, optimizer, [-3.0] * 4) == pytest.approx([LR * 3 / 3.5 * n for n in range(1, 5)])


def test_adamw_decays_the_weight_and_adam_the_gradient() -> None:
    model = Weights(2.0)
    (found,) = walk(model, optimizer_of(model, "adamw", lr=LR, weight_decay=0.3), [1e-3])
    assert found == pytest.approx(2 * (1 - LR * 0.3) - LR, abs=1e-5)
    model = Weights(2.0)
    (found,) = walk(model, optimizer_of(model, "adam", lr=LR, weight_decay=0.3), [1e-3])
    assert found == pytest.approx(2 - LR, abs=1e-5)


def test_adam_forgets_at_the_rate_of_its_betas() -> None:
    model = Weights(0.0)
    path = walk(model, optimizer_of(model, "adam", lr=LR, betas=(0.5, 0.75), eps=1e-12), [1.0, 0.0])
    first_moment, second_moment = 0.5 * 0.5 / (1 - 0.25), 0.75 * 0.25 / (1 - 0.5625)
    assert path[1] - path[0] == pytest.approx(-LR * first_moment / math.sqrt(second_moment))


@pytest.mark.parametrize(
    ("name", "settings", "theirs"),
    [
        ("sgd", {"momentum": 0.9, "nesterov": True}, torch.optim.SGD),
        ("sgd", {"momentum": 0.5}, torch.optim.SGD),
        ("adam", {"betas": (0.8, 0.99), "eps": 1e-6}, torch.optim.Adam),
        ("adamw", {"betas": (0.8, 0.99), "eps": 1e-6}, torch.optim.AdamW),
    ],
)
def test_many_steps_equal_torchs_plain_loop_bit_for_bit(name: str, settings: dict[str, object], theirs: type) -> None:
    def trained(optimizer_of: object) -> list[torch.Tensor]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(16 * 36, 5))
        net.to(memory_format=torch.channels_last)
        optimizer = optimizer_of(net)
        for _ in range(5):
            loss = net(torch.randn(4, 3, 8, 8)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return list(net.parameters())

    ours = trained(lambda net: optimizer_of(net, name, lr=0.01, weight_decay=0.1, **settings))
    plain = trained(
        lambda net: theirs(parameter_groups(net, lr=0.01, weight_decay=0.1), lr=0.01, foreach=False, **settings)
    )
    assert all(torch.equal(a, b) for a, b in zip(ours, plain, strict=True))


def test_biases_of_norms_have_a_learning_rate_of_their_own_and_the_decay_of_all() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    settings = {"lr": LR, "weight_decay": 0.5, "decay_norms_and_biases": True, "bias_lr_factor": 64}
    rest, biases = optimizer_of(net, "sgd", **settings).param_groups
    assert [id(p) for p in biases["params"]] == [id(net[1].bias)]
    assert len(rest["params"]) == 5
    assert biases["lr"] == 64 * LR
    assert not biases["spared"]
    assert biases["lr"] * biases["weight_decay"] == pytest.approx(rest["lr"] * rest["weight_decay"])


def test_biases_of_norms_that_are_spared_the_decay_stay_spared() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    groups = optimizer_of(net, "sgd", lr=LR, weight_decay=0.5, bias_lr_factor=2).param_groups
    facts = [(group["lr"], group["weight_decay"], len(group["params"])) for group in groups]
    assert facts == [(LR, 0.5, 1), (LR, 0, 2), (2 * LR, 0, 1)]


def test_the_factor_moves_the_bias_of_a_norm_that_many_times_as_far() -> None:
    def moved(factor: float) -> torch.Tensor:
        net = nn.BatchNorm1d(3)
        optimizer = optimizer_of(net, "sgd", lr=LR, bias_lr_factor=factor)
        net(torch.tensor([[1.0, 2.0, 3.0], [2.0, 0.0, 1.0]])).square().sum().backward()
        net.bias.grad = torch.ones(3)
        optimizer.step()
        return net.bias.detach()

    assert torch.equal(moved(4), 4 * moved(1))


def test_a_norm_without_weights_has_no_biases() -> None:
    assert list(norm_biases(nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.RMSNorm(4)))) == []


def test_norms_and_biases_of_any_shape_are_spared() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm((3, 4))
            self.bias = nn.Parameter(torch.zeros(2, 2))
            self.scale = nn.Parameter(torch.zeros(()))
            self.weight = nn.Parameter(torch.zeros(2, 2))

    model = Odd()
    weights, others = parameter_groups(model, lr=LR, weight_decay=0.1)
    assert [id(p) for p in weights["params"]] == [id(model.weight)]
    assert len(others["params"]) == 4


def test_norms_and_biases_decay_when_asked() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    (group,) = optimizer_of(net, "adamw", lr=LR, weight_decay=0.1, decay_norms_and_biases=True).param_groups
    assert group["weight_decay"] == 0.1
    assert len(group["params"]) == 4


def test_frozen_parameters_are_left_alone() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    net[0].requires_grad_(False)
    optimizer = optimizer_of(net, "sgd", lr=LR)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adam-w"}, "optimizer.name: unknown optimizer 'adam-w'; did you mean adamw?"),
        ({"optimizer": "zebra"}, "unknown optimizer 'zebra'; known: adam, adamw, lamb, lion, muon, sgd"),
        ({"lr": -1.0}, "optimizer.lr: input should be greater than 0, found -1.0"),
        ({"optimizer": "adam", "betas": (1.0, 0.9)}, "optimizer.betas.0: input should be less than 1, found 1.0"),
        ({"optimizer": "adamw", "weight_decay": -1.0}, "optimizer.weight_decay: input should be greater than or equal"),
        ({"optimizer": "lamb", "eps": -1.0}, "optimizer.eps: input should be greater than 0, found -1.0"),
        ({"optimizer": "muon", "momentum": 1.0}, "optimizer.momentum: input should be less than 1, found 1.0"),
        ({"bias_lr_factor": 0.0}, "optimizer.bias_lr_factor: input should be greater than 0, found 0.0"),
        ({"optimizer": "muon", "adamw_lr_factor": math.nan}, "optimizer.adamw_lr_factor: input should be"),
        ({"optimizer": "lion", "eps": 1e-8}, "optimizer.eps: lion does not read it; it reads lr, weight_decay, "),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        changed(Recipe(), changes)


def test_nesterov_needs_a_momentum() -> None:
    with pytest.raises(RecipeError, match=r"optimizer\.nesterov needs a momentum above 0, found momentum 0"):
        optimizer_of(nn.Linear(2, 2), "sgd", momentum=0, nesterov=True)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Lion, {"lr": -1.0}, "Invalid learning rate: -1.0"),
        (Lion, {"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        (Lamb, {"eps": -1.0}, "Invalid epsilon value: -1.0"),
        (Muon, {"momentum": 1.0}, "Invalid momentum value: 1.0"),
    ],
)
def test_our_optimizers_refuse_what_torchs_refuse(kind: type, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        kind([nn.Parameter(torch.zeros(2, 2))], **settings)


def test_a_model_without_parameters_cannot_be_trained() -> None:
    with pytest.raises(RecipeError, match="model Flatten has no parameter that takes a gradient"):
        optimizer_of(nn.Flatten(), "sgd", lr=LR)
