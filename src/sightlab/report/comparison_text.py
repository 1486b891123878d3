"""Sentences on several models: who leads, and who cannot be told apart from whom."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.records import Difference, RankedCandidate, Spread
from sightlab.report.measures import Mistake
from sightlab.report.phrases import counted, interval_words, listed, percent, quoted, times
from sightlab.report.run_text import taken


def leaders(candidates: Sequence[RankedCandidate]) -> str:
    """Who has the best score, and who cannot be told apart from the best.

    A rank is 1 + how many are better beyond noise; so several may share the first one.
    """
    best = max(candidates, key=lambda one: one.accuracy.mean)
    others = [one for one in candidates if one.rank == 1 and one is not best]
    score = f"{percent(best.accuracy.mean)}, {interval_words(best.interval)}"
    text = f"{quoted(best.name)} has the highest test accuracy ({score})"
    if not others:
        return f"{text}, and nothing that was compared reaches it within noise."
    names = listed([quoted(one.name) for one in others])
    if len(others) == len(candidates) - 1:
        return f"{text}, but no model is better than another beyond noise."
    return f"{text}. No model is better beyond noise than {names} either."


def spread(one: Spread) -> str:
    """A figure and how it spreads over the seeds.

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
    """A difference in percentage points with its sign; never minus nothing.

    >>> signed(0.0123), signed(-0.00001), signed(0.0)
    ('+1.23', '0.00', '0.00')
    """
    value = round(100 * share, 2) + 0.0
    return f"{value:+.2f}" if value else "0.00"


def mistakes(kinds: Sequence[Mistake], wrong: int, runs: int) -> str:
    """A contender's most frequent mistakes, over all of its runs."""
    if not wrong:
        return "No image was taken for another class."
    over = f" in {runs} runs" if runs > 1 else ""
    told = [taken(one) for one in kinds[:3] if one.count > 1]
    text = f"{counted(wrong, 'mistake')}{over}"
    return f"{text}; {listed(told)}." if told else f"{text}, none twice in the same way." if wrong > 1 else f"{text}."


def seal(openings: Sequence[tuple[str, Sequence[object]]]) -> str:
    """How often the runs' test split was opened. openings: (run, its openings)."""
    again = [(run, len(all_)) for run, all_ in openings if len(all_) > 1]
    if not again:
        return (
            "Each run opened the test split once, for the final score of the epoch that validation had chosen. This "
            "comparison reads the predictions that were kept then."
        )
    named = listed([f"{run} ({times(count)})" for run, count in again])
    return (
        f"The test split was opened more than once for {named}. What was decided after a later opening may have been "
        "decided by it."
    )
