"""Parquet shards in the Hugging Face layout are read and written, and what they lack is said."""

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

from sightlab.data.imageset import ImageSet
from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.parquet import read_parquet, write_parquet
from sightlab.errors import DataError
from tests.picture_files import flat, noise

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
    splits = {"train": sample(2300, channels), "validation": sample(3, channels, 1), "test": sample(7, channels, 2)}
    write_parquet(splits, tmp_path / "new" / "set")
    write_parquet(splits, tmp_path / "new" / "set")  # over itself
    assert sorted(p.name for p in (tmp_path / "new" / "set").iterdir()) == [
        f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")
    ]
    parts = read_parquet(tmp_path / "new" / "set")
    assert list(parts.splits) == list(splits) and parts.notes == ()
    for name, images in parts.splits.items():
        np.testing.assert_array_equal(images.images, splits[name].images)
        np.testing.assert_array_equal(images.labels, splits[name].labels)
        assert images.classes == ("truck", "ant", "10") and images.numbered


def test_an_undivided_set_stays_undivided(tmp_path: Path) -> None:
    write_parquet({"all": sample(9)}, tmp_path)
    assert list(read_parquet(tmp_path).splits) == ["all"]


def test_a_part_of_a_set_is_written_as_that_part(tmp_path: Path) -> None:
    write_parquet({"train": sample(9).take(np.array([7, 0, 3]))}, tmp_path)
    np.testing.assert_array_equal(read_parquet(tmp_path).splits["train"].images, sample(9).images[[7, 0, 3]])


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
    parts = read_parquet(tmp_path)
    assert {split: values(images) for split, images in parts.splits.items()} == {"train": [1, 2, 3, 4, 5], "test": [6]}
    assert parts.splits["train"].labels.tolist() == [1, 0, 1, 0, 1] and parts.classes == ("even", "odd")


def test_folders_may_name_the_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        shard(tmp_path / "default" / split / "0000.parquet", [1, 2], [0, 1])
    assert list(read_parquet(tmp_path).splits) == ["train", "test"]


def test_one_file_may_be_the_source(tmp_path: Path) -> None:
    parts = read_parquet(shard(tmp_path / "pets.parquet", [1, 2, 3], ["dog", "cat", "dog"]))
    images = parts.splits["all"]
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [1, 0, 1] and not images.numbered
    assert list(read_parquet(shard(tmp_path / "train-x.parquet", [1, 2], [0, 1])).splits) == ["train"]


@pytest.mark.parametrize(
    ("labels", "classes", "numbered"),
    [([2, 0, 1], ("0", "1", "2"), True), ([10, 2, 2], ("2", "10"), False), (["b", "a", "b"], ("a", "b"), False)],
)
def test_without_names_labels_name_the_classes(
    tmp_path: Path, labels: list[Any], classes: tuple[str, ...], numbered: bool
) -> None:
    images = read_parquet(shard(tmp_path / "x.parquet", [1, 2, 3], labels)).splits["all"]
    assert images.classes == classes and images.numbered is numbered
    assert [classes[label] for label in images.labels] == [str(label) for label in labels]


@pytest.mark.parametrize("column", ["label", "labels", "fine_label", "class", "target"])
def test_label_columns_are_found_by_name(tmp_path: Path, column: str) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], [1, 0], ["a", "b"], label=column)
    assert read_parquet(path).splits["all"].labels.tolist() == [1, 0]


def test_a_label_column_may_be_given(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], ["x", "y"], label="species")
    assert read_parquet(path, label="species").classes == ("x", "y")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("name", ["img", "photo"])
def test_pictures_may_be_plain_bytes(tmp_path: Path, kind: pa.DataType, name: str) -> None:
    labels = pa.array(["a", "b"]).dictionary_encode()
    pq.write_table(pa.table({name: pa.array([flat(1), flat(2)], kind), "label": labels}), tmp_path / "x.parquet")
    assert values(read_parquet(tmp_path / "x.parquet").splits["all"]) == [1, 2]


def test_row_groups_do_not_show(tmp_path: Path) -> None:
    rows = [n % 250 for n in range(700)]
    path = shard(tmp_path / "x.parquet", rows, [v % 2 for v in rows], row_group_size=64)
    done: list[tuple[int, int]] = []
    images = read_parquet(path, progress=lambda *counts: done.append(counts)).splits["all"]
    assert values(images) == rows and done[-1] == (700, 700)


def test_sizes_channels_and_broken_pictures_are_as_for_files(tmp_path: Path) -> None:
    pictures = [flat(1), flat(2, size=6), b"broken", flat(3, channels=1)]
    table = pa.table({"image": pa.array(pictures), "label": [0, 1, 0, 1]})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet, row 1 is 4 x 4 and .*row 2 is 6 x 6 .*`size=4` resizes"):
        read_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet, row 3 cannot be decoded"):
        read_parquet(tmp_path / "x.parquet", Decoding(size=4))
    parts = read_parquet(tmp_path / "x.parquet", Decoding(size=4, skip_broken=True))
    images = parts.splits["all"]
    assert (values(images), images.labels.tolist(), images.shape) == ([1, 2, 3], [0, 1, 1], (4, 4, 3))
    assert parts.notes == ("1 broken picture left out (x.parquet, row 3)",)


def bare(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


FOUND = r"columns: image \(binary\), label \(int64\)"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["a"], "label": [1]}, r"no column of picture bytes; columns: text \(string\), label \(int64\)"),
        ({"image": [[1, 2]], "label": [1]}, r"no column of picture bytes; columns: image \(list<"),
        (
            {"left": [b""], "right": [b""], "label": [1]},
            "several columns of bytes and no one named `image`; columns: left",
        ),
        ({"image": [b""], "kind": [1]}, r"no label column `label`; .*columns: image \(binary\), kind \(int64\)"),
        ({"image": [b""], "label": [0.5]}, "labels in column `label` are double; they must be whole numbers or text"),
        ({"image": [flat(1)] * 2, "label": [1, None]}, "row 2 has no label in column `label`"),
        ({"image": [flat(1), None], "label": [1, 0]}, "row 2 has no picture bytes in column `image`"),
        (
            {"image": [{"bytes": None, "path": "1.png"}, {"bytes": b"", "path": ""}], "label": [1, 0]},
            "row 1 has no picture",
        ),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "holds no rows"),
        ({"image": [flat(1)] * 2, "label": [1, 1]}, "all labels are `1`; a classifier needs at least two classes"),
    ],
)
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=rf"x\.parquet: {said}") as caught:
        read_parquet(bare(tmp_path / "x.parquet", **columns))
    assert "\n" not in str(caught.value)


def test_a_label_without_a_name_is_refused(tmp_path: Path) -> None:
    for wrong in (-1, 2):
        path = shard(tmp_path / "x.parquet", [1, 2], [0, wrong], ["a", "b"])
        with pytest.raises(DataError, match=f"row 2 has label {wrong}; labels of 2 classes run from 0 to 1"):
            read_parquet(path)


@pytest.mark.parametrize("names", [["a", "a"], "ab", [{"a": 1}, {"a": 1}]])
def test_class_names_that_are_no_names_are_refused(tmp_path: Path, names: Any) -> None:
    with pytest.raises(DataError, match="class names of column `label` in its metadata are not a list of different"):
        read_parquet(shard(tmp_path / "x.parquet", [1, 2], [0, 1], names))


def test_other_metadata_are_passed_over(tmp_path: Path) -> None:
    path = shard(tmp_path / "x.parquet", [1, 2], [0, 1])
    for text in (b"no json", b"[1]", b'{"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}'):
        pq.write_table(pq.read_table(path).replace_schema_metadata({b"huggingface": text}), path)
        assert read_parquet(path).classes == ("0", "1")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    for number in (0, 2):
        shard(tmp_path / f"train-{number:05}-of-00003.parquet", [1, 2], [0, 1])
    with pytest.raises(DataError, match=r"train-00001-of-00003\.parquet: this shard is missing"):
        read_parquet(tmp_path)


def test_shards_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    shard(tmp_path / "train.parquet", [1, 2], [0, 1], ["a", "b"])
    other = shard(tmp_path / "test.parquet", [1, 2], [0, 1], ["b", "a"])
    with pytest.raises(DataError, match=f"{other}: its labels are of other classes"):
        read_parquet(tmp_path)
    shard(tmp_path / "test.parquet", [1, 2], ["a", "b"])
    with pytest.raises(DataError, match="of other classes, or another type"):
        read_parquet(tmp_path)
    other.rename(tmp_path / "extra.parquet")
    with pytest.raises(DataError, match=r"extra\.parquet: its name says no split"):
        read_parquet(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "middle", "text", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = shard(tmp_path / "x.parquet", list(range(50)), [v % 2 for v in range(50)], write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[30:90] = bytes(60) if damage == "middle" else data[30:90]
    path.write_bytes({"cut": data[:-200], "middle": data, "text": b"hello", "empty": b""}[damage])
    with pytest.raises(DataError, match=r"x\.parquet"):
        read_parquet(path)


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no Parquet files"):
        read_parquet(tmp_path)
    with pytest.raises(DataError, match=r"gone\.parquet: .*No such file"):
        read_parquet(tmp_path / "gone.parquet")
