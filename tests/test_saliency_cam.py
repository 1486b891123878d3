"""Class activation maps against torchcam, pytorch-grad-cam and planted cues."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM as OtherGradCAM
from pytorch_grad_cam import GradCAMPlusPlus
from pytorch_grad_cam import LayerCAM as OtherLayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it
from torchcam.methods import GradCAM, LayerCAM

from sightlab.errors import ModelError
from sightlab.lens.anatomy import anatomy_of
from sightlab.lens.saliency.cam import doubly_weighted, grad_cam, grad_cam_plus_plus, gradients, layer_cam
from sightlab.lens.saliency.choose import choose
from sightlab.lens.saliency.target import Method, Target
from sightlab.models import build
from sightlab.models.classifier import Classifier

# torchcam's Grad-CAM++ is no oracle: release 0.5 divides a copy of alpha, so that its denominator has no effect.
TORCHCAM: list[tuple[Method, Callable[..., Any]]] = [(grad_cam, GradCAM), (layer_cam, LayerCAM)]
GRAD_CAM: list[tuple[Method, Callable[..., Any]]] = [(grad_cam, OtherGradCAM), (layer_cam, OtherLayerCAM)]


def small_net(*, inplace: bool = False) -> nn.Module:
    """Two convolutions, batch norm and five classes, for colour images."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU(inplace),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 5),
    )
    return net.eval()


def target_of(net: nn.Module, images: Tensor, module: str) -> Target:
    """Images explained for their predicted classes by a module's output. images: uint8 [N, H, W, C]."""
    channels = images.shape[3]
    classifier = Classifier(net, [0.5] * channels, [0.25] * channels).eval()
    anatomy = anatomy_of(net, (channels, images.shape[1], images.shape[2]))
    stage = next(stage for stage in anatomy.stages if stage.module == module)
    with torch.no_grad():
        classes = classifier(images).argmax(1)
    return Target(classifier, images, classes, anatomy, stage)


def random_images(count: int, height: int = 16, width: int = 24, channels: int = 3) -> Tensor:
    """uint8 [count, height, width, channels]."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, height, width, channels), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("module", ["0", "1", "4", "5"])
@pytest.mark.parametrize(("method", "other"), TORCHCAM)
def test_maps_are_torchcams(method: Method, other: Callable[..., Any], module: str) -> None:
    net = small_net()
    target = target_of(net, random_images(4), module)
    with other(net, target_layer=net[int(module)]) as extractor:
        scores = net(target.classifier.normalised(target.images).requires_grad_())
        (expected,) = extractor(target.classes.tolist(), scores, normalized=False)
    assert expected.abs().max() > 0
    expected = F.interpolate(expected.detach()[:, None], size=(16, 24), mode="bilinear")[:, 0]
    maps = method(target)
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize(("method", "other"), GRAD_CAM)
def test_scaled_maps_are_pytorch_grad_cams(method: Method, other: Callable[..., Any]) -> None:
    net = small_net()
    target = target_of(net, random_images(3), "1")
    classes = [ClassifierOutputTarget(int(number)) for number in target.classes]
    with other(model=net, target_layers=[net[1]]) as cam:
        expected = cam(input_tensor=target.classifier.normalised(target.images), targets=classes)
    maps = method(target)
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    np.testing.assert_allclose(((maps - low) / (high - low)).numpy(), expected, atol=1e-5)


def test_the_weights_of_grad_cam_plus_plus_are_pytorch_grad_cams() -> None:
    net = small_net()
    target = target_of(net, random_images(3), "1")
    maps, gradient = (one.double() for one in gradients(target))
    gradient *= 1e6  # its denominator of squared gradients has 1e-6 added
    with GradCAMPlusPlus(model=net, target_layers=[net[1]]) as cam:
        weights = cam.get_cam_weights(None, None, None, maps.numpy(), gradient.numpy())
    expected = (torch.from_numpy(weights)[:, :, None, None] * maps).sum(1).relu()
    torch.testing.assert_close(doubly_weighted(maps, gradient), expected, rtol=1e-5, atol=1e-5 * float(expected.max()))
    # The stage's maps have the image's size already.
    torch.testing.assert_close(grad_cam_plus_plus(target), doubly_weighted(*gradients(target)))


def test_a_relu_in_place_does_not_change_the_maps_of_what_comes_before_it() -> None:
    images = random_images(2)
    plain, inplace = (target_of(small_net(inplace=one), images, "4") for one in (False, True))
    torch.testing.assert_close(grad_cam(inplace), grad_cam(plain))


def test_tokens_count_as_maps_without_the_class_token() -> None:
    torch.manual_seed(0)
    net = build("vit-tiny", channels=1, classes=4, height=28, width=28).eval()
    target = target_of(net, random_images(2, 28, 28, 1), "encoder.layers.encoder_layer_10")

    def maps_of(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, 7, 7)

    layer = net.get_submodule("encoder.layers.encoder_layer_10")
    with OtherGradCAM(model=net, target_layers=[layer], reshape_transform=maps_of) as cam:
        classes = [ClassifierOutputTarget(int(number)) for number in target.classes]
        expected = cam(input_tensor=target.classifier.normalised(target.images), targets=classes)
    maps = grad_cam(target)
    # It scales before it enlarges: compared at the middle of each patch, where nothing is interpolated between.
    ours, theirs = maps[:, 1::4, 1::4].numpy(), expected[:, 1::4, 1::4]
    for one, other in zip(ours, theirs, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9999


def bright_patches(count: int, side: int = 32, patch: int = 6) -> tuple[Tensor, Tensor]:
    """Dark noise with one bright patch each: uint8 [count, side, side, 1], and (top, left) int64 [count, 2]."""
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 90, (count, side, side, 1), dtype=torch.uint8, generator=generator)
    corners = torch.randint(0, side - patch, (count, 2), generator=generator)
    for image, (top, left) in zip(images, corners.tolist(), strict=True):
        image[top : top + patch, left : left + patch] = 230
    return images, corners


def hits(maps: Tensor, corners: Tensor, patch: int = 6) -> float:
    """The share of maps whose largest value is in the patch (the pointing game)."""
    highest = maps.flatten(1).argmax(1)
    places = torch.stack([highest // maps.shape[2], highest % maps.shape[2]], 1)
    return float(((places >= corners) & (places < corners + patch)).all(1).float().mean())


@pytest.mark.parametrize("method", [grad_cam, grad_cam_plus_plus, layer_cam])
def test_the_map_points_at_a_planted_cue(method: Method) -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2),
    ).eval()
    with torch.no_grad():
        net[0].weight[0], net[0].weight[1] = 1 / 9, -1 / 9  # brighter than the middle, and darker
        net[0].bias.zero_()
        net[5].weight.copy_(torch.eye(2))
    images, corners = bright_patches(60)
    target = target_of(net, images, "2")
    target = Target(target.classifier, images, torch.zeros(60, dtype=torch.int64), target.anatomy, target.stage)
    assert hits(method(target), corners) >= 0.95


def test_a_map_does_not_depend_on_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of(small_net(), random_images(5), "5")
    whole = grad_cam(target)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("sightlab.lens.saliency.cam.BATCH", 2)
    parts = grad_cam(target, tick=lambda done, total: told.append((done, total)))
    torch.testing.assert_close(parts, whole)
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_the_network_is_left_as_it_was() -> None:
    net = small_net()
    net[0].weight.requires_grad_(False)
    net[4].weight.grad = torch.ones_like(net[4].weight)
    target = target_of(net, random_images(2), "5")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for method in (grad_cam, grad_cam_plus_plus, layer_cam):
        method(target)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [p.requires_grad for p in net.parameters()] == [False, *[True] * 7]
    assert torch.equal(net[4].weight.grad, torch.ones_like(net[4].weight))
    assert not any(module._forward_hooks for module in net.modules())


def test_without_a_stage_or_a_gradient_it_is_refused() -> None:
    target = target_of(small_net(), random_images(1), "5")
    with pytest.raises(ModelError, match="need a stage"):
        grad_cam(Target(target.classifier, target.images, target.classes, target.anatomy))
    nn.init.zeros_(target.classifier.net.get_submodule("8").weight)
    with pytest.raises(ModelError, match="no explained logit depends on the output of 5"):
        grad_cam(target)


def test_a_perceptron_is_refused_by_a_line_that_names_what_works() -> None:
    anatomy = anatomy_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), (1, 8, 8))
    with pytest.raises(
        ModelError, match=r"grad-cam needs maps .* integrated-gradients, smoothgrad, occlusion, rise work"
    ):
        choose(anatomy, "grad-cam")
    choice = choose(anatomy)
    assert (choice.method, choice.stage) == ("integrated-gradients", None)
    assert choice.notes
