"""Studies as YAML: those that ship hold the published facts, and what is wrong with one is one line."""

from pathlib import Path

import pytest
import yaml

from sightlab.errors import StudyError
from sightlab.models import MODELS
from sightlab.recipes.overrides import flat
from sightlab.studies.parts import PARTS
from sightlab.studies.study_files import parse_study, read_study, shipped_studies
from sightlab.studies.study_plan import plan_study
from sightlab.studies.study_schema import Row, Study
from tests.conftest import Cli, refused_with

HOME = Path("runs")
SIX = [
    "kmnist-mini-resnet",
    "fashion-csv",
    "cifar10-resnet34",
    "mnist-m-resnet18-cut",
    "cifar100-senet",
    "cifar100-timm",
]
TWINS = ["cifar100-senet-scaled", "cifar100-timm-scaled"]
ALL = [*SIX, *TWINS, "cnn-vit"]
# What the studies published, typed from their tables: top-1, in per cent.
PUBLISHED = {
    "kmnist-mini-resnet": {"best-published": 97.0},
    "fashion-csv": {"cnn": 85.16, "resnet34": 91.68, "densenet121": 92.43, "resnet18": 96.88},
    "cifar10-resnet34": {"published-128": 43.41},
    "mnist-m-resnet18-cut": {},
    "cifar100-senet": {
        "resnet50": 79.05,
        "senet50": 80.00,
        "resnet50-autoaugment": 81.62,
        "senet101-autoaugment": 82.85,
    },
    "cifar100-timm": {
        "sgd": 61.39,
        "momentum": 67.78,
        "jitter": 67.64,
        "cifar-style": 81.02,
        "pixels-224": 81.91,
        "lion": 77.25,
    },
}


def rows_of(study: Study) -> dict[str, Row]:
    return {row.id: row for row in study.rows}


def test_the_studies_ship_in_the_order_of_the_projects() -> None:
    assert shipped_studies() == ALL


@pytest.mark.parametrize("name", ALL)
def test_a_study_has_its_three_scales_and_names_what_is_there(name: str) -> None:
    study = read_study(name)
    assert study.name == name
    assert list(study.scales) == ["smoke", "laptop", "full"]
    assert set(study.shows) <= set(PARTS)
    assert set(study.networks) <= set(MODELS)
    assert {row.form for row in study.rows} >= {"published" if name in SIX else "scaled"}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("scale", ["smoke", "laptop", "full"])
def test_every_scale_of_every_study_is_a_plan_of_recipes(name: str, scale: str) -> None:
    plan = plan_study(read_study(name), scale, HOME)
    assert plan.jobs
    assert len({(job.recipe.hash, job.processes) for job in plan.jobs}) == len(plan.jobs)
    assert all(job.recipe.compile == "off" for job in plan.jobs)  # a probe would cost more than most of the runs


@pytest.mark.parametrize("name", SIX)
def test_the_figures_are_the_published_ones(name: str) -> None:
    told = {row.id: row.figures.accuracy for row in read_study(name).rows if row.figures.accuracy is not None}
    assert {id_: round(100 * accuracy, 2) for id_, accuracy in told.items()} == PUBLISHED[name]


def test_the_published_grid_has_its_best_cell_at_batch_32_and_its_dead_one_at_ln_10() -> None:
    grid = next(grid for grid in read_study("kmnist-mini-resnet").grids if grid.id == "grid-published")
    cells = {
        (x, y): grid.published[line][place]
        for line, y in enumerate(grid.y.values)
        for place, x in enumerate(grid.x.values)
    }
    assert len(cells) == 25
    assert min(cells, key=lambda place: cells[place] or 9.0) == (32, 0.03)
    assert cells[(16, 0.12)] == 2.3027


def test_study_1_is_planned_as_published() -> None:
    plan = plan_study(read_study("kmnist-mini-resnet"), "full", HOME)
    first = flat(plan.rows[0].jobs[0].recipe)
    asked = {"batch_size": 64, "epochs": 10, "optimizer.lr": 0.05, "optimizer.name": "sgd", "seed": 42}
    assert {key: first[key] for key in asked} == asked
    assert first["optimizer.momentum"] == 0  # plain SGD
    assert [len(grid.cells) for grid in plan.grids] == [25, 25]


def test_study_3_is_planned_as_published() -> None:
    plan = plan_study(read_study("cifar10-resnet34"), "full", HOME)
    recipe = next(row for row in plan.rows if row.row.id == "published-128").jobs[0].recipe
    assert (recipe.data.size, recipe.data.limit_per_class, recipe.epochs) == (128, 500, 10)
    assert (recipe.optimizer.lr, recipe.optimizer.momentum, recipe.schedule.name) == (0.01, 0.9, "constant")
    assert rows_of(plan.study)["published-128"].figures.by_epoch[-1] == (0.45, 0.4341)


def test_study_4_is_planned_as_published() -> None:
    plan = plan_study(read_study("mnist-m-resnet18-cut"), "full", HOME)
    recipe = next(row for row in plan.rows if row.row.id == "cut-published").jobs[0].recipe
    assert (recipe.data.size, recipe.batch_size, recipe.epochs) == (64, 256, 50)
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.optimizer.weight_decay) == ("adam", 0.001, 0.0005)
    assert (recipe.schedule.name, recipe.schedule.gamma) == ("exponential", 0.911)
    assert recipe.data.validation == pytest.approx(15_000 / 70_000, abs=1e-4)


def test_seeds_and_data_of_the_command_stand_for_the_scales_own() -> None:
    plan = plan_study(read_study("cifar10-resnet34"), "laptop", HOME, data="fashion-mini", seeds=3)
    assert {job.recipe.data.source for job in plan.jobs} == {"fashion-mini"}
    assert [job.recipe.seed for job in plan.rows[0].jobs] == [42, 43, 44]


def test_a_study_of_csv_files_trains_on_the_file() -> None:
    plan = plan_study(read_study("fashion-csv"), "laptop", Path("place"))
    assert plan.csv is not None
    assert plan.csv.train == Path("place/data/fashion-mnist-train-12000.csv")
    assert {job.recipe.data.source for job in plan.jobs} == {str(plan.csv.train)}


SMALL = {
    "name": "own",
    "title": "A study of one's own",
    "question": "Which?",
    "source": "Nobody",
    "data": "fashion-mini",
    "base": {"limit_per_class": 20, "epochs": 1, "compile": "off"},
    "rows": [
        {"id": "one", "name": "CNN", "form": "published", "set": {"model": "cnn"}},
        {"id": "two", "name": "LeNet", "form": "repaired", "twin": "one", "set": {"model": "lenet"}},
    ],
    "scales": {"smoke": {"says": "little"}},
    "full": "More.",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": []}, "rows: tuple should have at least 1 item"),
        ({"rosw": []}, "unknown key 'rosw'; did you mean rows?"),
        ({"scales": {}}, "scales: has no scale; give at least one of smoke, laptop and full"),
        ({"scales": {"huge": {"says": "much"}}}, "scales.huge"),
        ({"rows": [SMALL["rows"][1]]}, "row two: its twin 'one' is no row; the rows are two"),  # type: ignore[index]
        ({"rows": [SMALL["rows"][0]] * 2}, "two rows or grids have the id 'one'"),  # type: ignore[index]
        ({"scales": {"smoke": {"says": "x", "leave_out": ["three"]}}}, "'three' is no row, grid, subject or group"),
        (
            {"grids": [{"id": "g", "name": "g", "form": "fast", "x": {"key": "lr", "values": [1, 2]},
                        "y": {"key": "batch_size", "values": [8]}, "published": [[1]]}]},
            "published must have 1 lists of 2 figures, one for each cell",
        ),
    ],
)  # fmt: skip
def test_a_study_that_is_none_is_refused_with_its_place(change: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError, match=r"^own\.yaml: ") as caught:
        parse_study(yaml.safe_dump(SMALL | change), "own.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base": {"lrr": 1}}, "study own, base: unknown key 'lrr'; did you mean optimizer.lr?"),
        ({"base": {"lr": -1}}, "study own, base: "),
        ({"base": {"model": "resnet19"}}, "study own, base: unknown model 'resnet19'; did you mean resnet18?"),
        ({"scales": {"smoke": {"says": "x", "leave_out": ["one", "two"]}}}, "scale smoke leaves out every row"),
    ],
)
def test_a_study_whose_recipes_do_not_fit_is_refused(change: dict[str, object], says: str) -> None:
    study = parse_study(yaml.safe_dump(SMALL | change), "own.yaml")
    with pytest.raises(StudyError) as caught:
        plan_study(study, "smoke", HOME)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "kmnist-mini-resnt"], "unknown study 'kmnist-mini-resnt'; did you mean kmnist-mini-resnet?"),
        (["show", "none.yaml"], "none.yaml: cannot be read as a study: No such file or directory"),
        (["show", "kmnist-mini-resnet", "--seeds", 0], "--seeds 0: at least one seed is needed"),
        (["run", "cifar10-resnet34", "-o", "page.pdf"], "--out page.pdf: a page is .html or .md, such as page.html"),
        (
            ["report", "cifar10-resnet34"],
            "no run of scale laptop has finished in runs/; train them with: sightlab study",
        ),
        (["run", "cifar10-resnet34", "--data", "nowhere/"], "nowhere/: no such file or folder"),
        (["show", "fashion-csv", "--scale", "huge"], "'huge' is not one of"),
    ],
)
def test_a_mistake_is_one_line(cli: Cli, words: list[object], says: str) -> None:
    refused_with(cli("study", *words), says)


def test_a_text_that_is_no_mapping_is_refused(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    refused_with(cli("study", "show", tmp_path / "list.yaml"), "holds list, a study is a mapping of keys")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    refused_with(cli("study", "show", tmp_path / "broken.yaml"), "broken.yaml: not YAML")


def test_list_and_show_tell_what_there_is(cli: Cli) -> None:
    import json

    status, out, _ = cli("study", "list", "--json")
    assert status == 0
    assert [one["name"] for one in json.loads(out)["studies"]] == ALL
    status, out, _ = cli("study", "show", "cifar10-resnet34", "--scale", "full", "--json")
    assert status == 0
    assert json.loads(out)["rows"][0]["published"]["accuracy"] == 0.4341
    status, out, _ = cli("study", "show", "kmnist-mini-resnet")
    assert "A ReLU follows the last linear layer" in out


@pytest.mark.parametrize("name", TWINS)
def test_a_scaled_twin_changes_one_thing_a_row_and_claims_of_its_rows_alone(name: str) -> None:
    """Three seeds or more; a row and the one it is held against are trained on the same data, for as many epochs."""
    plan = plan_study(read_study(name), "laptop", HOME)
    rows = {one.row.id: one for one in plan.rows}
    for row in rows.values():
        assert len(row.jobs) >= 3
        twin = rows[row.row.twin] if row.row.twin else None
        if twin is None:
            continue
        own, other = flat(row.jobs[0].recipe), flat(twin.jobs[0].recipe)
        differs = {key for key in own | other if own.get(key) != other.get(key)} - {"name"}
        changes = row.row.id.removeprefix("c10-")
        assert "data.source" not in differs
        assert differs <= CHANGES[changes], differs
    assert all(claim.row in rows for claim in plan.study.claims)


LION = {f"optimizer.{key}" for key in ("name", "lr", "weight_decay", "momentum", "betas", "nesterov")}
CHANGES = {
    "se-resnet20": {"model.options"},
    "autoaugment": {"augment.policy"},
    "se-resnet20-autoaugment": {"augment.policy"},
    "se-resnet32-autoaugment": {"model.name"},
    "se-resnet20-longer": {"epochs"},
    "momentum": {"optimizer.lr", "optimizer.momentum", "optimizer.weight_decay"},
    "jitter": {"augment.colour_jitter", "loss.label_smoothing"},
    "small-stem": {"model.stem"},
    "cutmix": {"augment.cutmix"},
    "pixels-128": {"model.stem", "data.size", "augment.crop_padding"},
    "lion": LION,
}
