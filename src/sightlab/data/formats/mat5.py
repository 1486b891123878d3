"""The elements of .mat files of MATLAB's versions 5 to 7, read as the format's description has them.

scipy reads these files too, and ends the process on some that are damaged; so nothing but the description is relied on.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np

from sightlab.data.formats.file_io import BLOCK_BYTES, read_up_to
from sightlab.data.formats.stored import Array

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR = 1, 2, 4
LOGICAL = 0x200
MOST_DIMENSIONS, LONGEST_NAME, MOST_FIELDS, DEEPEST = 32, 4096, 4096, 16
# Types of stored data, and the classes of numbers that arrays have, by their numbers in the format.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
UTF = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}


Order = Literal["<", ">"]


class DamagedError(Exception):
    """A file that is not as the format has it."""


@dataclass(frozen=True)
class Variable:
    """A variable's head. start, size, packed: where its element's content lies, in bytes, and whether it is zlib's."""

    name: str
    kind: int
    shape: tuple[int, ...]
    logical: bool
    start: int
    size: int
    packed: bool

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The type of its values: numbers, truth values, texts, or objects for cells; None for what is not read."""
        if self.kind in NUMBERS:
            return np.dtype(bool if self.logical else NUMBERS[self.kind])
        return {CHAR: np.dtype(np.str_), CELL: np.dtype(object)}.get(self.kind)


class Inflated:
    """The content of a compressed element, unpacked as it is read."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream, self.left, self.waiting = stream, size, b""
        self.unpacker = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        """The next bytes, fewer at the end. Raises DamagedError."""
        try:
            while not self.unpacker.eof:
                data = self.unpacker.unconsumed_tail or self.stream.read(min(self.left, BLOCK_BYTES))
                if not self.unpacker.unconsumed_tail:
                    self.left -= len(data)
                found = self.unpacker.decompress(data, count)
                if found or not data:
                    return found
        except zlib.error as error:
            raise DamagedError(str(error)) from None
        return b""

    def check(self) -> None:
        """Reads to the end, where the checksum stands. Raises DamagedError where it is wrong, or not there."""
        while self.read(BLOCK_BYTES):
            pass
        if not self.unpacker.eof:
            raise DamagedError("a compressed element has no end")


class Elements:
    """Reads elements one after the other. order: `<` or `>`."""

    def __init__(self, stream: Any, order: Order) -> None:
        self.stream, self.order = stream, order

    def take(self, count: int) -> bytes:
        """Exactly so many bytes, memory taken for those alone that are there. Raises DamagedError where fewer are."""
        data = bytes(read_up_to(self.stream, count))
        if len(data) < count:
            raise DamagedError(f"it ends {count - len(data):,} bytes early")
        return data

    def tag(self) -> tuple[int, int, bytes | None]:
        """The next element's type and size in bytes; its data where it is a small one, which has them in its tag."""
        head = self.take(8)
        first, size = struct.unpack(f"{self.order}II", head)
        if first >> 16:
            if first >> 16 > 4:
                raise DamagedError("an element of 4 bytes declares more")
            return first & 0xFFFF, first >> 16, head[4 : 4 + (first >> 16)]
        return first, size, None

    def element(self, most: int) -> tuple[int, bytes]:
        """The next element's type and data, its padding passed over. Raises DamagedError for one larger than `most`."""
        kind, size, data = self.tag()
        if data is not None:
            return kind, data
        if size > most:
            raise DamagedError(f"an element declares {size:,} bytes")
        data = self.take(size)
        self.take(-size % 8)
        return kind, data

    def numbers(self, most: int) -> list[int]:
        """The next element as whole numbers."""
        kind, data = self.element(most)
        dtype = np.dtype(STORED.get(kind, "i4")).newbyteorder(self.order)
        if len(data) % dtype.itemsize or dtype.kind == "f":
            raise DamagedError("an element of whole numbers has another type")
        return [int(n) for n in np.frombuffer(data, dtype)]

    def head(self) -> tuple[int, bool, tuple[int, ...], str]:
        """An array's class, whether it is of truth values, its shape and its name. Raises DamagedError."""
        flags = self.numbers(8)
        shape = tuple(self.numbers(4 * MOST_DIMENSIONS))
        _, name = self.element(LONGEST_NAME)
        if not flags or len(shape) < 2 or min(shape) < 0:
            raise DamagedError("an array has no shape")
        return flags[0] & 0xFF, bool(flags[0] & LOGICAL), shape, name.decode("utf-8", "replace").rstrip("\0")


@contextmanager
def elements_of(stream: BinaryIO, variable: Variable, order: Order) -> Iterator[Elements]:
    """The elements in a variable's, its head the first."""
    stream.seek(variable.start)
    inside = Elements(Inflated(stream, variable.size) if variable.packed else stream, order)
    if variable.packed:
        kind, _, _ = inside.tag()
        if kind != MATRIX:
            raise DamagedError("a compressed element holds no array")
    yield inside


def byte_order(header: bytes) -> Order:
    """The order of a file's bytes, by the end of its header. Raises DamagedError for what is no such file.

    >>> byte_order(bytes(126) + b"IM")
    '<'
    """
    orders: dict[bytes, Order] = {b"IM": "<", b"MI": ">"}
    if len(header) < HEADER_BYTES or header[126:128] not in orders:
        raise DamagedError("it is no file of MATLAB's versions 5 to 7.3")
    return orders[header[126:128]]


def variables_in(stream: BinaryIO, size: int) -> tuple[list[Variable], Order]:
    """The heads of a file's variables, and the order of its bytes. Raises DamagedError."""
    stream.seek(0)
    order = byte_order(stream.read(HEADER_BYTES))
    found, start = [], HEADER_BYTES
    while start + 8 <= size:
        stream.seek(start)
        kind, length, small = Elements(stream, order).tag()
        if small is not None or start + 8 + length > size:
            raise DamagedError("a variable ends behind the file's end")
        if kind in (MATRIX, COMPRESSED) and length:
            place = Variable("", 0, (), False, start + 8, length, kind == COMPRESSED)
            with elements_of(stream, place, order) as inside:
                own, logical, shape, name = inside.head()
            found.append(Variable(name, own, shape, logical, start + 8, length, kind == COMPRESSED))
        start += 8 + length
    return found, order


def value_in(stream: BinaryIO, variable: Variable, order: Order) -> Any:
    """A variable's value: an array of numbers or texts, a list of the values in a cell array, a dict of a struct's
    fields, a tuple of such dicts for an array of structs, None for what is not read. Raises DamagedError.
    """
    with elements_of(stream, variable, order) as inside:
        kind, logical, shape, _ = inside.head()
        value = content(inside, kind, logical, shape, 0)
        if isinstance(inside.stream, Inflated):
            inside.stream.check()
        return value


def content(inside: Elements, kind: int, logical: bool, shape: tuple[int, ...], depth: int) -> Any:
    """What follows an array's head."""
    if depth > DEEPEST:
        raise DamagedError(f"its arrays lie more than {DEEPEST} deep in each other")
    if kind in NUMBERS:
        array = numbers(inside, np.dtype(NUMBERS[kind]), shape)
        return array != 0 if logical else array
    if kind == CHAR:
        return texts(inside, shape)
    if kind == CELL:
        return [nested(inside, depth) for _ in range(math.prod(shape))]
    if kind == STRUCT:
        found = structs(inside, math.prod(shape), depth)
        return found[0] if len(found) == 1 else found
    return None


def nested(inside: Elements, depth: int) -> Any:
    """The value of an array in a cell or a field; the next one is read from behind it."""
    kind, size, small = inside.tag()
    if kind != MATRIX or small is not None:
        raise DamagedError("a cell holds no array")
    if not size:
        return np.empty((0, 0))
    own = Elements(io.BytesIO(inside.take(size)), inside.order)
    number, logical, shape, _ = own.head()
    return content(own, number, logical, shape, depth + 1)


def structs(inside: Elements, count: int, depth: int) -> tuple[dict[str, Any], ...]:
    """The fields of each struct of an array."""
    length = (inside.numbers(4) or [0])[0]
    _, names = inside.element(LONGEST_NAME * MOST_FIELDS)
    if not 0 < length <= LONGEST_NAME or len(names) % length:
        raise DamagedError("a struct's fields have no names")
    cut = [names[start : start + length] for start in range(0, len(names), length)]
    fields = [name.split(b"\0")[0].decode("utf-8", "replace") for name in cut]
    return tuple({name: nested(inside, depth) for name in fields} for _ in range(count if fields else 0))


def numbers(inside: Elements, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """An array of numbers, of the type of its class, whatever smaller type they are stored in."""
    kind, size, small = inside.tag()
    if kind not in STORED:
        raise DamagedError("an array of numbers is stored as something else")
    own = np.dtype(STORED[kind]).newbyteorder(inside.order)
    if size != math.prod(shape) * own.itemsize:
        raise DamagedError(f"an array of the shape {list(shape)} has {size:,} bytes")
    data = inside.take(size) if small is None else small
    array: Array = np.frombuffer(data, own).reshape(shape, order="F")
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def texts(inside: Elements, shape: tuple[int, ...]) -> Array:
    """The rows of an array of characters, without blanks at their ends. [rows] of text."""
    kind, data = inside.element(2**31)
    try:
        if kind in UTF:
            ending = {"<": "-le", ">": "-be"}[inside.order] if kind != 16 else ""
            letters = data.decode(UTF[kind] + ending)
        else:
            codes = np.frombuffer(data, np.dtype(STORED.get(kind, "u1")).newbyteorder(inside.order))
            letters = "".join(map(chr, codes.tolist()))
    except (ValueError, OverflowError, TypeError):
        raise DamagedError("an array of characters holds none") from None
    if len(letters) != math.prod(shape):
        raise DamagedError(f"an array of {list(shape)} characters has {len(letters):,}")
    rows = np.array(list(letters), np.str_).reshape(shape, order="F").reshape(math.prod(shape[:-1]), shape[-1])
    return np.array(["".join(row).rstrip() for row in rows.tolist()], np.str_)
