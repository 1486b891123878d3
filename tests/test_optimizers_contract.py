"""What every optimizer of the table owes, whatever its rule."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sightlab.models import MODELS, build
from sightlab.models.cost import NoFirstWeights
from sightlab.optim.optimizers import OPTIMIZERS as RULES
from sightlab.optim.optimizers import SHARED, build_optimizer
from sightlab.recipes.part_groups import OPTIMIZERS
from sightlab.training.checkpoint import flattened, match_layouts, plain, unflattened

LR = 0.01
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def optimizer_of(net: nn.Module, name: str, **settings: object) -> torch.optim.Optimizer:
    """The optimizer of this name that ships, by these keys of a recipe."""
    return build_optimizer(net, OPTIMIZERS[name](**settings))


def network() -> nn.Module:
    """Small, with what a rule can tell apart: stem, hidden and grouped convolutions, norms, a head."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.GroupNorm(4, 16),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 6, 1, bias=False),
        nn.Flatten(),
        nn.Linear(6, 7),
        nn.LayerNorm(7),
        nn.Linear(7, 5),
    )
    return net.to(memory_format=torch.channels_last)


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    """Steps on images that are a function of the step, lr too, as the training loop sets it."""
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    for step in steps:
        torch.manual_seed(step)
        images = torch.randn(6, 3, 8, 8).to(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] / (step + 1)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), torch.arange(6) % 5).backward()
        optimizer.step()


def values(net: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in net.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@every_optimizer
def test_without_a_learning_rate_nothing_moves(name: str) -> None:
    net = network()
    before = values(net)
    optimizer = optimizer_of(net, name, weight_decay=0.5, bias_lr_factor=8)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    train(net, optimizer, range(3))
    assert same(values(net), before)


@every_optimizer
def test_a_quadratic_becomes_small(name: str) -> None:
    net = network()
    optimizer = optimizer_of(net, name, lr=0.05)
    torch.manual_seed(1)
    targets = [p.detach() + 0.3 * torch.randn_like(p) for p in net.parameters()]

    def distance() -> Tensor:
        return sum((p - t).square().sum() for p, t in zip(net.parameters(), targets, strict=True))

    start = distance().item()
    for _ in range(40):
        optimizer.zero_grad()
        distance().backward()
        optimizer.step()
    assert distance().item() < 0.25 * start


@every_optimizer
def test_two_runs_end_with_the_same_bits(name: str) -> None:
    ends = []
    for _ in range(2):
        net = network()
        train(net, optimizer_of(net, name, lr=LR, weight_decay=0.1), range(5))
        ends.append(values(net))
    assert same(*ends)


def through_a_file(state: dict[str, object]) -> dict[str, object]:
    """The state as a checkpoint keeps it: tensors in row-major order, the rest as JSON."""
    tensors, facts = flattened(state)
    assert all(type(key) is str for key in tensors)
    return unflattened({key: plain(value) for key, value in tensors.items()}, json.loads(json.dumps(facts)))


@every_optimizer
@pytest.mark.parametrize("kept", [dict, through_a_file], ids=["in memory", "through a file"])
def test_a_restored_optimizer_goes_on_with_the_same_bits(name: str, kept: Callable[..., dict[str, object]]) -> None:
    settings = {"lr": LR, "weight_decay": 0.1, "bias_lr_factor": 4}
    whole = network()
    train(whole, optimizer_of(whole, name, **settings), range(7))

    first = network()
    optimizer = optimizer_of(first, name, **settings)
    train(first, optimizer, range(4))
    second = network()
    second.load_state_dict({key: plain(value) for key, value in first.state_dict().items()})
    restored = optimizer_of(second, name, **settings)
    restored.load_state_dict(kept(optimizer.state_dict()))
    match_layouts(restored)
    train(second, restored, range(4, 7))
    assert same(values(second), values(whole))
    for weight, state in restored.state.items():
        assert all(v.stride() == weight.stride() for v in state.values() if isinstance(v, Tensor) and v.ndim > 0)


def step_without_gradient(name: str, *, decay_norms_and_biases: bool) -> dict[str, tuple[Tensor, Tensor]]:
    """Each parameter before and after a step in which only the weight decay can move it."""
    net = network()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
            parameter.grad = torch.zeros_like(parameter)
    before = values(net)
    settings = {"lr": LR, "weight_decay": 0.5, "bias_lr_factor": 2, "decay_norms_and_biases": decay_norms_and_biases}
    optimizer_of(net, name, **settings).step()
    return dict(zip((key for key, _ in net.named_parameters()), zip(before, values(net), strict=True), strict=True))


@every_optimizer
def test_weight_decay_leaves_norms_and_biases_alone(name: str) -> None:
    for key, (before, after) in step_without_gradient(name, decay_norms_and_biases=False).items():
        if before.ndim > 1:
            assert after.norm() < before.norm(), key
        else:
            assert torch.equal(before, after), key


@every_optimizer
def test_weight_decay_takes_norms_and_biases_when_asked(name: str) -> None:
    moves = step_without_gradient(name, decay_norms_and_biases=True)
    assert all(after.norm() < before.norm() for before, after in moves.values())


# Each has the layers of a shallower or narrower network of the table.
DEEPER = [f"cifar-resnet{layers}" for layers in (32, 44, 56, 110)] + ["resnet34", "resnet101", "resnet152"]
DEEPER += ["preact-resnet34", "preact-resnet50", "seresnet101", "study3-resnet34", "vit-small", "vit-base"]


@pytest.mark.parametrize("model", [pytest.param(m, marks=[pytest.mark.slow] * (m in DEEPER)) for m in MODELS])
def test_every_parameter_is_in_one_group_and_only_weights_decay(model: str) -> None:
    with torch.device("meta"), NoFirstWeights():  # shapes are all that counts
        net = build(model, channels=1, classes=3, height=72, width=72)
    for name in OPTIMIZERS:
        for factor in (1.0, 2.0):
            groups = optimizer_of(net, name, lr=LR, weight_decay=5e-4, bias_lr_factor=factor).param_groups
            grouped = [id(parameter) for group in groups for parameter in group["params"]]
            assert sorted(grouped) == sorted(map(id, net.parameters()))
            for group in groups:
                assert group["params"]
                assert {parameter.ndim >= 2 for parameter in group["params"]} == {group["weight_decay"] > 0}


@every_optimizer
def test_a_parameter_without_gradient_is_left_alone_and_starts_afresh(name: str) -> None:
    net = network()
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    optimizer = optimizer_of(net, name, lr=LR, weight_decay=0.1)
    net[2].requires_grad_(False)
    held = net[2].weight.clone()
    train(net, optimizer, range(2))
    assert torch.equal(net[0].weight, before)
    assert torch.equal(net[2].weight, held)
    net[2].requires_grad_(True)
    train(net, optimizer, range(2, 3))
    assert not torch.equal(net[2].weight, held)
    assert net[2].weight.isfinite().all()


@every_optimizer
def test_a_closure_gives_its_loss_back(name: str) -> None:
    net = nn.Linear(2, 2)
    optimizer = optimizer_of(net, name, lr=LR)

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = net(torch.ones(1, 2)).square().sum()
        found.backward()
        return found

    before = loss().item()
    assert optimizer.step(loss).item() == before
    assert loss().item() < before


@every_optimizer
def test_a_recipe_has_the_keys_that_its_optimizers_rule_takes(name: str) -> None:
    given = {"groups", "lr", "hidden"}
    assert set(OPTIMIZERS[name].model_fields) - SHARED == set(inspect.signature(RULES[name]).parameters) - given
