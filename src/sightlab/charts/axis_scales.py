"""Units of time, and an axis's scale as Vega lays it out, to place labels by pixel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

UNITS = (("seconds", 1), ("minutes", 60), ("hours", 3600))
ENOUGH = 180  # up to this many of a unit of time the next one is not used


@dataclass(frozen=True)
class Scale:
    """Maps values to pixels and back. start, end: the pixels of low and high; log: a logarithmic scale.

    >>> scale = Scale(1.0, 100.0, 20.0, 220.0, log=True)
    >>> scale.pixel(10.0), round(scale.value(120.0), 9)
    (120.0, 10.0)
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def pixel(self, value: float) -> float:
        """The pixel of a value."""
        low, high, here = self._along(self.low), self._along(self.high), self._along(value)
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def value(self, pixel: float) -> float:
        """The value at a pixel."""
        low, high = self._along(self.low), self._along(self.high)
        here = low + (pixel - self.start) / (self.end - self.start) * (high - low)
        return math.exp(here) if self.log else here

    def _along(self, value: float) -> float:
        return math.log(value) if self.log else value


def spanning(values: Iterable[float], start: float, end: float, *, log: bool = False) -> Scale:
    """A scale from the smallest to the largest value; with some width around it where they are equal."""
    known = list(values)
    low, high = min(known), max(known)
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.1 * abs(low) - 0.1, high + 0.1 * abs(high) + 0.1)
    return Scale(low, high, start, end, log)


def time_unit(longest: float) -> tuple[str, int]:
    """The unit for an axis of time, and its seconds; longest: in seconds.

    >>> time_unit(90), time_unit(4000)
    (('seconds', 1), ('minutes', 60))
    """
    return next((unit for unit in UNITS if longest <= ENOUGH * unit[1]), UNITS[-1])
