"""The rule that chooses explanations, over the table of models and timm's; attention rollout and LeGrad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError
from sightlab.lens.anatomy import anatomy_of
from sightlab.lens.saliency.choose import SMALLEST, Choice, choose
from sightlab.lens.saliency.methods import METHODS
from sightlab.lens.saliency.target import Target
from sightlab.lens.saliency.transformers import attention_rollout, legrad
from sightlab.models import MODELS, build
from sightlab.models.classifier import Classifier

# Model at 28 pixels -> method and stage of the rule, as its layers and strides give them by hand.
RULE = {
    "cnn": ("grad-cam", "conv2"),  # 14 x 14
    "lenet": ("grad-cam", "conv2"),  # 10 x 10
    "mini-resnet-v4": ("grad-cam", "layers"),  # 7 x 7
    "cifar-resnet20": ("grad-cam", "layer3"),  # 7 x 7
    "resnet18": ("grad-cam", "layer4"),  # 4 x 4: 28 without a pool, halved three times
    "study3-resnet34": ("layer-cam", "layer2"),  # 4 x 4, then 2 x 2 and 1 x 1
    "compact-resnet": ("layer-cam", "body.3.conv"),  # 7 x 7, then its own pool to 3 x 3
    "mobilenet-v3-small": ("grad-cam", "features"),  # 4 x 4
    "vit-tiny": ("legrad", ""),  # 7 x 7 patches
    "unet": ("grad-cam", "merge.2"),  # 28 x 28
}
LARGE = ("alexnet", "study1-alexnet")  # of more than 32 pixels
SMALL_VIT = {"depth": 3, "embed_dim": 24, "num_heads": 2, "num_classes": 5}
# timm's name -> (options of a small one, side of its images, method, stage).
TIMM: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "vit_tiny_patch16_224": ({**SMALL_VIT, "img_size": 64}, 64, "legrad", "blocks.1"),
    "deit_tiny_distilled_patch16_224": ({**SMALL_VIT, "img_size": 64}, 64, "legrad", "blocks.1"),
    "vit_small_patch16_224.dino": ({**SMALL_VIT, "img_size": 64}, 64, "legrad", "blocks.1"),
    "vit_small_patch14_reg4_dinov2": ({**SMALL_VIT, "img_size": 56}, 56, "legrad", "blocks.1"),
    "swin_tiny_patch4_window7_224": (
        {"embed_dim": 12, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 3, 3), "img_size": 128, "num_classes": 5},
        128,
        "grad-cam",
        "norm",
    ),
    "mixer_s32_224": ({"img_size": 128, "num_classes": 5}, 128, "grad-cam", "norm"),
    "convnext_atto": ({"depths": (1, 1, 1, 1), "dims": (4, 8, 8, 16), "num_classes": 5}, 128, "grad-cam", "stages"),
    "tf_efficientnet_lite0": ({"num_classes": 5}, 128, "grad-cam", "bn2"),
}


def target_for(net: nn.Module, shape: tuple[int, int, int], method: str | None = None) -> tuple[Target, Choice]:
    """Two random images, explained for their predicted classes as the rule, or a method, has it."""
    channels, height, width = shape
    classifier = Classifier(net, [0.5] * channels, [0.25] * channels).eval()
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (2, height, width, channels), dtype=torch.uint8, generator=generator)
    anatomy = anatomy_of(net, shape)
    choice = choose(anatomy, method)
    with torch.no_grad():
        classes = classifier(images).argmax(1)
    return Target(classifier, images, classes, anatomy, choice.stage), choice


def state_of(net: nn.Module) -> list[object]:
    """All that an explanation could leave changed: hooks, modes, gradients, fused attention, replaced methods."""
    modules = list(net.modules())
    return [
        [module.training for module in modules],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules],
        [getattr(module, "fused_attn", None) for module in modules],
        ["forward" in vars(module) for module in modules],
        [(parameter.requires_grad, parameter.grad) for parameter in net.parameters()],
    ]


def check_default(net: nn.Module, shape: tuple[int, int, int]) -> Choice:
    """The rule's method gives maps that differ from place to place, and leaves the network as it was."""
    before = state_of(net)
    target, choice = target_for(net, shape)
    maps = METHODS[choice.method].run(target)
    assert maps.shape == (2, *shape[1:])
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
    assert maps.flatten(1).std(1).min() > 0
    assert not maps.requires_grad
    assert state_of(net) == before
    return choice


@pytest.mark.parametrize("name", RULE)
def test_the_rule_by_hand(name: str) -> None:
    torch.manual_seed(0)
    choice = check_default(build(name, channels=1, classes=10, height=28, width=28).eval(), (1, 28, 28))
    assert (choice.method, choice.stage.module if choice.stage else "") == RULE[name]
    assert bool(choice.notes) == (choice.method == "layer-cam")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name not in LARGE])
@pytest.mark.parametrize("side", [28, 32])
def test_every_model_of_the_table_is_explained(name: str, side: int) -> None:
    torch.manual_seed(0)
    choice = check_default(build(name, channels=1, classes=10, height=side, width=side).eval(), (1, side, side))
    assert choice.method == ("legrad" if name.startswith("vit") else choice.method)
    if choice.stage:
        assert min(choice.stage.grid) >= SMALLEST


def timm_net(name: str, options: dict[str, Any]) -> nn.Module:
    """A network of timm with random weights; heads that start at zero are drawn, or nothing would reach the image."""
    torch.manual_seed(0)
    net = timm.create_model(name, pretrained=False, **options).eval()
    for parameter in net.get_classifier().parameters() if isinstance(net.get_classifier(), nn.Module) else ():
        nn.init.normal_(parameter, std=0.1)
    return cast(nn.Module, net)


@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm_are_explained(name: str) -> None:
    options, side, method, stage = TIMM[name]
    net = timm_net(name, options)
    choice = check_default(net, (3, side, side))
    tokens = choose(anatomy_of(net, (3, side, side)), "grad-cam")
    assert (choice.method, tokens.stage.module if tokens.stage else "") == (method, stage)
    target, choice = target_for(net, (3, side, side), "grad-cam")
    assert METHODS["grad-cam"].run(target).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm_in_full_size_are_explained(name: str) -> None:
    options = {"img_size": 98} if "dinov2" in name else {}
    net = timm_net(name, {**options, "num_classes": 10})
    side = options.get("img_size", 224)
    assert check_default(net, (3, side, side)).method == TIMM[name][2]


def rows_of(attention: Tensor, values: Tensor) -> Tensor:
    """[N, heads, L, L] and [N, heads, L, D] -> [N, L, heads * D]."""
    return (attention @ values).transpose(1, 2).flatten(2)


def by_hand(net: Any, images: Tensor, classes: Sequence[int], *, torchvision: bool) -> tuple[Tensor, Tensor]:
    """LeGrad and rollout of a plain ViT from its weights, block by block: float [N, patches] each.

    After Bousselham et al. 2024, section 3 (a score for each block, of the mean of its tokens; the positive gradient by
    its attention, averaged over heads and queries; the mean over blocks) and Abnar and Zuidema 2020, section 3.
    """
    blocks = net.encoder.layers if torchvision else net.blocks
    if torchvision:
        tokens = net._process_input(images)
        tokens = torch.cat([net.class_token.expand(len(images), -1, -1), tokens], 1) + net.encoder.pos_embedding
    else:
        tokens = net._pos_embed(net.patch_embed(images))
    relevance, flow = [], np.broadcast_to(np.eye(tokens.shape[1]), (len(images), tokens.shape[1], tokens.shape[1]))
    for block in blocks:
        tokens = tokens.detach()
        if torchvision:
            first, attend, second = block.ln_1, block.self_attention, block.ln_2
            packed = F.linear(first(tokens), attend.in_proj_weight, attend.in_proj_bias)
            heads, project, mlp = attend.num_heads, attend.out_proj, block.mlp
        else:
            first, attend, second = block.norm1, block.attn, block.norm2
            packed, heads = attend.qkv(first(tokens)), attend.num_heads
            project, mlp = nn.Sequential(attend.proj, block.ls1), nn.Sequential(block.mlp, block.ls2)
        query, key, value = packed.reshape(len(images), tokens.shape[1], 3, heads, -1).permute(2, 0, 3, 1, 4)
        matrix = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(3).detach().requires_grad_()
        tokens = tokens + project(rows_of(matrix, value))
        tokens = tokens + mlp(second(tokens))
        pooled = tokens.mean(1)
        logits = net.heads(net.encoder.ln(pooled)) if torchvision else net.head(net.norm(pooled))
        score = sum(logits[row, number] for row, number in enumerate(classes))
        (gradient,) = torch.autograd.grad(cast(Tensor, score), matrix)
        relevance.append(gradient.clamp_min(0).mean(1).mean(1))
        mixed = 0.5 * matrix.detach().mean(1).numpy() + 0.5 * np.eye(tokens.shape[1])
        flow = np.einsum("nij,njk->nik", mixed, flow)
    return torch.stack(relevance).mean(0), torch.from_numpy(flow[:, 0])


@pytest.mark.parametrize("torchvision", [True, False])
def test_legrad_and_rollout_are_the_papers_formulas(torchvision: bool) -> None:
    torch.manual_seed(0)
    if torchvision:
        from torchvision.models import VisionTransformer

        net: nn.Module = VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=5).eval()
        nn.init.normal_(net.get_submodule("heads.head").weight)
        prefix, side = 1, 32
    else:
        net = timm_net("vit_small_patch14_reg4_dinov2", {**SMALL_VIT, "img_size": 56, "init_values": 0.5})
        prefix, side = 5, 56
    target, _ = target_for(net, (3, side, side))
    images = target.classifier.normalised(target.images)
    for method, expected in zip(
        (legrad, attention_rollout), by_hand(net, images, target.classes.tolist(), torchvision=torchvision), strict=True
    ):
        grid = expected[:, prefix:].reshape(2, 1, 4, 4).float()
        wanted = F.interpolate(grid, size=(side, side), mode="bilinear")[:, 0]
        torch.testing.assert_close(method(target), wanted, rtol=1e-4, atol=1e-5 * float(wanted.max()))


class Looking(nn.Module):
    """One block whose class token attends to bright patches and takes what it finds: made by hand.

    A token is (1, brightness); query = (1, 0), key = (brightness, 0), value = (0, brightness). The logit of class 0 is
    the brightness that the class token has gathered, that of class 1 its opposite.
    """

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 2, 4, stride=4)
        self.block = Block(batch_first=batch_first)
        self.head = nn.Linear(2, 2)
        self.batch_first = batch_first
        with torch.no_grad():
            self.patches.weight.copy_(torch.tensor([0.0, 1 / 16]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4))
            self.patches.bias = nn.Parameter(torch.tensor([1.0, 0.0]))
            self.head.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
            self.head.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, 2]."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([torch.tensor([[[1.0, 0.0]]]).expand(len(images), 1, 2), tokens], 1)
        if self.batch_first:
            return cast(Tensor, self.head(self.block(tokens)[:, 0]))
        return cast(Tensor, self.head(self.block(tokens.transpose(0, 1))[0]))


class Block(nn.Module):
    """Attention and a residual connection."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(2, 1, bias=False, batch_first=batch_first)
        with torch.no_grad():
            self.attend.in_proj_weight.copy_(
                torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
            )
            self.attend.out_proj.weight.copy_(torch.eye(2))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens in, tokens out."""
        return tokens + cast(Tensor, self.attend(tokens, tokens, tokens, need_weights=False)[0])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("method", ["legrad", "attention-rollout"])
def test_a_transformers_map_points_at_a_planted_cue(method: str, batch_first: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(0, 100, (40, 24, 32, 1), dtype=torch.uint8, generator=generator)
    places = torch.stack([torch.randint(0, 6, (40,), generator=generator), torch.randint(0, 8, (40,))], 1)
    for image, (row, column) in zip(images, places.tolist(), strict=True):
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 220
    net = Looking(batch_first=batch_first).eval()
    classifier = Classifier(net, [0.2], [0.25]).eval()
    anatomy = anatomy_of(net, (1, 24, 32))
    assert choose(anatomy).method == "legrad"
    maps = METHODS[method].run(Target(classifier, images, torch.zeros(40, dtype=torch.int64), anatomy))
    highest = maps.flatten(1).argmax(1)
    found = torch.stack([highest // 32 // 4, highest % 32 // 4], 1)
    assert (found == places).all(1).float().mean() >= 0.95


def test_rollout_is_the_same_for_every_class_and_says_so() -> None:
    torch.manual_seed(0)
    net = timm_net("vit_tiny_patch16_224", {**SMALL_VIT, "img_size": 64})
    target, choice = target_for(net, (3, 64, 64), "attention-rollout")
    other = Target(target.classifier, target.images, (target.classes + 1) % 5, target.anatomy)
    torch.testing.assert_close(attention_rollout(other), attention_rollout(target))
    assert choice.notes == ("attention-rollout is the same for every class",)
    assert (legrad(other) - legrad(target)).abs().max() > 0


@pytest.mark.parametrize("method", ["legrad", "attention-rollout"])
def test_attention_in_windows_is_refused_by_a_line_that_names_what_suits(method: str) -> None:
    options, side, _, _ = TIMM["swin_tiny_patch4_window7_224"]
    anatomy = anatomy_of(timm_net("swin_tiny_patch4_window7_224", options), (3, side, side))
    with pytest.raises(ModelError, match=rf"^{method} needs blocks .* among all tokens .* grad-cam suits it$"):
        choose(anatomy, method)


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    anatomy = anatomy_of(build("cnn", channels=1, classes=3, height=28, width=28), (1, 28, 28))
    with pytest.raises(ModelError, match=r"^unknown explanation method 'gradcam'; did you mean grad-cam\?$"):
        choose(anatomy, "gradcam")


class Functional(nn.Module):
    """Own code that runs its layers as plain functions: no module gives maps."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 1, 3, 3))
        self.matrix = nn.Parameter(torch.randn(3, 4))

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, 3]."""
        return F.linear(F.relu(F.conv2d(images, self.kernel)).mean((2, 3)), self.matrix)


def test_code_that_hides_its_layers_is_explained_by_its_gradient_and_the_line_says_why() -> None:
    choice = check_default(Functional().eval(), (1, 12, 12))
    assert choice.method == "integrated-gradients"
    assert "layers run as plain functions" in choice.notes[0]
    with pytest.raises(ModelError, match=r"^layer-cam needs maps over the image, and no module of this network"):
        choose(anatomy_of(Functional(), (1, 12, 12)), "layer-cam")


def test_every_method_of_the_table_has_words_and_a_source() -> None:
    for name, method in METHODS.items():
        assert name == name.lower()
        assert method.purpose
        assert method.source[-4:].isdigit()
