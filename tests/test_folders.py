"""Picture folders become image sets: labels from folders, order from names, sizes and channels as asked."""

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.pictures.assemble import closed_up
from sightlab.data.pictures.decode import fit
from sightlab.data.pictures.decode_pipeline import in_threads
from sightlab.data.pictures.suffixes import PICTURE_SUFFIXES, suffix_of
from sightlab.errors import DataError
from tests.picture_files import encoded, flat, noise, spread
from tests.reading import read

PETS = {"cat/1.png": flat(1), "cat/2.png": flat(2), "dog/1.png": flat(3)}


def values(images: NDArray[np.uint8]) -> list[int]:
    """The value each flat picture is known by."""
    return [int(image.flat[0]) for image in images]


def test_class_folders_alone_are_one_undivided_set(tmp_path: Path) -> None:
    parts = read(spread(tmp_path, PETS))
    assert list(parts.splits) == ["all"] and parts.notes == ()
    images = parts.splits["all"]
    assert images.classes == ("cat", "dog") and not images.numbered
    assert values(images.images) == [1, 2, 3] and images.labels.tolist() == [0, 0, 1]
    assert images.images.shape == (3, 4, 4, 3)


@pytest.mark.parametrize("wrap", ["", "pets/", "a/b/", "test_data/pets-v1/", "my-train-test/"])
def test_split_folders_divide_the_set_however_deep_they_lie(tmp_path: Path, wrap: str) -> None:
    files = {f"{wrap}{split}/{name}": data for split in ("train", "val", "test") for name, data in PETS.items()}
    parts = read(spread(tmp_path, files))
    assert list(parts.splits) == ["train", "validation", "test"]
    assert all(values(images.images) == [1, 2, 3] for images in parts.splits.values())


def test_training_pictures_alone_are_the_train_split(tmp_path: Path) -> None:
    parts = read(spread(tmp_path, {f"train/{name}": data for name, data in PETS.items()}))
    assert list(parts.splits) == ["train"]


def test_one_more_folder_around_the_classes_of_a_split_is_no_class(tmp_path: Path) -> None:
    files = {f"{split}/images/{name}": data for split in ("train", "test") for name, data in PETS.items()}
    assert read(spread(tmp_path, files)).classes == ("cat", "dog")


def test_a_class_may_be_called_train_or_test(tmp_path: Path) -> None:
    parts = read(spread(tmp_path, {"train/1.png": flat(1), "plane/1.png": flat(2), "test tube/1.png": flat(3)}))
    assert parts.classes == ("plane", "test tube", "train")


def test_pictures_deeper_in_a_class_folder_count_for_the_class(tmp_path: Path) -> None:
    parts = read(spread(tmp_path, {**PETS, "dog/more/yet more/2.png": flat(4)}))
    assert parts.splits["all"].counts().tolist() == [2, 2]


def test_numbered_classes_and_names_stand_in_natural_order(tmp_path: Path) -> None:
    files = {f"{label}/{n}.png": flat(10 * label + n) for label in range(12) for n in (10, 9)}
    images = read(spread(tmp_path, files)).splits["all"]
    assert images.classes == tuple(str(n) for n in range(12)) and images.numbered
    assert values(images.images) == [10 * label + n for label in range(12) for n in (9, 10)]


@pytest.mark.parametrize("labels", [("0", "2"), ("1", "2"), ("00", "01"), ("0", "cat")])
def test_only_zero_to_k_are_numbered(tmp_path: Path, labels: tuple[str, str]) -> None:
    parts = read(spread(tmp_path, {f"{label}/1.png": flat(1) for label in labels}))
    assert not parts.splits["all"].numbered


def test_a_class_that_only_training_has_keeps_its_number_in_the_others(tmp_path: Path) -> None:
    files = {"train/ant/1.png": flat(1), "train/bee/1.png": flat(2), "test/bee/1.png": flat(3)}
    parts = read(spread(tmp_path, files))
    assert parts.splits["test"].classes == ("ant", "bee") and parts.splits["test"].labels.tolist() == [1]


def test_hidden_files_and_those_of_systems_are_passed_over(tmp_path: Path) -> None:
    junk = ["cat/.DS_Store", ".git/cat.png", "__MACOSX/cat/._1.png", "dog/Thumbs.db", ".cache/x/1.png"]
    parts = read(spread(tmp_path, {**PETS, **dict.fromkeys(junk, b"junk")}))
    assert len(parts.splits["all"]) == 3 and parts.notes == ("5 hidden or system files ignored",)


def test_other_files_are_counted_in_a_note(tmp_path: Path) -> None:
    files = {**PETS, "README.txt": b"cats and dogs", "cat/about.json": b"{}", "dog/scan": b"??", "0.png": flat(7)}
    parts = read(spread(tmp_path, files))
    assert parts.notes == (
        "1 picture (0.png) in no class folder ignored",
        "3 files (cat/about.json, dog/scan, README.txt) that are no pictures ignored",
    )


def test_a_picture_without_a_known_suffix_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    Image.init()
    kinds = {"PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"} & set(Image.SAVE)
    files = {f"cat/{kind}_scan": encoded(noise(8, 8), kind) for kind in kinds} | {"dog/scan.v2": encoded(noise(8, 8))}
    assert read(spread(tmp_path, files)).splits["all"].counts().tolist() == [len(kinds), 1]


def test_every_suffix_that_pillow_writes_our_kinds_under_is_a_pictures() -> None:
    Image.init()
    ours = [s for s, kind in Image.EXTENSION.items() if kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")]
    assert len(ours) > 10
    assert [s for s in ours if not PICTURE_SUFFIXES.fullmatch(suffix_of(f"x{s.upper()}"))] == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no files"),
        ({"notes.txt": b"hello"}, r"holds no labelled pictures \(1 text file\)"),
        ({"cat/1.png": flat(1)}, "all pictures are of one class, `cat`"),
        ({"train/cat/1.png": flat(1), "train/cat/2.png": flat(1)}, "all pictures are of one class, `cat`"),
        ({"1.png": flat(1), "2.png": flat(2)}, "nothing that says their classes"),
        (
            {"train/1.png": flat(1), "test/2.png": flat(2)},
            "`test` and `train` are splits by their names with no class folders",
        ),
        ({**PETS, "eel/note.txt": b""}, "eel: the class folder holds no pictures"),
        (
            {"train/a/1.png": flat(1), "train/b/1.png": flat(1), "test/a/1.png": flat(1), "test/c/1.png": flat(1)},
            "test/c/1.png: class `c` of the test split has no picture in train",
        ),
        (
            {"train/a/1.png": flat(1), "train/b/1.png": flat(1), "val/1.png": flat(1), "val/2.png": flat(1)},
            "the pictures of val lie in no class folders and no list names them; `split=train:train` reads the rest",
        ),
        (
            {f"{s}/{c}/1.png": flat(1) for s in ("train", "training") for c in "ab"},
            "the folders `train` and `training` both mean train; `split=train:train` reads the first",
        ),
        (
            {f"{s}/{c}/1.png": flat(1) for s in ("train", "test", "extra") for c in "ab"},
            "the folder `extra` lies beside test, train and is none of train, val, test; `split=train:train,test:test`",
        ),
        ({"c\nat/1.png": flat(1), "dog/1.png": flat(1)}, "the class name 'c.nat' cannot be printed"),
    ],
)
def test_a_folder_that_gives_no_labels_is_refused(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(spread(tmp_path, files))
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    (spread(tmp_path, PETS) / "eel").mkdir()
    with pytest.raises(DataError, match="eel: the class folder holds no pictures; fill or remove it"):
        read(tmp_path)


def test_a_path_that_is_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: cannot be read: No such file"):
        read(tmp_path / "gone")


def test_a_link_to_a_file_inside_is_followed(tmp_path: Path) -> None:
    (spread(tmp_path, PETS) / "dog/2.png").symlink_to(tmp_path / "cat/2.png")
    assert values(read(tmp_path).splits["all"].images) == [1, 2, 3, 2]


def test_links_to_files_and_folders_elsewhere_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    store = spread(tmp_path / "store", {"9.png": flat(9), "eels/1.png": flat(7)})
    root = spread(tmp_path / "pets", PETS)
    (root / "dog/2.png").symlink_to(store / "9.png")
    (root / "eel").symlink_to(store / "eels", target_is_directory=True)
    (root / "eel/again").symlink_to(root, target_is_directory=True)
    images = read(root).splits["all"]
    assert images.classes == ("cat", "dog", "eel") and values(images.images) == [1, 2, 3, 9, 7]


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    root = spread(tmp_path / "pets", PETS)
    (root / "dog/2.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=r"dog/2\.png: is a link to .*nothing\.png, which is not there"):
        read(root)


def test_a_test_split_without_labels_is_left_aside_and_said(tmp_path: Path) -> None:
    files = {"train/a/1.png": flat(1), "train/b/1.png": flat(2), "test/1.png": flat(3), "test/2.png": flat(4)}
    parts = read(spread(tmp_path, files))
    assert list(parts.splits) == ["train"] and values(parts.splits["train"].images) == [1, 2]
    assert parts.notes == ("2 pictures in test have no labels: ignored (`sightlab predict` takes them)",)


def test_a_pipe_is_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(spread(tmp_path, PETS) / "dog/2.png")
    assert stat.S_ISFIFO((tmp_path / "dog/2.png").stat().st_mode)
    with pytest.raises(DataError, match=r"dog/2\.png: is neither a file nor a folder"):
        read(tmp_path)


def test_sizes_that_differ_are_named_and_a_size_is_offered(tmp_path: Path) -> None:
    sizes = [(30, 20), (30, 20), (41, 33), (50, 60)]  # height, width: shorter sides 20, 20, 33, 50
    files = {f"{'ab'[n % 2]}/{n}.png": encoded(noise(*size)) for n, size in enumerate(sizes)}
    with pytest.raises(DataError) as caught:
        read(spread(tmp_path, files))
    assert str(caught.value) == (
        f"the pictures have different sizes: {tmp_path}/a/0.png is 20 x 30 and {tmp_path}/a/2.png is 33 x 41 "
        "(width x height); `size=26` resizes them all"
    )
    images = read(tmp_path, size=26).splits["all"].images
    expected = [fit(noise(*sizes[n]), 26) for n in (0, 2, 1, 3)]
    np.testing.assert_array_equal(images, np.stack(expected))


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("coloured", [False, True])
def test_channels_are_the_pictures_own_unless_given(tmp_path: Path, channels: int | None, coloured: bool) -> None:
    files = {f"{label}/{n}.png": flat(n, channels=1) for label in "ab" for n in range(3)}
    if coloured:
        files["b/1.png"] = flat(1, channels=3)
    images = read(spread(tmp_path, files), channels=channels).splits["all"]
    assert images.shape == (4, 4, channels or (3 if coloured else 1))
    assert values(images.images) == [0, 1, 2] * 2


def test_a_broken_picture_stops_the_reading_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cat/3\.jpg cannot be decoded: .*`skip_broken=true` goes on without it"):
        read(spread(tmp_path, {**PETS, "cat/3.jpg": flat(5)[:40]}))


@pytest.mark.parametrize("size", [None, 4])
def test_broken_pictures_are_left_out_counted_and_named(tmp_path: Path, size: int | None) -> None:
    broken = {f"{name}.png": b"broken" for name in ("cat/0", "cat/1b", "dog/0", "dog/9")}
    parts = read(spread(tmp_path, {**PETS, **broken}), size=size, skip_broken=True)
    images = parts.splits["all"]
    assert values(images.images) == [1, 2, 3] and images.labels.tolist() == [0, 0, 1]
    named = "cat/0.png, cat/1b.png, dog/0.png"
    assert parts.notes == (f"4 broken pictures left out ({named}, ...)",)


def test_a_class_of_broken_pictures_alone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every all picture of class `eel` is broken"):
        read(spread(tmp_path, {**PETS, "eel/1.png": b"?", "eel/2.png": b"?"}), skip_broken=True)
    with pytest.raises(DataError, match=r"a/1\.png cannot be decoded"):
        read(spread(tmp_path / "all", {"a/1.png": b"?", "b/1.png": b"?"}), skip_broken=True)


def test_images_are_written_into_the_arrays_given(tmp_path: Path) -> None:
    asked: dict[str, tuple[Any, NDArray[np.uint8]]] = {}

    def allocate(split: str, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        asked[split] = (shape, np.zeros(shape, np.uint8))
        return asked[split][1]

    counts: list[tuple[int, int]] = []
    files = {f"{split}/{name}": data for split in ("test", "train") for name, data in PETS.items()}
    parts = read(
        spread(tmp_path, {**files, "test/cat/0.png": b"broken"}),
        allocate,
        lambda done, total: counts.append((done, total)),
        skip_broken=True,
    )
    assert {split: shape for split, (shape, _) in asked.items()} == {"train": (3, 4, 4, 3), "test": (4, 4, 4, 3)}
    for split, (_, array) in asked.items():
        assert parts.splits[split].images.base is array or parts.splits[split].images is array
        assert parts.splits[split].images.ctypes.data == array.ctypes.data
    assert values(parts.splits["test"].images) == [1, 2, 3]
    assert counts[-1] == (7, 7)


def test_large_pictures_decoded_on_threads_are_the_same(tmp_path: Path) -> None:
    pictures = [noise(130, 140, 3, seed) for seed in range(150)]
    files = {f"{'ab'[n >= 75]}/{n:03}.bmp": encoded(picture, "BMP") for n, picture in enumerate(pictures)}
    images = read(spread(tmp_path, files)).splits["all"].images
    np.testing.assert_array_equal(images, np.stack(pictures))


def test_threads_keep_the_order_and_take_no_more_than_they_can_hold() -> None:
    taken: list[int] = []

    def items() -> Any:
        for n in range(50):
            taken.append(n)
            yield n

    results = in_threads(lambda n: n * n, items(), 3)
    assert next(results) == 0 and len(taken) <= 2 * 3
    assert list(results) == [n * n for n in range(1, 50)]


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda n: 1 // n, [3, 2, 1, 0, 5, 6, 7, 8], 2))


@given(st.lists(st.booleans(), min_size=1, max_size=5000))
def test_kept_rows_close_up_in_order(kept: list[bool]) -> None:
    rows = np.arange(len(kept), dtype=np.int64).view(np.uint8).reshape(len(kept), 8)
    expected = rows[np.array(kept)]
    np.testing.assert_array_equal(closed_up(rows.copy(), np.array(kept)), expected)
