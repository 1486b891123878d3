"""Runs that are the same, and runs that only look so: reused, resumed and grouped by what was trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import sightlab
from sightlab.comparison.grouping import grouped
from sightlab.data.imageset import ImageSet
from sightlab.errors import RunError
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.runs.index import RunIndex
from sightlab.runs.run_many import train_all
from sightlab.store.database.run_queries import find
from sightlab.store.database.upsert import rebuild
from sightlab.store.run_folder import locate, read_facts, recipe_in, run_folders
from sightlab.training.callbacks import Paused, Watch
from tests.conftest import Cli, refused_with

OLD = Path(__file__).with_name("old_home")
CODE = """
from torch import nn

def net(channels, classes, height, width):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, classes))
"""


def tiny(**changes: object) -> Recipe:
    base = sightlab.recipe("cnn", data=str(OLD / "small.npz"), epochs=1, batch_size=18, report=False)
    return changed(base, {"model": "unet", "options.base_channels": 1, **changes})


def own(seed: int = 0, width: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(256, width), nn.ReLU(), nn.Linear(width, 3))


def arrays(seed: int) -> dict[str, ImageSet]:
    """Data from Python whose test split is always the same."""
    found = {}
    for name, draw in (("train", seed), ("validation", 100), ("test", 101)):
        pixels = np.random.default_rng(draw).integers(0, 256, (18, 16, 16, 1), np.uint8)
        found[name] = ImageSet(pixels, np.arange(18, dtype=np.int64) % 3, ("a", "b", "c"))
    return found


def trained(home: Path, seed: int = 1, **given: object) -> Path:
    return sightlab.train(tiny(seed=seed), home=home, **given).folder  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two seeds of one training."""
    home = tmp_path_factory.mktemp("seeds")
    for seed in (1, 2):
        trained(home, seed)
    return home


@pytest.fixture
def two(seeds: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The folders of two seeds in a home of their own."""
    home = shutil.copytree(seeds, tmp_path / "two", ignore=shutil.ignore_patterns("sightlab.db*"))
    first, second = run_folders(home)
    return first, second


def test_a_run_of_a_network_from_python_is_not_taken_for_the_recipes(tmp_path: Path) -> None:
    mine = trained(tmp_path, model=own())
    index = RunIndex(tmp_path)
    assert index.on_this_data(tiny(seed=1)) is None
    assert index.finished(tiny(seed=1)) is None
    (run,) = train_all([tiny(seed=1)], tmp_path)
    assert run.id != mine.name
    assert run.model == "unet"
    (again,) = train_all([tiny(seed=1)], tmp_path)
    assert again.id == run.id
    assert set(grouped([mine, run.folder])) == {"Sequential", "unet"}


def test_a_run_is_reused_wherever_its_data_lie_and_not_after_they_changed(tmp_path: Path) -> None:
    shutil.copy(OLD / "small.npz", tmp_path / "moved.npz")
    (run,) = train_all([tiny()], tmp_path / "home")
    (same,) = train_all([tiny(data=str(tmp_path / "moved.npz"))], tmp_path / "home")
    assert same.id == run.id
    with np.load(OLD / "small.npz") as kept:
        values = {name: kept[name].copy() for name in kept}
    values["x_train"][0, 0, 0] ^= 1
    np.savez(tmp_path / "changed.npz", **values)
    (other,) = train_all([tiny(data=str(tmp_path / "changed.npz"))], tmp_path / "home")
    assert other.id != run.id


def test_results_are_shown_when_their_data_are_gone(two: tuple[Path, Path]) -> None:
    recipe = tiny(seed=1, data="gone.npz")
    (two[0] / "recipe.yaml").write_text(recipe.to_yaml())
    facts = read_facts(two[0]) | {"recipe_hash": recipe.hash}
    (two[0] / "run.json").write_text(json.dumps(facts))
    assert RunIndex(two[0].parent).finished(recipe) == two[0]
    assert RunIndex(two[0].parent).finished(changed(recipe, {"lr": 0.7})) is None


def test_code_in_a_file_is_reused_until_it_changes(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CODE)
    recipe = changed(tiny(), {"model.options": {}, "model.name": "net.py:net"})
    (run,) = train_all([recipe], tmp_path / "home")
    (same,) = train_all([recipe], tmp_path / "home")
    assert same.id == run.id
    (tmp_path / "net.py").write_text(CODE + "\n# changed\n")
    (other,) = train_all([recipe], tmp_path / "home")
    assert other.id != run.id
    assert set(grouped([run.folder, other.folder])) == {run.id, other.id}


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ({"model": own(0, 4)}, {"model": own(1, 8)}, "network"),
        ({"data": arrays(1)}, {"data": arrays(2)}, "training data"),
    ],
    ids=["widths of one class", "training sets from Python"],
)
def test_what_only_looks_like_two_seeds_is_compared_as_two_models(
    first: dict[str, object], second: dict[str, object], what: str, tmp_path: Path
) -> None:
    runs = [trained(tmp_path, 1, **first), trained(tmp_path, 2, **second)]
    found = sightlab.compare(*runs)
    assert [one.name for one in found.candidates] == [run.name for run in runs]
    assert not any("mean accuracy" in note for note in found.notes)
    assert any(f"not seeds of one training; they differ in: {what}" in note for note in found.notes)
    assert list(sightlab.diff(*runs).identity) == [what]


def test_seeds_of_a_network_from_python_are_one_candidate(tmp_path: Path) -> None:
    runs = [trained(tmp_path, seed, model=own(seed)) for seed in (1, 2)]
    (note, start) = sightlab.compare(*runs).notes
    assert note.startswith("2 seeds of one training: ")
    assert start.startswith("Each run of ")


def test_equal_seeds_and_copies_are_no_replicates(two: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = two
    again = shutil.copytree(one, one.with_name("abcdef-again"))
    (again / "run.json").write_text(json.dumps(read_facts(one) | {"run": again.name}))
    bundle = json.loads((again / "bundle" / "bundle.json").read_text())
    # Of a GPU, whose runs are not equal to the bit
    (again / "bundle" / "bundle.json").write_text(json.dumps(bundle | {"weights_sha256": "f0" * 32}))
    copy = shutil.copytree(one, tmp_path / "elsewhere" / one.name)
    with pytest.raises(RunError, match=f"needs two runs of different seeds at least; {again.name} is not counted"):
        sightlab.compare(one, again)
    with pytest.raises(RunError, match=f"{copy} is not counted: it has the same weights as {one}"):
        sightlab.compare(one, copy)
    found = sightlab.compare(one, again, copy, other)
    assert [one.name for one in found.candidates] == [one.name, other.name]
    assert sum("is not counted" in note for note in found.notes) == 2


def test_a_run_is_not_resumed_with_another_network(tmp_path: Path) -> None:
    epochs: list[object] = []
    watch = Watch(epoch=epochs.append, pause=lambda: bool(epochs))
    with pytest.raises(Paused) as paused:
        sightlab.train(tiny(epochs=2), model=own(), home=tmp_path, callbacks=[watch])
    folder = tmp_path / str(paused.value)
    with pytest.raises(RunError, match=r"^network: not what the run was started with") as raised:
        sightlab.resume(folder, model=own(width=8))
    assert "\n" not in str(raised.value)
    assert len(sightlab.resume(folder, model=own(seed=5)).epochs) == 2


def test_the_database_has_the_identity_after_a_rebuild(two: tuple[Path, Path]) -> None:
    home = two[0].parent
    rebuild(home)
    first, second = (find(run.name, home) for run in two)
    assert first["identity"] != second["identity"]
    assert first["identity_but_seed"] == second["identity_but_seed"] is not None


def test_a_run_that_is_trained_is_listed_and_its_test_split_is_sealed(cli: Cli, two: tuple[Path, Path]) -> None:
    one, other = two
    home = one.parent
    facts = read_facts(one) | {"status": "trained", "test": None}
    (one / "run.json").write_text(json.dumps(facts))
    rebuild(home)
    status, out, _ = cli("runs", "--where", "status = 'trained'", "--home", home, "--json")
    assert status == 0
    assert [run["run"] for run in json.loads(out)["runs"]] == [one.name]
    refused_with(cli("compare", one, other), f"{one.name}: trained, and its test split is still sealed")
    assert RunIndex(home).on_this_data(tiny(seed=1)) == (one, "trained")


def test_an_id_that_begins_another_names_its_own_run(two: tuple[Path, Path]) -> None:
    home = two[0].parent
    short, _ = two[0].rename(home / "3fa2"), two[1].rename(home / "3fa2c1-unet")
    assert locate("3fa2", home) == short
    assert find("3fa2", home)["folder"] == str(short)
    with pytest.raises(RunError, match="could be any of 3fa2, 3fa2c1-unet; give more of its id"):
        locate("3fa", home)


def test_a_home_may_begin_with_a_tilde(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(two[0].parents[1]))
    (run,) = train_all([tiny(seed=1)], "~/two")
    assert run.folder == two[0]
    assert RunIndex("~/two").on_this_data(tiny(seed=1)) == (two[0], "finished")
    assert locate("last", "~/two") == two[1]
    assert find("last", "~/two")["run"] == two[1].name
    assert len(sightlab.compare(*(folder.name for folder in two), home="~/two").candidates) == 2


# Runs from before identities were kept, as sightlab 0.1.0 of commit 2d08ae0 left them


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """The old runs, with their data where their recipes look for them."""
    shutil.copy(OLD / "small.npz", tmp_path)
    return shutil.copytree(OLD, tmp_path / "old", ignore=shutil.ignore_patterns("*.npz"))


def named(home: Path, name: str) -> Path:
    (found,) = (folder for folder in run_folders(home) if folder.name.endswith(name))
    return found


def test_old_runs_are_listed_and_shown_without_an_identity(cli: Cli, old_home: Path) -> None:
    status, out, err = cli("runs", "--home", old_home, "--json")
    assert status == 0, err
    runs = json.loads(out)["runs"]
    assert {run["status"] for run in runs} == {"finished", "interrupted"}
    assert [run["identity"] for run in runs] == [None] * 4
    for run in runs:
        status, out, err = cli("runs", "show", run["run"], "--home", old_home)
        assert status == 0, err
        assert "identity      not whole" in out


def test_old_runs_are_compared_by_what_is_known_of_them(old_home: Path) -> None:
    one, of_python, two = (named(old_home, name) for name in ("-finished", "-from-python", "-two-processes"))
    found = sightlab.compare(one, of_python, two)
    assert len(found.candidates) == 3
    (note,) = (note for note in found.notes if note.startswith("Identity not whole: "))
    assert all(run.name in note for run in (one, of_python, two))
    copied = shutil.copytree(one, old_home / "abcdef-another-seed")
    (copied / "run.json").write_text(json.dumps(read_facts(one) | {"run": copied.name, "seed": 9}))
    shutil.rmtree(copied / "bundle")
    (copied / "recipe.yaml").write_text((one / "recipe.yaml").read_text().replace("seed: 1\n", "seed: 9\n"))
    assert list(grouped([one, copied]).values()) == [[one, copied]]


def test_an_old_run_is_never_reused_for_a_training_and_still_shows_as_a_result(old_home: Path) -> None:
    old = named(old_home, "-finished")
    recipe = recipe_in(old)[0]
    assert RunIndex(old_home).on_this_data(recipe) is None
    assert RunIndex(old_home).finished(recipe) == old
    (run,) = train_all([recipe], old_home)
    assert run.id != old.name
    assert RunIndex(old_home).finished(recipe) == run.folder


def test_an_old_paused_run_is_resumed_to_its_end(old_home: Path) -> None:
    run = sightlab.resume(named(old_home, "-paused"))
    assert len(run.epochs) == 2
    assert run.test is not None


def test_an_old_run_is_tested_again_on_the_record(old_home: Path) -> None:
    found = sightlab.evaluate(named(old_home, "-finished"), "small.npz:test", open_test="to read an old bundle")
    assert found.score.openings == 2
    with np.load(OLD / "small.npz") as kept:
        assert found.score.count == len(kept["y_test"])
