"""Parsing paths as users type them: `~` and file:// URLs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from sightlab.errors import DataError, one_line

LOCAL_HOSTS = ("", "localhost")


def local_path(text: str) -> Path:
    """The path that a text names. Raises DataError for addresses of other machines.

    >>> str(local_path("file:///home/me/a%20b.png")), str(local_path("photos/1.png"))
    ('/home/me/a b.png', 'photos/1.png')
    """
    scheme, separator, _ = text.partition("://")
    if not separator or not scheme.isalnum() or len(scheme) < 2:
        return expanded(text)
    address = urlsplit(text)
    if scheme.casefold() != "file" or address.netloc not in LOCAL_HOSTS:
        raise DataError(f"{one_line(text)[:120]}: an address is not fetched; download it, and give the file")
    return Path(unquote(address.path))


def expanded(text: str) -> Path:
    """The path with its `~` as the user's folder. Raises DataError for a user there is none of."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise DataError(f"{one_line(text)[:120]}: there is no such user") from error


def checked_path(text: str) -> Path:
    """The file or folder that a text names. Raises DataError where there is none, or a device or a pipe."""
    path = local_path(text)
    try:
        if path.is_dir() or path.is_file():
            return path
        exists = path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{shown(path)}: cannot be looked at: {reason}") from error
    if exists:
        raise DataError(f"{shown(path)}: is neither a file nor a folder (a device, a pipe?); copy it to a file first")
    raise DataError(f"{shown(path)}: no such file or folder")


def shown(path: Path, most: int = 160) -> str:
    """A path for a message: its end, where it is long."""
    text = one_line(path)
    return text if len(text) <= most else f"...{text[3 - most :]}"
