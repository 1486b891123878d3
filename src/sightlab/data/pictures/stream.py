"""Streaming decoder for prediction: pictures one after the other, each of its own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightlab.data.pictures.bit_depth import Depth, depth_of
from sightlab.data.pictures.decode import Decoding, largest_of
from sightlab.data.pictures.decode_pipeline import Pictures, fitted_picture
from sightlab.errors import DataError


def set_depth(pictures: Pictures) -> Depth:
    """What a set's pictures of 16 bits use. Of other pictures only the headers are read; broken ones do not count."""
    found = []
    for _, name, data in pictures():
        with suppress(DataError):
            found.append(largest_of(data, name))
    return depth_of(largest for largest in found if largest is not None)


def each_picture(
    pictures: Pictures,
    decoding: Decoding,
    on_broken: Callable[[DataError], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(name, uint8 [H, W, C]) of each picture in the order of the stream, each of its own size where none is given.

    Without `decoding.bit_depth` the first picture of 16 bits has the whole set looked at for its range; on_note is
    told one smaller than 16 bits. on_broken: called with the error of each picture left out, where `decoding` skips
    broken ones; else the first broken one raises its DataError.
    """
    for _, name, data in pictures():
        try:
            decoded = fitted_picture(data, name, decoding)
            if decoded.largest is not None and decoding.bit_depth is None:
                depth = set_depth(pictures)
                decoding = replace(decoding, bit_depth=depth.bits)
                if on_note is not None:
                    for note in depth.notes(None):
                        on_note(note)
                decoded = fitted_picture(data, name, decoding)
        except DataError as error:
            if not decoding.skip_broken:
                raise
            if on_broken is not None:
                on_broken(error)
            continue
        yield name, decoded.pixels
