"""`sightlab models` and docs/models.md: every model, what it costs and what it is for."""

from __future__ import annotations

import json
import re

import pytest

from sightlab.cli.recipes import in_millions
from sightlab.models import MODELS
from sightlab.models.cost import cost_of, uncounted
from tests.conftest import ROOT, Cli, refused_with

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


def test_models_are_counted_for_the_images_that_are_asked_for(cli: Cli) -> None:
    status, out, err = cli("models", "--input", "3x224x224", "--classes", "1000", "--json")
    assert (status, err) == (0, "")
    facts = json.loads(out)
    assert (facts["channels"], facts["height"], facts["width"], facts["classes"]) == (3, 224, 224, 1000)
    found = {model["name"]: model for model in facts["models"]}
    assert list(found) == list(MODELS)
    # torchvision's own table.
    assert found["resnet50"]["parameters"] == 25_557_032
    assert found["resnet50"]["macs"] == pytest.approx(4.089e9, rel=1e-3)
    assert found["vit-base"]["macs"] == pytest.approx(17.564e9, rel=1e-3)


def test_without_a_shape_multiply_adds_are_left_out_and_what_is_refused_is_said(cli: Cli) -> None:
    status, out, err = cli("models")
    assert status == 0
    header, *rows = out.splitlines()
    assert header.split() == ["model", "family", "parameters", "for"]
    assert [row.split()[0] for row in rows] == list(MODELS)
    assert err == ("- alexnet takes images of at least 67 x 67 pixels, not 28 x 28; alexnet-small takes smaller ones\n")


@pytest.mark.parametrize("shape", ["3x32", "28", "axbxc", "0x8x8", "3x32x5000", "3x-8x8", "", "\u0663x8x8"])
def test_a_shape_that_is_none_is_refused(cli: Cli, shape: str) -> None:
    refused_with(cli("models", f"--input={shape}"), f"--input {shape}: not a shape; write channels, height and width")
