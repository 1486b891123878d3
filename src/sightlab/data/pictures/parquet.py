"""Parquet shards of pictures and labels, read and written in the layout of the Hugging Face hub."""

from __future__ import annotations

import io
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.imageset import (
    SPLITS,
    UNDIVIDED,
    Allocate,
    ImageSet,
    Parts,
    Progress,
    classes_of,
    in_memory,
    natural_key,
    split_name,
)
from sightlab.data.pictures.containers import is_ignored
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.fill import Labelled, fill
from sightlab.data.pictures.shards import Shard, open_shard, picture_bytes
from sightlab.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})")
GROUP_ROWS = 1000


def read_parquet(
    path: Path,
    decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
    allocate: Allocate = in_memory,
    progress: Progress | None = None,
    label: str | None = None,
) -> Parts:
    """The labelled pictures of a Parquet file, or of a folder of shards, in the order of their rows.

    The picture column holds bytes, or struct{bytes, path}; it is named image, img or picture, or is the only one of
    its type. label: the label column; None for the first of label, labels, fine_label, class, target. Class names
    come from the Hugging Face schema metadata, in their order there, else from the labels, in natural order. Splits
    come from the names of the files (`train-00000-of-00002.parquet`) or of their folders.

    Raises DataError naming the file, and the columns found or the row, for shards that are missing, damaged or
    disagree, columns that are missing, and nulls; for pictures as `read_pictures` does.
    """
    groups = {split: [open_shard(file, label) for file in files] for split, files in _files(path).items()}
    shards = [shard for group in groups.values() for shard in group]
    classes = _classes(shards)
    if len(classes) < 2:
        raise DataError(f"{path}: all labels are `{classes[0]}`; a classifier needs at least two classes")
    labels = {split: np.concatenate([_numbers(s, classes) for s in group]) for split, group in groups.items()}
    numbered = shards[0].names is not None or classes == tuple(str(n) for n in range(len(classes)))

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        start = 0
        for shard in shards:
            for row, data in enumerate(picture_bytes(shard)):
                yield start + row, f"{shard.path}, row {row + 1}", data
            start += len(shard.labels)

    return fill(Labelled(str(path), classes, numbered, labels, pictures), decoding, allocate, progress)


def _files(path: Path) -> dict[str, list[Path]]:
    """The shards of each split, in natural order. Raises DataError when there are none, or one is missing."""
    if not path.is_dir():
        return {split_name(path.stem) or UNDIVIDED: [path]}
    found = [f for f in path.rglob("*.parquet") if not is_ignored(f.relative_to(path).as_posix())]
    groups: dict[str, list[Path]] = {}
    for file in sorted(found, key=lambda f: natural_key(f.relative_to(path).as_posix())):
        inside = file.relative_to(path).parent.name
        groups.setdefault(split_name(file.stem) or split_name(inside) or UNDIVIDED, []).append(file)
    if not groups:
        raise DataError(f"{path}: holds no Parquet files")
    if UNDIVIDED in groups and len(groups) > 1:
        raise DataError(
            f"{groups[UNDIVIDED][0]}: its name says no split, while others do; "
            "name it as in train-00000-of-00001.parquet, or remove it"
        )
    for files in groups.values():
        _check_complete(files)
    return {split: groups[split] for split in (*SPLITS, UNDIVIDED) if split in groups}


def _check_complete(files: Sequence[Path]) -> None:
    matches = [(file, SHARD.match(file.stem)) for file in files]
    present = {(file.parent, m[1], int(m[2])) for file, m in matches if m}
    for file, match in matches:
        for number in range(int(match[3]) if match else 0):
            if match and (file.parent, match[1], number) not in present:
                name = f"{match[1]}-{number:05}-of-{match[3]}.parquet"
                raise DataError(f"{file.parent / name}: this shard is missing; {file.name} says there are {match[3]}")


def _classes(shards: Sequence[Shard]) -> tuple[str, ...]:
    """The class names that all shards share."""
    first = shards[0]
    for shard in shards:
        if shard.names != first.names or shard.labels.dtype.kind != first.labels.dtype.kind:
            raise DataError(
                f"{shard.path}: its labels are of other classes, or another type, than those of {first.path}"
            )
    return first.names or classes_of(str(value) for shard in shards for value in np.unique(shard.labels))


def _numbers(shard: Shard, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """A shard's labels as class numbers, int64 [N]."""
    if shard.names is None:
        number = {name: i for i, name in enumerate(classes)}
        return np.array([number[str(value)] for value in shard.labels], np.int64)
    labels = shard.labels.astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(wrong):
        raise DataError(
            f"{shard.path}: row {wrong[0] + 1} has label {labels[wrong[0]]}; labels of {len(classes)} classes run "
            f"from 0 to {len(classes) - 1}"
        )
    return labels


def write_parquet(splits: Mapping[str, ImageSet], folder: Path) -> None:
    """Writes `<split>-00000-of-00001.parquet` for each split into the folder, made if need be.

    A row is {image: {bytes: PNG, path}, label: int64}; the metadata name the classes, so that `read_parquet` and
    Hugging Face datasets give back the same pixels, labels and class names. Each file appears whole or not at all.

    Raises DataError for images of other than 1 or 3 channels, for a folder with other Parquet files, and when
    nothing can be written.
    """
    for split, images in splits.items():
        if images.shape[2] not in (1, 3):
            raise DataError(f"{split}: images have {images.shape[2]} channels; Parquet takes 1 or 3 (written as PNG)")
    finals = {split: folder / f"{split}-00000-of-00001.parquet" for split in splits}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for other in sorted(folder.rglob("*.parquet")):
            if other not in finals.values():
                raise DataError(f"{other}: is there already and would be read as well; give an empty folder")
        for split, images in splits.items():
            _write(images, split, finals[split])
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or one_line(error)}") from error


def _write(images: ImageSet, split: str, final: Path) -> None:
    import pyarrow.parquet as pq

    schema = _schema(images)
    partial = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    try:
        with pq.ParquetWriter(partial, schema) as writer:
            for rows in _groups(images, split, schema):
                writer.write_table(rows)
        os.replace(partial, final)  # noqa: PTH105
    finally:
        partial.unlink(missing_ok=True)


def _schema(images: ImageSet) -> pa.Schema:
    import pyarrow as pa

    features = {"image": {"_type": "Image"}, "label": {"names": list(images.classes), "_type": "ClassLabel"}}
    return pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )


def _groups(images: ImageSet, split: str, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa

    for start in range(0, len(images), GROUP_ROWS):
        rows = np.arange(start, min(start + GROUP_ROWS, len(images)))
        names = (f"{split}-{row:06}.png" for row in rows)
        pictures = [{"bytes": _png(p), "path": name} for p, name in zip(images.gather(rows), names, strict=True)]
        yield pa.table({"image": pictures, "label": images.labels[rows]}, schema=schema)


def _png(picture: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(stream, "PNG")
    return stream.getvalue()
