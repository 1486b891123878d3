"""Resolving a cell to a picture file: by its path, the end of its path, or its name without suffix."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote

from sightlab.data.class_names import composed
from sightlab.data.layouts.split_words import split_of
from sightlab.data.pictures.suffixes import is_picture_name

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*/?")
DRIVE = re.compile(r"[A-Za-z]:(?=/)")
# What Label Studio puts before the name of a picture that is uploaded to it.
UPLOADED = re.compile(r"(?<=/)[0-9a-f]{6,8}-(?=[^/]+$)")


class Finder:
    """The pictures of a source by their paths and by the ends of their paths. Indices are made when first asked for."""

    def __init__(self, pictures: Sequence[str]) -> None:
        self.pictures = frozenset(pictures)
        self._exact: dict[int, dict[str, list[str]]] = {}
        self._loose: dict[int, dict[str, list[str]]] = {}
        self.splits = frozenset(split for folder in {*map(posixpath.dirname, pictures)} if (split := split_in(folder)))

    def by_end(self, end: str) -> Sequence[str]:
        """The pictures whose paths end with these whole parts."""
        depth = end.count("/") + 1
        if depth not in self._exact:
            self._exact[depth] = self._index(depth, loose=False)
        return self._exact[depth].get(end, ())

    def by_loose_end(self, end: str) -> Sequence[str]:
        """As `by_end`, whatever the case, the Unicode form and the picture suffix."""
        depth = end.count("/") + 1
        if depth not in self._loose:
            self._loose[depth] = self._index(depth, loose=True)
        return self._loose[depth].get(without_suffix(folded(end)), ())

    def _index(self, depth: int, *, loose: bool) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.pictures:
            if (end := end_of(name, depth)) is not None:
                found[without_suffix(folded(end)) if loose else end].append(name)
        return found


def end_of(name: str, depth: int) -> str | None:
    """The last so many parts of a path; None where it has fewer.

    >>> end_of("a/b/1.png", 2), end_of("1.png", 2)
    ('b/1.png', None)
    """
    parts = name.rsplit("/", depth)
    if len(parts) > depth:
        return name[len(parts[0]) + 1 :]
    return name if len(parts) == depth else None


@lru_cache(maxsize=1 << 16)
def split_in(folder: str) -> str | None:
    """The split that a folder's path says, the innermost part before the others; None where it says none.

    >>> split_in("pets/train_images/a"), split_in("pets")
    ('train', None)
    """
    return next((split for part in reversed(folder.split("/")) if (split := split_of(part))), None)


def folded(text: str) -> str:
    """A path whatever its case and Unicode form."""
    return composed(text).casefold()


def without_suffix(name: str) -> str:
    """A path without a picture's suffix; what follows another dot stays.

    >>> without_suffix("a/1.JPG"), without_suffix("a/cat.0")
    ('a/1', 'a/cat.0')
    """
    return name[: name.rindex(".")] if is_picture_name(name) else name


def as_path(cell: str) -> str:
    r"""A cell as a path with forward slashes and no `.` in it: web addresses and drives without what leads to them.

    >>> as_path("C:\\data\\1.png"), as_path("./a//1.png"), as_path("s3://bucket/a/1.png"), as_path("../a/1.png")
    ('data/1.png', 'a/1.png', 'a/1.png', '../a/1.png')
    """
    path = cell.strip()
    if len(path) > 2 and path[0] == path[-1] and path[0] in "'\"":
        path = path[1:-1]
    if "?d=" in path:
        path = path.partition("?d=")[2]
    if "://" in path:
        path = SCHEME.sub("", path, count=1).partition("?")[0]
    path = path.replace("\\", "/")
    if ":/" in path:
        path = DRIVE.sub("", path, count=1)
    if "//" in path or "./" in path:
        path = posixpath.normpath(path)
    return path.lstrip("/")


def spellings(cell: str) -> Iterator[str]:
    """The paths that a cell may stand for, likeliest first: as it is, without a web address's marks, as uploaded."""
    path = as_path(cell)
    yield path
    if "%" in path:
        yield as_path(unquote(cell))
    if "/upload/" in f"/{path}" and UPLOADED.search(f"/{path}"):
        yield UPLOADED.sub("", f"/{path}").lstrip("/")
