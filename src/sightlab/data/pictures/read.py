"""Picture folders, archives of them and image lists -> Parts; and pictures without labels, for prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightlab.data.imageset import Allocate, Parts, Progress, in_memory, natural_key
from sightlab.data.pictures.containers import ZIP_MAGIC, Container, Folder, read_folder, read_zip
from sightlab.data.pictures.decode import Decoding, check_channels
from sightlab.data.pictures.fill import Labelled, fill
from sightlab.data.pictures.layout import Layout, by_folders, counted, pictures_in
from sightlab.data.pictures.lists import by_lists, by_one_list
from sightlab.data.pictures.stream import each_picture
from sightlab.data.pictures.tarballs import is_tar, read_tar
from sightlab.errors import DataError


def read_pictures(
    path: Path,
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    allocate: Allocate = in_memory,
    progress: Progress | None = None,
) -> Parts:
    """The labelled pictures of a folder, of a tar or zip archive (never unpacked), or of an image list.

    A folder or archive holds class folders (in train, val and test folders, or alone), or pictures beside lists of
    `<file> <label>` lines; folders win over lists. Images come in the order split, class, natural order of names,
    all of one shape [H, W, C], written straight into what `allocate` gives.

    Raises DataError for what is not such a source, for archives that are damaged or reach outside themselves, for
    pictures that are broken (unless skipped) or differ in size while `decoding.size` is None.
    """
    container = open_container(path)
    if container is None:
        beside = read_folder(path.parent)
        labelled = _labelled(beside, by_one_list(beside, path.name, pictures_in(beside)[0]))
    else:
        labelled = _labelled(container, laid_out(container))
    return fill(labelled, decoding, allocate, progress)


def read_unlabelled(
    paths: Sequence[Path],
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    on_broken: Callable[[DataError], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(name, uint8 [H, W, C]) of each picture: files as given, folders at any depth in natural order, archives as
    packed. With `decoding.size` None every picture keeps its own size, with `channels` None its own channels.

    on_broken: called with the error of each picture left out, where `decoding` skips broken ones. on_note: called
    with the line that tells a range smaller than 16 bits, see `each_picture`. Raises DataError as `read_pictures`
    does, also for a folder without pictures.
    """
    check_channels(decoding.channels)

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for place, (name, data) in enumerate(chain.from_iterable(_unlabelled(path) for path in paths)):
            yield place, name, data

    yield from each_picture(pictures, decoding, on_broken, on_note)


def open_container(path: Path) -> Container | None:
    """The folder or archive at a path, told by its content; None for another file. Raises DataError if it is broken."""
    if path.is_dir():
        return read_folder(path)
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if head in ZIP_MAGIC:
        return read_zip(path)
    return read_tar(path) if is_tar(path) else None


def laid_out(container: Container) -> Layout:
    """Which picture has which label: by folders, else by lists. Raises DataError, by neither that of the folders."""
    pictures, others = pictures_in(container)
    if not pictures:
        raise DataError(
            f"{container.label}: holds no pictures (of {len(others):,} files); pictures lie in class folders, as in "
            "cat/1.png, or beside a list of `<file> <label>` lines"
        )
    try:
        layout = by_folders(container, pictures)
    except DataError:
        listed = by_lists(container, pictures, others)
        if listed is None:
            raise
        return listed
    if others:
        ignored = f"{counted(others, 'file', 'files')} that are no pictures ignored"
        layout = Layout(layout.classes, layout.splits, (*layout.notes, ignored))
    return layout


def _labelled(container: Container, layout: Layout) -> Labelled:
    places = {name: place for place, (name, _) in enumerate(chain.from_iterable(layout.splits.values()))}
    names = tuple(places)

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for name, data in container.stream(names):
            yield places[name], container.shown(name), data

    labels = {split: np.array([label for _, label in samples], np.int64) for split, samples in layout.splits.items()}
    return Labelled(container.label, layout.classes, layout.numbered, labels, pictures, layout.notes)


def _shown(container: Container, names: Sequence[str]) -> Iterable[tuple[str, bytes]]:
    return ((container.shown(name), data) for name, data in container.stream(names))


def _unlabelled(path: Path) -> Iterable[tuple[str, bytes]]:
    container = open_container(path)
    if container is None:
        return _shown(Folder(path.parent, (path.name,), frozenset()), [path.name])
    pictures = sorted(pictures_in(container)[0], key=natural_key)
    if not pictures:
        raise DataError(f"{container.label}: holds no pictures")
    return _shown(container, pictures)
