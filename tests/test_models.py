"""Every network meets one contract, and what cannot be built is told in one line."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.models import MODELS, build, check_output
from sightlab.models.names import check_name
from sightlab.models.regularise import StochasticDepth

RESIDUAL = [name for name in MODELS if name != "cnn"]
CLASSES = 7


@cache
def network(name: str, channels: int, size: int) -> nn.Module:
    """A network in eval mode, the same for every test: none of them may change it."""
    torch.manual_seed(0)
    return build(name, channels=channels, classes=CLASSES, height=size, width=size).eval()


def images(count: int, channels: int, size: int) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest value: logits of an untrained deep network are not of size 1."""
    assert (found - expected).abs().max() <= 1e-5 * max(1.0, expected.abs().max().item())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_a_batch_gives_one_row_of_logits_an_image(name: str, channels: int, size: int) -> None:
    with torch.no_grad():
        logits = network(name, channels, size)(images(2, channels, size))
    assert logits.shape == (2, CLASSES)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    net, batch = network(name, 1, 28), images(3, 1, 28)
    with torch.no_grad():
        together = net(batch)
        for place in range(3):
            assert_close(net(batch[place : place + 1])[0], together[place])


@pytest.mark.parametrize("name", MODELS)
def test_memory_order_does_not_change_the_answer(name: str) -> None:
    net, batch = network(name, 3, 32), images(2, 3, 32)
    with torch.no_grad():
        assert_close(net(batch.contiguous(memory_format=torch.channels_last)), net(batch))


@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_every_parameter(name: str) -> None:
    # In eval mode: in training mode a bias before batch norm has, rightly, no gradient.
    net = network(name, 1, 28)
    loss = nn.functional.cross_entropy(net(images(4, 1, 28)), torch.arange(4))
    parameters = dict(net.named_parameters())
    for key, gradient in zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True):
        assert torch.isfinite(gradient).all(), key
        assert gradient.abs().max() > 0, key


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_decides_the_first_weights(name: str) -> None:
    torch.manual_seed(0)
    again = build(name, channels=1, classes=CLASSES, height=28, width=28)
    for key, value in network(name, 1, 28).state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


@pytest.mark.parametrize("name", MODELS)
def test_dropout_stands_before_the_last_linear_layer(name: str) -> None:
    net = build(name, channels=1, classes=CLASSES, height=28, width=28, options={"dropout": 1 - 1e-9})
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    bias = torch.zeros(CLASSES) if last.bias is None else last.bias
    assert torch.equal(net.train()(images(4, 1, 28)), bias.expand(4, CLASSES))


@pytest.mark.parametrize("name", RESIDUAL)
def test_drop_rates_rise_in_a_line_over_the_blocks(name: str) -> None:
    net = build(name, channels=1, classes=CLASSES, height=28, width=28, options={"stochastic_depth": 0.4})
    rates = [module.rate for module in net.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.4 * (place + 1) / len(rates) for place in range(len(rates))])


@pytest.mark.parametrize("name", RESIDUAL)
def test_a_dropped_branch_leaves_the_skip(name: str) -> None:
    net = build(name, channels=1, classes=CLASSES, height=28, width=28, options={"stochastic_depth": 1 - 1e-9})
    blocks = [module for module in net.modules() if any(isinstance(m, StochasticDepth) for m in module.children())]
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor], found: Tensor) -> None:
        seen.extend((given[0], found))

    with blocks[-1].register_forward_hook(keep):
        net.train()(images(3, 1, 28))
    assert torch.equal(*seen)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mini-resnet-v7", {}, "unknown model 'mini-resnet-v7'; did you mean mini-resnet-v6?"),
        ("cnn", {"options": {"depth": 3}}, "unknown option 'depth' for model cnn; known: dropout"),
        (
            "resnet18",
            {"options": {"stochastic_deph": 0.1}},
            "unknown option 'stochastic_deph' for model resnet18; did you mean stochastic_depth?",
        ),
        ("resnet18", {"options": {"block": 1}}, "unknown option 'block' for model resnet18; known: dropout, "),
        ("mini-resnet-v4", {"options": {"layers": [8]}}, "unknown option 'layers' for model mini-resnet-v4; known: "),
        ("resnet18", {"options": {"classes": 1}}, "option classes of model resnet18 follows from the data"),
        ("cnn", {"options": {"dropout": "half"}}, "option dropout of model cnn must be a number, not 'half'"),
        ("cnn", {"options": {"dropout": True}}, "option dropout of model cnn must be a number, not True"),
        ("cnn", {"options": {"dropout": 1.0}}, "option dropout is 1.0; it must be at least 0 and below 1"),
        (
            "resnet18",
            {"options": {"zero_init_residual": 1}},
            "option zero_init_residual of model resnet18 must be true or false, not 1",
        ),
        ("compact-resnet", {"options": {"width_factor": 0}}, "option width_factor is 0; it must be above 0"),
        ("cnn", {"stem": "3x3"}, "model cnn has no choice of stem; stem=3x3 works for resnet18, resnet34, resnet50"),
        ("resnet18", {"stem": "5x5"}, "unknown stem '5x5'; known: auto, 3x3, 7x7"),
        ("cnn", {"height": 3}, "cnn takes images of at least 4 x 4 pixels, not 3 x 28"),
        ("cnn", {"channels": 0}, "channels is 0; a model needs at least 1"),
        ("compact-resnet", {"height": 5}, "model compact-resnet does not work on 1 x 5 x 28 images: RuntimeError: "),
        ("cnn", {"pretrained": True}, "model cnn has no published weights; pretrained=true works for resnet18"),
        ("cnn", {"pretrained": True, "weights": Path("x.pth")}, "pretrained and weights exclude each other"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(name: str, changes: dict[str, object], message: str) -> None:
    given = {"channels": 1, "classes": 10, "height": 28, "width": 28} | changes
    with pytest.raises(ModelError, match="^" + re.escape(message)) as caught:
        build(name, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_name_in_the_table_is_a_known_name(name: str) -> None:
    check_name(name)


def test_a_name_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unknown model 'resnet81'; did you mean resnet18"):
        check_name("resnet81")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        check_name(f"{tmp_path}/net.py:Net")


class Wrong(nn.Module):
    """Gives whatever it was told to."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> object:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.zeros(2, 3), r"gives float32 \[2, 3\] for 2 1 x 8 x 8 images; it must give float \[2, 4\]"),
        (torch.zeros(2, 4, dtype=torch.int64), r"gives int64 \[2, 4\]"),
        (torch.zeros(1, 4), r"gives float32 \[1, 4\]"),
        ((torch.zeros(2, 4),), r"gives a value of type tuple, not a tensor of logits \[N, 4\]"),
    ],
)
def test_an_output_that_is_not_logits_is_refused(answer: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_output(Wrong(answer), 1, 4, 8, 8)


def test_the_check_leaves_modes_and_statistics_as_they_were() -> None:
    net = nn.Sequential(nn.BatchNorm2d(1), nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, 3)).train()
    net[1].eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    check_output(net, 1, 3, 2, 2)
    with pytest.raises(ModelError):
        check_output(net, 1, 3, 9, 9)
    assert [module.training for module in net] == [True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
