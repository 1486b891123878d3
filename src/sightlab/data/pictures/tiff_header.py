"""TIFF header parser: bands, bits, and whether it is a camera's raw file, without decoding."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUBFILE, BITS, COMPRESSION, PHOTOMETRIC, MAKE, SAMPLES, PLANAR, SUB_DIRECTORIES = 254, 258, 259, 262, 271, 277, 284, 330
EXTRA_SAMPLES, SAMPLE_FORMAT, DNG_VERSION = 338, 339, 50706
READ = {
    *(SUBFILE, BITS, COMPRESSION, PHOTOMETRIC, MAKE, SAMPLES, SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT),
    DNG_VERSION,
}
TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 16: "Q"}  # unsigned ones and text; no other is needed here
MOST_VALUES = 64
COLOURS = {2: 3, 5: 4, 6: 3, 8: 3, 9: 3, 10: 3}  # samples a photometric interpretation takes; 1 where not listed
ALPHA = (1, 2, 999)  # what ExtraSamples calls transparency (999: Corel Draw)
SENSOR = (32803, 34892)  # photometric interpretations of camera sensors
FORMATS = {1: "whole", 2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
MAKERS = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF", "SAMSUNG": "SRW", "EPSON": "ERF"}


@dataclass(frozen=True)
class TiffHeader:
    """The first directory of a TIFF. tags: the values of those of `READ` that it has, at most 64 of each.

    canon: whether it begins as Canon's raw files do.
    """

    tags: Mapping[int, tuple[int, ...]]
    canon: bool = False

    @property
    def samples(self) -> int:
        """Samples a pixel, which are bands."""
        return self._one(SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Bits of the widest sample."""
        return max(self.tags.get(BITS, (1,)), default=1)

    @property
    def photometric(self) -> int:
        """The photometric interpretation: 0 white is zero, 1 black is zero, 2 RGB, 3 palette."""
        return self._one(PHOTOMETRIC, 0)

    @property
    def compression(self) -> int:
        """The compression's number."""
        return self._one(COMPRESSION, 1)

    @property
    def described(self) -> str:
        """What its pixels are, for messages: `2 x 16-bit whole numbers`."""
        return f"{self.samples} x {self.bits}-bit {FORMATS.get(self._one(SAMPLE_FORMAT, 1), 'other')} numbers"

    def _one(self, tag: int, default: int) -> int:
        return next(iter(self.tags.get(tag, ())), default)


def tiff_header(data: bytes) -> TiffHeader | None:
    """The header of the TIFF (or BigTIFF) that begins with these bytes; None for other files, and broken ones."""
    if data[:4] not in MAGIC:
        return None
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    count_form, entry_form = ("Q", "HHQ8s") if big else ("H", "HHI4s")
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (count,) = struct.unpack_from(order + count_form, data, start)
        first = start + struct.calcsize(order + count_form)
        size = struct.calcsize(order + entry_form)
        entries = [struct.unpack_from(order + entry_form, data, first + size * n) for n in range(min(count, 1000))]
    except (struct.error, OverflowError):
        return None
    offset_form = "Q" if big else "I"
    tags = {tag: _values(data, order, offset_form, *rest) for tag, *rest in entries if tag in READ}
    return TiffHeader(tags, data[8:11] == b"CR\x02")


def _values(data: bytes, order: str, offset_form: str, kind: int, count: int, field: bytes) -> tuple[int, ...]:
    """A tag's values, which stand in its entry or, where they are too long, where it points; none when out of reach."""
    form = f"{order}{min(count, MOST_VALUES)}{TYPES[kind]}" if kind in TYPES else ""
    if not form:
        return ()
    try:
        if count * struct.calcsize(TYPES[kind]) <= len(field):
            return struct.unpack_from(form, field)
        return struct.unpack_from(form, data, struct.unpack(order + offset_form, field)[0])
    except (struct.error, OverflowError):
        return ()


def bands_refused(header: TiffHeader) -> str | None:
    """Why a TIFF is no grey or colour picture, said of its name; None when it is one, with transparency or without.

    A band that the file does not call transparency is data of its own, which reading the others would drop.
    """
    colours, extra = COLOURS.get(header.photometric, 1), header.tags.get(EXTRA_SAMPLES, ())
    surplus = header.samples - colours
    if surplus <= 0 or (surplus == 1 and (not extra or extra[0] in ALPHA)):
        return None
    if header.samples == 3:
        return "has 3 bands that are not marked as RGB; save it with the photometric interpretation RGB"
    return f"has {header.samples:,} bands; pictures of 1 (grey) or 3 (RGB) can be read; save the bands you want as RGB"


def camera_raw(header: TiffHeader) -> str | None:
    """`a camera raw (NEF) file` for a TIFF that is a camera's raw file; its first picture may be a mere thumbnail."""
    tags = header.tags
    if header.canon:
        return "a camera raw (CR2) file"
    if DNG_VERSION in tags:
        return "a camera raw (DNG) file"
    thumbnail_first = bool(header._one(SUBFILE, 0) & 1) and SUB_DIRECTORIES in tags
    if not thumbnail_first and header.photometric not in SENSOR:
        return None
    make = bytes(tags.get(MAKE, ())).decode("latin-1").upper()
    kinds = [kind for maker, kind in MAKERS.items() if make.startswith(maker)]
    return f"a camera raw ({kinds[0]}) file" if kinds else "a camera raw file"
