"""`sightlab compare` and `sightlab diff`: runs compared by what lies in their folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

import sightlab
from sightlab.comparison.grouping import grouped, study_runs
from sightlab.errors import RecipeError, RunError
from sightlab.recipes.overrides import parse_lists
from sightlab.recipes.schema import Recipe
from sightlab.runs.run_many import recipes_of, train_all
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import read_facts, read_run, run_folders
from sightlab.training.callbacks import Paused, Watch
from tests.conftest import Cli, refused_with

# One worker: its runs and costs are made once.
pytestmark = pytest.mark.xdist_group("compare")


def tiny(data: str, **changes: object) -> Recipe:
    return sightlab.recipe("cnn", **{"data": data, "model": "lenet", "epochs": 1, "report": False, **changes})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_data: str) -> Path:
    """Two learning rates with two seeds each."""
    place = tmp_path_factory.mktemp("home")
    list(train_all(recipes_of(tiny(small_data), {"optimizer.lr": [0.01, 0.03]}, 2), place))
    return place


def rights(folder: Path) -> np.ndarray:
    said = read_predictions(folder / "predictions-test.safetensors")
    return said.logits.argmax(1) == said.labels


def test_every_combination_is_trained_with_every_seed() -> None:
    found = recipes_of(Recipe(seed=7), {"model.name": ["cnn", "resnet18"], "optimizer.lr": [0.1, 0.2]}, 2)
    assert [(r.model.name, r.optimizer.lr, r.seed) for r in found] == [
        (model, lr, seed) for model in ("cnn", "resnet18") for lr in (0.1, 0.2) for seed in (7, 8)
    ]
    with pytest.raises(RecipeError, match="--seeds 0"):
        recipes_of(Recipe(), {"epochs": [1, 2]}, 0)


def test_runs_that_differ_in_their_seed_alone_stand_together(home: Path) -> None:
    groups = grouped(run_folders(home))
    assert list(groups) == ["lenet, lr 0.01", "lenet, lr 0.03"]
    assert [[read_facts(run)["seed"] for run in runs] for runs in groups.values()] == [[42, 43], [42, 43]]


def test_a_finished_run_is_not_trained_again_and_an_interrupted_one_is_resumed(tmp_path: Path, small_data: str) -> None:
    recipes = recipes_of(tiny(small_data, epochs=2), {"lr": [0.01]}, 2)
    asked: list[int] = []

    def after_the_first_run() -> bool:
        asked.append(1)
        return len(run_folders(tmp_path)) == 2

    with pytest.raises(Paused):
        list(train_all(recipes, tmp_path, [Watch(pause=after_the_first_run)]))
    before = [folder.name for folder in run_folders(tmp_path)]
    said: list[str] = []
    runs = list(train_all(recipes, tmp_path, [Watch(say=said.append)]))
    assert [run.id for run in runs] == before
    assert any("is finished already" in line for line in said)
    assert any("resuming" in line for line in said)


def test_other_data_under_the_same_name_are_trained_anew(home: Path, tmp_path: Path, small_data: str) -> None:
    first = run_folders(home)[0]
    place = tmp_path / "other"
    copy = shutil.copytree(first, place / first.name)
    facts = read_facts(copy)
    facts["identity"]["data"]["train"] = "of other images"
    (copy / "run.json").write_text(json.dumps(facts))
    (run,) = train_all([tiny(small_data, lr=0.01)], place)
    assert run.id != first.name
    assert run.recipe_hash == facts["recipe_hash"]


def test_compare_prints_a_table_and_says_what_is_sure(cli: Cli, home: Path, tmp_path: Path) -> None:
    status, out, err = cli("compare", *(f.name for f in run_folders(home)), "--home", home, "--out", tmp_path / "c")
    assert status == 0, err
    rows = [line for line in out.splitlines() if line.startswith(("1.", "2."))]
    assert len(rows) == 2
    run = read_run(run_folders(home)[0])
    assert f"{run.parameters:,}" in rows[0]
    assert "95 % interval" in out
    assert "100 images, 2 seeds each" in out
    assert "Choose a model by validation" in out
    left = {path.name for path in (tmp_path / "c").iterdir()}
    assert {"comparison.html", "curves.png", "curves.svg", "differences.png"} <= left


def test_two_runs_are_compared_by_the_exact_test_on_their_predictions(home: Path) -> None:
    a, b = (runs[0] for runs in grouped(run_folders(home)).values())
    right_a, right_b = rights(a), rights(b)
    gained, lost = int((right_b & ~right_a).sum()), int((right_a & ~right_b).sum())
    (difference,) = sightlab.compare(a, b).differences
    assert difference.p == pytest.approx(binomtest(gained, gained + lost).pvalue, rel=1e-9)
    assert difference.difference == pytest.approx(right_b.mean() - right_a.mean())


def test_compare_trains_what_is_listed_first_and_keeps_it_as_a_study(cli: Cli, tmp_path: Path, small_data: str) -> None:
    tiny = [f"data={small_data}", "model=lenet", "epochs=1", "report=off"]
    words = ["compare", "cnn", "lr=0.01,0.03", *tiny, "--seeds", 1, "--study", "rates", "--home", tmp_path / "h"]
    status, out, err = cli(*words, "--out", tmp_path / "c", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert [one["name"] for one in found["candidates"]] == ["lenet, lr 0.01", "lenet, lr 0.03"]
    assert (found["contenders"], found["gains"]) == (found["candidates"], found["differences"])  # their older names
    assert any("One seed says nothing about other seeds" in note for note in found["notes"])
    assert len(study_runs("rates", tmp_path / "h")) == 2
    status, out, err = cli("compare", "rates", "--home", tmp_path / "h", "--out", tmp_path / "c", "--json")
    assert status == 0, err
    assert json.loads(out)["candidates"] == found["candidates"]
    status, out, err = cli("runs", "--where", "study = 'rates'", "--home", tmp_path / "h", "--json")
    assert len(json.loads(out)["runs"]) == 2


def test_seeds_of_one_recipe_have_a_mean_and_a_spread(home: Path) -> None:
    folders = next(iter(grouped(run_folders(home)).values()))
    found = sightlab.compare(*folders)
    accuracies = [rights(folder).mean() for folder in folders]
    (note,) = found.notes
    assert (
        f"mean accuracy {np.mean(accuracies):.2%}, standard deviation {100 * np.std(accuracies, ddof=1):.2f} points"
        in note
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare", "zzz", "yyy"], "no run 'zzz'"),
        (["compare", "cnn", "lr=0.1"], "a comparison needs two runs or more"),
        (["compare", "cnn", "resnet18", "lr=0.1,0.2"], "unexpected 'resnet18': the recipe is already 'cnn'"),
        (["compare", "cnn", "lr=0.1,0.1"], "names a value twice"),
        (["compare", "cnn", "lr=0.1,fast"], "optimizer.lr"),
        (["compare", "model=cnn,resnet81"], "resnet81"),
        (["diff", "zzz", "yyy"], "no run 'zzz'"),
    ],
)
def test_a_mistake_is_one_line(cli: Cli, home: Path, words: list[str], says: str) -> None:
    before = [p.name for p in run_folders(home)]
    refused_with(cli(*words, "--home", home), says)
    assert [p.name for p in run_folders(home)] == before


def test_one_run_or_an_unfinished_one_cannot_be_compared(cli: Cli, home: Path, tmp_path: Path) -> None:
    first, second = run_folders(home)[:2]
    refused_with(cli("compare", first.name, "--home", home), "a comparison needs two runs or more")
    refused_with(cli("compare", first.name, second.name, "--seeds", 2, "--home", home), "--seeds 2: these runs are")
    copy = shutil.copytree(first, tmp_path / "h" / first.name)
    (copy / "run.json").write_text(json.dumps(read_facts(copy) | {"status": "failed"}))
    refused_with(cli("compare", copy, second), f"{first.name}: failed; only finished runs")


def test_runs_of_different_test_images_are_refused(home: Path, tmp_path: Path) -> None:
    other = sightlab.train(tiny("fashion-mini:train", limit_per_class=20), home=tmp_path)
    with pytest.raises(RunError, match="were not tested on the same images"):
        sightlab.compare(run_folders(home)[0], other)


def test_diff_shows_keys_classes_and_the_images_of_validation(cli: Cli, home: Path, tmp_path: Path) -> None:
    a, b = (runs[0] for runs in grouped(run_folders(home)).values())
    status, out, err = cli("diff", a.name, b.name, "--home", home, "--out", tmp_path / "d")
    assert status == 0, err
    assert "optimizer.lr" in out
    said = [read_predictions(folder / "predictions-validation.safetensors") for folder in (a, b)]
    right = [one.logits.argmax(1) == one.labels for one in said]
    assert f"both correct {int((right[0] & right[1]).sum())}" in out
    assert (tmp_path / "d" / "disagreements.png").is_file()
    for folder in (a, b):
        assert len((folder / "bundle" / "openings.jsonl").read_text().splitlines()) == 1


def test_diff_opens_the_test_split_with_a_reason_alone_and_for_both_runs(cli: Cli, home: Path, tmp_path: Path) -> None:
    place = shutil.copytree(home, tmp_path / "h", ignore=shutil.ignore_patterns("*.db*"))
    a, b = (runs[0] for runs in grouped(run_folders(place)).values())
    words = ["diff", a.name, b.name, "--home", place, "--out", tmp_path / "d"]
    refused_with(cli(*words, "--open-test", " "), "give a reason")
    status, out, err = cli(*words, "--open-test", "a look", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["split"] == "test"
    assert sum(found["counts"].values()) == 100
    for folder in (a, b):
        run = read_run(folder)
        assert run.test is not None
        assert run.test.openings == 2


def test_lists_of_values_are_read_as_one_value_would_be() -> None:
    assert parse_lists(["lr=1e-3,0.1", "model=cnn,resnet18", "early_stop=null,3", "betas=[0.9, 0.99]"]) == {
        "optimizer.lr": [0.001, 0.1],
        "model.name": ["cnn", "resnet18"],
        "early_stop": [None, 3],
        "optimizer.betas": [[0.9, 0.99]],
    }
    with pytest.raises(RecipeError, match="given twice"):
        parse_lists(["lr=1", "optimizer.lr=2"])
