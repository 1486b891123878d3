"""What is no picture is named for what it is, with the way out; and nothing else is printed."""

import io
import pickle
import sqlite3
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pyarrow as pa
import pytest
import scipy.io
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tensorboard.summary.writer.record_writer import RecordWriter

from sightlab.data.imageset import in_memory
from sightlab.data.pictures.assemble import Labelled, assemble
from sightlab.data.pictures.decode import Decoding, decode, look
from sightlab.data.pictures.magic import HEAD_BYTES, kind_of_head, remedy_of
from sightlab.errors import DataError
from tests.picture_files import encoded, noise

HTML = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not Found</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
SVG = b'<?xml version="1.0"?>\n<!-- by hand --><!-- twice --><svg xmlns="http://www.w3.org/2000/svg"></svg>'


def tfrecord(message: bytes) -> bytes:
    stream = io.BytesIO()
    RecordWriter(stream).write(message)
    return stream.getvalue()


def mat() -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"X": np.zeros((2, 2))})
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def sqlite() -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("create table t (x)")
    return bytes(database.serialize())


def nef(make: str = "NIKON CORPORATION", dng: bool = False) -> bytes:
    """A TIFF laid out as Nikon's raw files are: a small picture first, the sensor's in a directory below."""
    extra: list[Any] = [(271, "s", 0, make, True)]
    if dng:
        extra.append((50706, 1, 4, bytes([1, 4, 0, 0]), True))
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(noise(8, 8), photometric="rgb", subfiletype=1, subifds=1, extratags=extra)
        writer.write(noise(64, 64, 1)[..., 0].astype(np.uint16), photometric="cfa")
    return stream.getvalue()


def tif(picture: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, picture, **options)
    return stream.getvalue()


def heic(picture: NDArray[np.uint8], **options: Any) -> bytes:
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(picture)).save(stream, quality=-1, chroma=444, **options)
    return stream.getvalue()


def box(brand: bytes, *others: bytes) -> bytes:
    return struct.pack(">I", 16 + 4 * len(others)) + b"ftyp" + brand + bytes(4) + b"".join(others) + b"\0" * 40


KINDS = {
    "a Git LFS pointer": [LFS],
    "a HEIC picture": [box(b"heic", b"mif1", b"heic"), box(b"heix"), box(b"hevc"), box(b"mif1", b"heic"), box(b"msf1")],
    "a DICOM file": [bytes(128) + b"DICM" + bytes(40)],
    "an HDF5 file": [b"\x89HDF\r\n\x1a\n" + bytes(40), bytes(512) + b"\x89HDF\r\n\x1a\n"],
    "a MATLAB file": [mat(), b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n"],
    "a NIfTI file": [bytes(344) + b"n+1\0"],
    "a FITS file": [b"SIMPLE  =                    T"],
    "a TFRecord file": [tfrecord(b"anything"), tfrecord(b""), tfrecord(bytes(3000)), tfrecord(b"\x0a\x02\x0a\x00")],
    "an LMDB database": [bytes(16) + b"\xde\xc0\xef\xbe" + bytes(100)],
    "an SQLite database": [sqlite()],
    "a 7z archive": [b"7z\xbc\xaf\x27\x1c\0\x04"],
    "a RAR archive": [b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\x01\0"],
    "a Zstandard archive": [pa.compress(b"some text", codec="zstd", asbytes=True)],
    "an LZ4 archive": [pa.compress(b"some text", codec="lz4", asbytes=True)],
    "a gzip archive": [pa.compress(b"some text", codec="gzip", asbytes=True)],
    "an Excel workbook": [
        zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"),
        zipped("docProps/app.xml", "xl/sharedStrings.xml"),
    ],
    "a zip archive": [
        *(zipped(), zipped("cat/1.png"), zipped("xlsx/1.png")),
        zipped("[Content_Types].xml", "word/document.xml"),
    ],
    "a pickle": [
        *(pickle.dumps({"data": [1, "x", None, 2.5]}, protocol) for protocol in (0, 2, 3, 4, 5)),
        *(pickle.dumps(np.zeros(3), protocol) for protocol in (0, 2, 4, 5)),
        pickle.dumps([1], 0),
        pickle.dumps((1, 2), 2),
    ],
    "a PDF": [b"%PDF-1.7\n"],
    "a Photoshop file": [b"8BPS\0\x01"],
    "a GIMP file": [b"gimp xcf v011"],
    "an EPS drawing": [b"%!PS-Adobe-3.0 EPSF-3.0\n"],
    "a camera raw (CR2) file": [b"II*\0\x10\0\0\0CR\x02\0" + bytes(40)],
    "a camera raw (CR3) file": [box(b"crx ")],
    "a camera raw (NEF) file": [nef()],
    "a camera raw (ARW) file": [nef("SONY")],
    "a camera raw (DNG) file": [nef("Apple", dng=True)],
    "a camera raw file": [nef("Some Maker")],
    "an HTML page": [HTML, b"\xef\xbb\xbf\n <HTML>", b"<!-- x -->\n<html lang='en'><svg></svg>"],
    "an SVG drawing": [SVG, b"<svg >"],
    "an XML error page": [b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'],
    "a video": [box(b"isom", b"mp41"), box(b"qt  "), b"RIFF\x24\x10\0\0AVI LIST"],
    "a JPEG XL picture": [b"\xff\x0a\x00", b"\0\0\0\x0cJXL \r\n\x87\n"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "data"), [pytest.param(kind, data, id=kind) for kind, all_ in KINDS.items() for data in all_]
)
def test_a_file_is_named_by_its_first_bytes_and_its_message_says_the_way_out(kind: str, data: bytes) -> None:
    assert kind_of_head(data[:HEAD_BYTES]) == kind
    if kind == "a HEIC picture":
        return  # broken ones of a kind that is read
    with pytest.raises(DataError) as caught:
        decode(data, "cat/1.jpg")
    told = str(caught.value)
    assert (
        told == f"cat/1.jpg cannot be decoded: it is {kind}; {remedy_of(kind)}; `skip_broken=true` goes on without it"
    )
    assert len(told) <= 300 and "\n" not in told


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"])
def test_pictures_that_are_read_have_no_other_name(kind: str) -> None:
    assert kind_of_head(encoded(noise(9, 9), kind)[:HEAD_BYTES]) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"class\ncat\n",
        b"cat.jpg\ndog\n",
        b"file,label\na.png,cat\n",
        b"(a)\n(b)\n",
        b"<3\n",
        b"collection,of\ncats,1\n",
    ],
)
def test_tables_and_lists_have_no_other_name(text: bytes) -> None:
    assert kind_of_head(text) is None


def test_avif_in_the_general_brand_is_no_heic() -> None:
    assert kind_of_head(box(b"mif1", b"avif", b"miaf")) is None


@given(
    st.binary(max_size=600), st.sampled_from([b"", b"II*\0", b"MM\0+", b"PK\x03\x04", b"\x80\x04", b"<", box(b"mif1")])
)
def test_any_bytes_are_named_or_not_without_a_mishap(data: bytes, start: bytes) -> None:
    kind = kind_of_head(start + data)
    assert kind is None or (kind.startswith(("a ", "an ")) and remedy_of(kind))


@given(
    st.sampled_from([nef(), tif(noise(4, 4, 5), photometric="rgb"), tif(noise(4, 4, 1)[..., 0])]),
    st.integers(0, 400),
    st.binary(max_size=8),
)
def test_damaged_tiffs_are_pictures_or_refused(data: bytes, place: int, change: bytes) -> None:
    damaged = data[:place] + change + data[place + len(change) :]
    for opening in (decode, look):
        try:
            opening(damaged, "x.tif")
        except DataError as error:
            assert str(error).startswith("x.tif ") and len(str(error)) <= 300


EUROSAT = noise(8, 8, 13).astype(np.uint16)
BANDS = {
    "13, as EuroSAT has them": (EUROSAT, {"photometric": "rgb", "planarconfig": "contig"}, 13),
    "13 planes": (noise(13, 8, 8).astype(np.uint16), {"photometric": "minisblack", "planarconfig": "separate"}, 13),
    "200 of a spectrometer": (noise(8, 8, 200), {"photometric": "minisblack", "planarconfig": "contig"}, 200),
    "red, green, blue and infrared": (noise(8, 8, 4), {"photometric": "rgb", "extrasamples": ["unspecified"]}, 4),
    "five of 8 bits, of which Pillow shows three": (noise(8, 8, 5), {"photometric": "rgb", "extrasamples": [0, 0]}, 5),
    "two polarizations": (noise(8, 8, 2), {"photometric": "minisblack", "planarconfig": "contig"}, 2),
    "colour, alpha and another": (noise(8, 8, 5), {"photometric": "rgb", "extrasamples": [2, 0]}, 5),
}  # fmt: skip


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("case", BANDS)
@pytest.mark.parametrize("opening", [decode, look])
def test_a_tiff_of_many_bands_is_refused(case: str, order: str, opening: Any) -> None:
    picture, options, bands = BANDS[case]
    with pytest.raises(DataError) as caught:
        opening(tif(picture, byteorder=order, **options), "cat/0.tif")
    assert str(caught.value) == (
        f"cat/0.tif has {bands} bands; pictures of 1 (grey) or 3 (RGB) can be read; save the bands you want as RGB"
    )


def test_three_bands_that_are_not_called_rgb_are_refused_with_the_way_out() -> None:
    with pytest.raises(
        DataError, match=r"0\.tif has 3 bands that are not marked as RGB; save it with the photometric inter"
    ):
        decode(tif(noise(8, 8, 3), photometric="minisblack", planarconfig="contig"), "0.tif")


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
def test_a_band_called_transparency_is_laid_on_white(alpha: str) -> None:
    picture = noise(8, 8, 4)
    picture[..., 3] = 255
    np.testing.assert_array_equal(decode(tif(picture, photometric="rgb", extrasamples=[alpha]), "x"), picture[..., :3])


def test_heic_pictures_are_read_upright() -> None:
    picture = np.zeros((40, 64, 3), np.uint8)
    picture[:20, :, 0], picture[:, :30, 2] = 250, 200
    exif = Image.Exif()
    exif[0x0112] = 6
    shown = decode(heic(picture, exif=exif.tobytes()), "IMG_0.HEIC")
    np.testing.assert_allclose(shown, np.rot90(picture, -1), atol=3)
    header = look(heic(picture, exif=exif.tobytes()), "x")
    assert (header.height, header.width, header.grey) == (64, 40, False)
    assert decode(heic(noise(32, 32, 1)[..., 0]), "x").shape == (32, 32, 1)


def test_broken_heic_pictures_are_refused() -> None:
    data = heic(noise(64, 64))
    for cut in (14, 60, 200, len(data) - 40):
        with pytest.raises(
            DataError, match=r"^IMG_0\.HEIC cannot be decoded: .*`skip_broken=true` goes on without it$"
        ) as caught:
            decode(data[:cut], "IMG_0.HEIC")
        assert len(str(caught.value)) <= 300


def test_without_the_library_heic_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = heic(noise(16, 16))
    for opening in (decode, look):
        with pytest.raises(DataError) as caught:
            opening(data, "IMG_0.HEIC")
        assert str(caught.value) == (
            "IMG_0.HEIC is a HEIC picture; install sightlab[heic] to read it, or convert it to JPEG"
        )


def test_nothing_but_the_refusal_is_told(tmp_path: Path) -> None:
    """The libraries below print to standard error, from C too, and warn; a process of its own shows it."""
    picture = noise(64, 64)
    lzw, deflate = encoded(picture, "TIFF", compression="tiff_lzw"), tif(picture, photometric="rgb", compression="zlib")
    jpeg = encoded(picture, "TIFF", compression="jpeg")
    broken = [
        tif(EUROSAT, photometric="rgb", planarconfig="contig"),
        *(data[:500] + bytes(100) + data[600:] for data in (lzw, deflate, jpeg)),
        *(data[:500] for data in (lzw, deflate, jpeg)),
        encoded(picture, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\0")[:900],
        encoded(picture)[:300],
        LFS,
    ]
    files = []
    for number, data in enumerate(broken):
        files.append(tmp_path / f"{number}.tif")
        files[-1].write_bytes(data)
    code = (
        "import sys\nfrom pathlib import Path\nfrom sightlab.errors import DataError\n"
        "from sightlab.data.pictures.decode import decode, look\n"
        "for path in sys.argv[1:]:\n"
        "  for opening in (look, decode):\n"
        "    try:\n      opening(Path(path).read_bytes(), path)\n"
        "    except DataError as error:\n      print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert found.stderr == ""
    for path in files[:1] + files[4:]:
        assert f"{path} " in found.stdout


def test_metadata_that_pillow_warns_of_does_not_stop_a_picture() -> None:
    data = encoded(noise(9, 9), exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    np.testing.assert_array_equal(decode(data, "x"), noise(9, 9))


@pytest.mark.parametrize(
    ("source", "shown", "told"),
    [
        ("my/pets", "my/pets/cat/{}.png", "cat/{}.png"),
        ("my/pets.zip", "my/pets.zip: cat/{}.png", "cat/{}.png"),
        (".", "cat/{}.png", "cat/{}.png"),
        ("my/pets.parquet", "my/pets.parquet, row {}", "pets.parquet, row {}"),
        ("my/shards", "my/shards/a.parquet, row {}", "a.parquet, row {}"),
    ],
)
def test_notes_name_broken_pictures_below_their_source(source: str, shown: str, told: str) -> None:
    files = [encoded(noise(4, 4))[: None if n in (0, 1) else 40] for n in range(6)]

    def pictures() -> Any:
        return ((n, shown.format(n), data) for n, data in enumerate(files))

    labelled = Labelled(source, ("cat", "dog"), False, {"all": np.arange(6) % 2}, pictures)
    parts = assemble(labelled, Decoding(skip_broken=True), in_memory, None)
    names = ", ".join(told.format(n) for n in (2, 3, 4))
    assert parts.notes == (f"4 broken pictures left out ({names}, ...)",)
