"""Patches shuffled and dropped: permutations that invert, counts of pixels, and networks that look at one patch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sightlab.charts.patches import patches_charts
from sightlab.data.imageset import ImageSet
from sightlab.lens.analyses.patches import SHARES, first_of, patch_saliency, patches, unfit
from sightlab.lens.patch_grid import (
    cells_of,
    drop_grid,
    dropped,
    patch_of,
    patch_sums,
    permutations,
    shuffle_grids,
    shuffled,
    shuffles,
)
from sightlab.lens.subject import Subject, subject_of
from sightlab.models.classifier import Classifier

CPU = torch.device("cpu")
sides = st.integers(4, 19)


class Corner(nn.Module):
    """Answers 1 where the first patch of 4 x 4 pixels is bright, else 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        light = (images[:, :, :4, :4].mean((1, 2, 3)) * self.weight)[:, None]
        return torch.cat([0.2 - light, light - 0.2], dim=1)


def looking(side: int = 16, count: int = 12, channels: int = 1) -> Subject:
    """Dark images, every other with a bright first patch, and the network that looks there."""
    labels = np.arange(count) % 2
    images = np.zeros((count, side, side, channels), np.uint8)
    images[labels == 1, :4, :4] = 200
    classes = ("dark", "bright")
    classifier = Classifier(Corner(), [0.0] * channels, [1.0] * channels).eval()
    return Subject("corner", classifier, ImageSet(images, labels.astype(np.int64), classes), CPU, "corners", classes)


@given(height=sides, width=sides, grid=st.integers(1, 4), channels=st.sampled_from([1, 3]), seed=st.integers(0, 5))
def test_a_shuffle_is_a_permutation_of_pixels_and_inverts(
    height: int, width: int, grid: int, channels: int, seed: int
) -> None:
    """Where the grid divides the sides and where it does not."""
    images = torch.arange(2 * height * width * channels).reshape(2, height, width, channels)
    orders = shuffles(2, height, width, grid, seed)
    moved = shuffled(images, grid, orders)
    assert all(torch.equal(a.flatten(), b.flatten().sort().values) for a, b in zip(images, moved, strict=True))
    torch.testing.assert_close(shuffled(moved, grid, np.argsort(orders, axis=1)), images)


def test_a_patch_goes_where_its_order_says() -> None:
    images = torch.arange(16).reshape(1, 4, 4, 1)
    moved = shuffled(images, 2, np.array([[3, 0, 1, 2]]))
    assert moved[0, :, :, 0].tolist() == [[10, 11, 0, 1], [14, 15, 4, 5], [2, 3, 8, 9], [6, 7, 12, 13]]


def test_patches_change_places_with_those_of_their_size() -> None:
    """5 x 5 pixels in 2 x 2 patches: 3 x 3, 3 x 2, 2 x 3 and 2 x 2, each alone; 7 x 8 in 2 x 2: two and two."""
    assert (shuffles(50, 5, 5, 2, 0) == np.arange(4)).all()
    orders = shuffles(50, 7, 8, 2, 0)
    assert {tuple(sorted(order)) for order in orders[:, :2].tolist()} == {(0, 1)}
    assert len({tuple(order) for order in orders.tolist()}) == 4


def test_orders_are_even_over_all_and_the_same_every_time() -> None:
    orders = permutations(4000, 4, seed=3)
    shares = np.stack([(orders == patch).mean(axis=0) for patch in range(4)])
    assert np.abs(shares - 0.25).max() < 0.03
    np.testing.assert_array_equal(orders, permutations(4000, 4, seed=3))
    assert (orders != permutations(4000, 4, seed=4)).any()


@given(side=st.integers(4, 60), grid=st.integers(1, 14))
def test_cells_differ_by_a_pixel_at_most_and_cover_the_side(side: int, grid: int) -> None:
    grid = min(grid, side)
    start, cell = cells_of(side, grid)
    sizes = np.bincount(cell)
    assert (sizes.sum(), len(sizes)) == (side, grid)
    assert np.ptp(sizes) <= 1
    np.testing.assert_array_equal(start, np.cumsum(sizes) - sizes)


def test_grids_are_as_fine_as_the_size_allows() -> None:
    assert shuffle_grids(28, 28) == shuffle_grids(224, 224) == (2, 4, 7, 8, 14)
    assert shuffle_grids(32, 15) == (2, 4, 7)
    assert shuffle_grids(3, 28) == ()
    assert [drop_grid(side, side) for side in (4, 28, 32, 56, 224)] == [1, 7, 8, 14, 14]


@given(height=sides, width=sides, grid=st.integers(1, 4), share=st.floats(0, 1))
def test_dropping_changes_the_pixels_of_the_dropped_patches_alone(
    height: int, width: int, grid: int, share: float
) -> None:
    place = torch.from_numpy(patch_of(height, width, grid))
    count = round(share * grid * grid)
    drop = first_of(torch.from_numpy(permutations(2, grid * grid, 0)), count)
    images = torch.full((2, height, width, 3), 9, dtype=torch.uint8)
    shown = dropped(images, place, drop, torch.tensor([100.0, 101.0, 102.0]))
    assert drop.sum(1).tolist() == [count, count]
    gone = (shown == torch.tensor([100.0, 101.0, 102.0])).all(3)
    assert ((shown == 9).all(3) | gone).all()
    pixels = torch.bincount(place.flatten())
    assert gone.sum((1, 2)).tolist() == [int(pixels[one].sum()) for one in drop]


def test_sums_are_over_patches() -> None:
    place = torch.from_numpy(patch_of(4, 6, 2))
    maps = torch.arange(24.0).reshape(1, 4, 6)
    assert patch_sums(maps, place).tolist() == [
        [float(maps[0, r : r + 2, c : c + 3].sum()) for r in (0, 2) for c in (0, 3)]
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_saliency_of_a_linear_network_is_what_its_logit_loses(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, 5))
    with torch.no_grad():
        net[1].weight.normal_(generator=generator)
    classifier = Classifier(net, [0.4] * channels, [0.3] * channels).eval()
    images = torch.randint(0, 256, (3, 8, 8, channels), generator=generator, dtype=torch.uint8)
    place = torch.from_numpy(patch_of(8, 8, 2))
    found = patch_saliency(classifier, images, place)
    before = classifier(images)
    classes = before.argmax(1, keepdim=True)
    for patch in range(4):
        drop = torch.zeros(3, 4, dtype=torch.bool)
        drop[:, patch] = True
        after = classifier(dropped(images, place, drop, classifier.mean.flatten()))
        lost = (before - after).gather(1, classes)[:, 0]
        torch.testing.assert_close(found[:, patch], lost, atol=1e-4, rtol=1e-4)
    assert all(p.grad is None for p in classifier.parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_looks_at_one_patch_needs_it_alone(channels: int) -> None:
    done: list[tuple[int, int]] = []
    result = patches(looking(channels=channels), lambda *ticks: done.append(ticks))
    (salient,), (rest,) = result.curves["salient drop"], result.curves["non-salient drop"]
    assert salient.x == (0.0, *SHARES)
    assert salient.y == (1.0, *([0.5] * len(SHARES)))
    assert rest.y == (1.0,) * (len(SHARES) + 1)
    (random,) = result.curves["random drop"]
    assert 0.5 <= random.y[-1] <= 1
    assert result.estimates["salient_drop_accuracy"].value == 0.5
    assert result.curves["shuffle"][0].x == (1, 2, 4, 7, 8)
    assert done[-1][0] == done[-1][1]
    for name, estimate in result.estimates.items():
        assert result.per_image[name].mean() == pytest.approx(estimate.value)
    assert any("7 x 7 patches do not divide 16 x 16 pixels" in note for note in result.notes)


def test_what_does_not_fit_is_said() -> None:
    subject = looking()
    assert unfit(subject) == ""
    small = ImageSet(np.zeros((2, 3, 3, 1), np.uint8), np.array([0, 1]), subject.classes)
    assert "no patches" in unfit(Subject("net", subject.classifier, small, CPU, "dots", subject.classes))
    assert "not its classes" in unfit(Subject("net", subject.classifier, subject.images, CPU, "", ("a", "b")))


def test_a_trained_run_is_analysed_and_drawn(small_run: Path) -> None:
    result = patches(subject_of(small_run, limit=20))
    assert json.loads(json.dumps(result.to_json()))["analysis"] == "patches"
    for results in ([result], [result, patches(looking())]):
        charts = patches_charts(results)
        assert list(charts) == ["Shuffled patches", "Dropped patches"]
        for chart in charts.values():
            chart.to_dict(validate=True)
    with pytest.raises(ValueError, match="at least one"):
        patches_charts([])
