"""Brace patterns and folders of shards, and the splits that shard names give."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sightlab.data.containers.base import DataFile
from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.layouts.split_files import grouped
from sightlab.data.webshards.first import first_sample
from sightlab.errors import DataError, one_line

PATTERN = re.compile(r"\{[^{}]*(\.\.|,)[^{}]*\}")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
MOST = 100_000


def is_pattern(text: str) -> bool:
    """Whether a source names shards by a brace pattern.

    >>> is_pattern("shards/{000..127}.tar"), is_pattern("{train,test}-0.tgz"), is_pattern("shards/000.tar")
    (True, True, False)
    """
    return bool(PATTERN.search(text)) and text.casefold().endswith((".tar", ".tar.gz", ".tgz"))


def library(module: str) -> Any:
    """A module of the webdataset library, or what expands its patterns. Raises DataError where it is not installed."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(
            'tar shards are read with the webdataset library, which is not installed: pip install "sightlab[shards]"'
        ) from error


def expanded(pattern: str) -> tuple[Path, ...]:
    """The shards a pattern names, in its order. Raises DataError for one that is missing, or named twice."""
    if ADDRESS.match(pattern):
        raise DataError(f"{pattern}: shards are read from this machine's files; download them and name them by path")
    braces = library("braceexpand")
    try:
        texts = list(islice(braces.braceexpand(pattern), MOST + 1))
    except ValueError as error:
        raise DataError(f"{pattern}: not a pattern: {one_line(error)}; shards/{{000..127}}.tar is one") from error
    if len(texts) > MOST:
        raise DataError(f"{pattern}: names more than {MOST:,} shards")
    paths = [Path(text).expanduser() for text in texts]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{missing[0]}: no such shard; {pattern} names {len(paths):,}, {len(missing):,} missing")
    for path, after in zip(sorted(paths), sorted(paths)[1:], strict=False):
        if path == after:
            raise DataError(f"{path}: {pattern} names this shard twice; each counts once")
    return tuple(paths)


def is_shard(file: DataFile) -> bool:
    """Whether a tar is a WebDataset shard: its first members are a picture and its label, under one name.

    Quick, and False for whatever else it may be.
    """
    return first_sample(file) is not None


def relative_names(shards: Sequence[Path]) -> list[str]:
    """The shards' names below the folder that they have in common.

    >>> relative_names([Path("a/train/0.tar"), Path("a/test/0.tar")])
    ['train/0.tar', 'test/0.tar']
    """
    common = os.path.commonpath([shard.absolute().parent for shard in shards])
    return [shard.absolute().relative_to(common).as_posix() for shard in shards]


def split_members(shards: Sequence[Path]) -> dict[str, list[int]]:
    """The places of each split's shards, by the words in their names; all under `all` where none says one.

    Raises DataError where some names say a split and others do not.

    >>> split_members([Path("a-train-0.tar"), Path("a-train-1.tar"), Path("a-val-0.tar")])
    {'train': [0, 1], 'validation': [2]}
    """
    names = relative_names(shards)
    configs = grouped(names).configs.values()
    found: dict[str, list[int]] = {}
    for split in (*SPLITS, UNDIVIDED):
        own = {name for config in configs for name in config.get(split, ())}
        if own:
            found[split] = [place for place, name in enumerate(names) if name in own]
    if UNDIVIDED in found and len(found) > 1:
        raise DataError(
            f"{shards[found[UNDIVIDED][0]]}: its name says no split, while others do; "
            "name it as in train-0000.tar, or leave it out"
        )
    return found
