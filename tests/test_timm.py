"""timm's models, fitted to the data; what timm cannot give is told in one line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sightlab.errors import ModelError
from sightlab.models import build
from sightlab.models.names import check_name

timm = pytest.importorskip("timm")

# Models that timm itself keeps for tests: a convolutional net, a vision transformer, and one that needs its size.
SMALL = ["timm/test_resnet", "timm/test_vit", "timm/test_convnext"]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 32, 32), (3, 64, 48)])
def test_a_timm_model_takes_the_datas_channels_and_size(name: str, channels: int, height: int, width: int) -> None:
    net = build(name, channels=channels, classes=7, height=height, width=width).eval()
    batch = torch.randn(3, channels, height, width)
    with torch.no_grad():
        logits = net(batch)
        assert logits.shape == (3, 7)
        assert torch.allclose(net(batch[1:2])[0], logits[1], atol=1e-5)


def test_our_names_for_dropout_become_timms() -> None:
    options = {"dropout": 0.3, "stochastic_depth": 0.2}
    net = build("timm/test_vit", channels=1, classes=3, height=32, width=32, options=options)
    rates = [module.p for module in net.modules() if isinstance(module, nn.Dropout) and module.p > 0]
    depth = [module.drop_prob for module in net.modules() if type(module).__name__ == "DropPath"]
    assert rates == [0.3]
    assert max(depth) == pytest.approx(0.2)


@pytest.mark.parametrize(("size", "seen"), [(28, "16 x 16"), (40, "32 x 32")])
def test_pixels_that_no_patch_sees_are_told(size: int, seen: str) -> None:
    said: list[str] = []
    name = "timm/vit_tiny_patch16_224"
    net = build(name, channels=1, classes=3, height=size, width=size, say=said.append).eval()
    (line,) = said
    assert line.startswith(f"{name}: its 16 x 16 patches cover only {seen} of {size} x {size} pixels")
    image = torch.rand(1, 1, size, size)
    edge = image.clone()
    edge[..., -1] = 0
    assert torch.equal(net(image), net(edge))


def test_patches_that_cover_the_image_are_not_spoken_of() -> None:
    said: list[str] = []
    build("timm/test_vit", channels=1, classes=3, height=32, width=48, say=said.append)
    build("timm/test_resnet", channels=1, classes=3, height=29, width=31, say=said.append)
    assert said == []


def test_options_of_timms_own_are_passed_on() -> None:
    net = build("timm/test_vit", channels=1, classes=3, height=28, width=28, options={"patch_size": 4})
    assert net.patch_embed.num_patches == 49


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm/resnet81", {}, f"timm {timm.__version__} has no model 'resnet81'; near: resnet"),
        ("timm/qqqqqqqq", {}, f"timm {timm.__version__} has no model 'qqqqqqqq'; timm.list_models() lists them"),
        ("timm/hf-hub:someone/net", {}, f"timm {timm.__version__} has no model 'hf-hub:someone/net'; "),
        ("timm/test_resnet.nope", {}, "timm/test_resnet.nope cannot be built with "),
        ("timm/vgg11", {"stochastic_depth": 0.1}, "model timm/vgg11 takes no option 'stochastic_depth'"),
        ("timm/test_vit", {"dept": 3}, "model timm/test_vit takes no option 'dept'"),
        ("timm/test_vit", {"dropout": "x"}, "option dropout of model timm/test_vit must be a number, not 'x'"),
        ("timm/test_vit", {"dropout": 2}, "option dropout is 2; it must be at least 0 and below 1"),
    ],
)
def test_what_timm_does_not_have_is_told_in_one_line(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match="^" + re.escape(message)) as caught:
        build(name, channels=1, classes=3, height=32, width=32, options=options)
    assert "\n" not in str(caught.value)


def test_a_timm_model_has_no_choice_of_stem() -> None:
    with pytest.raises(ModelError, match="model timm/test_resnet has no choice of stem"):
        build("timm/test_resnet", channels=1, classes=3, height=32, width=32, stem="3x3")


def test_without_timm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"timm/resnet18 needs timm, .*: pip install 'sightlab\[timm\]'"):
        build("timm/resnet18", channels=1, classes=3, height=32, width=32)


def test_without_a_network_it_points_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"weights are not available .* without a network use weights=FILE$"):
        build("timm/test_resnet", channels=1, classes=3, height=32, width=32, pretrained=True)


def test_a_name_of_timms_is_known_before_it_is_built() -> None:
    check_name("timm/resnet18.a1_in1k")
    with pytest.raises(ModelError, match="has no model 'resnet81'"):
        check_name("timm/resnet81")
