"""Pictures deeper than 8 bits: a set is scaled by the range that it uses, said in a note, or by the one asked for."""

import io
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import sightlab
from sightlab.data.imageset import Parts, in_memory
from sightlab.data.pictures.assemble import Labelled, assemble
from sightlab.data.pictures.bit_depth import depth_holding, depth_of, scaled
from sightlab.data.pictures.decode import Decoding, decode, decode_measured, look
from sightlab.data.pictures.stream import each_picture, set_depth
from sightlab.data.webshards.read_shards import read_shards
from sightlab.errors import DataError
from sightlab.runs.finalize import bundle_facts
from sightlab.training.prepare import prepare
from tests.picture_files import encoded, noise, tarred

U16 = NDArray[np.uint16]


def values(top: int, *shape: int, seed: int = 0) -> U16:
    """Random values of which one is `top` and none is larger."""
    made = np.random.default_rng(seed).integers(0, top + 1, shape, dtype=np.uint16)
    made.flat[0] = top
    return made


def tif(picture: NDArray[Any], **options: Any) -> bytes:
    """A TIFF as an independent library writes it."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, picture, **options)
    return stream.getvalue()


def rounded(picture: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    return np.floor(picture * 255.0 / (2**bits - 1) + 0.5).astype(np.uint8)


def labelled(files: Mapping[str, bytes]) -> Labelled:
    """Pictures as a folder `pets` would have them, labelled in turn."""
    numbers = np.arange(len(files)) % 2

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        for place, (name, data) in enumerate(files.items()):
            yield place, f"pets/{name}", data

    return Labelled("pets", ("cat", "dog"), False, {"all": numbers}, pictures)


def read(files: Mapping[str, bytes], decoding: Decoding = Decoding()) -> tuple[NDArray[np.uint8], Parts]:  # noqa: B008
    parts = assemble(labelled(files), decoding, in_memory, None)
    return np.asarray(parts.splits["all"].images), parts


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (10, 256), (10, 1023), (12, 4080), (14, 4096), (14, 16383)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_is_scaled_by_the_range_that_the_whole_set_uses(kind: str, bits: int, top: int) -> None:
    pictures = [values(top, 6, 5), *(values(top // 2, 6, 5, seed=n) for n in (1, 2, 3))]
    images, parts = read({f"{n}.{kind}": encoded(p, kind) for n, p in enumerate(pictures)})
    np.testing.assert_array_equal(images[..., 0], [rounded(p, bits) for p in pictures])
    assert parts.notes == (
        f"4 pictures of 16 bits use {bits} bits (largest value {top}): scaled from 0..{2**bits - 1}; "
        "`bit_depth=16` takes the full range",
    )


@pytest.mark.parametrize("top", [16384, 65535])
def test_a_set_that_uses_all_16_bits_is_scaled_from_them_and_nothing_is_said(top: int) -> None:
    pictures = [values(top, 6, 5), values(900, 6, 5)]
    images, parts = read({f"{n}.png": encoded(p) for n, p in enumerate(pictures)})
    np.testing.assert_array_equal(images[..., 0], [rounded(p, 16) for p in pictures])
    assert parts.notes == ()


def test_pictures_of_8_and_of_16_bits_are_each_scaled_by_their_own() -> None:
    deep, plain = values(4000, 6, 5), noise(6, 5, 1)
    images, parts = read({"a.png": encoded(plain), "b.tif": tif(deep), "c.jpg": encoded(plain, "PPM")})
    np.testing.assert_array_equal(images[0], plain)
    np.testing.assert_array_equal(images[1, ..., 0], rounded(deep, 12))
    np.testing.assert_array_equal(images[2], plain)
    assert parts.notes[0].startswith("1 picture of 16 bits uses 12 bits (largest value 4000)")


@pytest.mark.parametrize("bits", [12, 13, 16])
def test_the_word_fixes_the_range_and_nothing_is_said(bits: int) -> None:
    deep = values(4000, 6, 5)
    images, parts = read({"a.png": encoded(deep), "b.png": encoded(noise(6, 5, 1))}, Decoding(bit_depth=bits))
    np.testing.assert_array_equal(images[0, ..., 0], rounded(deep, bits))
    np.testing.assert_array_equal(images[1], noise(6, 5, 1))
    assert parts.notes == ()


@pytest.mark.parametrize("picture", [values(4096, 6, 5), values(4096, 6, 5, 3)], ids=["grey", "colour"])
def test_values_beyond_the_range_asked_for_are_refused(picture: U16) -> None:
    options = {"photometric": "rgb"} if picture.ndim == 3 else {}
    with pytest.raises(
        DataError, match=r"pets/a\.tif .* reach 4,096, and `bit_depth=12` holds 0\.\.4,095; `bit_depth=14` w"
    ):
        read({"a.tif": tif(picture, **options), "b.png": encoded(noise(6, 5, 1))}, Decoding(bit_depth=12))


@pytest.mark.parametrize("bits", [0, 7, 17, -1])
def test_a_depth_that_cannot_be_is_refused(bits: int) -> None:
    with pytest.raises(DataError, match=f"bit_depth is {bits}; it takes a whole number from 8 to 16"):
        Decoding(bit_depth=bits)


@pytest.mark.parametrize("size", [None, 3])
def test_fitting_broken_pictures_and_a_second_look_go_together(size: int | None) -> None:
    files = {f"{n}.png": encoded(values(1000, 4, 6, seed=n)) for n in range(40)}
    files["13.png"] = files["13.png"][:-40]
    images, parts = read(files, Decoding(size, skip_broken=True))
    alone, _ = read({"5.png": files["5.png"], "0.png": files["0.png"]}, Decoding(size))
    assert len(images) == 39
    np.testing.assert_array_equal(images[[5, 0]], alone)
    assert parts.notes == (
        "39 pictures of 16 bits use 10 bits (largest value 1000): scaled from 0..1023; "
        "`bit_depth=16` takes the full range",
        "1 broken picture left out (13.png)",
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(rows: NDArray[np.uint8], pixel: int, kind: int) -> bytes:
    """Rows of bytes [H, B] under one of PNG's filters, written from its specification."""
    old = np.pad(rows.astype(int), ((1, 0), (pixel, 0)))
    left, up, corner = old[1:, :-pixel], old[:-1, pixel:], old[:-1, :-pixel]
    guess = left + up - corner
    ways = np.stack([abs(guess - left), abs(guess - up), abs(guess - corner)])
    paeth = np.choose(ways.argmin(axis=0), [left, up, corner])
    taken = [np.zeros_like(left), left, up, (left + up) // 2, paeth][kind]
    lines = (rows.astype(int) - taken) % 256
    return b"".join(bytes([kind]) + line.astype(np.uint8).tobytes() for line in lines)


def deep_png(picture: U16, filtering: int = 0, interlaced: bool = False, extra: bytes = b"", chunks: int = 1) -> bytes:
    """A PNG of 16-bit samples [H, W, 2, 3 or 4], which Pillow does not write."""
    height, width, channels = picture.shape
    parts = [picture]
    if interlaced:
        steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
        parts = [picture[y::down, x::across] for x, y, across, down in steps]
    raw = b"".join(
        filtered(part.astype(">u2").view(np.uint8).reshape(len(part), -1), 2 * channels, filtering)
        for part in parts
        if part.size
    )
    kind = {2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, int(interlaced))
    data = zlib.compress(raw)
    cuts = [data[n * len(data) // chunks : (n + 1) * len(data) // chunks] for n in range(chunks)]
    body = b"".join(chunk(b"IDAT", cut) for cut in cuts)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


@given(
    st.integers(1, 19), st.integers(1, 19), st.sampled_from([(8, 255), (10, 1000), (12, 4095), (14, 9999)]),
    st.integers(0, 4), st.booleans(), st.integers(1, 3), st.integers(0, 99),
)  # fmt: skip
def test_colour_of_a_png_is_scaled_from_its_full_values(
    height: int, width: int, range_: tuple[int, int], filtering: int, interlaced: bool, chunks: int, seed: int
) -> None:
    bits, top = range_
    picture = values(top, height, width, 3, seed=seed)
    data = deep_png(picture, filtering, interlaced, chunks=chunks)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), picture >> 8)  # a file that Pillow reads
    np.testing.assert_array_equal(decode(data, "x", None, bits), rounded(picture, bits))
    assert decode_measured(data, "x").largest == top


TIFFS = [
    {"byteorder": order, "compression": compression, "predictor": predictor, "planarconfig": planes}
    for order in "<>"
    for compression, predictor in ((None, None), ("zlib", None), ("zlib", 2))
    for planes in ("contig", "separate")
    if (compression, planes) != ("zlib", "separate")
]


def colour_tif(picture: U16, **options: Any) -> bytes:
    planes = np.moveaxis(picture, 2, 0) if options.get("planarconfig") == "separate" else picture
    return tif(planes, photometric="rgb", **options)


@pytest.mark.parametrize("options", TIFFS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("bigtiff", [False, True])
def test_colour_of_a_tiff_is_scaled_from_its_full_values(options: dict[str, Any], bigtiff: bool) -> None:
    if bigtiff:  # Pillow reads those of the other order of bytes not at all
        options = options | {"byteorder": "<"}
    picture = values(4001, 9, 13, 3)
    images, parts = read({n: colour_tif(picture, bigtiff=bigtiff, **options) for n in ("0.tif", "1.tif")})
    np.testing.assert_array_equal(images, [rounded(picture, 12)] * 2)
    assert "2 pictures of 16 bits use 12 bits (largest value 4001)" in parts.notes[0]
    full = values(65535, 9, 13, 3)
    np.testing.assert_array_equal(decode(colour_tif(full, bigtiff=bigtiff, **options), "x"), full >> 8)


def test_colour_whose_full_values_are_out_of_reach_is_refused_where_it_would_be_dark() -> None:
    dark, full = values(4001, 9, 13, 3), values(65535, 9, 13, 3)
    options = {"planarconfig": "separate", "compression": "zlib"}
    np.testing.assert_array_equal(decode(colour_tif(full, **options), "x"), full >> 8)
    with pytest.raises(
        DataError, match=r"pets/a\.tif cannot be decoded: .* 16 bits, which cannot be read as 12 .*save"
    ) as caught:
        read({"a.tif": colour_tif(dark, **options), "b.png": encoded(noise(9, 13))})
    assert len(str(caught.value)) <= 300


def test_colour_of_a_ppm_is_scaled_from_its_full_values() -> None:
    picture = values(4001, 9, 13, 3)
    data = b"P6 # 16 bits\n13 9\n65535\n" + picture.astype(">u2").tobytes()
    np.testing.assert_array_equal(decode(data, "x", None, 12), rounded(picture, 12))
    assert decode_measured(data, "x").largest == 4001


@pytest.mark.parametrize("alpha_bits", [12, 16])
def test_alpha_keeps_its_own_range_and_does_not_count(alpha_bits: int) -> None:
    colour, alpha = values(4001, 9, 13, 3), values(2**alpha_bits - 1, 9, 13, 1, seed=1)
    data = deep_png(np.concatenate([colour, alpha], axis=2), 4)
    assert decode_measured(data, "x").largest == 4001
    shares = rounded(alpha, alpha_bits) / 255
    expected = np.floor(rounded(colour, 12) * shares + 255 * (1 - shares) + 0.5)
    np.testing.assert_allclose(decode(data, "x", None, 12), expected, atol=0)


def test_grey_with_alpha_of_16_bits() -> None:
    grey, alpha = values(4001, 9, 13, 1), np.full((9, 13, 1), 65535, np.uint16)
    shown = decode(deep_png(np.concatenate([grey, alpha], axis=2), 1), "x", 1, 12)
    np.testing.assert_allclose(shown, rounded(grey, 12), atol=1)


def test_the_transparent_value_is_white_and_does_not_count() -> None:
    colour = values(4001, 4, 4, 3)
    colour[1, 2] = 65535
    data = deep_png(colour, extra=chunk(b"tRNS", struct.pack(">3H", 65535, 65535, 65535)))
    expected = rounded(np.minimum(colour, 4095), 12)
    np.testing.assert_array_equal(decode(data, "x", None, 12), expected)
    grey = values(4001, 4, 4)
    grey[1, 2] = 65535
    found = decode_measured(encoded(grey, transparency=65535), "x", None, 12)
    np.testing.assert_array_equal(found.pixels[..., 0], rounded(np.minimum(grey, 4095), 12))
    assert found.largest == 4001


def test_turned_pictures_are_scaled_and_stand_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tag = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    colour = values(4001, 4, 7, 3)
    turned = [np.rot90(rounded(colour, 12), -1)]
    np.testing.assert_array_equal([decode(deep_png(colour, extra=tag), "x", None, 12)], turned)
    data = tif(colour, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    np.testing.assert_array_equal([decode(data, "x", None, 12)], turned)
    assert (look(data, "x").height, look(data, "x").width) == (7, 4)


def packed_tif(rows: list[bytes], width: int, bits: int, photometric: int = 1) -> bytes:
    """A grey TIFF put together by hand, for depths that libraries do not write."""
    pixels = b"".join(rows)
    tags = [
        (256, width), (257, len(rows)), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, len(rows)),
        (279, len(pixels)),
    ]  # fmt: skip
    pixels += b"\0" * (len(pixels) % 2)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


def test_a_tiff_that_declares_12_bits_is_scaled_from_them() -> None:
    samples = [0, 1, 200, 300]  # dark, and yet its white is 4,095: the file says so
    row = b"".join(struct.pack(">I", a << 12 | b)[1:] for a, b in zip(samples[::2], samples[1::2], strict=True))
    found = decode_measured(packed_tif([row, row], 4, 12), "x")
    np.testing.assert_array_equal(found.pixels[..., 0], [rounded(np.array(samples), 12)] * 2)
    assert found.largest is None


@pytest.mark.parametrize(("top", "bits"), [(65535, 16), (4095, 12)])
def test_white_is_zero_is_turned_round(top: int, bits: int) -> None:
    picture = values(top, 5, 6)
    data = packed_tif([row.tobytes() for row in picture.astype("<u2")], 6, 16, photometric=0)
    np.testing.assert_array_equal(decode(data, "x", None, bits)[..., 0], 255 - rounded(picture, bits))
    images, _ = read({"0.tif": data, "1.tif": data})
    np.testing.assert_array_equal(images[0, ..., 0], 255 - rounded(picture, bits))


@pytest.mark.parametrize("maximum", [1023, 4095])
@pytest.mark.parametrize("form", ["P5", "P2"])
def test_a_ppm_that_declares_its_white_is_scaled_from_it_however_dark(form: str, maximum: int) -> None:
    picture = values(90, 5, 6)
    body = picture.astype(">u2").tobytes() if form == "P5" else " ".join(map(str, picture.ravel())).encode()
    images, parts = read({n: f"{form} 6 5 {maximum}\n".encode() + body for n in ("0.pgm", "1.pgm")})
    np.testing.assert_allclose(images[0, ..., 0], picture * 255 / maximum, atol=0.51)
    assert parts.notes == ()


@pytest.mark.parametrize("form", ["P5", "P2"])
def test_a_ppm_of_16_bits_counts(form: str) -> None:
    picture = values(1000, 5, 6)
    body = picture.astype(">u2").tobytes() if form == "P5" else " ".join(map(str, picture.ravel())).encode()
    images, parts = read({n: f"{form} 6 5 65535\n".encode() + body for n in ("0.pgm", "1.pgm")})
    np.testing.assert_array_equal(images[0, ..., 0], rounded(picture, 10))
    assert "use 10 bits (largest value 1000)" in parts.notes[0]


def test_jpeg_2000_of_16_bits_counts() -> None:
    picture = values(4000, 16, 16)
    images, parts = read({n: encoded(picture, "JPEG2000", irreversible=False) for n in ("0.jp2", "1.j2k")})
    np.testing.assert_array_equal(images[0, ..., 0], rounded(picture, 12))
    assert "use 12 bits (largest value 4000)" in parts.notes[0]


def test_floats_from_0_to_1_are_shown_as_they_are() -> None:
    picture = np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6)
    images, parts = read({"0.tif": tif(picture), "1.tif": encoded(noise(5, 6, 1), "TIFF")})
    np.testing.assert_array_equal(images[0, ..., 0], np.floor(picture.astype(float) * 255 + 0.5))
    assert parts.notes == ()


def test_floats_that_use_little_of_their_range_are_told() -> None:
    picture = np.linspace(0, 0.0623, 30, dtype=np.float32).reshape(5, 6)
    _, parts = read({"0.tif": tif(picture), "1.tif": tif(picture / 2)})
    assert parts.notes == (
        "floating-point pictures reach 0.0623 of 0..1 at most, so they are dark; save them scaled to 0..1",
    )
    _, parts = read({"0.tif": tif(picture), "1.tif": tif(picture * 10)})
    assert parts.notes == ()


@pytest.mark.parametrize("wrong", [-0.01, 1.01, 255.0, np.nan, np.inf])
def test_other_floats_are_refused(wrong: float) -> None:
    picture = np.full((2, 2), 0.5, np.float32)
    picture[1, 1] = wrong
    with pytest.raises(
        DataError, match=r"f\.tif cannot be decoded: its pixels are floating-point numbers from .*0\.\.1"
    ):
        decode(tif(picture), "f.tif")


@pytest.mark.parametrize("kind", [np.float64, np.uint64, np.complex64])
def test_numbers_that_cannot_be_read_are_named(kind: Any) -> None:
    with pytest.raises(DataError, match=r"f\.tif cannot be decoded: it is a TIFF of 1 x (64|128)-bit .*save it with 8"):
        decode(tif(np.ones((2, 2), kind)), "f.tif")


@given(st.integers(0, 65535))
def test_the_depth_is_the_smallest_that_holds_the_value(value: int) -> None:
    bits = depth_holding(value)
    assert value < 2**bits
    assert bits == 8 or value >= 2 ** (bits - 2)


@given(st.integers(8, 16), st.data())
def test_scaling_is_rounding(bits: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 2**bits - 1))
    top = 2**bits - 1
    assert int(scaled(np.array([value]), bits)[0]) == (value * 510 + top) // (2 * top)
    assert abs(int(scaled(np.array([value]), bits)[0]) - value * 255 / top) <= 0.5


def stream_of(files: Mapping[str, bytes]) -> Any:
    return lambda: ((place, name, data) for place, (name, data) in enumerate(files.items()))


def test_pictures_without_labels_are_scaled_by_the_range_of_all() -> None:
    small, large, plain = values(300, 4, 5), values(4000, 6, 7), noise(3, 3)
    files = {"0.png": encoded(plain), "1.png": encoded(small), "x.png": b"broken", "2.tif": tif(large)}
    assert set_depth(stream_of(files)) == depth_of([300, 4000])
    told: list[str] = []
    left: list[DataError] = []
    shown = dict(each_picture(stream_of(files), Decoding(skip_broken=True), left.append, told.append))
    assert list(shown) == ["0.png", "1.png", "2.tif"] and len(left) == 1
    np.testing.assert_array_equal(shown["0.png"], plain)
    np.testing.assert_array_equal(shown["1.png"][..., 0], rounded(small, 12))
    np.testing.assert_array_equal(shown["2.tif"][..., 0], rounded(large, 12))
    assert [line.partition(":")[0] for line in told] == ["2 pictures of 16 bits use 12 bits (largest value 4000)"]
    fixed = dict(each_picture(stream_of({"1.png": files["1.png"]}), Decoding(bit_depth=12), None, told.append))
    np.testing.assert_array_equal(fixed["1.png"], shown["1.png"])
    assert len(told) == 1


def test_shallow_pictures_are_streamed_once() -> None:
    begun = []

    def pictures() -> Iterator[tuple[int, str, bytes]]:
        begun.append(1)
        yield from stream_of({f"{n}.png": encoded(noise(4, 4, seed=n)) for n in range(5)})()

    assert len(list(each_picture(pictures, Decoding()))) == 5
    assert len(begun) == 1


def test_a_set_of_shards_is_scaled_by_its_range_at_every_reading(tmp_path: Path) -> None:
    pictures = [values(4000 if n == 3 else 1000, 5, 6, seed=n) for n in range(8)]
    members = {}
    for n, picture in enumerate(pictures):
        members |= {f"{n}.png": encoded(picture), f"{n}.cls": str(n % 2).encode()}
    members |= {"8.png": encoded(pictures[0])[:-40], "8.cls": b"0"}
    tarred(tmp_path / "a-0.tar", members)
    for _ in range(2):  # decoded for the index; and with the index that was kept
        parts = read_shards([tmp_path / "a-0.tar"], "deep", Decoding(skip_broken=True))
        np.testing.assert_array_equal(parts.splits["all"].images[..., 0], [rounded(p, 12) for p in pictures])
        assert parts.notes == (
            "8 pictures of 16 bits use 12 bits (largest value 4000): scaled from 0..4095; "
            "`bit_depth=16` takes the full range",
            "1 broken picture left out (a-0.tar: 8.png)",
        )
    full = read_shards([tmp_path / "a-0.tar"], "full", Decoding(skip_broken=True, bit_depth=16))
    np.testing.assert_array_equal(full.splits["all"].images[..., 0], [rounded(p, 16) for p in pictures])


def test_a_model_takes_pictures_at_the_depth_it_was_trained_at(own_run: Path, tmp_path: Path) -> None:
    """A dark picture of a 12-bit camera uses 10 bits: by itself it would be scaled from 0..1023."""
    generator = np.random.default_rng(0)
    for label, brightest in (("dark", 700), ("bright", 4000)):
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for n in range(6):
            Image.fromarray(generator.integers(0, brightest, (12, 12)).astype(np.uint16)).save(folder / f"{n}.png")
    prepared = prepare(sightlab.recipe("cnn", data=str(tmp_path / "pictures")))
    assert bundle_facts(prepared, {}, None)["bit_depth"] == 12
    file = own_run / "bundle" / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"bit_depth": 12}))
    dark = np.arange(784, dtype=np.uint16).reshape(28, 28)
    Image.fromarray(dark).save(tmp_path / "one.png")
    (from_file,), (from_array,) = (
        sightlab.predict(own_run, [one]) for one in (tmp_path / "one.png", rounded(dark, 12))
    )
    assert from_file.top == from_array.top
