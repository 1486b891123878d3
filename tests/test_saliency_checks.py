"""The checks of explanations, held to known curves, to scipy, and to networks and methods that must fail."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.lens.anatomy import activations, anatomy_of
from sightlab.lens.saliency.checks import (
    BACKGROUNDS,
    area,
    cell_ranks,
    cells_of,
    check_method,
    from_centre,
    mean_of,
    perturbation_curves,
    stability,
)
from sightlab.lens.saliency.gradients import integrated_gradients
from sightlab.lens.saliency.randomisation import cascade_of, modules_with_weights, randomisation, rank_correlation
from sightlab.lens.saliency.target import Target, predicted
from sightlab.models.classifier import Classifier
from sightlab.records.analyses import Curve, Estimate
from sightlab.records.explanations import AT_RANDOM, BY_MAP, FROM_CENTRE, Check


def target_of(net: nn.Module, shape: tuple[int, int, int] = (14, 14, 1), count: int = 6) -> Target:
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    classifier = Classifier(net, [0.5] * shape[2], [0.25] * shape[2]).eval()
    anatomy = anatomy_of(net, (shape[2], *shape[:2]))
    return Target(classifier, images, predicted(classifier, images), anatomy)


def small_net(channels: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, 5)),
    )


class SumOfPixels(nn.Module):
    """The probability of class 0 is a known linear function of the normalised pixels."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        probability = 0.5 + (images[:, 0] * self.weights).sum((1, 2))
        return torch.stack([probability, 1 - probability], 1).log()


@pytest.mark.parametrize("kind", ["deletion", "insertion"])
def test_the_curve_of_a_linear_probability_is_the_running_sum_of_its_addends(kind: str) -> None:
    """A map of the addends takes out, or puts in, the largest first: what is left is known at each step."""
    weights = 0.001 * torch.randn(14, 14, generator=torch.Generator().manual_seed(1))
    target = replace(target_of(SumOfPixels(weights)), classes=torch.zeros(6, dtype=torch.int64))
    away = BACKGROUNDS[kind](target)
    addends = ((target.images - away)[..., 0] * weights / (0.25 * 255)).detach()
    with torch.inference_mode():
        start = target.classifier(away if kind == "insertion" else target.images).softmax(1)[:, 0].numpy()
    found = perturbation_curves(target, addends, kind, steps=7)[BY_MAP]
    summed = np.cumsum(-np.sort(-addends.flatten(1).numpy(), axis=1), axis=1)[:, 27::28]  # 196 cells in 7 steps
    known = np.concatenate([start[:, None], start[:, None] + (summed if kind == "insertion" else -summed)], axis=1)
    np.testing.assert_allclose(found, known, atol=1e-5)


def test_no_order_beats_the_addends_of_a_linear_probability() -> None:
    weights = 0.001 * torch.randn(14, 14, generator=torch.Generator().manual_seed(1))
    target = replace(target_of(SumOfPixels(weights)), classes=torch.zeros(6, dtype=torch.int64))
    addends = ((target.images - BACKGROUNDS["deletion"](target))[..., 0] * weights).detach()
    areas = {order: area(values) for order, values in perturbation_curves(target, addends, "deletion").items()}
    assert (areas[BY_MAP] < areas[AT_RANDOM]).all()
    assert (areas[BY_MAP] < areas[FROM_CENTRE]).all()
    worst = perturbation_curves(target, -addends, "deletion")
    assert (area(worst[BY_MAP]) > areas[AT_RANDOM]).all()
    np.testing.assert_array_equal(worst[AT_RANDOM], perturbation_curves(target, addends, "deletion")[AT_RANDOM])


@given(st.integers(1, 240), st.integers(1, 240))
def test_cells_cover_the_image_evenly(height: int, width: int) -> None:
    grid = cells_of(height, width)
    assert grid.shape == (height, width)
    assert len(grid.unique()) == int(grid.max()) + 1 == min(14, height) * min(14, width)
    rows = torch.bincount(grid[:, 0])
    assert rows[rows > 0].max() - rows[rows > 0].min() <= 1


def test_cells_come_in_the_order_of_their_means() -> None:
    maps = torch.randn(3, 28, 28, generator=torch.Generator().manual_seed(0))
    ranks = cell_ranks(maps, cells_of(28, 28), torch.Generator().manual_seed(1))
    means = torch.nn.functional.avg_pool2d(maps, 2).flatten(1)
    assert torch.equal(ranks, means.argsort(1, descending=True).argsort(1))


def test_cells_of_equal_values_come_in_a_random_order_after_larger_ones() -> None:
    maps = torch.zeros(1, 14, 14)
    maps[0, 7:] = 1  # the lower half
    ranks = cell_ranks(maps, cells_of(14, 14), torch.Generator().manual_seed(1)).view(14, 14)
    assert ranks[7:].max() < ranks[:7].min()
    assert abs(spearmanr(ranks[:7].flatten(), np.arange(98)).statistic) < 0.3


@pytest.mark.parametrize("side", [14, 15])
def test_distance_from_the_centre_is_least_in_the_middle_and_the_same_on_all_sides(side: int) -> None:
    distance = from_centre(side, side)
    assert distance.argmin() in (side * side // 2, side * (side // 2 - 1) + side // 2 - 1)
    assert torch.equal(distance, distance.flip(0))
    assert torch.equal(distance, distance.T)
    assert distance[0, 0].item() == pytest.approx((side - 1) / 2**0.5)


def test_rank_correlation_equals_scipys() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, others = (torch.randint(0, 9, (5, 6, 7), generator=generator).float() for _ in range(2))  # with ties
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(maps, others, strict=True)]
    np.testing.assert_allclose(rank_correlation(maps, others), expected, atol=1e-12)


def test_a_flat_map_has_no_rank_correlation_and_nothing_is_left_of_a_map_in_a_flat_one() -> None:
    maps = torch.stack([torch.zeros(3, 3), torch.arange(9.0).view(3, 3)])
    assert np.isnan(rank_correlation(maps, maps)).tolist() == [True, False]
    assert rank_correlation(maps, torch.zeros(2, 3, 3))[1] == 0


def test_a_map_of_the_image_is_as_stable_as_the_noise_lets_it_be() -> None:
    """Of an even grey, the map is all noise; of strong structure, the noise hardly moves the ranks."""
    target = target_of(small_net(), (20, 20, 1), 2)
    target.images[0] = 128
    target.images[0, 0, 0] = 130  # a flat map has no ranks
    steady = stability(target, lambda target: target.images[..., 0].float(), target.images[..., 0].float())
    assert steady[0] < 0.3
    assert steady[1] > 0.99


def test_means_over_images_leave_out_what_is_not_known() -> None:
    found = mean_of(np.array([1.0, 3.0, np.nan]))
    assert (found.value, found.count) == (2.0, 2)
    assert (found.low, found.high) == (pytest.approx(2 - 12.7062), pytest.approx(2 + 12.7062))
    assert mean_of(np.array([np.nan])).count == 0


class Backwards(nn.Module):
    """Registers its layers in another order than it runs them; its attention's projection is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 5)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.embed = nn.Conv2d(1, 8, 7, stride=7)
        self.token = nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, images: Tensor) -> Tensor:
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(images), -1, -1), patches], 1)
        mixed = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        logits: Tensor = self.head(self.norm(mixed[:, 0]))
        return logits


def test_weights_are_drawn_anew_from_the_head_down_in_the_order_of_the_forward_pass() -> None:
    target = target_of(Backwards())
    assert modules_with_weights(target) == ["", "embed", "attention", "attention.out_proj", "norm", "head"]
    levels = cascade_of(target, 3)
    assert [level.modules for level in levels] == [
        ("head",),
        ("norm", "attention.out_proj", "attention"),
        ("embed", ""),
    ]
    assert [level.share for level in levels] == pytest.approx([1 / 6, 4 / 6, 1])


@pytest.mark.parametrize("levels", [1, 2, 5, 50])
def test_the_last_level_is_the_whole_network(levels: int) -> None:
    cascade = cascade_of(target_of(small_net()), levels)
    assert len(cascade) == min(max(levels, 2), 4)
    assert cascade[0].modules == ("7",)
    assert cascade[-1].share == 1


def test_the_network_is_put_back_to_the_bit_even_where_the_method_fails() -> None:
    target = target_of(small_net())
    net = target.classifier.net
    net[0].weight.requires_grad_(False)
    net[3].bias.grad = torch.ones(8)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    seen: list[bool] = []

    def failing(target: Target) -> Tensor:
        seen.append(torch.equal(net[0].weight, before["0.weight"]))
        net[1].running_mean.add_(1)  # a method must not, but then the network is put back all the same
        if len(seen) == 4:
            raise KeyboardInterrupt
        return target.images[..., 0].float()

    state = torch.random.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        randomisation(target, failing, target.images[..., 0].float())
    assert seen == [True, True, True, False]  # the first convolution comes last
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [p.requires_grad for p in net.parameters()] == [False] + [True] * 7
    assert torch.equal(net[3].bias.grad, torch.ones(8))
    assert not any(m._forward_hooks or m._forward_pre_hooks or m.training for m in net.modules())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_weights_drawn_anew_keep_their_scale_and_nothing_else() -> None:
    target = target_of(small_net())
    net = target.classifier.net
    old = net[3].weight.detach().clone()
    seen: list[Tensor] = []

    def watching(target: Target) -> Tensor:
        seen.append(net[3].weight.detach().clone())
        return target.images[..., 0].float()

    randomisation(target, watching, target.images[..., 0].float(), levels=4)
    new = seen[-1]
    assert new.square().mean().sqrt().item() == pytest.approx(old.square().mean().sqrt().item(), rel=0.15)
    assert abs(spearmanr(new.flatten(), old.flatten()).statistic) < 0.15


def test_nothing_is_left_of_a_map_where_the_network_died_of_its_new_weights() -> None:
    target = target_of(small_net())
    trained = {name: value.clone() for name, value in target.classifier.net.state_dict().items()}

    def refusing(target: Target) -> Tensor:
        if not torch.equal(target.classifier.net[3].weight, trained["3.weight"]):
            raise ModelError("no gradient is other than 0")
        return target.images[..., 0].float()

    found = randomisation(target, refusing, target.images[..., 0].float(), levels=4)
    assert found.signed.mean(1).tolist() == [1, 0, 0, 0]


def edges(target: Target) -> Tensor:
    """An edge detector: looks like an explanation, and never asks the network."""
    images = target.images.float().mean(3)
    return (images - images.roll(1, 2)).abs()


def first_maps(target: Target) -> Tensor:
    """The size of the first layer's activations: follows the network's lower weights and no class."""
    with torch.inference_mode(), activations(target.classifier.net, ["0"]) as kept:
        target.classifier(target.images)
    return kept["0"].abs().sum(1)


class FixedReader(nn.Module):
    """Reads the image with what no training touches. What has weights is multiplied by 0, at the top or everywhere."""

    def __init__(self, only_the_head: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        kernel = nn.Conv2d(1, 4, 5)
        self.kernel = kernel if only_the_head else nn.ParameterDict()
        self.register_buffer("fixed", kernel.weight.detach().clone())
        self.only_the_head = only_the_head
        self.head = nn.Linear(4, 4)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.kernel(images) if self.only_the_head else nn.functional.conv2d(images, self.fixed)
        features = maps.relu().square().mean((2, 3))
        return features + 0 * self.head(features)


@pytest.mark.parametrize(
    ("net", "method", "says"),
    [
        (small_net, edges, "does not depend on the weights (rank correlation 1.00 with all drawn anew)"),
        (small_net, first_maps, "shows the same for every class (rank correlation 1.00 with 7 drawn anew)"),
        (lambda: FixedReader(False), integrated_gradients, "does not depend on the weights"),
        (lambda: FixedReader(True), integrated_gradients, "shows the same for every class"),
    ],
    ids=["edge-detector", "class-blind", "no-weights-used", "head-not-used"],
)
def test_what_does_not_follow_the_weights_is_told_so(
    net: Callable[[], nn.Module], method: Callable[[Target], Tensor], says: str
) -> None:
    check = check_method("it", method, target_of(net()), steps=2)
    assert not check.believable
    assert says in check.verdict


def test_the_check_is_the_same_every_time_and_its_facts_are_plain() -> None:
    target = target_of(small_net(3), (15, 20, 3), 5)
    told: list[tuple[int, int]] = []
    first, second = (
        check_method("ig", integrated_gradients, target, steps=3, levels=3, tick=lambda *part: told.append(part))
        for _ in range(2)
    )
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)
    assert told == [(part, 6) for part in range(1, 7)] * 2
    facts = json.loads(json.dumps(first.to_json()))
    assert facts["verdict"] == first.verdict
    assert facts["images"] == 5
    assert [len(curve["x"]) for curve in facts["curves"]["deletion"]] == [4, 4, 4]
    assert first.gains[FROM_CENTRE].count == first.stability.count == 5
    assert facts["areas"]["insertion"][AT_RANDOM]["interval"][0] < facts["areas"]["insertion"][AT_RANDOM]["value"]


def test_a_slow_method_may_be_run_again_on_some_images_only() -> None:
    target = target_of(small_net(), count=5)
    asked: list[int] = []

    def counting(target: Target) -> Tensor:
        asked.append(len(target.images))
        return integrated_gradients(target, steps=4)

    check = check_method("ig", counting, target, steps=3, levels=2, again=2)
    assert asked == [5, 2, 2, 2]
    assert (check.images, check.stability.count, check.gains[AT_RANDOM].count) == (5, 2, 5)


def test_one_image_tells_nothing() -> None:
    check = check_method("ig", integrated_gradients, target_of(small_net(), count=1), steps=3)
    assert not check.believable
    assert check.verdict.startswith("ig should not be believed for this model: it was checked on one image, from which")


def test_gains_are_paired_over_the_images() -> None:
    """The interval of the differences, not of the areas: these differ far more from image to image."""
    target = target_of(small_net(), count=12)
    maps = integrated_gradients(target)
    check = check_method("ig", integrated_gradients, target, maps=maps, steps=4, levels=2)
    found = {kind: perturbation_curves(target, maps, kind, steps=4) for kind in BACKGROUNDS}
    better = {order: area(found["insertion"][order]) - area(found["deletion"][order]) for order in (BY_MAP, AT_RANDOM)}
    difference = better[BY_MAP] - better[AT_RANDOM]
    half = 2.200985 * difference.std(ddof=1) / 12**0.5  # Student's t of 11 degrees of freedom, 0.975: any table
    gain = check.gains[AT_RANDOM]
    assert gain.value == pytest.approx(difference.mean())
    assert (gain.low, gain.high) == (pytest.approx(gain.value - half), pytest.approx(gain.value + half))


GOOD = Check(
    method="m",
    images=24,
    areas={},
    curves={},
    gains={AT_RANDOM: Estimate(0.3, 0.2, 0.4, 24), FROM_CENTRE: Estimate(0.1, 0.05, 0.15, 24)},
    levels=("fc", "conv"),
    randomised=Curve("maps", (0.5, 1.0), (0.4, 0.1)),
    magnitude=Curve("sizes", (0.5, 1.0), (0.4, 0.1)),
    stability=Estimate(0.9, 0.85, 0.95, 24),
)


def test_a_method_without_faults_is_believed_with_its_figures() -> None:
    assert GOOD.verdict == (
        "m may be believed for this model: better than distance from the centre by +0.10, 95 % interval +0.05 to "
        "+0.15; rank correlation 0.10 with all weights drawn anew, 0.90 under weak noise; on 24 images."
    )
    assert GOOD.notes == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"gains": {**GOOD.gains, AT_RANDOM: Estimate(0.1, -0.01, 0.2, 24)}},
            "it is not shown to explain better than a random order of the pixels (gain +0.10, 95 % interval -0.01 to "
            "+0.20; more images may tell)",
        ),
        (
            {"gains": {**GOOD.gains, FROM_CENTRE: Estimate(0.01, 0.0, 0.02, 24)}},
            "it explains no better than distance from the centre (gain +0.01, 95 % interval +0.00 to +0.02)",
        ),
        (
            {"gains": {**GOOD.gains, FROM_CENTRE: Estimate(0.0, None, None, 24)}},
            "distance from the centre (gain +0.00)",
        ),
        ({"randomised": Curve("maps", (0.5, 1.0), (0.6, 0.5))}, "does not depend on the weights"),
        ({"randomised": Curve("maps", (0.5, 1.0), (0.6, -0.5))}, "does not depend on the weights"),
        ({"randomised": Curve("maps", (0.5, 1.0), (0.95, 0.1))}, "shows the same for every class"),
        ({"stability": Estimate(0.49, count=24)}, "changes under noise too weak to see (rank correlation 0.49)"),
        ({"completeness": Estimate(0.08, count=24)}, "misses the change of the logit by 8%; more steps would help"),
        ({"flat": 13}, "gives a map without any difference for 13 images"),
    ],
)
def test_each_fault_is_told(change: dict[str, object], says: str) -> None:
    check = replace(GOOD, **change)  # type: ignore[arg-type]
    assert len(check.doubts) == 1
    assert says in check.verdict
    assert "should not be believed" in check.verdict


@pytest.mark.parametrize(
    "change",
    [
        {"randomised": Curve("maps", (0.5, 1.0), (0.94, 0.49))},
        {"stability": Estimate(0.5, count=24)},
        {"completeness": Estimate(0.05, count=24)},
        {"flat": 12},
        {"levels": (), "randomised": Curve("maps", (), ()), "magnitude": Curve("sizes", (), ())},
    ],
)
def test_what_is_within_the_limits_is_believed(change: dict[str, object]) -> None:
    assert replace(GOOD, **change).believable  # type: ignore[arg-type]


def test_a_map_whose_strength_follows_the_image_is_noted() -> None:
    noted = replace(GOOD, magnitude=Curve("sizes", (0.5, 1.0), (0.9, 0.85)), flat=1)
    assert noted.believable
    assert noted.notes == (
        "Where the map is strong follows the image more than the weights (rank correlation of its absolute values 0.85 "
        "with all drawn anew); what the weights decide is its sign.",
        "The map of 1 image is the same everywhere.",
    )
