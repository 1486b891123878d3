"""Opening a picture file with Pillow, quietly; failures become a DataError of one line."""

from __future__ import annotations

import ctypes
import functools
import importlib
import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from sightlab.data.pictures.magic import HEAD_BYTES, HEIC, kind_of_head, remedy_of
from sightlab.data.pictures.tiff_header import bands_refused, camera_raw, tiff_header
from sightlab.errors import DataError, one_line

MAX_PIXELS = 100_000_000
# The kinds that are opened. Not among them: those that run a program (EPS), or that any bytes at all seem to be (TGA).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
SKIP_HINT = "`skip_broken=true` goes on without it"
LONGEST_REASON = 120
# What Pillow's readers raise on bytes that are not what they seem: each plugin has habits of its own.
BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(AssertionError, RuntimeError, struct.error, Image.DecompressionBombError, Warning),
)


@contextmanager
def opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """The picture, its size checked, its pixels not yet decoded; whatever goes wrong inside is a DataError.

    Raises DataError naming `name` also for TIFFs of more bands than colour has, and for cameras' raw files.
    """
    _refuse_tiff(data, name)
    try:
        with quiet, _image(data, name) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{name} declares {width:,} x {height:,} pixels; a picture may have at most {MAX_PIXELS:,}; "
                    f"shrink it, or {SKIP_HINT}"
                )
            yield picture
    except BROKEN as error:
        raise DataError(f"{name} cannot be decoded: {_reason(error, data)}; {SKIP_HINT}") from error


class _Quiet:
    """While any thread is inside, Pillow warns of nothing and has no limit of its own: ours is checked.

    To go in first takes longer than a small picture's header, so those who decode many go in around them all.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.limit: int | None = None
        self.filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif")
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.filters.__exit__(None, None, None)
                Image.MAX_IMAGE_PIXELS = self.limit


quiet = _Quiet()


def _refuse_tiff(data: bytes, name: str) -> None:
    """Raises DataError for a TIFF that Pillow would read wrongly, or complain of on standard error."""
    header = tiff_header(data)
    if header is None:
        return
    raw = camera_raw(header)
    if raw is not None:
        raise DataError(f"{name} cannot be decoded: it is {raw}; {remedy_of(raw)}; {SKIP_HINT}")
    bands = bands_refused(header)
    if bands is not None:
        raise DataError(f"{name} {bands}")
    if header.compression != 1:
        _quiet_libtiff()


@functools.cache
def _quiet_libtiff() -> None:
    """Has libtiff print no errors to standard error, which it does beside reporting them; where it can be found."""
    with suppress(OSError, AttributeError):
        for path in set(re.findall(r"/\S*/libtiff\S*\.so\S*", Path("/proc/self/maps").read_text(encoding="utf-8"))):
            handler = ctypes.CDLL(path).TIFFSetErrorHandler
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _image(data: bytes, name: str) -> Image.Image:
    """The picture as Pillow opens it, or pillow-heif. Raises DataError for HEIC where that is not installed."""
    if data[4:8] != b"ftyp" or kind_of_head(data[:HEAD_BYTES]) != HEIC:
        return Image.open(io.BytesIO(data), formats=_formats())
    try:
        library = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise DataError(f"{name} is {HEIC}; {remedy_of(HEIC)}") from error
    picture: Image.Image = library.HeifImageFile(io.BytesIO(data))
    return picture


def _reason(error: BaseException, data: bytes) -> str:
    """What is wrong with a picture, in a few words."""
    if not data:
        return "it is empty"
    header = tiff_header(data)
    if isinstance(error, UnidentifiedImageError) and header is not None:
        return f"it is a TIFF of {header.described}, which cannot be read; save it with 8 or 16 bits"
    if isinstance(error, KeyError) and header is not None:
        return f"its compression is of a kind not known ({header.compression}); save it with LZW or none"
    if isinstance(error, UnidentifiedImageError):
        kind = kind_of_head(data[:HEAD_BYTES])
        if kind is not None:
            return f"it is {kind}; {remedy_of(kind)}"
        return "it is not a picture of a known kind (" + ", ".join(_formats()) + ")"
    reason = one_line(error) or type(error).__name__
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}..."
