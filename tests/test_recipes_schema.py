"""`sightlab recipes --schema`: what recipes allow, it allows, and what they refuse for its shape, it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from sightlab.errors import RecipeError
from sightlab.recipes.json_schema import recipe_schema
from sightlab.recipes.keys import leaf_keys
from sightlab.recipes.loader import parse_recipe, read_recipe, shipped_recipes, shipped_text
from tests.conftest import Cli

CHECK = Draft202012Validator(recipe_schema())


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_fit_it_as_they_are_and_written_out(name: str) -> None:
    for text in (shipped_text(name), read_recipe(name).to_yaml()):
        assert list(CHECK.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "data: kmnist\nmodel: cnn\nschedule: cosine\nloss: bce",
        "data: {classes: 'cat,dog', label: 0}\nmodel: {freeze: none}",
        "optimizer: {lr: 0.1, momentum: 0.5}",
        "optimizer: {name: muon, nesterov: false, adamw_lr_factor: 0.5}",
        "optimizer: {name: own/opt.py:Sophia, lr: 0.1, options: {rho: 0.04}}",
        "schedule: {name: own.py:f, interval: epoch}",
        "averaging: {name: lookahead, alpha: falling}",
        "compile: false\ncallbacks: [mlflow, own.py:Stop]\nmetrics: auc\nselect_by: auc",
        "augment: {custom: own.py:cutout, options: {size: 4}, colour_jitter: [0.4, 0.4, 0.4, 0.1]}",
    ],
)
def test_what_a_recipe_allows_fits(text: str) -> None:
    parse_recipe(text, "x.yaml")
    assert list(CHECK.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "epocs: 3",
        "epochs: 0",
        "optimizer: {name: sdg}",
        "optimizer: sdg",
        "optimizer: {name: adam, momentum: 0.9}",
        "optimizer: {betas: [0.9, 0.99]}",
        "optimizer: {name: adam, betas: [0.9]}",
        "schedule: {name: cosine, gamma: 0.5}",
        "loss: {name: bce, options: {a: 1}}",
        "averaging: own.py:Average",
        "compile: maybe",
        "model: {stem: 5x5}",
    ],
)
def test_what_a_recipe_refuses_does_not_fit(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(text, "x.yaml")
    assert not CHECK.is_valid(yaml.safe_load(text))


def keys_in(schema: dict[str, Any]) -> set[str]:
    """The dotted paths of the keys that a schema describes."""
    found = set()
    for key, inner in schema["properties"].items():
        shapes = [shape["$ref"].rpartition("/")[2] for shape in inner.get("anyOf", ()) if "$ref" in shape]
        found |= {f"{key}.{leaf}" for shape in shapes for leaf in schema["$defs"][shape]["properties"]} or {key}
    return found


def test_the_command_prints_the_schema_of_every_key(cli: Cli) -> None:
    status, out, _ = cli("recipes", "--schema")
    schema = json.loads(out)
    Draft202012Validator.check_schema(schema)
    assert (status, schema["$schema"]) == (0, "https://json-schema.org/draft/2020-12/schema")
    assert keys_in(schema) == set(leaf_keys())


def test_the_schema_is_that_of_all_recipes(cli: Cli) -> None:
    status, _, err = cli("recipes", "demo", "--schema")
    assert status == 2
    assert "--schema prints the schema of every recipe; leave out 'demo'" in err
