"""Runs as teachers: found once, kept on record, refused in one line where they do not fit."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import sightlab
from sightlab.comparison.grouping import grouped, names_of
from sightlab.errors import RecipeError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.runs.index import RunIndex
from sightlab.runs.resolve_teacher import teacher_of
from sightlab.runs.resolve_weights import with_runs_found
from sightlab.runs.run_many import train_all
from sightlab.store.run_folder import read_facts, run_folders
from sightlab.training.callbacks import Paused, Watch
from sightlab.training.prepare import prepare
from tests.conftest import ROOT, Cli, refused_with
from tests.test_training import tiny

CLASSES = sightlab.load_data("fashion-mini").classes


def edit(run: Path, **facts: Any) -> None:
    """Say something else in the run's bundle."""
    path = run / "bundle" / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def digest_of(run: Path) -> str:
    return hashlib.sha256((run / "bundle" / "weights.safetensors").read_bytes()).hexdigest()


def test_a_runs_bundle_stands_in_the_recipe_for_its_name(small_run: Path) -> None:
    said: list[str] = []
    for name in ("last", small_run.name[:4], str(small_run), str(small_run / "bundle")):
        recipe = with_runs_found(sightlab.recipe("cnn", teacher=name), small_run.parent)
        assert recipe.distillation.teacher == str(small_run / "bundle")
        found = teacher_of(recipe.distillation, said.append)
        assert found is not None
        assert found.sha256 == digest_of(small_run)
        assert said[-1] == f"teacher {small_run.name}: cnn, 889,354 parameters, fashion-mini"


def test_a_recipe_that_asks_no_teacher_opens_none(small_run: Path) -> None:
    plain = Recipe()
    assert with_runs_found(plain) is plain
    assert teacher_of(plain.distillation) is None
    assert teacher_of(sightlab.recipe("cnn", teacher=str(small_run), alpha=0).distillation) is None


def test_a_recipe_whose_teacher_was_not_opened_is_not_trained_without_it() -> None:
    with pytest.raises(RecipeError, match="is named and was not opened"):
        prepare(tiny(teacher="a run"))


def test_a_teacher_that_has_seen_the_test_images_is_noted(small_run: Path) -> None:
    """The teacher's own training images are divided anew, so that some of them are test images now."""
    found = teacher_of(sightlab.recipe("cnn", teacher=str(small_run)).distillation)
    data = sightlab.load_data("fashion-mini", limit_per_class=100).train
    said: list[str] = []
    prepared = prepare(sightlab.recipe("cnn", teacher="x"), data=data, say=said.append, teacher=found)
    count = len(prepared.splits.test)
    assert f"{small_run.name} was trained or selected on {count} of the {count} test images" in said[-1]
    said.clear()
    prepare(tiny(teacher="x"), say=said.append, teacher=found)
    assert not any("test images" in line for line in said)


def test_a_run_keeps_its_teacher_and_is_resumed_with_that_one_alone(cli: Cli, own_run: Path) -> None:
    home = own_run.parent
    with pytest.raises(Paused) as paused:
        sightlab.train(
            tiny(limit_per_class=20, epochs=1, teacher="last"), home=home, callbacks=[Watch(pause=lambda: True)]
        )
    folder = home / str(paused.value)
    assert f"teacher: {own_run / 'bundle'}" in (folder / "recipe.yaml").read_text()
    assert read_facts(folder)["teacher"] == {"name": own_run.name, "sha256": digest_of(own_run)}

    moved = own_run.rename(home / "moved")
    refused_with(cli("train", "--resume", folder), f"distillation.teacher: {own_run / 'bundle'} is no run")
    moved.rename(own_run)
    before = (own_run / "bundle" / "weights.safetensors").read_bytes()
    move_weights(own_run)
    refused_with(cli("train", "--resume", folder), "teacher: not what the run was started with")
    (own_run / "bundle" / "weights.safetensors").write_bytes(before)
    edit(own_run, weights_sha256=digest_of(own_run))

    status, _, err = cli("train", "--resume", folder)
    assert status == 0, err
    assert f"teacher {own_run.name}: cnn" in err


def move_weights(run: Path) -> None:
    """Put other weights into the run's bundle, as another training in the same place would."""
    file = run / "bundle" / "weights.safetensors"
    save_file({name: value + 1e-3 for name, value in load_file(file).items()}, file)
    edit(run, weights_sha256=digest_of(run))


def test_a_series_finds_its_teacher_once_and_trains_nothing_twice(own_run: Path) -> None:
    home = own_run.parent
    recipes = [tiny(limit_per_class=10, epochs=1, teacher="last", seed=seed) for seed in (1, 2)]
    runs = [run.folder for run in train_all(recipes, home)]
    assert {read_facts(folder)["teacher"]["name"] for folder in runs} == {own_run.name}
    named = [with_runs_found(changed(recipe, {"teacher": own_run.name}), home) for recipe in recipes]
    known = RunIndex(home)
    assert [known.on_this_data(recipe) for recipe in named] == [(folder, "finished") for folder in runs]
    move_weights(own_run)
    known = RunIndex(home)
    assert [known.on_this_data(recipe) for recipe in named] == [None, None]

    assert list(grouped(runs).values()) == [runs]
    facts = runs[1] / "run.json"
    kept = read_facts(runs[1])["teacher"]["sha256"]
    facts.write_text(facts.read_text().replace(kept[:32], digest_of(own_run)[:32]))
    assert list(grouped(runs).values()) == [runs[:1], runs[1:]]


def test_a_comparison_calls_a_teacher_by_its_run() -> None:
    recipes = [tiny(teacher=name) for name in (None, "/home/me/runs/3fa2c1-resnet18/bundle", "/shipped/large")]
    names = names_of(recipes, {number: [Path(str(number))] for number in range(3)})
    assert names == ["lenet, teacher None", "lenet, teacher 3fa2c1-resnet18", "lenet, teacher large"]


@pytest.mark.slow
def test_torchrun_and_one_process_learn_the_same(small_run: Path, tmp_path: Path) -> None:
    """Two processes over gloo, on a network without batch norm: the same losses to rounding."""
    words = ["cnn", "data=fashion-mini", f"teacher={small_run}", "limit_per_class=20", "epochs=1"]
    (one,) = sightlab.epochs(sightlab.recipe(words[0], **dict(word.split("=") for word in words[1:])))
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "sightlab"]
    done = subprocess.run([*run, "train", *words, "--home", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = run_folders(tmp_path)
    (two,) = sightlab.open_run(folder).epochs
    assert two.train_loss == pytest.approx(one.train_loss, rel=1e-4)
    assert two.validation_loss == pytest.approx(one.validation_loss, rel=1e-4)


def test_epochs_and_the_range_test_learn_from_it_too(cli: Cli, small_run: Path) -> None:
    short = {"limit_per_class": 10, "epochs": 1}
    plain, taught = (next(sightlab.epochs(tiny(**short, **more))) for more in ({}, {"teacher": str(small_run)}))
    assert plain.train_loss != taught.train_loss
    words = ["lr", "cnn", "limit_per_class=10", "--steps", 10, "--json"]
    first = [json.loads(cli(*words, *more)[1])["losses"][0] for more in ([], [f"teacher={small_run}"])]
    assert first[0] != first[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["teacher=zebra"], "distillation.teacher: zebra is no run with a bundle: no run 'zebra'"),
        (["teacher=."], "is no run with a bundle: .: neither a run folder nor a bundle"),
        (["teacher=RUN", "temperature=0"], "distillation.temperature: input should be greater than 0"),
        (["teacher=RUN", "temperature=-1"], "distillation.temperature: input should be greater than 0, found -1"),
        (["teacher=RUN", "temperature=.inf"], "distillation.temperature: input should be a finite number"),
        (["teacher=RUN", "alpha=1.5"], "distillation.alpha: input should be less than or equal to 1, found 1.5"),
        (["teacher=RUN", "alpha=-0.1"], "distillation.alpha: input should be greater than or equal to 0, found -0.1"),
        (["teacher=RUN", "size=14"], "takes images of 28 x 28 x 1 (height x width x channels), the data has 14 x 14"),
        (
            ["teacher=RUN", "channels=3"],
            "takes images of 28 x 28 x 1 (height x width x channels), the data has 28 x 28",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_one_line(cli: Cli, small_run: Path, words: list[str], says: str) -> None:
    told = [word.replace("RUN", str(small_run)) for word in words]
    refused_with(cli("train", "cnn", "limit_per_class=10", *told), says)


def other_class(run: Path) -> None:
    edit(run, classes=["cat", *CLASSES[1:]])


def one_class_more(run: Path) -> None:
    weights = load_file(run / "bundle" / "weights.safetensors")
    head = {name: value[[*range(10), 9]] for name, value in weights.items() if name.startswith("linear3.")}
    save_file(weights | head, run / "bundle" / "weights.safetensors")
    edit(run, classes=[*CLASSES, "cat"], weights_sha256=digest_of(run))


def own_code(run: Path) -> None:
    edit(run, model="net.py:net")


def torn_weights(run: Path) -> None:
    file = run / "bundle" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def no_bundle(run: Path) -> None:
    (run / "bundle" / "bundle.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (other_class, f"does not know class {CLASSES[0]!r} of the data (10 classes there, 10 here)"),
        (one_class_more, "knows 'cat', no class here (11 classes there, 10 here)"),
        (own_code, "is a network of your own code, net.py:net, which a bundle does not run"),
        (torn_weights, "cut short or changed: its sha256 is not the one in bundle.json"),
        (no_bundle, "holds no bundle; finish it with"),
    ],
)
def test_a_teacher_that_does_not_fit_is_one_line(
    cli: Cli, own_run: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(own_run)
    refused_with(cli("train", "cnn", "limit_per_class=10", f"teacher={own_run}"), says)


def test_the_commands_of_the_page_work_in_their_order(cli: Cli) -> None:
    """As a reader types them, but for an epoch, few images and no charts: what they bring is in other tests."""
    section = (ROOT / "docs" / "training.md").read_text().split("\n## Distillation\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    quick = re.sub(r"limit_per_class=\d+", "limit_per_class=10", block)
    for command in re.sub(r"epochs=\d+", "epochs=1 report=off", quick).splitlines():
        program, *words = shlex.split(command)
        assert program == "sightlab"
        status, out, err = cli(*words)
        assert status == 0, f"{command}: {err}"
        assert out, command
