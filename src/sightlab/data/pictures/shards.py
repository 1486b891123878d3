"""One Parquet shard: which column holds pictures, which labels, and their values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightlab.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

IMAGE_NAMES = ("image", "img", "picture")
LABEL_NAMES = ("label", "labels", "fine_label", "class", "target")
BATCH_ROWS = 256


@dataclass(frozen=True, eq=False)
class Shard:
    """One Parquet file: its picture column, its labels as stored [N], and its class names where it gives them."""

    path: Path
    image: str
    labels: NDArray[Any]
    names: tuple[str, ...] | None


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """The file, open; what goes wrong in reading it is a DataError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{path}: not a whole Parquet file: {reason}; fetch or write it again") from error


def open_shard(path: Path, label: str | None) -> Shard:
    """A shard's columns and labels. label: the label column, or None to find it by name.

    Raises DataError naming the file and what it has instead.
    """
    with _opened(path) as file:
        schema = file.schema_arrow
        image = _image_column(path, schema)
        column = _label_column(path, schema, label)
        values = file.read(columns=[column]).column(column)
    if values.null_count:
        row = values.is_null().to_pylist().index(True) + 1
        raise DataError(f"{path}: row {row} has no label in column `{column}`; every picture needs one")
    labels = np.array(values.to_pylist())
    if not len(labels):
        raise DataError(f"{path}: holds no rows")
    return Shard(path, image, labels, _class_names(path, schema, column) if labels.dtype.kind in "iu" else None)


def _columns(schema: pa.Schema) -> str:
    return "columns: " + ", ".join(f"{field.name} ({one_line(field.type)})" for field in schema)


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _image_column(path: Path, schema: pa.Schema) -> str:
    found: list[str] = [field.name for field in schema if _holds_bytes(field.type)]
    named = [name for name in found if name.casefold() in IMAGE_NAMES]
    if len(named or found) != 1:
        what = "no column of picture bytes" if not found else "several columns of bytes and no one named `image`"
        raise DataError(f"{path}: {what}; {_columns(schema)}")
    return (named or found)[0]


def _label_column(path: Path, schema: pa.Schema, label: str | None) -> str:
    import pyarrow as pa

    wanted = LABEL_NAMES if label is None else (label,)
    names = [name for name in wanted if schema.get_field_index(name) >= 0]
    if not names:
        raise DataError(f"{path}: no label column `{wanted[0]}`; give its name as label=; {_columns(schema)}")
    kind = schema.field(names[0]).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{path}: labels in column `{names[0]}` are {kind}; they must be whole numbers or text")
    return names[0]


def _class_names(path: Path, schema: pa.Schema, column: str) -> tuple[str, ...] | None:
    """The names that the Hugging Face metadata give to this column's numbers, or None."""
    try:
        feature = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        names = feature["names"]
    except (KeyError, TypeError, ValueError):
        return None
    if not isinstance(names, list) or len(set(map(str, names))) != len(names) or not names:
        raise DataError(
            f"{path}: the class names of column `{column}` in its metadata are not a list of different names"
        )
    return tuple(map(str, names))


def picture_bytes(shard: Shard) -> Iterator[bytes]:
    """Each row's picture bytes, a batch of rows in memory at a time."""
    row = 0
    with _opened(shard.path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=[shard.image]):
            for value in batch.column(0).to_pylist():
                row += 1
                data = value.get("bytes") if isinstance(value, dict) else value
                if data is None:
                    raise DataError(f"{shard.path}: row {row} has no picture bytes in column `{shard.image}`")
                yield data
