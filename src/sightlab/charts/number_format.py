"""Short number formats for the labels of charts."""

from __future__ import annotations


def compact(count: int) -> str:
    """A count in at most four characters.

    >>> compact(999), compact(1234), compact(99_950), compact(2_500_000)
    ('999', '1.2k', '100k', '2.5M')
    """
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        # A count that would round up to 1000 of a unit is written in the next.
        if count >= 0.9995 * unit:
            value = count / unit
            return f"{value:.1f}{letter}" if value < 9.95 else f"{value:.0f}{letter}"
    return str(count)


def signed(points: float, digits: int = 2) -> str:
    """A number of points with its sign; without one if it rounds to zero.

    >>> signed(0.42), signed(0.001), signed(3, digits=0)
    ('+0.42', '0.00', '+3')
    """
    text = f"{points:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def p_value(p: float) -> str:
    """A p-value with as many digits as are useful.

    >>> p_value(0.00002), p_value(0.0312), p_value(0.71)
    ('p < 0.001', 'p = 0.031', 'p = 0.71')
    """
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.0995 else f"p = {p:.2f}"
