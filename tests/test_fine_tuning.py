"""Starting from what others learnt: runs as weights, parts that stay, layers that move less, published weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import sightlab
from sightlab.errors import ModelError, RunError
from sightlab.models import build, freeze_parts, load_weights
from sightlab.models.cost import NoFirstWeights
from sightlab.models.pretrained import fit_published, load_published, positions_for
from sightlab.optim.optimizers import build_optimizer
from sightlab.optim.param_groups import layer_numbers
from sightlab.recipes.part_groups import OPTIMIZERS
from sightlab.recipes.schema import Recipe
from sightlab.runs.resolve_weights import with_weights_of_run
from sightlab.training.prepare import GivenParts, prepare
from tests.conftest import Cli


def network(name: str = "resnet18", **given: Any) -> nn.Module:
    torch.manual_seed(0)
    return build(name, **({"channels": 1, "classes": 4, "height": 16, "width": 16} | given))


def optimizer_of(net: nn.Module, name: str, **settings: object) -> torch.optim.Optimizer:
    """The optimizer of this name that ships, by these keys of a recipe."""
    return build_optimizer(net, OPTIMIZERS[name](**settings))


def steps(net: nn.Module, count: int = 3) -> None:
    """A few steps of training on noise."""
    optimizer = optimizer_of(net.train(), "sgd", lr=0.1, weight_decay=0.1)
    for step in range(count):
        torch.manual_seed(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(torch.randn(4, 1, 16, 16)), torch.tensor([0, 1, 1, 3])).backward()
        optimizer.step()


def moved(net: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """The entries of the state dict that changed, batch-norm statistics among them."""
    return {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}


# Freezing


@pytest.mark.parametrize("name", ["mini-resnet-v1", "resnet18", "vgg11-bn", "mobilenet-v3-small", "vit-tiny"])
def test_with_a_frozen_backbone_the_head_alone_moves(name: str) -> None:
    net = network(name)
    freeze_parts(net, ["backbone"], print)
    before = copy.deepcopy(net.state_dict())
    steps(net, 2)
    head = [key for key, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
    assert moved(net, before) == {f"{head}.weight", f"{head}.bias"}


def test_hidden_layers_of_the_head_are_no_backbone() -> None:
    net = network(options={"head": [8], "head_norm": True})
    freeze_parts(net, ["backbone"], print)
    before = copy.deepcopy(net.state_dict())
    steps(net)
    assert {key.partition(".")[0] for key in moved(net, before)} == {"hidden", "fc"}


def test_named_parts_stay_and_the_rest_moves() -> None:
    net = network()
    said: list[str] = []
    freeze_parts(net, ["conv1", "bn1", "layer1"], said.append)
    frozen = sum(p.numel() for part in ("conv1", "bn1", "layer1") for p in net.get_submodule(part).parameters())
    total = sum(p.numel() for p in net.parameters())
    assert said == [f"frozen: conv1, bn1, layer1; {total - frozen:,} of {total:,} parameters are trained"]
    before = copy.deepcopy(net.state_dict())
    steps(net)
    changed = moved(net, before)
    assert {key.partition(".")[0] for key in changed} == {"layer2", "layer3", "layer4", "fc"}
    assert "layer2.0.bn1.running_mean" in changed


def test_a_frozen_network_survives_copying_and_keeps_its_names() -> None:
    net, plain = network(), network()
    freeze_parts(net, ["layer1"], print)
    twin = copy.deepcopy(net).train()
    assert not twin.get_submodule("layer1.0.bn1").training
    assert twin.get_submodule("layer2.0.bn1").training
    plain.load_state_dict(net.state_dict())


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["layer5"], "model.freeze: the network has no module 'layer5'; did you mean layer"),
        (["backbone", "fc"], "model.freeze: backbone, fc is the whole network; nothing is left to train"),
        (["maxpool"], "model.freeze: the network has no module 'maxpool'"),
    ],
)
def test_what_cannot_be_frozen_is_told_in_one_line(parts: list[str], message: str) -> None:
    with pytest.raises(ModelError, match=f"^{message}"):
        freeze_parts(network(), parts, print)


def test_a_network_without_a_linear_layer_has_no_backbone() -> None:
    with pytest.raises(ModelError, match="no linear layer at its end"):
        freeze_parts(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), ["backbone"], print)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("none", ()), ("", ()), (None, ()), ("backbone", ("backbone",)), ("layer1, layer2", ("layer1", "layer2"))],
)
def test_freeze_is_read_as_a_word_or_a_list(given: Any, kept: tuple[str, ...]) -> None:
    assert Recipe(model={"freeze": given}).model.freeze == kept
    assert sightlab.recipe("demo", freeze=given).model.freeze == kept


def test_the_keys_of_fine_tuning_leave_the_hash_as_it_was_unless_they_are_used() -> None:
    plain = Recipe()
    assert Recipe(model={"freeze": "none"}, optimizer={"layer_lr_decay": 1.0}).hash == plain.hash
    assert Recipe(model={"freeze": "backbone"}).hash != plain.hash
    assert Recipe(optimizer={"layer_lr_decay": 0.5}).hash != plain.hash


def test_a_recipes_training_freezes_its_own_network_and_the_callers() -> None:
    recipe = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=10, freeze="conv1,conv2", epochs=1)
    for net in (None, network("cnn", classes=10, height=28, width=28)):
        classifier = prepare(recipe, parts=GivenParts(model=net)).training.classifier
        frozen = {key.split(".")[1] for key, p in classifier.named_parameters() if not p.requires_grad}
        assert frozen == {"conv1", "conv2"}


# Layers that move less


def test_a_vision_transformers_layers_are_those_of_timm() -> None:
    optim = pytest.importorskip("timm.optim")
    timm = pytest.importorskip("timm")
    net = timm.create_model("test_vit")
    ours = layer_numbers(net)
    depth = max(ours.values())
    groups = optim.param_groups_layer_decay(net, layer_decay=0.5)
    for group in groups:
        for parameter in group["params"]:
            assert 0.5 ** (depth - ours[parameter]) == group["lr_scale"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_layer_moves_at_the_rate_of_the_next_times_the_decay(name: str) -> None:
    with torch.device("meta"), NoFirstWeights():
        net = network("resnet18")
    optimizer = optimizer_of(net, name, lr=0.1, weight_decay=0.01, layer_lr_decay=0.5)
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    found = {key.partition(".")[0]: rate[id(p)] for key, p in net.named_parameters()}
    order = ["fc", "layer4", "layer3", "layer2", "layer1", "conv1"]
    assert found == pytest.approx({part: 0.1 * 0.5**n for n, part in enumerate(order)} | {"bn1": 0.1 * 0.5**5})
    assert optimizer.param_groups[0]["lr"] == 0.1
    plain = optimizer_of(net, name, lr=0.1, weight_decay=0.01)
    decays = [{id(p): g["weight_decay"] for g in o.param_groups for p in g["params"]} for o in (optimizer, plain)]
    assert decays[0] == decays[1]


def test_a_decay_of_one_leaves_the_groups_as_they_are() -> None:
    with torch.device("meta"), NoFirstWeights():
        net = network("resnet18")
    plain, same = (optimizer_of(net, "sgd", lr=0.1, **more).param_groups for more in ({}, {"layer_lr_decay": 1.0}))
    assert [[id(p) for p in g["params"]] for g in plain] == [[id(p) for p in g["params"]] for g in same]


# Runs as weights


def test_a_runs_weights_stand_in_the_recipe_for_its_name(small_run: Path) -> None:
    file = small_run / "bundle" / "weights.safetensors"
    said: list[str] = []
    for name in ("last", small_run.name[:4], str(small_run), str(small_run / "bundle")):
        recipe = with_weights_of_run(sightlab.recipe("cnn", weights=name), small_run.parent, said.append)
        assert recipe.model.weights == str(file)
    assert said[0] == f"weights of {small_run.name}: cnn, fashion-mini"
    net = network("cnn", classes=10, height=28, width=28, weights=file)
    for key, value in load_file(file).items():
        assert torch.equal(net.state_dict()[key], value)


def test_a_recipe_with_a_file_or_without_weights_stays_as_it_is(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").touch()
    for recipe in (Recipe(), sightlab.recipe("cnn", weights=str(tmp_path / "w.safetensors"))):
        assert with_weights_of_run(recipe, small_run.parent) is recipe


def test_what_is_neither_file_nor_run_is_told_in_one_line(small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^model\.weights: zebra is neither a file nor a run with a bundle: no run"):
        with_weights_of_run(sightlab.recipe("cnn", weights="zebra"), small_run.parent)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="holds no bundle; finish it with"):
        with_weights_of_run(sightlab.recipe("cnn", weights=str(tmp_path / "half")))


def test_the_head_of_a_bundle_with_other_classes_is_left_and_said_aloud(tmp_path: Path) -> None:
    first, second = network("cnn"), network("cnn")
    nn.init.ones_(first.get_parameter("linear3.weight"))
    path = tmp_path / "weights.safetensors"
    save_file(first.state_dict(), path)
    (tmp_path / "bundle.json").write_text(json.dumps({"classes": ["ant", "bee", "cow", "dog"]}))
    head = second.get_parameter("linear3.weight").clone()
    said: list[str] = []
    load_weights(second, path, said.append, ["ant", "bee", "cat", "dog"])
    assert said == [f"linear3 left as initialised: the classes of {path} are others ('cow' where 'cat' is now)"]
    assert torch.equal(second.get_parameter("linear3.weight"), head)
    load_weights(second, path, said.append, ["ant", "bee", "cow", "dog"])
    assert torch.equal(second.get_parameter("linear3.weight"), torch.ones(4, 128))


def test_fewer_classes_than_the_runs_leave_the_head_too(small_run: Path) -> None:
    file = small_run / "bundle" / "weights.safetensors"
    said: list[str] = []
    shape = {"classes": 3, "height": 28, "width": 28}
    network("cnn", **shape, weights=file, class_names=["a", "b", "c"], say=said.append)
    assert said == [f"linear3 left as initialised: 10 classes in {file}, 3 in the model"]


# Published weights, from a cache that the test filled


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["densenet121", "mobilenet-v3-small"])
def test_published_weights_come_to_every_layer_but_the_head(name: str, hub: Path) -> None:
    theirs = torchvision.models.get_model(name.replace("-", "_"), weights=None)
    state = theirs.state_dict()
    if name == "densenet121":  # the file is older than today's names
        state = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): v for key, v in state.items()}
    weights = torchvision.models.get_model_weights(name.replace("-", "_")).DEFAULT
    torch.save(state, hub / Path(weights.url).name)
    said: list[str] = []
    ours = build(name, channels=1, classes=10, height=64, width=64, pretrained=True, say=said.append)
    alike = [key for key, value in theirs.state_dict().items() if torch.equal(value, ours.state_dict().get(key))]
    different = set(theirs.state_dict()) - set(alike)
    head = {key for key in different if key.startswith("classifier.")}
    stem = {"densenet121": "features.conv0.weight"}.get(name, "features.0.0.weight")
    assert different == {stem} | head
    assert any(line.startswith(f"{stem.removesuffix('.weight')}") or "left as initialised" in line for line in said)
    if name != "densenet121":
        expected = theirs.get_parameter(stem).sum(1, keepdim=True)
        assert torch.equal(ours.get_parameter(stem), expected)


def test_a_head_of_ones_own_stays_fresh_among_published_weights() -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    net = network("resnet18", channels=3, stem="7x7", options={"head": [8]})
    hidden = net.get_parameter("hidden.0.weight").clone()
    said: list[str] = []
    fit_published(net, state, "resnet18", "the file", said.append)
    assert torch.equal(net.get_parameter("layer4.1.conv2.weight"), state["layer4.1.conv2.weight"])
    assert torch.equal(net.get_parameter("hidden.0.weight"), hidden)
    assert said == ["resnet18: fc and what else is its own head left as initialised"]


def test_published_features_fit_the_small_vgg() -> None:
    net = network("vgg11-bn", channels=3)
    state = {key: torch.randn_like(v) if v.is_floating_point() else v for key, v in net.state_dict().items()}
    published = {key: value for key, value in state.items() if key.startswith("features.")}
    # The published head, 120 million numbers, stored as one.
    published |= {f"classifier.{n}.{kind}": torch.zeros(1) for n in (0, 3, 6) for kind in ("weight", "bias")}
    head = net.get_parameter("classifier.weight").clone()
    said: list[str] = []
    fit_published(net, published, "vgg11-bn", "the file", said.append)
    assert torch.equal(net.get_parameter("features.25.weight"), state["features.25.weight"])
    assert torch.equal(net.get_parameter("classifier.weight"), head)
    assert said == ["vgg11-bn: classifier and what else is its own head left as initialised"]


def test_positions_are_interpolated_as_torchvision_does() -> None:
    interpolate = pytest.importorskip("torchvision.models.vision_transformer").interpolate_embeddings
    positions = torch.randn(1, 1 + 14 * 14, 24)
    theirs = interpolate(128, 16, {"encoder.pos_embedding": positions.clone()})["encoder.pos_embedding"]
    assert torch.allclose(positions_for(positions, 8), theirs, atol=1e-6)


def test_a_transformers_patches_stay_fresh_and_its_positions_are_fitted() -> None:
    given = network("vit-tiny", channels=3, classes=1000, height=64, width=64, options={"patch_size": 16}).state_dict()
    ours = network("vit-tiny", channels=3, classes=10, height=32, width=32)
    patches = ours.get_parameter("conv_proj.weight").clone()
    said: list[str] = []
    fit_published(ours, given, "vit-tiny", "the file", said.append)
    assert torch.equal(ours.get_parameter("conv_proj.weight"), patches)
    assert said[:2] == [
        "vit-tiny: conv_proj left as initialised, the published 16x16 patches do not fit 4x4; "
        "options.patch_size=16 and a larger data.size take them",
        "vit-tiny: positions interpolated from 4 to 8 patches a side",
    ]
    assert torch.equal(ours.get_parameter("class_token"), given["class_token"])


def test_models_without_published_weights_name_those_that_have_them() -> None:
    with pytest.raises(ModelError, match=r"pretrained=true works for .*densenet121.* and for timm/NAME"):
        load_published(network("unet"), "unet", print)


def test_train_starts_from_a_run_and_keeps_which_file_that_was(cli: Cli, own_run: Path) -> None:
    words = ["train", "cnn", "limit_per_class=20", "epochs=1", "report=off", "weights=last"]
    status, out, err = cli(*words, "--home", own_run.parent, "--json")
    assert status == 0, err
    kept = (own_run.parent / json.loads(out)["run"] / "recipe.yaml").read_text()
    assert str(own_run / "bundle" / "weights.safetensors") in kept
