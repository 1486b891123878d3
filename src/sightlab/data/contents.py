"""Content hashes of files and folders, memoised by size and times so that unchanged files are not read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightlab.data.containers.junk import SHEET_HEAD_BYTES, SHEET_MARK, holds_runs, is_junk, may_be_sheet
from sightlab.data.formats.file_io import reading
from sightlab.errors import DataError
from sightlab.files import write_text

FORMAT = 2  # to be raised when what is kept, or how pictures are decoded, changes
# A file changed so shortly before it was hashed may change again within the same tick of the clock.
RACY_NANOSECONDS = 2_000_000_000


def cache_folder() -> Path:
    """Where this user's cache is: SIGHTLAB_CACHE, else `sightlab` in XDG_CACHE_HOME or in ~/.cache."""
    own = os.environ.get("SIGHTLAB_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sightlab"


def content_key(paths: Sequence[Path], options: Mapping[str, object]) -> str:
    """sha256, in hex, of the names and contents of files and of how they are read.

    paths: files, or folders with all that is in them but hidden files. options: plain values; their order does not
    matter. The place of a source does not matter either, nor do its times: only relative names and bytes do. Raises
    DataError: no such path, or one that cannot be read.
    """
    plain = json.dumps([FORMAT, dict(options)], sort_keys=True, default=str)
    return hashlib.sha256(json.dumps([plain, *(source_hash(path) for path in paths)]).encode()).hexdigest()


@dataclass(frozen=True)
class Known:
    """What is remembered of a source that was read before: the key of its reading, and its layout's name."""

    key: str
    layout: str


def memo_of(path: Path, options: Mapping[str, object]) -> Path:
    """Where the reading of a source by these options is remembered."""
    text = json.dumps([FORMAT, str(path.absolute()), dict(options)], sort_keys=True)
    return cache_folder() / "readings" / f"{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()}.json"


def remember(path: Path, options: Mapping[str, object], paths: Sequence[Path], known: Known) -> None:
    """Keep the key of a reading with the state of the files it was made from. It only saves time."""
    states = [state_of(one) for one in paths]
    if max(newest for _, newest in states) > time.time_ns() - RACY_NANOSECONDS:
        return
    text = json.dumps(
        {
            "paths": [str(one.absolute()) for one in paths],
            "states": [state for state, _ in states],
            "beside": names_beside(path),
            "key": known.key,
            "layout": known.layout,
        }
    )
    with contextlib.suppress(OSError, UnicodeEncodeError):
        write_text(memo_of(path, options), text)


def names_beside(path: Path) -> str:
    """The names of the files in a lone file's folder, as a hash: labels or class names may come to lie beside it."""
    if path.is_dir():
        return ""
    names = "\0".join(sorted(entry.name for entry in os.scandir(path.parent)))
    return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()


def remembered(path: Path, options: Mapping[str, object]) -> Known | None:
    """The reading of a source whose files have not changed since; None where it is to be looked at anew."""
    try:
        kept = json.loads(memo_of(path, options).read_text(encoding="utf-8"))
        if [state_of(Path(one))[0] for one in kept["paths"]] != kept["states"] or kept["beside"] != names_beside(path):
            return None
        return Known(str(kept["key"]), str(kept["layout"]))
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None


def source_hash(path: Path) -> str:
    """The hash of one file or folder, remembered while size, times and inode of every file stay the same."""
    memo = cache_folder() / "contents" / f"{hashlib.sha256(str(path.absolute()).encode()).hexdigest()}.json"
    state, _ = state_of(path)
    remembered = read_memo(memo)
    if remembered.get("state") == state:
        return remembered["content"]
    began = time.time_ns()
    content = hash_files(path)
    after, newest = state_of(path)
    if after == state and newest < began - RACY_NANOSECONDS:
        with contextlib.suppress(OSError):  # it only saves time
            write_text(memo, json.dumps({"source": str(path.absolute()), "state": state, "content": content}))
    return content


def read_memo(memo: Path) -> dict[str, str]:
    """What is remembered of a source; empty when nothing is, or when it cannot be read."""
    try:
        kept = json.loads(memo.read_text(encoding="utf-8"))
        return {name: str(kept[name]) for name in ("state", "content")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def state_of(path: Path) -> tuple[str, int]:
    """What tells that files may have changed, as a hash, and the time of the latest change in nanoseconds.

    ctime is among it: it cannot be set back, so an edit that restores size and mtime is seen.
    """
    digest, newest = hashlib.sha256(), 0
    with reading(path):
        for name, file in walk(path):
            if name.endswith("/"):
                digest.update(f"{name}\0".encode(errors="surrogateescape"))
                continue
            s = file.stat()
            digest.update(
                f"{name}\0{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {s.st_dev}\0".encode(
                    errors="surrogateescape"
                )
            )
            newest = max(newest, s.st_mtime_ns, s.st_ctime_ns)
    return digest.hexdigest(), newest


def hash_files(path: Path) -> str:
    """sha256 of the names, lengths and bytes of a file or of a folder's files."""
    digest = hashlib.sha256()
    for name, file in walk(path):
        if name.endswith("/"):
            digest.update(name.encode(errors="surrogateescape") + b"\0")
            continue
        with reading(file), file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").digest()
        digest.update(name.encode(errors="surrogateescape") + b"\0" + content)
    return digest.hexdigest()


def walk(path: Path) -> Iterator[tuple[str, Path]]:
    """The file itself under its name, or a folder's files and folders (with a slash at the end) under their relative
    names, sorted; what readers ignore is left out.
    """
    if path.is_dir():
        yield from walk_folder(path, "", ())
    elif path.exists():
        yield path.name, path
    else:
        raise DataError(f"{path}: no such file or folder")


def walk_folder(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Path]]:
    """The files below a folder. Links are followed, as readers follow them, but not back into a folder above."""
    with reading(folder):
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    here = (status.st_dev, status.st_ino)
    if here in above or (prefix and holds_runs({entry.name for entry in entries})):
        return
    if prefix:
        yield prefix, folder
    for entry in entries:
        if is_junk(entry.name):
            continue
        if entry.is_dir():
            yield from walk_folder(Path(entry.path), f"{prefix}{entry.name}/", (*above, here))
        elif entry.is_file() and not is_contact_sheet(Path(entry.path)):
            yield prefix + entry.name, Path(entry.path)


def is_contact_sheet(path: Path) -> bool:
    """Whether a file is one of sightlab's own contact sheets."""
    if not may_be_sheet(path.name):
        return False
    with reading(path), path.open("rb") as stream:
        return SHEET_MARK in stream.read(SHEET_HEAD_BYTES)
