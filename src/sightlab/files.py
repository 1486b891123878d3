"""Atomic writes: a file is there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(target: Path) -> Iterator[Path]:
    """An empty temporary file beside the target; at the end of the block it is flushed and renamed to the target.

    If the block fails, the temporary file is removed and the target stays as it was. Raises OSError as writing does.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{target.suffix}")
    # The system applies the umask when it creates a file. tempfile does not, and to read the umask is to set it, for
    # all threads.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
        flush_folder(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def flush_folder(folder: Path) -> None:
    """Flush a rename in this folder to the disk, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8. Raises OSError."""
    with whole(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Path, content: bytes) -> str:
    """Write a file atomically and return the sha256 of its content, in hex. Raises OSError."""
    with whole(target) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hex. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
