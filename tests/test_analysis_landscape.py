"""The loss landscape: eigenvalues are those of the exact Hessian, the surface is the loss, the weights stay."""

import math
from collections.abc import Callable

import altair as alt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sightlab.charts.landscape import contour_levels, contours, landscape_charts
from sightlab.data.imageset import ImageSet
from sightlab.lens.analyses.landscape import (
    fewer,
    filter_normalised,
    landscape,
    losses_at,
    moved,
    unfit,
    weights_of,
)
from sightlab.lens.hessian import differentiable, graph_bytes, hessian_product, largest_eigenvalues
from sightlab.lens.subject import Subject
from sightlab.models.classifier import Classifier
from tests.drawings import drawing, outside, overlaps, texts

CPU = torch.device("cpu")
NAMES = ("a", "b", "c")


def small_net(seed: int = 0) -> nn.Sequential:
    """A convolution, batch normalisation with statistics of its own, and a linear layer: 30 + 6 + 39 weights."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    )
    net(torch.randn(50, 1, 6, 6))
    return net.eval()


def subject_with(net: nn.Module, count: int = 40, name: str = "net", side: int = 6) -> Subject:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, side, side, 1)).astype(np.uint8)
    images = ImageSet(pixels, rng.integers(0, 3, count), NAMES)
    return Subject(name, Classifier(net, [0.5], [0.25]).eval(), images, CPU, "noise", NAMES)


def mean_loss(subject: Subject) -> Tensor:
    logits = subject.classifier(torch.from_numpy(subject.images.images))
    return cross_entropy(logits, torch.from_numpy(subject.images.labels))


def number(loss: Tensor) -> float:
    return float(loss.detach())


def exact_hessian(loss: Callable[[], Tensor], weights: list[Tensor]) -> Tensor:
    """Row by row, by differentiating each component of the gradient."""
    slopes = torch.cat([one.reshape(-1) for one in torch.autograd.grad(loss(), weights, create_graph=True)])
    rows = [torch.autograd.grad(slope, weights, retain_graph=True, materialize_grads=True) for slope in slopes]
    return torch.stack([torch.cat([one.reshape(-1) for one in row]) for row in rows])


@given(st.integers(2, 30), st.integers(0, 100))
def test_lanczos_finds_the_eigenvalues_of_a_symmetric_matrix(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(size, size))
    matrix = torch.from_numpy(drawn + drawn.T)
    start = torch.from_numpy(rng.normal(size=size))
    exact = np.linalg.eigvalsh(matrix.numpy())[::-1]
    whole = largest_eigenvalues(lambda v: matrix @ v, start, count=3, steps=size, tolerance=1e-9)
    assert whole.values == pytest.approx(exact[: min(3, size)], abs=1e-7)
    some = largest_eigenvalues(lambda v: matrix @ v, start, count=3, steps=max(1, size // 2))
    for value, residual in zip([*some.values, some.least], [*some.residuals, some.least_residual], strict=True):
        assert np.abs(exact - value).min() <= residual + 1e-9  # the bound holds before it has settled
    assert some.values[0] <= exact[0] + 1e-9
    assert some.least >= exact[-1] - 1e-9


def test_lanczos_keeps_equal_steps_apart_and_ends_where_the_vectors_end() -> None:
    matrix = torch.diag(torch.tensor([3.0, 3.0, 1.0, 0.0], dtype=torch.float64))
    found = largest_eigenvalues(lambda v: matrix @ v, torch.ones(4, dtype=torch.float64), count=4, steps=40)
    assert found.steps == 3  # three different eigenvalues, so that three vectors span all that is reached
    assert found.values == pytest.approx([3.0, 1.0, 0.0], abs=1e-9)
    with pytest.raises(ValueError, match="cannot start from 0"):
        largest_eigenvalues(lambda v: matrix @ v, torch.zeros(4))


def test_the_hessian_of_a_quadratic_form_is_its_matrix() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(6, 6, dtype=torch.float64)
    matrix = matrix + matrix.T
    parts = [torch.randn(2, dtype=torch.float64, requires_grad=True), torch.randn(2, 2, dtype=torch.float64)]

    def loss() -> Tensor:
        x = torch.cat([one.reshape(-1) for one in parts])
        return x @ matrix @ x / 2

    with differentiable(parts):
        product = hessian_product([loss], parts)
        assert torch.stack([product(v) for v in torch.eye(6, dtype=torch.float64)]).allclose(matrix)
    assert [one.requires_grad for one in parts] == [True, False]
    assert all(one.grad is None for one in parts)


def test_a_linear_loss_has_no_curvature() -> None:
    weight = torch.ones(3, requires_grad=True)
    product = hessian_product([lambda: (2 * weight).sum()], [weight])
    assert product(torch.ones(3)).tolist() == [0.0, 0.0, 0.0]


def test_products_and_eigenvalues_are_those_of_the_exact_hessian_of_a_small_network() -> None:
    net = small_net().double()
    images, labels = torch.randn(30, 1, 6, 6, dtype=torch.float64), torch.randint(0, 3, (30,))
    weights = weights_of(net)
    exact = exact_hessian(lambda: cross_entropy(net(images), labels), weights)

    def share(rows: slice) -> Callable[[], Tensor]:
        return lambda: cross_entropy(net(images[rows]), labels[rows], reduction="sum") / 30

    product = hessian_product([share(slice(0, 7)), share(slice(7, 30))], weights)
    for vector in torch.eye(len(exact), dtype=torch.float64)[::9]:
        assert product(vector).allclose(exact @ vector, atol=1e-12)
    found = largest_eigenvalues(product, torch.randn(len(exact), dtype=torch.float64), count=4, tolerance=1e-8)
    values = torch.linalg.eigvalsh(exact).flip(0).numpy()
    assert found.values == pytest.approx(values[:4], abs=1e-6)
    assert found.steps < len(exact)


def test_the_analysis_finds_the_exact_hessians_eigenvalues_in_single_precision() -> None:
    subject = subject_with(small_net())
    result = landscape(subject, points=3)
    exact = exact_hessian(lambda: mean_loss(subject), weights_of(subject.net))
    values = torch.linalg.eigvalsh(exact.double()).flip(0).numpy()
    assert result.arrays["eigenvalues"] == pytest.approx(values[:5], rel=2e-3, abs=1e-4)
    assert result.estimates["largest_eigenvalue"].value == pytest.approx(values[0], rel=1e-4)
    assert result.estimates["smallest_eigenvalue"].value >= values[-1] - 1e-4


def test_attention_is_differentiated_twice() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, activation="gelu").eval().double()
    tokens, target = torch.randn(5, 6, 4, dtype=torch.float64), torch.randint(0, 4, (5,))
    weights = weights_of(layer)
    product = hessian_product([lambda: cross_entropy(layer(tokens).mean(1), target)], weights)
    vector = torch.randn(sum(one.numel() for one in weights), dtype=torch.float64)

    def slopes(distance: float) -> Tensor:
        pieces = vector.split([one.numel() for one in weights])
        with moved(weights) as move:
            move([[piece.view(one.shape) for piece, one in zip(pieces, weights, strict=True)]], [distance])
            found = torch.autograd.grad(cross_entropy(layer(tokens).mean(1), target), weights)
        return torch.cat([one.reshape(-1) for one in found])

    differences = (slopes(1e-5) - slopes(-1e-5)) / 2e-5
    assert product(vector).allclose(differences, atol=1e-6)


def test_directions_have_each_filters_norm_and_leave_biases_and_normalisation() -> None:
    net = small_net()
    with torch.no_grad():
        net[0].weight[1] = 0  # type: ignore[index]
    weights = weights_of(net)
    one, again, other = (filter_normalised(weights, seed) for seed in (3, 3, 4))
    for weight, direction, same, different in zip(weights, one, again, other, strict=True):
        assert direction.shape == weight.shape
        assert torch.equal(direction, same)
        if weight.ndim == 1:
            assert not direction.any()
        else:
            assert direction.flatten(1).norm(dim=1).tolist() == pytest.approx(weight.flatten(1).norm(dim=1).tolist())
            assert not torch.equal(direction, different)


def test_the_surface_is_the_loss_of_the_moved_network() -> None:
    subject = subject_with(small_net())
    result = landscape(subject, points=5, radius=0.25, seed=7)
    first, second = (filter_normalised(weights_of(subject.net), seed) for seed in (7, 8))
    assert result.arrays["axis"].tolist() == [-1, -0.5, 0, 0.5, 1]

    def loss_at(a: float, b: float) -> float:
        other = small_net()
        with torch.no_grad():
            for weight, one, two in zip(other.parameters(), first, second, strict=True):
                weight += a * one + b * two
        return number(mean_loss(subject_with(other)))

    surface = result.arrays["surface"]
    for row, column in ((2, 2), (0, 0), (1, 4), (4, 1)):
        a, b = result.arrays["axis"][[column, row]]
        assert surface[row, column] == pytest.approx(loss_at(a, b), rel=1e-5)
    assert result.estimates["loss"].value == pytest.approx(surface[2, 2])
    turns = [2 * math.pi * turn / 8 for turn in range(8)]
    circle = np.mean([loss_at(0.25 * math.cos(turn), 0.25 * math.sin(turn)) for turn in turns])
    assert result.estimates["sharpness"].value == pytest.approx(circle - surface[2, 2], abs=1e-5)
    assert result.per_image["sharpness"].mean() == pytest.approx(result.estimates["sharpness"].value)


def test_the_network_is_put_back_to_the_bit_also_after_an_error() -> None:
    subject = subject_with(small_net().to(memory_format=torch.channels_last))
    subject.net[0].bias.requires_grad_(False)  # type: ignore[index]
    before = {name: value.clone() for name, value in subject.net.state_dict().items()}
    landscape(subject, points=3)
    weights = weights_of(subject.net)
    direction = filter_normalised(weights, 0)
    with pytest.raises(RuntimeError, match="midway"), moved(weights) as move:
        move([direction], [0.7])
        assert not torch.equal(subject.net.state_dict()["0.weight"], before["0.weight"])
        raise RuntimeError("midway")
    assert all(torch.equal(value, before[name]) for name, value in subject.net.state_dict().items())
    assert [one.requires_grad for one in weights] == [True, False, True, True, True, True]
    assert all(one.grad is None for one in weights)
    assert not any(module.training for module in subject.net.modules())


def test_equal_seeds_give_equal_results_and_progress_ends_at_the_end() -> None:
    subject = subject_with(small_net())
    seen: list[tuple[int, int]] = []
    state = torch.random.get_rng_state()
    one, two = (landscape(subject, lambda done, total: seen.append((done, total)), points=3) for _ in range(2))
    assert one.estimates == two.estimates
    assert np.array_equal(one.arrays["surface"], two.arrays["surface"])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert seen[-1] == (9 + 8 + 40, 9 + 8 + 40)
    assert [done for done, _ in seen[: len(seen) // 2]] == sorted(done for done, _ in seen[: len(seen) // 2])


def test_images_are_at_most_256_and_fewer_of_large_ones() -> None:
    assert len(fewer(subject_with(small_net(), count=300), 256).images) == 256
    assert len(fewer(subject_with(small_net(), count=90, side=224), 256).images) == 83
    assert len(fewer(subject_with(small_net(), count=40), 256).images) == 40


class Overflowing(nn.Module):
    """Logits that are no numbers once its weight has grown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3, 36), 0.1))

    def forward(self, images: Tensor) -> Tensor:
        grown = self.weight.norm() - 0.1 * math.sqrt(108)
        return images.flatten(1) @ self.weight.T * torch.exp(300 * grown)


def test_points_without_a_loss_are_left_blank_and_said() -> None:
    result = landscape(subject_with(Overflowing()), points=3)
    assert np.isnan(result.arrays["surface"]).any()
    assert np.isfinite(result.arrays["surface"][1, 1])
    assert any("logits overflow" in note for note in result.notes)
    for chart in landscape_charts([result]).values():
        drawing(chart)


class Once(torch.autograd.Function):
    """Has a derivative, and no second one."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: object, slope: Tensor) -> Tensor:
        return slope


class OnceOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(36, 3)

    def forward(self, images: Tensor) -> Tensor:
        return Once.apply(self.layer(images.flatten(1)))


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (OnceOnly(), "an operation of its own can be differentiated only once"),
        (nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.Hardsigmoid()), "hardsigmoid_backward is not implemented"),
    ],
)
def test_what_cannot_be_differentiated_twice_has_a_surface_and_no_eigenvalues(net: nn.Module, says: str) -> None:
    subject = subject_with(net)
    result = landscape(subject, points=3)
    assert list(result.estimates) == ["sharpness", "loss"]
    (note,) = [note for note in result.notes if "eigenvalues of the Hessian are left out" in note]
    assert says in note
    assert list(landscape_charts([result])) == ["Loss surface"]
    both = landscape_charts([result, landscape(subject_with(small_net(), name="other"), points=3)])
    assert list(both) == ["Loss surface", "Curvature"]
    drawing(both["Curvature"])


def test_the_graph_of_a_product_is_weighed_by_what_it_saves() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 50), nn.Tanh(), nn.Linear(50, 3))
    one, ten = (
        graph_bytes(lambda n=n: net(torch.ones(n, 1, 6, 6)).exp().sum(), weights_of(net))  # type: ignore[misc]
        for n in (1, 10)
    )
    assert 4 * (36 + 50) <= one < 4 * 36 * 50  # the layers' inputs at least, and not the weights
    assert 5 * one < ten <= 10 * one
    with pytest.raises(ValueError, match="not finite"):
        largest_eigenvalues(lambda v: v / 0, torch.ones(3))


def test_what_has_no_surface_is_said() -> None:
    assert unfit(subject_with(small_net())) == ""
    assert "no weights with filters" in unfit(subject_with(nn.Flatten()))
    subject = subject_with(small_net())
    assert "features" in unfit(Subject("net", subject.classifier, subject.images, CPU, "", ()))
    with pytest.raises(ValueError, match="must be odd"):
        landscape(subject, points=4)


def test_losses_do_not_depend_on_other_images() -> None:
    subject = subject_with(small_net(), count=300)
    weights = weights_of(subject.net)
    directions = [filter_normalised(weights, seed) for seed in (0, 1)]
    whole = losses_at(subject, weights, directions, [(0.5, -0.5)])
    some = subject_with(small_net(), count=300).images.take(np.array([5, 290]))
    few = losses_at(Subject("net", subject.classifier, some, CPU, "", NAMES), weights, directions, [(0.5, -0.5)])
    assert whole[0, [5, 290]] == pytest.approx(few[0], rel=1e-5)


@given(st.floats(0.05, 0.95), st.integers(0, 20))
def test_contours_lie_where_the_surface_has_their_value(share: float, seed: int) -> None:
    axis = np.linspace(-1, 1, 7)
    surface = np.random.default_rng(seed).normal(size=(7, 7)).cumsum(axis=0).cumsum(axis=1)
    level = float(surface.min() + share * (surface.max() - surface.min()))
    lines = list(contours(surface, axis, level))
    for line in lines:
        for x, y in line:
            column, row = ((place + 1) * 3 for place in (x, y))
            low_c, low_r = int(min(column, 5)), int(min(row, 5))
            c, r = column - low_c, row - low_r
            corners = surface[low_r : low_r + 2, low_c : low_c + 2]
            if c >= r:  # below the diagonal of its square, or on it
                value = corners[0, 0] + c * (corners[0, 1] - corners[0, 0]) + r * (corners[1, 1] - corners[0, 1])
            else:
                value = corners[0, 0] + r * (corners[1, 0] - corners[0, 0]) + c * (corners[1, 1] - corners[1, 0])
            assert value == pytest.approx(level, abs=1e-6 * np.abs(surface).max())
        closed = line[0] == line[-1]
        assert closed or all(max(abs(x), abs(y)) == pytest.approx(1) for x, y in (line[0], line[-1]))


def test_the_contour_of_a_bowl_is_one_closed_line() -> None:
    axis = np.linspace(-1, 1, 41)
    (line,) = contours(axis[:, None] ** 2 + axis**2, axis, 0.25)
    assert line[0] == line[-1]
    assert [math.hypot(x, y) for x, y in line] == pytest.approx([0.5] * len(line), abs=2e-3)


@given(st.floats(1e-4, 10), st.floats(1.01, 1e6), st.booleans())
def test_levels_are_few_and_between(low: float, ratio: float, log: bool) -> None:
    levels = contour_levels(low, low * ratio, log=log)
    assert len(levels) <= 12
    assert levels == sorted(set(levels))
    assert all(low < level < low * ratio for level in levels)


@pytest.mark.parametrize("count", [1, 4])
def test_the_charts_are_valid_and_legible(count: int) -> None:
    results = [landscape(subject_with(small_net(n), name=f"net {n}"), points=5) for n in range(count)]
    made = landscape_charts(results)
    assert list(made) == ["Loss surface", "Curvature"]
    for chart in made.values():
        assert isinstance(chart, alt.TopLevelMixin)
        svg = drawing(chart)
        assert not overlaps(svg)
        assert not outside(svg)
        assert all(f"net {n}" in " ".join(texts(svg)) for n in range(count))
