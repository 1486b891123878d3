"""The first sample of a tar, by which a WebDataset shard is recognised without its library."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from sightlab.data.containers.base import DataFile
from sightlab.data.containers.junk import is_ignored
from sightlab.data.containers.tars import BROKEN, open_bytes
from sightlab.data.pictures.suffixes import PICTURE_SUFFIXES
from sightlab.errors import DataError

MEMBERS_SEEN = 40
MOST_HEADER_BYTES = 2**20
MOST_LABEL_BYTES = 2**20
LONGEST_LABEL = 60
CLASS_EXTENSIONS = ("cls", "label", "class", "target", "cls.txt", "label.txt", "class.txt")
LABEL_KEYS = ("label", "class", "cls", "target")
# What the JSON of img2dataset says of each picture: where it came from, and no label.
CRAWLED_KEYS = frozenset(
    ("caption", "url", "key", "status", "sha256", "original_width", "similarity", "clip_similarity")
)

# What the JSON of annotation tools says: of boxes and outlines in a picture.
DRAWN_KEYS = frozenset(("shapes", "annotations", "objects", "imagePath", "regions", "boxes"))


@dataclass(frozen=True)
class FirstSample:
    """A shard's first sample. members: its extensions. label: where its label is, for messages; "" for nowhere."""

    key: str
    members: tuple[str, ...]
    label: str


class Headers:
    """What tarfile reads headers from, none of them longer than an honest one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.tell = file.tell
        self.seek = file.seek

    def read(self, size: int) -> bytes:
        """The next bytes. Raises ReadError for more than a header has."""
        if not 0 <= size <= MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header declares {size:,} bytes")
        return self.file.read(size)


def first_sample(file: DataFile) -> FirstSample | None:
    """The first sample of a tar that is a WebDataset shard: a picture and what says its class, under one name.

    None for every other file. Pictures crawled from the web with captions count: their samples have no label.
    """
    try:
        for key, members in runs(file):
            if any(is_picture(extension) for extension in members) and len(members) > 1:
                label = label_place(members, alone="/" not in key)
                return None if label is None else FirstSample(key, tuple(members), label)
    except (DataError, RecursionError, *BROKEN):
        return None
    return None


def runs(file: DataFile) -> Iterator[tuple[str, dict[str, bytes]]]:
    """(key, bytes of small members by extension) of the first members that stand together under one key."""
    key, members = "", dict[str, bytes]()
    with open_bytes(file) as stream, tarfile.open(fileobj=cast(IO[bytes], Headers(stream)), mode="r:") as archive:
        for number, info in enumerate(archive):
            if number >= MEMBERS_SEEN:
                break
            if not info.isreg() or is_ignored(info.name.removeprefix("./")):
                continue
            own, extension = key_and_extension(info.name)
            if own != key:
                if members:
                    yield key, members
                key, members = own, {}
            place = stream.tell()
            stream.seek(info.offset_data)
            members[extension] = stream.read(min(info.size, MOST_LABEL_BYTES)) if not is_picture(extension) else b""
            stream.seek(place)
    if members:
        yield key, members


def key_and_extension(name: str) -> tuple[str, str]:
    """A member's key and extension as WebDataset takes them: parted at the first dot of the file's own name.

    >>> key_and_extension("./a.b/0001.left.png")
    ('a.b/0001', 'left.png')
    """
    folder, slash, own = name.removeprefix("./").rpartition("/")
    stem, _, extension = own.partition(".")
    return folder + slash + stem, extension.casefold()


def is_picture(extension: str) -> bool:
    """Whether a member is a picture by its extension.

    >>> is_picture("jpg"), is_picture("left.png"), is_picture("cls")
    (True, True, False)
    """
    return bool(PICTURE_SUFFIXES.fullmatch(extension.rpartition(".")[2].casefold()))


def label_place(members: dict[str, bytes], *, alone: bool) -> str | None:
    """Where a sample has its label, as messages say it; "" where it is a shard's and has none; None for no shard's.

    alone: whether it lies in no folder of the tar, as samples do and pictures in class folders do not.
    """
    for extension in CLASS_EXTENSIONS:
        if extension in members:
            return f".{extension}"
    if "json" in members:
        facts = json_facts(members["json"])
        for key in LABEL_KEYS:
            if key in facts:
                return f"`{key}` in .json"
        return "" if CRAWLED_KEYS & facts.keys() or (alone and not DRAWN_KEYS & facts.keys()) else None
    others = [extension for extension in members if not is_picture(extension)]
    if others != ["txt"] or not alone:
        return None
    return ".txt" if is_label_text(members["txt"].decode("utf-8", "replace")) else ""


def is_label_text(text: str) -> bool:
    """Whether a text beside a picture is a class name or number, and no caption and no boxes.

    >>> is_label_text("cat\\n"), is_label_text("0 0.5 0.5 0.2 0.1"), is_label_text("a photo of a cat, sleeping")
    (True, False, False)
    """
    text, words = text.strip(), text.split()
    return 0 < len(text) <= LONGEST_LABEL and len(words) <= 4 and not (len(words) > 1 and words[0].isdecimal())


def json_facts(data: bytes) -> dict[str, object]:
    """The object in a member's JSON; empty for anything else."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
