"""The inventory of a source: its files by kind, with sizes and the heads of tables. Nothing is decoded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from sightlab.data.containers.base import Container, DataFile
from sightlab.data.containers.folders import lone_file, read_folder
from sightlab.data.containers.junk import SHEET_HEAD_BYTES, SHEET_MARK, may_be_sheet
from sightlab.data.containers.nested import is_archive_name, with_archives
from sightlab.data.containers.open import open_container
from sightlab.data.formats.idx import is_idx
from sightlab.data.imageset import natural_key
from sightlab.data.messages import counted
from sightlab.data.pictures.suffixes import is_picture_head, is_picture_name, suffix_of
from sightlab.data.tables.dialect import TextTable, text_table
from sightlab.data.webshards.sample_names import is_shard
from sightlab.errors import DataError

HEAD_BYTES = 4096
# Text files beyond so many are notes that lie beside each picture, not tables: their heads are not read.
MOST_TABLES = 400
TEXT = re.compile(r"csv|tsv|txt|tab|data|te|tra|tes|names|lst|list|labels?|json|jsonl|ndjson|dat|tra|idx")
# Files that never say what a picture is: code, prose, models.
PROSE = re.compile(
    r"md|rst|py|ipynb|pdf|docx?|html?|sh|tex|ya?ml|log|cfg|ini|toml|lock|bib|licen[cs]e|svg|js|mjs|css|url"
)
KINDS: dict[str, str] = {
    **dict.fromkeys(
        ("npy", "npz", "mat", "parquet", "arrow", "pkl", "pickle", "pth", "pt", "h5", "xlsx", "tfrecord"), ""
    ),
    **{"hdf5": "h5", "hdf": "h5", "xls": "xlsx", "tfrecords": "tfrecord", "mdb": "lmdb"},
}


@dataclass(frozen=True, eq=False)
class Inventory:
    """A source's files by what they are.

    label: what messages call the source. container: where they lie. only: the one file that is the source itself,
    None for a folder or an archive. kinds: names by kind, in natural order (pictures in plain order): picture, text,
    prose, npy, npz, mat, h5, parquet, arrow, idx, archive, and what else is told by suffix or first bytes; `other` for
    the rest, `empty` for files of no bytes. notes: what was ignored already, a line each.
    """

    label: str
    container: Container
    only: str | None
    kinds: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    encoding: str | None = None

    @property
    def pictures(self) -> tuple[str, ...]:
        """The picture files."""
        return self.kinds.get("picture", ())

    @property
    def texts(self) -> tuple[str, ...]:
        """The files of text that may be tables or lists."""
        return self.kinds.get("text", ())

    @cached_property
    def tables(self) -> dict[str, TextTable]:
        """The text tables by name, their first rows seen; none of JSON, and none where there are too many texts."""
        if len(self.texts) > MOST_TABLES:
            shallow = [name for name in self.texts if name.count("/") <= 1]
            names: Sequence[str] = shallow if len(shallow) <= MOST_TABLES else ()
        else:
            names = self.texts
        found = {name: self.table(name) for name in names if "json" not in suffix_of(name)}
        return {name: table for name, table in found.items() if table is not None}

    def table(self, name: str) -> TextTable | None:
        """A text table's first rows; None where the file is no table. Raises DataError as `text_table` does."""
        return text_table(self.container.file(name), self.encoding)

    def file(self, name: str) -> DataFile:
        """One of its files, to be opened."""
        return self.container.file(name)

    def shown(self, name: str) -> str:
        """What messages call one of its files, or a folder."""
        return self.container.shown(name) if name else self.label

    @cached_property
    def _beside(self) -> Inventory:
        file = self.container.file(self.only) if self.only else None
        if file is None or file.path is None:
            return self
        return inventory_of(read_folder(file.path.parent), None, self.encoding)

    def beside(self) -> Inventory:
        """The inventory of the folder that a lone file lies in; itself for a folder or an archive."""
        return self._beside

    def within(self, folder: str) -> Inventory:
        """What lies below one of its folders, under the same names."""
        start = f"{folder}/"
        return self.only_names(lambda name: name.startswith(start))

    def only_names(self, keep: Callable[[str], bool]) -> Inventory:
        """The files whose names are kept."""
        kinds = {kind: tuple(filter(keep, names)) for kind, names in self.kinds.items()}
        return replace(self, kinds={kind: names for kind, names in kinds.items() if names})


def look(path: Path, encoding: str | None = None) -> Inventory:
    """What lies at a path. encoding: of text and of names in old archives, as the user gives it.

    Archives inside are looked into where the source holds no pictures or arrays beside them. Raises DataError.
    """
    container = open_container(path, encoding)
    if container is None:
        return inventory_of(lone_file(path), path.name, encoding)
    return expanded(inventory_of(container, None, encoding))


def expanded(inventory: Inventory) -> Inventory:
    """The inventory with the archives inside as folders, where nothing else there is data, and they are no shards."""
    archives = inventory.kinds.get("archive", ())
    data = [
        kind for kind in inventory.kinds if kind in ("picture", "npy", "npz", "idx", "parquet", "arrow", "mat", "h5")
    ]
    if not archives or data or are_shards(inventory, archives):
        return inventory
    return inventory_of(with_archives(inventory.container, archives), None, inventory.encoding)


def are_shards(inventory: Inventory, archives: Sequence[str]) -> bool:
    """Whether archives are WebDataset shards: tars whose first members share a name, a picture and its label."""
    tars = [name for name in archives if ".zip" not in name.casefold()]
    return len(tars) == len(archives) and is_shard(inventory.file(tars[0]))


def inventory_of(container: Container, only: str | None, encoding: str | None = None) -> Inventory:
    """The inventory of a container's files."""
    kinds: dict[str, list[str]] = defaultdict(list)
    unknown = []
    for name, size in container.sizes.items():
        kind = "empty" if not size else kind_of_name(name)
        if kind is None:
            unknown.append(name)
        else:
            kinds[kind].append(name)
    for name, head in container.stream(unknown, HEAD_BYTES) if unknown else ():
        kinds[kind_of_bytes(name, head)].append(name)
    if sheets := own_sheets(container, kinds["picture"]):
        kinds["picture"] = [name for name in kinds["picture"] if name not in sheets]
    # Of pictures there may be very many: layouts put them in natural order a class at a time.
    named = [(kind, names, None if kind == "picture" else natural_key) for kind, names in kinds.items() if names]
    ordered = {kind: tuple(sorted(names, key=key)) for kind, names, key in named}
    label = container.shown(only) if only else container.label
    return Inventory(label, container, only, ordered, (*container.notes, *left_notes(container, ordered)), encoding)


def own_sheets(container: Container, pictures: Sequence[str]) -> frozenset[str]:
    """Those of the pictures that are contact sheets which sightlab wrote."""
    named = [name for name in pictures if may_be_sheet(name)]
    heads = container.stream(named, SHEET_HEAD_BYTES) if named else ()
    return frozenset(name for name, head in heads if SHEET_MARK in head)


def left_notes(container: Container, kinds: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What is ignored before any layout is thought of."""
    notes = []
    if empty := kinds.get("empty", ()):
        notes.append(f"{counted(empty, 'empty file', 'empty files')} ignored")
    if container.ignored:
        one = container.ignored == 1
        notes.append(f"{container.ignored:,} hidden or system {'file' if one else 'files'} ignored")
    return tuple(notes)


def kind_of_name(name: str) -> str | None:
    """A file's kind by its suffix; None where only its first bytes tell.

    >>> [kind_of_name(name) for name in ("a/1.JPG", "train.csv", "x.npz", "train.zip", "readme.md", "abc")]
    ['picture', 'text', 'npz', 'archive', 'prose', None]
    """
    if is_picture_name(name):
        return "picture"
    if is_archive_name(name):
        return "archive"
    suffix = suffix_of(name.removesuffix(".gz"))
    if suffix in KINDS:
        return KINDS[suffix] or suffix
    if suffix in ("csv", "tsv", "json", "jsonl", "ndjson", "xml"):
        return "text"
    return "prose" if PROSE.fullmatch(suffix) else None


def kind_of_bytes(name: str, head: bytes) -> str:
    """A file's kind by its first bytes."""
    if is_picture_head(head):
        return "picture"
    if head[:2] == b"\x1f\x8b":
        return "idx" if "idx" in name or "ubyte" in name else "archive" if head_is_tar(head) else "text"
    if is_idx(head):
        return "idx"
    for magic, kind in ((b"\x93NUMPY", "npy"), (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\x89HDF", "h5")):
        if head.startswith(magic):
            return kind
    if b"\0" not in head[:1024] and (TEXT.fullmatch(suffix_of(name)) or not suffix_of(name)):
        return "text"
    return "text" if b"\0" not in head and head.isascii() else "other"


def head_is_tar(head: bytes) -> bool:
    """Whether gzip's first bytes unpack to a tar's."""
    import zlib

    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 512)[257:262] == b"ustar"
    except zlib.error:
        return False


def filtered(inventory: Inventory, patterns: Sequence[str]) -> Inventory:
    """The inventory without the files that a pattern fits, by whole path or by any part of it.

    >>> fnmatchcase("a/x_mask.png", "*_mask*")
    True
    """
    if not patterns:
        return inventory

    def kept(name: str) -> bool:
        return not any(fnmatchcase(part, p) for p in patterns for part in (name, *name.split("/")))

    fewer = inventory.only_names(kept)
    for pattern in patterns:
        names = [name for kind in inventory.kinds.values() for name in kind]
        if not any(fnmatchcase(part, pattern) for name in names for part in (name, *name.split("/"))):
            raise DataError(f"{inventory.label}: `ignore={pattern}` fits none of its {len(names):,} files")
    gone = sum(map(len, inventory.kinds.values())) - sum(map(len, fewer.kinds.values()))
    return replace(fewer, notes=(*fewer.notes, f"{gone:,} files that `ignore` names ignored"))
