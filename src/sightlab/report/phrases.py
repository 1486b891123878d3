"""Formats for numbers and names in sentences."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from sightlab.errors import one_line
from sightlab.records.phrases import counted as counted
from sightlab.records.phrases import times as times

LONGEST_NAME = 60  # characters of a class's name in a sentence; tables have it whole


def percent(share: float, digits: int = 2) -> str:
    """A share in [0, 1] as a person reads it.

    >>> percent(0.9231), percent(1.0), percent(0.5, 0)
    ('92.31%', '100.00%', '50%')
    """
    # One share computed in two ways may differ in the last bit, which must not show: 56.15 could become 56.1 or 56.2.
    return f"{round(100 * share, 9):.{digits}f}%"


def points(difference: float, digits: int = 2) -> str:
    """A difference of shares in percentage points, without its sign.

    >>> points(-0.0123), points(0.01)
    ('1.23 points', '1.00 points')
    """
    return f"{abs(100 * difference):.{digits}f} points"


def listed(items: Sequence[str]) -> str:
    """Items as an enumeration.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def quoted(name: str) -> str:
    """A class's name within a sentence: on one line, a very long one without its middle.

    A name in a right-to-left script is isolated, so that it does not reorder the sentence.

    >>> quoted("Shirt"), len(quoted("x" * 200))
    ('“Shirt”', 62)
    """
    text = one_line(name)
    if len(text) > LONGEST_NAME:
        text = f"{text[: LONGEST_NAME - 20].rstrip()}…{text[-19:].lstrip()}"
    right_to_left = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)
    return f"“\u2068{text}\u2069”" if right_to_left else f"“{text}”"


def interval_words(interval: tuple[float, float], digits: int = 2) -> str:
    """An interval of shares.

    >>> interval_words((0.8799, 0.9171))
    '95 % interval 87.99% to 91.71%'
    """
    return f"95 % interval {percent(interval[0], digits)} to {percent(interval[1], digits)}"


def moment(at: str) -> str:
    """A time, ISO 8601, as a person reads it.

    >>> moment("2026-11-24T11:58:25+00:00")
    '24 November 2026, 11:58 UTC'
    """
    try:
        when = datetime.fromisoformat(at).astimezone(UTC)
    except ValueError:
        return at or "an unknown day"
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def flops(count: int | None) -> str:
    """Floating-point operations in a unit that fits.

    >>> flops(22_998_528), flops(1_820_000_000), flops(900), flops(None)
    ('23 MFLOP', '1.82 GFLOP', '900 FLOP', 'not known')
    """
    if count is None:
        return "not known"
    for size, unit in ((1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP")):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 100 * size else f"{count / size:,.0f} {unit}"
    return f"{count} FLOP"
