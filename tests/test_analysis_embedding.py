"""Features on a map: scikit-learn's PCA, neighbours and silhouettes; CKA by the paper's formula and its invariances."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from sightlab.charts import svg_of
from sightlab.charts.embedding import cka_charts, cka_rows, embedding_charts, embedding_rows
from sightlab.errors import ModelError, RunError
from sightlab.lens.analyses.embedding import (
    APART,
    embedding,
    neighbours_and_silhouettes,
    pca,
    spread_out,
    tsne,
    unfit,
    voted,
)
from sightlab.lens.cka import cka, layer_cka, scaled_products
from sightlab.lens.penultimate import feature_layer, penultimate_features
from sightlab.lens.subject import Subject, subject_of
from tests.small_transformer import SmallTransformer, subject_with


def silent(_done: int, _total: int) -> None:
    pass


@given(count=st.integers(3, 40), size=st.integers(1, 40), seed=st.integers(0, 3))
def test_it_is_scikit_learns_pca_up_to_sign(count: int, size: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32) * np.arange(1, size + 1)
    known = min(2, size)
    own = PCA(n_components=known, svd_solver="full").fit(features.astype(np.float64))
    wanted = own.transform(features.astype(np.float64))
    positions, shares = pca(features.astype(np.float32))
    assert positions.shape == (count, 2)
    assert np.abs(positions[:, :known]) == pytest.approx(np.abs(wanted), abs=1e-3 * size)
    assert shares[:known] == pytest.approx(own.explained_variance_ratio_, abs=1e-6)
    assert not positions[:, known:].any()


def test_features_that_are_all_equal_lie_on_one_point() -> None:
    positions, shares = pca(np.full((12, 3), 0.1, np.float32))
    assert np.abs(positions).max() < 1e-6
    assert shares.max() <= 1


@given(count=st.integers(7, 60), classes=st.integers(2, 4), seed=st.integers(0, 3))
def test_neighbours_and_silhouettes_are_scikit_learns(count: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, labels = rng.normal(size=(count, 4)).astype(np.float32), rng.integers(0, classes, count)
    labels[:2] = 0, 1
    nearest, silhouettes = neighbours_and_silhouettes(features, labels)
    finder = NearestNeighbors(n_neighbors=5).fit(features.astype(np.float64))
    np.testing.assert_array_equal(nearest, finder.kneighbors(return_distance=False))
    np.testing.assert_allclose(silhouettes, silhouette_samples(features.astype(np.float64), labels), atol=1e-6)


def test_distances_do_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 3, 20)
    whole = neighbours_and_silhouettes(features, labels)
    monkeypatch.setattr("sightlab.lens.analyses.embedding.CHUNK", 7)
    parts = neighbours_and_silhouettes(features, labels)
    assert (parts[0] == whole[0]).all()
    assert parts[1] == pytest.approx(whole[1])


def test_a_vote_goes_to_most_and_of_equals_to_the_nearest() -> None:
    assert voted(np.array([[3, 1, 1, 2, 0], [2, 1, 1, 2, 0], [4, 3, 2, 1, 0]])).tolist() == [1, 2, 4]


@given(count=st.integers(1, 200), seed=st.integers(0, 3))
def test_pictures_lie_apart_and_every_image_is_near_one(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions, labels = rng.random((count, 2)), rng.integers(0, 3, count)
    shown = spread_out(positions, labels)
    scaled = (positions - positions.min(0)) / np.maximum(np.ptp(positions, axis=0), 1e-12)
    apart = np.abs(scaled[:, None] - scaled[shown]).max(axis=2)
    assert len(set(shown.tolist())) == len(shown) <= 120
    among = apart[shown] + 2 * np.eye(len(shown))
    assert among.min() >= APART
    assert len(shown) == 120 or apart.min(axis=1).max() < APART


class Spatial(nn.Module):
    """Classes by a 1 x 1 convolution whose answers are averaged, as SqueezeNet has them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 3, 3)
        self.answers = nn.Conv2d(3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.answers(self.body(images)).mean((2, 3))
        return logits


class Functional(nn.Module):
    """A last layer that is a plain function."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 64))

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.linear(images.flatten(1), self.weight)


def test_features_are_the_input_of_the_last_layer() -> None:
    torch.manual_seed(0)
    nets = {"2": nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(64, 2)), "answers": Spatial()}
    for name, net in nets.items():
        subject = subject_with(net, 8, count=4)
        images = subject.classifier.normalised(torch.from_numpy(subject.images.gather(np.arange(4))))
        wanted = images.flatten(1) if name == "2" else net.get_submodule("body")(images).mean((2, 3))
        assert feature_layer(subject) == name
        np.testing.assert_allclose(penultimate_features(subject, name, silent), wanted.detach().numpy(), atol=1e-5)


def test_a_network_of_features_gives_them_itself() -> None:
    subject = subject_with(nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten()), 8, count=12)
    features = Subject("net", subject.classifier, subject.images, subject.device, "noise", ())
    assert feature_layer(features) == ""
    assert penultimate_features(features, "", silent).shape == (12, 108)
    assert "outputs" in embedding(features).notes[0]


def test_what_does_not_fit_is_said() -> None:
    assert "it takes 10 or more" in unfit(subject_with(Spatial(), 8, count=9))
    assert "nn.Linear works" in unfit(subject_with(Functional(), 8, count=12))
    assert unfit(subject_with(Spatial(), 8, count=12)) == ""
    with pytest.raises(ModelError, match="unknown method 'tsen'; did you mean tsne"):
        embedding(subject_with(Spatial(), 8, count=12), method="tsen")


def test_tsne_is_the_same_every_time_and_keeps_groups_apart() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 15)
    features = (rng.normal(size=(30, 5)) + 20 * labels[:, None]).astype(np.float32)
    state = np.random.get_state()[1].copy()
    first, second = tsne(features, 1)[0], tsne(features, 1)[0]
    assert (first == second).all()
    assert (np.random.get_state()[1] == state).all()
    order, _ = neighbours_and_silhouettes(first.astype(np.float32), labels)
    assert (voted(labels[order]) == labels).all()


def test_a_trained_run_is_put_on_a_map_and_drawn(small_run: Path) -> None:
    subject = subject_of(small_run, limit=40)
    found = embedding(subject)
    json.dumps(found.to_json(), allow_nan=False)
    assert found.estimates["neighbour_accuracy"].share
    assert found.per_image["neighbour_accuracy"].mean() == pytest.approx(found.estimates["neighbour_accuracy"].value)
    assert len(embedding_rows(found)) == 40
    assert sum(len(curve.x) for curve in found.curves["map"]) == 40
    assert not any(module._forward_pre_hooks for module in subject.net.modules())
    (chart,) = embedding_charts([found, found]).values()
    assert "data:image/png" in svg_of(chart)
    with pytest.raises(ValueError, match="at least one"):
        embedding_charts([])


def kornblith(first: np.ndarray, second: np.ndarray) -> float:
    """Linear CKA by the formula at the end of section 3: features centred, products over the features."""
    x, y = first - first.mean(0), second - second.mean(0)
    across = np.linalg.norm(y.T @ x) ** 2
    return float(across / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


@given(count=st.integers(3, 20), first=st.integers(1, 9), second=st.integers(1, 9), seed=st.integers(0, 5))
def test_cka_is_the_papers_formula(count: int, first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(count, first)), rng.normal(size=(count, second))
    products = [scaled_products(one.astype(np.float32)).ravel()[None] for one in (x, y)]
    assert cka(products[0], products[1])[0, 0] == pytest.approx(kornblith(x, y), abs=1e-5)


def test_cka_does_not_see_rotation_and_scale_but_other_linear_maps() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 5))
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    products = [
        scaled_products(one.astype(np.float32)).ravel()
        for one in (x, 7 * x @ rotation + 3, x @ np.diag([10.0, 1, 1, 1, 0.1]))
    ]
    found = cka(products[0][None], np.stack(products))[0]
    assert found[:2] == pytest.approx([1, 1], abs=1e-5)
    assert found[2] < 0.9


def test_features_that_are_the_same_for_all_images_have_no_cka() -> None:
    assert np.isnan(scaled_products(np.full((5, 3), 0.1, np.float32))).all()


def test_a_network_is_like_itself_and_layers_of_two_are_compared() -> None:
    torch.manual_seed(0)
    first = subject_with(SmallTransformer(16), 16, count=12, name="vit")
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(864, 2))
    second = subject_with(net, 16, count=12, name="cnn")
    own = layer_cka(first, first).arrays["cka"]
    assert np.diag(own) == pytest.approx(np.ones(len(own)), abs=1e-5)
    assert own == pytest.approx(own.T, abs=1e-6)
    found = layer_cka(first, second)
    assert found.analysis == "cka"
    assert found.arrays["cka"].shape == (2, 2)
    images = second.classifier.normalised(torch.from_numpy(second.images.gather(np.arange(12))))
    with torch.no_grad():
        last = net[:3](images).mean((2, 3)).numpy()
        tokens: list[Tensor] = []
        hook = first.net.get_submodule("blocks.1").register_forward_hook(lambda _m, _i, output: tokens.append(output))
        first.classifier(torch.from_numpy(first.images.gather(np.arange(12))))
        hook.remove()
    wanted = kornblith(tokens[0][:, 1:].mean(1).double().numpy(), last.astype(np.float64))
    assert found.arrays["cka"][1, 1] == pytest.approx(wanted, abs=1e-4)
    json.dumps(found.to_json(), allow_nan=False)
    assert [row["second"] for row in cka_rows(found)] == ["0", "2", "0", "2"]
    found.arrays["cka"][0, 0] = np.nan  # of a block whose features never change: no cell
    (chart,) = cka_charts([found]).values()
    assert "block of cnn" in svg_of(chart)
    with pytest.raises(ValueError, match="at least one"):
        cka_charts([])


def test_networks_with_other_images_or_without_maps_are_not_compared() -> None:
    first = subject_with(SmallTransformer(16), 16, count=12, name="a")
    with pytest.raises(RunError, match=r"a and b are looked at with different images .* --data SOURCE"):
        layer_cka(first, subject_with(SmallTransformer(16), 16, count=10, name="b"))
    few = subject_with(SmallTransformer(16), 16, count=2)
    with pytest.raises(RunError, match=r"2 images; CKA takes 3 to 1,000 \(--images\)"):
        layer_cka(few, few)
    flat = subject_with(nn.Sequential(nn.Flatten(), nn.Linear(256, 2)), 16, count=12, name="flat")
    with pytest.raises(ModelError, match="flat: no layer of it gives maps"):
        layer_cka(first, flat)
