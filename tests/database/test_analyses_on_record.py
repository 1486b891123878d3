"""The figures of analyses: kept in the run's folder, listed, filtered and sorted by."""

import json
from pathlib import Path

import pytest

from sightlab.errors import RunError
from sightlab.records.analyses import AnalysisResult, Curve, Estimate
from sightlab.store.analyses import figures_in, read_analyses, save_analyses
from sightlab.store.database.query_fields import field_named
from tests.conftest import Cli, refused_with
from tests.database.run_folders import write_run

AT = "2026-01-02T03:04:05+00:00"


def result(accuracy: float, analysis: str = "corruptions") -> AnalysisResult:
    curve = Curve("fog", (1.0, 2.0), (0.9, accuracy))
    estimates = {"accuracy": Estimate(accuracy, accuracy - 0.1, accuracy + 0.1, 100, share=True)}
    return AnalysisResult(analysis, "aaaaaa-cnn", estimates, {"severity": (curve,)}, sentences=("It holds.",))


@pytest.fixture
def two(home: Path) -> Path:
    """A home of two runs, each with an analysis, and one without."""
    for name, accuracy in (("aaaaaa-cnn", 0.5), ("bbbbbb-cnn", 0.75)):
        folder = write_run(home, name)
        save_analyses(folder, [result(accuracy)], "validation split of digits", AT)
    write_run(home, "cccccc-cnn")
    return home


@pytest.mark.usefixtures("database")
def test_runs_are_sorted_and_filtered_by_a_figure_on_either_database(cli: Cli, two: Path) -> None:
    _, out, _ = cli("runs", "--home", two, "--sort", "-analysis.corruptions.accuracy", "--json")
    assert [run["run"][:6] for run in json.loads(out)["runs"]] == ["bbbbbb", "aaaaaa", "cccccc"]
    _, out, _ = cli("runs", "--home", two, "--where", "analysis.corruptions.accuracy >= 0.6", "--json")
    assert [run["run"][:6] for run in json.loads(out)["runs"]] == ["bbbbbb"]
    _, out, _ = cli("runs", "show", "bbbbbb", "--home", two)
    assert "corruptions" in out
    assert "accuracy 0.75" in out


def test_an_analysis_that_is_made_again_takes_the_place_of_its_own_name_alone(two: Path) -> None:
    folder = next(two.glob("aaaaaa-*"))
    save_analyses(folder, [result(0.6), result(0.1, "shape")], "other images", AT)
    assert figures_in(folder) == {"corruptions": {"accuracy": 0.6}, "shape": {"accuracy": 0.1}}
    kept = read_analyses(folder)["corruptions"]
    assert kept["curves"]["severity"][0]["y"] == [0.9, 0.6]
    assert (kept["source"], kept["at"]) == ("other images", AT)


def test_a_figure_without_its_name_and_a_damaged_file_are_one_line(cli: Cli, two: Path) -> None:
    refused_with(cli("runs", "--home", two, "--sort", "analysis.shape"), "analysis.NAME.FIGURE, such as analysis.")
    assert field_named("analysis.shape.bias").path == ("shape", "bias")
    folder = next(two.glob("aaaaaa-*"))
    (folder / "analyses.json").write_text("{")
    with pytest.raises(RunError, match=r"analyses\.json: damaged: .*run sightlab analyze again"):
        read_analyses(folder)
