"""`sightlab models` and docs/models.md: every model, what it costs and what it is for."""

from __future__ import annotations

import json
import re

import pytest
import torchvision

from sightlab.cli.recipes import in_millions
from sightlab.models import MODELS
from sightlab.models.cost import cost_of, forward_flops, uncounted
from tests.conftest import ROOT, Cli, refused_with

PUBLISHED_SIZE = {"channels": 3, "classes": 1000, "height": 224, "width": 224}
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_page_has_the_table_of_the_code() -> None:
    shape = {"channels": 3, "classes": 10, "height": 32, "width": 32}
    rows = ["| model | family | parameters | for |", "| --- | --- | ---: | --- |"]
    for name, model in MODELS.items():
        cost = cost_of(name, **shape, count=uncounted)
        rows.append(f"| `{name}` | {model.family} | {in_millions(cost.parameters)} | {model.purpose} |")
    assert "\n".join(rows) in PAGE


def test_the_page_names_the_models_with_published_weights() -> None:
    named = re.search(r"Models that have them: (.*?), and timm's", PAGE, re.DOTALL)
    assert named is not None
    assert named[1].replace("\n ", "").split(", ") == [name for name, model in MODELS.items() if model.published]


def test_every_option_the_page_names_is_some_models() -> None:
    named = set(re.findall(r"options\.(\w+)", PAGE))
    assert named <= {option for model in MODELS.values() for option in model.options}
    assert {option for model in MODELS.values() for option in model.options} <= named


def test_a_purpose_is_one_short_line() -> None:
    for model in MODELS.values():
        assert 0 < len(model.purpose) <= 75
        assert model.family
        assert not model.purpose.endswith(".")


# Small of their family; the whole table takes ten times as long.
QUICK = ("lenet", "cnn", "mini-resnet-v4", "resnet18", "vit-tiny")


@pytest.mark.parametrize("names", [QUICK, pytest.param((), marks=pytest.mark.slow)], ids=["quick", "all"])
def test_every_model_is_counted_for_the_images_that_are_asked_for(cli: Cli, names: tuple[str, ...]) -> None:
    status, out, _ = cli("models", *names, "--input", "3x224x224", "--classes", 1000, "--json")
    assert status == 0
    listed = json.loads(out)
    assert [listed[key] for key in ("channels", "height", "width", "classes")] == [3, 224, 224, 1000]
    assert [model["name"] for model in listed["models"]] == [name for name in MODELS if name in (names or MODELS)]
    for model in listed["models"]:
        assert model["refused"] is None
        assert model["parameters"] == cost_of(model["name"], **PUBLISHED_SIZE, count=uncounted).parameters
        assert model["macs"] > model["parameters"] > 0 or model["family"] == "CNN"


DEEPER = ("resnet101", "resnet152", "vit-base")  # than others of their family, which are counted by default


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in DEEPER)) for n, model in MODELS.items() if model.published],
)
def test_at_its_published_size_a_model_has_the_published_parameters_and_cost(name: str) -> None:
    found = cost_of(name, **PUBLISHED_SIZE, count=forward_flops)
    assert found.macs is not None
    published = torchvision.models.get_model_weights(MODELS[name].published).DEFAULT.meta
    assert found.parameters == published["num_params"]
    assert round(found.macs / 1e9, 3) == published["_ops"]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("seresnet50", 28_088_024),  # timm's table of results; Hu et al. 2018: 28.1 million
        ("seresnet101", 49_326_872),
        ("preact-resnet50", 25_549_352),
        ("vit-tiny", 5_717_416),
        ("vit-small", 22_050_664),
    ],
)
def test_a_model_has_the_parameters_of_timms_table(name: str, parameters: int) -> None:
    assert cost_of(name, **PUBLISHED_SIZE, count=uncounted).parameters == parameters


@pytest.mark.parametrize("names", [("alexnet", *QUICK), pytest.param((), marks=pytest.mark.slow)], ids=["some", "all"])
def test_without_a_shape_multiply_adds_are_left_out_and_what_is_refused_is_said(
    cli: Cli, names: tuple[str, ...]
) -> None:
    status, out, err = cli("models", *names)
    assert status == 0
    header, *rows = out.splitlines()
    assert header.split() == ["model", "family", "parameters", "for"]
    assert [row.split()[0] for row in rows] == [name for name in MODELS if name in (names or MODELS)]
    assert err == ("- alexnet takes images of at least 67 x 67 pixels, not 28 x 28; alexnet-small takes smaller ones\n")


def test_a_model_that_is_not_in_the_table_is_refused(cli: Cli) -> None:
    refused_with(cli("models", "cnn", "resnet19"), "unknown model 'resnet19'; did you mean resnet")


@pytest.mark.parametrize("shape", ["3x32", "28", "axbxc", "0x8x8", "3x32x5000", "3x-8x8", "", "\u0663x8x8"])
def test_a_shape_that_is_none_is_refused(cli: Cli, shape: str) -> None:
    refused_with(cli("models", f"--input={shape}"), f"--input {shape}: not a shape; write channels, height and width")
