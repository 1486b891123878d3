"""Groups of runs become candidates: figures with their spread, ranks, and the differences between them."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.difference import difference, mirrored
from sightlab.comparison.multiple_testing import holm, ranks
from sightlab.comparison.seed_interval import spread
from sightlab.errors import RunError, suggestion
from sightlab.records import Difference, RankedCandidate, Score


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a comparison takes of one run.

    test_key: the content of its test split, the same for the same images in the same order. score: on that split.
    labels: int64 [N]; correct: bool [N], whether each image was predicted correctly. parameters; flops: of one
    image's forward pass, None where unknown. seconds: of training. images_per_second: in training.
    """

    id: str
    test_key: str
    score: Score
    labels: NDArray[np.int64]
    correct: NDArray[np.bool_]
    parameters: int
    flops: int | None
    seconds: float
    images_per_second: float


@dataclass(frozen=True, eq=False)
class Candidate:
    """Runs that differ in their seed alone, under the name that a comparison gives them."""

    name: str
    results: tuple[RunResult, ...]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each run predicted each image correctly: bool [S, N]."""
        return np.stack([result.correct for result in self.results])


def candidates(groups: Sequence[Candidate], first: str | None = None) -> list[RankedCandidate]:
    """The candidates in the order of the groups, each with its rank and its difference to the first.

    first: the name of the group that the others are compared with, by default the first of them. Differences and ranks
    are corrected over all pairs, not only over those with the first. Raises RunError as `differences` does, or for a
    `first` that is none of the groups.
    """
    names = [group.name for group in groups]
    if first is not None and first not in names:
        raise RunError(f"unknown candidate {first!r}; {suggestion(first, names)}")
    pairs = differences(groups)
    places = ranks(names, pairs)
    reference = names[0] if first is None else first
    against = {one.better: one for one in pairs if one.worse == reference}
    against |= {one.worse: mirrored(one) for one in pairs if one.better == reference}
    return [_candidate(group, place, against.get(group.name)) for group, place in zip(groups, places, strict=True)]


def differences(groups: Sequence[Candidate]) -> list[Difference]:
    """The difference of every pair of groups, the later to the earlier, in order: (2, 1), (3, 1), ..., (3, 2), ...

    Of more than one pair, each carries Holm's correction over all of them. Raises RunError for runs that were not
    tested on the same images, or a run that is named twice; ValueError for no groups, a group without runs, or two
    groups of one name.
    """
    _check_groups(groups)
    check_same_images([result for group in groups for result in group.results])
    pairs = [difference(a.name, a.correct, b.name, b.correct) for a, b in itertools.combinations(groups, 2)]
    if len(pairs) < 2:
        return pairs
    adjusted = holm([one.p for one in pairs])
    return [replace(one, adjusted=p, comparisons=len(pairs)) for one, p in zip(pairs, adjusted, strict=True)]


def check_same_images(results: Sequence[RunResult]) -> None:
    """Raises RunError, naming two runs, unless all of them were tested on the same images in the same order."""
    for result in results[1:]:
        if what := _what_differs(results[0], result):
            raise RunError(
                f"runs {results[0].id} and {result.id} were not tested on the same images: {what}; "
                "compare runs of the same data, limited and divided in the same way"
            )


def _what_differs(one: RunResult, other: RunResult) -> str | None:
    if len(one.labels) != len(other.labels):
        return f"{len(one.labels):,} and {len(other.labels):,} of them"
    if not np.array_equal(one.labels, other.labels):
        row = int((one.labels != other.labels).argmax())
        return f"image {row} is labelled {one.labels[row]} in one and {other.labels[row]} in the other"
    if one.test_key != other.test_key:
        return f"as many, labelled alike, but other pictures (content {one.test_key[:8]} and {other.test_key[:8]})"
    return None


def _check_groups(groups: Sequence[Candidate]) -> None:
    if not groups or not all(group.results for group in groups):
        raise ValueError("a comparison needs at least one group, and each group at least one run")
    names = [group.name for group in groups]
    if len(set(names)) < len(names):
        raise ValueError(f"two groups have the same name; the names are {', '.join(names)}")
    ids = [result.id for group in groups for result in group.results]
    for place, name in enumerate(ids):
        if name in ids[:place]:
            raise RunError(f"run {name} is in the comparison twice; name each run once")


def _candidate(group: Candidate, rank: int, against_first: Difference | None) -> RankedCandidate:
    results, scores = group.results, [result.score for result in group.results]
    accuracy = spread([one.accuracy for one in scores], 0.0, 1.0)
    top5 = [one.top5 for one in scores if one.top5 is not None]
    return RankedCandidate(
        name=group.name,
        runs=tuple(result.id for result in results),
        accuracy=accuracy,
        interval=accuracy.interval or scores[0].interval,
        top5=spread(top5, 0.0, 1.0) if len(top5) == len(scores) else None,
        loss=spread([one.loss for one in scores], 0.0),
        parameters=results[0].parameters,
        flops=results[0].flops,
        seconds=statistics.fmean(result.seconds for result in results),
        images_per_second=statistics.fmean(result.images_per_second for result in results),
        openings=max(one.openings or 1 for one in scores),
        rank=rank,
        difference=against_first,
    )
