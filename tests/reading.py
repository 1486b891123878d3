"""Reads a source without the cache: looked at, decided, read into memory."""

from pathlib import Path
from typing import Unpack

from sightlab.data.imageset import Allocate, Parts, Progress, in_memory
from sightlab.data.layouts.claim import Claim
from sightlab.data.layouts.decide import Decision, decide
from sightlab.data.layouts.table import LAYOUTS
from sightlab.data.load import looked_at
from sightlab.data.read_options import ReadWords, options_of


def decision(path: Path, **words: Unpack[ReadWords]) -> Decision:
    inventory, options = looked_at(path, options_of(words))
    return decide(inventory, options, LAYOUTS)


def claim(path: Path, **words: Unpack[ReadWords]) -> Claim:
    return decision(path, **words).claim()


def read(
    path: Path, allocate: Allocate = in_memory, progress: Progress | None = None, **words: Unpack[ReadWords]
) -> Parts:
    return claim(path, **words).read(allocate, progress)
