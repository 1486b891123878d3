"""The hash of a recipe stays what it was, and the training hash leaves out what a training's identity holds apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightlab.recipes.loader import read_recipe, shipped_recipes
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.studies.study_files import read_study
from sightlab.studies.study_plan import plan_study

# Computed with commit 2d08ae0, in which sgd's momentum counted when it was stated and not when it was left at 0.9: here
# it is always stated, as in the recipes that ship.
THEN = json.loads((Path(__file__).parent / "recipe_hashes.json").read_text())


def test_the_hashes_of_shipped_recipes_are_those_of_before() -> None:
    assert {name: read_recipe(name).hash for name in shipped_recipes()} == THEN["recipes"]


@pytest.mark.parametrize("study", sorted({name.split()[0] for name in THEN["studies"]}))
def test_the_hashes_of_a_studys_recipes_are_those_of_before(study: str) -> None:
    found = read_study(study)
    for scale in found.scales:
        recipes = [with_momentum(job.recipe) for job in plan_study(found, scale, Path("home")).jobs]
        assert " ".join(recipe.hash for recipe in recipes) == THEN["studies"][f"{study} {scale}"]


def with_momentum(recipe: Recipe) -> Recipe:
    """Plain SGD as two of the studies had it then: with the momentum that is its default."""
    return changed(recipe, {"momentum": 0.9}) if getattr(recipe.optimizer, "momentum", None) == 0 else recipe


@pytest.mark.parametrize("changes", THEN["changes"])
def test_the_hashes_of_changed_recipes_are_those_of_before(changes: str) -> None:
    assert changed(Recipe(), json.loads(changes)).hash == THEN["changes"][changes]


def test_the_hash_counts_what_may_change_the_result() -> None:
    plain = Recipe().hash
    for same in (
        {"callbacks": "tensorboard,mlflow,wandb"}, {"test_flips": True}, {"report": False}, {"momentum": 0.9},
        {"notes": "x"},
    ):  # fmt: skip
        assert changed(Recipe(), same).hash == plain
    for other in (
        {"callbacks": "own.py:Stop"}, {"select_by": "loss"}, {"metrics": "auc"}, {"processes": 2},
        {"custom": "own.py:cutout"}, {"loss": "own.py:focal"}, {"schedule": "own.py:f", "interval": "epoch"},
    ):  # fmt: skip
        assert changed(Recipe(), other).hash != plain, other


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other", "notes": "text"},
        {"seed": 7},
        {"data": "kmnist", "size": 32, "classes": "a,b", "validation": 0.1},
        {"test_flips": True, "callbacks": "own.py:Stop"},
        {"processes": 4},
        {"weights": "runs/last.safetensors"},
        {"alpha": 0.5},  # no teacher is asked
    ],
)
def test_the_training_hash_leaves_out_what_an_identity_holds_apart(changes: dict[str, object]) -> None:
    assert changed(Recipe(), changes).training_hash == Recipe().training_hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"model": "a/net.py:Net"}, {"model": "b/other.py:Net"}),
        ({"loss": "a/loss.py:focal"}, {"loss": "b/loss.py:focal"}),
        ({"optimizer": "a/o.py:Own"}, {"optimizer": "b/o.py:Own"}),
        ({"schedule": "a/s.py:f"}, {"schedule": "b/s.py:f"}),
        ({"custom": "a/s.py:f"}, {"custom": "b/s.py:f"}),
        ({"metrics": "a/m.py:f", "select_by": "a/m.py:f"}, {"metrics": "b/m.py:f", "select_by": "b/m.py:f"}),
        ({"teacher": "last"}, {"teacher": "runs/3fa2c1"}),
        ({"device": "cuda"}, {"device": "cuda:1"}),
    ],
)
def test_the_training_hash_does_not_depend_on_paths(one: dict[str, object], other: dict[str, object]) -> None:
    first, second = (changed(Recipe(), changes).training_hash for changes in (one, other))
    assert first == second
    assert first != Recipe().training_hash


@pytest.mark.parametrize(
    "changes",
    [{"lr": 0.2}, {"epochs": 3}, {"flip": 0.5}, {"optimizer": "adam"}, {"select_by": "loss"}, {"device": "cpu"},
     {"model": "cnn"}, {"options.dropout": 0.1}, {"loss": "own.py:f", "loss.options": {"gamma": 2.0}}],
)  # fmt: skip
def test_the_training_hash_counts_the_rest(changes: dict[str, object]) -> None:
    assert changed(Recipe(), changes).training_hash != Recipe().training_hash
