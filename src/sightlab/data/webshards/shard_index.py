"""The index of shards: labels, offsets and shapes from one pass over them, cached."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightlab.data.containers.base import DataFile
from sightlab.data.containers.tars import read_tar
from sightlab.data.contents import FORMAT, cache_folder
from sightlab.data.imageset import Progress, classes_of
from sightlab.data.pictures.assemble import broken_notes
from sightlab.data.pictures.bit_depth import FULL, depth_of
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.decode_pipeline import Job, LeftOut, Survey, decode_all, survey
from sightlab.data.pictures.suffixes import PICTURE_SUFFIXES, suffix_of
from sightlab.data.pixels import blocks, digests_of, fingerprints_of, sums_of
from sightlab.data.webshards.sample_names import relative_names
from sightlab.data.webshards.samples import label_of, picture_of, samples
from sightlab.errors import DataError, one_line
from sightlab.files import write_bytes


@dataclass(frozen=True, eq=False)
class Index:
    """N pictures in S shards, those left out not among the N.

    shape: [H, W, C] of every picture decoded; stored_pixels: of the first one as stored. counts, sizes: int64 [S],
    samples a shard holds and bytes of their pictures, the left-out ones too. shards, places: int64 [N], where a
    picture is. labels: int64 [N]. prints: uint64 [N], digests: uint64 [N, 2], sums and squares: int64 [N, C], see
    `sightlab.data.pixels`. bit_depth: at which pictures of 16 bits were decoded.
    """

    shape: tuple[int, int, int]
    stored_pixels: int
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    shards: NDArray[np.int64]
    places: NDArray[np.int64]
    labels: NDArray[np.int64]
    prints: NDArray[np.uint64]
    digests: NDArray[np.uint64]
    sums: NDArray[np.int64]
    squares: NDArray[np.int64]
    notes: tuple[str, ...] = field(default=())
    bit_depth: int = FULL


ARRAYS = ("counts", "sizes", "shards", "places", "labels", "prints", "digests", "sums", "squares")


def kept_index(key: str, make: Callable[[], Index], folder: Path | None = None) -> Index:
    """The index kept under this key; made and kept if not there yet, or damaged.

    folder: where indexes are kept, None for `shards` in the cache folder. One that cannot be written says so in its
    notes. Raises what make raises.
    """
    path = (cache_folder() / "shards" if folder is None else folder) / f"{key}.npz"
    found = read_index(path)
    if found is not None:
        return found
    made = make()
    try:
        write_index(path, made)
    except OSError as error:
        note = f"{path} cannot be written ({one_line(error.strerror or error)}); the shards will be read anew next time"
        return replace(made, notes=(*made.notes, note))
    return made


def write_index(path: Path, index: Index) -> None:
    """Write an index, whole or not at all. Raises OSError."""
    facts = {
        "format": FORMAT,
        "shape": index.shape,
        "stored_pixels": index.stored_pixels,
        "classes": index.classes,
        "notes": index.notes,
        "bit_depth": index.bit_depth,
    }
    stream = io.BytesIO()
    np.savez(stream, facts=np.array(json.dumps(facts)), **{name: getattr(index, name) for name in ARRAYS})
    write_bytes(path, stream.getvalue())


def read_index(path: Path) -> Index | None:
    """The index in a file; None when there is none, or a damaged one."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            arrays = {name: stored[name] for name in ARRAYS}
        height, width, channels = facts["shape"]
        rest = {"notes": tuple(facts["notes"]), "bit_depth": facts["bit_depth"]}
        found = Index((height, width, channels), facts["stored_pixels"], tuple(facts["classes"]), **arrays, **rest)
        return found if facts["format"] == FORMAT else None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


@dataclass(frozen=True, eq=False)
class Entry:
    """A sample on its way into the index: its shard and its place in it, its picture's name and bytes, its label."""

    shard: int
    place: int
    name: str
    data: bytes
    label: str


def entries(shards: Sequence[Path], label: str | None) -> Iterator[Entry]:
    """Every sample of the shards in turn. Raises DataError."""
    for number, shard in enumerate(shards):
        for place, sample in enumerate(samples(shard)):
            name, data = picture_of(sample)
            yield Entry(number, place, name, data, label_of(sample, label))


def pictures_listed(shard: Path) -> int:
    """How many pictures a shard lists. Raises DataError for one that is torn, or has what no shard should have."""
    return sum(bool(PICTURE_SUFFIXES.fullmatch(suffix_of(name))) for name in read_tar(DataFile.at(shard)).sizes)


def make_index(shards: Sequence[Path], decoding: Decoding, label: str | None, progress: Progress | None) -> Index:
    """Read every sample once: its label, and its picture decoded for what `Index` says of it.

    Raises DataError naming the shard and the sample: torn shards, samples without a picture or a label, and pictures
    that are broken (unless skipped) or of different sizes while `decoding.size` is None.
    """
    total = sum([pictures_listed(shard) for shard in shards])  # all looked at before the long work begins
    if not total:
        raise DataError(f"{shards[0]}: no pictures in {'it' if len(shards) == 1 else f'the {len(shards):,} shards'}")
    seen = survey(lambda: ((entry.place, entry.name, entry.data) for entry in entries(shards, label)), decoding)

    def indexing(decoding: Decoding) -> Indexing:
        work = Indexing(shards, seen, decoding, total, progress)
        stream = entries(shards, label)
        rows = len(next(blocks(np.arange(total), (total, *seen.shape))))
        while work.add(islice(stream, rows), rows):
            pass
        return work

    work = indexing(decoding)
    depth = depth_of(work.deep, work.floats)
    if decoding.bit_depth is None and depth.bits < FULL:  # known only now that all are decoded
        work = indexing(replace(decoding, bit_depth=depth.bits))
    made = work.index()
    return replace(made, notes=(*depth.notes(decoding.bit_depth), *made.notes))


class Indexing:
    """An index in the making."""

    def __init__(
        self, files: Sequence[Path], seen: Survey, decoding: Decoding, total: int, progress: Progress | None
    ) -> None:
        self.files = files
        self.seen = seen
        self.decoding = decoding
        self.total = total
        self.progress = progress
        self.counts, self.sizes = np.zeros(len(files), np.int64), np.zeros(len(files), np.int64)
        self.texts: list[str] = []
        self.shards: list[int] = []
        self.places: list[int] = []
        self.facts: list[tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]] = []
        self.left: list[LeftOut] = []
        self.deep: list[int] = []
        self.floats: list[float] = []

    def add(self, some: Iterable[Entry], rows: int) -> int:
        """Take so many samples in, at most. Gives how many there were."""
        block = np.empty((rows, *self.seen.shape), np.uint8)
        done = len(self.texts)

        def jobs() -> Iterator[Job]:
            for row, entry in enumerate(some):
                self.counts[entry.shard] += 1
                self.sizes[entry.shard] += len(entry.data)
                self.texts.append(entry.label)
                self.shards.append(entry.shard)
                self.places.append(entry.place)
                yield Job(entry.name, entry.data, done + row, block[row])

        def tell(count: int, _: int) -> None:
            if self.progress is not None:
                self.progress(done + count, self.total)

        outcome = decode_all(jobs(), rows, self.seen, self.decoding, tell)
        left = outcome.left
        self.left += left
        self.deep += outcome.deep.values()
        self.floats += outcome.floats.values()
        count = len(self.texts) - done
        pixels = np.delete(block[:count], [one.place - done for one in left], axis=0) if left else block[:count]
        self.facts.append((fingerprints_of(pixels), digests_of(pixels), *sums_of(pixels)))
        return count

    def index(self) -> Index:
        """The index of all that was taken in. Raises DataError for a class all of whose pictures are broken."""
        kept = np.ones(len(self.texts), bool)
        kept[[one.place for one in self.left]] = False
        classes, labels = numbered_labels(self.texts)
        for lost in np.setdiff1d(labels, labels[kept])[:1]:
            raise DataError(f"every picture of class `{classes[lost]}` is broken; replace them, or remove the class")
        prints, digests, sums, squares = (np.concatenate(parts) for parts in zip(*self.facts, strict=True))
        return Index(
            shape=self.seen.shape,
            stored_pixels=self.seen.first_pixels,
            classes=classes,
            counts=self.counts,
            sizes=self.sizes,
            shards=np.array(self.shards, np.int64)[kept],
            places=np.array(self.places, np.int64)[kept],
            labels=labels[kept],
            prints=prints,
            digests=digests,
            sums=sums,
            squares=squares,
            notes=broken_notes([self.relative(one) for one in self.left]),
            bit_depth=self.decoding.bit_depth or FULL,
        )

    def relative(self, left: LeftOut) -> str:
        """A picture's name with its shard's name below the folder that all have in common."""
        shard = self.shards[left.place]
        return relative_names(self.files)[shard] + left.name.removeprefix(str(self.files[shard]))


def numbered_labels(texts: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names in natural order, and each label's place among them. Whole numbers are the same with zeros before.

    >>> numbered_labels(["10", "02", "2"])
    (('2', '10'), array([1, 0, 0]))
    """
    if all(text.isascii() and text.isdecimal() for text in texts):
        texts = [str(int(text)) for text in texts]
    classes = classes_of(texts)
    number = {text: place for place, text in enumerate(classes)}
    return classes, np.array([number[text] for text in texts], np.int64)
