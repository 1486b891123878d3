"""Font files: of the system, of Python packages, or in the folders of SIGHTLAB_FONTS."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")

# Linux, macOS and Windows; folders that do not exist are skipped.
SYSTEM = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
    "$WINDIR/Fonts",
    "$LOCALAPPDATA/Microsoft/Windows/Fonts",
)
PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")  # Noto's fonts on PyPI: the extra `fonts`

# Families made for screens with many characters, by file name: Noto's, then those of macOS, Windows and Linux.
PREFERRED = (
    "notosans", "notoemoji", "notocoloremoji",
    "pingfang", "hiragino", "applesdgothicneo", "geezapro", "arialhb", "kohinoor", "thonburi", "applecoloremoji",
    "segoeui", "msyh", "yugothr", "yugothm", "malgun", "nirmala", "leelawui", "leelaui", "seguiemj",
    "wqymicrohei", "wqyzenhei", "droidsansfallback", "dejavusans", "freesans",
)  # fmt: skip

# What file names of faces contain that are not upright, of regular weight and width, and sans serif.
STYLED = re.compile(
    r"bold|italic|oblique|light|thin|black|heavy|medium|semi|cond|narrow|mono|serif|naskh|kufi|looped|hairline|demi",
    re.IGNORECASE,
)
# Fonts without letters: they draw a box, or nothing, for every character.
PLACEHOLDERS = ("lastresort", "adobeblank", "adobenotdef")


def font_folders() -> tuple[Path, ...]:
    """The folders with fonts: those of SIGHTLAB_FONTS, separated as in PATH, if it is set; else the system's.

    An empty SIGHTLAB_FONTS means no fonts. Folders that do not exist are left out.
    """
    return _folders(os.environ.get("SIGHTLAB_FONTS"))


@cache
def _folders(named: str | None) -> tuple[Path, ...]:
    if named is not None:
        folders = [Path(part) for part in named.split(os.pathsep) if part]
    else:
        folders = [Path(os.path.expandvars(os.path.expanduser(folder))) for folder in SYSTEM]  # noqa: PTH111
        folders += [Path(sys.prefix, "fonts"), Path(sys.prefix, "share", "fonts"), *_package_folders()]
    return tuple(folder for folder in folders if folder.is_dir())


def font_paths(folders: Iterable[Path]) -> list[Path]:
    """The font files in the folders and below, in the order of preference: upright ones of known families first.

    The order depends only on file names, so that two machines with the same fonts choose the same.
    """
    return sorted({path for folder in folders for path in _files_below(folder)}, key=_rank)


def _package_folders() -> Iterator[Path]:
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        yield from map(Path, (spec.submodule_search_locations or ()) if spec else ())


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(SUFFIXES) and not _plain(name).startswith(PLACEHOLDERS):
                yield Path(parent, name)


def _rank(path: Path) -> tuple[bool, int, int, str, str]:
    name = _plain(path.stem)
    family = next((rank for rank, start in enumerate(PREFERRED) if name.startswith(start)), len(PREFERRED))
    return bool(STYLED.search(path.stem)), family, len(name), name, str(path)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
