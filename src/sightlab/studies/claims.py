"""What a study claims, held to the runs at hand: it holds, it does not, or it cannot be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sightlab.comparison import difference
from sightlab.comparison.power import detectable, noise_of, seeds_needed
from sightlab.records import Difference
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
    found: Difference | None
    verdict: str
    cost: float = math.nan
    needed: str = ""


def verdicts_on(results: Results) -> list[Verdict]:
    """The verdict on each claim of a study."""
    return [verdict_on(claim, results) for claim in results.plan.study.claims]


def verdict_on(claim: Claim, results: Results) -> Verdict:
    """The verdict on one claim, from the runs of its two rows on the same test images."""
    row = results.row(claim.row)
    twin = results.row(claim.twin or (row.planned.row.twin if row else "") or "")
    if row is None or twin is None:
        return Verdict(claim, None, OPEN, needed="runs of both rows")
    found = difference(twin.name, twin.correct, row.name, row.correct)
    verdict = judged(claim, 100 * found.interval[0], 100 * found.interval[1])
    cost = row.seconds / twin.seconds if twin.seconds else math.nan
    return Verdict(claim, found, verdict, cost, needed(claim, row, twin) if verdict == OPEN else "")


def judged(claim: Claim, low: float, high: float) -> str:
    """What a difference whose 95 % interval is this, in points, says of a claim.

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
