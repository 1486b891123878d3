"""Layers, costs, receptive fields: against closed forms, torch's own counter, and what really happens."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sightlab.errors import ModelError
from sightlab.lens.blocks import fold_repeats
from sightlab.lens.receptive_field import Field, Span, groups
from sightlab.lens.structure import Structure, read_shape, structure
from sightlab.lens.tracer import trace
from sightlab.models import MODELS, build
from sightlab.models.cost import NoFirstWeights

Window = tuple[int, int, int, int]
windows = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.integers(1, 2))


@cache
def on_paper(name: str, channels: int, size: int, classes: int = 10) -> nn.Module:
    """A network without numbers: shapes and counts are all it is asked for."""
    with torch.device("meta"), NoFirstWeights():
        return build(name, channels=channels, classes=classes, height=size, width=size).eval()


@cache
def found(name: str, channels: int, size: int) -> Structure:
    return structure(on_paper(name, channels, size), (channels, size, size))


def shape_for(name: str, channels: int, size: int) -> tuple[str, int, int]:
    """The shape, or a larger one for a network that does not take images so small."""
    try:
        on_paper(name, channels, size)
    except ModelError:
        return name, channels, 227
    return name, channels, size


GREY, COLOUR = (1, 28), (3, 32)
QUICK = ("cnn", "compact-resnet", "mini-resnet-v4", "resnet18", "vit-tiny")
DEEP = ("101", "110", "152", "large", "base", "vgg", "alexnet", "34", "44", "56", "vit-small", "preact-resnet50")
LARGE = (*DEEP, "cifar-resnet32", "mini-resnet-v3", "mini-resnet-v5")
CASES = [
    pytest.param(name, GREY, marks=pytest.mark.slow if any(part in name for part in LARGE) else ()) for name in MODELS
] + [pytest.param(name, COLOUR, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_costs_are_torchs_own_counts(name: str, shape: tuple[int, int]) -> None:
    """Multiply-adds are half of its counter's operations; each parameter is in one layer and in no other."""
    case = shape_for(name, *shape)
    net, seen = on_paper(*case), found(*case)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *seen.shape, device="meta"))
    assert 2 * seen.macs == counter.get_total_flops()
    assert sum(layer.parameters for layer in seen.layers) == seen.parameters
    assert seen.parameters == sum(p.numel() for p in net.parameters())
    assert seen.classes == 10


@pytest.mark.parametrize(
    "name", ["resnet18", *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet34", "resnet50"))]
)
def test_costs_of_large_images_are_torchs_own_counts(name: str) -> None:
    net = on_paper(name, 3, 224)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, 224, 224, device="meta"))
    assert 2 * found(name, 3, 224).macs == counter.get_total_flops()


def test_costs_are_those_that_torchvision_publishes() -> None:
    """Billions of multiply-adds with 1,000 classes, from its table of weights."""
    for name, billions in [("resnet18", 1.814), ("resnet34", 3.664), ("resnet50", 4.089)]:
        seen = structure(on_paper(name, 3, 224, classes=1000), (3, 224, 224))
        assert seen.macs / 1e9 == pytest.approx(billions, abs=6e-4)


@pytest.mark.parametrize(("name", "depth"), [("resnet18", 18), ("resnet34", 34), ("resnet50", 50), ("cnn", 5)])
def test_depth_is_the_number_in_the_name(name: str, depth: int) -> None:
    assert found(name, 1, 28).depth == depth


# --- the tables of the papers ---


def table(seen: Structure, kinds: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Of the layers of these kinds: kernel, stride, padding, channels, size of the output."""
    rows: list[tuple[object, ...]] = []
    for layer in seen.layers:
        if layer.kind in kinds and layer.window and layer.size:
            window = layer.window
            rows.append((window.kernel[0], window.stride[0], window.padding[0], layer.channels[1], layer.size[0]))
    return rows


@pytest.mark.parametrize("channels", [1, 3])
def test_resnet18_has_the_layers_of_its_table(channels: int) -> None:
    """He et al. 2016, table 1: 56 x 56 two blocks of 64, then 28, 14 and 7 with twice the width each."""
    seen = found("resnet18", channels, 224)
    expected = [(7, 2, 3, 64, 112), (3, 2, 1, 64, 56), *[(3, 1, 1, 64, 56)] * 4]
    for width, size in [(128, 28), (256, 14), (512, 7)]:
        expected += [
            (3, 2, 1, width, size),
            (3, 1, 1, width, size),
            (1, 2, 0, width, size),
            *[(3, 1, 1, width, size)] * 2,
        ]
    assert table(seen, ("convolution", "pool")) == [*expected, (7, 7, 0, 512, 1)]
    assert seen.receptive_field == (435, 435)
    assert [layer.output for layer in seen.layers[-2:]] == [(512, 1, 1), (10,)]


@pytest.mark.skipif("alexnet" not in MODELS, reason="no alexnet in the table of models")
def test_alexnet_has_the_layers_of_its_table() -> None:
    """Krizhevsky et al. 2012, section 3.5, as one tower."""
    seen = found("alexnet", 3, 227)
    first = [(11, 4, 0, 96, 55), (5, 1, 2, 256, 27), (3, 1, 1, 384, 13), (3, 1, 1, 384, 13)]
    assert table(seen, ("convolution",)) == [*first, (3, 1, 1, 256, 13)]
    assert sum(layer.kind == "linear" for layer in seen.layers) == 3
    # Araujo et al. 2019, table 1: alexnet_v2.
    assert seen.receptive_field == (195, 195)
    assert seen.last_map is not None
    assert seen.last_map.jump == (32, 32)


def test_vgg16_sees_what_the_paper_says() -> None:
    """Araujo et al. 2019, table 1: vgg_16, receptive field 212, effective stride 32."""
    layers: list[nn.Module] = []
    for count in (2, 2, 3, 3, 3):
        layers += [nn.LazyConv2d(4, 3, padding=1) for _ in range(count)]
        layers.append(nn.MaxPool2d(2))
    net = nn.Sequential(*layers)
    net(torch.zeros(1, 3, 64, 64))
    seen = structure(net, (3, 64, 64))
    assert seen.receptive_field == (212, 212)
    assert seen.layers[-1].jump == (32, 32)


# --- receptive fields ---


@given(st.lists(windows, max_size=8))
def test_a_chain_of_windows_has_the_field_of_the_closed_form(chain: list[Window]) -> None:
    """Araujo et al. 2019, equations 2 and 5, a dilated kernel counting as d (k - 1) + 1."""
    span, stride, size, start = Span(), 1, 1, 0
    for kernel, step, padding, dilation in chain:
        span = span.window(kernel, step, padding, dilation)
        size += dilation * (kernel - 1) * stride
        start -= padding * stride
        stride *= step
    assert (span.size, span.jump, span.first) == (size, stride, start)


def reached(field: Field, row: int, column: int) -> Tensor:
    """Which places of a map can depend on one pixel. bool [H, W]."""
    sees = [
        torch.tensor([span.first + u * span.jump <= pixel <= span.last + u * span.jump for u in range(count)])
        for span, pixel, count in zip((field.rows, field.columns), (row, column), field.grid, strict=True)
    ]
    return sees[0][:, None] & sees[1]


@pytest.mark.parametrize("pixel", [(47, 50), (0, 95)])
@pytest.mark.parametrize("name", ["cnn", "compact-resnet", "mini-resnet-v4", "resnet18"])
def test_what_is_not_a_number_spreads_over_the_stated_fields_exactly(name: str, pixel: tuple[int, int]) -> None:
    """One pixel is NaN: so is every place whose field holds it, to the very border, and none besides.

    In double precision, where torch computes convolutions window by window.
    """
    torch.manual_seed(0)
    net = build(name, channels=1, classes=10, height=96, width=96).double()
    image = torch.zeros(1, 1, 96, 96, dtype=torch.float64)
    layers = trace(net, image).layers
    image[0, 0, *pixel] = math.nan
    kept = trace(net, image, range(len(layers))).kept
    for place, layer in enumerate(layers):
        spoiled = kept[place].isnan()
        if layer.jump == (0, 0):
            assert spoiled.all(), layer.name
        else:
            assert torch.equal(spoiled[0].any(dim=0), reached(layer.field, *pixel)), layer.name


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1), st.integers(1, 2), st.integers(4, 9))
def test_a_transposed_convolution_stays_inside_its_field(k: int, s: int, p: int, d: int, pixel: int) -> None:
    """After one of stride 6, so that every step back is a whole one."""
    first = nn.Conv2d(1, 1, 5, stride=6, padding=1)
    net = nn.Sequential(first, nn.ConvTranspose2d(1, 1, k, s, min(p, (k - 1) * d), dilation=d)).double()
    image = torch.zeros(1, 1, 30, 30, dtype=torch.float64)
    layer = trace(net, image).layers[1]
    image[0, 0, pixel, pixel + 9] = math.nan
    spoiled = net(image)[0, 0].isnan()
    held = reached(layer.field, pixel, pixel + 9)
    assert not (spoiled & ~held).any()
    assert layer.receptive_field[0] <= 5 + 6 * math.ceil(d * (k - 1) / s)


@given(st.lists(st.integers(1, 6), max_size=5), st.data())
def test_axes_are_paired_by_size_without_rest(sizes: list[int], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(sizes)), max_size=3).map(sorted))
    edges = [0, *cuts, len(sizes)]
    after = tuple(math.prod(sizes[a:b]) for a, b in pairwise(edges))
    pairs = groups(tuple(sizes), after)
    assert [axis for old, _ in pairs for axis in old] == list(range(len(sizes)))
    assert [axis for _, new in pairs for axis in new] == list(range(len(after)))
    for old, new in pairs:
        assert math.prod(sizes[axis] for axis in old) == math.prod(after[axis] for axis in new)


class Gated(nn.Module):
    """A convolution, squeeze and excitation (Hu et al. 2018), a convolution; given as a map."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(1, 4, 3)
        self.gate = nn.Conv2d(4, 4, 1)
        self.after = nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        return torch.as_tensor(self.after(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()))


def test_after_a_gate_made_of_the_whole_map_all_is_seen() -> None:
    seen = structure(Gated(), (1, 12, 12))
    fields = {layer.name: (layer.receptive_field, layer.jump) for layer in seen.layers}
    assert fields["before"] == ((3, 3), (1, 1))
    assert fields["mean"] == fields["gate"] == fields["mul"] == fields["after"] == ((12, 12), (0, 0))


def test_the_way_to_a_gate_does_not_count_as_depth() -> None:
    assert structure(Gated(), (1, 12, 12)).depth == 2


def test_the_field_of_a_group_norm_is_that_of_its_window_and_says_so() -> None:
    seen = structure(nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4)), (1, 8, 8))
    assert seen.receptive_field == (3, 3)
    assert "statistics run over all positions" in seen.layers[1].note


class There(nn.Module):
    """There and back: a small U-Net (Ronneberger et al. 2015), given as a map."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
        self.deep = nn.Conv2d(3, 4, 3, padding=1)
        self.up2, self.up1 = nn.ConvTranspose2d(4, 3, 2, 2), nn.ConvTranspose2d(6, 2, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        back = torch.cat([self.up2(self.deep(F.avg_pool2d(second, 2))), second], 1)
        return torch.cat([self.up1(back), first], 1)


def test_there_and_back_again_no_place_sees_more_than_is_said() -> None:
    net = There().double()
    image = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    layers = trace(net, image).layers
    image[0, 0, 13, 18] = math.nan
    kept = trace(net, image, range(len(layers))).kept
    for place, layer in enumerate(layers):
        spoiled, held = kept[place][0].isnan().any(dim=0), reached(layer.field, 13, 18)
        assert not (spoiled & ~held).any(), layer.name
    assert layers[-1].jump == (1, 1)
    # 10 + 4 * 2 pixels before the way back, which adds less than a step of 4 and one of 2.
    assert 18 <= layers[-1].receptive_field[0] <= 18 + 3 + 1


class Tokens(nn.Module):
    """Patches as tokens, a layer on each, attention among them, their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.place = nn.Parameter(torch.zeros(1, 9, 8))
        self.each = nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.each(self.patches(x).flatten(2).transpose(1, 2) + self.place)
        return torch.as_tensor(self.head(self.attention(tokens, tokens, tokens)[0].mean(1)))


def test_a_token_sees_its_patch_until_attention() -> None:
    seen = structure(Tokens(), (1, 12, 12))
    fields = {layer.kind: (layer.receptive_field, layer.jump) for layer in seen.layers}
    assert fields["convolution"] == fields["learned"] == ((4, 4), (4, 4))
    assert fields["attention"] == fields["pool"] == ((12, 12), (0, 0))
    # 9 tokens of 8: patches, each, queries keys and values and their projection, two products of 9 x 9 x 8, head.
    assert seen.macs == 9 * 8 * 16 + 9 * 64 + 9 * 256 + 2 * 9 * 9 * 8 + 24
    assert sum(layer.parameters for layer in seen.layers) == seen.parameters


# --- what networks do ---


class Again(nn.Module):
    """One convolution three times, and one that is never used: the mistake of a published ResNet-20."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.idle = nn.Conv2d(1, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = F.relu(self.conv(x), inplace=True)
        return x.flatten(1)


def test_a_module_used_again_stands_there_again_and_says_so() -> None:
    seen = structure(Again(), (1, 5, 5))
    rows = [(layer.name, layer.parameters, layer.note) for layer in seen.layers if layer.kind == "convolution"]
    shared = "shares the weights of conv"
    assert rows == [("conv", 10, ""), ("conv (2)", 0, shared), ("conv (3)", 0, shared)]
    assert seen.parameters == 20
    why = "an auxiliary head, or a module that is never called"
    assert seen.notes == (f"10 parameters are unused in the forward pass: {why}",)
    assert seen.depth == 3


class Bare(nn.Module):
    """No module inside: weights and functions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, stride=2, dilation=2).amax((2, 3)) / 3


def test_plain_functions_are_layers_too() -> None:
    seen = structure(Bare(), (1, 9, 9))
    assert [(layer.name, layer.kind, layer.output) for layer in seen.layers] == [
        ("conv2d", "convolution", (2, 3, 3)),
        ("amax", "pool", (2,)),
    ]
    assert seen.layers[0].receptive_field == (5, 5)
    assert seen.parameters == seen.layers[0].parameters == 18


class Hidden(nn.Module):
    """Twice a tensor, in a way that torch does not see."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(2 * x.numpy())


def test_what_cannot_be_looked_into_is_one_layer_that_says_so() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), Hidden(), nn.Flatten(), nn.Linear(18, 3))
    seen = structure(net, (1, 5, 5))
    assert [layer.operation for layer in seen.layers] == ["convolution", "Hidden", "linear"]
    assert "cannot be traced" in seen.layers[1].note


def test_a_network_is_left_as_it_was() -> None:
    net = build("mini-resnet-v1", channels=1, classes=10, height=28, width=28).train()
    net.bn1.eval()  # type: ignore[union-attr]
    modes = [module.training for module in net.modules()]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    random = torch.get_rng_state()
    structure(net, (1, 28, 28))
    structure("mini-resnet-v1")
    with pytest.raises(ModelError):
        structure(net, (2, 28, 28))
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (nn.Identity(), "are not computed from its image"),
        (nn.Conv2d(1, 1, 9), "does not work on 1 x 8 x 8 images"),
    ],
)
def test_what_has_no_structure_is_told_in_one_line(net: nn.Module, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        structure(net, (1, 8, 8))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_a_scripted_network_is_refused() -> None:
    with pytest.raises(ModelError, match="scripted"):
        structure(torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(64, 3))), (1, 8, 8))


@pytest.mark.parametrize("text", ["28x28", "1x28x28x1", "0x28x28", "1xax28", "1x-2x28", "", "1x28x99999", "1x²x3"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="CHANNELSxHEIGHTxWIDTH"):
        read_shape(text)


@given(st.tuples(*[st.integers(1, 10_000)] * 3))
def test_a_size_is_read_as_it_is_written(shape: tuple[int, int, int]) -> None:
    assert read_shape("x".join(map(str, shape))) == shape


@given(st.text("abc", max_size=30))
def test_unfolding_what_was_folded_gives_it_back(text: str) -> None:
    found = fold_repeats(text, str)
    assert "".join("".join(pattern) * count for pattern, count in found) == text
    assert all(count >= 1 for _, count in found)
