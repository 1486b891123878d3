"""Code page detection for file names in zip archives that are not UTF-8."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from sightlab.errors import DataError, one_line

# In the order they are preferred where two read the names equally well.
PAGES = ("gb18030", "cp932", "big5", "cp949", "cp1251", "cp866", "cp1252", "cp437")


def in_code_page(names: Sequence[bytes], encoding: str | None, label: str) -> tuple[str, list[str]]:
    """The code page of these names and the names in it: UTF-8 where it fits, else the one that reads most plausibly.

    encoding: the code page, where the user gives it. Raises DataError where that one does not fit.

    >>> in_code_page(["猫猫".encode("gbk"), "狗狗".encode("gbk")], None, "pets.zip")
    ('gb18030', ['猫猫', '狗狗'])
    """
    for page in ("utf-8",) if encoding is None else (encoding,):
        try:
            return page, [name.decode(page) for name in names]
        except (UnicodeDecodeError, LookupError) as error:
            if encoding is not None:
                raise DataError(f"{label}: its names cannot be read as {encoding}: {one_line(error)[:120]}") from error
    readings = [(page, texts) for page in PAGES if (texts := decoded(names, page)) is not None]
    page, texts = max(readings, key=lambda r: (plausibility(r[0], names, r[1]), -PAGES.index(r[0])))
    return page, texts


def decoded(names: Sequence[bytes], page: str) -> list[str] | None:
    """The names in a code page, None where it has no such bytes."""
    try:
        return [name.decode(page) for name in names]
    except UnicodeDecodeError:
        return None


def plausibility(page: str, names: Sequence[bytes], texts: Sequence[str]) -> float:
    """From 0 to 1: the share of foreign characters that are letters people write with in this code page."""
    foreign = [c for text in texts for c in text if not c.isascii()]
    if not foreign:
        return 0.0
    if page in COMMON:
        return sum(map(common_in(page), pairs(names))) / max(1, sum(1 for _ in pairs(names)))
    letters = sum(unicodedata.category(c) in ("Ll", "Lu", "Lo") for c in foreign)
    lower = sum(c.islower() for c in foreign) / len(foreign)
    words = [word for text in texts for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]
    of_one_script = sum(len(scripts(word)) == 1 for word in words) / max(1, len(words))
    return letters / len(foreign) * of_one_script * (0.5 + 0.4 * lower)


def scripts(word: str) -> set[str]:
    """The scripts of a word's letters: people write a word in one.

    >>> scripts("кошка"), sorted(scripts("chиvre"))
    ({'CYRILLIC'}, ['CYRILLIC', 'LATIN'])
    """
    return {unicodedata.name(letter, "?").split(" ")[0] for letter in word}


# First bytes of the rows of each page that hold its everyday characters: kana and level 1 of JIS, level 1 of GB 2312,
# the frequent characters of Big5, hangul of KS X 1001.
COMMON = {
    "gb18030": range(0xB0, 0xD8),
    "cp932": range(0x82, 0x98),
    "big5": range(0xA4, 0xC7),
    "cp949": range(0xB0, 0xC9),
}


def common_in(page: str) -> Callable[[bytes], bool]:
    """Whether a pair of bytes is an everyday character of this page."""
    rows = COMMON[page]

    def is_common(pair: bytes) -> bool:
        if page == "cp932" and pair[:1] == b"\x83":
            return True
        return pair[0] in rows and (len(pair) < 2 or page == "cp932" or pair[1] >= 0xA1 or page == "big5")

    return is_common


def pairs(names: Sequence[bytes]) -> Iterator[bytes]:
    """The double bytes of the names, ASCII left out."""
    for name in names:
        place = 0
        while place < len(name):
            if name[place] < 0x80:
                place += 1
                continue
            yield name[place : place + 2]
            place += 2
