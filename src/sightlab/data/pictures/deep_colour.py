"""16-bit colour, of which Pillow keeps the high bytes only: full values for sets that use fewer bits."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.pictures.bit_depth import FULL, check_fits, scaled
from sightlab.data.pictures.tiff_header import BITS, PLANAR

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type
# Adam7's passes: the first column and row of each, and its steps.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
OTHER_ORDER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
SUSPECT = 64
"""High bytes up to here may be of a range of fewer bits; above, the set uses all 16."""


def shrink_colour(picture: Image.Image, data: bytes, bits: int) -> int:
    """Brings a loaded picture, in place, from colours of 0..2**bits - 1 to 8 bits; gives its largest value.

    At 16 bits the high bytes stay, as Pillow and torchvision show them. Of values of 16,384 or more the largest is
    told roughly. Transparency does not count, and keeps all its 16 bits where it uses them. Raises ValueError for
    values beyond the range, and for files whose full values are out of reach.
    """
    colours = 1 if picture.mode.startswith("L") else 3
    extrema: Any = picture.getextrema()
    high = max(int(top) for _, top in extrema[:colours])
    values = _values(picture, data) if bits < FULL or high <= SUSPECT else None
    if values is None:
        if bits < FULL:
            raise ValueError(f"its colours have 16 bits, which cannot be read as {bits} of its kind; save it with 8")
        return high << 8 | 0xFF
    key = picture.info.get("transparency")
    shown = (values != key).any(axis=2) if isinstance(key, tuple) else np.ones(values.shape[:2], bool)
    largest = int(values[shown, :colours].max(initial=0))
    if bits < FULL:
        check_fits(largest, bits)
        picture.paste(Image.fromarray(_eight_bits(values, colours, shown, bits)))
        picture.info.pop("transparency", None)  # these pixels are white now
    return largest


def _eight_bits(values: NDArray[np.uint16], colours: int, shown: NDArray[np.bool_], bits: int) -> NDArray[np.uint8]:
    """uint16 [H, W, colours and alpha] as uint8, pixels not shown in white."""
    alpha = values[..., colours:]
    of_alpha = FULL if alpha.size and alpha.max() >= 1 << bits else bits
    visible = np.where(shown[..., None], values[..., :colours], (1 << bits) - 1)
    return np.concatenate([scaled(visible, bits), scaled(alpha, of_alpha)], axis=2)


def _values(picture: Image.Image, data: bytes) -> NDArray[np.uint16] | None:
    """The full values of a loaded picture, uint16 [H, W, C]; None where its kind does not let them be read."""
    if picture.format == "PPM":
        return _ppm_values(data)
    low = _png_low(data) if picture.format == "PNG" else _tiff_low(data) if picture.format == "TIFF" else None
    if low is None:
        return None
    with low:
        low.load()
        below = np.asarray(low.convert(picture.mode), np.uint16)
    return np.asarray(picture, np.uint16) << np.uint16(8) | below


def _ppm_values(data: bytes) -> NDArray[np.uint16] | None:
    with Image.open(io.BytesIO(data), formats=("PPM",)) as picture:
        (decoder, _, offset, _), (width, height) = tiles_of(picture)[0], picture.size
    if decoder != "ppm":
        return None  # digits as text
    return np.frombuffer(data, ">u2", width * height * 3, offset).astype(np.uint16).reshape(height, width, 3)


def tiles_of(picture: Image.Image) -> list[Any]:
    """Where the pixels of a picture lie that is not loaded yet: (decoder, box, offset, arguments) each."""
    tiles: list[Any] = getattr(picture, "tile", [])
    return tiles


def mend_planes(picture: Image.Image) -> None:
    """Has planes of 16 bits in an uncompressed TIFF read as such: Pillow takes their bytes for values of 8 bits."""
    tags = getattr(picture, "tag_v2", None)
    if tags is not None and max(tags.get(BITS) or (1,)) == FULL:
        order = "L" if tags.prefix == b"II" else "B"
        _set_modes(
            picture, [f"{tile[3][0]};16{order}" if tile[3][0] in "RGBA" else tile[3][0] for tile in tiles_of(picture)]
        )


def _set_modes(picture: Image.Image, modes: list[str]) -> None:
    tiles = [(tile, (*tile[:3], (mode, *tile[3][1:]))) for tile, mode in zip(tiles_of(picture), modes, strict=True)]
    made = [tile._make(fields) if hasattr(tile, "_make") else fields for tile, fields in tiles]
    picture.tile = made  # type: ignore[attr-defined]


def _tiff_low(data: bytes) -> Image.Image | None:
    """The picture of a TIFF's low bytes: those that are the high ones in the other order of bytes."""
    picture = Image.open(io.BytesIO(data), formats=("TIFF",))
    mend_planes(picture)
    modes = [tile[3][0] for tile in tiles_of(picture)]
    planes = getattr(picture, "tag_v2", {}).get(PLANAR) == 2
    if any(";16" not in mode or "a" in mode or (planes and mode[-1] == "N") for mode in modes):
        picture.close()
        return None  # premultiplied alpha is divided by, and libtiff chooses the order of planes itself
    _set_modes(picture, [mode[:-1] + OTHER_ORDER[mode[-1]] for mode in modes])
    return picture


def _png_low(data: bytes) -> Image.Image:
    """The picture of a PNG's low bytes. Filters work on each byte of a pixel by itself, so they can be taken apart."""
    width, height, _, kind, compression, filtering, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    pixel = 2 * PNG_CHANNELS[kind]
    passes = [_pass_size(width, height, *each) for each in ADAM7] if interlaced else [(width, height)]
    sizes = [(rows, 1 + columns * pixel) for columns, rows in passes if columns and rows]
    total = sum(rows * row for rows, row in sizes)
    stream = zlib.decompressobj().decompress(b"".join(_png_pixels(data)), total)
    if len(stream) < total:
        raise ValueError("its pixels are cut short")
    blocks, start = [], 0
    for rows, row in sizes:
        block = np.frombuffer(stream, np.uint8, rows * row, start).reshape(rows, row)
        blocks.append(np.concatenate([block[:, :1], block[:, 2::2]], axis=1).tobytes())
        start += rows * row
    header = struct.pack(">IIBBBBB", width, height, 8, kind, compression, filtering, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(blocks), 0)), (b"IEND", b""))
    made = b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return Image.open(io.BytesIO(PNG_SIGNATURE + made), formats=("PNG",))


def _pass_size(width: int, height: int, column: int, row: int, across: int, down: int) -> tuple[int, int]:
    return max(0, -((column - width) // across)), max(0, -((row - height) // down))


def _png_pixels(data: bytes) -> Iterator[bytes]:
    """The compressed pixels, chunk by chunk."""
    place = len(PNG_SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IDAT":
            yield data[place + 8 : place + 8 + length]
        place += length + 12
