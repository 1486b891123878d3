"""Looking at a source of very many files: everything before the first picture is decoded.

A folder of 100,000 files against torchvision's ImageFolder, which lists it as well; a zip of as many against zipfile's
own listing, below which nothing in Python can be. Files are empty but for a byte: names are what is measured.
"""

from __future__ import annotations

import tempfile
import tracemalloc
import zipfile
from functools import partial
from pathlib import Path
from statistics import median

from measure import ROUNDS, Row, in_turn, seconds_of
from torchvision.datasets import ImageFolder

from sightlab.data.inventory import look
from sightlab.data.load import examined

CLASSES, FILES = 100, 1000
MOST_SECONDS = 3.0


def names() -> list[str]:
    """A path for each file, as people name them."""
    return [f"class_{c:03}/img_{n}.jpg" for c in range(CLASSES) for n in range(FILES)]


def write_folder(root: Path) -> Path:
    """The files as a folder."""
    for name in names():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def write_zip(path: Path) -> Path:
    """The files as a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names():
            archive.writestr(name, b"x")
    return path


def listed(path: Path) -> list[zipfile.ZipInfo]:
    """What zipfile lists."""
    with zipfile.ZipFile(path) as archive:
        return archive.infolist()


def kilobytes_a_file(folder: Path) -> float:
    """The most memory that Python holds while it looks at the folder, a file of it."""
    tracemalloc.start()
    look(folder)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(most / 1024 / (CLASSES * FILES), 2)


def row(what: str, ours: list[float], peer: str, theirs: list[float]) -> Row:
    """Seconds against seconds; the target is of ours alone."""
    mine, other = median(ours), median(theirs)
    target = f"at most {MOST_SECONDS:g} s"
    return Row(
        "inventory", what, "sightlab", mine, peer, other, "s", mine / other, target, mine <= MOST_SECONDS, ours, theirs
    )


def rows() -> tuple[list[Row], dict[str, object]]:
    """The folder, the zip, and the decision on the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, packed = write_folder(Path(scratch) / "folder"), write_zip(Path(scratch) / "files.zip")
        sides = {
            "folder": partial(seconds_of, partial(look, folder)),
            "ImageFolder": partial(seconds_of, partial(ImageFolder, str(folder))),
            "zip": partial(seconds_of, partial(look, packed)),
            "zipfile": partial(seconds_of, partial(listed, packed)),
            "decision": partial(seconds_of, partial(examined, folder)),
        }
        found = in_turn(sides)
        size = kilobytes_a_file(folder)
    count = f"{CLASSES * FILES:,}"
    facts = {"n": ROUNDS, "files": CLASSES * FILES, "kilobytes a file": size}
    return [
        row(
            f"inventory of a folder of {count} files", found["folder"], "torchvision ImageFolder", found["ImageFolder"]
        ),
        row(f"inventory of a zip of {count} members", found["zip"], "zipfile's listing", found["zipfile"]),
        row(
            f"inventory and decision, {count} files", found["decision"], "torchvision ImageFolder", found["ImageFolder"]
        ),
    ], facts
