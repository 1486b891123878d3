"""The sentences of a comparison's report: which model leads, and how significantly."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.records import Difference, RankedCandidate, Spread
from sightlab.report.measures import Mistake
from sightlab.report.phrases import counted, interval_words, listed, percent, quoted, times
from sightlab.report.run_text import confused


def leaders(candidates: Sequence[RankedCandidate]) -> str:
    """Which model has the best score, and which are not significantly worse.

    A rank is 1 + how many models are significantly better; so several may share the first.
    """
    best = max(candidates, key=lambda one: one.accuracy.mean)
    others = [one for one in candidates if one.rank == 1 and one is not best]
    score = f"{percent(best.accuracy.mean)}, {interval_words(best.interval)}"
    text = f"{quoted(best.name)} has the highest test accuracy ({score})"
    if not others:
        return f"{text}; no other model shares its rank."
    names = listed([quoted(one.name) for one in others])
    if len(others) == len(candidates) - 1:
        return f"{text}, but no model is significantly better than another."
    return f"{text}. No model is significantly better than {names} either."


def spread(one: Spread) -> str:
    """A mean and its standard deviation over the seeds.

    >>> spread(Spread(0.9123, 0.0041, (0.9, 0.92), 3)), spread(Spread(0.9, None, None, 1))
    ('91.23% ± 0.41', '90.00%')
    """
    return percent(one.mean) + (f" ± {100 * one.deviation:.2f}" if one.deviation is not None else "")


def difference(difference: Difference | None) -> str:
    """The difference to the first, in percentage points."""
    if difference is None:
        return ""
    low, high = (signed(end) for end in difference.interval)
    return f"{signed(difference.difference)} ({low} to {high})"


def signed(share: float) -> str:
    """A difference in percentage points with its sign; never -0.00.

    >>> signed(0.0123), signed(-0.00001), signed(0.0)
    ('+1.23', '0.00', '0.00')
    """
    value = round(100 * share, 2) + 0.0
    return f"{value:+.2f}" if value else "0.00"


def mistakes(kinds: Sequence[Mistake], wrong: int, runs: int) -> str:
    """A candidate's most frequent mistakes, over all of its runs."""
    if not wrong:
        return "No image was misclassified."
    over = f" in {runs} runs" if runs > 1 else ""
    pairs = [confused(one) for one in kinds[:3] if one.count > 1]
    text = f"{counted(wrong, 'mistake')}{over}"
    return f"{text}; {listed(pairs)}." if pairs else f"{text}, each in a different way." if wrong > 1 else f"{text}."


def seal(openings: Sequence[tuple[str, Sequence[object]]]) -> str:
    """How often the runs' test split was opened. openings: (run, its openings)."""
    again = [(run, len(all_)) for run, all_ in openings if len(all_) > 1]
    if not again:
        return (
            "Each run opened the test split once, for the final score of the epoch that was chosen on validation. This "
            "comparison reads the predictions that were saved then."
        )
    named = listed([f"{run} ({times(count)})" for run, count in again])
    return (
        f"The test split was opened more than once for {named}. Decisions made after a later opening may have been "
        "influenced by it."
    )
