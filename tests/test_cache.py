"""The cache: the right pixels or none, whatever is killed, filled, broken or edited."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sightlab.data.cache import cache_folder, cached
from sightlab.data.imageset import Allocate, ImageSet, Parts
from sightlab.errors import DataError

posix = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals, limits and permissions")
LABELS = np.array([0, 1, 1, 0, 1])
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_CACHE", str(tmp_path / "cache"))


def whole(allocate: Allocate) -> Parts:
    """A reader that writes every image into what it was given."""
    splits = {}
    for split in ("train", "test"):
        images = allocate(split, (5, 4, 3, 3))
        images[:] = PIXELS
        splits[split] = ImageSet(images, LABELS, ("cat", "dog"))
    return Parts(splits, ("a note",))


def shortened(allocate: Allocate) -> Parts:
    """A reader that had to leave two pictures out."""
    images = allocate("train", (5, 4, 3, 3))
    images[:3] = PIXELS[:3]
    return Parts({"train": ImageSet(images[:3], LABELS[:3], ("cat", "dog"), numbered=True)})


def own_arrays(allocate: Allocate) -> Parts:
    """A reader with arrays of its own, one of them no memory's order, and an allocation it did not need."""
    allocate("unused", (2, 4, 3, 3))
    turned = np.asfortranarray(PIXELS)
    return Parts({"train": ImageSet(turned, LABELS, ("cat", "dog")), "test": ImageSet(PIXELS, LABELS, ("cat", "dog"))})


def never(allocate: Allocate) -> Parts:
    raise AssertionError("the entry was made again")


def assert_same(found: Parts, expected: Parts) -> None:
    assert list(found.splits) == list(expected.splits)
    for split, images in expected.splits.items():
        np.testing.assert_array_equal(found.splits[split].images, images.images)
        np.testing.assert_array_equal(found.splits[split].labels, images.labels)
        assert found.splits[split].classes == images.classes
        assert found.splits[split].numbered == images.numbered


def in_memory(split: str, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    return np.empty(shape, np.uint8)


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize("make", [whole, shortened, own_arrays])
def test_what_was_made_once_is_reopened_as_it_was(tmp_path: Path, make: Callable[[Allocate], Parts]) -> None:
    expected = make(in_memory)
    for parts in (cached("k", make, tmp_path), cached("k", never, tmp_path)):
        assert_same(parts, expected)
        assert parts.notes == expected.notes
        for images in parts.splits.values():
            assert isinstance(images.images, np.memmap) and not images.images.flags.writeable
    assert len([f for f in files_in(tmp_path) if f.endswith(".npy")]) == 2 * len(expected.splits)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_pixels_written_into_the_cache_are_not_copied(tmp_path: Path) -> None:
    inodes = []

    def make(allocate: Allocate) -> Parts:
        parts = whole(allocate)
        inodes.extend(p.stat().st_ino for p in tmp_path.rglob("*.npy"))
        return parts

    parts = cached("k", make, tmp_path)
    kept = {Path(str(getattr(images.images, "filename"))).stat().st_ino for images in parts.splits.values()}  # noqa: B009
    assert kept == set(inodes)


def test_numpy_alone_can_read_a_shortened_entry(tmp_path: Path) -> None:
    cached("k", shortened, tmp_path)
    (file,) = (p for p in (tmp_path / "k").glob("train*.npy") if "labels" not in p.name)
    np.testing.assert_array_equal(np.load(file), PIXELS[:3])


def test_the_default_folder_is_in_the_cache_folder() -> None:
    cached("k", whole)
    assert (cache_folder() / "decoded" / "k").is_dir()


@pytest.mark.parametrize("error", [DataError("broken"), KeyboardInterrupt(), OSError("of the reader")])
def test_a_make_that_fails_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def make(allocate: Allocate) -> Parts:
        allocate("train", (5, 4, 3, 3))
        raise error

    with pytest.raises(type(error)):
        cached("k", make, tmp_path / "entries")
    assert files_in(tmp_path / "entries") == []
    assert_same(cached("k", whole, tmp_path / "entries"), whole(in_memory))


def damage_missing(entry: Path) -> None:
    next(entry.glob("*.npy")).unlink()


def damage_short(entry: Path) -> None:
    for file in entry.glob("*.npy"):
        with file.open("r+b") as stream:
            stream.truncate(file.stat().st_size - 1)


def damage_meta(entry: Path) -> None:
    (entry / "meta.json").write_text("{")


def damage_meta_facts(entry: Path) -> None:
    (entry / "meta.json").write_text("[1]")


def damage_version(entry: Path) -> None:
    meta = json.loads((entry / "meta.json").read_text())
    (entry / "meta.json").write_text(json.dumps(meta | {"format": -1}))


def damage_empty(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.mkdir()


@pytest.mark.parametrize(
    "damage", [damage_missing, damage_short, damage_meta, damage_meta_facts, damage_version, damage_empty]
)
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    cached("k", whole, tmp_path)
    damage(tmp_path / "k")
    assert_same(cached("k", whole, tmp_path), whole(in_memory))
    assert_same(cached("k", never, tmp_path), whole(in_memory))
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


def test_a_cache_that_cannot_be_made_is_said_and_does_without(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    parts = cached("k", whole, tmp_path / "taken")
    assert_same(parts, whole(in_memory))
    assert parts.notes[0] == "a note" and "cannot be written" in parts.notes[1] and "\n" not in parts.notes[1]


SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
from sightlab.data.cache import cached
from sightlab.data.imageset import ImageSet, Parts

folder, pause = Path(sys.argv[1]), float(sys.argv[2])
count = int(sys.argv[3])

def make(allocate):
    splits = {}
    for split in ("train", "test"):
        images = allocate(split, (count, 16, 16, 4))
        images[:] = (np.arange(count) % 251).astype(np.uint8)[:, None, None, None]
        print("made", split, flush=True)
        time.sleep(pause)
        splits[split] = ImageSet(images, np.zeros(count, np.int64), ("only",))
    return Parts(splits)

parts = cached("k", make, folder)
for images in parts.splits.values():
    assert (images.images == (np.arange(count) % 251).astype(np.uint8)[:, None, None, None]).all()
print("mapped" if isinstance(images.images, np.memmap) else "memory", *parts.notes, flush=True)
"""


def start(folder: Path, pause: float = 0) -> subprocess.Popen[str]:
    arguments = [str(n) for n in (folder, pause, 100)]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return out


@posix
def test_two_processes_at_once_make_one_entry(tmp_path: Path) -> None:
    both = [start(tmp_path, pause=0.5), start(tmp_path, pause=0.5)]
    for process in both:
        out = end(process)
        assert out.count("made") == 2 and out.splitlines()[-1] == "mapped"
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


@posix
def test_a_maker_that_was_killed_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    process = start(tmp_path, pause=30)
    assert process.stdout is not None and process.stdout.readline() == "made train\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    drafts = [p.name for p in tmp_path.iterdir()]
    assert len(drafts) == 1 and drafts[0].startswith(".draft-")
    assert end(start(tmp_path)).splitlines()[-1] == "mapped"
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


@posix
def test_a_draft_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    process = start(tmp_path, pause=0.5)
    assert process.stdout is not None and process.stdout.readline() == "made train\n"
    cached("other", whole, tmp_path)
    assert end(process).splitlines()[-1] == "mapped"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["k", "other"]


def test_a_draft_of_another_machine_goes_when_it_is_a_week_old(tmp_path: Path) -> None:
    for name, days in ((".draft-elsewhere-1-new", 6), (".draft-elsewhere-1-old", 8)):
        (tmp_path / name).mkdir()
        then = time.time() - days * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    cached("k", whole, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".draft-elsewhere-1-new", "k"]


@contextmanager
def files_of_at_most(count: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: writing fails as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@posix
@pytest.mark.parametrize("limit", [64, 4096, 50_000, 102_500])
@pytest.mark.parametrize("own", [False, True])
def test_a_full_disk_costs_the_cache_but_not_the_pictures(tmp_path: Path, limit: int, own: bool) -> None:
    shape = (100, 16, 16, 4)  # a split is 102,400 bytes of pixels, its header 128 more
    pixels = np.broadcast_to((np.arange(100) % 251).astype(np.uint8)[:, None, None, None], shape)

    def make(allocate: Allocate) -> Parts:
        splits = {}
        for split in ("train", "test"):
            images = np.empty(shape, np.uint8) if own else allocate(split, shape)
            images[:] = pixels
            splits[split] = ImageSet(images, np.zeros(100, np.int64), ("only",))
        return Parts(splits)

    with files_of_at_most(limit):
        parts = cached("k", make, tmp_path)
    for images in parts.splits.values():
        assert not isinstance(images.images, np.memmap) and (images.images == pixels).all()
    assert parts.notes[-1].startswith("the cache ") and "cannot be written" in parts.notes[-1]
    assert files_in(tmp_path) == []


@posix
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_without_permission_is_said(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    parts = cached("k", whole, tmp_path / "locked")
    assert "permission denied" in parts.notes[1]
    assert_same(parts, whole(in_memory))
