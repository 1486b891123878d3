"""Every network meets one contract, and what cannot be built is told in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.models import MODELS, build, check_output, load_weights
from sightlab.models.head import DropoutLinear
from sightlab.models.names import check_name
from sightlab.models.regularise import StochasticDepth

CLASSES = 7
LARGE = 5_000_000
NEARLY_ALL = 1 - 1e-9
# Study 2 as published has batch norm and a softmax behind its last linear layer, study 1 a ReLU.
BEHIND_THE_HEAD = {"study2-resnet20"} | {f"study1-mini-resnet-v{version}-relu" for version in range(1, 7)}
SMALLEST = {"alexnet": 67, "study1-alexnet": 67}
# A side that is soon computed, for those that are large or deep.
DEEP = ("resnet34", "resnet50", "resnet101", "resnet152", "resnet110", "densenet121", "vit")


def side(name: str) -> int:
    """A side that the model takes and that is soon computed."""
    return SMALLEST.get(name, 8 if any(part in name for part in DEEP) and "study" not in name else 16)


def noisy(name: str) -> dict[str, float]:
    """Rates of noise that drop everything while training, and nothing in eval mode."""
    return {key: NEARLY_ALL for key in ("dropout", "stochastic_depth") if key in MODELS[name].options}


def made(name: str) -> nn.Module:
    """The model from seed 0, for images of one channel."""
    torch.manual_seed(0)
    return build(name, channels=1, classes=CLASSES, height=side(name), width=side(name), options=noisy(name))


# They differ from smaller ones of their family in depth or width alone, and take long to build.
HEAVY = (
    *("alexnet-small", "resnet34", "resnet101", "resnet152", "seresnet101", "study1-alexnet", "vgg16-bn"),
    *("preact-resnet34", "cifar-resnet44", "cifar-resnet56", "cifar-resnet110"),
    *("vit-small", "vit-base", "mobilenet-v3-large"),
)


@pytest.fixture(scope="module", params=[pytest.param(n, marks=[pytest.mark.slow] * (n in HEAVY)) for n in MODELS])
def name(request: pytest.FixtureRequest) -> str:
    """Each model of the table in turn: all contracts of one before any of the next, so that one is in memory."""
    return str(request.param)


@pytest.fixture(scope="module")
def net(name: str) -> nn.Module:
    """The network in eval mode, the same for every contract: none of them may change it."""
    return made(name).eval()


def images(count: int, channels: int, size: int) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest value: logits of an untrained deep network are not of size 1."""
    assert (found - expected).abs().max() <= 1e-5 * max(1.0, expected.abs().max().item())


@contextmanager
def noise(net: nn.Module, *kinds: type[nn.Module]) -> Iterator[None]:
    """Within the block the modules of these kinds are in training mode, the others not."""
    noisy = [module for module in net.modules() if isinstance(module, kinds)]
    for module in noisy:
        module.training = True
    yield
    for module in noisy:
        module.training = False


def test_a_batch_gives_one_row_of_logits_an_image(name: str, net: nn.Module) -> None:
    with torch.no_grad():
        logits = net(images(2, 1, side(name)))
    assert logits.shape == (2, CLASSES)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_a_row_does_not_depend_on_its_batch(name: str, net: nn.Module) -> None:
    batch = images(2, 1, side(name))
    with torch.no_grad():
        together = net(batch)
        for place in range(2):
            assert_close(net(batch[place : place + 1])[0], together[place])


def test_memory_order_does_not_change_the_answer(name: str, net: nn.Module) -> None:
    batch = images(2, 1, side(name))
    with torch.no_grad():
        assert_close(net(batch.contiguous(memory_format=torch.channels_last)), net(batch))


def test_gradients_reach_every_parameter(name: str, net: nn.Module) -> None:
    # In eval mode: in training mode a bias before batch norm has, rightly, no gradient.
    loss = nn.functional.cross_entropy(net(images(2, 1, side(name))), torch.arange(2))
    parameters = dict(net.named_parameters())
    for key, gradient in zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True):
        assert torch.isfinite(gradient).all(), key
        assert gradient.abs().max() > 0, key


def test_the_seed_decides_the_first_weights_and_safetensors_brings_them_back(
    name: str, net: nn.Module, tmp_path: Path
) -> None:
    again = made(name)
    expected = net.state_dict()
    for key, value in again.state_dict().items():
        assert torch.equal(value, expected[key]), key
    if sum(p.numel() for p in net.parameters()) > LARGE:
        # What safetensors asks of tensors, without writing hundreds of megabytes.
        assert len({value.data_ptr() for value in expected.values()}) == len(expected)
        assert all(value.is_contiguous() for value in expected.values())
        return
    save_file({key: value.contiguous() for key, value in expected.items()}, tmp_path / "w.safetensors")
    for value in again.state_dict().values():
        value.zero_()
    load_weights(again, tmp_path / "w.safetensors", print)
    (tmp_path / "w.safetensors").unlink()
    for key, value in again.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_dropout_stands_before_the_last_linear_layer(name: str, net: nn.Module) -> None:
    assert "dropout" in MODELS[name].options
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    bias = torch.zeros(CLASSES) if last.bias is None else last.bias
    seen: list[Tensor] = []
    hook = last.register_forward_hook(lambda _module, _given, found: seen.append(found))
    with hook, noise(net, nn.Dropout, DropoutLinear), torch.no_grad():
        logits = net(images(2, 1, side(name)))
    assert torch.equal(seen[0], bias.expand(2, CLASSES))
    assert torch.equal(logits, seen[0]) != (name in BEHIND_THE_HEAD)


def test_drop_rates_rise_in_a_line_over_the_blocks(name: str, net: nn.Module) -> None:
    rates = [module.rate for module in net.modules() if isinstance(module, StochasticDepth)]
    assert bool(rates) == ("stochastic_depth" in MODELS[name].options)
    assert rates == pytest.approx([NEARLY_ALL * (place + 1) / len(rates) for place in range(len(rates))])


def test_a_dropped_branch_leaves_the_skip(name: str, net: nn.Module) -> None:
    blocks = [module for module in net.modules() if any(isinstance(m, StochasticDepth) for m in module.children())]
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor], found: Tensor) -> None:
        seen.extend((given[0], found))

    for block in blocks[-1:]:
        with block.register_forward_hook(keep), noise(net, StochasticDepth), torch.no_grad():
            net(images(2, 1, side(name)))
    assert all(torch.equal(given, found) for given, found in zip(seen[::2], seen[1::2], strict=True))


@pytest.mark.parametrize(
    ("asked", "changes", "message"),
    [
        ("mini-resnet-v7", {}, "unknown model 'mini-resnet-v7'; did you mean mini-resnet-v6?"),
        ("cnn", {"options": {"depth": 3}}, "unknown option 'depth' for model cnn; known: dropout"),
        (
            "resnet18",
            {"options": {"stochastic_deph": 0.1}},
            "unknown option 'stochastic_deph' for model resnet18; did you mean stochastic_depth?",
        ),
        ("resnet18", {"options": {"block": 1}}, "unknown option 'block' for model resnet18; known: attention, "),
        ("mini-resnet-v4", {"options": {"layers": [8]}}, "unknown option 'layers' for model mini-resnet-v4; known: "),
        (
            "resnet18",
            {"options": {"classes": 1}},
            "option classes of model resnet18 is set from the data",
        ),
        ("cnn", {"options": {"dropout": "half"}}, "option dropout of model cnn must be a number, not 'half'"),
        ("cnn", {"options": {"dropout": True}}, "option dropout of model cnn must be a number, not True"),
        ("cnn", {"options": {"dropout": 1.0}}, "option dropout is 1.0; it must be at least 0 and below 1"),
        (
            "resnet18",
            {"options": {"zero_init_residual": 1}},
            "option zero_init_residual of model resnet18 must be true or false, not 1",
        ),
        ("compact-resnet", {"options": {"width_factor": 0}}, "option width_factor is 0; it must be above 0"),
        ("resnet18", {"options": {"width_factor": 17}}, "option width_factor is 17; it must be above 0"),
        ("cnn", {"stem": "3x3"}, "model cnn has no choice of stem; stem=3x3 works for resnet18, resnet34, resnet50"),
        ("resnet18", {"stem": "5x5"}, "unknown stem '5x5'; known: auto, 3x3, 7x7"),
        ("resnet50", {"options": {"attention": "sea"}}, "unknown attention 'sea'; did you mean se?"),
        ("seresnet50", {"options": {"attention": "cbam"}}, "unknown option 'attention' for model seresnet50; known: "),
        ("resnet18", {"options": {"head": [0]}}, "option head is [0]; it must be the sizes of hidden layers, such as"),
        ("resnet18", {"options": {"head": "big"}}, "option head is 'big'; it must be the sizes of hidden layers"),
        ("resnet18", {"options": {"head_activation": "tan"}}, "unknown head_activation 'tan'; known: gelu, none, relu"),
        ("cifar-resnet20", {"options": {"shortcut": "c"}}, "unknown shortcut 'c'; known: a, b"),
        ("cifar-resnet20", {"stem": "7x7"}, "model cifar-resnet20 has no choice of stem; stem=7x7 works for "),
        ("vgg16-bn", {"options": {"form": "tiny"}}, "unknown form 'tiny' of model vgg16-bn; known: auto, published, "),
        ("efficientnet-b0", {"options": {"dropout": 1}}, "option dropout is 1; it must be at least 0 and below 1"),
        ("vit-tiny", {"width": 32}, "vit-tiny takes square images, not 28 x 32; data.size=28 crops them"),
        (
            "vit-tiny",
            {"options": {"patch_size": 5}},
            "vit-tiny: patches of 5 x 5 pixels do not divide images of 28 x 28",
        ),
        (
            "vit-tiny",
            {"height": 29, "width": 29},
            "vit-tiny: no patches divide images of 29 x 29 into 4 a side or more; ",
        ),
        ("unet", {"options": {"base_channels": 0.5}}, "option base_channels is 0.5; it must be a whole number from 1"),
        ("unet", {"height": 7}, "unet takes images of at least 8 x 8 pixels, not 7 x 28"),
        ("lenet", {"height": 11}, "lenet takes images of at least 12 x 12 pixels, not 11 x 28"),
        ("alexnet-small", {"height": 7}, "alexnet-small takes images of at least 8 x 8 pixels, not 7 x 28"),
        ("cnn", {"height": 3}, "cnn takes images of at least 4 x 4 pixels, not 3 x 28"),
        ("cnn", {"channels": 0}, "channels is 0; a model needs at least 1"),
        ("compact-resnet", {"height": 5}, "model compact-resnet does not work on 1 x 5 x 28 images: RuntimeError: "),
        ("cnn", {"pretrained": True}, "model cnn has no published weights; pretrained=true works for vgg11-bn"),
        ("cnn", {"pretrained": True, "weights": Path("x.pth")}, "pretrained and weights exclude each other"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(asked: str, changes: dict[str, object], message: str) -> None:
    given = {"channels": 1, "classes": 10, "height": 28, "width": 28} | changes
    with pytest.raises(ModelError, match="^" + re.escape(message)) as caught:
        build(asked, **given)
    assert "\n" not in str(caught.value)


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
