"""What analyses of a trained network find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line imports this room, and must answer at once
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval. low, high: None where it has none. count: of the images that it is from.

    share: whether it is a share of 1, shown in per cent; else a plain number.

    >>> print(Estimate(0.229, 0.201, 0.259, 828, share=True))
    22.90% (95 % interval 20.10% to 25.90%, n = 828)
    >>> print(Estimate(3.25, count=200))
    3.25 (n = 200)
    """

    value: float
    low: float | None = None
    high: float | None = None
    count: int = 0
    share: bool = False

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f"95 % interval {self._range()}, "
        return f"{self._shown(self.value)} ({interval}n = {self.count:,})"

    def _range(self) -> str:
        assert self.low is not None
        assert self.high is not None
        return f"{self._shown(self.low)} to {self._shown(self.high)}"

    def _shown(self, value: float) -> str:
        return f"{value:.2%}" if self.share else f"{value:.4g}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        interval = None if self.low is None else [self.low, self.high]
        return {"value": self.value, "interval": interval, "count": self.count, "share": self.share}


@dataclass(frozen=True)
class Curve:
    """A figure as a function of another, drawn as a line.

    name: of the line. x, y: as many numbers each. low, high: the 95 % interval at each x, empty where there is none.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"name": self.name, "x": list(self.x), "y": list(self.y), "low": list(self.low), "high": list(self.high)}


@dataclass(frozen=True, eq=False)
class AnalysisResult:
    """What one analysis found of one network.

    analysis: its name in the table of analyses. subject: what the network is called. estimates: its figures by name,
    the headline first; `sightlab runs` can sort by them. curves: by the name of their chart. per_image: float [N] by
    the name of an estimate that is the mean over images of these values, NaN for images that do not count: two networks
    are compared on the same images by them. arrays: float arrays that its charts draw, by name. tables: (header, rows)
    by title. sentences: what it says, the answer first. notes: what a reader must know, such as what was left out.
    """

    analysis: str
    subject: str
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    per_image: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    tables: Mapping[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON; values of single images are left out."""
        return {
            "analysis": self.analysis,
            "subject": self.subject,
            "estimates": {name: one.to_json() for name, one in self.estimates.items()},
            "curves": {name: [curve.to_json() for curve in curves] for name, curves in self.curves.items()},
            "arrays": {name: values.tolist() for name, values in self.arrays.items()},
            "tables": {
                title: {"header": list(h), "rows": [list(r) for r in rows]} for title, (h, rows) in self.tables.items()
            },
            "sentences": list(self.sentences),
            "notes": list(self.notes),
            "seconds": self.seconds,
        }
