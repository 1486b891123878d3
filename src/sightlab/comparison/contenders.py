"""Groups of runs become contenders: figures with their spread, places, and what is sure about them."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.differences import gain, mirrored
from sightlab.comparison.families import holm, ranks
from sightlab.comparison.intervals import spread
from sightlab.errors import RunError, suggestion
from sightlab.records import Contender, Gain, Score


@dataclass(frozen=True, eq=False)
class Trial:
    """What a comparison takes of one run.

    test_key: the content of its test split, the same for the same images in the same order. score: on that split.
    labels: int64 [N]; right: bool [N], whether each image was. parameters; flops: of one image's forward pass, None
    where unknown. seconds: of training. images_per_second: in training.
    """

    id: str
    test_key: str
    score: Score
    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    parameters: int
    flops: int | None
    seconds: float
    images_per_second: float


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed alone, under the name that a comparison calls them by."""

    name: str
    trials: tuple[Trial, ...]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each run, at each image, was right: bool [S, N]."""
        return np.stack([trial.right for trial in self.trials])


def contenders(groups: Sequence[Group], first: str | None = None) -> list[Contender]:
    """The contenders in the order of the groups, each with its rank and its gain against the first.

    first: the name of the group that the others are held against; without it, the first of them. Gains and ranks are
    corrected over all pairs, not only over those with the first. Raises RunError as `gains` does, or for a `first`
    that is none of the groups.
    """
    names = [group.name for group in groups]
    if first is not None and first not in names:
        raise RunError(f"unknown contender {first!r}; {suggestion(first, names)}")
    pairs = gains(groups)
    places = ranks(names, pairs)
    reference = names[0] if first is None else first
    against = {one.better: one for one in pairs if one.worse == reference}
    against |= {one.worse: mirrored(one) for one in pairs if one.better == reference}
    return [_contender(group, place, against.get(group.name)) for group, place in zip(groups, places, strict=True)]


def gains(groups: Sequence[Group]) -> list[Gain]:
    """The gain of every pair of groups, the later against the earlier, in order: (2, 1), (3, 1), ..., (3, 2), ...

    Of more than one pair, each carries Holm's correction over all of them. Raises RunError for runs that were not
    tested on the same images, or a run that stands twice; ValueError for no groups, a group without runs, or two
    groups of one name.
    """
    _check_groups(groups)
    check_same_images([trial for group in groups for trial in group.trials])
    pairs = [gain(a.name, a.right, b.name, b.right) for a, b in itertools.combinations(groups, 2)]
    if len(pairs) < 2:
        return pairs
    adjusted = holm([one.p for one in pairs])
    return [replace(one, adjusted=p, comparisons=len(pairs)) for one, p in zip(pairs, adjusted, strict=True)]


def check_same_images(trials: Sequence[Trial]) -> None:
    """Raises RunError, naming two runs, unless all of them were tested on the same images in the same order."""
    for trial in trials[1:]:
        if what := _what_differs(trials[0], trial):
            raise RunError(
                f"runs {trials[0].id} and {trial.id} were not tested on the same images: {what}; "
                "compare runs of the same data, limited and divided in the same way"
            )


def _what_differs(one: Trial, other: Trial) -> str | None:
    if len(one.labels) != len(other.labels):
        return f"{len(one.labels):,} and {len(other.labels):,} of them"
    if not np.array_equal(one.labels, other.labels):
        row = int((one.labels != other.labels).argmax())
        return f"image {row} is labelled {one.labels[row]} in one and {other.labels[row]} in the other"
    if one.test_key != other.test_key:
        return f"as many, labelled alike, but other pictures (content {one.test_key[:8]} and {other.test_key[:8]})"
    return None


def _check_groups(groups: Sequence[Group]) -> None:
    if not groups or not all(group.trials for group in groups):
        raise ValueError("a comparison needs at least one group, and each group at least one run")
    names = [group.name for group in groups]
    if len(set(names)) < len(names):
        raise ValueError(f"two groups have the same name; the names are {', '.join(names)}")
    ids = [trial.id for group in groups for trial in group.trials]
    for place, name in enumerate(ids):
        if name in ids[:place]:
            raise RunError(f"run {name} stands twice in the comparison; name each run once")


def _contender(group: Group, rank: int, against_first: Gain | None) -> Contender:
    trials, scores = group.trials, [trial.score for trial in group.trials]
    accuracy = spread([one.accuracy for one in scores])
    top5 = [one.top5 for one in scores if one.top5 is not None]
    low, high = accuracy.interval or scores[0].interval
    return Contender(
        name=group.name,
        runs=tuple(trial.id for trial in trials),
        accuracy=accuracy,
        interval=(max(0.0, low), min(1.0, high)),
        top5=spread(top5) if len(top5) == len(scores) else None,
        loss=spread([one.loss for one in scores]),
        parameters=trials[0].parameters,
        flops=trials[0].flops,
        seconds=statistics.fmean(trial.seconds for trial in trials),
        images_per_second=statistics.fmean(trial.images_per_second for trial in trials),
        openings=max(one.openings or 1 for one in scores),
        rank=rank,
        gain=against_first,
    )
