"""MATLAB .mat files of versions 5 to 7: variables and struct fields as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sightlab.data.containers.base import DataFile
from sightlab.data.formats.file_io import DEFLATE_LIMIT, opened
from sightlab.data.formats.mat5 import STRUCT, DamagedError, Variable, value_in, variables_in
from sightlab.data.formats.npy import without_suffix
from sightlab.data.formats.stored import Array, StoredArray
from sightlab.errors import DataError, one_line

HDF5_HEAD = b"MATLAB 7.3"


def mat_arrays(file: DataFile) -> list[StoredArray]:
    """The variables of a .mat file, their heads read; of structs, the fields.

    A file of version 7.3 is HDF5, which `hdf5.hdf5_arrays` reads. Raises DataError for what is no whole .mat file.
    """
    stem, by_column = without_suffix(file.name), not written_by_python(file.head(128))
    found: list[StoredArray] = []
    for one in variables(file):
        if one.kind == STRUCT:
            found += struct_arrays(file, one, by_column)
        elif one.dtype is not None:
            shape = one.shape if one.dtype.kind != "U" else one.shape[:-1]

            def load(one: Variable = one) -> Array:
                return plain(file, one.name, variable(file, one))

            key, shown = f"{stem}/{one.name}", f"{file} ({one.name})"
            found.append(StoredArray(key, f"{file.name} ({one.name})", shown, shape, one.dtype, load, by_column))
    return found


def written_by_python(head: bytes) -> bool:
    """Whether scipy wrote a .mat file: a flattened picture in it lies row by row, MATLAB's column by column.

    >>> written_by_python(b"MATLAB 5.0 MAT-file Platform: posix, Created on: Thu"), written_by_python(b"MATLAB 5.0 MAT")
    (True, False)
    """
    return b"Platform: posix" in head or b"Platform: nt" in head


def variables(file: DataFile) -> list[Variable]:
    """The heads of a file's variables. Raises DataError."""
    with opened(file) as (stream, most):
        try:
            found, _ = variables_in(stream, size_of(stream, most))
        except DamagedError as error:
            raise broken(file, error) from None
    for one in found:
        if not one.name.isprintable() or math.prod(one.shape) > DEFLATE_LIMIT * (one.size + 1):
            raise broken(file, DamagedError(f"{one.name[:40]!r} claims the shape {list(one.shape)}"))
    return found


def size_of(stream: Any, most: int) -> int:
    """How many bytes a stream has; of an unpacked one only reading tells, and the most that it may have will do."""
    return int(stream.seek(0, 2)) if stream.seekable() else most


def variable(file: DataFile, one: Variable) -> Any:
    """One variable's value. Raises DataError."""
    with opened(file) as (stream, most):
        try:
            _, order = variables_in(stream, size_of(stream, most))
            return value_in(stream, one, order)
        except DamagedError as error:
            raise broken(file, error) from None


def broken(file: DataFile, error: BaseException) -> DataError:
    """The line for a file that cannot be read."""
    return DataError(f"{file}: not a whole .mat file: {one_line(error)[:120]}; save it again")


def struct_arrays(file: DataFile, one: Variable, by_column: bool) -> Iterator[StoredArray]:
    """The arrays in a struct, to any depth, as `name/field`. The struct is read for their heads."""
    stem = without_suffix(file.name)
    for path, value in leaves(variable(file, one), ()):
        key = "/".join((one.name, *path))

        def load(path: tuple[str, ...] = path, key: str = key) -> Array:
            return plain(file, key, dict(leaves(variable(file, one), ()))[path])

        array = value if isinstance(value, np.ndarray) else np.empty(len(value), object)
        shown = f"{file} ({key})"
        yield StoredArray(f"{stem}/{key}", f"{file.name} ({key})", shown, array.shape, array.dtype, load, by_column)


def leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Array | Sequence[Any]]]:
    """(path of fields, value) of each array in a struct."""
    if isinstance(value, dict):
        for field, inner in value.items():
            yield from leaves(inner, (*path, field))
    elif not isinstance(value, tuple | None):  # an array of structs is no array of pictures
        yield path, value


def plain(file: DataFile, name: str, value: Any) -> Array:
    """A variable as an array of numbers or text: a cell array of texts becomes one of text. Raises DataError."""
    if isinstance(value, np.ndarray):
        return value
    found = [text_of(one) for one in value or ()]
    if value is None or None in found:
        raise DataError(f"{file} ({name}): is a cell array that holds other things than texts; save plain arrays")
    return np.array(found, np.str_)


def text_of(value: Any) -> str | None:
    """The one text in a cell; None for anything else."""
    return str(value[0]) if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1 else None


def plain_values(file: DataFile) -> dict[str, Any]:
    """A file's variables without axes of length 1: numbers, texts, lists of them, and dicts of structs' fields.

    What is not read is left out. Raises DataError.
    """
    found = {one.name: squeezed(variable(file, one)) for one in variables(file)}
    return {name: value for name, value in found.items() if value is not None}


def squeezed(value: Any) -> Any:
    """See `plain_values`."""
    if isinstance(value, np.ndarray):
        return value.squeeze().tolist()
    if isinstance(value, dict):
        return {name: squeezed(inner) for name, inner in value.items()}
    return [squeezed(one) for one in value] if isinstance(value, list | tuple) else value
