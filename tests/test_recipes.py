"""Recipes: what they refuse, how a key is found, what their hash stands for."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sightlab
from sightlab.errors import RecipeError
from sightlab.recipes.keys import full_key, leaf_keys
from sightlab.recipes.loader import parse_recipe, read_recipe, shipped_recipes
from sightlab.recipes.overrides import changed, changed_keys, parse_changes
from sightlab.recipes.schema import Recipe

FAST = {"fashion-fast", "kmnist-fast", "digits-fast"}
WANTED = {"demo", "resnet18", "cnn", *(f"mini-resnet-v{n}" for n in range(1, 7)), *FAST}


def test_the_promised_recipes_ship() -> None:
    assert set(shipped_recipes()) >= WANTED


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_states_its_command_time_and_accuracy_with_n(name: str) -> None:
    notes = read_recipe(name).notes
    assert f"sightlab train {name}" in notes or name == "demo"
    assert "two cores" in notes
    assert "n = " in notes
    assert "%" in notes


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_survives_yaml(name: str) -> None:
    recipe = read_recipe(name)
    assert parse_recipe(recipe.to_yaml(), name) == recipe


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Recipe().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("lr", "optimizer.lr"),
        ("epochs", "epochs"),
        ("batch_size", "batch_size"),
        ("model", "model.name"),
        ("data", "data.source"),
        ("optimizer", "optimizer.name"),
        ("schedule", "schedule.name"),
        ("name", "name"),
        ("stem", "model.stem"),
        ("flip", "augment.flip"),
        ("options.dropout", "model.options.dropout"),
        ("teacher", "distillation.teacher"),
        ("temperature", "distillation.temperature"),
        ("alpha", "distillation.alpha"),
    ],
)
def test_a_short_key_means_its_path(key: str, path: str) -> None:
    assert full_key(key) == path


@pytest.mark.parametrize("key", leaf_keys())
def test_every_dotted_path_means_itself(key: str) -> None:
    assert full_key(key) == key


def test_overrides_are_read_as_their_keys_take_them() -> None:
    words = ["lr=0.03", "epochs=15", "batch_size=32", "model=mini-resnet-v4", "data=kmnist", "seed=42"]
    recipe = changed(Recipe(), parse_changes(words))
    assert (recipe.optimizer.lr, recipe.epochs, recipe.batch_size) == (0.03, 15, 32)
    assert (recipe.model.name, recipe.data.source, recipe.seed) == ("mini-resnet-v4", "kmnist", 42)


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("name=1e3", "name", "1e3"),
        ("compile=off", "compile", "off"),
        ("data=off", "data.source", "off"),
        ("lr=1e-3", "optimizer.lr", 1e-3),
        ("nesterov=true", "optimizer.nesterov", True),
        ("early_stop=null", "early_stop", None),
        ("weights=null", "model.weights", None),
        ("label=0", "data.label", "0"),
        ("data=a=b.csv", "data.source", "a=b.csv"),
        ("betas=[0.8, 0.9]", "optimizer.betas", [0.8, 0.9]),
    ],
)
def test_a_value_is_text_only_where_the_key_takes_text(word: str, key: str, value: object) -> None:
    assert parse_changes([word]) == {key: value}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lr=-1"], "optimizer.lr: input should be greater than 0, found -1"),
        (["batch_size=0"], "batch_size: input should be greater than or equal to 1, found 0"),
        (["bach_size=3"], "unknown key 'bach_size'; did you mean batch_size?"),
        (["momentm=0.9"], "did you mean optimizer.momentum?"),
        (["optimizer=sdg"], "optimizer.name: unknown optimizer 'sdg'; did you mean sgd?"),
        (["epochs=1.5"], "fractional"),
        (["lr=nan"], "finite"),
        (["lr"], "unexpected 'lr'; changes look like KEY=VALUE"),
        (["lr=1", "optimizer.lr=2"], "given twice"),
        (["distillation=1"], "'distillation' is a group"),
        (["pretrained=true", "weights=x.pth"], "both pretrained and weights"),
        (["limit_per_class=1"], "data.limit_per_class"),
    ],
)
def test_a_wrong_change_is_one_line_that_names_the_key(words: list[str], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        changed(Recipe(), parse_changes(words))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format: 2\nsurprise: 1", "a recipe from the future"),
        ("epocs: 3", "x.yaml: unknown key 'epocs'; did you mean epochs?"),
        ("warmup_epochs: 3", "did you mean schedule.warmup_epochs?"),
        ("optimizer: {lrr: 3}", "unknown key 'optimizer.lrr'; did you mean lr?"),
        ("optimizer: {lr: high}", "x.yaml: optimizer.lr"),
        ("[1, 2]", "holds list"),
        ("a: [", "x.yaml: not YAML"),
        ("model: {options: {a: {b: 1}}}", "option a must be"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_file_and_key(text: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "x.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_may_use_the_short_forms() -> None:
    recipe = parse_recipe("data: kmnist\nmodel: cnn\nschedule: cosine\ncompile: off", "x.yaml")
    assert (recipe.data.source, recipe.model.name, recipe.schedule.name) == ("kmnist", "cnn", "cosine")
    assert recipe.compile == "off"


@pytest.mark.parametrize(
    "words",
    [
        ["name=other"],
        ["notes=nothing"],
        ["warmup_factor=0.5"],
        ["momentum=0.9"],
        ["nesterov=off"],
        ["callbacks=mlflow"],
    ],
)
def test_the_hash_leaves_out_what_cannot_change_the_result(words: list[str]) -> None:
    base = changed(Recipe(), parse_changes(["schedule=cosine"]))
    assert changed(base, parse_changes(words)).hash == base.hash


@pytest.mark.parametrize(
    "words", [["lr=0.2"], ["seed=1"], ["data=kmnist"], ["size=32"], ["flip=0.5"], ["options.dropout=0.1"], ["epochs=2"]]
)
def test_the_hash_changes_with_what_changes_the_result(words: list[str]) -> None:
    assert changed(Recipe(), parse_changes(words)).hash != Recipe().hash


def test_differences_name_old_and_new_value() -> None:
    assert changed_keys(Recipe(), sightlab.recipe("demo")) != {}
    after = changed(Recipe(), {"lr": 0.5, "data.size": 32})
    assert changed_keys(Recipe(), after) == {"data.size": (None, 32), "optimizer.lr": (0.1, 0.5)}


def test_keywords_use_two_underscores_for_dots() -> None:
    assert sightlab.recipe("demo", data__size=32, model__options={"dropout": 0.5}).data.size == 32


@given(st.text(max_size=40))
def test_any_text_is_a_recipe_or_a_recipe_error(text: str) -> None:
    try:
        recipe = parse_recipe(text, "x.yaml")
    except RecipeError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(recipe, Recipe)


@given(st.dictionaries(st.sampled_from([*leaf_keys(), "zebra"]), st.one_of(st.none(), st.integers(), st.text())))
def test_any_change_gives_a_recipe_or_a_recipe_error(changes: dict[str, object]) -> None:
    try:
        recipe = changed(Recipe(), changes)
    except RecipeError as error:
        assert "\n" not in str(error)
    else:
        assert yaml.safe_load(recipe.to_yaml())["format"] == 1


def test_paths_are_texts_or_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("data: pets\nepochs: 3\n")
    assert sightlab.recipe(file) == sightlab.recipe(str(file))
    assert sightlab.recipe("cnn", data=tmp_path) == sightlab.recipe("cnn", data=str(tmp_path))
