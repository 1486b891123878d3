"""Which revision of the user's own folder a run was started from."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

PATIENCE = 5.0  # seconds; a file system that answers later than this is not worth the wait


def git_revision(folder: Path) -> dict[str, Any] | None:
    """{revision: the commit's hash, dirty: whether tracked files differ from it} of the repository around a folder.

    None outside of a repository, before its first commit, and where git is not installed or does not answer.
    """
    revision = git(folder, "rev-parse", "HEAD")
    changes = git(folder, "status", "--porcelain", "--untracked-files=no")
    return None if not revision or changes is None else {"revision": revision, "dirty": bool(changes)}


def git(folder: Path, *words: str) -> str | None:
    """What git prints, or None where it fails. It takes no lock that the user's own git would wait for."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
