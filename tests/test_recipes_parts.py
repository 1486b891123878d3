"""Groups that a name decides: each part has its own keys and defaults, and refuses those of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import sightlab
from sightlab.callbacks import CALLBACKS
from sightlab.errors import ModelError, RecipeError
from sightlab.metrics.registry import METRICS
from sightlab.models import MODELS, build, parameter_count
from sightlab.parts import registry
from sightlab.recipes.keys import full_key, members
from sightlab.recipes.loader import parse_recipe, read_recipe
from sightlab.recipes.overrides import changed, changed_keys, flat, parse_changes
from sightlab.recipes.part_groups import PARTS
from sightlab.recipes.renamed import RENAMED, hints
from sightlab.recipes.schema import Recipe

EVERY_PART = [(group, name) for group, parts in PARTS.items() for name in parts]


@pytest.fixture
def installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that registers parts, as an installer leaves it."""
    (tmp_path / "vision_parts.py").write_text("def focal(logits, targets, gamma=2.0): return logits.sum(1) * gamma\n")
    (tmp_path / "vision_nets.py").write_text(
        "from torch import nn\n"
        "def tiny(channels, classes, height, width, hidden=5):\n"
        "    first = nn.Linear(channels * height * width, hidden)\n"
        "    return nn.Sequential(nn.Flatten(), first, nn.Linear(hidden, classes))\n"
    )
    facts = tmp_path / "vision_parts-0.3.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: vision-parts\nVersion: 0.3\n")
    points = (
        "loss.focal = vision_parts:focal",
        "model.tiny = vision_nets:tiny",
        "metric.gone = vision_parts:gone",
        "callback.bad = no_such_module:x",
    )
    (facts / "entry_points.txt").write_text("\n".join(["[sightlab.parts]", *points, ""]))
    monkeypatch.syspath_prepend(tmp_path)
    registry.installed.cache_clear()
    yield tmp_path
    registry.installed.cache_clear()


@pytest.mark.parametrize(("group", "name"), EVERY_PART)
def test_a_part_states_its_defaults_and_is_the_same_recipe_when_they_are_written_out(group: str, name: str) -> None:
    short = changed(Recipe(), {f"{group}.name": name})
    written = {f"{group}.{key}": value for key, value in getattr(short, group).model_dump().items()}
    full = changed(Recipe(), written)
    assert full == short
    assert full.hash == short.hash
    assert parse_recipe(short.to_yaml(), "x.yaml") == short


@pytest.mark.parametrize(("group", "name"), EVERY_PART)
def test_a_key_of_another_part_is_refused_with_those_that_are_read(group: str, name: str) -> None:
    own = set(PARTS[group][name].model_fields)
    others = {key for member in members(group) for key in member.model_fields} - own
    for key in others:
        value = {"options": {"a": 1}, "interval": "epoch", "betas": [0.5, 0.6], "nesterov": True}.get(key, 0.25)
        with pytest.raises(RecipeError) as caught:
            changed(Recipe(), {f"{group}.name": name, f"{group}.{key}": value})
        with pytest.raises(RecipeError) as read:
            parse_recipe(yaml.safe_dump({group: {"name": name, key: value}}), "x.yaml")
        reads = ", ".join(k for k in PARTS[group][name].model_fields if k != "name") or "no other key"
        says = f"{group}.{key}: {name} does not read it; it reads {reads}"
        assert (str(caught.value), str(read.value)) == (f"demo: {says}", f"x.yaml: {says}")


def test_another_optimizer_keeps_what_was_set_and_is_read_and_drops_the_rest() -> None:
    before = changed(Recipe(), {"lr": 0.02, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01})
    after = changed(before, {"optimizer": "adamw"})
    assert after.optimizer.model_dump() == {
        "name": "adamw", "lr": 0.02, "weight_decay": 0.01, "decay_norms_and_biases": False, "bias_lr_factor": 1.0,
        "layer_lr_decay": 1.0, "betas": (0.9, 0.999), "eps": 1e-8,
    }  # fmt: skip
    # Muon's own momentum is 0.95; what was set is kept, sgd's default is not.
    assert flat(changed(before, {"optimizer": "muon"}))["optimizer.momentum"] == 0.8
    assert flat(changed(Recipe(), {"optimizer": "muon"}))["optimizer.momentum"] == 0.95


def test_what_changed_is_told_without_the_defaults_of_the_new_part() -> None:
    before = changed(Recipe(), {"momentum": 0.8})
    after = changed(before, {"optimizer": "lamb", "eps": 1e-5})
    assert changed_keys(before, after) == {"optimizer.name": ("sgd", "lamb"), "optimizer.eps": (None, 1e-5)}


def test_null_is_the_default_of_whatever_part_is_chosen() -> None:
    recipe = changed(Recipe(), {"optimizer": "adam", "momentum": None, "betas": None})
    assert recipe == changed(Recipe(), {"optimizer": "adam"})
    assert parse_recipe("optimizer: {name: sgd, betas: null, momentum: null}", "x.yaml") == Recipe()


OLD_DUMP = """
name: old
optimizer: {name: sgd, lr: 0.1, momentum: null, nesterov: null, betas: null, eps: null, adamw_lr_factor: 1.0}
schedule: {name: cosine, warmup_epochs: 0.0, warmup_factor: 0.0, step_epochs: 10, gamma: 0.1, final_factor: 0.0,
  peak_at: 0.3}
averaging: {name: none, decay: 0.999, warmup_power: null, every: 5, alpha: 0.5}
workers: 2
log: [mlflow]
"""


def test_a_recipe_that_an_earlier_version_wrote_out_is_read() -> None:
    recipe = parse_recipe(OLD_DUMP, "x.yaml")
    assert (recipe.processes, recipe.callbacks, recipe.schedule.name) == (2, ("mlflow",), "cosine")
    assert recipe.optimizer == Recipe().optimizer


def test_the_recipe_of_an_old_run_never_refuses_a_key_that_was_not_read_or_a_part_that_is_gone() -> None:
    old = OLD_DUMP.replace("gamma: 0.1", "gamma: 0.5").replace("betas: null", "betas: [0.5, 0.6]")
    with pytest.raises(RecipeError, match=r"optimizer\.betas: sgd does not read it"):
        parse_recipe(old, "x.yaml")
    assert parse_recipe(old, "x.yaml", stored=True) == parse_recipe(OLD_DUMP, "x.yaml")
    gone = "loss: {name: focal, options: {gamma: 1.0}}\nmetrics: [f1-of-then]\naugment: {custom: mosaic}"
    recipe = parse_recipe(gone, "x.yaml", stored=True)
    assert (recipe.loss.name, recipe.metrics, recipe.augment.custom) == ("focal", ("f1-of-then",), "mosaic")
    assert changed(recipe, {"seed": 1}).loss == recipe.loss


def test_an_old_name_of_a_key_works_and_whoever_types_it_is_told_the_new_one() -> None:
    said: list[str] = []
    recipe = changed(Recipe(), parse_changes(["workers=2", "log=mlflow"], said.append))
    assert (recipe.processes, recipe.callbacks) == (2, ("mlflow",))
    assert said == hints(RENAMED)
    said.clear()
    Path("mine.yaml").write_text("workers: 2\n")
    assert read_recipe("mine.yaml", said.append).processes == 2
    assert said == ["mine.yaml: the key 'workers' is now called 'processes'; the old name works until the next release"]
    with pytest.raises(RecipeError, match="has both workers and processes, which is its new name; keep processes"):
        parse_recipe("workers: 2\nprocesses: 2", "x.yaml")


@pytest.mark.parametrize("key", ["deterministic", "test_flips", "pretrained", "skip_broken", "nesterov", "compile"])
@pytest.mark.parametrize("truth", ["true", "True", "yes", "on", "ON"])
@pytest.mark.parametrize("lie", ["false", "False", "no", "off", "Off"])
def test_every_spelling_of_a_boolean_is_taken_everywhere(key: str, truth: str, lie: str) -> None:
    path = full_key(key)
    group, _, leaf = path.rpartition(".")
    for word, wanted in ((truth, True), (lie, False)):
        for written in (word, repr(word)):
            text = f"{group}: {{{leaf}: {written}}}" if group else f"{leaf}: {written}"
            found = flat(parse_recipe(text, "x.yaml"))[path]
            assert found in (wanted, "on" if wanted else "off")
            assert flat(changed(Recipe(), parse_changes([f"{key}={word}"])))[path] == found


def test_a_part_of_the_users_own_has_a_file_a_name_and_options() -> None:
    recipe = changed(
        Recipe(), parse_changes(["optimizer=parts/opt.py:Sophia", "optimizer.options.rho=0.04", "lr=0.01"])
    )
    assert recipe.optimizer.model_dump(include={"name", "options", "lr"}) == {
        "name": "parts/opt.py:Sophia", "options": {"rho": 0.04}, "lr": 0.01
    }  # fmt: skip
    # The options belong to the part; another part of the user's own starts without.
    assert changed(recipe, {"optimizer": "opt.py:Other"}).optimizer.model_dump()["options"] == {}
    with pytest.raises(RecipeError, match=r"optimizer\.momentum: parts/opt\.py:Sophia does not read it; it reads lr, "):
        changed(recipe, {"momentum": 0.5})
    with pytest.raises(RecipeError, match="option rho must be a number, a text, true, false or a list of these"):
        changed(recipe, {"optimizer.options": {"rho": {"a": 1}}})


def test_an_augmentation_of_the_users_own_has_options_and_they_go_with_it() -> None:
    recipe = changed(Recipe(), {"custom": "a.py:cutout", "augment.options": {"size": 4}})
    assert (recipe.augment.custom, recipe.augment.options) == ("a.py:cutout", {"size": 4})
    assert changed(recipe, {"custom": None}).augment == Recipe().augment
    with pytest.raises(RecipeError, match="augment: has options, and no custom augmentation that reads them"):
        changed(Recipe(), {"augment.options": {"size": 4}})
    with pytest.raises(RecipeError, match=r"unknown augment 'mosaic'; no installed package registers one"):
        changed(Recipe(), {"custom": "mosaic"})


def test_a_registered_part_is_known_by_its_name_without_being_imported(installed_package: Path) -> None:
    recipe = sightlab.recipe("demo", loss="focal", loss__options={"gamma": 1.0}, metrics="gone, accuracy")
    assert (recipe.loss.name, recipe.loss.options) == ("focal", {"gamma": 1.0})
    assert recipe.metrics == ("gone", "accuracy")
    assert registry.known_names("loss") == ["cross-entropy", "bce", "focal"]
    assert registry.version("loss", "focal") == "vision-parts 0.3"
    assert registry.version("loss", "bce") == "1"
    with pytest.raises(RecipeError, match="unknown loss 'focl'; did you mean focal"):
        sightlab.recipe("demo", loss="focl")


def test_a_registered_part_that_cannot_be_imported_is_told_with_its_package(installed_package: Path) -> None:
    focal = registry.resolve("loss", "focal")
    assert callable(focal)
    assert focal.__module__ == "vision_parts"
    for slot, name, why in (("metric", "gone", "AttributeError"), ("callback", "bad", "ModuleNotFoundError")):
        with pytest.raises(RecipeError, match=f"{slot} {name} of package vision-parts .* cannot be imported: {why}"):
            registry.resolve(slot, name)
    with pytest.raises(RecipeError, match="unknown augment 'x'; no installed package registers one"):
        registry.resolve("augment", "x")


def test_every_part_that_ships_is_in_the_registry() -> None:
    for slot in ("optimizer", "schedule", "loss"):
        assert set(registry.SHIPPED[slot]) == set(PARTS[slot])
    assert set(registry.SHIPPED["metric"]) == set(METRICS)
    assert set(registry.SHIPPED["callback"]) == set(CALLBACKS)
    assert set(registry.SHIPPED["model"]) <= set(MODELS)


def test_a_registered_model_is_built_by_its_name(installed_package: Path) -> None:
    net = build("tiny", channels=2, classes=3, height=4, width=5, options={"hidden": 7})
    assert parameter_count(net) == (2 * 4 * 5 + 1) * 7 + (7 + 1) * 3
    with pytest.raises(ModelError, match="unknown model 'tny'; did you mean tiny"):
        build("tny", channels=2, classes=3, height=4, width=5)
