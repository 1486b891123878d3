"""File type detection by magic number, and advice on types that are not read."""

from __future__ import annotations

import re
import struct

from sightlab.data.pictures.tiff_header import camera_raw, tiff_header

HEAD_BYTES = 4096
"""So many first bytes tell every kind here."""

UNPACK = "unpack it, or pack it as zip or tar"
EXPORT = "export its pictures to files, Parquet or WebDataset shards"
TO_PNG = "convert it to PNG"
TO_NPZ = "save its arrays as npz"
REFETCH = "the download failed; fetch it again"

HEIC = "a HEIC picture"
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
VIDEO_BRANDS = (b"isom", b"iso2", b"mp41", b"mp42", b"M4V ", b"avc1", b"qt  ", b"3gp4", b"3gp5")

# What it is, what to do, and (offset, bytes) of which any one tells it.
FIXED: tuple[tuple[str, str, tuple[tuple[int, bytes], ...]], ...] = (
    ("a Git LFS pointer", "run `git lfs pull`", ((0, b"version https://git-lfs."),)),
    ("a DICOM file", TO_PNG, ((128, b"DICM"),)),
    ("a MATLAB file", TO_NPZ, ((0, b"MATLAB 5.0 MAT-file"), (0, b"MATLAB 7.3 MAT-file"))),
    ("an HDF5 file", TO_NPZ, tuple((offset, b"\x89HDF\r\n\x1a\n") for offset in (0, 512, 1024, 2048))),
    ("a NIfTI file", "save its slices as PNG", ((344, b"n+1\0"), (344, b"ni1\0"))),
    ("a FITS file", TO_PNG, ((0, b"SIMPLE  ="),)),
    ("an LMDB database", EXPORT, ((16, b"\xde\xc0\xef\xbe"), (16, b"\xbe\xef\xc0\xde"))),
    ("an SQLite database", EXPORT, ((0, b"SQLite format 3\0"),)),
    ("a 7z archive", UNPACK, ((0, b"7z\xbc\xaf\x27\x1c"),)),
    ("a RAR archive", UNPACK, ((0, b"Rar!\x1a\x07"),)),
    ("a Zstandard archive", UNPACK, ((0, b"\x28\xb5\x2f\xfd"),)),
    ("an LZ4 archive", UNPACK, ((0, b"\x04\x22\x4d\x18"),)),
    ("a gzip archive", "unpack it", ((0, b"\x1f\x8b"),)),
    ("an old Office file", "save it as CSV", ((0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),)),
    ("a PDF", "save its pages as PNG", ((0, b"%PDF-"),)),
    ("a Photoshop file", "save it as PNG", ((0, b"8BPS"),)),
    ("a GIMP file", "save it as PNG", ((0, b"gimp xcf "),)),
    ("an EPS drawing", TO_PNG, ((0, b"%!PS"), (0, b"\xc5\xd0\xd3\xc6"))),
    ("a JPEG XL picture", TO_PNG, ((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \r\n\x87\n"))),
    ("an OpenEXR picture", TO_PNG, ((0, b"\x76\x2f\x31\x01"),)),
    ("a camera raw (CR3) file", "convert it to JPEG", ((4, b"ftypcrx "),)),
    ("a camera raw (ORF) file", "convert it to JPEG", ((0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"))),
    ("a camera raw (RW2) file", "convert it to JPEG", ((0, b"IIU\0"),)),
    ("a camera raw (RAF) file", "convert it to JPEG", ((0, b"FUJIFILMCCD-RAW"),)),
    ("a video", "save its frames as pictures", ((8, b"AVI LIST"), (0, b"\x1a\x45\xdf\xa3"))),
)
TOLD = {
    HEIC: "install sightlab[heic] to read it, or convert it to JPEG",
    "a TFRecord file": EXPORT,
    "an Excel workbook": "save the sheet as CSV",
    "a zip archive": "unpack it",
    "a pickle": "a pickle could run code; save its arrays as npz",
    "an HTML page": REFETCH,
    "an XML error page": REFETCH,
    "an SVG drawing": TO_PNG,
}
REMEDIES = {name: remedy for name, remedy, _ in FIXED} | TOLD
# Protocols 2 to 5 begin with their number and an opcode that puts something on the stack; protocol 0 is text.
PICKLE = re.compile(
    rb"\x80[\x02-\x05][\x8a\x8c\x95()\]}cKMJXUG]|\([dl]p\d+\n|c(__main__|builtins|__builtin__|copy_?reg|collections|numpy|torch)"
    rb"[\w.]*\n"
)
HTML = re.compile(rb"<(!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
XML_ERROR = re.compile(rb"(<\?xml[^>]*>\s*)?<error[\s>]", re.IGNORECASE)
OFFICE = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/")  # with which the first member of a workbook begins


def kind_of_head(head: bytes) -> str | None:
    """What a file is by its first bytes, with its article; None for pictures and tables that are read, and the unknown.

    head: the first `HEAD_BYTES` bytes, fewer where the file is shorter.

    >>> kind_of_head(b"version https://git-lfs.github.com/spec/v1\\n"), kind_of_head(b"<!DOCTYPE html><html>")
    ('a Git LFS pointer', 'an HTML page')
    >>> kind_of_head(b"\\x89PNG\\r\\n\\x1a\\n"), kind_of_head(b"file,label\\n")
    (None, None)
    """
    for name, _, places in FIXED:
        if any(head.startswith(magic, offset) for offset, magic in places):
            return name
    return _iso_media(head) or _text(head) or _binary(head)


def remedy_of(kind: str) -> str:
    """What to do with a file of a kind that `kind_of_head` names, in one short phrase.

    >>> remedy_of("a Git LFS pointer")
    'run `git lfs pull`'
    """
    return REMEDIES.get(kind, "convert it to JPEG")  # not listed: the camera raws that are TIFFs inside


def _iso_media(head: bytes) -> str | None:
    """HEIC pictures and videos: boxes, of which the first lists what the file is compatible with."""
    if head[4:8] != b"ftyp":
        return None
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(int.from_bytes(head[:4]), len(head)), 4))]
    if b"avif" in brands or b"avis" in brands:
        return None
    if brands[0] in HEIC_BRANDS:
        return HEIC
    return "a video" if brands[0] in VIDEO_BRANDS else None


def _text(head: bytes) -> str | None:
    """Pages and drawings that are text in angle brackets."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"<"):
        return None
    if HTML.search(text):  # comments may come first; a page may well hold drawings
        return "an HTML page"
    if SVG.search(text):
        return "an SVG drawing"
    return "an XML error page" if XML_ERROR.match(text) else None


def _binary(head: bytes) -> str | None:
    """Kinds that take more than a look at fixed bytes."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "an Excel workbook" if head.startswith(OFFICE, 30) and b"xl/" in head else "a zip archive"
    header = tiff_header(head)
    if header is not None:
        return camera_raw(header)
    if _is_tfrecord(head):
        return "a TFRecord file"
    return "a pickle" if PICKLE.match(head) else None


def _is_tfrecord(head: bytes) -> bool:
    """Whether a record begins here: its length in 8 bytes, the masked CRC-32C of these, and as a rule an Example."""
    if len(head) < 12:
        return False
    length, checksum = struct.unpack_from("<QI", head)
    crc = _crc32c(head[:8])
    return checksum == (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF) or _is_example(head[12:24], length)


def _is_example(message: bytes, length: int) -> bool:
    """Whether a message of so many bytes begins as tf.train.Example does: one field, 1, that takes all of it.

    >>> _is_example(b"\\x0a\\x26\\x0a\\x0c", 40), _is_example(b"\\x0a\\x26\\x0a\\x0c", 41)
    (True, False)
    """
    size = 0
    for place, byte in enumerate(message[1:], 1):
        size |= (byte & 0x7F) << 7 * (place - 1)
        if byte < 0x80:
            return message.startswith(b"\x0a") and size + place + 1 == length
    return False


def _crc32c(data: bytes) -> int:
    """The Castagnoli checksum.

    >>> hex(_crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
