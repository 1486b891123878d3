"""The cache of decoded images: memory-mapped arrays on disk, keyed by the content hash of their source."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sightlab.data.contents import FORMAT, cache_folder, content_key
from sightlab.data.imageset import Allocate, ImageSet, Parts, in_memory
from sightlab.errors import DataError
from sightlab.files import flush_folder

__all__ = ["cache_folder", "cached", "content_key"]

Map = np.memmap[Any, np.dtype[np.uint8]]

META = "meta.json"
DRAFT = re.compile(r"\.draft-(?P<host>[^-]+)-(?P<process>\d+)-.*")
WEEK_SECONDS = 7 * 24 * 3600
ZEROS = bytes(1 << 20)


def cached_parts(key: str, folder: Path | None = None) -> Parts | None:
    """What is kept under a key already; None where nothing is, or it is damaged. folder: see `cached`."""
    return open_entry((cache_folder() / "decoded" if folder is None else folder) / key)


def cached(key: str, make: Callable[[Allocate], Parts], folder: Path | None = None) -> Parts:
    """The parts kept under this key, their images memory-mapped and read-only; made and kept if not there yet.

    make: reads the source; the arrays it asks its Allocate for are on disk from the start. folder: where entries are
    kept, None for `decoded` in the cache folder. Two processes may make one entry at once: the first that ends is
    used by both. A make that fails leaves nothing. Where the cache cannot be written, or the disk is full, the parts
    stay in memory and their notes say so. Raises what make raises.
    """
    room = cache_folder() / "decoded" if folder is None else folder
    entry = room / key
    kept = open_entry(entry)
    if kept is not None:
        return kept
    try:
        room.mkdir(parents=True, exist_ok=True)
        sweep(room)
        draft = Draft(room)
    except OSError as error:
        return noted(make(in_memory), room, error)
    try:
        parts = make(draft.allocate)
        try:
            draft.store(parts)
            publish(draft.folder, entry)
        except OSError as error:
            return noted(draft.in_memory(parts), room, error)
        return open_entry(entry) or draft.in_memory(parts)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)


class Draft:
    """A folder beside the entries in which one is made. Its name says by which process, for `sweep`."""

    def __init__(self, room: Path) -> None:
        self.folder = room / f".draft-{host()}-{os.getpid()}-{uuid.uuid4().hex}"
        self.folder.mkdir()
        self.given: list[tuple[Path, Map]] = []
        self.used: set[Path] = set()
        self.fault: OSError | None = None

    def allocate(self, split: str, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """An array in a file of this folder; in memory once the disk has refused one."""
        path = self.folder / f"{split}-{len(self.given)}.npy"
        if self.fault is None and min(shape) > 0:
            try:
                self.given.append((path, reserve(path, shape)))
                return self.given[-1][1]
            except OSError as error:
                self.fault = error
                with contextlib.suppress(OSError):
                    path.unlink()
        return in_memory(split, shape)

    def store(self, parts: Parts) -> None:
        """Put everything that makes an entry into the folder, flushed to the disk. Raises OSError."""
        if self.fault is not None:
            raise self.fault
        splits = {}
        for split, images in parts.splits.items():
            pixels = images.images
            file = self.keep_given(pixels) or save(self.folder / f"{split}-images.npy", pixels)
            labels = save(self.folder / f"{split}-labels.npy", images.labels)
            splits[split] = {
                "images": file,
                "labels": labels,
                "shape": list(pixels.shape),
                "classes": list(images.classes),
                "numbered": images.numbered,
            }
        for path in {path for path, _ in self.given} - self.used:
            path.unlink()  # asked for, but not among what make returned
        meta = {"format": FORMAT, "notes": list(parts.notes), "bit_depth": parts.bit_depth, "splits": splits}
        with (self.folder / META).open("w", encoding="utf-8") as stream:
            json.dump(meta, stream)
            flush(stream)
        flush_folder(self.folder)

    def keep_given(self, pixels: NDArray[np.uint8]) -> str | None:
        """The name of the file that these pixels already are, or are the first images of; None for other arrays."""
        for path, array in self.given:
            starts_here = pixels.size > 0 and pixels.ctypes.data == array.ctypes.data and pixels.flags.c_contiguous
            if not starts_here or pixels.shape[1:] != array.shape[1:] or path in self.used:
                continue
            header = header_of(pixels.shape)
            if len(header) != array.offset:
                continue
            array.flush()
            with path.open("r+b") as stream:
                stream.write(header)
                stream.truncate(len(header) + pixels.nbytes)
                flush(stream)
            self.used.add(path)
            return path.name
        return None

    def in_memory(self, parts: Parts) -> Parts:
        """The parts with no array left in this folder, which is about to go."""
        splits = {}
        for split, images in parts.splits.items():
            pixels = images.images
            if any(np.may_share_memory(pixels, array) for _, array in self.given):
                pixels = np.array(pixels)
            splits[split] = ImageSet(pixels, images.labels, images.classes, images.numbered)
        return replace(parts, splits=splits)


def open_entry(entry: Path) -> Parts | None:
    """What an entry holds; None when there is none, or when it is damaged."""
    try:
        meta = json.loads((entry / META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            return None
        splits = {split: open_split(entry, facts) for split, facts in meta["splits"].items()}
        return Parts(splits, tuple(meta["notes"]), meta["bit_depth"]) if splits else None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None


def open_split(entry: Path, facts: dict[str, Any]) -> ImageSet:
    """One split of an entry. Raises ValueError, or what reading raises, when it is not as it was written."""
    images = np.load(entry / facts["images"], mmap_mode="r", allow_pickle=False)
    labels = np.load(entry / facts["labels"], allow_pickle=False)
    if list(images.shape) != facts["shape"]:
        raise ValueError(f"{entry}: images {images.shape}, expected {facts['shape']}")
    return ImageSet(images, labels, tuple(facts["classes"]), bool(facts["numbered"]))


def publish(draft: Path, entry: Path) -> None:
    """Give a finished draft its name, unless another process's entry has it. Raises OSError."""
    try:
        draft.rename(entry)
    except OSError:
        if open_entry(entry) is not None:
            return
        damaged = draft.with_name(f"{draft.name}-damaged")
        entry.rename(damaged)
        draft.rename(entry)
        shutil.rmtree(damaged, ignore_errors=True)
    flush_folder(entry.parent)


def reserve(path: Path, shape: tuple[int, int, int, int]) -> Map:
    """A new .npy file as a memory map, all its room on the disk taken: a map into a hole kills when the disk is full.

    Raises OSError when there is not enough room.
    """
    header = header_of(shape)
    count = int(np.prod(shape, dtype=object))
    with path.open("xb") as stream:
        stream.write(header)
        stream.flush()
        take_room(stream, len(header), count)
    return np.memmap(path, np.uint8, "r+", len(header), shape)


def take_room(stream: BinaryIO, start: int, count: int) -> None:
    """Make a file this much longer, with blocks of the disk behind it. Raises OSError."""
    try:
        os.posix_fallocate(stream.fileno(), start, count)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        for done in range(0, count, len(ZEROS)):  # this system has no such call
            stream.write(ZEROS[: count - done])
        stream.flush()


def header_of(shape: tuple[int, ...]) -> bytes:
    """The head of a .npy file of uint8; numpy leaves room in it for more images, so its length stays the same."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def save(path: Path, array: NDArray[Any]) -> str:
    """Write an array as .npy, flushed to the disk; gives the file's name. Raises OSError."""
    with path.open("xb") as stream:
        np.save(stream, array, allow_pickle=False)
        flush(stream)
    return path.name


def flush(stream: Any) -> None:
    """Wait until what was written to a file is on the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def noted(parts: Parts, room: Path, error: OSError) -> Parts:
    """The parts, saying that they could not be kept."""
    reason = (error.strerror or str(error)).lower()
    note = f"the cache {room} cannot be written ({reason}); the pictures are in memory and will be read again next time"
    return replace(parts, notes=(*parts.notes, note))


def host() -> str:
    """This machine's name, fit for a file name's part."""
    return re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname()) or "_"


def sweep(room: Path) -> None:
    """Remove the drafts of processes of this machine that are gone, and any that is a week old."""
    for path in room.glob(".draft-*"):
        match = DRAFT.fullmatch(path.name)
        gone = match is not None and match["host"] == host() and not is_alive(int(match["process"]))
        with contextlib.suppress(OSError):  # another process may be sweeping too
            if gone or time.time() - path.stat().st_mtime > WEEK_SECONDS:
                shutil.rmtree(path)


def is_alive(process: int) -> bool:
    """Whether a process of this machine runs. Always True on Windows, where asking would end it."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
