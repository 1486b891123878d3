"""Contact sheets show every image and every mark, at sizes that follow from their parts."""

import gzip
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.imageset import ImageSet
from sightlab.errors import RunError
from sightlab.pictures import contact_sheet, data_sheet, drawable, rgb, save_picture, shown_size, text_width, truncate

DATA = os.environ.get("SIGHTLAB_DATA", str(Path(__file__).parents[2] / "shared" / "data")).split(os.pathsep)
VERMILION = (0xD5, 0x5E, 0x00)
HIRAGANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def pixels(sheet: Image.Image) -> NDArray[np.uint8]:
    assert sheet.mode == "RGB"
    return np.asarray(sheet)


def holds(sheet: Image.Image, part: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Where (x, y) a block of pixels stands on the sheet, exactly."""
    page = pixels(sheet)
    windows = np.lib.stride_tricks.sliding_window_view(page, (*part.shape[:2], 3))[:, :, 0]
    corners = np.argwhere(
        (windows[:, :, 0, 0] == part[0, 0]).all(axis=2) & (windows[:, :, -1, -1] == part[-1, -1]).all(axis=2)
    )
    return [(int(x), int(y)) for y, x in corners if (windows[y, x] == part).all()]


def test_a_small_image_is_enlarged_three_times_pixel_by_pixel_in_its_place() -> None:
    images = noise(7, 28, 28, 1)
    sheet = contact_sheet(images, [f"image {i}" for i in range(7)], columns=3)
    for place, image in enumerate(images):
        block = np.kron(image[:, :, 0], np.ones((3, 3), np.uint8))[:, :, None].repeat(3, axis=2)
        found = holds(sheet, block)
        assert found == [(20 + place % 3 * (84 + 14), 20 + place // 3 * (84 + 5 + 16 + 14))]


@pytest.mark.parametrize(
    ("count", "columns", "across", "down"), [(7, 3, 3, 3), (6, 3, 3, 2), (2, 10, 2, 1), (1, 1, 1, 1)]
)
def test_the_sheet_is_as_large_as_its_parts(count: int, columns: int, across: int, down: int) -> None:
    sheet = contact_sheet(noise(count, 28, 28, 3), ["x"] * count, columns=columns)
    assert sheet.width == 20 + across * 84 + (across - 1) * 14 + 20
    assert sheet.height == 20 + down * (84 + 5 + 16) + (down - 1) * 14 + 20


def test_a_second_caption_line_and_a_title_add_their_height() -> None:
    plain = contact_sheet(noise(6, 28, 28, 3), ["x"] * 6)
    assert contact_sheet(noise(6, 28, 28, 3), ["x\ny", *"abcde"]).height == plain.height + 16
    assert contact_sheet(noise(6, 28, 28, 3), ["x"] * 6, title="t").height == plain.height + 30


def test_a_title_longer_than_the_images_widens_the_sheet_up_to_a_limit() -> None:
    image = noise(1, 28, 28, 1)
    assert contact_sheet(image, ["x"], title="a title of some words").width > 124
    assert contact_sheet(image, ["x"], title="words " * 100).width == 20 + 420 + 20


@pytest.mark.parametrize(
    ("size", "cell", "shown"),
    [
        ((28, 28), None, (84, 84)),
        ((32, 32), None, (96, 96)),
        ((64, 64), None, (64, 64)),
        ((96, 96), None, (96, 96)),
        ((97, 97), None, (96, 96)),
        ((500, 375), None, (96, 72)),
        ((10, 5000), None, (1, 96)),
        ((28, 28), 200, (196, 196)),
        ((28, 28), 14, (14, 14)),
    ],
)
def test_sizes_on_the_sheet(size: tuple[int, int], cell: int | None, shown: tuple[int, int]) -> None:
    assert shown_size(*size, cell) == shown
    assert contact_sheet(noise(1, size[1], size[0], 3), ["x"], cell=cell).width == 40 + max(shown[0], 56)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200))
def test_no_image_is_shown_larger_than_its_cell_or_vanishes(width: int, height: int, cell: int) -> None:
    shown = shown_size(width, height, cell)
    assert 1 <= min(shown)
    assert max(shown) <= cell
    assert max(shown) > cell / 2


def test_a_large_image_is_averaged_not_sampled() -> None:
    stripes = np.zeros((1, 384, 384, 3), np.uint8)
    stripes[:, :, ::2] = 200
    shown = pixels(contact_sheet(stripes, [""]))[30:100, 30:100]
    np.testing.assert_allclose(shown, 100, atol=6)


def test_only_wrong_images_are_framed_and_crossed() -> None:
    images = np.full((4, 28, 28, 1), 128, np.uint8)
    captions = ["a", "b", "c", "d"]
    plain = contact_sheet(images, captions, title="t", wrong=[False] * 4)
    marked = contact_sheet(images, captions, title="t", wrong=[False, False, True, False])
    assert not (pixels(plain) == VERMILION).all(axis=2).any()
    changed = (pixels(plain) != pixels(marked)).any(axis=2)
    third = 20 + 2 * (84 + 14)
    below_title = changed[45:]
    assert np.flatnonzero(below_title.any(axis=0)).tolist() == list(range(third - 4, third + 84 + 4))
    corner = pixels(marked)[46:62, third + 72 : third + 88]
    assert (corner == 255).all(axis=2).sum() > 15
    assert changed[:45].any(), "the key beside the title says what the mark means"
    frame = pixels(marked)[50 + 40, third - 4 : third]
    assert (frame == VERMILION).all()


def test_the_mark_of_a_wrong_image_reads_in_grey() -> None:
    for shade in (0, 128, 255):
        image = np.full((1, 28, 28, 1), shade, np.uint8)
        grey = np.asarray(contact_sheet(image, ["a"], title="t", wrong=[True]).convert("L")).astype(int)
        corner = grey[46:62, 20 + 72 : 20 + 88]
        assert corner.max() - corner.min() > 100


def test_a_reduced_image_with_a_mark_keeps_to_its_place() -> None:
    sheet = contact_sheet(noise(3, 300, 200, 3), ["a", "b", "c"], wrong=[True, False, True])
    page = pixels(sheet)
    assert (page[:, :16] == 255).all()
    assert (page[-16:] == 255).all()


def test_channels_other_than_three_are_shown_as_said() -> None:
    image = noise(5, 6, 7)
    np.testing.assert_array_equal(np.asarray(rgb(image[:, :, :1])), image[:, :, :1].repeat(3, axis=2))
    mean = image[:, :, :2].astype(float).mean(axis=2).round()
    np.testing.assert_array_equal(np.asarray(rgb(image[:, :, :2])), mean[:, :, None].repeat(3, axis=2))
    for channels in (3, 4, 7):
        np.testing.assert_array_equal(np.asarray(rgb(image[:, :, :channels])), image[:, :, :3])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": noise(0, 28, 28, 1), "captions": []}, "N above 0"),
        ({"images": noise(2, 28, 28)}, "N above 0"),
        ({"images": np.zeros((2, 28, 28, 1), np.float32)}, "float32"),
        ({"captions": ["a"]}, "2 images have 1 captions"),
        ({"wrong": [True]}, "1 marks"),
        ({"columns": 0}, "0 columns"),
        ({"cell": 0}, "0 pixels"),
    ],
)
def test_a_sheet_that_cannot_be_made_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        contact_sheet(**{"images": noise(2, 28, 28, 1), "captions": ["a", "b"]} | changes)


@given(st.text(st.characters(), max_size=60), st.sampled_from([12, 14, 16]), st.integers(15, 300))
def test_a_fitted_text_fits_and_says_where_it_was_cut(text: str, size: int, width: int) -> None:
    cut = truncate(text, size, width)
    assert text_width(cut, size) <= width
    assert cut == drawable(text) or (cut.endswith("…") and drawable(text).startswith(cut[:-1]))


def test_ascii_text_is_drawn_as_it_is() -> None:
    text = "".join(map(chr, range(33, 127)))
    assert drawable(text) == text


def test_text_that_no_font_has_is_spelled_as_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_FONTS", "")
    assert drawable("Möwe → naïve Straße 犬🙂") == "Möwe → naïve Straße U+72AC U+1F642"
    assert drawable(" \n ") == ""


def mixed(sizes: list[int], channels: int = 3) -> ImageSet:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(1).shuffle(labels)
    return ImageSet(noise(len(labels), 28, 28, channels), labels, tuple(f"class {i}" for i in range(len(sizes))))


def test_a_data_sheet_shows_the_first_images_of_each_class_in_its_row() -> None:
    images = mixed([5, 0, 2])
    sheet = data_sheet(images, per_class=3)
    rows = [
        [holds(sheet, np.kron(i, np.ones((3, 3, 1), np.uint8))) for i in images.images[images.labels == c]]
        for c in range(3)
    ]
    assert [[len(found) for found in row] for row in rows] == [[1, 1, 1, 0, 0], [], [1, 1]]
    left = rows[0][0][0][0]
    for label, row in enumerate(rows):
        for place, found in enumerate(row[:3]):
            assert found == [(left + place * (84 + 7), 20 + label * (84 + 7))]
    assert sheet.size == (left + 3 * 84 + 2 * 7 + 20, 20 + 3 * 84 + 2 * 7 + 20)


def test_a_data_sheet_of_many_classes_says_how_many_it_shows() -> None:
    few, many = data_sheet(mixed([3] * 4)), data_sheet(mixed([3] * 30), most_classes=4)
    assert many.height == few.height + 30
    assert (pixels(many)[-50:] < 200).any()


def test_a_data_sheet_is_the_same_each_time_and_reads_a_memory_map(tmp_path: Path) -> None:
    images = mixed([4, 4])
    np.save(tmp_path / "images.npy", images.images)
    mapped = ImageSet(np.load(tmp_path / "images.npy", mmap_mode="r"), images.labels, images.classes)
    np.testing.assert_array_equal(pixels(data_sheet(images)), pixels(data_sheet(mapped)))


def test_a_part_of_a_set_shows_its_own_images() -> None:
    images = mixed([6, 6])
    part = np.array([11, 3, 7, 0, 8])
    alone = ImageSet(images.images[part], images.labels[part], images.classes)
    np.testing.assert_array_equal(pixels(data_sheet(images.take(part))), pixels(data_sheet(alone)))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_data_sheet_takes_any_number_of_channels_and_names(channels: int) -> None:
    images = mixed([2, 1], channels)
    named = ImageSet(images.images, images.labels, ("犬\n\x00", "a name far too long for the margin of any sheet"))
    assert data_sheet(named).width < 20 + 170 + 14 + 2 * 84 + 7 + 20 + 2


@pytest.mark.parametrize("changes", [{"per_class": 0}, {"most_classes": 0}])
def test_a_data_sheet_of_nothing_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        data_sheet(mixed([2, 2]), **changes)


def test_a_data_sheet_of_no_images_names_its_classes() -> None:
    assert (pixels(data_sheet(mixed([0, 0]))) < 128).any()


def idx(path: Path, header: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header).reshape(shape)


def kmnist() -> Iterator[Path]:
    return (
        Path(folder) / "kmnist" for folder in DATA if (Path(folder) / "kmnist" / "t10k-labels-idx1-ubyte.gz").exists()
    )


def test_kuzushiji_letters_stand_in_their_rows() -> None:
    folder = next(kmnist(), None)
    if folder is None:
        pytest.skip("no kmnist in the folders of SIGHTLAB_DATA")
    images = idx(folder / "t10k-images-idx3-ubyte.gz", 16, (-1, 28, 28, 1))
    labels = idx(folder / "t10k-labels-idx1-ubyte.gz", 8, (-1,)).astype(np.int64)
    sheet = data_sheet(ImageSet(images, labels, HIRAGANA))
    assert sheet.height == 20 + 10 * 84 + 9 * 7 + 20
    first = images[np.flatnonzero(labels == 9)[9]][:, :, 0]
    (corner,) = holds(sheet, np.kron(first, np.ones((3, 3), np.uint8))[:, :, None].repeat(3, axis=2))
    assert corner == (sheet.width - 20 - 84, sheet.height - 20 - 84)


def test_a_saved_picture_is_the_picture_with_ordinary_rights(tmp_path: Path) -> None:
    sheet = contact_sheet(noise(3, 32, 32, 3), ["a", "b", "c"], title="three")
    save_picture(sheet, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as back:
        assert back.format == "PNG"
        np.testing.assert_array_equal(pixels(back), pixels(sheet))
    (tmp_path / "plain").touch()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["plain", "sheet.png"]
    rights = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "sheet.png")}
    assert len(rights) == 1


def test_a_picture_that_cannot_be_saved_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    sheet = contact_sheet(noise(1, 28, 28, 1), ["a"])
    with pytest.raises(RunError, match=r"a\.jpg: a picture is saved as \.png, not \.jpg"):
        save_picture(sheet, tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"a\.png: cannot be written \([^\n]+\)$"):
        save_picture(sheet, tmp_path / "file" / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
