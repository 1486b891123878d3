"""Weights come whole, from either format, run no code, and what does not fit is named."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.models import build, load_weights
from sightlab.models.load_weights import fit_channels


def tiny(channels: int = 3, classes: int = 4, width: int = 5) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, width, 3),
            bn=nn.BatchNorm2d(width),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            fc=nn.Linear(width, classes),
        )
    )


def ignore(line: str) -> None:
    """Says nothing."""


def assert_same(first: nn.Module, second: nn.Module) -> None:
    other = second.state_dict()
    for key, value in first.state_dict().items():
        assert torch.equal(value, other[key]), key


def test_a_model_is_built_with_the_weights_of_a_file(tmp_path: Path) -> None:
    first = build("cnn", channels=1, classes=3, height=16, width=16)
    torch.save(first.state_dict(), tmp_path / "w.pth")
    assert_same(first, build("cnn", channels=1, classes=3, height=16, width=16, weights=tmp_path / "w.pth"))


def bare(state: dict[str, Tensor]) -> object:
    return state


@pytest.mark.parametrize(
    "wrap",
    [
        bare,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"model_state_dict": state, "loss": 0.1},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"module._orig_mod.{key}": value for key, value in state.items()}},
    ],
    ids=["bare", "state_dict", "model", "model_state_dict", "module.", "module._orig_mod."],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_found_where_people_keep_it(wrap: object, zipped: bool, tmp_path: Path) -> None:
    first, second = tiny(), tiny()
    content = wrap(first.state_dict())
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    load_weights(second, tmp_path / "w.pth", ignore)
    assert_same(first, second)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".bin", ""])
def test_content_decides_the_format_not_the_suffix(suffix: str, tmp_path: Path) -> None:
    first = tiny()
    for write in (torch.save, save_file):
        second = tiny()
        write(first.state_dict(), tmp_path / f"w{suffix}")
        load_weights(second, tmp_path / f"w{suffix}", ignore)
        assert_same(first, second)


class Opens:
    """Unpickled in the ordinary way, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_file_with_code_is_refused_and_the_code_not_run(write: object, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    write({"state_dict": tiny().state_dict(), "evil": Opens(tmp_path / "made")}, path)
    with pytest.raises(ModelError, match=r"could run code; convert it where you trust it: torch\.save\(") as caught:
        load_weights(tiny(), path, ignore)
    assert "'x-tensors.pth'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_a_pickled_model_is_refused_by_the_name_of_what_it_holds(tmp_path: Path) -> None:
    torch.save(tiny(), tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"x\.pth holds more than tensors \(torch\.nn\.modules\.[\w.]+\), which could"):
        load_weights(tiny(), tmp_path / "x.pth", ignore)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("format_", ["zip", "legacy", "safetensors"])
def test_a_file_cut_short_is_refused_and_the_model_unchanged(format_: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / ("w.safetensors" if format_ == "safetensors" else "w.pth")
    state = tiny(width=64).state_dict()
    if format_ == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=format_ == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    model = tiny(width=64)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ModelError, match=re.escape(str(path))) as caught:
        load_weights(model, path, ignore)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "holds a list, not a state dict"),
        ({}, "holds a dict, not a state dict"),
        ({"a": torch.zeros(2), "epoch": 3}, "is not a state dict: 'epoch' is a int, not a tensor"),
        ({3: torch.zeros(2)}, "is not a state dict: 3 is a Tensor"),
    ],
)
def test_tensors_without_names_are_no_weights(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=re.escape(message)):
        load_weights(tiny(), tmp_path / "w.pth", ignore)


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text("label,pixel0\n1,2\n")
    with pytest.raises(ModelError, match=r"w\.txt is neither a safetensors file nor one that torch\.save wrote"):
        load_weights(tiny(), tmp_path / "w.txt", ignore)
    with pytest.raises(ModelError, match=r"none\.pth cannot be read: No such file"):
        load_weights(tiny(), tmp_path / "none.pth", ignore)
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        load_weights(tiny(), tmp_path, ignore)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv.weight": torch.zeros(9, 3, 3, 3)}, "conv.weight is [9, 3, 3, 3] in {path}, [5, 3, 3, 3] in the model"),
        ({"conv.weight": torch.zeros(5, 3, 5, 5)}, "conv.weight is [5, 3, 5, 5] in {path}, [5, 3, 3, 3] in the model"),
        ({"fc.weight": torch.zeros(4, 6)}, "fc.weight is [4, 6] in {path}, [4, 5] in the model"),
        ({"fc.weight": torch.zeros(9, 6)}, "fc.weight is [9, 6] in {path}, [4, 5] in the model"),
        ({"bn.weight": None}, "{path} has no bn.weight [5], which the model needs"),
        ({"extra.bias": torch.zeros(2)}, "{path} has extra.bias [2], which the model does not have"),
        ({"bn.bias": torch.zeros(5, dtype=torch.int8)}, "bn.bias is int8 in {path}, float32 in the model"),
        ({"bn.bias": torch.full((5,), torch.nan)}, "bn.bias in {path} holds values that are not finite"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(
    change: dict[str, Tensor | None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.pth"
    state = tiny().state_dict() | change
    torch.save({key: value for key, value in state.items() if value is not None}, path)
    with pytest.raises(ModelError, match="^" + re.escape(message.format(path=path)) + "$"):
        load_weights(tiny(), path, ignore)


def test_counts_of_batches_may_be_missing(tmp_path: Path) -> None:
    first, second = tiny(), tiny()
    torch.save({k: v for k, v in first.state_dict().items() if "num_batches" not in k}, tmp_path / "old.pth")
    load_weights(second, tmp_path / "old.pth", ignore)
    assert_same(first, second)


def test_a_head_of_other_classes_is_left_and_said_aloud(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    first, second = tiny(classes=10), tiny(classes=4)
    head = second.fc.weight.clone()
    torch.save(first.state_dict(), path)
    said: list[str] = []
    load_weights(second, path, said.append)
    assert said == [f"fc left as initialised: 10 classes in {path}, 4 in the model"]
    assert torch.equal(second.fc.weight, head)
    assert torch.equal(second.conv.weight, first.conv.weight)


def test_a_grey_image_is_answered_as_its_colour_copy_was(tmp_path: Path) -> None:
    colour, grey = tiny(channels=3).eval(), tiny(channels=1).eval()
    torch.save(colour.state_dict(), tmp_path / "x.pth")
    said: list[str] = []
    load_weights(grey, tmp_path / "x.pth", said.append)
    image = torch.rand(2, 1, 8, 8)
    assert torch.allclose(grey(image), colour(image.expand(-1, 3, -1, -1)), atol=1e-6)
    assert said == [f"conv.weight: 3 input channels in {tmp_path / 'x.pth'} fitted to 1"]


@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 2), (3, 4), (3, 6), (3, 8)])
def test_channels_are_fitted_as_timm_fits_them(before: int, after: int) -> None:
    adapt = pytest.importorskip("timm.models").adapt_input_conv
    weight = torch.randn(4, before, 3, 3)
    assert torch.allclose(fit_channels(weight, after), adapt(after, weight), atol=1e-6)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 6), (2, 8)])
def test_a_constant_image_is_answered_alike_in_more_channels(before: int, after: int) -> None:
    weight = torch.randn(4, before, 3, 3)
    assert torch.allclose(fit_channels(weight, after).sum(1), weight.sum(1), atol=1e-5)


# Published weights: torch's cache is a folder of the test's own, and nothing listens where a download would go.


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(key, "http://127.0.0.1:9")
    for key in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(key, raising=False)
    return tmp_path / "hub" / "checkpoints"


def published(hub: Path) -> nn.Module:
    """torchvision's resnet18 with random weights, in the place of the published ones."""
    model = torchvision.models.resnet18(weights=None)
    hub.mkdir(parents=True)
    file = Path(torchvision.models.ResNet18_Weights.DEFAULT.url).name
    torch.save(model.state_dict(), hub / file)
    return model


def test_published_weights_answer_as_in_torchvision(hub: Path) -> None:
    theirs = published(hub).eval()
    ours = build("resnet18", channels=3, classes=1000, height=96, width=96, pretrained=True).eval()
    image = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image), atol=1e-5)


def test_published_weights_are_fitted_to_the_data_and_it_is_said(hub: Path) -> None:
    theirs = published(hub)
    said: list[str] = []
    ours = build("resnet18", channels=1, classes=10, height=28, width=28, pretrained=True, stem="7x7", say=said.append)
    expected = theirs.get_parameter("conv1.weight").sum(1, keepdim=True)
    assert torch.equal(ours.get_parameter("conv1.weight"), expected)
    assert said == [
        "conv1.weight: 3 input channels in ResNet18_Weights.IMAGENET1K_V1 fitted to 1",
        "fc left as initialised: 1000 classes in ResNet18_Weights.IMAGENET1K_V1, 10 in the model",
    ]


def test_the_small_stem_stays_fresh_among_published_weights(hub: Path) -> None:
    theirs = published(hub)
    said: list[str] = []
    ours = build("resnet18", channels=3, classes=1000, height=32, width=32, pretrained=True, say=said.append)
    assert said[1] == (
        "resnet18: conv1 left as initialised, the published 7x7 stem does not fit the 3x3 stem; stem=7x7 takes it"
    )
    assert torch.equal(ours.get_parameter("layer4.1.conv2.weight"), theirs.get_parameter("layer4.1.conv2.weight"))


def test_without_a_network_it_says_where_it_looked(hub: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match=r"resnet18: could not download https://download\.pytorch\.org/") as caught:
        build("resnet18", channels=3, classes=10, height=28, width=28, pretrained=True)
    assert f"looked in {hub}, use weights=FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""


def test_a_damaged_file_in_the_cache_is_named(hub: Path) -> None:
    published(hub)
    (file,) = hub.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=rf"{file} is damaged \(.*\); delete it, or use weights=FILE"):
        build("resnet18", channels=3, classes=10, height=28, width=28, pretrained=True)
