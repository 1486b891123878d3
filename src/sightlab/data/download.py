"""Downloads that survive interruption: resumed, verified by checksum, renamed only when complete."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from sightlab.data.imageset import Progress
from sightlab.errors import DataError, one_line

BLOCK = 1 << 18
TIMEOUT_SECONDS = 20


def md5_of(path: Path) -> str:
    """The md5 of a file's bytes, in hex: what the makers of the data sets publish."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def download(urls: Sequence[str], target: Path, md5: str, progress: Progress | None = None) -> None:
    """Fetch a file from the first of these addresses that gives it whole.

    What came before a cut is kept beside the target as `.part` and gone on with next time. The target's name
    appears only once its md5 is right. Raises DataError when no address gave the file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    reasons = []
    for url in urls:
        try:
            fetch(url, part, progress)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reasons.append(f"{host_of(url)}: {one_line(getattr(error, 'reason', error))[:120]}")
            continue
        found = md5_of(part)
        if found == md5:
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.replace(target)
            return
        part.unlink()
        reasons.append(f"{host_of(url)}: md5 is {found}, should be {md5}")
    raise DataError(
        "; ".join(reasons) if len(reasons) == 1 else f"{reasons[0]}, and no better from {len(reasons) - 1} more"
    )


def host_of(url: str) -> str:
    """Where an address leads, for a message.

    >>> host_of("https://example.org/mnist/train.gz")
    'example.org'
    """
    return urllib.parse.urlsplit(url).hostname or url


def fetch(url: str, part: Path, progress: Progress | None) -> None:
    """Fetch what the part file still lacks; a server that cannot go on from there sends all of it again."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310 - addresses of names.py
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # the part is already as long as the file
        raise
    with answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if resumed else 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if resumed else "wb") as stream:
            while block := answer.read(BLOCK):
                stream.write(block)
                have += len(block)
                if progress:
                    progress(have, total)
    if total > have:
        raise http.client.IncompleteRead(b"", total - have)
