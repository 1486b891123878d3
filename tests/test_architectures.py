"""Networks beside the residual family: published counts and costs, small forms, the studies' own networks."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.models import MODELS, build, parameter_count
from sightlab.models.cost import NoFirstWeights, forward_flops
from sightlab.models.study_networks import SharedResNet20
from sightlab.models.vit import choose_patch


def on_meta(name: str, size: int, *, channels: int = 3, classes: int = 10, **options: object) -> nn.Module:
    """The network without memory for its weights: shapes and counts are all that matters."""
    with torch.device("meta"), NoFirstWeights():
        return build(name, channels=channels, classes=classes, height=size, width=size, options=options)


def told(name: str, size: int, **options: object) -> list[str]:
    lines: list[str] = []
    with torch.device("meta"), NoFirstWeights():
        build(name, channels=3, classes=10, height=size, width=size, options=options, say=lines.append)
    return lines


@pytest.mark.parametrize(
    ("name", "size", "channels", "classes", "parameters"),
    [
        ("alexnet", 227, 3, 1000, 62_378_344),  # the paper's layers without its two towers
        ("lenet", 28, 1, 10, 61_706),
        ("mini-resnet-v4", 28, 1, 10, 356_938),  # study 1
    ],
)
def test_counts_known_from_elsewhere_are_met(
    name: str, size: int, channels: int, classes: int, parameters: int
) -> None:
    assert parameter_count(on_meta(name, size, channels=channels, classes=classes)) == parameters


@pytest.mark.parametrize("name", ["vit-tiny", "efficientnet-b0"])
def test_a_cost_is_the_same_with_weights_and_without(name: str) -> None:
    real = build(name, channels=3, classes=10, height=32, width=32)
    assert forward_flops(real, 3, 32, 32) == forward_flops(on_meta(name, 32), 3, 32, 32)


def layers_of(net: nn.Module) -> list[tuple[int, int, int, int]]:
    """Of each convolution: kernel, stride, padding, channels."""
    found = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    return [(m.kernel_size[0], m.stride[0], m.padding[0], m.out_channels) for m in found]


def test_alexnets_have_the_papers_and_the_studys_layers() -> None:
    paper = [(11, 4, 0, 96), (5, 1, 2, 256), (3, 1, 1, 384), (3, 1, 1, 384), (3, 1, 1, 256)]
    net = on_meta("alexnet", 227)
    assert layers_of(net) == paper
    assert [m.out_features for m in net.modules() if isinstance(m, nn.Linear)] == [4096, 4096, 10]
    assert layers_of(on_meta("study1-alexnet", 227)) == [*paper[:4], (3, 1, 1, 384)]
    assert layers_of(on_meta("alexnet-small", 28)) == [(5, 1, 2, 96), *paper[1:]]


def test_local_response_normalisation_is_the_papers() -> None:
    torch.manual_seed(0)
    norm = build("alexnet-small", channels=1, classes=2, height=8, width=8).get_submodule("norm")
    features = 100 * torch.rand(1, 9, 1, 1)
    flat = features.flatten()
    squares = [flat[max(0, i - 2) : i + 3].square().sum() for i in range(9)]
    expected = flat / (2 + 1e-4 * torch.stack(squares)) ** 0.75
    assert torch.allclose(norm(features).flatten(), expected)


@pytest.mark.parametrize("name", ["vgg11-bn", "mobilenet-v3-small", "efficientnet-b0", "densenet121"])
def test_in_its_published_form_a_model_answers_as_torchvision_does(name: str) -> None:
    torch.manual_seed(0)
    small = name == "vgg11-bn"  # its published head has 120 million parameters; the convolutions are what is ours
    quick = {"init_weights": False} if small else {}
    theirs = torchvision.models.get_model(MODELS[name].published, weights=None, num_classes=5, **quick).eval()
    options = {} if name == "densenet121" else {"form": "small" if small else "published"}
    stem = "7x7" if name == "densenet121" else "auto"
    ours = build(name, channels=3, classes=5, height=64, width=64, options=options, stem=stem).eval()
    state = theirs.state_dict()
    if small:
        theirs, ours = theirs.features, ours.get_submodule("features")
        state = theirs.state_dict()
    ours.load_state_dict(state)
    batch = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(batch), theirs(batch), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("densenet121", "densenet121: 3x3 stem without pooling for 32 x 32 images; stem=7x7 overrides"),
        (
            "mobilenet-v3-large",
            "mobilenet-v3-large: the first two strides are 1 instead of 2 for 32 x 32 images; "
            "options.form=published overrides",
        ),
        (
            "vgg16-bn",
            "vgg16-bn: one linear layer instead of three for 32 x 32 images; options.form=published overrides",
        ),
        ("vit-small", "vit-small: 4 x 4 patches, 8 a side, for 32 x 32 images; options.patch_size overrides"),
    ],
)
def test_what_changes_for_small_images_is_said_aloud(name: str, line: str) -> None:
    assert told(name, 32) == [line]
    silenced = {"densenet121": None, "vit-small": {"patch_size": 8}}.get(name, {"form": "small"})
    if silenced:
        assert told(name, 32, **silenced) == []


@pytest.mark.parametrize("name", ["mobilenet-v3-small", "mobilenet-v3-large", "efficientnet-b0"])
def test_a_small_form_keeps_four_times_as_many_places_a_side(name: str) -> None:
    for form, places in (("published", 2), ("small", 8)):
        net = on_meta(name, 64, form=form)
        features = net.get_submodule("features")(torch.zeros(1, 3, 64, 64, device="meta"))
        assert features.shape[2:] == (places, places)
        momenta = {module.momentum for module in net.modules() if isinstance(module, nn.BatchNorm2d)}
        assert momenta == {0.01 if form == "published" and "mobilenet" in name else 0.1}


@pytest.mark.parametrize(("size", "places"), [(64, 2), (32, 2), (28, 3), (16, 2)])
def test_a_small_vgg_leaves_out_the_pools_that_would_leave_one_place(size: int, places: int) -> None:
    features = on_meta("vgg11-bn", size).get_submodule("features")(torch.zeros(1, 3, size, size, device="meta"))
    assert features.shape[1:] == (512, places, places)


def test_patches_divide_the_image_into_four_a_side_or_more() -> None:
    for side in range(8, 225):
        fitting = [patch for patch in range(2, side // 4 + 1) if side % patch == 0]
        if fitting:
            assert choose_patch("vit-tiny", side) in fitting
            continue
        with pytest.raises(ModelError, match=f"data.size={side // 4 * 4} works"):
            choose_patch("vit-tiny", side)
        assert choose_patch("vit-tiny", side // 4 * 4) >= 2


def test_the_decoder_of_the_unet_sees_the_encoders_features() -> None:
    torch.manual_seed(0)
    net = build("unet", channels=1, classes=3, height=13, width=18).eval()
    seen: list[tuple[int, ...]] = []
    for module in net.get_submodule("merge"):
        module.register_forward_pre_hook(lambda _module, given: seen.append(tuple(given[0].shape)))
    with torch.no_grad():
        net(torch.randn(1, 1, 13, 18))
    # Odd sides come back: 13 x 18, 6 x 9 and 3 x 4 are the encoder's sizes.
    assert seen == [(1, 256, 3, 4), (1, 128, 6, 9), (1, 64, 13, 18)]


# The studies' networks


def test_study_1s_resnet18_has_biases_and_bare_skips() -> None:
    net = on_meta("study1-resnet18", 28, channels=1)
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert all(convolution.bias is not None for convolution in convolutions)
    skips = [m for m in convolutions if m.kernel_size == (1, 1)]
    assert [(m.in_channels, m.out_channels, m.stride) for m in skips] == [
        (64, 128, (2, 2)),
        (128, 256, (2, 2)),
        (256, 512, (2, 2)),
    ]
    assert len(convolutions) == 1 + 16 + 3
    # A batch norm each for the stem and the convolutions in branches, none for the skips.
    assert sum(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == 17


@pytest.mark.parametrize("version", range(1, 7))
def test_study_1s_mini_resnet_is_ours_and_a_relu(version: int) -> None:
    shape = {"channels": 1, "classes": 10, "height": 28, "width": 28}
    torch.manual_seed(0)
    repaired = build(f"mini-resnet-v{version}", **shape).eval()
    torch.manual_seed(0)
    published = build(f"study1-mini-resnet-v{version}-relu", **shape).eval()
    batch = torch.randn(4, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(published(batch), repaired(batch).relu())
        assert repaired(batch).min() < 0


def test_study_2s_twenty_layers_have_six_convolutions() -> None:
    torch.manual_seed(0)
    net = build("study2-resnet20", channels=1, classes=10, height=28, width=28).eval()
    assert isinstance(net, SharedResNet20)
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    calls: list[nn.Module] = []
    for module in convolutions:
        module.register_forward_hook(lambda module, _given, _found: calls.append(module))
    with torch.no_grad():
        answers = net(torch.randn(3, 1, 28, 28))
    assert len(convolutions) == 6
    assert len(calls) == 1 + 3 * 3 * 3  # the stem, and nine blocks of two layers and the pass that is no shortcut
    assert torch.allclose(answers.sum(1), torch.ones(3))
    assert (answers >= 0).all()


def like(theirs: nn.Module, ours: nn.Module, batch: Tensor) -> None:
    """Hold our network to one put together from torchvision's parts, tensor by tensor in the same order."""
    with torch.no_grad():
        theirs.train()(batch)
        state = zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True)
        ours.load_state_dict({key: value.view(own.shape) for (key, own), value in state})
        assert torch.allclose(ours.eval()(batch), theirs.eval()(batch), atol=1e-5)


def test_study_3s_resnet34_is_torchvisions_with_its_changes() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet34(weights=None)
    theirs.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=5, bias=False)
    theirs.maxpool = nn.MaxPool2d(2, 2)
    theirs.fc = nn.Sequential(nn.Linear(512, 128), nn.Linear(128, 10))
    ours = build("study3-resnet34", channels=3, classes=10, height=64, width=64)
    like(theirs, ours, torch.randn(2, 3, 64, 64))


def test_study_4s_cut_resnet18_is_torchvisions_with_its_changes() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None)
    theirs.layer3, theirs.layer4 = nn.Identity(), nn.Identity()
    theirs.fc = nn.Sequential(nn.Linear(128, 64), nn.BatchNorm1d(64), nn.GELU(), nn.Linear(64, 10))
    ours = build("study4-resnet18-cut", channels=3, classes=10, height=64, width=64)
    like(theirs, ours, torch.randn(4, 3, 64, 64))
