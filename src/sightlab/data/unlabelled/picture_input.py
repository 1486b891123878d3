"""One unlabelled picture, and the options for reading it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.decode_pipeline import Pictures
from sightlab.data.pictures.stream import each_picture
from sightlab.errors import DataError


class Picture(NamedTuple):
    """A picture to be answered.

    name: what answers call it. pixels: uint8 [H, W, C], of its own size and channels. id: what a submission calls it:
    a table's or a list's own id, a row's number from 1, or the file's name without its suffix. own_id: whether the
    source itself gives the id.
    """

    name: str
    pixels: NDArray[np.uint8]
    id: str
    own_id: bool = False


def silent(note: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Wanted:
    """How pictures are wanted.

    shape: height, width and channels of the model, by which rows of numbers are read. decoding: how files are.
    on_broken: told the error of each picture left out. on_note: told what the user should know, a line each. stated:
    height, width and, if need be, channels of pictures in rows of an array, where the user says so. encoding: of texts
    and of names in old zips, where the user says so.
    """

    shape: tuple[int, int, int]
    decoding: Decoding = field(default_factory=Decoding)
    on_broken: Callable[[DataError], None] | None = None
    on_note: Callable[[str], None] = silent
    stated: tuple[int, ...] = ()
    encoding: str | None = None

    def left_out(self, error: DataError) -> None:
        """Tell of a picture that cannot be had. Raises the error where broken ones are not skipped."""
        if not self.decoding.skip_broken:
            raise error
        if self.on_broken is not None:
            self.on_broken(error)


def decoded(
    pictures: Pictures, ids: Iterable[tuple[str, str]], wanted: Wanted, *, own_id: bool = False
) -> Iterator[Picture]:
    """The pictures of a stream of files, decoded. ids: (name, id) of each, in the order of the stream.

    Raises DataError for the first broken picture unless broken ones are skipped.
    """
    waiting: dict[str, deque[str]] = defaultdict(deque)  # a list may name a picture twice
    for name, own in ids:
        waiting[name].append(own)
    for name, pixels in each_picture(pictures, wanted.decoding, wanted.on_broken, wanted.on_note):
        left = waiting[name]  # empty where a damaged table has more rows than it declares
        yield Picture(name, pixels, left.popleft() if left else name, own_id)
