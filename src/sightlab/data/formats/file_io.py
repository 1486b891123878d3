"""Opening data files, plain or gzip by magic number; failures become a DataError of one line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from sightlab.data.containers.base import DataFile
from sightlab.errors import DataError, one_line

GZIP = b"\x1f\x8b"
BLOCK_BYTES = 1 << 20
# deflate cannot do better than 1,032 to 1, so a file cannot hold more than this times its size
DEFLATE_LIMIT = 1032


@contextmanager
def reading(path: Path | DataFile) -> Iterator[None]:
    """Turns what the system, gzip or the memory refuse inside the block into a DataError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder; a file was expected") from None
    except PermissionError:
        raise DataError(f"{path}: may not be read (permission denied)") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: the compressed data is cut short or damaged ({one_line(error)}); fetch or write the file anew"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {one_line(error.strerror or error)}") from error
    except MemoryError:
        raise DataError(f"{path}: does not fit into this machine's memory") from None


@contextmanager
def opened(file: DataFile) -> Iterator[tuple[BinaryIO, int]]:
    """The content of a file, unpacked when it is gzip, and the most bytes it can have. Raises DataError."""
    with reading(file), file.open() as stream:
        packed = stream.read(2) == GZIP
        stream.seek(0)
        if not packed:
            yield stream, file.size
            return
        with gzip.open(stream) as unpacked:
            yield cast(BinaryIO, unpacked), file.size * DEFLATE_LIMIT


def read_up_to(stream: BinaryIO, count: int) -> bytearray:
    """At most this many bytes, taking memory only for those that are there, whatever the count."""
    data = bytearray()
    while len(data) < count:
        block = stream.read(min(BLOCK_BYTES, count - len(data)))
        if not block:
            break
        data += block
    return data
