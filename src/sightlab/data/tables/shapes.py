"""Picture shapes from the number of values: as given, as named, or square."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Shape = tuple[int, int, int]

CHANNELS = (1, 3)


def shape_of(count: int, asked: Sequence[int], named: Sequence[int] = ()) -> Shape | None:
    """Height, width and channels of pictures of so many values: as asked, as named, or square; None where none fits.

    >>> shape_of(784, ()), shape_of(3072, ()), shape_of(784, (14, 56)), shape_of(3072, (3, 32, 32)), shape_of(785, ())
    ((28, 28, 1), (32, 32, 3), (14, 56, 1), (32, 32, 3), None)
    """
    if asked:
        height, width, depth = (*asked, 1)[:3] if not is_planar(asked) else (*asked[1:], asked[0])
        return (height, width, depth) if height * width * depth == count else None
    if len(named) == 3 and math.prod(named) == count:
        return named[0], named[1], named[2]
    for depth in CHANNELS:
        side = math.isqrt(count // depth)
        if side > 1 and side * side * depth == count:
            return side, side, depth
    return None


def is_planar(asked: Sequence[int]) -> bool:
    """Whether a shape that the user gives has its channels first, as in 3 x 32 x 32."""
    return len(asked) == 3 and asked[0] in CHANNELS and asked[2] not in CHANNELS


def plane_order(shape: Shape) -> tuple[int, ...]:
    """The places of a picture's values in a row that holds its channels one after the other.

    >>> plane_order((1, 2, 3))
    (0, 2, 4, 1, 3, 5)
    """
    height, width, depth = shape
    return tuple(np.arange(math.prod(shape)).reshape(depth, height, width).transpose(1, 2, 0).ravel().tolist())


def nearest(count: int) -> tuple[int, int]:
    """Side and channels of the square picture with about so many values."""
    sides = ((math.isqrt(count // depth) + more, depth) for depth in CHANNELS for more in (0, 1))
    return min(sides, key=lambda s: (s[0] < 2, abs(s[0] ** 2 * s[1] - count)))


def size_text(shape: Sequence[int]) -> str:
    """A shape in words, the one channel of grey left out.

    >>> size_text((28, 28, 1)), size_text((32, 32, 3))
    ('28 x 28', '32 x 32 x 3')
    """
    return " x ".join(str(n) for n in (shape[:2] if len(shape) == 3 and shape[2] == 1 else shape))
