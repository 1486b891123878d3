"""What Hugging Face datasets keep on the disk: save_to_disk folders, whole or packed, and Arrow files of the cache."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sightlab.data.imageset import ImageSet, Parts, in_memory
from sightlab.data.inventory import filtered, look
from sightlab.data.layouts import hf_saved
from sightlab.data.layouts.claim import KNOWN, Claim, ReadOptions
from sightlab.errors import DataError
from tests.picture_files import flat, spread, tarred, zipped

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {"image": {"_type": "Image"}, "label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}


def claimed(path: Path, **options: Any) -> Claim:
    claim = hf_saved.matches(filtered(look(path), options.get("ignore", ())), ReadOptions(**options))
    assert claim is not None
    if claim.refusal:
        raise DataError(claim.refusal)
    return claim


def read(path: Path, **options: Any) -> Parts:
    claim = claimed(path, **options)
    parts = claim.read(in_memory, None)
    assert dict(claim.splits) == {split: len(images) for split, images in parts.splits.items()}
    assert claim.classes == parts.classes
    return parts


def values(images: ImageSet) -> list[int]:
    return [int(image.flat[0]) for image in images.images]


def held(parts: Parts) -> dict[str, list[int]]:
    return {split: values(images) for split, images in parts.splits.items()}


def arrow(path: Path, rows: Sequence[int], *, stream: bool = True, metadata: bool = False, batch: int = 2) -> Path:
    """An Arrow file of flat pictures, labelled by whether their value is odd, a few rows in a batch."""
    pictures = pa.array([{"bytes": flat(v), "path": None} for v in rows], PICTURE)
    table = pa.table({"image": pictures, "label": pa.array([v % 2 for v in rows], pa.int64())})
    if metadata:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)
    return path


def saved(folder: Path, shards: Sequence[Sequence[int]], features: Any = FEATURES, **options: Any) -> Path:
    """A folder as `Dataset.save_to_disk` of datasets 2 to 5 writes it."""
    names = [f"data-{n:05}-of-{len(shards):05}.arrow" for n in range(len(shards))]
    for name, rows in zip(names, shards, strict=True):
        arrow(folder / name, rows, **options)
    state = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "1ca58d51ad3ec190",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    text = {"state.json": json.dumps(state, indent=2), "dataset_info.json": json.dumps(info, indent=2)}
    return spread(folder, {name: content.encode() for name, content in text.items()})


def saved_dict(folder: Path) -> Path:
    """A folder as `DatasetDict.save_to_disk` writes it: train in two files."""
    saved(folder / "train", [[1, 2, 3], [4, 5]])
    saved(folder / "test", [[6, 7]])
    return spread(folder, {"dataset_dict.json": b'{"splits": ["train", "test"]}'})


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz"])
def test_a_saved_dict_is_read_whole_or_packed(tmp_path: Path, form: str) -> None:
    folder = saved_dict(tmp_path / "pets")
    files = {f"pets/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    if form == "zip":
        source = zipped(tmp_path / "pets.zip", files)
    elif form == "folder":
        source = folder
    else:
        source = tarred(tmp_path / f"pets.{form}", files, "w:gz" if form == "tar.gz" else "w")
    assert claimed(source).strength == KNOWN
    parts = read(source)
    assert held(parts) == {"train": [1, 2, 3, 4, 5], "test": [6, 7]} and parts.notes == ()
    images = parts.splits["train"]
    assert images.labels.tolist() == [1, 0, 1, 0, 1] and images.classes == ("zebra", "ant") and images.numbered


def test_a_single_set_is_undivided(tmp_path: Path) -> None:
    parts = read(saved(tmp_path / "pets", [[1, 2], [3]]))
    assert held(parts) == {"all": [1, 2, 3]} and parts.classes == ("zebra", "ant")


def test_a_lone_file_takes_its_class_names_from_beside_it(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pets", [[1, 2, 3]])
    file = folder / "data-00000-of-00001.arrow"
    assert claimed(file).beside == ("dataset_info.json",)
    assert held(read(file)) == {"all": [1, 2, 3]} and read(file).classes == ("zebra", "ant")
    (folder / "dataset_info.json").unlink()
    assert claimed(file).beside == () and read(file).classes == ("0", "1")
    assert read(arrow(file, [1, 2, 3], metadata=True)).classes == ("zebra", "ant")


def test_the_files_of_a_cache_are_read(tmp_path: Path) -> None:
    place = tmp_path / "mnist" / "mnist" / "0.0.0" / "77f3279092a1c1579b2250db8eafed0ad422088c"
    arrow(place / "mnist-train.arrow", [1, 2, 3])
    arrow(place / "mnist-test.arrow", [4, 5])
    arrow(place / "cache-935f273b09a20cc2.arrow", [1])  # what `map` made of one of them
    spread(place, {"dataset_info.json": json.dumps({"features": FEATURES}).encode()})
    parts = read(tmp_path / "mnist")
    assert held(parts) == {"train": [1, 2, 3], "test": [4, 5]} and parts.classes == ("zebra", "ant")
    assert len(parts.notes) == 1 and "1 Arrow file" in parts.notes[0] and "ignored" in parts.notes[0]


def test_what_lies_beside_the_files_of_a_set_is_left_aside(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pets", [[1, 2], [3]])
    arrow(folder / "cache-0123456789abcdef.arrow", [9, 8])
    parts = read(folder)
    assert held(parts) == {"all": [1, 2, 3]}
    assert parts.notes == ("1 Arrow file (cache-0123456789abcdef.arrow) of other stages ignored",)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("batch", [1, 100, 1000])
def test_streams_and_files_of_any_batches_are_read(tmp_path: Path, stream: bool, batch: int) -> None:
    rows = [n % 250 for n in range(300)]
    path = arrow(tmp_path / "x.arrow", rows, stream=stream, batch=batch)
    assert held(read(path)) == {"all": rows}
    assert held(read(zipped(tmp_path / "x.zip", {"x.arrow": path.read_bytes()}))) == {"all": rows}


def test_pictures_that_are_kept_by_path_are_found_in_the_source(tmp_path: Path) -> None:
    spread(tmp_path, {"pictures/1.png": flat(1), "pictures/2.png": flat(2)})
    table = pa.table(
        {
            "image": pa.array([{"bytes": None, "path": f"pictures/{n}.png"} for n in (2, 1)], PICTURE),
            "label": pa.array([0, 1]),
        }
    )
    with pa.ipc.new_stream(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert held(read(tmp_path)) == {"all": [2, 1]}
    (tmp_path / "pictures/1.png").unlink()
    with pytest.raises(
        DataError, match=r"row 2 holds no picture, only the path `pictures/1\.png`, which is not in the so"
    ):
        read(tmp_path)


@pytest.mark.parametrize("first", [True, False])
def test_arrays_are_read_with_channels_first_or_last(tmp_path: Path, first: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
    stored = images.transpose(0, 3, 1, 2) if first else images
    kind = pa.list_(pa.list_(pa.list_(pa.uint8())))
    table = pa.table({"image": pa.array(stored.tolist(), kind), "label": [0, 1] * 3})
    with pa.ipc.new_stream(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    assert np.array_equal(read(tmp_path / "x.arrow").splits["all"].images, images)


# What is wrong


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = saved_dict(tmp_path / "pets")
    (folder / "train/data-00001-of-00002.arrow").unlink()
    with pytest.raises(
        DataError, match=r"train/data-00001-of-00002\.arrow: this file is missing; state\.json names it"
    ):
        read(folder)


def test_rows_picked_by_a_file_of_indices_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pets", [[1, 2]])
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"_indices_data_files": [{"filename": "indices.arrow"}]}))
    with pytest.raises(DataError, match=r"state\.json: picks rows by a file of indices; call flatten_indices\(\)"):
        read(folder)


def test_splits_of_other_class_names_are_refused(tmp_path: Path) -> None:
    folder = saved_dict(tmp_path / "pets")
    saved(folder / "test", [[6, 7]], FEATURES | {"label": {"names": ["ant", "zebra"], "_type": "ClassLabel"}})
    with pytest.raises(DataError, match="the class names of column `label` differ from another split's"):
        read(folder)


def test_a_split_of_another_name_can_be_ignored_or_placed(tmp_path: Path) -> None:
    folder = saved_dict(tmp_path / "pets")
    saved(folder / "extra", [[8, 9]])
    with pytest.raises(DataError, match="holds 2 configurations, `extra` and `default`; `config=extra`"):
        read(folder)
    assert list(read(folder, ignore=("extra",)).splits) == ["train", "test"]
    assert held(read(folder, split="train:extra,test:test")) == {"train": [8, 9], "test": [6, 7]}


@pytest.mark.parametrize("damage", ["cut", "text", "pointer", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    folder = saved(tmp_path / "pets", [[1, 2, 3, 4], [5, 6]])
    path = folder / "data-00000-of-00002.arrow"
    content = {
        "cut": path.read_bytes()[:-300],
        "text": b"hello, this is no table",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "empty": b"",
    }[damage]
    path.write_bytes(content)
    said = {"pointer": "is a Git LFS pointer; run `git lfs pull`", "empty": "is empty"}.get(
        damage, "not a whole Arrow file"
    )
    with pytest.raises(DataError, match=rf"data-00000-of-00002\.arrow: {said}") as caught:
        read(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300 + len(str(tmp_path))


def test_no_damaged_byte_does_more_than_refuse_the_file(tmp_path: Path) -> None:
    """Lengths in a damaged file would lead out of the memory if they were believed."""
    path = arrow(tmp_path / "x.arrow", [1, 2, 3], metadata=True)
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for place in draw.integers(0, len(whole), 3):
            damaged[place] = draw.integers(0, 256)
        path.write_bytes(damaged)
        try:
            outcomes.add(len(read(path).splits["all"]))
        except DataError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes >= {"refused", 3}


def test_a_file_without_pictures_is_refused_in_one_line(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    with pa.ipc.new_stream(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"x\.arrow: no column of pictures .*; columns: text \(string\), label"):
        read(tmp_path)


def test_a_source_without_arrow_files_is_of_another_form(tmp_path: Path) -> None:
    spread(tmp_path, {"cat/1.png": flat(1), "state.json": b"{}"})
    assert hf_saved.matches(look(tmp_path), ReadOptions()) is None
