"""Explanations of a network that reads only a planted cue must point at the cue (the pointing game)."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from sightlab.lens.anatomy import anatomy_of
from sightlab.lens.saliency.checks import check_method, from_centre
from sightlab.lens.saliency.gradients import completeness_gap, integrated_gradients, smoothgrad
from sightlab.lens.saliency.perturbation import occlusion, rise, score_cam
from sightlab.lens.saliency.target import Target
from sightlab.models.classifier import Classifier
from sightlab.records.explanations import AT_RANDOM, FROM_CENTRE

CUE = 6  # side, pixels
COUNT = 20
METHODS: dict[str, Callable[..., Tensor]] = {
    "integrated-gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "occlusion": partial(occlusion, stride=3),
    "rise": partial(rise, masks=200),
    "score-cam": score_cam,
}


def cue() -> Tensor:
    """Stripes, 1 and -1, whose mean is 0: a plain bright or dark spot is not it."""
    return torch.tensor([1.0, -1.0]).repeat(CUE // 2).repeat(CUE, 1)


class CueDetector(nn.Module):
    """Correlates the image with the cue and answers 1 where it is found; other features lead nowhere."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, 4, CUE, padding=CUE // 2)
        self.around = nn.MaxPool2d(5, 1, 2)
        self.head = nn.Linear(4, 2)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            self.features.weight.copy_(torch.randn(self.features.weight.shape, generator=generator) / CUE**2)
            self.features.weight[0] = cue() / CUE**2 / channels
            self.features.bias.copy_(torch.tensor([-0.25, 0, 0, 0]))
            self.head.weight.copy_(torch.tensor([[-8.0, 0, 0, 0], [8.0, 0, 0, 0]]))
            self.head.bias.copy_(torch.tensor([2.0, -2.0]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.around(self.features(images).relu()).amax((2, 3)))
        return logits


def planted(count: int, height: int, width: int, channels: int, spread: float = 1.0) -> tuple[Target, Tensor]:
    """Noise with two bright squares that mean nothing, and the cue at a random place. Gives its corners too, [N, 2].

    spread: how far from the centre the cue may lie, as a share of what there is.
    """
    generator = torch.Generator().manual_seed(5)
    images = 127 + 12 * torch.randn(count, height, width, channels, generator=generator)
    room = torch.tensor([height - CUE, width - CUE])
    corners = (room * (0.5 + spread * (torch.rand(count, 2, generator=generator) - 0.5))).round().long()
    for image, (top, left) in zip(images, corners.tolist(), strict=True):
        for _ in range(2):
            row, column = (int(torch.randint(0, side - 5, (), generator=generator)) for side in (height, width))
            image[row : row + 5, column : column + 5] = 250
        image[top : top + CUE, left : left + CUE] = 127 + 90 * cue()[..., None]
    net = CueDetector(channels)
    classifier = Classifier(net, [0.5] * channels, [0.5] * channels).eval()
    anatomy = anatomy_of(net, (channels, height, width))
    pixels = images.round().clamp(0, 255).to(torch.uint8)
    return Target(classifier, pixels, torch.ones(count, dtype=torch.int64), anatomy, anatomy.stages[1]), corners


def pointing_game(maps: Tensor, corners: Tensor) -> float:
    """The share of maps whose largest value lies on the cue (Zhang et al. 2016, without their tolerance)."""
    places = maps.flatten(1).argmax(1)
    points = torch.stack([places // maps.shape[2], places % maps.shape[2]], 1)
    return float(((points >= corners) & (points < corners + CUE)).all(1).float().mean())


SIZES = [(28, 28, 1), (28, 34, 3)]


@pytest.mark.parametrize("size", SIZES, ids=["grey", "colour"])
def test_the_network_reads_the_cue(size: tuple[int, int, int]) -> None:
    """Without it the answer is the other class, on every picture: what the tests below rest on."""
    target, corners = planted(COUNT, *size)
    without = target.images.clone()
    for image, (top, left) in zip(without, corners.tolist(), strict=True):
        image[top : top + CUE, left : left + CUE] = 127
    assert (target.classifier(target.images).argmax(1) == 1).all()
    assert (target.classifier(without).argmax(1) == 0).all()
    bright = target.images.float().mean(3)
    assert pointing_game(bright, corners) < 0.5


@pytest.mark.parametrize("size", SIZES, ids=["grey", "colour"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_method_points_at_the_cue(method: Callable[..., Tensor], size: tuple[int, int, int]) -> None:
    target, corners = planted(COUNT, *size)
    assert pointing_game(method(target), corners) >= 0.95


@pytest.mark.parametrize("size", SIZES, ids=["grey", "colour"])
def test_the_check_believes_a_method_that_points_at_the_cue(size: tuple[int, int, int]) -> None:
    target, _ = planted(12, *size)
    check = check_method("integrated-gradients", integrated_gradients, target, completeness=completeness_gap)
    assert check.believable, check.verdict
    assert "may be believed for this model: better than distance from the centre by +0." in check.verdict
    assert check.gains[AT_RANDOM].low > 0.1
    assert abs(check.randomised.y[-1]) < 0.2
    assert check.completeness is not None
    assert check.completeness.value < 0.05


def centre_gaussian(target: Target) -> Tensor:
    """The same bump in the middle for every image and network, falling with the distance from it."""
    height, width = target.images.shape[1:3]
    return (-from_centre(height, width).square() / 50).exp().expand(len(target.images), -1, -1)


def test_a_bump_in_the_middle_is_told_to_explain_no_better_than_distance_from_the_centre() -> None:
    """The cue lies near the middle, as objects of photographs do: the bump beats a random order, and knows nothing."""
    target, _ = planted(COUNT, 28, 28, 1, spread=0.3)
    check = check_method("bump", centre_gaussian, target)
    assert check.gains[AT_RANDOM].low > 0
    assert abs(check.gains[FROM_CENTRE].value) < 0.02
    assert check.verdict.startswith(
        "bump should not be believed for this model: it explains no better than distance from the centre (gain "
    )
    assert "and does not depend on the weights (rank correlation 1.00 with all drawn anew)" in check.verdict
    assert not check.believable


def test_a_method_that_points_beside_the_cue_is_no_better_than_a_random_order() -> None:
    target, _ = planted(COUNT, 28, 28, 1)
    check = check_method("beside", lambda target: -integrated_gradients(target, steps=8), target)
    assert "explains no better than a random order of the pixels (gain -0." in check.verdict
