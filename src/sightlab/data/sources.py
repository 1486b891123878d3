"""Resolving a data source: from a name or path to files, found on this machine or downloaded and verified."""

from __future__ import annotations

import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sightlab.data.cache import cache_folder
from sightlab.data.download import download, md5_of
from sightlab.data.imageset import SPLIT_WORDS, SPLITS, Progress
from sightlab.data.inventory import look
from sightlab.data.messages import counted
from sightlab.data.named_sets import EMBEDDED, NAMED, NamedSet
from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.webshards.sample_names import expanded, is_pattern
from sightlab.errors import DataError, suggestion

DEBIAN = Path("/usr/share/datasets")
VARIANTS = (*SPLITS, "coarse")
FIRST_MEMBERS = 40


@dataclass(frozen=True)
class Found:
    """Where a source's files are.

    name: of a known data set, "" for a path. official: its checksums are right. shards: of a source that is WebDataset
    shards, all of them in order; its path is what the user gave.
    """

    path: Path
    name: str = ""
    variant: str = ""
    official: bool = True
    shards: tuple[Path, ...] = ()


def find(source: str, progress: Progress | None = None) -> Found:
    """The files of a name, a path, or either with `:variant` (train, validation, test; coarse for cifar100).

    A path with braces, `shards/{000..127}.tar`, names shards. A name is looked for in the folders of SIGHTLAB_DATA, in
    the cache, where Debian installs data sets, and last downloaded. Raises DataError: unknown name, unknown variant,
    no such path or shard, or no network.
    """
    if not source.strip():
        raise DataError(f"no data named; give a path or one of {', '.join([*NAMED, EMBEDDED])}")
    if Path(source).expanduser().exists():
        return found_at(Path(source).expanduser(), "")
    if is_pattern(source):
        return Found(Path(source), shards=expanded(source))
    base, colon, variant = source.rpartition(":")
    if not colon:
        return find_base(source, "", progress)
    return find_base(base, variant_name(source, variant), progress)


def variant_name(source: str, variant: str) -> str:
    """The variant under its full name: `val` is `validation`."""
    for split, words in SPLIT_WORDS.items():
        if variant in words:
            return split
    if variant not in VARIANTS:
        raise DataError(f"{source}: unknown variant {variant!r}; {suggestion(variant, VARIANTS)}")
    return variant


def find_base(base: str, variant: str, progress: Progress | None) -> Found:
    """A path or a known name, its variant taken off."""
    path = Path(base).expanduser()
    if variant == "coarse" and base != "cifar100":
        raise DataError(f"{base}:coarse: only cifar100 has coarse classes")
    if path.exists():
        return found_at(path, variant)
    if is_pattern(base):
        return Found(path, "", variant, shards=expanded(base))
    if base == EMBEDDED:
        return Found(Path(__file__).parent / "fashion_mini", EMBEDDED, variant)
    if base not in NAMED:
        if "/" in base or "." in base or "\\" in base:
            raise DataError(f"{base}: no such file or folder")
        raise DataError(f"unknown data {base!r}: no file or folder, nor a name; {suggestion(base, [*NAMED, EMBEDDED])}")
    local, passed = searched(base)
    path, official = local if local else (fetch(base, progress, passed), True)
    return Found(path, base, variant, official)


def found_at(path: Path, variant: str) -> Found:
    """What lies at a path."""
    return Found(path, "", variant)


def find_local(name: str) -> tuple[Path, bool] | None:
    """A known set's files on this machine and whether they are the official ones; official ones are preferred."""
    return searched(name)[0]


def searched(name: str) -> tuple[tuple[Path, bool] | None, list[str]]:
    """What `find_local` gives, and why each place that bears the set's name was passed over."""
    candidates = list(local_candidates(name))
    for path in candidates:
        official = official_place(path, NAMED[name])
        if official is not None:
            return (official, True), []
    passed: list[str] = []
    for path in candidates:
        fault = why_not(path, NAMED[name])
        if not fault:
            return (path, False), passed
        passed.append(f"{path.name}: {fault}")
    return None, passed


def why_not(path: Path, named: NamedSet) -> str:
    """Why a file or folder of the right name does not hold the set, in a few words; "" where it does."""
    from sightlab.data.layouts.claim import ReadOptions
    from sightlab.data.layouts.decide import decide
    from sightlab.data.layouts.table import LAYOUTS

    if path.is_file() and begins_with_pictures(path):
        return ""
    try:
        decision = decide(look(path), ReadOptions(), LAYOUTS)
    except DataError as error:
        return reason_of(path, str(error))
    readable = [claim for claim in decision.claims if not claim.refusal]
    if not readable:
        return reason_of(path, decision.refusal)
    if any(fits(claim.classes, named) for claim in readable):
        return ""
    return f"has {counted(readable[0].classes, 'class', 'classes')}"


def begins_with_pictures(path: Path) -> bool:
    """Whether the first files of a tar are pictures: to list all of a large one takes seconds."""
    try:
        with tarfile.open(path) as archive:
            names = [member.name for member in islice(archive, FIRST_MEMBERS) if member.isfile()]
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
        return False
    return sum(map(is_picture_name, names)) * 2 > len(names)


def fits(classes: Sequence[str], named: NamedSet) -> bool:
    """Whether classes may be the set's: its own names, its label numbers, or as many others; () is not told yet."""
    numbers = {str(number) for number in range(len(named.classes))}
    return set(classes) <= set(named.classes) | numbers or len(classes) == len(named.classes)


def reason_of(path: Path, line: str) -> str:
    """The first words of a refusal, without the path it begins with."""
    return re.split(r"[;(]", line.removeprefix(str(path)).lstrip("/: "))[0].strip()


def local_candidates(name: str) -> Iterator[Path]:
    """Folders and archives that by their names may hold the set, in the order they are preferred."""
    for folder in data_folders():
        yield from sorted(
            (p for p in folder.iterdir() if is_called(p, NAMED[name])), key=lambda p: (len(p.name), p.name)
        )
        if is_called(folder, NAMED[name]):
            yield folder
    downloaded = cache_folder() / "downloads" / name
    if downloaded.is_dir() and all((downloaded / file).is_file() for file in NAMED[name].files):
        yield downloaded
    if (DEBIAN / name).is_dir():
        yield DEBIAN / name


def data_folders() -> list[Path]:
    """The folders of SIGHTLAB_DATA that exist (several are divided as in PATH)."""
    named = os.environ.get("SIGHTLAB_DATA", "").split(os.pathsep)
    return [Path(text).expanduser() for text in named if text and Path(text).expanduser().is_dir()]


def is_called(path: Path, named: NamedSet) -> bool:
    """Whether a file or folder bears the set's name, alone or with a describing word: cifar10-jpeg.tar.

    A word m would make it another set: MNIST-M is not MNIST.
    """
    name = path.name.casefold()
    if not any(re.fullmatch(re.escape(alias) + r"([-_. ](?!m\b|m[-_.]).*)?", name) for alias in named.aliases):
        return False
    return path.is_dir() or not name.endswith((".md", ".txt", ".part", ".pdf", ".py"))


def official_place(path: Path, named: NamedSet) -> Path | None:
    """Where the official files are, all of them, by their md5: the file, the folder, or torchvision's raw/ in it."""
    places = (path, path / "raw") if path.is_dir() else (path,)
    return next((place for place in places if is_official(place, named)), None)


def is_official(path: Path, named: NamedSet) -> bool:
    """Whether the official files are all here, by their md5, as published or as repacked by Debian."""
    if not named.files:
        return False
    if path.is_file():
        return path.name in named.files and md5_of(path) == named.files[path.name]
    if not all((path / file).is_file() for file in named.files):
        return False
    return all(md5_of(path / file) in (md5, named.repacked.get(file)) for file, md5 in named.files.items())


def fetch(name: str, progress: Progress | None, passed: Sequence[str] = ()) -> Path:
    """Download the official files of a known set into the cache. Gives their folder. Raises DataError.

    passed: the places that bear the set's name and do not hold it, each with the reason.
    """
    named = NAMED[name]
    folder = cache_folder() / "downloads" / name
    over = f" (passed over {'; '.join(passed[:2])})" if passed else ""
    if not named.files:
        places = ", ".join(str(f) for f in data_folders()) or "any folder of SIGHTLAB_DATA, which is not set"
        raise DataError(
            f"{name}: not in {places}{over}, and its makers publish no checksums by which to trust a download; put its "
            f"pictures into a folder or an archive called {named.aliases[-1]} and set SIGHTLAB_DATA to where it lies"
        )
    for file, md5 in named.files.items():
        try:
            if not (folder / file).is_file():
                download([mirror + file for mirror in named.mirrors], folder / file, md5, progress)
        except (DataError, OSError) as error:
            looked = [*(str(f) for f in data_folders()), str(folder)]
            if named.repacked:
                looked.append(str(DEBIAN / name))
            first, *others = named.files
            raise DataError(
                f"{name}: not in {', '.join(looked)}{over}, and the download failed ({error}); put {first}"
                f"{', ...' if others else ''} into a folder {name}/ and set SIGHTLAB_DATA to the folder that holds it"
            ) from error
    return folder


def known_sets() -> list[dict[str, Any]]:
    """Each known name: where it was found, its bytes on disk, and whether it is the official data."""
    embedded = find_base(EMBEDDED, "", None).path
    rows = [{"name": EMBEDDED, "path": str(embedded), "bytes": bytes_of(embedded), "state": "embedded"}]
    for name in NAMED:
        local = find_local(name)
        rows.append(
            {
                "name": name,
                "path": str(local[0]) if local else None,
                "bytes": bytes_of(local[0]) if local else None,
                "state": ("official" if local[1] else "not the official files") if local else "absent",
            }
        )
    return rows


def bytes_of(path: Path) -> int:
    """The size of a file, or of the files of a folder."""
    return sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())
