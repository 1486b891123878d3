"""The claims of a study and their verdicts, as tables of its page."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.records.analyses import Estimate
from sightlab.report.analysis_page import words
from sightlab.report.article import Block, Table, Text, rows_of
from sightlab.studies.claims import Verdict, verdicts_on
from sightlab.studies.study_results import Results
from sightlab.studies.study_schema import Claim

RULE = (
    "A claim holds where the claimed range and the 95 % interval meet and all of the interval is on the claimed "
    "side of 0; it does not hold where they do not meet; else it cannot be told. Intervals are over seeds and images "
    "together."
)


def claims_found(results: Results) -> tuple[Block, ...]:
    """Each claim of the study with what the runs say of it; nothing where it claims nothing."""
    found = verdicts_on(results)
    if not found:
        return ()
    accuracies, figures = ([one for one in found if (one.claim.figure is None) is plain] for plain in (True, False))
    blocks: list[Block] = [Text(RULE)]
    if accuracies:
        blocks.append(accuracy_table(accuracies))
    if figures:
        blocks.append(figure_table(figures, results))
    return tuple(blocks)


def accuracy_table(found: Sequence[Verdict]) -> Table:
    """Claims of test accuracies."""
    lines = [
        (one.claim.says, claimed_range(one.claim), *shown(one.found), cost(one), one.verdict, one.needed)
        for one in found
    ]
    header = ("claim", "points claimed", "points here", "95 % interval", "times the cost", "verdict", "needed to tell")
    caption = "Test accuracy. Cost is the time of a training against that of the other row, of all epochs."
    return Table(header, rows_of(lines), right=(2, 3, 4), caption=caption)


def figure_table(found: Sequence[Verdict], results: Results) -> Table:
    """Claims of figures of analyses, on the images that they were made of."""
    lines = [
        (
            one.claim.says,
            figure_words(one.claim),
            compared(one.claim, results),
            claimed_range(one.claim),
            *shown(one.found),
            one.verdict,
            one.needed,
        )
        for one in found
    ]
    header = ("claim", "figure", "compared", "claimed", "here", "95 % interval", "verdict", "needed to tell")
    caption = "How the networks see, on the images of each analysis. Shares are in points, others in their unit."
    return Table(header, rows_of(lines), right=(4, 5), caption=caption)


def figure_words(claim: Claim) -> str:
    """A claim's figure in words.

    >>> figure_words(Claim(says="x", row="a", figure="patches.shuffled_accuracy", change_from="accuracy", least=0))
    'patches: shuffled accuracy less accuracy'
    """
    analysis, _, name = (claim.figure or "").partition(".")
    less = f" less {words(claim.change_from)}" if claim.change_from else ""
    return f"{analysis}: {words(name)}{less}"


def compared(claim: Claim, results: Results) -> str:
    """What a claim compares, in words."""
    study = results.plan.study
    names = {row.id: row.name for row in study.rows} | {one.id: one.name for one in study.subjects}
    twin = study.twin_of(claim)
    return f"{names[claim.row]} against {claim.against:g}" if twin is None else f"{names[claim.row]} less {names[twin]}"


def shown(found: Estimate | None) -> tuple[str, str]:
    """A difference and its interval, as cells; shares in points."""
    if found is None:
        return "", ""
    unit, digits = (100, ".2f") if found.share else (1, ".3g")
    value = f"{unit * found.value:+{digits}}"
    if found.low is None or found.high is None:
        return value, ""
    return value, f"{unit * found.low:+{digits}} to {unit * found.high:+{digits}}"


def cost(one: Verdict) -> str:
    """The cost of a row against its twin's, as a cell."""
    return "" if one.found is None else f"{one.cost:.2f}"


def claimed_range(claim: Claim) -> str:
    """A claim's range in words.

    >>> claimed_range(Claim(says="SE helps", row="senet", least=1, most=2))
    '1 to 2'
    """
    if claim.least is None:
        return f"at most {claim.most:g}"
    return f"at least {claim.least:g}" if claim.most is None else f"{claim.least:g} to {claim.most:g}"
