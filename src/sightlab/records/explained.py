"""Explanations of single images: where in an image a network's answer comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line imports this room, and must answer at once
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Explained:
    """One image and the map that explains the answer for it.

    name: of the image. group: why it is shown: mistake, uncertain, typical or given. pixels: uint8 [H, W, C], as the
    network saw it. values: float32 [H, W], the larger, the more the pixel speaks for the explained class. label: the
    true class, "" where it is not known. predicted, probability: the answer and its probability, in [0, 1]. explained,
    share: the class that is explained and its probability.
    """

    name: str
    group: str
    pixels: NDArray[np.uint8]
    values: NDArray[np.float32]
    label: str
    predicted: str
    probability: float
    explained: str
    share: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON: of the map its centre of mass and where it is strongest, each (row, column) in
        pixels."""
        import numpy as np

        weights = np.maximum(self.values, 0)
        rows, columns = np.indices(weights.shape)
        total = float(weights.sum())
        centre = [float((place * weights).sum() / total) for place in (rows, columns)] if total else None
        strongest = [int(place) for place in np.unravel_index(int(self.values.argmax()), self.values.shape)]
        facts = ("name", "group", "label", "predicted", "probability", "explained", "share")
        return {key: getattr(self, key) for key in facts} | {"centre": centre, "strongest": strongest}


@dataclass(frozen=True, eq=False)
class Explanations:
    """Explained images of one network, and whether the method may be believed for it.

    subject: what the network is called. method: its name in the table of methods. layer: the module that its
    activations are from, "" for methods that take none. notes: how method and layer were chosen, what was left out.
    check: the figures of the check as plain values, None where there was none; verdict: what they say, in a sentence.

    >>> Explanations("3fa2c1-resnet18", "grad-cam", "layer4", ()).to_json()["layer"]
    'layer4'
    """

    subject: str
    method: str
    layer: str
    images: tuple[Explained, ...]
    notes: tuple[str, ...] = ()
    check: Mapping[str, Any] | None = None
    verdict: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "subject": self.subject,
            "method": self.method,
            "layer": self.layer,
            "notes": list(self.notes),
            "verdict": self.verdict,
            "check": None if self.check is None else dict(self.check),
            "images": [one.to_json() for one in self.images],
        }
