"""The image decoder: the bytes of one picture file to one array of pixels, for any format and bit depth."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sightlab.data.pictures.bit_depth import FULL, Stored, check_bit_depth, check_fits, scaled, stored
from sightlab.data.pictures.deep_colour import mend_planes, shrink_colour
from sightlab.data.pictures.image_file import BROKEN, MAX_PIXELS, opened
from sightlab.data.pictures.tiff_header import PHOTOMETRIC
from sightlab.errors import DataError

MAX_SIDE = 10_000
IMAGE_WIDTH, IMAGE_LENGTH, ORIENTATION = 256, 257, 274  # tags of TIFF and EXIF
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")


@dataclass(frozen=True)
class Decoding:
    """How picture files become arrays of one shape.

    size: every picture resized to size x size (see `fit`), or None: as they are. channels: 1, 3, or None: the
    pictures' own. skip_broken: leave out pictures that cannot be decoded, rather than stop at the first. bit_depth:
    pictures stored with 16 bits a channel have white at 2**bit_depth - 1, 8 to 16; None takes the smallest of 8, 10,
    12, 14 and 16 that holds all values of the set.
    """

    size: int | None = None
    channels: int | None = None
    skip_broken: bool = False
    bit_depth: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= MAX_SIDE:
            raise DataError(f"size is {self.size}; it takes a whole number from 1 to {MAX_SIDE}")
        check_bit_depth(self.bit_depth)


@dataclass(frozen=True)
class Header:
    """What a picture file declares, seen upright: height and width in pixels, and whether it is grey."""

    height: int
    width: int
    grey: bool


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture's pixels, uint8 [H, W, C], and what of its own range it uses.

    largest: the largest value of one stored with 16 bits a channel, exact below 16,384; None for others, and where
    the file declares its range itself (TIFF of 12 bits, JPEG 2000, PPM with a maximum). brightest: the largest value
    of one stored as floats, 0 to 1; None for others.
    """

    pixels: NDArray[np.uint8]
    largest: int | None = None
    brightest: float | None = None


def decode(data: bytes, name: str, channels: int | None = None, bit_depth: int = FULL) -> NDArray[np.uint8]:
    """The picture in `data`, upright, as uint8 [H, W, C].

    EXIF orientation is applied; of several frames the first is taken. Transparent pixels are laid on white. Grey of
    16 bits is round(v * 255 / (2**bit_depth - 1)), and so is colour of 16 bits at a smaller bit_depth; at 16 it is
    its high byte, as Pillow shows it. Floats from 0 to 1 are multiplied by 255. channels: 3 repeats grey; 1 makes
    ITU-R 601 luma of colour; None takes 1 for a grey picture (also one with a palette of greys), else 3.

    Raises DataError naming `name` when the bytes are not a whole picture, declare more than 100 million pixels (seen
    before any pixel is decoded), have more bands than colour, or values that bit_depth does not hold.

    >>> import io
    >>> stream = io.BytesIO()
    >>> Image.new("1", (3, 2), 1).save(stream, "PNG")
    >>> decode(stream.getvalue(), "white.png").ravel().tolist()
    [255, 255, 255, 255, 255, 255]
    """
    return decode_measured(data, name, channels, bit_depth).pixels


def decode_measured(data: bytes, name: str, channels: int | None = None, bit_depth: int = FULL) -> Decoded:
    """What `decode` gives, and what the picture uses of a range deeper than 8 bits.

    Raises DataError as `decode` does.
    """
    check_channels(channels)
    with opened(data, name) as picture:
        decoded = _decoded(picture, data, bit_depth)
    own = decoded.pixels.shape[2]
    if channels == 3 and own == 1:
        return replace(decoded, pixels=np.repeat(decoded.pixels, 3, axis=2))
    if channels == 1 and own == 3:
        return replace(decoded, pixels=np.array(Image.fromarray(decoded.pixels).convert("L"))[..., None])
    return decoded


def look(data: bytes, name: str) -> Header:
    """What the picture in `data` declares, without decoding it (one with a palette is decoded).

    Raises DataError as `decode` does.
    """
    with opened(data, name) as picture:
        tags = getattr(picture, "tag_v2", None)  # a TIFF's, whose size newer Pillows turn themselves
        width, height = (tags[IMAGE_WIDTH], tags[IMAGE_LENGTH]) if tags else picture.size
        with suppress(*BROKEN):
            if picture.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8):
                width, height = height, width
        return Header(height, width, _is_grey(picture))


def largest_of(data: bytes, name: str) -> int | None:
    """The largest value of a picture stored with 16 bits a channel, exact below 16,384; None for others.

    Only pictures of more than 8 bits are decoded. Raises DataError as `decode` does.
    """
    with opened(data, name) as picture:
        kept = stored(picture, data)
    return None if kept is None or kept.declared else decode_measured(data, name).largest


def fit(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The picture resized until its shorter side is `size`, then cut to its central size x size.

    picture: uint8 [H, W, C], C 1 or 3. Bilinear with antialiasing, sizes and places rounded as torchvision's
    Resize(size) and CenterCrop(size) do. A picture of size x size is given back as it is. Raises DataError for a
    picture so narrow that its longer side would have too many pixels.

    >>> fit(np.zeros((10, 21, 3), np.uint8), 5).shape
    (5, 5, 3)
    """
    height, width, channels = picture.shape
    if height == width == size:
        return picture
    if height <= width:
        rows, columns = size, int(size * width / height)
    else:
        rows, columns = int(size * height / width), size
    if rows * columns > MAX_PIXELS:
        raise DataError(
            f"a picture of {width} x {height} pixels with its shorter side resized to {size} has more than "
            f"{MAX_PIXELS:,} pixels; it is too narrow"
        )
    image = Image.fromarray(picture if channels == 3 else picture[..., 0])
    top, left = round((rows - size) / 2), round((columns - size) / 2)
    resized = np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))
    return np.ascontiguousarray(resized[top : top + size, left : left + size]).reshape(size, size, channels)


def check_channels(channels: int | None) -> None:
    """Raises DataError unless pictures can be decoded to so many channels: 1, 3, or None for their own."""
    if channels not in (None, 1, 3):
        raise DataError(f"channels is {channels}; pictures are decoded to 1 channel or 3")


def _decoded(picture: Image.Image, data: bytes, bit_depth: int) -> Decoded:
    """An opened picture, upright, with 1 or 3 channels."""
    kept = stored(picture, data)
    if kept is not None:
        mend_planes(picture)
    picture.load()
    is_grey = picture.mode == "F" or picture.mode.startswith("I")
    largest = shrink_colour(picture, data, bit_depth) if kept is not None and not is_grey else None
    with suppress(*BROKEN):  # EXIF that cannot be read turns nothing; the pixels are whole
        ImageOps.exif_transpose(picture, in_place=True)
    if not is_grey:
        return Decoded(_pixels(picture, data), largest)
    found = _from_floats(picture) if picture.mode == "F" else _from_whole_numbers(picture, kept, bit_depth)
    white_is_zero = getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == 0  # which Pillow minds in 8 bits only
    return replace(found, pixels=255 - found.pixels) if white_is_zero else found


def _from_whole_numbers(picture: Image.Image, kept: Stored | None, bit_depth: int) -> Decoded:
    """Grey of more than 8 bits, its transparent value white."""
    values = np.asarray(picture)[..., None]
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels run from {values.min()} to {values.max()}; save it with 8 or 16 bits")
    declared = kept is not None and kept.declared
    bits = kept.bits if kept is not None and declared else bit_depth
    shown = values != picture.info.get("transparency", -1)
    largest = int(values.max(initial=0, where=shown))
    check_fits(largest, bits)
    pixels = np.where(shown, scaled(np.minimum(values, (1 << bits) - 1), bits), np.uint8(255))
    return Decoded(pixels, None if declared else largest)


def _from_floats(picture: Image.Image) -> Decoded:
    """Grey of floats from 0 to 1."""
    values = np.asarray(picture, np.float64)[..., None]
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 1):  # also where a value is no number
        raise ValueError(
            f"its pixels are floating-point numbers from {low:g} to {high:g}; scale them to 0..1, or save 8 or 16 bits"
        )
    return Decoded(np.floor(values * 255 + 0.5).astype(np.uint8), brightest=float(high))


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode in ("P", "PA"):
        entries = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((entries == entries[:, :1]).all())
    return picture.mode in GREY_MODES


def _pixels(picture: Image.Image, data: bytes) -> NDArray[np.uint8]:
    """A loaded picture of 8 bits as uint8 [H, W, 1 or 3], transparent pixels on white."""
    key = _transparent_value(picture, data)
    if picture.mode in ("1", "L"):
        return _keyed(np.array(picture.convert("L"))[..., None], key)
    if picture.mode in ("LA", "La"):
        return _on_white(np.asarray(picture.convert("LA")))
    if picture.mode == "RGB":
        return _keyed(np.array(picture), key)
    if picture.has_transparency_data:
        pixels = _on_white(np.asarray(picture.convert("RGBA")))
    else:
        pixels = np.array(picture.convert("RGB"))
    return np.ascontiguousarray(pixels[..., :1]) if _is_grey(picture) else pixels


def _transparent_value(picture: Image.Image, data: bytes) -> int | tuple[int, ...] | None:
    """The grey or the colour that stands for "transparent" in a picture without alpha, as its pixels show it."""
    key: Any = picture.info.get("transparency")
    depth = data[24] if picture.format == "PNG" else 8
    if isinstance(key, tuple):  # of 16-bit colour Pillow keeps the high byte
        return tuple(int(value) >> 8 if depth == FULL else int(value) for value in key)
    if picture.mode in ("P", "PA") or not isinstance(key, int):
        return None
    if picture.mode == "1":
        return 255 if key else 0
    if picture.mode == "L" and depth < 8:  # Pillow spreads samples of 2 or 4 bits over 0..255, but not the key
        return int(key) * 255 // ((1 << depth) - 1)
    return int(key)


def _keyed(pixels: NDArray[np.uint8], key: int | tuple[int, ...] | None) -> NDArray[np.uint8]:
    if key is not None:
        pixels[(pixels == np.array(key)).all(axis=2)] = 255
    return pixels


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W, C + 1], alpha last, over white: round((alpha * colour + (255 - alpha) * 255) / 255) [H, W, C]."""
    colour, alpha = pixels[..., :-1].astype(np.uint32), pixels[..., -1:].astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
