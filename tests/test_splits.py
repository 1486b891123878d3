"""Divisions: stratified, without overlap, the same every time; the test split sealed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sightlab
from sightlab.data.imageset import UNDIVIDED, ImageSet, Parts
from sightlab.data.splits import Sealed, divide, fingerprints, set_aside
from sightlab.errors import DataError


def numbered_images(counts: list[int]) -> ImageSet:
    """Images that are all different: each holds its own number in its first bytes."""
    total = sum(counts)
    images = np.zeros((total, 4, 4, 1), np.uint8)
    images.reshape(total, -1)[:, :4] = np.arange(total, dtype=np.uint32)[:, None].view(np.uint8)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    order = np.random.default_rng(0).permutation(total)
    return ImageSet(images[order], labels[order], tuple(f"c{n}" for n in range(len(counts))))


def numbers_of(images: ImageSet) -> set[int]:
    return set(np.ascontiguousarray(images.images.reshape(len(images), -1)[:, :4]).view(np.uint32)[:, 0].tolist())


class_counts = st.lists(st.integers(11, 60), min_size=2, max_size=6)


@given(class_counts, st.floats(0.1, 0.5), st.integers(0, 2**40))
def test_no_image_is_lost_and_none_is_in_two_splits(counts: list[int], share: float, seed: int) -> None:
    images = numbered_images(counts)
    splits = divide(Parts({UNDIVIDED: images}), validation=share, seed=seed)
    sets = [numbers_of(s) for s in (splits.train, splits.validation, splits.test.open("check"))]
    assert sum(len(s) for s in sets) == len(images)
    assert set.union(*sets) == set(range(len(images)))


@given(class_counts, st.floats(0.1, 0.5))
def test_a_share_is_stratified_to_less_than_two_images(counts: list[int], share: float) -> None:
    images = numbered_images(counts)
    aside, rest = set_aside(images, share, np.random.default_rng(0))
    assert abs(len(aside) - share * len(images)) <= 0.5 + 1e-9
    assert (np.abs(aside.counts() - share * images.counts()) < 2).all()
    assert (rest.counts() >= 1).all()


def test_the_test_share_is_fifteen_percent_and_set_aside_first() -> None:
    splits = divide(Parts({UNDIVIDED: numbered_images([100, 100])}), validation=0.2)
    assert (len(splits.test), len(splits.validation), len(splits.train)) == (30, 34, 136)


def test_splits_that_are_given_are_kept() -> None:
    parts = Parts({name: numbered_images([20, 20]) for name in ("train", "validation", "test")})
    splits = divide(parts)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (40, 40, 40)


def test_the_limit_leaves_test_whole_and_is_nested_in_the_seed() -> None:
    parts = Parts({"train": numbered_images([50, 80]), "test": numbered_images([10, 10])})
    splits = divide(parts, limit_per_class=20, validation=0.25)
    assert splits.train.counts().tolist() == [15, 15]
    assert splits.validation.counts().tolist() == [5, 5]
    assert len(splits.test) == 20


def test_the_same_seed_divides_alike_and_another_does_not() -> None:
    parts = Parts({UNDIVIDED: numbered_images([50, 50])})
    one, two, other = (divide(parts, seed=seed) for seed in (1, 1, 2))
    assert numbers_of(one.train) == numbers_of(two.train) != numbers_of(other.train)


def test_a_class_with_one_image_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="class 'c1' has one image"):
        divide(Parts({UNDIVIDED: numbered_images([5, 1])}))


def test_every_opening_of_the_test_split_is_on_record() -> None:
    sealed = Sealed(numbered_images([2, 2]))
    assert sealed.openings == []
    assert sealed.counts().tolist() == [2, 2]
    assert sealed.openings == []
    sealed.open("first")
    sealed.open("second")
    assert [entry["reason"] for entry in sealed.openings] == ["first", "second"]


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (5, 7, 1), (1, 1, 1)])
def test_exact_duplicates_across_splits_are_counted(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, *shape), dtype=np.uint8)
    pixels[:, 0, 0, 0] = np.arange(60)
    labels = np.tile(np.arange(2), 30).astype(np.int64)
    train, test = ImageSet(pixels[:40], labels[:40], ("a", "b")), ImageSet(pixels[30:], labels[30:], ("a", "b"))
    splits = sightlab.Splits(train, ImageSet(pixels[:3], labels[:3], ("a", "b")), Sealed(test))
    assert splits.duplicates == {("train", "validation"): 3, ("train", "test"): 10}


def test_a_thousand_equal_images_are_each_counted() -> None:
    blank = ImageSet(np.zeros((1000, 8, 8, 1), np.uint8), np.zeros(1000, np.int64), ("a", "b"))
    assert sightlab.Splits(blank, blank, Sealed(blank)).duplicates[("train", "test")] == 1000


@given(st.integers(0, 99), st.integers(0, 783), st.integers(1, 255))
def test_one_changed_pixel_changes_the_fingerprint(place: int, pixel: int, by: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (100, 28, 28, 1), dtype=np.uint8)
    before = fingerprints(ImageSet(pixels, np.zeros(100, np.int64), ("a",)))
    flat = pixels.reshape(100, -1)
    flat[place, pixel] = (int(flat[place, pixel]) + by) % 256
    after = fingerprints(ImageSet(pixels, np.zeros(100, np.int64), ("a",)))
    assert np.flatnonzero(before != after).tolist() == [place]


def test_moments_equal_numpys_in_double_precision() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5000, 6, 5, 3), dtype=np.uint8)
    mean, std = ImageSet(pixels, np.zeros(5000, np.int64), ("a", "b")).moments()
    scaled = pixels / 255
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=1e-10)


def test_a_part_shares_its_array_and_still_knows_its_own_images() -> None:
    images = numbered_images([10, 10])
    part = images.take(np.array([3, 1, 7])).take(np.array([2, 0]))
    assert (part.images == images.images[[7, 3]]).all()
    assert (part.gather(np.array([1])) == images.images[[3]]).all()
    assert part.labels.tolist() == images.labels[[7, 3]].tolist()


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (np.zeros((2, 4, 4), np.uint8), [0, 0], "uint8 [2, 4, 4]"),
        (np.zeros((2, 4, 4, 1), np.float32), [0, 0], "float32"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0], "2 images have 1 labels"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0, 2], "labels run from 0 to 2"),
        (np.zeros((2, 4, 4, 1), np.uint8), [-1, 0], "labels run from -1"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(images: object, labels: list[int], says: str) -> None:
    with pytest.raises(DataError) as caught:
        ImageSet(images, np.array(labels, np.int64), ("a", "b"))  # type: ignore[arg-type]
    assert says in str(caught.value)
