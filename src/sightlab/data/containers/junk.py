"""Files and folders that are never data: what systems and editors leave behind, and what sightlab itself writes."""

from __future__ import annotations

import re
from collections.abc import Collection

# Exact names, in small letters: of macOS, Windows, network storage, editors, version control and notebooks.
NAMES = frozenset(
    (
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "$recycle.bin", "recycler"),
        *("system volume information", "found.000", "lost+found", "@eadir", "#recycle", "@tmp", "#snapshot"),
        *("@recycle", "@recently-snapshot", "lost.dir", "picasa.ini", "network trash folder", "temporary items"),
        *("__pycache__", "_gsdata_", "zbthumbnail.info", "webdavfs"),
    )
)
SHEET_NAME = re.compile(r"contact-sheet.*\.png", re.IGNORECASE)
SHEET_MARK = b"tEXtSoftware\0sightlab"  # a PNG's text chunk, as `pictures.save_picture` writes it
SHEET_HEAD_BYTES = 256
PATTERN = re.compile(r".+\.(part|crdownload|tmp|lock|swp|incomplete)|~\$.*|.*~", re.IGNORECASE | re.DOTALL)


def is_junk(part: str) -> bool:
    """Whether one part of a path is hidden, or of what systems strew about.

    >>> [is_junk(part) for part in (".DS_Store", "@eaDir", "Thumbs.db", "1.png~", "cat", "train.csv")]
    [True, True, True, True, False, False]
    """
    return part.startswith(".") or part.casefold() in NAMES or bool(PATTERN.fullmatch(part))


def is_ignored(name: str) -> bool:
    """Whether a path is hidden, or of those that systems strew about.

    >>> is_ignored("cat/.DS_Store"), is_ignored("__MACOSX/cat/1.png"), is_ignored("cat/1.png")
    (True, True, False)
    """
    return any(is_junk(part) for part in name.split("/"))


def holds_runs(names: Collection[str]) -> bool:
    """Whether a folder with these files is one of sightlab's runs, or the folder that runs are kept in.

    >>> holds_runs({"run.json", "recipe.yaml", "predictions.png"}), holds_runs({"sightlab.db"}), holds_runs({"1.png"})
    (True, True, False)
    """
    return "sightlab.db" in names or ("run.json" in names and "recipe.yaml" in names)


def may_be_sheet(name: str) -> bool:
    """Whether a file may be a contact sheet by its name; its first `SHEET_HEAD_BYTES` tell.

    >>> may_be_sheet("cat/contact-sheet-pets.png"), may_be_sheet("cat/1.png")
    (True, False)
    """
    return SHEET_NAME.fullmatch(name.rpartition("/")[2]) is not None
