"""What a study claims, and how large it has to be: planned from pilots, judged on runs, told on the page."""

import json
from pathlib import Path

import pytest

from sightlab.comparison.power import noise_of, seeds_needed
from sightlab.errors import StudyError
from sightlab.report.article import markdown
from sightlab.runs.run_many import train_all
from sightlab.studies.claims import FAILS, HOLDS, OPEN, judged, needed, verdict_on
from sightlab.studies.study_files import parse_study
from sightlab.studies.study_page import page_of
from sightlab.studies.study_plan import Plan, plan_study
from sightlab.studies.study_results import gather_results
from sightlab.studies.study_schema import Claim
from tests.conftest import Cli, refused_with

STUDY = """
name: smaller
title: Does a smaller step learn less?
question: Does it?
source: a test
data: {data}
base: {{model: lenet, epochs: 1, report: false, compile: "off", schedule: constant}}
rows:
  - {{id: usual, name: usual, form: scaled, set: {{lr: 0.05}}}}
  - {{id: tiny, name: tiny, form: scaled, twin: usual, set: {{lr: 0.000001}}}}
claims:
  - {{says: A tiny step learns less, row: tiny, most: 0}}
scales:
  laptop: {{says: two seeds, seeds: 2}}
full: nothing more
"""


@pytest.fixture(scope="module")
def study(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The study's file, and a home where its runs are trained."""
    folder = tmp_path_factory.mktemp("study")
    file, home = folder / "smaller.yaml", folder / "home"
    file.write_text(STUDY.format(data=small_data))
    list(train_all([job.recipe for job in planned(file, home).jobs], home))
    return file, home


def planned(file: Path, home: Path) -> Plan:
    return plan_study(parse_study(file.read_text(), "test"), "laptop", home)


@pytest.mark.parametrize(
    ("low", "high", "asked", "verdict"),
    [
        (0.5, 1.5, {"least": 1, "most": 2}, HOLDS),  # significant, and it reaches into what is claimed
        (-0.5, 1.5, {"least": 1, "most": 2}, OPEN),  # nothing is as possible as what is claimed
        (-0.5, 0.9, {"least": 1, "most": 2}, FAILS),  # what is claimed is not possible
        (2.1, 3.0, {"least": 1, "most": 2}, FAILS),
        (0.1, 3.0, {"least": 0}, HOLDS),
        (-0.1, 3.0, {"least": 0}, OPEN),
        (-3.0, -0.1, {"least": 0}, FAILS),
        (-3.0, -0.1, {"most": 0}, HOLDS),
        (0.1, 3.0, {"most": 0}, FAILS),
        (-1.0, 1.0, {"most": 0}, OPEN),
    ],
)
def test_a_claim_is_judged_by_its_range_and_the_interval(
    low: float, high: float, asked: dict[str, float], verdict: str
) -> None:
    assert judged(Claim(says="so", row="tiny", **asked), low, high) == verdict


def test_what_cannot_be_told_says_what_would_tell(study: tuple[Path, Path]) -> None:
    """The seeds are those of the power calculation on the same two rows; without runs it is the runs."""
    results = gather_results(planned(*study), study[1])
    tiny, usual = results.row("tiny"), results.row("usual")
    assert tiny
    assert usual
    seeds = seeds_needed(noise_of([(usual.correct, tiny.correct)]), 0.3, 100)
    assert needed(Claim(says="so", row="tiny", least=30), tiny, usual) == (
        f"{seeds} seeds on 100 images, to see 30 points in four of five studies"
    )
    assert "no number of seeds sees 0.01 points on 100" in needed(Claim(says="so", row="tiny", least=0.01), tiny, usual)
    assert verdict_on(Claim(says="so", row="other", twin="tiny", least=1), results).needed == "runs of both rows"


def test_a_study_is_planned_from_pilots_and_its_page_tells_plan_and_claims(study: tuple[Path, Path], cli: Cli) -> None:
    file, home = study
    status, out, _ = cli("study", "plan", file, "--detect", "20", "--home", home, "--jobs", "1", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["images"] == 100
    assert facts["comparisons"] == 1
    assert sorted(facts["pilots"]) == [["lenet, lr 0.05", 2], ["lenet, lr 1e-06", 2]]
    points = [row["detectable"] for row in facts["table"]]
    assert points == sorted(points, reverse=True)
    assert facts["table"][1]["hours"] == pytest.approx(3 / 2 * facts["table"][0]["hours"])
    page = markdown(page_of(gather_results(planned(file, home), home)), "pictures")
    assert "## How large the study had to be" in page
    assert f"takes {facts['seeds']} seeds on 100 test images" in page
    assert "| A tiny step learns less | at most 0 | " in page


def test_without_pilots_or_with_another_difference_it_is_one_line(
    study: tuple[Path, Path], cli: Cli, tmp_path: Path
) -> None:
    file, home = study
    refused_with(cli("study", "plan", file, "--home", tmp_path), "train pilots first: sightlab study run smaller")
    refused_with(cli("study", "plan", file, "--home", home, "--detect", "0"), "above 0 and below 100, such as 1.0")


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("{says: so, row: tiny}", "a claim has least, most, or both"),
        ("{says: so, row: tiny, least: 2, most: 1}", "least comes first"),
        ("{says: so, row: usual, least: 1}", "compares usual with None"),
        ("{says: so, row: nobody, least: 1}", "compares nobody with None"),
    ],
)
def test_a_claim_that_says_nothing_or_of_no_row_is_one_line(claim: str, says: str) -> None:
    text = STUDY.format(data="x").replace("{says: A tiny step learns less, row: tiny, most: 0}", claim)
    with pytest.raises(StudyError, match=says):
        parse_study(text, "test")
