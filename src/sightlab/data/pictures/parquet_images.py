"""Writer of Parquet shards of pictures and labels in the layout of the Hugging Face hub."""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.imageset import ImageSet
from sightlab.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1000


def write_parquet(splits: Mapping[str, ImageSet], folder: Path) -> None:
    """Writes `<split>-00000-of-00001.parquet` for each split into the folder, made if need be.

    A row is {image: {bytes: PNG, path}, label: int64}; the metadata name the classes, so that sightlab and
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
