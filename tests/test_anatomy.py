"""Anatomy of networks: families, stages on a grid, blocks by depth, activations."""

from __future__ import annotations

from typing import Any, cast

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.lens.anatomy import Anatomy, activations, anatomy_of
from sightlab.models import MODELS, build

LARGE = ("resnet101", "resnet152", "seresnet101", "vit-base", "alexnet", "study1-alexnet")  # slow, or above 32 pixels
DEEP = ("resnet34", "resnet50", "preact-resnet18", "cifar-resnet56", "mobilenet-v3-large", "efficientnet-b0")
# Model of the table -> blocks, as its paper or torchvision's code counts them.
BLOCKS = {
    "resnet18": 8,
    "resnet34": 16,
    "resnet50": 16,
    "preact-resnet18": 8,
    "cifar-resnet20": 9,
    "cifar-resnet56": 27,
    "densenet121": 4,
    "mobilenet-v3-small": 11,
    "mobilenet-v3-large": 15,
    "efficientnet-b0": 16,
    "vit-tiny": 12,
    "vgg11-bn": 8,
    "mini-resnet-v4": 8,
    "lenet": 2,
}


def network(name: str, side: int = 32) -> nn.Module:
    """A model of the table for grey images and ten classes, in eval mode."""
    return build(name, channels=1, classes=10, height=side, width=side).eval()


def modules_of(anatomy: Anatomy) -> list[str]:
    """The names of its blocks."""
    return [block.module for block in anatomy.blocks]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name for name in BLOCKS]
)
def test_blocks_follow_the_depth_that_the_paper_counts(name: str) -> None:
    anatomy = anatomy_of(network(name), (1, 32, 32))
    assert len(anatomy.blocks) == BLOCKS[name]
    depths = [block.depth for block in anatomy.blocks]
    assert depths == sorted(depths)
    assert anatomy.family == ("transformer" if name.startswith("vit") else "cnn")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in LARGE])
@pytest.mark.parametrize("side", [28, 32])
def test_every_stage_of_every_model_turns_into_maps(name: str, side: int) -> None:
    net = network(name, side)
    anatomy = anatomy_of(net, (1, side, side))
    with torch.no_grad(), activations(net, [stage.module for stage in anatomy.stages]) as kept:
        net(torch.randn(2, 1, side, side))
    for stage in anatomy.stages:
        assert stage.as_maps(kept[stage.module]).shape == (2, stage.channels, *stage.grid), stage
    assert set(anatomy.blocks) <= set(anatomy.trunk) <= set(anatomy.stages)
    assert anatomy.blocks


@pytest.mark.parametrize(
    ("name", "options", "family", "blocks", "prefix"),
    [
        ("vit_tiny_patch16_224", {"img_size": 64}, "transformer", 12, 1),
        ("deit_tiny_distilled_patch16_224", {"img_size": 64}, "transformer", 12, 2),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56}, "transformer", 12, 5),
        ("mixer_s32_224", {}, "mixer", 8, 0),
        ("swin_tiny_patch4_window7_224", {"embed_dim": 24, "num_heads": (1, 2, 4, 8)}, "transformer", 12, 0),
        ("convnext_atto", {}, "cnn", 12, 0),
        ("tf_efficientnet_lite0", {}, "cnn", 15, 0),
    ],
)
def test_networks_of_timm(name: str, options: dict[str, Any], family: str, blocks: int, prefix: int) -> None:
    net = timm.create_model(name, pretrained=False, **options).eval()
    side = options.get("img_size", 224)
    anatomy = anatomy_of(net, (3, side, side))
    assert (anatomy.family, len(anatomy.blocks), anatomy.blocks[-1].prefix) == (family, blocks, prefix)


def test_a_network_that_sorts_its_tokens_by_windows_has_only_the_stages_before() -> None:
    net = timm.create_model("hiera_tiny_224", pretrained=False, embed_dim=16, num_heads=1).eval()
    stages = [stage.module for stage in anatomy_of(net, (3, 224, 224)).stages]
    assert "patch_embed" in stages
    assert not any(module.startswith("blocks") for module in stages)


class Padded(nn.Module):
    """Pads on the right and at the bottom alone, as networks from TensorFlow do, then halves twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2)
        self.second = nn.Conv2d(4, 6, 3, stride=2)
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 5]."""
        x = F.relu(self.first(F.pad(images, (0, 1, 0, 1))))
        x = F.relu(self.second(F.pad(x, (0, 1, 0, 1))))
        return cast(Tensor, self.head(x.mean((2, 3))))


def test_padding_by_a_function_keeps_the_grid_of_images_that_are_not_square() -> None:
    anatomy = anatomy_of(Padded(), (3, 16, 24))
    assert [(stage.module, stage.grid) for stage in anatomy.blocks] == [("first", (8, 12)), ("second", (4, 6))]


class Again(nn.Module):
    """One convolution and one pool that run twice each, and a block that gives a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.same = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.pair = Pair()
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, 3]."""
        x = self.pool(self.same(self.stem(images)))
        x = self.pool(self.same(x))
        x, _ = self.pair(x)
        return cast(Tensor, self.head(x.mean((2, 3))))


class Pair(nn.Module):
    """A residual block that also gives what it added."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 4, H, W] -> the same shape twice."""
        added = self.conv(x)
        return x + added, added


def test_a_module_that_runs_twice_counts_by_its_last_run_and_a_tuple_by_its_first_tensor() -> None:
    net = Again().eval()
    anatomy = anatomy_of(net, (1, 12, 20))
    grids = {stage.module: stage.grid for stage in anatomy.stages}
    assert grids == {"stem": (12, 20), "same": (6, 10), "pool": (3, 5), "pair": (3, 5), "pair.conv": (3, 5)}
    assert modules_of(anatomy) == ["pair"]
    with activations(net, ["pool", "pair"]) as kept:
        net(torch.randn(2, 1, 12, 20))
    assert kept["pool"].shape == kept["pair"].shape == (2, 4, 3, 5)
    torch.testing.assert_close(kept["pair"], kept["pool"] + net.pair.conv(kept["pool"]))


class Encoder(nn.Module):
    """torch's own encoder, with its default order of axes: tokens before images."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(1, 16, 4, stride=4)
        self.class_token = nn.Parameter(torch.randn(1, 1, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, 3]."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), tokens], 1)
        if self.batch_first:
            return cast(Tensor, self.head(self.encoder(tokens)[:, 0]))
        return cast(Tensor, self.head(self.encoder(tokens.transpose(0, 1))[0]))


@pytest.mark.parametrize("batch_first", [True, False])
def test_encoder_layers_of_torch_are_blocks_in_either_order_of_axes(batch_first: bool) -> None:
    net = Encoder(batch_first=batch_first).eval()
    anatomy = anatomy_of(net, (1, 8, 16))
    assert modules_of(anatomy) == [f"encoder.layers.{place}" for place in range(3)]
    assert anatomy.attention == tuple(f"encoder.layers.{place}.self_attn" for place in range(3))
    assert {(block.grid, block.prefix, block.channels) for block in anatomy.blocks} == {((2, 4), 1, 16)}
    with torch.no_grad(), activations(net, modules_of(anatomy)) as kept:
        net(torch.randn(5, 1, 8, 16))
    last = anatomy.blocks[-1]
    assert last.layout == ("tokens" if batch_first else "tokens-first")
    assert last.as_maps(kept[last.module]).shape == (5, 16, 2, 4)


def test_tokens_become_maps_in_the_order_of_the_image() -> None:
    net = Encoder(batch_first=False).eval()
    stage = anatomy_of(net, (1, 8, 16)).blocks[0]
    tokens = torch.arange(9.0).reshape(9, 1, 1).expand(9, 2, 16)
    assert stage.as_maps(tokens)[1, 0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


class Shuffled(nn.Module):
    """Tokens that leave the image's order: as long as before, and in other places."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 2, stride=2)
        self.before = nn.Linear(8, 8)
        self.after = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, 8, 8] -> [N, 3]."""
        tokens = self.before(self.patches(images).flatten(2).transpose(1, 2))
        windows = tokens.reshape(len(images), 2, 2, 2, 2, 8).permute(0, 2, 4, 1, 3, 5)
        shuffled = windows.reshape(len(images), 16, 8)
        return cast(Tensor, self.head(self.after(shuffled).mean(1)))


def test_tokens_in_another_order_than_the_image_are_no_stage() -> None:
    named = [stage.module for stage in anatomy_of(Shuffled(), (1, 8, 8)).stages]
    assert "before" in named
    assert "after" not in named


def test_what_comes_after_in_place_does_not_show_in_an_activation() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Flatten())
    images = torch.randn(1, 1, 4, 4)
    with activations(net, ["0"]) as kept:
        logits = net(images)
    assert torch.equal(kept["0"], net[0](images))
    (gradient,) = torch.autograd.grad(logits.sum(), kept["0"])
    assert torch.equal(gradient, (kept["0"] > 0).float())
    assert not net[0]._forward_hooks


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3)),
        nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten(), nn.Linear(4, 3)),
    ],
    ids=["perceptron", "one position"],
)
def test_a_network_without_maps_has_no_family(net: nn.Module) -> None:
    assert anatomy_of(net, (1, 8, 8)) == Anatomy("none", (), (), ())


def test_modes_and_gradients_are_left_as_they_were() -> None:
    net = network("vit-tiny").train()
    anatomy_of(net, (1, 32, 32))
    assert all(module.training for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_a_network_that_cannot_take_the_images_is_refused() -> None:
    with pytest.raises(ModelError, match="does not work on 3 x 8 x 8 images"):
        anatomy_of(nn.Conv2d(1, 1, 1), (3, 8, 8))
