"""How runs differ, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """One figure over several seeds.

    mean; deviation: the sample standard deviation (n - 1), None for a single value; interval: the 95 % t interval of
    the mean, None for a single value and for equal ones.

    >>> Spread(0.9, None, None, 1).count
    1
    """

    mean: float
    deviation: float | None
    interval: tuple[float, float] | None
    count: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"interval": list(self.interval) if self.interval else None}


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another on the same test images.

    better and worse: names of the two; the order is the caller's, and if `better` is the worse one the difference is
    negative. difference: accuracy of `better` less that of `worse`, in [-1, 1]; interval: its 95 % interval. p: of the
    two-sided hypothesis of no difference; adjusted: the same after Holm's correction, where more than two are compared,
    in as many comparisons. images: on which both were tested. seeds: runs of each, `better` first. method: how interval
    and p were computed, in words, and what they leave open.

    >>> Difference("v5", "v4", 0.0042, (0.0011, 0.0073), 0.008, 10_000, (1, 1), "exact McNemar").significant
    True
    """

    better: str
    worse: str
    difference: float
    interval: tuple[float, float]
    p: float
    images: int
    seeds: tuple[int, int]
    method: str
    adjusted: float | None = None
    comparisons: int = 1

    @property
    def significant(self) -> bool:
        """Whether p, corrected where several are compared, is below 0.05."""
        return (self.p if self.adjusted is None else self.adjusted) < 0.05

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"interval": list(self.interval), "seeds": list(self.seeds)}


@dataclass(frozen=True)
class ClassChange:
    """The accuracy on one class in two runs, on the same images.

    images: of the class. first, second: accuracy on them, in [0, 1]; difference: second less first. p: of the exact
    McNemar test on these images; adjusted: the same after Holm's correction over the classes.

    >>> ClassChange("cat", 100, 0.8, 0.9, 0.1, 0.002, 0.02).significant
    True
    """

    name: str
    images: int
    first: float
    second: float
    difference: float
    p: float
    adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.adjusted < 0.05

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Agreement:
    """Images by which of two runs predicts them correctly.

    >>> Agreement(both_right=90, only_first=3, only_second=5, both_wrong=2).only_second
    5
    """

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class RankedCandidate:
    """One model of a comparison: runs of one training that differ in their seed alone.

    name: in the comparison. runs: their ids. accuracy, top5 and loss: over the seeds, on the test split, in [0, 1] and
    nats. interval: the 95 % interval of the accuracy, in [0, 1] (Wilson's for one run, the t interval over seeds for
    several). parameters; flops: of one image's forward pass (twice the multiply-adds), None where unknown. seconds: of
    training, mean over the seeds. images_per_second: in training, mean. openings: of the test split, the most that any
    of the runs has. rank: 1 for the best; candidates that do not differ significantly may share one. difference: to the
    first candidate; None for the first itself.
    """

    name: str
    runs: tuple[str, ...]
    accuracy: Spread
    interval: tuple[float, float]
    top5: Spread | None
    loss: Spread
    parameters: int
    flops: int | None
    seconds: float
    images_per_second: float
    openings: int
    rank: int
    difference: Difference | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON. `gain` is an older name of difference."""
        values: Mapping[str, Any] = asdict(self)
        spreads = {"accuracy": self.accuracy, "top5": self.top5, "loss": self.loss}
        differences = {"difference": self.difference, "gain": self.difference}
        plain = {name: value.to_json() if value else None for name, value in (spreads | differences).items()}
        return dict(values) | plain | {"runs": list(self.runs), "interval": list(self.interval)}
