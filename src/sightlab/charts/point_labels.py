"""Label placement: names beside points, so that none overlaps another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

GAP = 8.0  # pixels between a point and its name
RINGS = 9  # how many lines of text away a name may stand from its point
MOST_SWEEPS = 30

# Penalties per pixel of area: for overlapping another name, leaving the panel, covering a point or line; and for each
# line of text of distance.
OVER_NAME, OUTSIDE, OVER_MARK, FARTHER = 1000.0, 1000.0, 20.0, 300.0


class Box(NamedTuple):
    """A rectangle in pixels from the panel's top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area of the intersection of two boxes."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)


@dataclass(frozen=True)
class Label:
    """Where a name is placed: (x, y) is the middle of its left or right end, or its centre, as align says.

    ring: how many lines away from its point, 0 for right beside it. box: what it covers.
    """

    x: float
    y: float
    align: Literal["left", "center", "right"]
    ring: int
    box: Box


def place_labels(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    line: float,
    panel: tuple[float, float],
    marks: Sequence[Box],
) -> list[Label]:
    """A position for each name near its point: right, left, above or below where it is free, else farther away.

    points: (x, y) in pixels of the panel. widths: of the names; line: the height of each. panel: (width, height).
    marks: what else is drawn; names avoid covering it.

    Coordinate descent: each name in turn takes its best position given the others, until none moves. Deterministic.
    """
    choices = [list(_choices(*point, width, line)) for point, width in zip(points, widths, strict=True)]
    paper = Box(0, 0, *panel)
    own = [
        [
            OUTSIDE * (_area(label.box) - label.box.overlap(paper))
            + OVER_MARK * sum(label.box.overlap(mark) for mark in marks)
            + FARTHER * label.ring
            + index
            for index, label in enumerate(labels)
        ]
        for labels in choices
    ]
    chosen = [min(range(len(costs)), key=costs.__getitem__) for costs in own]
    for _ in range(MOST_SWEEPS):
        before = list(chosen)
        for name, labels in enumerate(choices):
            others = [choices[other][index].box for other, index in enumerate(chosen) if other != name]
            costs = [
                cost + OVER_NAME * sum(label.box.overlap(box) for box in others)
                for cost, label in zip(own[name], labels, strict=True)
            ]
            chosen[name] = min(range(len(costs)), key=costs.__getitem__)
        if chosen == before:
            break
    return [labels[index] for labels, index in zip(choices, chosen, strict=True)]


def _choices(x: float, y: float, width: float, line: float) -> Iterator[Label]:
    """The positions a name may take, the best first: beside, above, below and at the corners, ring by ring."""
    half = line / 2
    for ring in range(RINGS):
        far = GAP + ring * line
        for dx, dy in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
            at_x = x + dx * (far if not dy else GAP)
            at_y = y + dy * (far + half - 3)
            left = at_x - {1: 0.0, 0: width / 2, -1: width}[dx]
            box = Box(left, at_y - half, left + width, at_y + half)
            yield Label(at_x, at_y, ("center", "left", "right")[dx], ring, box)


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
