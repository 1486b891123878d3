"""Groups of runs become candidates: spread over seeds, honest ranks, and only what was tested on the same images."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sightlab.comparison import difference, holm, mirrored
from sightlab.comparison.candidates import Candidate, RunResult, candidates, check_same_images, differences
from sightlab.errors import RunError
from sightlab.metrics import wilson_interval
from sightlab.records import Score

IMAGES = 400
LABELS = np.arange(IMAGES) % 10


def trial(name: str, share: float, seed: int = 0, **other: Any) -> RunResult:
    """A run that is right on about this share of the images; hard images are hard for every run."""
    hard = np.random.default_rng(99).normal(size=IMAGES)
    right = hard + 0.3 * np.random.default_rng(seed).normal(size=IMAGES) < stats.norm.ppf(share)
    correct = int(right.sum())
    score = Score(correct / IMAGES, 1 - share, IMAGES, correct, wilson_interval(correct, IMAGES), top5=0.99, openings=1)
    facts = {"parameters": 1000, "flops": 5000, "seconds": 60.0 + seed, "images_per_second": 800.0 + seed}
    return RunResult(
        **({"id": name, "test_key": "abc", "score": score, "labels": LABELS, "correct": right} | facts | other)
    )


def group(name: str, share: float, seeds: Sequence[int] = (0,)) -> Candidate:
    return Candidate(name, tuple(trial(f"{name}-{seed}", share, seed) for seed in seeds))


THREE = [group("v4", 0.8, (0,)), group("v5", 0.82, (1,)), group("v6", 0.95, (2,))]


def test_candidates_keep_the_order_and_name_their_runs() -> None:
    found = candidates([group("v4", 0.8, (0, 1)), *THREE[1:]])
    assert [one.name for one in found] == ["v4", "v5", "v6"]
    assert found[0].runs == ("v4-0", "v4-1")


def test_figures_are_means_over_the_seeds_with_their_spread() -> None:
    members = group("v4", 0.8, (0, 1, 2))
    one = candidates([members])[0]
    accuracies = [run.correct.mean() for run in members.results]
    assert one.accuracy.mean == pytest.approx(statistics.mean(accuracies))
    assert one.accuracy.deviation == pytest.approx(statistics.stdev(accuracies))
    theirs = stats.t.interval(0.95, 2, np.mean(accuracies), stats.sem(accuracies))
    assert one.interval == pytest.approx(theirs)
    assert (one.seconds, one.images_per_second) == (61.0, 801.0)
    assert (one.parameters, one.flops, one.openings) == (1000, 5000, 1)
    assert one.top5 is not None
    assert one.top5.mean == pytest.approx(0.99)
    assert (one.rank, one.difference) == (1, None)


def test_one_run_has_wilsons_interval() -> None:
    one = candidates(THREE)[0]
    assert one.interval == THREE[0].results[0].score.interval
    assert one.accuracy.interval is None


def test_an_interval_of_accuracies_does_not_leave_0_to_1() -> None:
    members = group("v4", 0.995, (0, 3))
    assert (
        len({run.correct.mean() for run in members.results}) == 2
    )  # so that t with one degree of freedom goes far out
    one = candidates([members])[0]
    assert one.accuracy.interval is not None
    assert one.accuracy.interval[1] == one.interval[1] == 1


def test_seeds_that_are_equally_accurate_have_no_interval_over_seeds_but_that_of_their_images() -> None:
    one = candidates([Candidate("v4", (trial("a", 0.8), trial("b", 0.8)))])[0]
    assert (one.accuracy.deviation, one.accuracy.interval) == (0.0, None)
    assert one.interval == trial("a", 0.8).score.interval


def test_the_openings_are_the_most_that_a_run_has_and_top5_needs_every_run() -> None:
    first, second = group("v4", 0.8, (0, 1)).results
    second = replace(second, score=replace(second.score, openings=3, top5=None))
    one = candidates([Candidate("v4", (first, second))])[0]
    assert one.openings == 3
    assert one.top5 is None


def test_every_pair_is_compared_once_and_corrected_over_all_of_them() -> None:
    found = differences(THREE)
    assert [(one.better, one.worse) for one in found] == [("v5", "v4"), ("v6", "v4"), ("v6", "v5")]
    assert [one.adjusted for one in found] == holm([one.p for one in found])
    assert {one.comparisons for one in found} == {3}
    alone = difference("v4", THREE[0].correct, "v5", THREE[1].correct)
    assert found[0].p == alone.p
    assert found[0].interval == alone.interval


def test_a_single_pair_needs_no_correction() -> None:
    found = differences(THREE[:2])
    assert len(found) == 1
    assert (found[0].adjusted, found[0].comparisons) == (None, 1)
    assert differences(THREE[:1]) == []


def test_gains_are_against_the_first_or_the_one_that_is_named() -> None:
    pairs = differences(THREE)
    against_v4 = [one.difference for one in candidates(THREE)]
    assert against_v4 == [None, pairs[0], pairs[1]]
    against_v5 = [one.difference for one in candidates(THREE, first="v5")]
    assert against_v5 == [mirrored(pairs[0]), None, pairs[2]]
    with pytest.raises(RunError, match="unknown candidate 'v7'; known: v4, v5, v6"):
        candidates(THREE, first="v7")


def test_candidates_that_do_not_differ_significantly_share_a_rank() -> None:
    # v4 and v5 differ by less than the noise of 400 images, v6 is far above both.
    assert [one.rank for one in candidates(THREE)] == [2, 2, 1]
    assert [one.rank for one in candidates([group("a", 0.8), group("b", 0.8)])] == [1, 1]


def test_several_seeds_are_compared_over_seeds_and_images() -> None:
    found = differences([group("v4", 0.8, (0, 1, 2)), group("v6", 0.95, (3, 4))])
    assert found[0].seeds == (2, 3)
    assert "crossed" in found[0].method
    assert found[0].significant


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"labels": LABELS[:300], "correct": np.ones(300, bool)}, "400 and 300 of them"),
        ({"labels": np.roll(LABELS, 1)}, "image 0 is labelled 0 in one and 9 in the other"),
        ({"test_key": "def0123456789"}, r"as many, labelled alike, but other pictures \(content abc and def01234\)"),
    ],
)
def test_runs_that_were_tested_on_other_images_are_refused_by_name(other: dict[str, Any], what: str) -> None:
    odd = Candidate("v5", (trial("odd-run", 0.8, **other),))
    with pytest.raises(RunError, match=f"runs v4-0 and odd-run were not tested on the same images: {what}") as raised:
        differences([THREE[0], odd])
    assert str(raised.value).endswith("compare runs of the same data, limited and divided in the same way")
    assert "\n" not in str(raised.value)
    with pytest.raises(RunError, match="odd-run"):
        candidates([Candidate("v4", (THREE[0].results[0], odd.results[0]))])
    with pytest.raises(RunError, match="odd-run"):
        check_same_images([THREE[0].results[0], odd.results[0]])


def test_a_run_that_is_named_twice_is_refused() -> None:
    with pytest.raises(RunError, match="run v4-0 is in the comparison twice"):
        differences([THREE[0], Candidate("again", THREE[0].results)])


def test_groups_that_are_none_are_refused() -> None:
    for groups in ([], [Candidate("v4", ())]):
        with pytest.raises(ValueError, match="at least one"):
            candidates(groups)
    with pytest.raises(ValueError, match="the same name"):
        candidates([group("v4", 0.8, (0,)), group("v4", 0.8, (1,))])


def test_a_candidate_and_its_difference_go_into_json() -> None:
    import json

    facts = json.loads(json.dumps([one.to_json() for one in candidates(THREE)]))
    assert facts[1]["difference"]["comparisons"] == 3
    assert facts[0]["difference"] is None
    assert [one["gain"] for one in facts] == [one["difference"] for one in facts]  # the older name
    assert math.isclose(facts[2]["accuracy"]["mean"], THREE[2].correct.mean())
