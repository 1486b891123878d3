"""Random numbers that belong to a sample, not to the moment they are drawn.

Every number is a function of (seed, epoch, sample index, stream), through a counter-based generator: the 64-bit
finaliser of splitmix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", section 5, with
the constants of Stafford's variant 13). Batch boundaries, their order and the number of processes cannot change it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0x9E3779B97F4A7C15
WORD = 2**64 - 1


def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser: every bit of the result depends on every bit of the word. uint64 of any shape."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def mixed_word(word: int) -> int:
    """`mixed` of one word, ten times as fast as through an array of one.

    >>> mixed_word(GOLDEN) == int(mixed(np.array([GOLDEN], np.uint64))[0])
    True
    """
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


@dataclass(frozen=True, eq=False)
class CounterRNG:
    """The random numbers of a batch's samples in one epoch.

    index: int64 [B], each sample's place in its split.

    >>> whole = CounterRNG(1, 2, np.arange(6)).uniform("flip")
    >>> parts = [CounterRNG(1, 2, np.arange(4)).uniform("flip"), CounterRNG(1, 2, np.arange(4, 6)).uniform("flip")]
    >>> bool((whole == np.concatenate(parts)).all())
    True
    """

    seed: int
    epoch: int
    index: NDArray[np.int64]

    def words(self, stream: str, count: int) -> NDArray[np.uint64]:
        """count words a sample. uint64 [B, count]. stream: a name; another one gives other, independent words."""
        key = 0
        for part in (self.seed, self.epoch, zlib.crc32(stream.encode())):
            key = mixed_word((key + GOLDEN * (part + 1)) & WORD)
        samples = mixed(self.index.astype(np.uint64) * np.uint64(GOLDEN) + np.uint64(key))
        counters = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN))[None, :]
        return mixed(samples[:, None] + counters)

    def uniform(self, stream: str, count: int = 1) -> NDArray[np.float64]:
        """Numbers uniform on [0, 1), 53 bits each. float64 [B, count]."""
        bits: NDArray[np.float64] = (self.words(stream, count) >> np.uint64(11)).astype(np.float64)
        return bits * 2.0**-53

    def integers(self, stream: str, below: int, count: int = 1) -> NDArray[np.int64]:
        """Whole numbers uniform on [0, below), below at most 2**31. int64 [B, count]."""
        high = self.words(stream, count) >> np.uint64(32)
        return ((high * np.uint64(below)) >> np.uint64(32)).astype(np.int64)
