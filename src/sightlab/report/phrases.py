"""Numbers and names as sentences have them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from sightlab.errors import one_line

LONGEST_NAME = 60  # characters of a class's name in a sentence; tables have it whole


def percent(share: float, digits: int = 2) -> str:
    """A share in [0, 1] as a person reads it.

    >>> percent(0.9231), percent(1.0), percent(0.5, 0)
    ('92.31%', '100.00%', '50%')
    """
    # Two ways to one share may differ in their last bit, which must not show: 56.15 with one digit is 56.1 or 56.2.
    return f"{round(100 * share, 9):.{digits}f}%"


def points(difference: float, digits: int = 2) -> str:
    """A difference of shares in percentage points, without its sign.

    >>> points(-0.0123), points(0.01)
    ('1.23 points', '1.00 points')
    """
    return f"{abs(100 * difference):.{digits}f} points"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun.

    >>> counted(1, "image"), counted(2000, "image"), counted(0, "class", "classes")
    ('1 image', '2,000 images', '0 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def times(count: int) -> str:
    """How often.

    >>> times(1), times(2), times(1500)
    ('once', 'twice', '1,500 times')
    """
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def listed(items: Sequence[str]) -> str:
    """Several things in one breath.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def quoted(name: str) -> str:
    """A class's name within a sentence: on one line, a very long one without its middle.

    One that is written from right to left keeps that to itself.

    >>> quoted("Shirt"), len(quoted("x" * 200))
    ('“Shirt”', 62)
    """
    text = one_line(name)
    if len(text) > LONGEST_NAME:
        text = f"{text[: LONGEST_NAME - 20].rstrip()}…{text[-19:].lstrip()}"
    turned = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)
    return f"“\u2068{text}\u2069”" if turned else f"“{text}”"


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
