"""Pictures without labels, for prediction: files, folders, archives, lists, tables, and what Python hands over."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.fit_shape import Fitting
from sightlab.data.imageset import ImageSet
from sightlab.data.pictures.decode import Decoding, decode
from sightlab.data.unlabelled.file_input import read_unlabelled
from sightlab.data.unlabelled.given_images import given_pictures
from sightlab.data.unlabelled.picture_input import Picture, Wanted
from sightlab.errors import DataError
from tests.picture_files import encoded, flat, noise, spread, tarred, zipped

SHAPE = (4, 4, 3)


def read(source: str | Path, **options: object) -> list[Picture]:
    return list(read_unlabelled(source, Wanted(SHAPE, Decoding(**options))))  # type: ignore[arg-type]


def noted(source: str | Path, **options: object) -> tuple[list[Picture], list[str], list[DataError]]:
    notes: list[str] = []
    broken: list[DataError] = []
    wanted = Wanted(SHAPE, Decoding(**options), broken.append, notes.append)  # type: ignore[arg-type]
    return list(read_unlabelled(source, wanted)), notes, broken


def values(pictures: list[Picture]) -> list[int]:
    """The one value that each flat picture is of."""
    return [int(one.pixels.flat[0]) for one in pictures]


def refusal(source: str | Path) -> str:
    with pytest.raises(DataError) as caught:
        read(source)
    line = str(caught.value)
    assert "\n" not in line and len(line) <= 300
    return line


def test_pictures_come_from_files_folders_and_below_in_natural_order_each_of_its_own_form(tmp_path: Path) -> None:
    root = spread(tmp_path, {"10.png": flat(10), "9.png": flat(9, size=6), "a/b/1.png": flat(1, channels=1)})
    found = read(root)
    assert [one.name for one in found] == [str(root / name) for name in ("9.png", "10.png", "a/b/1.png")]
    assert [one.id for one in found] == ["9", "10", "1"]
    assert [one.pixels.shape for one in found] == [(6, 6, 3), (4, 4, 3), (4, 4, 1)]
    assert values(read(root / "9.png")) == [9]


def test_a_broken_picture_is_an_error_or_told(tmp_path: Path) -> None:
    root = spread(tmp_path, {"1.png": b"broken", "2.png": flat(2)})
    assert "1.png cannot be decoded" in refusal(root)
    found, _, broken = noted(root, skip_broken=True)
    assert [one.name for one in found] == [f"{root}/2.png"]
    assert len(broken) == 1 and "1.png" in str(broken[0])


def test_pictures_come_from_archives_as_packed(tmp_path: Path) -> None:
    found = read(zipped(tmp_path / "x.zip", {"b.png": flat(2), "a/a.png": flat(1)}))
    assert [(one.name, one.id, *values([one])) for one in found] == [
        (f"{tmp_path}/x.zip: b.png", "b", 2),
        (f"{tmp_path}/x.zip: a/a.png", "a", 1),
    ]


def test_archives_in_archives_are_looked_into(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"deep/1.png": flat(1)}).read_bytes()
    outer = tarred(tmp_path / "outer.tar", {"pack/test.zip": inner})
    assert values(read(outer)) == [1]


@pytest.mark.parametrize("named", ["folder", "pattern", "file"])
def test_shards_are_read_without_their_labels(tmp_path: Path, named: str) -> None:
    (tmp_path / "shards").mkdir()
    for shard in (0, 1):
        samples = {f"{shard}{n}.{end}": data for n in (0, 1) for end, data in (("jpg", flat(9)), ("cls", b"1"))}
        tarred(tmp_path / "shards" / f"test-{shard}.tar", samples)
    source = {"folder": "", "pattern": "/test-{0..1}.tar", "file": "/test-0.tar"}[named]
    found = read(f"{tmp_path}/shards{source}")
    assert [one.id for one in found] == (["00", "01"] if named == "file" else ["00", "01", "10", "11"])


@pytest.mark.parametrize(
    ("name", "text", "order", "ids"),
    [
        ("list.txt", "b.png\nsub/c.png\na.png\n", [2, 3, 1], ["b.png", "sub/c.png", "a.png"]),
        ("list.txt", "b.png 0\na.png 1\n", [2, 1], ["b.png", "a.png"]),
        ("list.txt", "./b.png\n# a remark\n.\\sub\\c.png\n", [2, 3], ["./b.png", ".\\sub\\c.png"]),
        ("list.csv", "file,label\nb.png,cat\na.png,dog\n", [2, 1], ["b.png", "a.png"]),
        ("list.csv", "\ufefffile;label\r\nb.png;cat\r\na.png;dog\r\n", [2, 1], ["b.png", "a.png"]),
        ("list.csv", "label,file\ncat,b.png\ndog,a.png\n", [2, 1], ["b.png", "a.png"]),
        ("test.csv", "id\nc\na\n", [3, 1], ["c", "a"]),
        ("test.csv", "image,id\nb.png,7\nc.PNG,9\n", [2, 3], ["7", "9"]),
        ("twice.txt", "a.png\nb.png\na.png\n", [1, 2, 1], ["a.png", "b.png", "a.png"]),
    ],
)
def test_a_list_is_answered_in_its_order(
    tmp_path: Path, name: str, text: str, order: list[int], ids: list[str]
) -> None:
    spread(tmp_path, {"a.png": flat(1), "b.png": flat(2), "sub/c.png": flat(3), name: text.encode()})
    found = read(tmp_path / name)
    assert values(found) == order
    assert [one.id for one in found] == ids


def test_names_with_blanks_are_names(tmp_path: Path) -> None:
    root = spread(tmp_path, {"my cat 1.png": flat(1), "my dog 2.png": flat(2)})
    (root / "list.txt").write_text("my dog 2.png\nmy cat 1.png\n")
    assert values(read(root / "list.txt")) == [2, 1]


def test_a_list_names_pictures_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = spread(tmp_path / "far away", {"1.png": flat(1), "2.png": flat(2), "3.png": flat(3)})
    lists = spread(tmp_path / "lists", {"x.txt": f"{far}/2.png\n{(far / '3.png').as_uri()}\n1.png\n".encode()})
    monkeypatch.chdir(far)  # as `find . -name '*.png' > /tmp/lists/x.txt` has it
    assert values(read(lists / "x.txt")) == [2, 3, 1]


def test_what_a_list_says_of_labels_is_left_aside_and_told(tmp_path: Path) -> None:
    root = spread(tmp_path, {"a.png": flat(1), "list.csv": b"file,label\na.png,cat\n"})
    _, notes, _ = noted(root / "list.csv")
    assert notes == [f"{root}/list.csv: column label ignored; `sightlab test` scores answers against labels"]
    (root / "list.csv").write_text("file\na.png\n")
    assert noted(root / "list.csv")[1] == []


def test_a_picture_of_a_list_that_is_missing_is_named_or_left_out(tmp_path: Path) -> None:
    root = spread(tmp_path, {"a.png": flat(1), "list.txt": b"a.png\ngone.png\n"})
    assert "list.txt, line 2: there is no picture `gone.png`" in refusal(root / "list.txt")
    found, _, broken = noted(root / "list.txt", skip_broken=True)
    assert values(found) == [1] and len(broken) == 1


def test_a_name_that_two_pictures_have_is_refused(tmp_path: Path) -> None:
    root = spread(tmp_path, {"x/1.png": flat(1), "y/1.png": flat(2), "list.txt": b"1.png\n"})
    assert "could be x/1.png or y/1.png" in refusal(root / "list.txt")


def picture_table(path: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_rows_are_answered_and_their_labels_left_aside(tmp_path: Path) -> None:
    rows = [{"bytes": flat(n), "path": f"{n}.png"} for n in (5, 3)]
    table = picture_table(tmp_path / "t.parquet", {"image": rows, "label": [0, 1]})
    found, notes, _ = noted(table)
    assert [(one.name, one.id, one.own_id) for one in found] == [
        (f"{table}, row 1", "1", False),
        (f"{table}, row 2", "2", False),
    ]
    assert values(found) == [5, 3]
    assert len(notes) == 1 and "column label ignored; `sightlab test`" in notes[0]


def test_ids_of_a_parquet_table_come_back(tmp_path: Path) -> None:
    table = picture_table(tmp_path / "t.parquet", {"image_id": [70, 90], "image": [flat(5), flat(3)]})
    assert [(one.id, one.own_id) for one in read(table)] == [("70", True), ("90", True)]


def test_a_parquet_row_without_a_picture_is_named(tmp_path: Path) -> None:
    table = picture_table(tmp_path / "t.parquet", {"image": [flat(5), None], "n": [1, 2]})
    assert "row 2: has no picture bytes" in refusal(table)


def test_pixels_in_parquet_are_read_in_the_models_shape(tmp_path: Path) -> None:
    pixels = noise(4, 4)[None].repeat(2, axis=0)
    columns = {f"pixel{n}": pixels.reshape(2, -1)[:, n] for n in range(48)}
    assert (read(picture_table(tmp_path / "t.parquet", dict(columns)))[1].pixels == pixels[1]).all()


def test_local_addresses_are_paths_and_others_are_not_fetched(tmp_path: Path) -> None:
    root = spread(tmp_path / "a b", {"1.png": flat(1)})
    assert values(read((root / "1.png").as_uri())) == [1]
    assert "download it" in refusal("https://example.org/1.png")


def long_name(folder: Path) -> Path:
    return folder / ("p" * 300)


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def pointer(folder: Path) -> Path:
    (folder / "pets.zip").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    return folder / "pets.zip"


def document(folder: Path) -> Path:
    (folder / "x.pdf").write_bytes(b"%PDF-1.4\n\x00")
    return folder / "x.pdf"


def two_tables(folder: Path) -> Path:
    spread(folder, {"train.csv": b"1,2\n3,4\n", "test.csv": b"1,2\n3,4\n", "sample_submission.csv": b"id,label\n1,0\n"})
    return folder


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda folder: folder, "holds no pictures"),
        (lambda folder: folder / "gone.png", "gone.png: no such file or folder"),
        (lambda _: "~nosuchuser/x.png", "no such user"),
        (long_name, "cannot be looked at: File name too long"),
        (pipe, "neither a file nor a folder"),
        (pointer, "a Git LFS pointer; run `git lfs pull`"),
        (document, "x.pdf: is a PDF; save its pages as PNG"),
        (two_tables, "2 tables or arrays (test.csv, train.csv); name, as in "),
    ],
)
def test_what_holds_no_pictures_is_one_line(tmp_path: Path, made: Callable[[Path], str | Path], says: str) -> None:
    assert says in refusal(made(tmp_path))


def test_other_files_beside_pictures_are_told(tmp_path: Path) -> None:
    spread(
        tmp_path, {"1.png": flat(1), "x.dcm": bytes(128) + b"DICM", "read.md": b"x", "sample_submission.csv": b"a,b\n"}
    )
    assert noted(tmp_path)[1] == [f"{tmp_path}: 1 file (x.dcm) beside the pictures ignored"]


def sixteen_bit(top: int) -> bytes:
    return encoded(Image.fromarray(np.linspace(0, top, 16).round().astype(np.uint16).reshape(4, 4)))


def test_sixteen_bit_pictures_take_the_range_of_their_set_unless_it_is_given(tmp_path: Path) -> None:
    root = spread(tmp_path, {"1.png": sixteen_bit(1000), "2.png": sixteen_bit(4095)})
    found, notes, _ = noted(root)
    assert found[1].pixels.max() == 255 and len(notes) == 1 and "12 bits" in notes[0]
    found, notes, _ = noted(root, bit_depth=16)
    assert found[1].pixels.max() == round(4095 * 255 / 65535) and notes == []


def given(value: object, shape: tuple[int, int, int] = SHAPE) -> list[Picture]:
    return list(given_pictures(value, Wanted(shape)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("array", "count", "shape"),
    [
        (np.zeros((2, 5, 6, 3), np.uint8), 2, (5, 6, 3)),
        (np.zeros((5, 6, 3), np.uint8), 1, (5, 6, 3)),
        (np.zeros((5, 6, 1), np.uint8), 1, (5, 6, 1)),
        (np.zeros((5, 6), np.uint8), 1, (5, 6, 1)),
        (np.zeros((9, 5, 6), np.uint8), 9, (5, 6, 1)),
        ([np.zeros((5, 6, 3), np.uint8), np.zeros((2, 5, 6, 3), np.uint8)], 3, (5, 6, 3)),
    ],
)
def test_arrays_of_bytes_are_pictures(array: object, count: int, shape: tuple[int, int, int]) -> None:
    found = given(array)
    assert [one.pixels.shape for one in found] == [shape] * count
    assert [one.name for one in found] == [f"array:{n}" for n in range(1, count + 1)]


def test_alpha_of_arrays_is_laid_on_white() -> None:
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1, 3] = 255
    assert given(pixels)[0].pixels.tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(noise(5, 6)),
        Image.fromarray(noise(5, 6, 4)),
        Image.fromarray(noise(5, 6)[..., 0]),
        Image.fromarray(noise(5, 6)).quantize(8),
        Image.fromarray(np.arange(30, dtype=np.uint16).reshape(5, 6) * 2000),
        Image.fromarray(np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6)),
    ],
    ids=lambda image: image.mode,
)
def test_a_pil_image_is_what_its_file_is(image: Image.Image) -> None:
    kind = "TIFF" if image.mode == "F" else "PNG"
    (found,) = given(image)
    assert (found.pixels == decode(encoded(image, kind), "x")).all()


def test_pil_images_stand_upright() -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    Image.fromarray(noise(5, 6)).save(stream, "JPEG", exif=exif)
    data = stream.getvalue()
    assert (given(Image.open(io.BytesIO(data)))[0].pixels == decode(data, "x")).all()


def test_paths_arrays_and_images_may_stand_in_one_list(tmp_path: Path) -> None:
    spread(tmp_path, {"1.png": flat(1)})
    found = given([str(tmp_path / "1.png"), np.full((4, 4, 3), 2, np.uint8), Image.new("L", (4, 4), 3)])
    assert values(found) == [1, 2, 3]
    assert [one.name for one in found] == [f"{tmp_path}/1.png", "array:1", "image:1"]
    assert values(given(str(tmp_path / "1.png"))) == [1]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.zeros((5, 6, 3), np.float32), "an array of float32 [5, 6, 3] is no picture; predict takes uint8"),
        (np.zeros((3, 5, 6), np.uint8), "does not end in channels"),
        (np.zeros((2, 3, 5, 6), np.uint8), "does not end in channels"),
        (np.zeros((0, 5, 6, 3), np.uint8), "is no picture"),
        (np.zeros(5, np.uint8), "is no picture"),
        (7, "cannot take a int; it takes paths, uint8 arrays"),
        ([b"bytes"], "cannot take a bytes"),
        (ImageSet(np.zeros((1, 4, 4, 3), np.uint8), np.zeros(1, np.int64), ("a", "b")), "its pictures are `.images`"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(value: object, says: str) -> None:
    with pytest.raises(DataError) as caught:
        given(value)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def fitted(pictures: list[NDArray[np.uint8]], shape: tuple[int, int, int]) -> tuple[list[NDArray[np.uint8]], list[str]]:
    fitting = Fitting(shape)
    found = [fitting.fitted(f"{n}.png", picture) for n, picture in enumerate(pictures)]
    return found, list(fitting.notes())


def test_pictures_are_brought_to_the_models_form_and_it_is_said_once() -> None:
    colour = noise(4, 4)
    found, notes = fitted([colour, noise(8, 8, 1), noise(8, 8, 1)], (4, 4, 1))
    assert (found[0] == np.asarray(Image.fromarray(colour).convert("L"))[..., None]).all()
    assert notes == [
        "2 pictures resized from 8 x 8 to the model's 4 x 4",
        "1 colour picture turned to grey, which the model takes",
    ]
    assert fitted([noise(4, 4)], (4, 4, 3))[1] == []


@pytest.mark.parametrize(
    ("picture", "shape", "says"),
    [
        (noise(4, 4, 3), (4, 4, 5), "0.png: has 3 channels; the model was trained on 5"),
        (noise(4, 4, 3), (4, 6, 3), "0.png: is 4 x 4 pixels (height x width); the model takes 4 x 6 alone"),
    ],
)
def test_what_cannot_be_brought_to_the_models_form_is_refused(
    picture: NDArray[np.uint8], shape: tuple[int, int, int], says: str
) -> None:
    with pytest.raises(DataError) as caught:
        fitted([picture], shape)
    assert str(caught.value) == says
