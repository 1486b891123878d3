"""Lion, LAMB and Muon move as their papers say, and as the libraries that have them."""

from __future__ import annotations

import lion_pytorch
import pytest
import timm.optim
import torch
from torch import Tensor, nn

from sightlab.optim.lamb import Lamb
from sightlab.optim.lion import Lion
from sightlab.optim.muon import ITERATIONS, A, B, C, Muon, orthogonal
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.param_groups import hidden_matrices
from sightlab.recipes.part_groups import OPTIMIZERS

SHAPES = [(6, 4), (4, 6), (5, 5), (7,), ()]


def optimizer_of(net: nn.Module, name: str, **settings: object) -> torch.optim.Optimizer:
    """The optimizer of this name that ships, by these keys of a recipe."""
    return build_optimizer(net, OPTIMIZERS[name](**settings))


def weights_of(shapes: list[tuple[int, ...]], dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def walked(weights: list[nn.Parameter], optimizer: torch.optim.Optimizer, steps: int = 40) -> list[Tensor]:
    """The weights after steps along gradients, some of them zero, at a learning rate that changes."""
    generator = torch.Generator().manual_seed(4)
    base = optimizer.param_groups[0]["lr"]
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = base * (1 - step / steps / 2)
        for weight in weights:
            gradient = torch.randn(weight.shape, generator=generator) * (step % 7)
            weight.grad = gradient.to(weight.dtype)
        optimizer.step()
    return [weight.detach() for weight in weights]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.8)])
def test_lion_equals_lion_pytorch_bit_for_bit(weight_decay: float, betas: tuple[float, float]) -> None:
    settings = {"lr": 1e-2, "betas": betas, "weight_decay": weight_decay}
    ours, theirs = weights_of(SHAPES), weights_of(SHAPES)
    assert same(walked(ours, Lion(ours, **settings)), walked(theirs, lion_pytorch.Lion(theirs, **settings)))


def test_lion_moves_every_weight_by_lr_whatever_the_gradient() -> None:
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Lion([weight], lr=0.1)
    weight.grad = torch.tensor([1e-9, -5.0, 0.0], dtype=torch.float64)
    optimizer.step()
    assert weight.tolist() == [-0.1, 0.1, 0.0]


def test_lion_forgets_at_its_second_beta_and_looks_with_its_first() -> None:
    # After the gradient 1, m = 1 - 0.8; the gradient -x turns the step when 0.5 * m < 0.5 * x.
    for x, sign in ((0.19, -1), (0.21, 1)):
        weight = nn.Parameter(torch.zeros(1))
        optimizer = Lion([weight], lr=1.0, betas=(0.5, 0.8))
        for gradient in (1.0, -x):
            weight.grad = torch.tensor([gradient])
            optimizer.step()
        assert weight.item() == -1 + sign


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_lamb_equals_timms_bit_for_bit(weight_decay: float) -> None:
    settings = {"lr": 1e-2, "betas": (0.8, 0.99), "eps": 1e-5, "weight_decay": weight_decay}
    ours, theirs = weights_of(SHAPES), weights_of(SHAPES)
    lamb = timm.optim.Lamb(theirs, max_grad_norm=None, always_adapt=True, foreach=False, **settings)
    assert same(walked(ours, Lamb(ours, **settings)), walked(theirs, lamb))


def test_lamb_moves_a_weight_by_a_share_lr_of_its_length() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    weight.grad = torch.tensor([7.0, -0.1], dtype=torch.float64)
    Lamb([weight], lr=0.01, eps=1e-12).step()
    # Adam's first step is the sign of the gradient, whose length is sqrt(2); the weight's is 5.
    assert weight.tolist() == pytest.approx([3 - 0.05 / 2**0.5, 4 + 0.05 / 2**0.5])


def test_lamb_leaves_zero_weights_by_adams_step() -> None:
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    weight.grad = torch.tensor([7.0, -0.1], dtype=torch.float64)
    Lamb([weight], lr=0.01, eps=1e-12).step()
    assert weight.tolist() == pytest.approx([-0.01, 0.01])


def test_lamb_moves_norms_and_biases_as_adam_unless_they_decay() -> None:
    def moved(name: str, **settings: object) -> tuple[nn.Module, Tensor]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        nn.init.constant_(net[1].bias, 0.5)
        optimizer = optimizer_of(net, name, lr=0.1, eps=1e-6, **settings)
        for parameter in net.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        return net[1].bias.detach()

    assert torch.allclose(moved("lamb"), moved("adam"), rtol=0, atol=1e-7)
    assert not torch.allclose(moved("lamb", decay_norms_and_biases=True), moved("adam"), rtol=0, atol=1e-3)


def test_parameters_that_joined_later_are_unbiased_by_their_own_count() -> None:
    early, late = weights_of([(3, 3), (3, 3)])
    optimizer = Lamb([early, late], lr=0.1)
    alone = nn.Parameter(late.detach().clone())
    fresh = Lamb([alone], lr=0.1)
    for step in range(4):
        early.grad = torch.ones(3, 3)
        if step >= 2:
            late.grad = alone.grad = torch.full((3, 3), 0.5)
            fresh.step()
        optimizer.step()
    assert torch.equal(late, alone)


def test_muon_equals_torchs_on_matrices_bit_for_bit_in_its_precision() -> None:
    # With Nesterov: without, torch's iterations write into a momentum that is bfloat16 already.
    settings = {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.2}
    shapes = [(6, 4), (4, 6), (16, 16)]
    ours, theirs = weights_of(shapes, torch.bfloat16), weights_of(shapes, torch.bfloat16)
    muon = torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **settings)
    assert same(walked(ours, Muon(ours, **settings)), walked(theirs, muon))


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_in_float32_is_torchs_muon_with_fewer_rounding_errors(nesterov: bool) -> None:
    settings = {"lr": 0.02, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.2}
    shapes = [(6, 4), (4, 6), (16, 16)]
    ours, theirs = weights_of(shapes), weights_of(shapes)
    muon = torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **settings)
    for a, b in zip(walked(ours, Muon(ours, **settings)), walked(theirs, muon), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=0.02)


def polynomial_of_singular_values(matrix: Tensor) -> Tensor:
    """What the iterations make of a matrix, by its singular values one by one."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = s / matrix.norm()
    for _ in range(ITERATIONS):
        s = A * s + B * s**3 + C * s**5
    return u @ torch.diag(s) @ v


@pytest.mark.parametrize("shape", [(8, 3), (3, 8), (6, 6), (1, 5)])
def test_the_iterations_act_on_singular_values_alone(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned = orthogonal(matrix)
    assert torch.allclose(turned, polynomial_of_singular_values(matrix), rtol=0, atol=1e-12)
    found = torch.linalg.svdvals(turned)
    assert 0.65 < found.min() <= found.max() < 1.25


def test_nothing_stays_nothing() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_moves_as_the_matrix_of_its_filters(layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 4, 3, 3, generator=generator)
    matrix = nn.Parameter(start.flatten(1).clone())
    convolution = nn.Parameter(start.clone(memory_format=layout))
    one, other = Muon([matrix], lr=0.1, weight_decay=0.1), Muon([convolution], lr=0.1, weight_decay=0.1)
    for _ in range(5):
        gradient = torch.randn(5, 4, 3, 3, generator=generator)
        matrix.grad, convolution.grad = gradient.flatten(1), gradient.contiguous(memory_format=layout)
        one.step()
        other.step()
    assert torch.equal(convolution.flatten(1), matrix)
    assert other.state[convolution]["momentum_buffer"].is_contiguous(memory_format=layout)


def test_entries_of_muons_step_have_the_size_of_adamws() -> None:
    weight = nn.Parameter(torch.zeros(32, 16, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=1.0).step()
    # U V^T of 32 x 144 has entries of root mean square 1 / sqrt(144); singular values come out at 0.7 to 1.2, not 1.
    assert 0.7 * 0.2 < weight.square().mean().sqrt().item() < 1.2 * 0.2


def test_muon_takes_hidden_matrices_and_adamw_the_rest() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3),
        nn.Conv2d(8, 8, 3, groups=4),
        nn.Flatten(),
        nn.Linear(8, 6),
        nn.Linear(6, 2),
    )
    optimizer = optimizer_of(net, "muon", lr=0.1, weight_decay=0.01, adamw_lr_factor=0.5)
    facts = [(group["rule"], group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert facts == [("muon", 0.1, 0.01), ("adamw", 0.05, 0.01), ("adamw", 0.05, 0.0)]
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(net[2].weight), id(net[5].weight)]


def test_what_muon_leaves_to_adamw_moves_as_torchs_adamw_bit_for_bit() -> None:
    ours, theirs = weights_of(SHAPES), weights_of(SHAPES)
    settings = {"betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}
    muon = Muon([{"params": ours, "rule": "adamw"}], lr=0.01, **settings)
    assert same(walked(ours, muon), walked(theirs, torch.optim.AdamW(theirs, lr=0.01, foreach=False, **settings)))


def test_the_first_layer_stays_the_first_when_it_is_frozen() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    net[0].requires_grad_(False)
    assert [id(p) for p in hidden_matrices(net)] == [id(net[1].weight)]
    net[1].requires_grad_(False)
    assert hidden_matrices(net) == []


def test_muon_refuses_a_vector() -> None:
    with pytest.raises(ValueError, match="two dimensions or more"):
        Muon([nn.Parameter(torch.zeros(3))])
