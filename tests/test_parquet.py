"""Parquet files of pictures are read and written, whole or in shards, and what they lack is said."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sightlab.data.imageset import ImageSet, Parts, Progress, in_memory
from sightlab.data.inventory import filtered, look
from sightlab.data.layouts import parquet_files
from sightlab.data.layouts.claim import Claim, ReadOptions
from sightlab.data.load import load_parts
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.parquet_images import write_parquet
from sightlab.errors import DataError
from tests.picture_files import encoded, flat, noise, spread, tarred, zipped


def claimed(path: Path, **options: Any) -> Claim:
    claim = parquet_files.matches(filtered(look(path), options.get("ignore", ())), ReadOptions(**options))
    assert claim is not None
    if claim.refusal:
        raise DataError(claim.refusal)
    return claim


def read(path: Path, progress: Progress | None = None, **options: Any) -> Parts:
    """What the layout reads. What it says before is what comes of it."""
    claim = claimed(path, **options)
    parts = claim.read(in_memory, progress)
    if not options.get("decoding", Decoding()).skip_broken:
        assert dict(claim.splits) == {split: len(images) for split, images in parts.splits.items()}
        assert claim.notes == parts.notes
    assert claim.classes == parts.classes
    return parts


PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def shard(
    path: Path,
    values: Sequence[int],
    labels: Sequence[Any],
    names: Sequence[str] | None = None,
    label: str = "label",
    **options: Any,
) -> Path:
    """A Parquet file of flat pictures."""
    features = {"image": {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if names else None
    pictures = pa.array([{"bytes": flat(v), "path": f"{v}.png"} for v in values], PICTURE)
    table = pa.table({"image": pictures, label: pa.array(labels)}).replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def values(images: ImageSet) -> list[int]:
    return [int(image.flat[0]) for image in images.images]


def sample(count: int, channels: int = 3, seed: int = 0) -> ImageSet:
    labels = np.random.default_rng(seed).integers(0, 3, count)
    images = noise(count * 6, 5, channels, seed).reshape(count, 6, 5, channels)
    return ImageSet(images, labels, ("truck", "ant", "10"), numbered=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path, channels: int) -> None:
    splits = {"train": sample(1100, channels), "validation": sample(3, channels, 1), "test": sample(7, channels, 2)}
    write_parquet(splits, tmp_path / "new" / "set")
    write_parquet(splits, tmp_path / "new" / "set")  # over itself
    assert sorted(p.name for p in (tmp_path / "new" / "set").iterdir()) == [
        f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")
    ]
    parts = read(tmp_path / "new" / "set")
    assert list(parts.splits) == list(splits) and parts.notes == ()
    for name, images in parts.splits.items():
        np.testing.assert_array_equal(images.images, splits[name].images)
        np.testing.assert_array_equal(images.labels, splits[name].labels)
        assert images.classes == ("truck", "ant", "10") and images.numbered


def test_an_undivided_set_stays_undivided(tmp_path: Path) -> None:
    write_parquet({"all": sample(9)}, tmp_path)
    assert list(read(tmp_path).splits) == ["all"]


def test_a_part_of_a_set_is_written_as_that_part(tmp_path: Path) -> None:
    write_parquet({"train": sample(9).take(np.array([7, 0, 3]))}, tmp_path)
    np.testing.assert_array_equal(read(tmp_path).splits["train"].images, sample(9).images[[7, 0, 3]])


def test_what_is_written_has_the_hubs_layout(tmp_path: Path) -> None:
    images = sample(5)
    write_parquet({"train": images}, tmp_path)
    table = pq.read_table(tmp_path / "train-00000-of-00001.parquet")
    assert table.schema.field("image").type == PICTURE and table.schema.field("label").type == pa.int64()
    assert json.loads(table.schema.metadata[b"huggingface"]) == {
        "info": {
            "features": {"image": {"_type": "Image"}, "label": {"names": ["truck", "ant", "10"], "_type": "ClassLabel"}}
        }
    }
    for row, picture in enumerate(table.column("image").to_pylist()):
        opened = Image.open(io.BytesIO(picture["bytes"]))
        assert opened.format == "PNG"
        np.testing.assert_array_equal(np.asarray(opened), images.images[row])
    assert table.column("label").to_pylist() == images.labels.tolist()


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 channels; Parquet takes 1 or 3"):
        write_parquet({"train": ImageSet(np.zeros((1, 2, 2, 4), np.uint8), np.array([0]), ("a", "b"))}, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="file: cannot be written: File exists"):
        write_parquet({"train": sample(2)}, tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_with_other_shards_is_not_written_into(tmp_path: Path) -> None:
    other = shard(tmp_path / "train-00000-of-00002.parquet", [1], [0])
    with pytest.raises(DataError, match=f"{other}: is there already"):
        write_parquet({"train": sample(2)}, tmp_path)
    assert list(tmp_path.iterdir()) == [other]


def test_shards_are_joined_in_order_and_splits_told_by_name(tmp_path: Path) -> None:
    for number, rows in enumerate([[1, 2], [3], [4, 5]]):
        shard(tmp_path / f"data/train-{number:05}-of-00003.parquet", rows, [v % 2 for v in rows], ["even", "odd"])
    shard(tmp_path / "data/test-00000-of-00001.parquet", [6], [0], ["even", "odd"])
    (tmp_path / "README.md").write_text("a data set")
    parts = read(tmp_path)
    assert {split: values(images) for split, images in parts.splits.items()} == {"train": [1, 2, 3, 4, 5], "test": [6]}
    assert parts.splits["train"].labels.tolist() == [1, 0, 1, 0, 1] and parts.classes == ("even", "odd")


def test_folders_may_name_the_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        shard(tmp_path / "default" / split / "0000.parquet", [1, 2], [0, 1])
    assert list(read(tmp_path).splits) == ["train", "test"]


def test_one_file_may_be_the_source(tmp_path: Path) -> None:
    parts = read(shard(tmp_path / "pets.parquet", [1, 2, 3], ["dog", "cat", "dog"]))
    images = parts.splits["all"]
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [1, 0, 1] and not images.numbered
    assert list(read(shard(tmp_path / "train-x.parquet", [1, 2], [0, 1])).splits) == ["train"]


@pytest.mark.parametrize(
    ("labels", "classes", "numbered"),
    [([2, 0, 1], ("0", "1", "2"), True), ([10, 2, 2], ("2", "10"), False), (["b", "a", "b"], ("a", "b"), False)],
)
def test_without_names_labels_name_the_classes(
    tmp_path: Path, labels: list[Any], classes: tuple[str, ...], numbered: bool
) -> None:
    images = read(shard(tmp_path / "x.parquet", [1, 2, 3], labels)).splits["all"]
    assert images.classes == classes and images.numbered is numbered
    assert [classes[label] for label in images.labels] == [str(label) for label in labels]


@pytest.mark.parametrize("column", ["label", "labels", "fine_label", "class", "target"])
def test_label_columns_are_found_by_name(tmp_path: Path, column: str) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], [1, 0], ["a", "b"], label=column)
    assert read(path).splits["all"].labels.tolist() == [1, 0]


def test_a_label_column_may_be_given(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], ["x", "y"], label="species")
    assert read(path, label="species").classes == ("x", "y")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("name", ["img", "photo"])
def test_pictures_may_be_plain_bytes(tmp_path: Path, kind: pa.DataType, name: str) -> None:
    labels = pa.array(["a", "b"]).dictionary_encode()
    pq.write_table(pa.table({name: pa.array([flat(1), flat(2)], kind), "label": labels}), tmp_path / "x.parquet")
    assert values(read(tmp_path / "x.parquet").splits["all"]) == [1, 2]


def test_row_groups_do_not_show(tmp_path: Path) -> None:
    rows = [n % 250 for n in range(700)]
    path = shard(tmp_path / "x.parquet", rows, [v % 2 for v in rows], row_group_size=64)
    done: list[tuple[int, int]] = []
    images = read(path, progress=lambda *counts: done.append(counts)).splits["all"]
    assert values(images) == rows and done[-1] == (700, 700)


def test_sizes_channels_and_broken_pictures_are_as_for_files(tmp_path: Path) -> None:
    pictures = [flat(1), flat(2, size=6), b"broken", flat(3, channels=1)]
    table = pa.table({"image": pa.array(pictures), "label": [0, 1, 0, 1]})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet, row 1 is 4 x 4 and .*row 2 is 6 x 6 .*`size=4` resizes"):
        read(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet, row 3 cannot be decoded"):
        read(tmp_path / "x.parquet", decoding=Decoding(size=4))
    parts = read(tmp_path / "x.parquet", decoding=Decoding(size=4, skip_broken=True))
    images = parts.splits["all"]
    assert (values(images), images.labels.tolist(), images.shape) == ([1, 2, 3], [0, 1, 1], (4, 4, 3))
    assert parts.notes == ("1 broken picture left out (x.parquet, row 3)",)


def bare(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["a"], "label": [1]}, r"no column of pictures .*; columns: text \(string\), label \(int64\)"),
        ({"image": [[b"1"]], "label": [1]}, r"no column of pictures .*; columns: image \(list<"),
        ({"left": [b""], "right": [b""], "label": [1]}, "columns `left` and `right` both hold pictures"),
        ({"image": [b""], "kind": [1]}, r"no label column; `label=NAME` .*columns: image \(binary\), kind \(int64\)"),
        ({"image": [b""], "label": [0.5]}, "column `label` holds 0.5; labels are text or whole numbers"),
        ({"image": [b""], "label": [[1, 2]]}, "column `label` holds list<.*several labels a picture are not read"),
        (
            {"image": [b""] * 2, "label": [1, 2], "target": [3, 4]},
            "columns `label` and `target` could both be the labels",
        ),
        ({"image": [flat(1)] * 2, "label": [1, None]}, "row 2 has no label in column `label`"),
        ({"image": [flat(1), None], "label": [1, 0]}, "row 2 has no picture bytes in column `image`"),
        (
            {"image": pa.array([{"bytes": None, "path": "1.png"}] * 2, PICTURE), "label": [1, 0]},
            "row 1 holds no picture, only the path `1.png`",
        ),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "holds no rows"),
        ({"image": [flat(1)] * 2, "label": [1, 1]}, "all labels are `1`; a classifier needs at least two classes"),
        ({"image": [flat(1)] * 2, "label": [-1, -1]}, "column `label` has no labels"),
        ({"image": [flat(1)] * 2, "label": ["a", "b\n"]}, r"the class name 'b\\n' cannot be printed"),
    ],
)
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=rf"x\.parquet: {said}") as caught:
        read(bare(tmp_path / "x.parquet", **columns))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(tmp_path))


def test_a_label_without_a_name_is_refused(tmp_path: Path) -> None:
    for wrong in (-1, 2):
        path = shard(tmp_path / "x.parquet", [1, 2], [0, wrong], ["a", "b"])
        with pytest.raises(DataError, match=f"row 2 has label {wrong}; labels of 2 classes run from 0 to 1"):
            read(path)


@pytest.mark.parametrize("names", [["a", "a"], "ab", [{"a": 1}, {"a": 1}]])
def test_class_names_that_are_no_names_are_refused(tmp_path: Path, names: Any) -> None:
    with pytest.raises(DataError, match="class names of column `label` are not a list of different names"):
        read(shard(tmp_path / "x.parquet", [1, 2], [0, 1], names))


def test_other_metadata_are_passed_over(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], [0, 1])
    for text in (b"no json", b"[1]", b'{"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}'):
        pq.write_table(pq.read_table(path).replace_schema_metadata({b"huggingface": text}), path)
        assert read(path).classes == ("0", "1")


@pytest.mark.parametrize("damage", ["cut", "middle", "text", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = shard(tmp_path / "x.parquet", list(range(50)), [v % 2 for v in range(50)], write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[30:90] = bytes(60) if damage == "middle" else data[30:90]
    path.write_bytes({"cut": data[:-200], "middle": data, "text": b"hello", "empty": b""}[damage])
    shard(tmp_path / "y.parquet", [1, 2], [0, 1])
    with pytest.raises(DataError, match=r"x\.parquet"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "a Git LFS pointer; run `git lfs pull`",
        ),
        (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page; the download failed"),
    ],
)
def test_what_is_there_instead_of_a_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    shard(tmp_path / "data/test-00000-of-00001.parquet", [1, 2], [0, 1])
    spread(tmp_path, {"data/train-00000-of-00001.parquet": content})
    with pytest.raises(DataError, match=rf"data/train-00000-of-00001\.parquet: is {said}"):
        read(tmp_path)


def test_a_source_without_parquet_files_is_of_another_form(tmp_path: Path) -> None:
    spread(tmp_path, {"cat/1.png": flat(1)})
    assert parquet_files.matches(look(tmp_path), ReadOptions()) is None
    bare(tmp_path / "scores.parquet", name=["a"], score=[0.5])  # beside pictures, a table of something else
    assert parquet_files.matches(look(tmp_path), ReadOptions()) is None


def test_shards_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    shard(tmp_path / "train.parquet", [1, 2], [0, 1], ["a", "b"])
    other = shard(tmp_path / "test.parquet", [1, 2], [0, 1], ["b", "a"])
    with pytest.raises(DataError, match=f"{other}: its labels are of other classes"):
        read(tmp_path)
    shard(tmp_path / "test.parquet", [1, 2], ["a", "b"])
    with pytest.raises(DataError, match="of other classes, or another type"):
        read(tmp_path)
    other.rename(tmp_path / "extra.parquet")
    with pytest.raises(DataError, match=r"extra\.parquet: its name says no split.*`ignore=extra\.parquet`"):
        read(tmp_path)
    assert list(read(tmp_path, ignore=("extra.parquet",)).splits) == ["train"]


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    for number in (0, 2):
        shard(tmp_path / f"train-{number:05}-of-00003.parquet", [1, 2], [0, 1])
    with pytest.raises(DataError, match=r"train-00001-of-00003\.parquet: this shard is missing"):
        read(tmp_path)
    alone = read(tmp_path / "train-00002-of-00003.parquet")
    assert alone.notes == ("train-00002-of-00003.parquet is one of 3 shards; give the folder to read them all",)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([flat(1)]), pa.array([0]), pa.array([1])], ["image", "label", "label"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: has two columns called `label`; rename one"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ("train-00000-of-00001.parquet", "train-00000-of-00002.parquet", "of another set of shards"),
        ("train-00000-of-00001-0a1b2c3d4e5f.parquet", "train-00000-of-00001-5f4e3d2c1b0a.parquet", "the same shard as"),
    ],
)
def test_two_sets_of_shards_of_one_split_are_refused(tmp_path: Path, one: str, two: str, said: str) -> None:
    for name in (one, two):
        shard(tmp_path / "data" / name, [1, 2], [0, 1])
    with pytest.raises(DataError, match=said):
        read(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        {
            "train": "data/train-00000-of-00001-8f3a2b1c9d.parquet",
            "test": "data/test-00000-of-00001-1a2b3c4d5e.parquet",
        },
        {"train": "default/train/0000.parquet", "test": "default/test/0000.parquet"},
        {"train": "default/partial-train/0000.parquet", "validation": "default/partial-validation/0000.parquet"},
        {"train": "train/part-00000-1f2a-c000.snappy.parquet", "validation": "val/part-00000-1f2a-c000.snappy.parquet"},
        {"train": "split=train/0.parquet", "test": "split=test/0.parquet"},
        {"train": "Bananatrain/0000.parquet", "validation": "Bananavalid/0000.parquet"},
        {"train": "TrainingData.parquet", "test": "TestData.parquet"},
        {"train": "train2017.parquet", "validation": "val2017.parquet"},
        {"train": "cifar10-train.parquet", "test": "cifar10-test.parquet"},
        {"train": "train_images.parquet", "validation": "dev_images.parquet"},
        {"train": "train/test_of_time.parquet"},
        {"all": "freighttrain.parquet"},
        {"all": "2019/0.parquet"},
    ],
)
def test_names_and_folders_say_splits(tmp_path: Path, names: dict[str, str]) -> None:
    for place, name in enumerate(names.values()):
        shard(tmp_path / "pets" / name, [place, 9], [0, 1])
    if names == {"train": "train/test_of_time.parquet"}:  # the file's own name comes before its folder's
        names = {"test": ""}
    assert {split: values(images)[0] for split, images in read(tmp_path / "pets").splits.items()} == {
        split: place for place, split in enumerate(names)
    }


def hub(folder: Path) -> Path:
    """A clone of a repository, train in two shards."""
    for number, rows in enumerate([[1, 2], [3, 4]]):
        shard(folder / f"data/train-{number:05}-of-00002.parquet", rows, [1, 0], ["cow", "ant"])
    shard(folder / "data/test-00000-of-00001.parquet", [5], [1], ["cow", "ant"])
    spread(folder, {"README.md": b"# Pets", ".gitattributes": b"*.parquet filter=lfs"})
    return folder


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
def test_shards_are_read_from_archives_too(tmp_path: Path, form: str) -> None:
    folder = hub(tmp_path / "pets")
    files = {f"pets/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    if form == "zip":
        source = zipped(tmp_path / "pets.zip", files)
    elif form == "folder":
        source = folder
    else:
        source = tarred(tmp_path / f"pets.{form}", files, "w:gz" if form == "tar.gz" else "w")
    parts = read(source)
    assert {split: values(images) for split, images in parts.splits.items()} == {"train": [1, 2, 3, 4], "test": [5]}
    assert parts.splits["train"].labels.tolist() == [1, 0, 1, 0] and parts.classes == ("cow", "ant")


@pytest.mark.parametrize(
    "names",
    [
        ("full/train-00000-of-00001.parquet", "small/train-00000-of-00001.parquet"),
        ("full-train.parquet", "small-train.parquet"),
    ],
)
def test_of_two_configurations_one_must_be_named(tmp_path: Path, names: tuple[str, str]) -> None:
    for place, name in enumerate(names):
        shard(tmp_path / name, [place, 9], [0, 1])
    with pytest.raises(DataError, match="holds 2 configurations, `full` and `small`; `config=full` reads that one"):
        read(tmp_path)
    for place, config in enumerate(("full", "small")):
        assert values(read(tmp_path, config=config).splits["train"])[0] == place
    with pytest.raises(DataError, match="there is no configuration 'big'; found full, small"):
        read(tmp_path, config="big")


CARD = b"""---
configs:
- config_name: colour
  data_files:
  - split: train
    path: a/tr-*
  - split: test
    path: [a/te-0.parquet]
- config_name: grey
  default: true
  data_files:
  - split: train
    path: b/**
dataset_info:
- config_name: colour
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': zebra
          '1': ant
---
# Pets
"""


def test_the_card_says_configurations_splits_and_class_names(tmp_path: Path) -> None:
    for place, name in enumerate(("a/tr-0.parquet", "a/te-0.parquet", "b/0.parquet")):
        shard(tmp_path / name, [place, 9], [0, 1])
    spread(tmp_path, {"README.md": CARD})
    colour = read(tmp_path, config="colour")
    assert {split: values(images) for split, images in colour.splits.items()} == {"train": [0, 9], "test": [1, 9]}
    assert colour.classes == ("zebra", "ant")
    grey = read(tmp_path)
    assert values(grey.splits["train"]) == [2, 9] and grey.classes == ("0", "1")
    assert grey.notes == ("configuration `grey` is read, README.md's default; `config=colour` reads another",)
    spread(tmp_path, {"README.md": b"---\n: [\n---\n"})  # no YAML after all
    with pytest.raises(DataError, match="holds 2 configurations, `a` and `b`"):
        read(tmp_path)


def test_class_names_of_a_configuration_alone_come_from_the_card_above(tmp_path: Path) -> None:
    for name in ("colour/train.parquet", "grey/train.parquet"):
        shard(tmp_path / name, [1, 2], [0, 1])
    card = CARD.partition(b"dataset_info:")[2]
    spread(tmp_path, {"README.md": b"---\ndataset_info:" + card})
    parts = [load_parts(tmp_path, config=config).parts for config in ("colour", "grey")]
    assert [part.classes for part in parts] == [("zebra", "ant"), ("0", "1")]


def test_older_repositories_keep_class_names_in_json(tmp_path: Path) -> None:
    shard(tmp_path / "data/train.parquet", [1, 2], [0, 1])
    features = {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    spread(tmp_path, {"dataset_infos.json": json.dumps({"default": {"features": features}}).encode()})
    assert read(tmp_path).classes == ("zebra", "ant")


def test_places_that_the_user_names_are_splits(tmp_path: Path) -> None:
    for place, name in enumerate(("old/0.parquet", "new/0.parquet", "extra/0.parquet")):
        shard(tmp_path / name, [place, 9], [0, 1])
    parts = read(tmp_path, split="train:new,test:old/0.parquet")
    assert {split: values(images)[0] for split, images in parts.splits.items()} == {"train": 1, "test": 0}
    with pytest.raises(DataError, match="no such files in `gone`, which `split` names for test"):
        read(tmp_path, split="train:new,test:gone")


def test_a_column_may_say_each_rows_split(tmp_path: Path) -> None:
    pictures, labels = [flat(n) for n in range(5)], [0, 1, 0, 1, 0]
    path = bare(tmp_path / "x.parquet", image=pictures, label=labels, split=["test", "train", "train", "train", "test"])
    for options in ({}, {"split": "split"}):
        parts = read(path, **options)
        assert {split: values(images) for split, images in parts.splits.items()} == {"train": [1, 2, 3], "test": [0, 4]}
        assert parts.splits["train"].labels.tolist() == [1, 0, 1]
    bare(path, image=pictures, label=labels, fold=["train", "val", "train", "train", "val"])
    assert list(read(path).splits) == ["all"]
    assert values(read(path, split="fold").splits["validation"]) == [1, 4]
    with pytest.raises(DataError, match="no column `folds`, which `split` names; columns: image"):
        read(path, split="folds")
    bare(path, image=pictures, label=labels, split=["train", "test", "train", "train", None])
    with pytest.raises(DataError, match="row 5 has '' in column `split`, which is no split"):
        read(path, split="split")


# Which column holds the labels


def test_class_names_tell_the_label_column(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], [1, 0], ["a", "b"], label="dx")
    table = pq.read_table(path).append_column("age", pa.array([30, 40])).append_column("site", pa.array(["x", "y"]))
    pq.write_table(table, path)
    assert read(path).classes == ("a", "b")
    features = {name: {"names": ["a", "b"], "_type": "ClassLabel"} for name in ("dx", "age")}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)
    with pytest.raises(
        DataError, match="columns `dx` and `age` could both be the labels; say `label=dx` or `label=age`"
    ):
        read(path)


def test_the_only_column_of_few_values_holds_the_labels(tmp_path: Path) -> None:
    rows = list(range(8))
    columns = {"id": rows, "file_name": [f"{n % 2}.png" for n in rows], "caption": [f"no {n}" for n in rows]}
    pictures = [flat(n) for n in rows]
    path = bare(tmp_path / "x.parquet", image=pictures, **columns, tumour=["no", "yes"] * 4, width=[4, 5] * 4)
    parts = read(path)
    assert parts.classes == ("no", "yes") and parts.notes == ("labels are column `tumour`",)
    bare(path, image=pictures, **columns, tumour=["no", "yes"] * 4, site=["x", "y"] * 4)
    with pytest.raises(DataError, match="columns `tumour` and `site` could both be the labels"):
        read(path)
    assert read(path, label="Site").classes == ("x", "y")
    assert read(path, label="4").classes == ("no", "yes")
    with pytest.raises(DataError, match=r"no column `kind`; columns: image \(binary\), id \(int64\)"):
        read(path, label="kind")


def test_of_fine_and_coarse_labels_the_fine_ones_are_read(tmp_path: Path) -> None:
    path = bare(tmp_path / "x.parquet", img=[flat(1), flat(2)], fine_label=[1, 0], coarse_label=[0, 0])
    parts = read(path)
    assert parts.splits["all"].labels.tolist() == [1, 0]
    assert parts.notes == ("labels are column `fine_label`; `label=coarse_label` reads the coarser ones",)
    with pytest.raises(DataError, match="all labels are `0`"):
        read(path, label="coarse_label")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([1.0, 0.0], ("0", "1")), ([True, False], ("False", "True")), ([-1, 1], ("-1", "1")), (["10", "9"], ("9", "10"))],
)
def test_labels_of_other_types_are_read(tmp_path: Path, labels: list[Any], classes: tuple[str, ...]) -> None:
    path = bare(tmp_path / "x.parquet", image=[flat(1), flat(2)], label=labels)
    images = read(path).splits["all"]
    assert images.classes == classes
    assert [classes[n] for n in images.labels] == [str(int(v)) if isinstance(v, float) else str(v) for v in labels]


@pytest.mark.parametrize("kind", ["minus one", "minus one without names", "null", "no column"])
def test_a_test_split_without_labels_is_left_aside(tmp_path: Path, kind: str) -> None:
    names = ["cow", "ant"] if kind != "minus one without names" else None
    shard(tmp_path / "train.parquet", [1, 2], [1, 0], names)
    shard(tmp_path / "test.parquet", [3, 4, 5], [None] * 3 if kind == "null" else [-1] * 3, names)
    if kind == "null":
        table = pq.read_table(tmp_path / "test.parquet")
        pq.write_table(table.set_column(1, "label", pa.array([None] * 3, pa.int64())), tmp_path / "test.parquet")
    if kind == "no column":
        pq.write_table(pq.read_table(tmp_path / "test.parquet").drop_columns("label"), tmp_path / "test.parquet")
    parts = read(tmp_path)
    assert {split: values(images) for split, images in parts.splits.items()} == {"train": [1, 2]}
    assert parts.notes == ("the test split (3 pictures) has no labels; ignored",)
    with pytest.raises(DataError, match=r"test\.parquet: (column `label` has no labels|no label column)"):
        read(tmp_path / "test.parquet")


def test_a_class_that_train_lacks_is_refused(tmp_path: Path) -> None:
    shard(tmp_path / "train.parquet", [1, 2], ["a", "b"])
    shard(tmp_path / "test.parquet", [1, 2], ["a", "c"])
    with pytest.raises(DataError, match="class `c` of the test split has no picture in train"):
        read(tmp_path)
    parts = read(tmp_path, classes=("b", "a"))
    assert parts.classes == ("b", "a") and parts.splits["train"].labels.tolist() == [1, 0]
    assert values(parts.splits["test"]) == [1] and parts.notes == ("1 picture of classes not asked for ignored",)


def test_classes_may_be_picked_and_named(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2, 3, 4], [2, 0, 1, 2], ["cow", "ant", "bee"])
    parts = read(path, classes=("bee", "cow"))
    assert values(parts.splits["all"]) == [1, 2, 4] and parts.splits["all"].labels.tolist() == [0, 1, 0]
    assert not parts.splits["all"].numbered
    named = read(path, names=(("cow", "mammal"), ("ant", "insect"), ("bee", "insect")))
    assert named.classes == ("mammal", "insect") and named.splits["all"].labels.tolist() == [1, 0, 1, 1]
    with pytest.raises(DataError, match="there is no class 'dog', which `classes` names; found cow, ant, bee"):
        read(path, classes=("dog", "cow"))
    assert read(path, classes=("bee",), one_class=True).classes == ("bee",)


# Pixels as numbers


def wide(path: Path, pixels: Any, labels: Sequence[Any], name: str = "pixel{}", kind: Any = None) -> Path:
    """A column a pixel, the label in the middle."""
    count = pixels.shape[1]
    columns = {name.format(n): pa.array(pixels[:, n].tolist(), kind) for n in range(count)}
    halves = list(columns.items())
    return bare(path, **dict(halves[: count // 2]), label=labels, **dict(halves[count // 2 :]))


@pytest.mark.parametrize("name", ["pixel{}", "px_{}", "{}", "V{}"])
@pytest.mark.parametrize(("shape", "count"), [((5, 5, 1), 25), ((4, 4, 3), 48)])
def test_a_column_a_pixel_is_read_as_pictures(
    tmp_path: Path, shape: tuple[int, int, int], count: int, name: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, count))
    path = wide(tmp_path / "x.parquet", pixels, list("abababa"), name)
    images = read(path).splits["all"]
    assert np.array_equal(images.images, pixels.reshape(7, *shape)) and images.classes == ("a", "b")


def test_pixels_of_another_shape_need_the_users_word(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 24))
    path = wide(tmp_path / "x.parquet", pixels, [0, 1, 0, 1])
    with pytest.raises(DataError, match=r"24 pixels a row, which is neither .*; `shape=HEIGHTxWIDTH` says"):
        read(path)
    assert np.array_equal(read(path, shape=(4, 6)).splits["all"].images, pixels.reshape(4, 4, 6, 1))
    assert read(path, shape=(2, 4, 3)).splits["all"].shape == (2, 4, 3)
    with pytest.raises(DataError, match="24 pixels a row; `shape=5x5` says another number"):
        read(path, shape=(5, 5))
    with pytest.raises(DataError, match="`shape` is for pixels"):
        read(shard(tmp_path / "y.parquet", [1, 2], [0, 1]), shape=(4, 4))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (256, "row 3, pixel 2 is 256"),
        (-1, "is -1"),
        (0.5, "is 0.5; .*multiply values from 0 to 1 by 255"),
        (None, "is nan"),
    ],
)
def test_values_that_are_no_bytes_are_refused(tmp_path: Path, value: Any, said: str) -> None:
    pixels = np.zeros((4, 25), object)
    pixels[2, 1] = value
    path = wide(tmp_path / "x.parquet", pixels, [0, 1, 0, 1], kind=pa.float64())
    with pytest.raises(DataError, match=rf"x\.parquet: .*{said}"):
        read(path)
    pixels[2, 1] = 255.0
    assert read(wide(path, pixels, [0, 1, 0, 1], kind=pa.float64())).splits["all"].images.max() == 255


def test_a_line_about_many_columns_is_short(tmp_path: Path) -> None:
    path = bare(tmp_path / "x.parquet", **{f"a long name of a column, the {n}th": [n] for n in range(900)})
    with pytest.raises(DataError, match="no column of pictures") as caught:
        read(path)
    assert len(str(caught.value)) <= 420 and "(900 in all)" in str(caught.value)


@pytest.mark.parametrize("form", ["flat", "rows", "colour", "channels first", "fixed", "uint8"])
def test_lists_of_pixels_are_read_as_pictures(tmp_path: Path, form: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 6, 6, 3 if form in ("colour", "channels first") else 1))
    stored = {
        "flat": images.reshape(70, -1),
        "rows": images[..., 0],
        "colour": images,
        "channels first": images.transpose(0, 3, 1, 2),
    }.get(form, images.reshape(70, -1))
    kinds = {"fixed": pa.list_(pa.float32(), 36), "uint8": pa.list_(pa.uint8())}
    path = bare(
        tmp_path / "x.parquet", image=pa.array(stored.tolist(), kinds.get(form)), label=[n % 2 for n in range(70)]
    )
    assert np.array_equal(read(path).splits["all"].images, images)


def test_lists_of_other_lengths_are_refused(tmp_path: Path) -> None:
    path = bare(tmp_path / "x.parquet", image=[[1] * 9, [1] * 9, [1] * 8], label=[0, 1, 0])
    with pytest.raises(DataError, match="row 3 has 8 pixels, the first row 9; all need one size"):
        read(path)
    bare(path, image=[[], [1]], label=[0, 1])
    with pytest.raises(DataError, match="row 1 has no pixels"):
        read(path)


# Tables that name files


def test_a_table_may_name_the_pictures(tmp_path: Path) -> None:
    spread(tmp_path, {f"images/{n}.png": flat(n) for n in range(4)})
    bare(tmp_path / "metadata.parquet", file_name=[f"images/{n}.png" for n in (3, 1, 0)], label=["b", "a", "b"])
    parts = read(tmp_path)
    assert values(parts.splits["all"]) == [1, 0, 3] and parts.splits["all"].labels.tolist() == [0, 1, 1]
    bare(tmp_path / "metadata.parquet", file_name=["images/3.png", "images/9.png"], label=["b", "a"])
    with pytest.raises(DataError, match=r"metadata\.parquet: row 2 names `images/9\.png`, which is not there"):
        read(tmp_path)


@pytest.mark.parametrize("path", ["../out.png", "/etc/hostname", "gone.png"])
def test_a_picture_outside_the_source_is_not_read(tmp_path: Path, path: str) -> None:
    spread(tmp_path, {"out.png": flat(7), "set/in.png": flat(5)})
    table = [{"bytes": None, "path": "in.png"}, {"bytes": None, "path": path}]
    bare(tmp_path / "set/x.parquet", image=pa.array(table, PICTURE), label=[0, 1])
    with pytest.raises(DataError, match=f"row 2 holds no picture, only the path `{path}`, which is not in the source"):
        read(tmp_path / "set")
    bare(tmp_path / "set/x.parquet", image=[table[0], {"bytes": flat(6), "path": path}], label=[0, 1])
    assert values(read(tmp_path / "set").splits["all"]) == [5, 6]


def test_few_rows_are_in_memory_at_a_time(tmp_path: Path) -> None:
    rows = 600
    picture = encoded(noise(100, 200))  # 60 kB
    table = pa.table({"image": [picture] * rows, "label": [0, 1] * (rows // 2)})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=rows, write_batch_size=8, compression="NONE")
    del table
    before, most = pa.total_allocated_bytes(), 0
    claim = claimed(tmp_path / "x.parquet")

    def progress(*_: int) -> None:
        nonlocal most
        most = max(most, pa.total_allocated_bytes() - before)

    claim.read(in_memory, progress)
    assert 0 < most < rows * len(picture) / 4
