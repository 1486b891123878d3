"""One picture's bytes become the pixels that Pillow, torchvision or arithmetic say."""

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.pictures.decode import MAX_PIXELS, decode, look
from sightlab.errors import DataError
from tests.picture_files import encoded, noise

COLOUR = noise(5, 7, 3)
GREY = noise(5, 7, 1)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG put together by hand, for kinds that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def on_white(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    share = alpha[..., None].astype(float) / 255
    return np.floor(colour * share + 255 * (1 - share) + 0.5).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("picture", [COLOUR, GREY], ids=["colour", "grey"])
def test_lossless_kinds_give_back_their_pixels(kind: str, picture: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(decode(encoded(picture, kind), "x"), picture)


@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"lossless": True}), ("JPEG2000", {}), ("JPEG", {})])
def test_other_kinds_are_as_pillow_shows_them(kind: str, options: dict[str, Any]) -> None:
    data = encoded(noise(32, 40), kind, **options)
    np.testing.assert_array_equal(decode(data, "x"), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str, order: str) -> None:
    values = np.array([[0, 1, 128, 129, 256], [257, 32767, 32768, 65534, 65535]])
    shown = decode(encoded(values.astype(order), kind), "x")
    np.testing.assert_array_equal(shown[..., 0], np.floor(values / 257 + 0.5))


def test_whole_numbers_of_32_bits_within_16_are_scaled_and_others_refused() -> None:
    values = np.array([[0, 257, 65535]], np.int32)
    assert decode(encoded(values, "TIFF"), "x").ravel().tolist() == [0, 1, 255]
    with pytest.raises(DataError, match=r"deep\.tif .*run from 0 to 65792; save it with 8 or 16 bits"):
        decode(encoded(values + np.array([[0, 0, 257]], np.int32), "TIFF"), "deep.tif")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_laid_on_white(kind: str) -> None:
    picture = noise(64, 64, 4)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(
        decode(encoded(picture, kind, **options), "x"), on_white(picture[..., :3], picture[..., 3])
    )


def test_grey_with_alpha_stays_grey_on_white() -> None:
    picture = noise(64, 64, 2)
    np.testing.assert_array_equal(decode(encoded(picture), "x"), on_white(picture[..., :1], picture[..., 1]))


def test_a_palette_shows_its_colours_and_its_transparent_entry_white() -> None:
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.putdata([0, 1, 2])
    colours = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    assert decode(encoded(picture), "x")[0].tolist() == colours
    assert decode(encoded(picture, transparency=1), "x")[0].tolist() == [colours[0], [255] * 3, colours[2]]
    assert decode(encoded(picture, "GIF", transparency=1), "x")[0].tolist() == [colours[0], [255] * 3, colours[2]]
    half = decode(encoded(picture, transparency=bytes([255, 128, 0])), "x")[0]
    np.testing.assert_array_equal(half, on_white(np.array(colours), np.array([255, 128, 0])))


def test_a_palette_of_greys_is_a_grey_picture() -> None:
    picture = Image.new("P", (3, 1))
    picture.putpalette([9, 9, 9, 200, 200, 200, 7, 7, 7])
    picture.putdata([0, 1, 2])
    data = encoded(picture)
    assert decode(data, "x").tolist() == [[[9], [200], [7]]]
    assert look(data, "x").grey


@pytest.mark.parametrize(
    ("depth", "row", "key", "shown"),
    [
        (1, b"\xa0", 1, [255, 0, 255]),
        (1, b"\xa0", 0, [255, 255, 255]),
        (2, b"\x1b", 1, [0, 255, 170, 255]),
        (4, b"\x0f\x70", 7, [0, 255, 255, 0]),
        (8, b"\x05\x06\x07", 6, [5, 255, 7]),
        (16, b"\x05\x05\x80\x80\x80\x81", 0x8080, [5, 255, 128]),
    ],
)
def test_a_grey_png_shows_its_transparent_value_white(depth: int, row: bytes, key: int, shown: list[int]) -> None:
    data = png(len(shown), 1, depth, 0, [row], (b"tRNS", struct.pack(">H", key)))
    assert decode(data, "x").ravel().tolist() == shown


@pytest.mark.parametrize(("depth", "scale"), [(8, 1), (16, 257)])
def test_a_colour_png_shows_its_transparent_colour_white(depth: int, scale: int) -> None:
    pixels = [(1, 2, 3), (1, 2, 4)]
    pack = "B" if depth == 8 else "H"
    row = b"".join(struct.pack(f">3{pack}", *(v * scale for v in pixel)) for pixel in pixels)
    data = png(2, 1, depth, 2, [row], (b"tRNS", struct.pack(">3H", *(v * scale for v in pixels[0]))))
    assert decode(data, "x")[0].tolist() == [[255] * 3, [1, 2, 4]]


def test_one_bit_pictures_are_black_and_white() -> None:
    bits = np.array([[0, 1, 1], [1, 0, 1]], bool)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bits)), "x")[..., 0], bits * 255)


def test_cmyk_becomes_the_colours_it_prints() -> None:
    data = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert decode(data, "x").shape == (8, 8, 3)
    np.testing.assert_allclose(decode(data, "x")[0, 0], [255, 0, 0], atol=3)
    tiff = encoded(Image.new("CMYK", (2, 2), (255, 0, 0, 0)), "TIFF")
    assert decode(tiff, "x")[0, 0].tolist() == [0, 255, 255]


def test_ycck_becomes_the_colours_it_prints() -> None:
    # CMYK JPEGs of Adobe's are stored inverted and, marked with transform 2, as YCC of the inverted CMY.
    data = bytearray(encoded(Image.new("CMYK", (8, 8), (30, 30, 30, 0)), "JPEG", quality=100))
    marker = data.index(b"Adobe")
    assert data[marker + 11] == 0
    data[marker + 11] = 2
    theirs = np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGB"))
    assert np.ptp(theirs[0, 0].astype(int)) > 100  # equal C, M and Y read as Y, Cb and Cr are no grey
    np.testing.assert_array_equal(decode(bytes(data), "x"), theirs)


def test_grey_is_repeated_and_colour_becomes_luma() -> None:
    np.testing.assert_array_equal(decode(encoded(GREY), "x", 3), np.repeat(GREY, 3, axis=2))
    luma = np.asarray(Image.fromarray(COLOUR).convert("L"))[..., None]
    np.testing.assert_array_equal(decode(encoded(COLOUR), "x", 1), luma)
    np.testing.assert_allclose(luma[..., 0], COLOUR @ [0.299, 0.587, 0.114], atol=0.51)
    with pytest.raises(DataError, match="channels is 4"):
        decode(encoded(GREY), "x", 4)


TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_pictures_stand_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(COLOUR, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    expected = TURNS[orientation](COLOUR)
    np.testing.assert_array_equal(decode(data, "x"), expected)
    header = look(data, "x")
    assert (header.height, header.width, header.grey) == (*expected.shape[:2], False)


def test_exif_that_cannot_be_read_turns_nothing() -> None:
    data = encoded(COLOUR, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    np.testing.assert_array_equal(decode(data, "x"), COLOUR)


def test_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind in ("GIF", "PNG", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert (decode(data, "x") == [255, 0, 0]).all(), kind


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (10_001, 10_000), (MAX_PIXELS + 1, 1)])
@pytest.mark.parametrize("opening", [decode, look])
def test_a_bomb_is_refused_before_its_pixels_are_decoded(width: int, height: int, opening: Any) -> None:
    data = png(width, height, 8, 0, [b""])  # there are no pixels to decode: it would be told broken if they were
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=rf"a/bomb\.png declares {width:,} x {height:,} pixels; .* 100,000,000;"):
            opening(data, "a/bomb.png")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_picture_at_the_limit_is_not_a_bomb_and_pillow_does_not_warn() -> None:
    header = look(png(10_000, 10_000, 8, 0, [b""]), "x")
    assert (header.height, header.width) == (10_000, 10_000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"<html>not found</html>", "it is an HTML page; the download failed; fetch it again"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "it is an EPS drawing; convert it to PNG"),
        (b"not a picture", "it is not a picture of a known kind"),
        (encoded(noise(40, 40), "JPEG")[:700], "truncated"),
        (encoded(noise(40, 40))[:900], "truncated"),
    ],
)
def test_a_broken_picture_is_named_with_the_reason_and_the_way_on(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=rf"pets\.zip: cat/1\.jpg cannot .*{reason}.*`skip_broken=true`") as caught:
        decode(data, "pets.zip: cat/1.jpg")
    assert "\n" not in str(caught.value)


SAMPLES = [
    encoded(noise(9, 9), "PNG"),
    encoded(noise(9, 9), "JPEG"),
    encoded(noise(9, 9), "GIF"),
    encoded(noise(9, 9, 4), "TIFF", compression="tiff_lzw"),
    encoded(noise(9, 9), "BMP"),
    encoded(noise(9, 9), "WEBP"),
    encoded(noise(9, 9, 1), "PPM"),
    encoded(noise(9, 9, 1)[..., 0].astype(np.uint16) * 15),
    encoded(noise(9, 9, 1)[..., 0].astype(np.uint16) * 15, "TIFF"),
    encoded(noise(9, 9, 1)[..., 0].astype(np.float32) / 255, "TIFF"),
    png(5, 4, 16, 2, [bytes(range(30))] * 4),
    png(5, 4, 16, 6, [bytes([0, 200] * 20)] * 4),
]


@given(st.sampled_from(SAMPLES), st.integers(0, 2000), st.binary(min_size=1, max_size=6), st.booleans())
@example(SAMPLES[0], 16, b"\x7f\xff\xff\xff\x7f\xff", False)
def test_damaged_bytes_give_a_picture_or_a_data_error(data: bytes, place: int, change: bytes, cut: bool) -> None:
    place %= len(data)
    damaged = data[:place] + change + (b"" if cut else data[place + len(change) :])
    try:
        pixels = decode(damaged, "x")
    except DataError as error:
        assert str(error).startswith("x ")
    else:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)
