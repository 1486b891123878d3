"""One picture file's bytes -> one array of pixels, whatever its kind; nothing of Pillow's own mishaps escapes."""

from __future__ import annotations

import functools
import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sightlab.errors import DataError, one_line

MAX_PIXELS = 100_000_000
MAX_SIDE = 10_000
# The kinds that are opened. Not among them: those that run a program (EPS), or that any bytes at all seem to be (TGA).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
IMAGE_WIDTH, IMAGE_LENGTH, ORIENTATION = 256, 257, 274  # tags of TIFF and EXIF
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
SKIP_HINT = "`--skip-broken` goes on without it"
# What Pillow's readers raise on bytes that are not what they seem: each plugin has habits of its own.
BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(AssertionError, RuntimeError, struct.error, Image.DecompressionBombError, Warning),
)


@dataclass(frozen=True)
class Decoding:
    """How picture files become arrays of one shape.

    size: every picture resized to size x size (see `fit`), or None: as they are. channels: 1, 3, or None: the
    pictures' own. skip_broken: leave out pictures that cannot be decoded, rather than stop at the first.
    """

    size: int | None = None
    channels: int | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= MAX_SIDE:
            raise DataError(f"size is {self.size}; it takes a whole number from 1 to {MAX_SIDE}")


@dataclass(frozen=True)
class Header:
    """What a picture file declares, seen upright: height and width in pixels, and whether it is grey."""

    height: int
    width: int
    grey: bool


def decode(data: bytes, name: str, channels: int | None = None) -> NDArray[np.uint8]:
    """The picture in `data`, upright, as uint8 [H, W, C].

    EXIF orientation is applied; of several frames the first is taken. 16-bit grey is scaled by 1/257 and rounded
    (16-bit colour comes from Pillow as its high byte). Transparent pixels are laid on white. channels: 3 repeats
    grey; 1 makes ITU-R 601 luma of colour; None takes 1 for a grey picture (also one with a palette of greys), else 3.

    Raises DataError naming `name` when the bytes are not a whole picture, or declare more than 100 million pixels
    (seen before any pixel is decoded).

    >>> stream = io.BytesIO()
    >>> Image.new("1", (3, 2), 1).save(stream, "PNG")
    >>> decode(stream.getvalue(), "white.png").ravel().tolist()
    [255, 255, 255, 255, 255, 255]
    """
    check_channels(channels)
    with _opened(data, name) as picture:
        picture.load()
        with suppress(*BROKEN):  # EXIF that cannot be read turns nothing; the pixels are whole
            ImageOps.exif_transpose(picture, in_place=True)
        pixels = _pixels(picture, data)
    if channels == 3 and pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if channels == 1 and pixels.shape[2] == 3:
        return np.array(Image.fromarray(pixels).convert("L"))[..., None]
    return pixels


def look(data: bytes, name: str) -> Header:
    """What the picture in `data` declares, without decoding it (one with a palette is decoded).

    Raises DataError as `decode` does.
    """
    with _opened(data, name) as picture:
        tags = getattr(picture, "tag_v2", None)  # a TIFF's, whose size newer Pillows turn themselves
        width, height = (tags[IMAGE_WIDTH], tags[IMAGE_LENGTH]) if tags else picture.size
        with suppress(*BROKEN):
            if picture.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8):
                width, height = height, width
        return Header(height, width, _is_grey(picture))


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


class _PixelLimit:
    """Lifts Pillow's own limit, which warns or raises as it likes, while any thread is inside; ours is checked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.before: int | None = None

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                Image.MAX_IMAGE_PIXELS = self.before


_own_limit = _PixelLimit()


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """The picture, its size checked, its pixels not yet decoded; whatever goes wrong inside is a DataError."""
    try:
        with _own_limit, Image.open(io.BytesIO(data), formats=_formats()) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{name} declares {width:,} x {height:,} pixels; a picture may have at most {MAX_PIXELS:,}; "
                    f"shrink it, or {SKIP_HINT}"
                )
            yield picture
    except BROKEN as error:
        raise DataError(f"{name} cannot be decoded: {_reason(error, data)}; {SKIP_HINT}") from error


def _reason(error: BaseException, data: bytes) -> str:
    if not data:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture of a known kind (" + ", ".join(_formats()) + ")"
    return one_line(error) or type(error).__name__


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode in ("P", "PA"):
        entries = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((entries == entries[:, :1]).all())
    return picture.mode in GREY_MODES


def _pixels(picture: Image.Image, data: bytes) -> NDArray[np.uint8]:
    """A loaded picture as uint8 [H, W, 1 or 3], transparent pixels on white."""
    key = _transparent_value(picture, data)
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        return np.where(values == key, np.uint8(255), _eight_bits(values))[..., None]
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
    key = picture.info.get("transparency")
    depth = data[24] if picture.format == "PNG" else 8
    if isinstance(key, tuple):  # of 16-bit colour Pillow keeps the high byte
        return tuple(int(value) >> 8 if depth == 16 else int(value) for value in key)
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


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit values [H, W] as round(value / 257): 0 stays 0 and 65,535 becomes 255."""
    wide = values.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
        raise ValueError(f"its pixels run from {wide.min()} to {wide.max()}; save it with 8 or 16 bits")
    return ((wide + 128) // 257).astype(np.uint8)


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W, C + 1], alpha last, over white: round((alpha * colour + (255 - alpha) * 255) / 255) [H, W, C]."""
    colour, alpha = pixels[..., :-1].astype(np.uint32), pixels[..., -1:].astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
