"""The families one by one: published parameter counts, torchvision's answers, what each promises of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sightlab.errors import ModelError
from sightlab.models import build, parameter_count
from sightlab.models.attention import CBAM, SqueezeExcitation
from sightlab.models.cost import NoFirstWeights
from sightlab.models.regularise import StochasticDepth, depth_rates
from sightlab.models.residual_blocks import ZeroPadding


def mini_parameters(layers: tuple[int, ...]) -> int:
    """The sum over the layers that the study lists: convolutions with biases, batch norms, skips, the linear layer."""

    def conv(before: int, after: int, size: int) -> int:
        return before * after * size * size + after

    total, before = conv(1, 32, 7) + 2 * 32, 32
    for after in layers:
        total += conv(before, after, 3) + 3 * conv(after, after, 3) + 4 * 2 * after
        total += conv(before, after, 1) if before != after else 0
        before = after
    return total + before * 10 + 10


@pytest.mark.parametrize(
    ("version", "layers"),
    [
        (1, (32,)),
        (2, (32, 32)),
        (3, (32, 32, 64)),
        (4, (32, 32, 64, 64)),
        (5, (32, 32, 64, 64, 128)),
        (6, (32, 32, 64, 64, 128, 128)),
    ],
)
def test_a_mini_resnet_has_the_parameters_of_its_layers(version: int, layers: tuple[int, ...]) -> None:
    net = build(f"mini-resnet-v{version}", channels=1, classes=10, height=28, width=28)
    assert parameter_count(net) == mini_parameters(layers)


def test_mini_resnet_v4_has_the_published_parameters() -> None:
    assert parameter_count(build("mini-resnet-v4", channels=1, classes=10, height=28, width=28)) == 356_938


def training_flops(name: str) -> int:
    """What an image of 28 x 28 costs in training: forward, gradient of the inputs, gradient of the weights."""
    net = build(name, channels=1, classes=10, height=28, width=28)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 1, 28, 28))
    return 3 * int(counter.get_total_flops())


def test_mini_resnet_v4_costs_what_its_layers_do() -> None:
    # Multiplications by output places: the stem at 14 x 14, two layers there, one that halves them, one at 7 x 7.
    stem, wide = 7 * 7 * 32 * 14 * 14, 9 * 32 * 32 * 14 * 14
    halving, small = (9 + 1) * 32 * 64 * 7 * 7, 9 * 64 * 64 * 7 * 7
    assert training_flops("mini-resnet-v4") == 3 * 2 * (stem + 8 * wide + halving + 7 * small + 64 * 10)


def test_logits_of_a_mini_resnet_can_be_negative() -> None:
    # As published a ReLU followed the last linear layer, and outputs died.
    torch.manual_seed(0)
    net = build("mini-resnet-v4", channels=1, classes=10, height=28, width=28)
    with torch.no_grad():
        assert net(torch.randn(8, 1, 28, 28)).min() < 0


def answers_alike(theirs: nn.Module, ours: nn.Module, state: dict[str, Tensor], size: tuple[int, int]) -> None:
    """Hold our model, with this state, to another library's answers, batch norms and all."""
    torch.manual_seed(1)
    batch = torch.randn(2, 3, *size)
    with torch.no_grad():
        theirs.train()(batch)  # batch-norm statistics that are not all 0 and 1
        ours.load_state_dict(state)
        expected = theirs.eval()(batch)
        assert expected.std() > 0
        assert (ours.eval()(batch) - expected).abs().max() <= 1e-5 * max(1.0, expected.abs().max().item())


DEEPER = [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet34", "resnet101", "resnet152")]


@pytest.mark.parametrize("name", ["resnet18", "resnet50", *DEEPER])
def test_a_resnet_answers_as_torchvision_does(name: str) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, weights=None)
    ours = build(name, channels=3, classes=1000, height=65, width=48)
    answers_alike(theirs, ours, theirs.state_dict(), (65, 48))


def test_seresnet50_takes_timms_weights_and_answers_as_timm_does(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("seresnet50")
    with torch.no_grad():
        theirs.train()(torch.randn(2, 3, 65, 65))
        save_file(theirs.state_dict(), tmp_path / "w.safetensors")
        ours = build("seresnet50", channels=3, classes=1000, height=65, width=65, weights=tmp_path / "w.safetensors")
        batch = torch.randn(2, 3, 65, 65)
        assert (ours.eval()(batch) - theirs.eval()(batch)).abs().max() <= 1e-5
    (tmp_path / "w.safetensors").unlink()


def preact_name(theirs: str) -> str:
    """Our name for a tensor of timm's resnetv2."""
    name = re.sub(r"^stages\.(\d)\.blocks", r"layers.\1", theirs.replace("stem.conv.", "conv1."))
    name = (
        re.sub(r"(norm|conv)(\d)\.(?=\w+$)", lambda m: f"{m[1]}s.{int(m[2]) - 1}.", name) if "layers" in name else name
    )
    return re.sub(r"^norm\.", "bn.", name.replace("norms.", "bns.").replace("downsample.conv.", "downsample.")).replace(
        "head.fc.", "fc."
    )


@pytest.mark.parametrize(("name", "timms"), [("preact-resnet18", "resnetv2_18"), ("preact-resnet50", "resnetv2_50")])
def test_a_preactivation_resnet_answers_as_timms_does(name: str, timms: str) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model(timms, num_classes=7)
    ours = build(name, channels=3, classes=7, height=65, width=48)
    batch = torch.randn(2, 3, 65, 48)
    with torch.no_grad():
        theirs.train()(batch)
        state = {preact_name(key): value for key, value in theirs.state_dict().items()}
        ours.load_state_dict({key: value.view(ours.state_dict()[key].shape) for key, value in state.items()})
        expected = theirs.eval()(batch)
        assert (ours.eval()(batch) - expected).abs().max() <= 1e-5 * max(1.0, expected.abs().max().item())


def test_cbam_is_timms() -> None:
    layers = pytest.importorskip("timm.layers.cbam")
    torch.manual_seed(0)
    theirs, ours = layers.CbamModule(64).train(), CBAM(64)
    features = torch.randn(4, 64, 6, 5)
    theirs(features)
    names = {"channel.fc1": "fc1", "channel.fc2": "fc2", "spatial.conv.conv": "conv", "spatial.conv.bn": "bn"}
    state = theirs.state_dict()
    for theirs_name, name in names.items():
        state = {key.replace(f"{theirs_name}.", f"{name}."): value for key, value in state.items()}
    ours.load_state_dict(state)
    assert torch.allclose(ours.eval()(features), theirs.eval()(features), atol=1e-6)


@pytest.mark.parametrize("block", ["resnet18", "preact-resnet18", "cifar-resnet20"])
def test_attention_scales_the_end_of_every_branch(block: str) -> None:
    with torch.device("meta"), NoFirstWeights():
        for attention, kind in (("se", SqueezeExcitation), ("cbam", CBAM), ("none", nn.Identity)):
            net = build(block, channels=1, classes=2, height=28, width=28, options={"attention": attention})
            scaled = [m.attention for m in net.modules() if hasattr(m, "attention")]
            assert len(scaled) == (9 if block == "cifar-resnet20" else 8)
            assert {type(module) for module in scaled} == {kind}


def test_cbam_adds_what_its_layers_have() -> None:
    def extra(channels: int) -> int:
        return 2 * channels * (channels // 16) + 2 * 7 * 7 + 2

    shape = {"channels": 3, "classes": 1000, "height": 224, "width": 224}
    with torch.device("meta"), NoFirstWeights():
        plain = parameter_count(build("resnet50", **shape))
        found = parameter_count(build("resnet50", **shape, options={"attention": "cbam"}))
    assert found - plain == 3 * extra(256) + 4 * extra(512) + 6 * extra(1024) + 3 * extra(2048)
    assert found == pytest.approx(28.09e6, rel=0.001)  # Woo et al. 2018, table 4


def test_a_head_of_hidden_layers_stands_before_the_last() -> None:
    options = {"head": [96, 32], "head_norm": True, "head_activation": "gelu"}
    net = build("resnet18", channels=1, classes=5, height=28, width=28, options=options)
    kinds = [type(module) for module in net.get_submodule("hidden")]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.GELU] * 2
    assert net.get_parameter("hidden.3.weight").shape == (32, 96)
    assert net.get_parameter("fc.weight").shape == (5, 32)


def test_one_hidden_size_may_be_given_as_a_number() -> None:
    net = build("preact-resnet18", channels=1, classes=5, height=28, width=28, options={"head": 64})
    assert net.get_parameter("fc.weight").shape == (5, 64)


@pytest.mark.parametrize("layers", [20, 32, 44, 56, 110])
def test_a_cifar_resnet_has_the_published_parameters(layers: int) -> None:
    published = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7}[layers]  # He et al. 2016, table 6
    with torch.device("meta"), NoFirstWeights():
        net = build(f"cifar-resnet{layers}", channels=3, classes=10, height=32, width=32)
    millions = parameter_count(net) / 1e6
    assert round(millions, 1 if layers == 110 else 2) == published
    # One convolution and one linear layer, and twice n blocks of two in each of three layers.
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in net.modules()) == layers


def test_option_b_adds_two_projections() -> None:
    shape = {"channels": 3, "classes": 10, "height": 32, "width": 32}
    with torch.device("meta"), NoFirstWeights():
        plain = parameter_count(build("cifar-resnet20", **shape))
        found = parameter_count(build("cifar-resnet20", **shape, options={"shortcut": "b"}))
    assert found - plain == (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_option_a_keeps_every_other_place_and_adds_zeros(size: tuple[int, int]) -> None:
    features = torch.randn(2, 3, *size)
    found = ZeroPadding(3, 5, 2)(features)
    assert torch.equal(found[:, :3], nn.functional.max_pool2d(features, 1, stride=2))
    assert found.shape[1] == 5
    assert not found[:, 3:].any()


def test_the_small_stem_is_a_3x3_convolution_without_pool() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None, num_classes=7)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    ours = build("resnet18", channels=3, classes=7, height=32, width=32)
    batch = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        theirs.train()(batch)
        ours.load_state_dict(theirs.state_dict())
        assert (ours.eval()(batch) - theirs.eval()(batch)).abs().max() <= 1e-5


@pytest.mark.parametrize(
    ("height", "width", "stem", "line"),
    [
        (32, 32, 3, "resnet18: 3x3 stem without pooling for 32 x 32 images; stem=7x7 overrides"),
        (64, 64, 3, "resnet18: 3x3 stem without pooling for 64 x 64 images; stem=7x7 overrides"),
        (32, 65, 7, "resnet18: 7x7 stem with pooling for 32 x 65 images; stem=3x3 overrides"),
    ],
)
def test_the_stem_follows_the_image_size_and_is_said_aloud(height: int, width: int, stem: int, line: str) -> None:
    said: list[str] = []
    net = build("resnet18", channels=1, classes=2, height=height, width=width, say=said.append)
    assert net.get_parameter("conv1.weight").shape == (64, 1, stem, stem)
    assert said == [line]


def test_a_stem_that_was_asked_for_is_taken_in_silence() -> None:
    said: list[str] = []
    net = build("resnet18", channels=1, classes=2, height=28, width=28, stem="7x7", say=said.append)
    assert net.get_parameter("conv1.weight").shape == (64, 1, 7, 7)
    assert said == []


def test_a_resnet_starts_with_kaiming_normal_convolutions() -> None:
    torch.manual_seed(0)
    net = build("resnet18", channels=1, classes=2, height=28, width=28)
    weight = net.get_parameter("layer3.0.conv2.weight")
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)
    assert weight.mean().item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_zero_init_residual_makes_every_plain_block_the_identity(name: str) -> None:
    net = build(name, channels=1, classes=2, height=28, width=28, options={"zero_init_residual": True}).train()
    block = net.get_submodule("layer2.1")
    width = 128 if name == "resnet18" else 512
    features = torch.rand(2, width, 5, 5)
    assert torch.equal(block(features), features)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 11), (31, 29), (27, 40)])
def test_the_cnn_takes_any_size(height: int, width: int) -> None:
    net = build("cnn", channels=2, classes=3, height=height, width=width)
    assert net(torch.zeros(1, 2, height, width)).shape == (1, 3)
    assert net.get_parameter("linear1.weight").shape[1] == 64 * (height // 4) * (width // 4)


def test_the_compact_net_costs_what_it_promises() -> None:
    net = build("compact-resnet", channels=1, classes=10, height=28, width=28)
    assert parameter_count(net) == pytest.approx(464_000, rel=0.01)
    assert training_flops("compact-resnet") == pytest.approx(152e6, rel=0.12)


@pytest.mark.parametrize(("factor", "channels"), [(0.1, {16}), (0.5, {16, 48}), (2, {64, 192})])
def test_every_width_of_the_compact_net_fills_vectors_of_16(factor: float, channels: set[int]) -> None:
    net = build("compact-resnet", channels=3, classes=10, height=32, width=32, options={"width_factor": factor})
    assert {module.out_channels for module in net.modules() if isinstance(module, nn.Conv2d)} == channels


@pytest.mark.parametrize("shape", [(64, 3, 5, 5), (64, 9)])
def test_stochastic_depth_is_torchvisions_row_mode(shape: tuple[int, ...]) -> None:
    branch = torch.randn(shape)
    torch.manual_seed(3)
    expected = torchvision.ops.stochastic_depth(branch, 0.3, "row", training=True)
    torch.manual_seed(3)
    assert torch.equal(StochasticDepth(0.3)(branch), expected)


def test_stochastic_depth_does_nothing_in_eval_mode() -> None:
    branch = torch.randn(8, 2)
    assert StochasticDepth(0.9).eval()(branch) is branch


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_drop_rate_outside_its_range_is_refused(rate: float) -> None:
    with pytest.raises(ModelError, match="must be at least 0 and below 1"):
        depth_rates(rate, 4)


def test_a_resnet_of_a_quarter_of_the_width_has_a_sixteenth_of_the_convolutions() -> None:
    """Weights between two layers go with the product of their widths; those of the stem and the head with one."""
    whole, narrow = (
        build("resnet18", channels=3, classes=10, height=32, width=32, options={"width_factor": factor})
        for factor in (1.0, 0.25)
    )

    def inner(net: nn.Module) -> int:
        return sum(m.weight.numel() for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and name != "conv1")

    assert inner(whole) == 16 * inner(narrow)
    weights = narrow.state_dict()
    assert (weights["conv1.weight"].shape[0], weights["fc.weight"].shape[1]) == (16, 128)
