"""What was found when an explanation was checked, and whether it may be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sightlab.records.analyses import Curve, Estimate
from sightlab.records.phrases import counted

# The orders that pixels are taken out in.
BY_MAP, AT_RANDOM, FROM_CENTRE = "by the map", "at random", "by distance from the centre"

# Where doubts begin: rank correlations, but for the last two.
SAME_WITHOUT_WEIGHTS = 0.5  # all weights drawn anew: above, more than a quarter of the ranks' variance is the image's
SAME_WITHOUT_HEAD = 0.95  # the last layer drawn anew: above, the map is the same whatever the class is
STABLE = 0.5  # noise that no one sees: below, most of the map is the noise's
MATTERS = 0.05  # a gain in area; an interval that includes 0 and reaches this far leaves the question open
INCOMPLETE = 0.05  # of the logit's change: Sundararajan et al. 2017, section 5


@dataclass(frozen=True)
class Check:
    """How well a method explains one network, on some images.

    areas: by "deletion" and "insertion", by order (by the map, at random, by distance from the centre), the mean area
    under the curve of the class's probability, in [0, 1]; a good map has a small area of deletion and a large one of
    insertion. curves: the same by share of the image, as drawn. gains: by the order it is compared with, by how much
    the map's insertion less its deletion is better, paired over the images. levels: the deepest module whose weights
    were drawn anew at each level, from the head down. randomised: by share of the layers drawn anew, the rank
    correlation of the maps with those of the trained network; magnitude: the same of their absolute values. stability:
    the rank correlation with maps of the same images under weak noise. completeness: for maps that must add up to the
    change of the logit, by how much they miss it, as a share of it; None for the others. flat: images whose map is the
    same everywhere; they have no rank correlation. Intervals are Student's t over the images.
    """

    method: str
    images: int
    areas: Mapping[str, Mapping[str, Estimate]]
    curves: Mapping[str, tuple[Curve, ...]]
    gains: Mapping[str, Estimate]
    levels: tuple[str, ...]
    randomised: Curve
    magnitude: Curve
    stability: Estimate
    completeness: Estimate | None = None
    flat: int = 0
    seconds: float = 0.0

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it should not be believed, the weightiest first; empty where nothing speaks against it."""
        doubts: list[str] = []
        if self.images < 2:
            doubts.append("was checked on one image, from which nothing can be told")
        if 2 * self.flat > self.images:
            doubts.append(f"gives a map without any difference for {counted(self.flat, 'image')}")
        for order, words in ((AT_RANDOM, "a random order of the pixels"), (FROM_CENTRE, "distance from the centre")):
            gain = self.gains[order]
            if self.images > 1 and not above_zero(gain):
                top = gain.value if gain.high is None else gain.high
                if top < MATTERS:
                    doubts.append(f"explains no better than {words} (gain {with_interval(gain)})")
                else:
                    doubts.append(
                        f"is not shown to explain better than {words} "
                        f"(gain {with_interval(gain)}; more images may tell)"
                    )
                break
        if self.levels and abs(self.randomised.y[-1]) >= SAME_WITHOUT_WEIGHTS:
            doubts.append(
                f"does not depend on the weights (rank correlation {self.randomised.y[-1]:.2f} with all drawn anew)"
            )
        elif len(self.levels) > 1 and self.randomised.y[0] >= SAME_WITHOUT_HEAD:
            doubts.append(
                "shows the same for every class "
                f"(rank correlation {self.randomised.y[0]:.2f} with {self.levels[0]} drawn anew)"
            )
        if self.stability.value < STABLE:
            doubts.append(f"changes under noise too weak to see (rank correlation {self.stability.value:.2f})")
        if self.completeness and self.completeness.value > INCOMPLETE:
            doubts.append(f"misses the change of the logit by {self.completeness.value:.0%}; more steps would help")
        return tuple(doubts)

    @property
    def believable(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    @property
    def verdict(self) -> str:
        """Whether the method may be believed for this network, in a sentence."""
        where = f"on {counted(self.images, 'image')}"
        if self.doubts:
            return f"{self.method} should not be believed for this model: it {' and '.join(self.doubts)}; {where}."
        gained = f"better than distance from the centre by {with_interval(self.gains[FROM_CENTRE])}"
        weights = f"rank correlation {self.randomised.y[-1]:.2f} with all weights drawn anew, " if self.levels else ""
        held = f"{self.stability.value:.2f} under weak noise"
        return f"{self.method} may be believed for this model: {gained}; {weights}{held}; {where}."

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know beside the verdict."""
        notes: list[str] = []
        if self.levels and self.magnitude.y[-1] >= SAME_WITHOUT_WEIGHTS > abs(self.randomised.y[-1]):
            notes.append(
                "Where the map is strong follows the image more than the weights (rank correlation of its absolute "
                f"values {self.magnitude.y[-1]:.2f} with all drawn anew); what the weights decide is its sign."
            )
        if 0 < 2 * self.flat <= self.images:
            notes.append(f"The map of {counted(self.flat, 'image')} is the same everywhere.")
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "method": self.method,
            "images": self.images,
            "believable": self.believable,
            "verdict": self.verdict,
            "doubts": list(self.doubts),
            "notes": list(self.notes),
            "areas": {
                kind: {order: area.to_json() for order, area in areas.items()} for kind, areas in self.areas.items()
            },
            "curves": {kind: [curve.to_json() for curve in curves] for kind, curves in self.curves.items()},
            "gains": {order: gain.to_json() for order, gain in self.gains.items()},
            "levels": list(self.levels),
            "randomised": self.randomised.to_json(),
            "magnitude": self.magnitude.to_json(),
            "stability": self.stability.to_json(),
            "completeness": self.completeness.to_json() if self.completeness else None,
            "flat": self.flat,
            "seconds": self.seconds,
        }


def above_zero(gain: Estimate) -> bool:
    """Whether the whole interval is; of equal values, which have none, whether the value is."""
    return (gain.value if gain.low is None else gain.low) > 0


def with_interval(gain: Estimate) -> str:
    """A gain in area with its interval.

    >>> with_interval(Estimate(0.1234, 0.1, 0.15, 24))
    '+0.12, 95 % interval +0.10 to +0.15'
    """
    if gain.low is None or gain.high is None:
        return f"{gain.value:+.2f}"
    return f"{gain.value:+.2f}, 95 % interval {gain.low:+.2f} to {gain.high:+.2f}"
