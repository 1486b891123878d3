"""Splits from Python are held against each other: classes matched by name, what cannot be matched refused in a line."""

from pathlib import Path

import numpy as np
import pytest

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.data.load import load_data, load_parts
from sightlab.data.splits import Sealed, Splits, as_splits
from sightlab.errors import DataError
from sightlab.training.prepare import splits_of


def by_class(values: dict[str, int], size: int = 8, channels: int = 1, each: int = 4) -> ImageSet:
    """Images [each, size, size, channels] of each class, all of one value, the classes in the order given."""
    pixels = np.stack(
        [np.full((size, size, channels), value, np.uint8) for value in values.values() for _ in range(each)]
    )
    pixels[:, 0, 0, 0] = np.arange(len(pixels))  # no two are equal
    return ImageSet(pixels, np.repeat(np.arange(len(values)), each).astype(np.int64), tuple(values))


def value_of(images: ImageSet, name: str) -> set[int]:
    return set(images.images[images.labels == images.classes.index(name), 1:].ravel().tolist())


def both(train: ImageSet, test: ImageSet, whole: bool) -> Splits:
    """as_splits of a mapping, or of the user's own Splits."""
    return as_splits(Splits(train, train, Sealed(test)) if whole else {"train": train, "test": test})


@pytest.mark.parametrize("whole", [False, True])
def test_classes_in_another_order_are_matched_by_name_and_noted(whole: bool) -> None:
    splits = both(by_class({"cat": 100, "dog": 200}), by_class({"dog": 200, "cat": 100}), whole)
    test = splits.test.open("a check")
    assert splits.train.classes == test.classes == ("cat", "dog")
    assert value_of(test, "cat") == {100} and value_of(test, "dog") == {200}
    assert any("test" in note and "another order" in note and "by name" in note for note in splits.notes)


def test_a_split_without_pictures_of_some_classes_is_matched_by_name() -> None:
    splits = both(by_class({"ant": 1, "bee": 2, "cow": 3}), by_class({"cow": 3, "ant": 1}), whole=False)
    test = splits.test.open("a check")
    assert test.counts().tolist() == [4, 0, 4] and value_of(test, "cow") == {3}


@pytest.mark.parametrize("whole", [False, True])
def test_the_users_own_test_split_keeps_its_record(whole: bool) -> None:
    train, test = by_class({"cat": 1, "dog": 2}), Sealed(by_class({"dog": 2, "cat": 1}))
    splits = as_splits(Splits(train, train, test))
    splits.test.open("a check")
    assert [one["reason"] for one in test.openings] == ["a check"]


def test_splits_that_agree_are_given_back_as_they_are() -> None:
    images = by_class({"cat": 1, "dog": 2})
    splits = Splits(images, images, Sealed(images))
    assert as_splits(splits) is splits


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("test", "words"),
    [
        (by_class({"cat": 1, "cow": 2}), ("'cow'", "train", "test", "cat, dog")),
        (by_class({"cat": 1, "dog": 2}, size=9), ("train are 8 x 8,", "test are 9 x 9;", "`size=8`")),
        (by_class({"cat": 1, "dog": 2}, channels=3), ("train are 8 x 8,", "test are 8 x 8 x 3;", "`channels=1`")),
    ],
)
def test_what_differs_is_refused_in_one_line_that_names_both_splits(
    test: ImageSet, words: tuple[str, ...], whole: bool
) -> None:
    with pytest.raises(DataError) as caught:
        both(by_class({"cat": 1, "dog": 2}), test, whole)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)


def test_sizes_that_differ_are_fitted_where_a_size_is_given() -> None:
    sets = {"train": by_class({"cat": 1, "dog": 2}), "test": by_class({"cat": 1, "dog": 2}, size=16, channels=3)}
    splits = splits_of(sightlab.recipe("cnn", size=8, channels=1).data, sets)
    assert splits.shape == splits.test.open("a check").shape == (8, 8, 1)


def test_no_splits_and_splits_beside_undivided_images_are_refused() -> None:
    images = by_class({"cat": 1, "dog": 2})
    with pytest.raises(DataError, match="no split"):
        as_splits({})
    with pytest.raises(DataError, match="all"):
        as_splits({"all": images, "test": images})


def arrays(path: Path, train: int, test: int) -> Path:
    labels = np.arange(8) % 2
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32), np.uint8)
    sets = {f"x_{split}": noise[:, :side, :side] for split, side in (("train", train), ("test", test))}
    np.savez(path, y_train=labels, y_test=labels, **sets)
    return path


def test_an_npz_of_two_sizes_is_refused_and_fitted_where_a_size_is_given(tmp_path: Path) -> None:
    path = arrays(tmp_path / "data.npz", 28, 32)
    with pytest.raises(DataError, match=r"32 x 32,.*28 x 28;.*`size=28`") as caught:
        load_data(path)
    assert "x_train" in str(caught.value) and "x_test" in str(caught.value)
    parts = load_parts(path, size=28).parts
    assert {images.shape for images in parts.splits.values()} == {(28, 28, 1)}
