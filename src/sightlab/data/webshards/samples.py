"""Iterating over the samples of one shard: a picture and its label each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sightlab.data.containers.base import DataFile, member_name
from sightlab.data.containers.junk import is_ignored
from sightlab.data.containers.tars import BROKEN, open_bytes
from sightlab.data.webshards.first import CLASS_EXTENSIONS, LABEL_KEYS, is_label_text, is_picture
from sightlab.data.webshards.sample_names import library
from sightlab.errors import DataError, one_line

LONGEST = 200


@dataclass(frozen=True, eq=False)
class Sample:
    """What a shard holds under one key. members: bytes by extension, which is what follows the name's first dot."""

    shard: Path
    key: str
    members: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.shard}: sample `{one_line(self.key)}`"

    @property
    def listed(self) -> str:
        """Its members, for messages."""
        return ", ".join(f".{extension}" for extension in self.members) or "nothing"


def samples(shard: Path) -> Iterator[Sample]:
    """Each sample of a shard, in the order they are stored. Raises DataError for a shard that cannot be read whole."""
    tars = library("webdataset.tariterators")

    def name_of(name: str) -> str:
        return member_name(name, str(shard))

    # The library could open the file too, but it takes a name like `pipe:...` for a command to run.
    with open_bytes(DataFile.at(shard)) as stream:
        try:
            files = tars.tar_file_expander(
                [{"url": str(shard), "stream": stream}],
                select_files=lambda name: not is_ignored(name),
                rename_files=name_of,
            )
            for found in tars.group_by_keys(files):
                members = {name: data for name, data in found.items() if not name.startswith("__")}
                yield Sample(shard, found["__key__"], members)
        except BROKEN as error:
            reason = one_line(error.args[0] if error.args else error).partition(" @ ")[0]
            raise DataError(f"{shard}: not a whole shard: {reason}; fetch or write it again") from error


def picture_of(sample: Sample) -> tuple[str, bytes]:
    """A sample's picture: what messages call it, and its file's bytes. Raises DataError for none, or several."""
    found = [extension for extension in sample.members if is_picture(extension)]
    if not found:
        raise DataError(f"{sample.name} has no picture; it has {sample.listed}")
    if len(found) > 1:
        raise DataError(f"{sample.name} has {len(found)} pictures ({sample.listed}); a sample takes one")
    return f"{sample.shard}: {one_line(sample.key)}.{found[0]}", sample.members[found[0]]


def label_of(sample: Sample, label: str | None = None) -> str:
    """A sample's label as text; a whole number in its digits.

    label: the extension of the member, or the key in the JSON, that holds it; None for a member `.cls` or the like,
    else `label`, `class`, `cls` or `target` in `.json`, else `.txt` where that is the only member beside the picture
    and no caption. Raises DataError.
    """
    for extension in CLASS_EXTENSIONS if label is None else (label,):
        if extension in sample.members:
            return label_text(sample, f".{extension}", sample.members[extension])
    if "json" in sample.members:
        values = json_object(sample)
        for key in LABEL_KEYS if label is None else (label,):
            if key in values:
                return label_value(sample, f"`{key}` in .json", values[key])
    others = [extension for extension in sample.members if not is_picture(extension)]
    if label is None and others == ["txt"] and is_label_text(sample.members["txt"].decode("utf-8", "replace")):
        return label_text(sample, ".txt", sample.members["txt"])
    wanted = f".{label}, or `{label}` in .json" if label else ".cls, or `label` in .json"
    raise DataError(
        f"{sample.name} has no label ({wanted}); it has {sample.listed}; "
        "a sample's members stand one after the other, under one name"
    )


def json_object(sample: Sample) -> dict[str, object]:
    """What a sample's .json says. Raises DataError when it is no object."""
    try:
        values = json.loads(sample.members["json"])
    except (ValueError, RecursionError) as error:
        raise DataError(f"{sample.name}: its .json is broken: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise DataError(f'{sample.name}: its .json is a {type(values).__name__}; expected {{"label": ...}}')
    return values


def label_text(sample: Sample, where: str, data: bytes) -> str:
    """A label given as a member's bytes. Raises DataError when they are not text."""
    try:
        return label_value(sample, where, data.decode())
    except UnicodeDecodeError as error:
        raise DataError(f"{sample.name}: its label in {where} is no UTF-8 text") from error


def label_value(sample: Sample, where: str, value: object) -> str:
    """A label given as text or a number. Raises DataError for anything that is neither a name nor 0, 1, 2, ..."""
    text = str(value).strip()
    is_label = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    is_negative = text.startswith("-") and text[1:].isdecimal()
    if is_label and 0 < len(text) <= LONGEST and text.isprintable() and not is_negative:
        return text
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise DataError(f"{sample.name}: its label in {where} is {shown!r}; a whole number from 0 or a class name works")
