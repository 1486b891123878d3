"""Receptive fields: the part of the image that a position of a feature map can depend on.

Along one axis, position u of a map depends on the pixels from `first + u * jump` to `last + u * jump` (Araujo, Norris
and Sim 2019, Computing receptive fields of convolutional neural networks, section 2; jump is its effective stride). A
window of k positions, s apart, with padding p, over such a map gives

    first' = first - p * jump,   last' = last + (k - 1 - p) * jump,   jump' = s * jump,

and a sum of branches the union. Pixels outside the image are padding: a field may be larger than the image.
"""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[int, int]


@dataclass(frozen=True)
class Span:
    """The pixels, along one axis, that position 0 of a map depends on, and how far they move per position.

    jump 0: every position depends on the same pixels, as after a global pool.

    >>> stem = Span().window(kernel=7, stride=2, padding=3)
    >>> stem.size, stem.jump, stem.first
    (7, 2, -3)
    """

    first: int = 0
    last: int = 0
    jump: int = 1

    @property
    def size(self) -> int:
        """The receptive field in pixels."""
        return self.last - self.first + 1

    def window(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Span:
        """After a convolution or pool with such a window; padding: that before the first position."""
        reach = dilation * (kernel - 1)
        return Span(self.first - padding * self.jump, self.last + (reach - padding) * self.jump, stride * self.jump)

    def transposed(self, kernel: int, stride: int, padding: int, dilation: int, positions: int) -> Span:
        """After a transposed convolution over so many positions: a span that holds the field, at most one jump wider.

        Position u of its output takes positions from (u + p - d (k - 1)) / s to (u + p) / s, whole numbers between.
        """
        if self.jump % stride:
            return self.whole(positions)
        step = self.jump // stride
        return Span(self.first + (padding - dilation * (kernel - 1)) * step, self.last + padding * step, step)

    def whole(self, positions: int) -> Span:
        """The pixels that any of so many positions depends on: the span of what combines them all."""
        return Span(self.first, self.last + (positions - 1) * self.jump, 0)


def union(one: Span, other: Span, positions: int, other_positions: int) -> Span:
    """What a sum of two maps depends on, with so many positions each.

    Where they do not move alike, as in the product of a map with a gate computed from all of it, it is everything that
    either depends on.
    """
    if (one.jump, positions) != (other.jump, other_positions):
        one, other = one.whole(positions), other.whole(other_positions)
    return Span(min(one.first, other.first), max(one.last, other.last), one.jump)


@dataclass(frozen=True)
class Field:
    """The receptive field of a tensor's positions.

    rows, columns: along the two axes of the image. grid: how many positions there are, (rows, columns). spatial: for
    each axis of the tensor, whether it runs over positions. A map [N, C, H, W] has (no, no, yes, yes),
    the tokens [N, L, D] of a transformer (no, yes, no).
    """

    rows: Span
    columns: Span
    grid: Pair
    spatial: tuple[bool, ...]

    @classmethod
    def of_image(cls, height: int, width: int) -> Field:
        """The field of an image [N, C, height, width] itself."""
        return cls(Span(), Span(), (height, width), (False, False, True, True))

    def mixed(self, dimensions: int) -> Field:
        """The field of a tensor of so many axes, every value of which depends on all positions."""
        rows, columns = self.rows.whole(self.grid[0]), self.columns.whole(self.grid[1])
        return Field(rows, columns, (1, 1), (False,) * dimensions)

    def windowed(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, shape: tuple[int, ...]) -> Field:
        """After a convolution or pool over a map, whose output has this shape [N, C, H, W]."""
        rows, columns = (
            span.window(*sizes)
            for span, *sizes in zip((self.rows, self.columns), kernel, stride, padding, dilation, strict=True)
        )
        return Field(rows, columns, (shape[-2], shape[-1]), (False, False, True, True))

    def transposed(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, shape: tuple[int, ...]) -> Field:
        """After a transposed convolution over a map, whose output has this shape [N, C, H, W]."""
        rows, columns = (
            span.transposed(*sizes)
            for span, *sizes in zip(
                (self.rows, self.columns), kernel, stride, padding, dilation, self.grid, strict=True
            )
        )
        return Field(rows, columns, (shape[-2], shape[-1]), (False, False, True, True))

    def joined(self, other: Field, spatial: tuple[bool, ...]) -> Field:
        """After a sum, product or concatenation with another; spatial: of the result."""
        rows = union(self.rows, other.rows, self.grid[0], other.grid[0])
        columns = union(self.columns, other.columns, self.grid[1], other.grid[1])
        alike = self.grid == other.grid
        return Field(rows, columns, self.grid if alike else (1, 1), spatial)

    def reshaped(self, before: tuple[int, ...], after: tuple[int, ...]) -> Field:
        """After a change of shape that moves no value in memory order (flatten, view, squeeze).

        Where positions and features end up on one axis, as in a flatten before a linear layer, each value still has a
        position, but what reads the axis reads them all: that counts as mixed.
        """
        spatial: list[bool] = []
        for old, new in groups(before, after):
            kinds = {self.spatial[axis] for axis in old if before[axis] > 1}
            if len(kinds) > 1:
                return self.mixed(len(after))
            spatial += [kinds == {True} and after[axis] > 1 for axis in new]
        return Field(self.rows, self.columns, self.grid, tuple(spatial))


def groups(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of equal size, paired in the smallest groups whose sizes multiply to the same.

    >>> groups((1, 64, 7, 7), (1, 3136))
    [([0], [0]), ([1, 2, 3], [1])]
    """
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        old, new = list(range(i, min(i + 1, len(before)))), list(range(j, min(j + 1, len(after))))
        left = before[i] if old else 1
        right = after[j] if new else 1
        while left != right:
            if left < right:
                old.append(i + len(old))
                left *= before[old[-1]]
            else:
                new.append(j + len(new))
                right *= after[new[-1]]
        i, j = i + len(old), j + len(new)
        found.append((old, new))
    return found
