"""Recognising picture files by suffix, or by magic number where there is none."""

from __future__ import annotations

import re

PICTURE_SUFFIXES = re.compile(
    r"apng|avifs?|bmp|dib|gif|hei[cf]s?|hif|j2[ck]|jfif|jp[2cfx]|jpe?g?|p[bgnpf]m|png|tiff?|webp"
)
HEAD_BYTES = 16


def is_picture_head(head: bytes) -> bool:
    """Whether a file's first bytes are those of a kind of picture.

    >>> is_picture_head(b"\\x89PNG\\r\\n\\x1a\\n"), is_picture_head(b"BMW is a car")
    (True, False)
    """
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"))
        or (head[:2] == b"BM" and head[6:10] == bytes(4))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace())
        or head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"))
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1"))
    )


def suffix_of(name: str) -> str:
    """The part of a file's name after its last dot, in small letters; empty where there is none.

    >>> suffix_of("a/1.JPG"), suffix_of("a.b/1"), suffix_of(".png")
    ('jpg', '', '')
    """
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return suffix.casefold() if dot and stem else ""


def is_picture_name(name: str) -> bool:
    """Whether a file is a picture by its suffix."""
    return bool(PICTURE_SUFFIXES.fullmatch(suffix_of(name)))
