"""Studies on real images: each at its smallest scale, reused when run again, and told on its page."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sightlab.report.article import plain
from sightlab.studies.parts.pairs import two_proportions
from sightlab.studies.runtime_estimate import wall_seconds
from sightlab.studies.study_files import read_study, shipped_studies
from tests.conftest import ROOT, Cli, refused_with


def with_real_data(monkeypatch: pytest.MonkeyPatch, real_data: Path) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(real_data))


# In the default run are the study of CSV files and the docs' own, which has a grid; these differ in their recipes.
SMOKE = ("kmnist-mini-resnet", "cifar10-resnet34", "mnist-m-resnet18-cut", "cifar100-senet", "cifar100-timm")


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOKE)
def test_a_study_runs_at_its_smallest_scale(
    name: str, real_data: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path
) -> None:
    with_real_data(monkeypatch, real_data)
    status, out, err = cli("study", "run", name, "--scale", "smoke", "--jobs", 1, "--out", "page.md", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["missing"] == []
    assert all(row["runs"] for row in found["rows"])
    assert re.search(r"\d+ of \d+ runs to train, about ", err)  # said before the first run
    assert err.index("to train, about") < err.index("left")
    page = (tmp_path / "page.md").read_text()
    for picture in re.findall(r"\]\((page/[^)]+\.svg)\)", page):
        assert (tmp_path / picture).read_text().startswith("<svg")
    assert "## What was wrong, and how it shows" in page


@pytest.mark.slow
def test_the_csv_study_runs_tests_the_hidden_file_and_is_not_run_twice(cli: Cli, tmp_path: Path) -> None:
    words = ("study", "run", "fashion-csv", "--scale", "smoke", "--jobs", 1)
    status, out, err = cli(*words, "--out", "page.html", "--json")
    assert status == 0, err
    first = json.loads(out)
    assert err.count(" on fashion-mini-hidden-1000.csv: ") == len(first["rows"])
    openings = {path: path.read_text() for path in (tmp_path / "runs").glob("*/bundle/openings.jsonl")}

    status, out, err = cli(*words, "--out", "page.html", "--json")
    assert status == 0
    again = json.loads(out)
    assert "runs existed already" in err
    assert again["rows"] == first["rows"]
    assert {path: path.read_text() for path in openings} == openings  # no test split was opened once more

    status, out, _ = cli("study", "report", "fashion-csv", "--scale", "smoke", "--out", "report.md")
    assert status == 0
    page = (tmp_path / "report.md").read_text()
    assert "The CSV nobody has seen" in page
    assert "The last batch, and all of them" in page
    # The runs carry the study's name, and so can be compared by it.
    status, out, _ = cli("runs", "--json")
    assert all(run["studies"] for run in json.loads(out)["runs"])


def test_the_study_of_ones_own_in_the_docs_runs(cli: Cli, tmp_path: Path) -> None:
    """As in the docs, but with fewer images, and without the charts of each run."""
    docs = (ROOT / "docs" / "studies.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL)
    assert "limit_per_class: 50, " in text
    (tmp_path / "my-study.yaml").write_text(
        text.replace("limit_per_class: 50, ", "limit_per_class: 20, report: false, ")
    )
    status, _, err = cli("study", "run", "my-study.yaml", "--scale", "smoke", "--jobs", 1, "--out", "page.md")
    assert status == 0, err
    assert "5 of 5 runs to train" in err  # one of the four cells is the recipe of the first row
    page = (tmp_path / "page.md").read_text()
    assert page.startswith("# Does flipping help on clothes?\n")
    assert "test, from memory" in page
    assert (tmp_path / "page" / "grid.svg").is_file()


PAGES = sorted((ROOT / "docs" / "studies").glob("*.md"))


def test_the_docs_say_of_which_studies_there_is_a_page() -> None:
    overview = (ROOT / "docs" / "studies.md").read_text()
    linked = re.findall(r"\]\(studies/([a-z0-9-]+)\.md\)", overview)
    assert sorted(linked) == [page.stem for page in PAGES]
    assert set(linked) <= set(shipped_studies())
    assert all(name in overview for name in shipped_studies())


@pytest.mark.parametrize("name", [page.stem for page in PAGES])
def test_a_page_of_the_docs_is_of_the_laptop_scale_whole_and_with_its_pictures(name: str) -> None:
    study = read_study(name)
    folder = ROOT / "docs" / "studies"
    page = (folder / f"{name}.md").read_text()
    assert page.startswith(f"# {study.title}\n")
    assert "scale laptop" in page
    assert "Not finished when this page was written" not in page
    left_out = study.scales["laptop"].leave_out
    for row in study.rows:
        assert row.id in left_out or f"| {plain(row.name)} |" in page
    pictures = set(re.findall(rf"\]\({name}/([^)]+)\)", page))
    assert pictures == {path.name for path in (folder / name).iterdir()}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30), st.integers(1, 8))
def test_the_time_in_all_is_between_the_bounds_of_list_scheduling(seconds: list[float], workers: int) -> None:
    """Graham 1969: no schedule is shorter than the mean load or the longest task; a greedy one is below their sum."""
    wall = wall_seconds(seconds, workers)
    mean, longest = sum(seconds) / workers, max(seconds)
    assert max(mean, longest) <= wall * (1 + 1e-9) + 1e-9
    assert wall <= mean + longest + 1e-6


@given(st.integers(1, 9_999), st.integers(1, 9_999))
def test_two_proportions_are_told_apart_as_by_the_chi_square_test(a: int, b: int) -> None:
    p = two_proportions(a / 10_000, b / 10_000, 10_000)
    table = np.array([[a, 10_000 - a], [b, 10_000 - b]])
    assert math.isclose(p, stats.chi2_contingency(table, correction=False).pvalue, rel_tol=1e-6, abs_tol=1e-12)


def test_a_scale_without_its_data_is_one_line(cli: Cli) -> None:
    refused_with(cli("study", "run", "mnist-m-resnet18-cut", "--scale", "smoke"), "mnist-m: not in any folder of")
