"""Explanations for any network: equal to captum's and torchcam's, and to closed forms."""

import math
from collections.abc import Callable
from functools import partial

import captum.attr
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchcam.methods import ScoreCAM

from sightlab.errors import ModelError
from sightlab.lens.anatomy import anatomy_of
from sightlab.lens.saliency.backgrounds import black, blurred, mean_colour, training_mean
from sightlab.lens.saliency.gradients import completeness_gap, integrated_gradients, smoothgrad
from sightlab.lens.saliency.perturbation import occlusion, random_masks, rise, score_cam
from sightlab.lens.saliency.target import Target
from sightlab.models.classifier import Classifier

METHODS: dict[str, Callable[..., Tensor]] = {
    "integrated-gradients": partial(integrated_gradients, steps=8),
    "smoothgrad": partial(smoothgrad, samples=5),
    "occlusion": occlusion,
    "rise": partial(rise, masks=150),
    "score-cam": score_cam,
}
each_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
SHAPES = [(28, 28, 1), (17, 22, 3)]


def target_of(net: nn.Module, shape: tuple[int, int, int], count: int = 3, classes: int = 4) -> Target:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)
    channels = shape[2]
    classifier = Classifier(net, [0.4, 0.5, 0.6][:channels], [0.2, 0.3, 0.25][:channels]).eval()
    anatomy = anatomy_of(net, (channels, *shape[:2]))
    labels = torch.randint(0, classes, (count,), generator=generator)
    return Target(classifier, images, labels, anatomy, anatomy.stages[0] if anatomy.stages else None)


def smooth_net(channels: int) -> nn.Module:
    """Small, and differentiable everywhere. The stage that is explained keeps the size of the image."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(channels, 6, 3, padding=1), nn.Tanh(), nn.Conv2d(6, 4, 3, stride=2), nn.GELU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4)),
    )


def linear_net(shape: tuple[int, int, int], classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))


def weights_per_byte(target: Target) -> Tensor:
    """What a byte more of each pixel adds to the class's logit of a linear network, [N, H, W, C]."""
    _, height, width, channels = target.images.shape
    weights = target.classifier.net[1].weight.detach()[target.classes].view(-1, channels, height, width)
    return (weights * target.classifier.scale).permute(0, 2, 3, 1)


@pytest.fixture(params=SHAPES, ids=["grey", "colour"])
def target(request: pytest.FixtureRequest) -> Target:
    return target_of(smooth_net(request.param[2]), request.param)


@pytest.fixture(params=SHAPES, ids=["grey", "colour"])
def linear(request: pytest.FixtureRequest) -> Target:
    return target_of(linear_net(request.param), request.param)


@pytest.mark.parametrize("background", [mean_colour, black, blurred, training_mean])
def test_integrated_gradients_equal_captums(target: Target, background) -> None:
    theirs = captum.attr.IntegratedGradients(target.classifier).attribute(
        target.images.float(), background(target), target.classes, n_steps=16, method="gausslegendre"
    )
    ours = integrated_gradients(target, steps=16, background=background)
    torch.testing.assert_close(ours, theirs.sum(3).float(), atol=1e-5, rtol=1e-5)


def test_integrated_gradients_of_a_linear_model_are_weights_times_the_way_from_the_background(linear: Target) -> None:
    closed = (weights_per_byte(linear) * (linear.images - mean_colour(linear))).sum(3)
    torch.testing.assert_close(integrated_gradients(linear, steps=1), closed, atol=1e-5, rtol=1e-4)


def test_integrated_gradients_add_up_to_the_change_of_the_logit(target: Target) -> None:
    maps = integrated_gradients(target)
    with torch.inference_mode():
        change = target.scores(target.classifier(target.images) - target.classifier(mean_colour(target)))
    torch.testing.assert_close(maps.sum((1, 2)), change, atol=1e-4, rtol=1e-3)
    assert completeness_gap(target, maps).max() < 1e-3


class Fourth(nn.Module):
    """The sum of the pixels' fourth powers."""

    def forward(self, images: Tensor) -> Tensor:
        return images.pow(4).sum((1, 2, 3))[:, None].expand(-1, 4)


def test_too_few_steps_show_in_the_completeness_gap() -> None:
    """One step takes the gradient halfway: x * 4 (x / 2)^3 = x^4 / 2, half of what is explained. Two are exact."""
    target = target_of(Fourth(), (5, 5, 1))
    target.classifier.mean.zero_()  # so that black is 0
    for steps, gap in ((1, 0.5), (2, 0.0)):
        found = completeness_gap(target, integrated_gradients(target, steps=steps, background=black), background=black)
        assert found.mean().item() == pytest.approx(gap, abs=1e-5)


def test_smoothgrad_equals_captums_where_its_noise_is_the_same(target: Target) -> None:
    for row in range(2):  # captum draws anew for each image
        one = target.part(slice(row, row + 1))
        image = one.images.float()
        with torch.random.fork_rng():
            torch.manual_seed(7)
            theirs = captum.attr.NoiseTunnel(captum.attr.Saliency(target.classifier)).attribute(
                image,
                nt_type="smoothgrad",
                nt_samples=10,
                stdevs=float(0.15 * (image.max() - image.min())),
                target=one.classes,
                abs=False,
            )
        ours = smoothgrad(one, samples=10, seed=7)
        torch.testing.assert_close(ours, theirs.abs().sum(3), atol=1e-5, rtol=1e-5)


def test_smoothgrad_of_a_linear_model_is_the_size_of_its_weights(linear: Target) -> None:
    closed = weights_per_byte(linear).abs().sum(3)
    torch.testing.assert_close(smoothgrad(linear, samples=3), closed, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (5, 3), (7, 7), (17, 1)])
def test_occlusion_equals_captums(target: Target, window: int, stride: int) -> None:
    """Windows that are cut at the edge too, and one as high as the image."""
    channels = target.images.shape[3]
    theirs = captum.attr.Occlusion(target.classifier).attribute(
        target.images.float(),
        sliding_window_shapes=(window, window, channels),
        strides=(stride, stride, channels),
        target=target.classes,
        baselines=mean_colour(target),
        perturbations_per_eval=16,
    )
    ours = occlusion(target, window=window, stride=stride)
    for channel in range(channels):  # each is hidden with the others
        torch.testing.assert_close(ours, theirs[..., channel].float(), atol=1e-5, rtol=1e-4)


def test_occlusion_of_a_linear_model_by_single_pixels_is_its_integrated_gradient(linear: Target) -> None:
    maps = occlusion(linear, window=1)
    torch.testing.assert_close(maps, integrated_gradients(linear, steps=1), atol=1e-5, rtol=1e-3)


class ProbabilityLinear(nn.Module):
    """Two classes; the probability of the first is a linear function of the pixels."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        probability = 0.5 + (images * self.weights).sum((1, 2, 3))
        return torch.stack([probability, 1 - probability], 1).log()


def test_rise_of_a_linear_probability_has_its_closed_expectation() -> None:
    """With a cell for each pixel the masks are independent coins of share p. The map's mean is (1 - p) w (x - b)."""
    weights = 0.01 * torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(3))
    target = target_of(ProbabilityLinear(weights), (5, 5, 1), classes=1)
    count, share = 10_000, 0.3
    found = rise(target, masks=count, grid=5, share=share)
    addends = weights[0] * target.classifier.scale[0] * (target.images - mean_colour(target))[..., 0]
    # Of (1 / p) Cov(f, M_q) over the masks, for independent masks: f varies by p (1 - p) times the sum of squares.
    deviation = (1 - share) * addends.square().sum((1, 2)).sqrt() / math.sqrt(count)
    error = (found - (1 - share) * addends).abs().amax((1, 2))
    assert (error < 5 * deviation).all()
    assert ((1 - share) * addends.abs().amax((1, 2)) > 20 * deviation).all()  # the test could tell


def test_rise_masks_show_each_pixel_with_the_asked_probability() -> None:
    masks = random_masks(8000, (9, 14), 4, 0.3, torch.Generator().manual_seed(0))
    assert masks.shape == (8000, 9, 14)
    assert 0 <= masks.min() < masks.max() <= 1
    assert (masks.mean(0) - 0.3).abs().max() < 5 * math.sqrt(0.3 * 0.7 / 8000)


def test_score_cam_equals_torchcams(target: Target) -> None:
    """On a stage of the image's size: torchcam scales maps to [0, 1] before they are enlarged, the paper after."""
    assert target.stage is not None
    maps = score_cam(target)
    for row in range(len(maps)):
        normalised = target.classifier.normalised(target.images[row : row + 1])
        net = target.classifier.net
        with ScoreCAM(net, target.stage.module, input_shape=tuple(normalised.shape[1:])) as extractor:
            with torch.no_grad():
                net(normalised)
            (theirs,) = extractor(int(target.classes[row]), normalized=False)
        torch.testing.assert_close(maps[row], theirs[0], atol=1e-5, rtol=1e-5)


def test_score_cam_takes_the_channels_that_vary_most() -> None:
    """A channel that is the same everywhere is left out first; what is left weighs the same but for the softmax."""
    target = target_of(smooth_net(1), (12, 12, 1))
    assert (score_cam(target, channels=1) >= 0).all()
    torch.testing.assert_close(score_cam(target, channels=6), score_cam(target))


@each_method
def test_each_gives_a_finite_map_of_the_images_size_that_does_not_depend_on_its_batch(method, target: Target) -> None:
    maps = method(target)
    assert maps.shape == target.images.shape[:3]
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()
    assert not maps.requires_grad
    assert (maps.flatten(1).std(1) > 0).all()
    torch.testing.assert_close(method(target.part(slice(2, 3))), maps[2:], atol=1e-5, rtol=1e-3)
    assert torch.equal(method(target), maps)  # seeded


@each_method
def test_each_leaves_the_network_and_the_global_random_numbers_as_they_were(method, target: Target) -> None:
    net = target.classifier.net
    before = {name: value.clone() for name, value in target.classifier.state_dict().items()}
    net[0].weight.requires_grad_(False)
    state = torch.random.get_rng_state()
    told: list[tuple[int, int]] = []
    method(target, tick=lambda done, total: told.append((done, total)))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(p.grad is None for p in net.parameters())
    assert [p.requires_grad for p in net.parameters()] == [False] + [True] * 5
    assert not any(m._forward_hooks or m._forward_pre_hooks or m.training for m in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in target.classifier.state_dict().items())
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


@each_method
def test_each_works_at_224_pixels(method) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 16, stride=16), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 4))
    coarse = {"window": 56, "stride": 28} if method is occlusion else {}
    maps = method(target_of(net, (224, 224, 3), count=1), **coarse)
    assert maps.shape == (1, 224, 224)
    assert maps.isfinite().all()


class Cut(nn.Module):
    """Answers, but through something that has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear_net((6, 6, 1))

    def forward(self, images: Tensor) -> Tensor:
        return functional.relu(self.inner(images.detach())).detach()


@pytest.mark.parametrize("method", [integrated_gradients, smoothgrad])
def test_a_network_without_gradients_is_told_what_would_work(method) -> None:
    with pytest.raises(ModelError, match="no gradient of its logits by the pixels; occlusion and rise do without"):
        method(target_of(Cut(), (6, 6, 1)))


def test_score_cam_of_a_network_without_maps_is_told_what_would_work() -> None:
    with pytest.raises(ModelError, match="Score-CAM needs maps over the image and this network has none; occlusion"):
        score_cam(target_of(linear_net((6, 6, 1)), (6, 6, 1)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 3), (28, 28, 1), (40, 30, 3)])
def test_backgrounds_are_of_the_images_shape_and_range(shape: tuple[int, int, int]) -> None:
    target = target_of(linear_net(shape), shape)
    for background in (mean_colour, black, training_mean, blurred):
        found = background(target)
        assert found.shape == target.images.shape
        assert found.dtype == torch.float32
        assert 0 <= found.min() <= found.max() <= 255
    torch.testing.assert_close(mean_colour(target)[:, 0, 0], target.images.float().mean((1, 2)))
    torch.testing.assert_close(target.classifier.normalised(training_mean(target)).abs().max(), torch.tensor(0.0))
