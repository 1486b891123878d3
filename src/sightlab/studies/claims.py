"""What a study claims, held to the runs at hand: it holds, it does not, or it cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sightlab.comparison import difference
from sightlab.comparison.crossed_values import ValueDifference, difference_of
from sightlab.comparison.power import MOST_SEEDS, detectable, noise_of, seeds_needed
from sightlab.records.analyses import AnalysisResult, Estimate
from sightlab.studies.seeds_together import figure_difference
from sightlab.studies.study_analyses import Looked
from sightlab.studies.study_results import Results, RowResult
from sightlab.studies.study_schema import Claim

HOLDS, FAILS, OPEN = "holds here", "does not hold here", "cannot be told"


@dataclass(frozen=True)
class Verdict:
    """A claim and what the runs say of it.

    found: the difference of the two rows, on the same images; None where one of them has no runs. verdict: one of
    HOLDS, FAILS, OPEN. cost: seconds of one training of the row divided by its twin's. needed: what it would take to
    tell, "" where it is told.
    """

    claim: Claim
    found: Estimate | None
    verdict: str
    cost: float = math.nan
    needed: str = ""


def verdicts_on(results: Results) -> list[Verdict]:
    """The verdict on each claim of a study."""
    return [verdict_on(claim, results) for claim in results.plan.study.claims]


def verdict_on(claim: Claim, results: Results) -> Verdict:
    """The verdict on one claim, from the runs of its two rows, or what analyses found of them, on the same images."""
    if claim.figure is not None:
        return verdict_on_figure(claim, results)
    row = results.row(claim.row)
    twin = results.row(results.plan.study.twin_of(claim) or "")
    if row is None or twin is None:
        return Verdict(claim, None, OPEN, needed="runs of both rows")
    found = difference(twin.name, twin.correct, row.name, row.correct)
    verdict = judged(claim, 100 * found.interval[0], 100 * found.interval[1])
    cost = row.seconds / twin.seconds if twin.seconds else math.nan
    estimate = Estimate(found.difference, *found.interval, found.images, share=True)
    return Verdict(claim, estimate, verdict, cost, needed(claim, row, twin) if verdict == OPEN else "")


def verdict_on_figure(claim: Claim, results: Results) -> Verdict:
    """The verdict on a claim of a figure of an analysis."""
    figure = (claim.figure or "").partition(".")[2]
    twin = results.plan.study.twin_of(claim)
    looked = group_of(results, claim)
    if looked is None:
        return Verdict(claim, None, OPEN, needed="what this scale leaves out")
    ours = analyses_of(looked, claim, claim.row)
    theirs = analyses_of(looked, claim, twin) if twin is not None else (claim.against or 0.0)
    if not ours or theirs == ():
        return Verdict(claim, None, OPEN, needed="the analysis of both" if twin is not None else "the analysis")
    lacking = missing_figure(claim, figure, ours if isinstance(theirs, float) else (*ours, *theirs))
    if lacking:
        return Verdict(claim, None, OPEN, needed=lacking)
    first = ours[0].estimates[figure]
    found = figure_difference(figure, claim.change_from, ours, theirs)
    unit = 100 if first.share else 1
    low, high = found.interval or (None, None)
    estimate = Estimate(found.difference, low, high, first.count, first.share)
    verdict = OPEN if low is None or high is None else judged(claim, unit * low, unit * high)
    return Verdict(claim, estimate, verdict, needed=figure_needed(found, ours, theirs) if verdict == OPEN else "")


def missing_figure(claim: Claim, figure: str, results: Sequence[AnalysisResult]) -> str:
    """What is said where an analysis did not give a claim's figures, as where no answer counts; "" where it did."""
    for result in results:
        for name in filter(None, (figure, claim.change_from)):
            if name not in result.estimates:
                return f"a figure {name!r} of {result.subject}, which has {', '.join(result.estimates) or 'none'}"
    return ""


def group_of(results: Results, claim: Claim) -> Looked | None:
    """The group of analyses that has the claim's figure of both its sides; None where the scale leaves it out."""
    both = {claim.row, results.plan.study.twin_of(claim)} - {None}
    for looked in results.analyses:
        if both <= {one.id for one in looked.networks} and claim.analysis in looked.planned.looks.only:
            return looked
    return None


def analyses_of(looked: Looked, claim: Claim, id_: str) -> tuple[AnalysisResult, ...]:
    """What the claim's analysis found of a row or a subject, a result for each seed; () where it was not made."""
    return next(one.results.get(claim.analysis, ()) for one in looked.networks if one.id == id_)


def judged(claim: Claim, low: float, high: float) -> str:
    """What a difference whose 95 % interval is this says of a claim; both in the claim's unit, points for shares.

    It holds where the claimed range and the interval meet, and all of the interval is on the range's side of 0. It does
    not hold where they do not meet. Else it cannot be told. A range that has 0 inside, or at its end, is on the side of
    its other values: `most: 0` claims a loss.

    >>> judged(Claim(says="SE helps", row="senet", least=1, most=2), 0.4, 1.6)
    'holds here'
    """
    least = -math.inf if claim.least is None else claim.least
    most = math.inf if claim.most is None else claim.most
    if high < least or low > most:
        return FAILS
    gain = most == math.inf or least + most > 0
    return HOLDS if (low > 0 if gain else high < 0) else OPEN


def needed(claim: Claim, row: RowResult, twin: RowResult) -> str:
    """The seeds that would tell a difference of the claimed size, or why they would not."""
    if len(row.runs) < 2 and len(twin.runs) < 2:
        return "a second seed, for a spread to plan with"
    noise, images = noise_of([(twin.correct, row.correct)]), row.correct.shape[1]
    size = abs(claim.least or 0) or abs(claim.most or 0)
    if not size:
        here = 100 * detectable(noise, len(row.runs), images)
        return f"a difference above {here:.1f} points, which {len(row.runs)} seeds on {images:,} images see"
    seeds = seeds_needed(noise, size / 100, images)
    if seeds is None:
        return f"more test images: no number of seeds sees {size:g} points on {images:,}"
    return f"{seeds} seeds on {images:,} images, to see {size:g} points in four of five studies"


def figure_needed(
    found: ValueDifference, ours: Sequence[AnalysisResult], theirs: Sequence[AnalysisResult] | float
) -> str:
    """What would make the interval of a difference of this size leave out 0."""
    if found.interval is None:
        return "a second seed, for a spread"
    images = next((len(values) for values in ours[0].per_image.values()), 2)
    seeds = max(len(ours), 1 if isinstance(theirs, float) else len(theirs))
    if seeds == 1:
        half = (found.interval[1] - found.interval[0]) / 2
        more = math.ceil(images * (half / found.difference) ** 2) if found.difference else 0
        return f"{more:,} images, were the difference what it is here" if more else "more images"
    for more in range(seeds + 1, MOST_SEEDS + 1):
        side = (found.of_seeds * seeds / more / 2, more - 1)
        ends = difference_of(found.difference, [side, side, (found.of_images, images - 1)]).interval
        if ends is not None and ends[0] * ends[1] > 0:
            return f"{more} seeds, were the difference what it is here"
    return f"more images, or more than {MOST_SEEDS} seeds"
