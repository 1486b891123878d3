"""`sightlab analyze`: one page for one network or several, figures on record, and what does not fit."""

import json
from pathlib import Path

import pytest

import sightlab
from sightlab.lens.analyses.table import ANALYSES, PAIRS
from sightlab.report.analysis_page import CHARTS
from tests.conftest import Cli, refused_with

QUICK = "spectrum,calibration,embedding,cka"

TINY = {"epochs": 1, "report": False, "compile": "off"}


@pytest.fixture(scope="module")
def home(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two runs on the same data."""
    folder = tmp_path_factory.mktemp("analyzed")
    for seed in (1, 2):
        recipe = sightlab.recipe(
            "cnn", model="lenet", data=small_data, epochs=1, seed=seed, report=False, compile="off"
        )
        sightlab.train(recipe, home=folder)
    return folder


@pytest.fixture
def two(home: Path) -> list[Path]:
    return sorted(home.glob("*-*"))


def test_every_analysis_has_a_title_and_charts() -> None:
    assert [*ANALYSES, *PAIRS] == list(CHARTS)
    assert [name for name, one in ANALYSES.items() if not one.by_default] == ["landscape"]
    assert len({one.title for one in ANALYSES.values()}) == len(ANALYSES)


def test_two_networks_are_compared_on_the_same_images_on_one_page(cli: Cli, home: Path, two: list[Path]) -> None:
    words = ("analyze", *two, "--only", QUICK, "--images", 60, "-o", "page.md", "--json")
    status, out, err = cli(*words)
    assert status == 0, err
    facts = json.loads(out)
    assert list(facts["analyses"]) == ["spectrum", "embedding", "calibration", "cka"]
    assert [one["subject"] for one in facts["analyses"]["spectrum"]] == [run.name for run in two]
    page = Path("page.md").read_text()
    assert "Differences on the same images" in page
    assert f"{two[1].name} less {two[0].name}" in page.replace("\\", "")
    assert all((Path("page") / f"{name}-1.svg").is_file() for name in QUICK.split(","))
    _, out, _ = cli("runs", "--home", home, "--sort", "-analysis.calibration.calibration_error", "--json")
    kept = [json.loads((home / run["run"] / "analyses.json").read_text()) for run in json.loads(out)["runs"]]
    errors = [one["analyses"]["calibration"]["estimates"]["calibration_error"]["value"] for one in kept]
    assert errors == sorted(errors, reverse=True)


def test_the_page_of_one_run_lies_in_its_folder_and_the_test_split_stays_sealed(cli: Cli, two: list[Path]) -> None:
    record = two[0] / "bundle" / "openings.jsonl"
    before = record.read_text()
    status, out, _ = cli("analyze", two[0], "--only", "calibration", "--images", 60)
    assert status == 0
    assert f"page: {two[0] / 'analysis.html'}" in out
    assert "validation split of" in (two[0] / "analysis.html").read_text()
    assert record.read_text() == before


def test_what_does_not_fit_is_left_out_with_the_reason_or_refused_where_it_was_asked_for(
    cli: Cli, two: list[Path]
) -> None:
    found = sightlab.analyze(two[0], only=["calibration"], limit=60)
    assert found.left_out == {}
    refused_with(cli("analyze", two[0], "--only", "cka"), "analysis cka: it compares two networks; name another run")
    refused_with(cli("analyze", two[0], "--only", "attention"), "vision transformers such as vit-tiny have")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "spectra"], "unknown analysis 'spectra'; did you mean spectrum?"),
        (["--only", ","], "no analysis is named; there are spectrum, "),
        (["--data", "fashion-mini:test", "-o", "page.txt"], "a page is .html or .md"),
        (["--data", "nowhere.tar"], "nowhere.tar"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(cli: Cli, two: list[Path], words: list[str], says: str) -> None:
    refused_with(cli("analyze", two[0], "--images", 20, "--only", "calibration", *words), says)
    assert not list(Path().iterdir())


def test_networks_of_other_images_are_not_compared(cli: Cli, two: list[Path]) -> None:
    recipe = sightlab.recipe("cnn", model="lenet", data="fashion-mini", limit_per_class=20, **TINY)
    other = sightlab.train(recipe, home="other").folder
    words = ("analyze", two[0], other, "--only", "calibration", "--images", 60)
    refused_with(cli(*words), "looked at with different images")


def test_a_pretrained_network_is_asked_for_cue_conflicts_by_the_images_that_are_named(
    cli: Cli, small_data: str
) -> None:
    """Images that are no cue conflicts are refused by name; ten classes are no reason for an ImageNet-only analysis."""
    words = ("analyze", "pretrained/efficientnet-lite0", "--only", "shape", "--data", small_data, "--images", 4)
    refused_with(cli(*words), "small.npz")
    refused_with(cli("analyze", "pretrained/efficientnet-lite0", "--only", "shape"), "name labelled images with --data")
