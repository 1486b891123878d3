"""Reader of shards: pictures are decoded on demand, for sets larger than memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import ImageSet, Parts, Progress
from sightlab.data.pictures.bit_depth import FULL
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.decode_pipeline import Job, Survey, decode_all
from sightlab.data.pixels import Groups, Rows
from sightlab.data.webshards.sample_names import split_members
from sightlab.data.webshards.samples import picture_of, samples
from sightlab.data.webshards.shard_index import Index, kept_index, make_index
from sightlab.errors import DataError

WINDOW_BYTES = 256 * 2**20


def read_shards(
    shards: Sequence[Path],
    key: str,
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    label: str | None = None,
    progress: Progress | None = None,
    *,
    members: Mapping[str, Sequence[int]] | None = None,
    names: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    window_bytes: int = WINDOW_BYTES,
) -> Parts:
    """The labelled pictures of shards, in the order they are stored.

    key: of the shards' content and these options, by which the index is kept. label: see `label_of`. members: the
    places of each split's shards; None tells them by the words in the shards' names. names: the class of a label,
    where it is to have another name. only: the classes that are read, () for all. window_bytes: see `Groups`. Raises
    DataError as `make_index` does, where some names say a split and others do not, and for classes that are not there.
    """
    members = split_members(shards) if members is None else members
    index = kept_index(key, lambda: make_index(shards, decoding, label, progress))
    pixels = ShardPixels(tuple(shards), index, decoding, window_bytes)
    classes, target = chosen_classes(index.classes, names or {}, only, str(shards[0]))
    labels = target[index.labels]
    numbered = classes == tuple(str(n) for n in range(len(classes))) and not names and not only
    splits = {}
    for split, own in members.items():
        rows = np.flatnonzero(np.isin(index.shards, list(own)) & (labels >= 0))
        if len(rows) or not only:
            splits[split] = ImageSet(pixels, labels[rows], classes, numbered, rows)
    left = int((labels < 0).sum())
    notes = (f"{left:,} {'picture' if left == 1 else 'pictures'} of classes not asked for ignored",) if left else ()
    return Parts(splits, (*index.notes, *notes), index.bit_depth if index.bit_depth < FULL else None)


def chosen_classes(
    found: tuple[str, ...], names: Mapping[str, str], only: Sequence[str], shown: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes that are read, and the place of each of the found ones among them, -1 for those ignored.

    >>> chosen_classes(("0", "1", "2"), {"0": "cat", "2": "dog"}, ("dog", "cat"), "pets.tar")
    (('dog', 'cat'), array([ 1, -1,  0]))
    """
    texts = [names.get(name, name) for name in found]
    if unknown := [name for name in only if name not in texts]:
        held = ", ".join(texts[:8])
        raise DataError(f"{shown}: there is no class {unknown[0]!r}, which `classes` names; found {held}")
    classes = tuple(only) or tuple(dict.fromkeys(texts))
    return classes, np.array([classes.index(text) if text in classes else -1 for text in texts], np.int64)


class ShardPixels:
    """`Pixels` that lie as picture files in shards; a shard is streamed as a whole when one of its pictures is needed.

    The picture files, not decoded, of the shards used last stay in memory: two windows of them (see `Groups`), or one
    shard where it is larger. Every process that trains reads all shards, and decodes its own share of each batch
    alone: shards dealt out to processes would make the order of the images depend on how many processes there are.
    Safe in processes forked from the one it was made in, each of which goes on with its own shards in memory; not for
    several threads at once.
    """

    def __init__(self, shards: tuple[Path, ...], index: Index, decoding: Decoding, window_bytes: int) -> None:
        self.shards = shards
        self.index = index
        self.decoding = replace(decoding, channels=index.shape[2], skip_broken=False, bit_depth=index.bit_depth)
        self.window_bytes = window_bytes
        self.kept: OrderedDict[int, list[bytes]] = OrderedDict()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """See `Pixels`."""
        return len(self.index.labels), *self.index.shape

    def all(self) -> NDArray[np.uint8]:
        """See `Pixels`; every picture is decoded."""
        return self.gather(np.arange(len(self.index.labels)))

    def gather(self, rows: Rows) -> NDArray[np.uint8]:
        """See `Pixels`. Rows that lie in few shards, or in order, are the cheaper. Raises DataError."""
        images = np.empty((len(rows), *self.index.shape), np.uint8)

        def pictures() -> Iterator[tuple[int, str, bytes]]:
            return ((job.place, job.name, job.data) for job in self.jobs(rows, images))

        seen = Survey(pictures, self.index.shape, str(self.shards[0]), self.index.stored_pixels)
        decode_all(self.jobs(rows, images), len(rows), seen, self.decoding, None)
        return images

    def jobs(self, rows: Rows, images: NDArray[np.uint8]) -> Iterator[Job]:
        """What to decode into where, shard by shard; first those in memory, before others take their room."""
        of, places = self.index.shards[rows], self.index.places[rows]
        for shard in sorted(np.unique(of).tolist(), key=lambda number: number not in self.kept):
            files = self.files(shard)
            for row in np.flatnonzero(of == shard):
                name = f"{self.shards[shard]}: sample {places[row] + 1:,}"
                yield Job(name, files[places[row]], int(row), images[row])

    def files(self, shard: int) -> list[bytes]:
        """The picture files of a shard, from memory or read now. Raises DataError when it is not as it was."""
        if shard in self.kept:
            self.kept.move_to_end(shard)
            return self.kept[shard]
        sizes = self.index.sizes
        while self.kept and sum(sizes[number] for number in (*self.kept, shard)) > 2 * self.window_bytes:
            self.kept.popitem(last=False)
        files = [picture_of(sample)[1] for sample in samples(self.shards[shard])]
        if len(files) != self.index.counts[shard] or sum(map(len, files)) != sizes[shard]:
            raise DataError(f"{self.shards[shard]}: has changed since it was first read; start again")
        self.kept[shard] = files
        return files

    def fingerprints(self, rows: Rows) -> NDArray[np.uint64]:
        """See `Pixels`; known from the index."""
        return self.index.prints[rows]

    def sums(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Pixels`; known from the index."""
        return self.index.sums[rows].sum(0), self.index.squares[rows].sum(0)

    def identity(self, row: int) -> bytes:
        """See `Pixels`; known from the index."""
        digest: bytes = self.index.digests[row].tobytes()
        return digest

    def groups(self, rows: Rows) -> Groups | None:
        """See `Pixels`: images of one shard are stored together."""
        return Groups(self.index.shards[rows], self.index.sizes, self.window_bytes)
