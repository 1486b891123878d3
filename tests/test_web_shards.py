"""WebDataset shards as a source: the pixels they were made from, an order that is a function of (seed, epoch), little
memory, training that resumes to the bit; what is wrong with a shard is one line."""

import gzip
import io
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import webdataset
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import sightlab
from sightlab.data.batches import Batches, epoch_order, images_at, windows
from sightlab.data.containers.base import DataFile
from sightlab.data.content_hash import content_of
from sightlab.data.imageset import ImageSet, Parts, in_memory
from sightlab.data.inventory import look
from sightlab.data.layouts import webdataset as layout
from sightlab.data.layouts.claim import KNOWN, ReadOptions
from sightlab.data.load import load_data, load_parts
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pixels import Groups
from sightlab.data.splits import Splits, divide, fingerprints
from sightlab.data.webshards.first import first_sample
from sightlab.data.webshards.read_shards import ShardPixels, read_shards
from sightlab.data.webshards.sample_names import is_pattern, is_shard, split_members
from sightlab.errors import DataError
from sightlab.store.run_folder import run_folders
from sightlab.training import checkpoint
from sightlab.training.callbacks import Paused
from sightlab.training.prepare import GivenParts as OwnParts
from sightlab.training.prepare import prepare
from sightlab.training.step import share_bounds
from tests.conftest import Cli, refused_with
from tests.picture_files import encoded, flat, noise, spread, zipped
from tests.test_engine import Plain
from tests.test_training import run_loop, same, weights, without_times

SIZES = (70, 30, 90, 45, 65)
opened: Counter[str] = Counter()


def note_opening(event: str, words: tuple[Any, ...]) -> None:
    if event == "open" and str(words[0]).endswith(".tar"):
        opened[str(words[0])] += 1


sys.addaudithook(note_opening)


@pytest.fixture(scope="module")
def real() -> ImageSet:
    """300 of the embedded images."""
    train = load_data("fashion-mini").train
    picked = np.arange(sum(SIZES))
    return ImageSet(train.gather(picked), train.labels[picked], train.classes)


def write_shards(folder: Path, images: ImageSet, sizes: Sequence[int] = SIZES, name: str = "{:02}.tar") -> list[Path]:
    """Shards as the library writes them, PNG and class number, so many samples in each."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels, place, paths = images.images, 0, []
    for number, size in enumerate(sizes):
        paths.append(folder / name.format(number))
        with webdataset.TarWriter(str(paths[-1])) as writer:
            for _ in range(size):
                label = int(images.labels[place])
                writer.write({"__key__": f"{place:05}", "png": encoded(pixels[place]), "cls": label})
                place += 1
    return paths


@pytest.fixture(scope="module")
def shards(real: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_shards(tmp_path_factory.mktemp("shards") / "made", real)


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar of these members, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pixels_of(images: ImageSet) -> ShardPixels:
    assert isinstance(images._pixels, ShardPixels)
    return images._pixels


def small_windows(shards: list[Path], shards_in_memory: int = 2) -> ImageSet:
    """The shards with windows of about so many: the largest is 90 of 300 samples."""
    whole = read_shards(shards, "small-windows").splits["all"]
    sizes = pixels_of(whole).index.sizes
    return read_shards(shards, "small-windows", window_bytes=int(sizes.max()) * shards_in_memory).splits["all"]


# What is read


def test_the_pixels_and_labels_are_those_the_shards_were_made_from(real: ImageSet, shards: list[Path]) -> None:
    found = load_parts(f"{shards[0].parent}/{{00..04}}.tar").parts
    images = found.splits["all"]
    assert list(found.splits) == ["all"]
    assert np.array_equal(images.images, real.images)
    assert np.array_equal(images.labels, real.labels)
    assert images.classes == tuple("0123456789")
    assert images.numbered
    assert images.shape == (28, 28, 1)
    mixed = np.random.default_rng(0).permutation(300)[:50]
    assert np.array_equal(images.gather(mixed), real.gather(mixed))
    part = images.take(mixed).relabelled(images.labels[mixed], real.classes)
    assert np.array_equal(part.images, real.images[mixed])
    assert part.take(np.arange(5)).classes == real.classes
    assert np.array_equal(np.concatenate(list(part.blocks())), real.images[mixed])
    assert images.gather(np.empty(0, np.int64)).shape == (0, 28, 28, 1)


def test_what_is_told_from_the_pixels_is_told_without_them(real: ImageSet, shards: list[Path]) -> None:
    images = read_shards(shards, "told").splits["all"].take(np.arange(37, 250))
    same_array = real.take(np.arange(37, 250))
    opened.clear()
    assert images.moments() == same_array.moments()
    assert np.array_equal(fingerprints(images), fingerprints(same_array))
    assert content_of(images) == content_of(same_array)
    assert images.identity(3) == same_array.identity(3) != images.identity(4)
    assert not opened


def test_duplicates_between_splits_are_found(tmp_path: Path, real: ImageSet) -> None:
    doubled = real.take(np.concatenate([np.arange(200), np.arange(20)]))
    write_shards(tmp_path, doubled, [200, 20], "{}.tar")
    (tmp_path / "0.tar").rename(tmp_path / "train-0.tar")
    (tmp_path / "1.tar").rename(tmp_path / "test-0.tar")
    splits = load_data(tmp_path / "{train,test}-0.tar")
    counted = sum(count for (_, second), count in splits.duplicates.items() if second == "test")
    assert (len(splits.test), counted) == (20, 20)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz"])
def test_compressed_shards_are_read_too(tmp_path: Path, real: ImageSet, shards: list[Path], suffix: str) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}{suffix}").write_bytes(gzip.compress(shards[number].read_bytes(), 1))
    images = load_parts(tmp_path / f"{{0..1}}{suffix}").parts.splits["all"]
    assert np.array_equal(images.images, real.images[:100])


@pytest.mark.parametrize(
    ("members", "label"),
    [
        ({"cls": b"cat\n"}, None),
        ({"json": b'{"label": "cat"}'}, None),
        ({"json": b'{"class": "cat", "cls": 3}'}, None),
        ({"txt": b" cat"}, None),
        ({"label": b"cat"}, None),
        ({"cls.txt": b"cat"}, None),
        ({"json": b'{"target": "cat", "id": 3}'}, None),
        ({"cls": b"cat", "json": b'{"label": "dog"}', "txt": b"a caption"}, None),
        ({"cls": b"dog", "species": b"cat"}, "species"),
        ({"cls": b"dog", "json": b'{"species": "cat"}'}, "species"),
    ],
)
def test_labels_are_found_where_shards_have_them(tmp_path: Path, members: dict[str, bytes], label: str | None) -> None:
    other = {key: data.replace(b"cat", b"ant").replace(b"dog", b"ant") for key, data in members.items()}
    files = {"0.png": encoded(noise(8, 8)), **{f"0.{key}": data for key, data in members.items()}}
    files |= {"1.png": encoded(noise(8, 8, seed=1)), **{f"1.{key}": data for key, data in other.items()}}
    tar(tmp_path / "a.tar", files)
    images = read_shards([tmp_path / "a.tar"], f"labels-{members}-{label}".replace("/", "-"), label=label).splits["all"]
    assert [images.classes[n] for n in images.labels] == ["cat", "ant"]
    assert not images.numbered


def test_names_of_shards_say_splits(tmp_path: Path, real: ImageSet) -> None:
    write_shards(tmp_path, real, [100, 100], "train-{}.tar")
    write_shards(tmp_path, real.take(np.arange(200, 300)), [60], "val-{}.tar")
    write_shards(tmp_path, real.take(np.arange(260, 300)), [40], "test-{}.tar")
    (tmp_path / "README.md").write_text("our shards")
    splits = load_data(tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (200, 60, 40)
    assert np.array_equal(splits.test.open("a test").images, real.images[260:])
    only = load_parts(f"{tmp_path}/{{train-0,train-1,test-0}}.tar:test").parts.splits
    assert {name: len(images) for name, images in only.items()} == {"all": 40}


def test_undivided_shards_are_divided_by_class(shards: list[Path]) -> None:
    splits = load_data(f"{shards[0].parent}/{{00..04}}.tar")
    total = splits.train.counts() + splits.validation.counts() + splits.test.counts()
    assert total.sum() == 300
    assert np.abs(splits.test.counts() - 0.15 * total).max() <= 1


@given(st.sampled_from(["train", "val", "test", "x"]), st.integers(0, 9), st.sampled_from([".tar", ".tgz", ".zip"]))
def test_a_pattern_is_told_by_braces_and_suffix(word: str, number: int, suffix: str) -> None:
    assert is_pattern(f"{word}-{{0..{number}}}{suffix}") == (suffix != ".zip")
    assert not is_pattern(f"{word}-{number}{suffix}")
    assert not is_pattern(f"{word}-{{{number}}}{suffix}")
    expected = {"train": "train", "val": "validation", "test": "test", "x": "all"}[word]
    assert split_members([Path("test") / f"{word}-{number}{suffix}"]) == {expected: [0]}


# Which tars are shards


def claim_of(path: Path, **options: Any) -> Any:
    return layout.matches(look(path), ReadOptions(**options))


def read(path: Path, **options: Any) -> Parts:
    """What the layout reads of a path."""
    claim = claim_of(path, **options)
    assert claim is not None
    if claim.refusal:
        raise DataError(claim.refusal)
    assert claim.lazy and claim.strength == KNOWN and claim.pairs is None
    parts: Parts = claim.read(in_memory, None)
    assert list(claim.splits) == list(parts.splits)
    return parts


def first_pixels(parts: Parts) -> dict[str, list[int]]:
    return {split: [int(image.flat[0]) for image in images.images] for split, images in parts.splits.items()}


def samples_of(numbers: Sequence[int], extension: str = "cls") -> dict[str, bytes]:
    """A sample a number: a picture of that value, labelled by whether it is odd."""
    files: dict[str, bytes] = {}
    for number in numbers:
        files |= {f"{number:04}.png": flat(number), f"{number:04}.{extension}": b"%d" % (number % 2)}
    return files


@pytest.mark.parametrize(
    ("members", "label"),
    [
        (samples_of([1, 2]), ".cls"),
        ({"0.cls": b"1", "0.jpg": b"?"}, ".cls"),
        ({"./a/b/0.image.jpg": b"?", "./a/b/0.cls": b"1"}, ".cls"),
        ({"0.jpg": b"?", "0.json": b'{"label": 3}', "0.txt": b"a photo of a cat"}, "`label` in .json"),
        ({"0.jpg": b"?", "0.txt": b"cat"}, ".txt"),
        ({"notes.md": b"?", "0.webp": b"?", "0.cls.txt": b"cat"}, ".cls.txt"),
        ({"0.jpg": b"?", "0.json": b'{"caption": "a cat", "url": "https://host"}', "0.txt": b"a cat"}, ""),
        ({"0.jpg": b"?", "0.json": b'{"species": "cat"}'}, ""),
        ({"0.jpg": b"?", "0.txt": b"a photo of a cat that sleeps on a sofa"}, ""),
        # no shards
        ({"cat/0.jpg": b"?", "cat/1.jpg": b"?", "dog/0.jpg": b"?"}, None),
        ({"cat/0.jpg": b"?", "cat/0.txt": b"cat", "dog/1.jpg": b"?"}, None),
        ({"0.jpg": b"?", "1.jpg": b"?", "0.cls": b"0", "1.cls": b"1"}, None),
        ({"0.jpg": b"?", "0.json": b'{"shapes": [], "imagePath": "0.jpg"}'}, None),
        ({"0.jpg": b"?", "0.xml": b"<annotation/>"}, None),
        ({"n01440764.tar": b"?", "n01443537.tar": b"?"}, None),
        ({"train.csv": b"1,2", "0.npy": b"?"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_shard_is_told_by_its_first_sample(
    tmp_path: Path, members: dict[str, bytes], label: str | None, packed: bool
) -> None:
    path = tar(tmp_path / "0.tar", members)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = first_sample(DataFile.at(path))
    assert (None if found is None else found.label) == label
    assert is_shard(DataFile.at(path)) == (label is not None)


def hostile() -> Iterator[tuple[str, bytes]]:
    """Files that are no tar, or one that asks for more memory than there is."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 2**40
    yield "huge header", info.tobuf() + bytes(1024)
    yield "cut", tarfile.TarInfo("0.jpg").tobuf()[:300]
    yield "zip", b"PK\x03\x04" + bytes(600)
    yield "torn gzip", gzip.compress(bytes(5000))[:20]
    yield "text", b"hello " * 200
    yield "empty", b""


@pytest.mark.parametrize(("name", "data"), list(hostile()), ids=[name for name, _ in hostile()])
def test_no_file_makes_the_question_fail(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / "0.tar").write_bytes(data)
    assert not is_shard(DataFile.at(tmp_path / "0.tar"))


def test_few_bytes_of_a_large_shard_are_read(tmp_path: Path) -> None:
    path = tar(tmp_path / "0.tar", {f"{n}.{kind}": bytes(3_000_000) for n in range(9) for kind in ("jpg", "cls")})
    told = []

    class Counting(io.FileIO):
        def readinto(self, buffer: Any, /) -> int:
            count = super().readinto(buffer)
            told.append(count)
            return count or 0

    file = DataFile(str(path), "0.tar", path.stat().st_size, lambda: io.BufferedReader(Counting(path)))
    assert is_shard(file)
    assert sum(told) < 2_500_000  # of 54 million; a label's first 1 MiB is looked at


def test_one_shard_is_a_source(tmp_path: Path) -> None:
    path = tar(tmp_path / "train-0000.tar", samples_of([1, 2, 3]))
    assert first_pixels(read(path)) == {"train": [1, 2, 3]}
    loaded = load_parts(path)
    assert loaded.layout == "webdataset" and loaded.lazy
    assert first_pixels(loaded.parts) == {"train": [1, 2, 3]}
    path.rename(tmp_path / "0000.tar")
    assert first_pixels(read(tmp_path / "0000.tar")) == {"all": [1, 2, 3]}


@pytest.mark.parametrize(
    "names",
    [
        {"train": ["train-0.tar", "train-1.tar"], "test": ["test-0.tar"]},
        {"train": ["train/0.tar", "train/1.tar"], "validation": ["val/0.tar"]},
        {
            "train": ["imagenet1k-train-0000.tar", "imagenet1k-train-0001.tar"],
            "validation": ["imagenet1k-validation-00.tar"],
        },
        {"train": ["pets-train-000000.tgz", "pets-train-000001.tgz"], "test": ["pets-test-000000.tgz"]},
        {"train": ["data/train.0.tar", "data/train.1.tar"], "test": ["data/test.0.tar"]},
    ],
)
def test_a_folder_of_shards_is_read_by_split(tmp_path: Path, names: dict[str, list[str]]) -> None:
    expected: dict[str, list[int]] = {}
    number = 1
    for split, own in names.items():
        for name in own:
            path = tar(tmp_path / "set" / name, samples_of([number, number + 1]))
            if name.endswith(".tgz"):
                path.write_bytes(gzip.compress(path.read_bytes()))
            expected.setdefault(split, []).extend([number, number + 1])
            number += 2
    spread(tmp_path / "set", {"_index.json": b"{}", "README.md": b"shards", "sizes.txt": b"2"})
    assert first_pixels(read(tmp_path / "set")) == expected


def test_places_and_configurations_can_be_named(tmp_path: Path) -> None:
    for number, name in enumerate(("small/a.tar", "large/a.tar")):
        tar(tmp_path / name, samples_of([2 * number, 2 * number + 1]))
    with pytest.raises(DataError, match="holds 2 configurations, `large` and `small`; `config=large`"):
        read(tmp_path)
    assert first_pixels(read(tmp_path, config="large")) == {"all": [2, 3]}
    assert first_pixels(read(tmp_path, split="train:large,test:small/a.tar")) == {"train": [2, 3], "test": [0, 1]}


def test_classes_of_shards_may_be_picked_and_named(tmp_path: Path) -> None:
    files = {f"{n}.{kind}": flat(n) if kind == "png" else b"%d" % (n % 3) for n in range(9) for kind in ("png", "cls")}
    path = tar(tmp_path / "a.tar", files)
    picked = read(path, classes=("2", "0"))
    images = picked.splits["all"]
    assert images.classes == ("2", "0") and images.labels.tolist() == [1, 0, 1, 0, 1, 0] and not images.numbered
    assert first_pixels(picked) == {"all": [0, 2, 3, 5, 6, 8]}
    assert picked.notes == ("3 pictures of classes not asked for ignored",)
    named = read(path, names=(("0", "cat"), ("1", "dog"), ("2", "dog"))).splits["all"]
    assert named.classes == ("cat", "dog") and named.labels.tolist() == [0, 1, 1] * 3
    with pytest.raises(DataError, match="there is no class '9', which `classes` names; found 0, 1, 2"):
        read(path, classes=("9", "0"))
    assert read(path, classes=("2",), one_class=True).classes == ("2",)
    with pytest.raises(DataError, match="all labels are `2`; a classifier needs at least two classes"):
        read(path, classes=("2",))


def test_a_class_that_train_lacks_is_refused(tmp_path: Path) -> None:
    tar(tmp_path / "train-0.tar", samples_of([1, 2]))
    tar(tmp_path / "test-0.tar", {"0.png": flat(1), "0.cls": b"7"})
    with pytest.raises(DataError, match="class `7` of the test split has no picture in train"):
        read(tmp_path)


def test_captions_are_no_labels(tmp_path: Path) -> None:
    facts = b'{"caption": "a cat", "url": "https://host/0.jpg", "key": "0", "status": "success", "kind": "%s"}'
    files: dict[str, bytes] = {}
    for n in range(4):
        files |= {f"{n}.png": flat(n), f"{n}.txt": b"a cat", f"{n}.json": facts % (b"cat" if n % 2 else b"dog")}
    tar(tmp_path / "00000.tar", files)
    with pytest.raises(
        DataError, match=r"00000\.tar: its samples \(\.png, \.txt, \.json\) have no label; captions are no"
    ) as caught:
        read(tmp_path)
    assert "`label=KEY`" in str(caught.value)
    assert read(tmp_path, label="kind").classes == ("cat", "dog")


def test_shards_in_an_archive_are_refused(tmp_path: Path) -> None:
    shard = tar(tmp_path / "0.tar", samples_of([1, 2]))
    packed = zipped(tmp_path / "set.zip", {"set/train-0.tar": shard.read_bytes()})
    with pytest.raises(
        DataError, match=r"set\.zip: set/train-0\.tar: is a shard within an archive; unpack the archive"
    ):
        read(packed)


@pytest.mark.parametrize("name", ["pets.tar", "pets.tar.gz"])
def test_a_folder_with_an_ordinary_tar_holds_no_shards(tmp_path: Path, name: str) -> None:
    path = tar(tmp_path / name, {f"pets/{'cat' if n % 2 else 'dog'}/{n}.png": flat(n) for n in range(6)})
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert claim_of(tmp_path) is None and claim_of(path) is None
    parts = load_parts(tmp_path).parts
    assert parts.classes == ("cat", "dog") and first_pixels(parts) == {"all": [1, 3, 5, 0, 2, 4]}


def test_an_empty_shard_is_refused(tmp_path: Path) -> None:
    tar(tmp_path / "train-0.tar", samples_of([1, 2]))
    (tmp_path / "train-1.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"train-1\.tar: is empty; fetch it again"):
        read(tmp_path)


# The order


@st.composite
def stored(draw: st.DrawFn) -> Groups:
    of = draw(st.lists(st.integers(0, 7), min_size=1, max_size=80))
    sizes = draw(st.lists(st.integers(1, 50), min_size=8, max_size=8))
    return Groups(np.array(of, np.int64), np.array(sizes, np.int64), draw(st.integers(1, 120)))


@given(stored(), st.integers(0, 2**63 - 1), st.integers(1, 1000))
def test_an_epochs_order_is_a_permutation_that_goes_from_window_to_window(
    groups: Groups, seed: int, epoch: int
) -> None:
    order = epoch_order(len(groups.of), seed, epoch, groups)
    assert sorted(order.tolist()) == list(range(len(groups.of)))
    assert np.array_equal(order, epoch_order(len(groups.of), seed, epoch, groups))
    rest = groups.of[order].tolist()
    while rest:
        used: list[int] = []  # the longest window there can be from here: stores whose images are all here
        for store in dict.fromkeys(rest):
            used.append(store)
            length = sum(rest.count(one) for one in used)
            if set(rest[:length]) == set(used):
                break
        assert len(used) == 1 or groups.sizes[used].sum() <= groups.window_bytes
        rest = rest[length:]


@given(stored(), st.permutations(range(8)))
def test_windows_hold_every_store_once_and_no_more_than_they_may(groups: Groups, order: list[int]) -> None:
    found = list(windows(order, groups))
    assert [store for window in found for store in window] == order
    for window, after in zip(found, [*found[1:], []], strict=True):
        assert len(window) == 1 or groups.sizes[window].sum() <= groups.window_bytes
        if after:  # the next one would not have gone in
            assert groups.sizes[[*window, after[0]]].sum() > groups.window_bytes


def test_the_order_differs_between_epochs_and_seeds_and_mixes_the_shards_of_a_window(shards: list[Path]) -> None:
    images = small_windows(shards)
    groups = images.groups
    assert groups is not None
    orders = [epoch_order(300, seed, epoch, groups) for seed, epoch in ((1, 1), (1, 2), (2, 1))]
    assert len({order.tobytes() for order in orders}) == 3
    for order in orders:
        of = groups.of[order]
        first = next(iter(windows(list(dict.fromkeys(of.tolist())), groups)))
        assert len(first) >= 2
        length = int(np.isin(groups.of, first).sum())
        assert set(of[:length]) == set(first)
        half = Counter(of[: length // 2].tolist())  # about half of each shard's images are in the window's first half
        assert all(0.25 * SIZES[shard] < half[shard] < 0.75 * SIZES[shard] for shard in first)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_number_of_processes_sees_the_same_images_in_the_same_order(
    real: ImageSet, shards: list[Path], processes: int
) -> None:
    images = small_windows(shards, 1)
    batches = Batches(300, 32, seed=5, groups=images.groups)
    cpu = torch.device("cpu")
    for step in range(batches.steps):
        places = batches.indices(2, step)
        shares = [places[slice(*share_bounds(len(places), rank, processes))] for rank in range(processes)]
        seen = torch.cat([images_at(images, share, cpu) for share in shares])
        assert np.array_equal(seen.numpy(), real.gather(places))


# Memory and reading


def test_an_epoch_opens_each_shard_once_and_keeps_two_windows(shards: list[Path]) -> None:
    images = small_windows(shards, 1)
    pixels = pixels_of(images)
    batches = Batches(300, 16, seed=1, groups=images.groups)
    for epoch in (1, 2):
        pixels.kept.clear()
        opened.clear()
        for step in range(batches.steps):
            images.gather(batches.indices(epoch, step))
            assert sum(len(data) for files in pixels.kept.values() for data in files) <= 2 * pixels.window_bytes
        assert len(pixels.kept) < len(shards)
        # each file is opened twice a read: once to see whether it is compressed
        assert dict(opened) == {str(shard): 2 for shard in shards}


def test_a_window_smaller_than_a_shard_still_reads_each_once(shards: list[Path]) -> None:
    images = read_shards(shards, "tiny-window", window_bytes=1).splits["all"]
    opened.clear()
    assert len(list(images.blocks())) == 1
    for start in range(0, 300, 20):
        images.gather(np.arange(start, start + 20))
    assert len(pixels_of(images).kept) == 1
    assert max(opened.values()) <= 2 * 2


def test_the_index_is_made_once_and_anew_when_it_is_damaged(shards: list[Path], own_cache: Path) -> None:
    source = f"{shards[0].parent}/{{00..03}}.tar"
    key = load_parts(source).key
    opened.clear()
    assert len(load_parts(source).parts.splits["all"]) == 235
    assert max(opened.values(), default=0) <= 1  # once for the hash of a file too young for its hash to be remembered
    path = own_cache / "shards" / f"{key}.npz"
    content = path.read_bytes()
    for damaged in (content[:-200], content[:5000] + b"\0" * 50 + content[5050:]):
        path.write_bytes(damaged)
        assert len(load_parts(source).parts.splits["all"]) == 235
        assert min(opened[str(shard)] for shard in shards[:4]) >= 2
        opened.clear()
    assert load_parts(source).parts.splits["all"].gather(np.array([3])).shape == (1, 28, 28, 1)


def test_a_cache_that_cannot_be_written_is_a_note(
    shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "shards").write_text("a file where the folder should be")
    monkeypatch.setenv("SIGHTLAB_CACHE", str(tmp_path / "cache"))
    parts = load_parts(f"{shards[0].parent}/{{00..01}}.tar").parts
    assert any("cannot be written" in note for note in parts.notes)
    assert len(parts.splits["all"]) == 100


# Training


def divided(shards: list[Path]) -> Splits:
    """Fresh from the files, windows of one shard or two."""
    return divide(Parts({"all": small_windows(shards, 1)}), key="shards")


def recipe_for(**changes: object) -> Any:
    defaults: dict[str, object] = {"model": "lenet", "epochs": 2, "lr": 0.02, "batch_size": 32}
    return sightlab.recipe("cnn", **{**defaults, "flip": 0.5, "crop_padding": 2, **changes})


@pytest.mark.parametrize(("workers", "pause_after"), [(1, 7), (2, 3)])
def test_a_training_on_shards_resumes_to_the_bit(
    tmp_path: Path, shards: list[Path], workers: int, pause_after: int
) -> None:
    """204 images are 7 steps: paused within the first epoch, and at its end."""
    recipe = recipe_for(processes=workers)
    whole = prepare(recipe, data=divided(shards))
    assert whole.config.batches.steps == 7
    history = run_loop(whole)
    first = prepare(recipe, data=divided(shards))
    with pytest.raises(Paused):
        run_loop(first, pause_after=pause_after)
    checkpoint.save(tmp_path, first.training, first.identity.key)
    second = prepare(recipe, data=divided(shards))
    assert checkpoint.restore(tmp_path, second.training, second.identity.key)
    run_loop(second)
    assert without_times(second.training.history) == without_times(history)
    assert same(weights(second), weights(whole))
    assert same(second.training.best, whole.training.best)


def test_the_gradient_of_two_processes_is_that_of_one(shards: list[Path]) -> None:
    found = []
    for workers in (1, 2):
        prepared = prepare(recipe_for(processes=workers), parts=OwnParts(model=Plain()), data=divided(shards))
        stepper = prepared.gradient_step()
        try:
            for step in (0, 3, 6):
                prepared.training.optimizer.zero_grad()
                stepper.gradients(prepared.training.classifier, 1, step)
            grads = [w.grad for w in prepared.training.classifier.parameters() if w.grad is not None]
            found.append([grad.clone() for grad in grads])
        finally:
            stepper.close()
    for alone, together in zip(*found, strict=True):
        assert float((alone - together).abs().max()) <= 1e-6


def test_training_on_shards_is_training_on_their_images_in_the_same_order(real: ImageSet, shards: list[Path]) -> None:
    """Against an array: nothing but the order differs, so that of the shards is lent to it."""
    from_shards = prepare(recipe_for(), data=divided(shards))
    pixels = ImageSet(real.images, real.labels, tuple("0123456789"))
    in_memory = prepare(recipe_for(), data=divide(Parts({"all": pixels}), key="shards"))
    assert (in_memory.mean, in_memory.std) == (from_shards.mean, from_shards.std)
    in_memory.config.batches.groups = from_shards.config.batches.groups
    assert without_times(run_loop(in_memory)) == without_times(run_loop(from_shards))
    assert same(weights(in_memory), weights(from_shards))


def test_the_command_line_trains_shows_and_tests_shards(tmp_path: Path, shards: list[Path], cli: Cli) -> None:
    source = f"{shards[0].parent}/{{00..04}}.tar"
    status, out, err = cli("data", "show", source)
    assert status == 0, err
    assert "300 images, 28 x 28 x 1, 10 classes" in out
    words = [f"data={source}", "model=lenet", "epochs=1", "report=off"]
    status, out, err = cli("train", "cnn", *words, "--home", tmp_path / "runs")
    assert status == 0, err
    assert "test accuracy" in out
    (run,) = run_folders(tmp_path / "runs")
    status, out, err = cli("test", run, "--data", source, "--open-test", "a test", "--json")
    assert status == 0, err
    assert '"seen_in_training": 255' in out


# What is wrong


PNG = encoded(noise(8, 8))


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"0.cls": b"1"}, "no pictures"),
        ({"0.png": PNG, "0.cls": b"0", "1.cls": b"1"}, "sample `1` has no picture; it has .cls"),
        ({"0.png": PNG, "0.jpg": PNG, "0.cls": b"1"}, "sample `0` has 2 pictures"),
        ({"0.png": PNG}, "sample `0` has no label (.cls, or `label` in .json); it has .png"),
        ({"0.png": PNG, "0.json": b"{}", "0.txt": b"cat"}, "sample `0` has no label"),
        ({"0.png": PNG, "0.txt": b"a photo of a small cat on a sofa"}, "sample `0` has no label"),
        ({"0.png": PNG, "0.json": b'{"label": [1]}'}, "its label in `label` in .json is '[1]'"),
        ({"0.png": PNG, "0.json": b'{"label": true}'}, "whole number from 0 or a class name"),
        ({"0.png": PNG, "0.json": b'{"label": 1'}, "its .json is broken"),
        ({"0.png": PNG, "0.json": b"[1]"}, "its .json is a list"),
        ({"0.png": PNG, "0.cls": b"-1"}, "its label in .cls is '-1'"),
        ({"0.png": PNG, "0.cls": b" \n"}, "its label in .cls is ''"),
        ({"0.png": PNG, "0.cls": b"\xff\xfe"}, "no UTF-8 text"),
        ({"0.png": PNG, "0.cls": b"0", "1.png": PNG[:-30], "1.cls": b"1"}, "1.png cannot be decoded"),
        ({"0.png": PNG, "0.cls": b"0", "1.png": encoded(noise(9, 8)), "1.cls": b"1"}, "`size=8` resizes them all"),
        ({"0.png": PNG, "0.cls": b"0", "1.png": PNG, "1.cls": b"0"}, "a classifier needs at least two"),
        ({"../0.png": PNG, "../0.cls": b"0"}, "leads outside the archive"),
        ({"0.png": PNG, "1.png": PNG, "0.cls": b"0", "1.cls": b"1"}, "stand one after the other"),
    ],
)
def test_what_is_wrong_with_a_sample_is_one_line(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    tar(tmp_path / "a-0.tar", members)
    with pytest.raises(DataError) as caught:
        load_data(tmp_path / "a-{0..0}.tar")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "a-0.tar" in str(caught.value) or "a-{0..0}.tar" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{00..06}.tar", "05.tar: no such shard; "),
        ("{00,00}.tar", "names this shard twice"),
        ("{000000..999999}.tar", "names more than 100,000 shards"),
        ("no/{0..3}.tar", "0.tar: no such shard"),
        ("{{00..04}.tar", "not a pattern"),
        ("{00..04}.zip", "no such file or folder"),
        ("{00..04}.tar:test", "there is no test split"),
        ("{00..04}.tar:tset", "unknown variant 'tset'"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_one_line(shards: list[Path], cli: Cli, pattern: str, says: str) -> None:
    refused_with(cli("data", "show", f"{shards[0].parent}/{pattern}"), says)


@pytest.mark.parametrize("source", ["https://host/{000..127}.tar", "pipe:touch ran {0..1}.tar", "s3://b/{0,1}.tgz"])
def test_an_address_or_a_command_is_refused(cli: Cli, source: str) -> None:
    refused_with(cli("data", "show", source), "shards are read from this machine's files")
    assert not Path("ran").exists()


def test_a_shard_that_says_no_split_beside_others_that_do_is_refused(tmp_path: Path, real: ImageSet) -> None:
    write_shards(tmp_path, real, [100], "train-{}.tar")
    write_shards(tmp_path, real, [100], "more-{}.tar")
    with pytest.raises(DataError, match=r"more-0\.tar: its name says no split"):
        load_data(tmp_path)


def cuts() -> Iterator[tuple[str, Any]]:
    """What may befall a shard: cut within a member, between members, its end mark gone, a header damaged."""
    yield "within", lambda data: data[: len(data) // 2 + 700]
    yield "between", lambda data: data[: 4 * 1024]
    yield "empty", lambda data: b""
    yield "header", lambda data: data[: 4 * 1024] + b"\xff" * 512 + data[4 * 1024 + 512 :]
    yield "packed", lambda data: gzip.compress(data)[:-20]


@pytest.mark.parametrize(("name", "cut"), list(cuts()), ids=[name for name, _ in cuts()])
def test_a_torn_shard_is_one_line_that_names_it(tmp_path: Path, name: str, cut: Any) -> None:
    members = {f"{n}.{kind}": b"1" * 300 if kind == "cls" else PNG for n in range(9) for kind in ("cls", "png")}
    assert len(PNG) <= 512
    whole = tar(tmp_path / "0.tar", members).read_bytes()
    (tmp_path / "1.tar").write_bytes(cut(whole))
    with pytest.raises(DataError, match=r"1\.tar: not a whole") as caught:
        load_data(tmp_path / "{0..1}.tar")
    assert "\n" not in str(caught.value)


def test_a_shard_that_changes_under_a_training_is_one_line(tmp_path: Path, real: ImageSet) -> None:
    paths = write_shards(tmp_path, real, [50, 50], "{}.tar")
    images = read_shards(paths, "changing").splits["all"]
    write_shards(tmp_path, real, [50, 49], "{}.tar")
    with pytest.raises(DataError, match=r"1\.tar: has changed"):
        images.gather(np.array([99]))
    paths[0].unlink()
    with pytest.raises(DataError, match=r"0\.tar: cannot be read"):
        images.gather(np.array([0]))


def test_broken_pictures_are_left_out_when_asked(tmp_path: Path, real: ImageSet) -> None:
    files: dict[str, bytes] = {}
    for place in range(40):
        picture = encoded(real.gather(np.array([place]))[0])
        files |= {
            f"{place:02}.png": picture[:60] if place in (3, 17) else picture,
            f"{place:02}.cls": b"%d" % (place % 2),
        }
    tar(tmp_path / "a.tar", files)
    parts = read_shards([tmp_path / "a.tar"], "broken", Decoding(skip_broken=True))
    kept = np.delete(np.arange(40), [3, 17])
    images = parts.splits["all"]
    assert np.array_equal(images.images, real.gather(kept))
    assert np.array_equal(images.labels, kept % 2)
    assert any("2 broken pictures left out" in note and "03.png" in note for note in parts.notes)
    every = {name: data if int(name[:2]) % 2 else data[:60] for name, data in files.items() if name.endswith("png")}
    tar(tmp_path / "b.tar", {name: every.get(name, data) for name, data in files.items()})
    with pytest.raises(DataError, match="every picture of class `0` is broken"):
        read_shards([tmp_path / "b.tar"], "all-broken", Decoding(skip_broken=True))


def test_pictures_of_many_sizes_are_resized_as_those_of_folders_are(tmp_path: Path) -> None:
    pictures: list[NDArray[np.uint8]] = [noise(20 + n, 31 - n, seed=n) for n in range(8)]
    (tmp_path / "folder").mkdir()
    for n, picture in enumerate(pictures):
        place = tmp_path / "folder" / str(n % 2) / f"{n}.png"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(encoded(picture))
    tar(
        tmp_path / "a.tar",
        {
            f"{n}.{k}": encoded(p) if k == "png" else b"%d" % (n % 2)
            for n, p in enumerate(pictures)
            for k in ("png", "cls")
        },
    )
    for channels in (None, 1):
        folder = load_parts(tmp_path / "folder", size=16, channels=channels).parts.splits["all"]
        from_shards = read_shards([tmp_path / "a.tar"], f"sizes-{channels}", Decoding(16, channels)).splits["all"]
        assert from_shards.shape == folder.shape
        by_class = np.argsort(from_shards.labels, kind="stable")
        assert np.array_equal(from_shards.gather(by_class), folder.images)


def test_large_pictures_are_decoded_on_threads_to_the_same_pixels(tmp_path: Path) -> None:
    pictures = np.stack([noise(140, 150, seed=n) for n in range(40)])
    paths = write_shards(tmp_path, ImageSet(pictures, np.arange(40) % 2, ("a", "b")), [25, 15], "{}.tar")
    images = read_shards(paths, "large").splits["all"]
    mixed = np.random.default_rng(0).permutation(40)
    assert np.array_equal(images.gather(mixed), pictures[mixed])


def test_without_the_library_one_line_says_what_to_install(
    shards: list[Path], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("webdataset", "webdataset.tariterators", "braceexpand"):
        monkeypatch.setitem(sys.modules, module, None)
    refused_with(cli("data", "show", f"{shards[0].parent}/{{00..04}}.tar"), 'pip install "sightlab[shards]"')
