"""The layout of pixel tables: lone files, folders and archives of them, and what lies beside."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightlab.data.imageset import Parts, in_memory
from sightlab.data.inventory import look
from sightlab.data.layouts.claim import Claim, ReadOptions
from sightlab.data.layouts.decide import decide
from sightlab.data.layouts.pixel_table import NAME, matches
from sightlab.data.layouts.table import LAYOUTS
from sightlab.data.pictures.decode import Decoding
from sightlab.errors import DataError
from tests.csv_tables import drawn, put, table, text_of

TRAIN, TEST = table(40, 64, 1), table(20, 64, 2)
LABELS = [str(n % 5) for n in range(40)]


def options_of(**words: Any) -> ReadOptions:
    return ReadOptions(decoding=Decoding(bit_depth=words.pop("bit_depth", None)), **words)


def claim(path: Path, **words: Any) -> Claim:
    options = options_of(**words)
    found = matches(look(path, options.encoding), options)
    assert found is not None
    return found


def parts(path: Path, **words: Any) -> Parts:
    """What is read, by the layout that all of them decide for."""
    options = options_of(**words)
    chosen = decide(look(path, options.encoding), options, LAYOUTS).claim()
    assert chosen.layout == NAME
    read = chosen.read(in_memory, None)
    assert set(read.splits) == set(chosen.splits)
    return read


def refusal(path: Path, **words: Any) -> str:
    options = options_of(**words)
    with pytest.raises(DataError) as caught:
        decide(look(path, options.encoding), options, LAYOUTS).claim().read(in_memory, None)
    line = str(caught.value)
    assert "\n" not in line and len(line) <= 300
    return line


def put_splits(folder: Path, names: Mapping[str, str]) -> Path:
    """Tables of these names, of the splits that they stand for."""
    for name, split in names.items():
        pixels, labels = (TRAIN, LABELS) if split == "train" else (TEST, LABELS[:20])
        mark = {"tsv": "\t", "txt": " "}.get(name.removesuffix(".gz").rpartition(".")[2], ",")
        put(folder, text_of(pixels, labels).replace(",", mark), name)
    return folder


def check_splits(found: Parts, splits: set[str]) -> None:
    assert set(found.splits) == splits
    for split, images in found.splits.items():
        pixels, labels = (TRAIN, LABELS) if split in ("train", "all") else (TEST, LABELS[:20])
        np.testing.assert_array_equal(images.images.reshape(len(pixels), -1), pixels)
        assert [images.classes[n] for n in images.labels] == labels


@pytest.mark.parametrize(
    "names",
    [
        {"train.csv": "train", "test.csv": "test", "val.csv": "validation"},
        {"TRAIN.CSV": "train", "Test.CSV": "test"},
        {"fashion-mnist_train.csv": "train", "fashion-mnist_test.csv.gz": "test"},
        {"train.txt": "train", "valid.tsv": "validation"},
        {"digits.tra": "train", "digits.tes": "test"},
        {"zip.train": "train", "zip.test.gz": "test"},
        {"digitstrain.csv": "train", "digitstest.csv": "test"},
        {"train/digits.csv": "train", "test/digits.csv": "test"},
        {"train/train.csv": "train", "test/test.csv": "test"},
        {"training_data.csv": "train", "holdout_data.csv": "test"},
    ],
    ids=lambda names: next(iter(names)),
)
def test_splits_are_told_by_names(tmp_path: Path, names: dict[str, str]) -> None:
    put_splits(tmp_path / "d", names)
    check_splits(parts(tmp_path / "d"), set(names.values()))
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(tmp_path / "d" / name, name)
    check_splits(parts(tmp_path / "d.zip"), set(names.values()))


def test_archives_in_archives_are_read(tmp_path: Path) -> None:
    put_splits(tmp_path / "d", {"train.csv": "train", "test.csv": "test"})
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as outer:
        for name in ("train.csv", "test.csv"):
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as archive:
                archive.write(tmp_path / "d" / name, name)
            member = tarfile.TarInfo(f"{name}.zip")
            member.size = len(inner.getvalue())
            outer.addfile(member, io.BytesIO(inner.getvalue()))
    check_splits(parts(tmp_path / "all.tar.gz"), {"train", "test"})


def test_a_lone_table_is_not_divided(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train", "test.csv": "test"})
    check_splits(parts(tmp_path / "train.csv"), {"all"})


def test_kaggles_folder_trains_and_leaves_the_rest_aside(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train"})
    put(tmp_path, "\n".join(text.partition(",")[2] for text in text_of(TEST, LABELS[:20]).splitlines()), "test.csv")
    put(tmp_path, "ImageId,Label\n" + "".join(f"{n},0\n" for n in range(1, 21)), "sample_submission.csv")
    found = parts(tmp_path)
    check_splits(found, {"train"})
    assert found.notes == (
        "test.csv has no labels; `sightlab predict RUN test.csv` answers it",
        "1 form for answers (sample_submission.csv) ignored: its labels are no labels",
    )
    for alone in (tmp_path / "test.csv", tmp_path):
        (tmp_path / "train.csv").unlink(missing_ok=True)
        line = refusal(alone)
        assert "8 x 8 pixels and no labels; `sightlab predict RUN test.csv` answers it" in line


def test_a_table_with_ids_alone_has_no_labels(tmp_path: Path) -> None:
    path = put(tmp_path, text_of(TEST, [str(n) for n in range(1, 21)], label="id"))
    assert "no labels; `sightlab predict RUN a.csv`" in refusal(path)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["train.csv", "training.csv"], "are both tables of the train split"),
        (["a.csv", "b.csv"], "are both tables whose names say no split"),
        (["train.csv", "other.csv"], "its name says no split, while others do"),
    ],
)
def test_tables_that_are_not_one_data_set_are_refused(tmp_path: Path, names: list[str], says: str) -> None:
    for seed, name in enumerate(names):
        put(tmp_path, text_of(table(20, 64, seed), LABELS[:20]), name)
    assert says in refusal(tmp_path)
    found = parts(tmp_path, ignore=(), split=f"train:{names[0]},test:{names[1]}")
    assert {split: len(own) for split, own in found.splits.items()} == {"train": 20, "test": 20}


def test_sets_of_tables_are_chosen_by_config(tmp_path: Path) -> None:
    for name in ("letters", "digits"):
        for split, pixels in (("train", TRAIN), ("test", TEST)):
            put(tmp_path, text_of(pixels, [f"{name[0]}{n % 5}" for n in range(len(pixels))]), f"my-{name}-{split}.csv")
    assert "`config=" in refusal(tmp_path)
    assert parts(tmp_path, config="letters").classes == ("l0", "l1", "l2", "l3", "l4")


def test_copies_are_left_aside(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train", "test.csv": "test", "d/train.csv": "train", "train/train.csv": "train"})
    found = parts(tmp_path)
    check_splits(found, {"train", "test"})
    assert found.notes == ("2 tables (d/train.csv, train/train.csv) ignored: same bytes as another one",)


def test_splits_of_different_shapes_or_with_strange_classes_are_refused(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train"})
    put(tmp_path, text_of(table(20, 81), LABELS[:20]), "test.csv")
    assert "9 x 9" in refusal(tmp_path) and "8 x 8" in refusal(tmp_path)
    put(tmp_path, text_of(TEST, ["zebra"] * 20), "test.csv")
    assert "holds the label 'zebra', which train has no image of" in refusal(tmp_path)


def test_pictures_beside_are_left_aside_and_class_folders_are_another_reading(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train"})
    Image.new("L", (8, 8)).save(tmp_path / "example.png")
    assert claim(tmp_path).unused == ("1 picture file (example.png) ignored",)
    check_splits(parts(tmp_path), {"train"})
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for n in range(3):
            Image.new("L", (8, 8), n).save(tmp_path / name / f"{n}.png")
    line = refusal(tmp_path)
    assert "`layout=pixel-table`" in line and "`layout=class-folders`" in line
    check_splits(parts(tmp_path, layout="pixel-table"), {"train"})


def test_features_of_pictures_are_no_reading_of_their_own(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for n in range(3):
            Image.new("L", (8, 8), n).save(tmp_path / name / f"{n}.png")
    values = np.random.default_rng(0).normal(0, 2, (6, 64)).round(4)
    lines = [",".join(map(str, row)) + f",{('cat', 'dog')[n % 2]}" for n, row in enumerate(values)]
    put(tmp_path, "\n".join([",".join([*(f"f{n}" for n in range(64)), "class"]), *lines]), "features.csv")
    put(tmp_path, "0 0.5 0.5 0.25 0.25\n" * 20, "boxes.txt")
    chosen = decide(look(tmp_path), options_of(), LAYOUTS).claim()
    assert chosen.layout == "class-folders"


def test_a_list_of_pictures_is_no_table_of_pixels(tmp_path: Path) -> None:
    for n in range(20):
        Image.new("L", (8, 8), n).save(tmp_path / f"{n}.png")
    flags = "\n".join(f"{n}.png,{n % 2},{','.join(str(n * k % 2) for k in range(80))}" for n in range(20))
    words = [f"{a}{b}" for a in "abcdefghi" for b in "abcdefghi"][:80]
    put(tmp_path, f"file,label,{','.join(words)}\n{flags}", "attributes.csv")
    assert matches(look(tmp_path), options_of()) is None
    put(tmp_path, "\n".join(f"{n}.png,{n % 2}" for n in range(20)), "attributes.csv")
    assert matches(look(tmp_path), options_of()) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", None),
        ("sepal,petal,width,height,species\n" + "5.1,3.5,1.4,0.2,setosa\n" * 20, "holds 5 columns, 4 of numbers"),
        ("0 0.5 0.5 0.25 0.25\n" * 20, "holds 5 columns, 5 of numbers"),
    ],
)
def test_other_tables_say_what_they_hold(tmp_path: Path, text: str, says: str | None) -> None:
    path = put(tmp_path, text)
    found = matches(look(path), options_of())
    assert (found is None) == (says is None)
    assert found is None or says is None or says in found.refusal


def test_a_doubt_is_settled_by_shape_or_layout(tmp_path: Path) -> None:
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    lines = [",".join(map(str, [n % 5, *row])) for n, row in enumerate(TRAIN)]
    put(tmp_path, "\n".join([",".join(["label", *words]), *lines]))
    assert "`shape=8x8` reads them as pixels" in refusal(tmp_path / "a.csv")
    for settled in ({"shape": (8, 8)}, {"layout": NAME}):
        check_splits(parts(tmp_path / "a.csv", **settled), {"all"})


@pytest.mark.parametrize("name", ["classes.csv", "labels.txt", "mapping.json"])
def test_class_names_beside_are_taken_where_they_fit(tmp_path: Path, name: str) -> None:
    put_splits(tmp_path, {"train.csv": "train"})
    names = ["zero", "one", "two", "three", "four"]
    text = "".join(f"{n},{own}\n" for n, own in enumerate(names))
    put(tmp_path, '["zero", "one", "two", "three", "four"]' if name.endswith("json") else text, name)
    for source in (tmp_path, tmp_path / "train.csv"):
        found = parts(source)
        assert found.classes == tuple(names)
        assert f"class names from {name}" in found.notes
    assert claim(tmp_path / "train.csv").beside == (name,)
    before = claim(tmp_path / "train.csv").identity
    put(tmp_path, "".join(f"{n},{own}\n" for n, own in enumerate(names[:3])), name.replace("json", "txt"))
    if not name.endswith("json"):
        assert parts(tmp_path).classes == ("0", "1", "2", "3", "4")
        assert claim(tmp_path / "train.csv").identity != before


def test_emnist_is_turned_upright_and_named(tmp_path: Path) -> None:
    pictures = drawn(52).reshape(52, 8, 8)
    lying = pictures.transpose(0, 2, 1).reshape(52, -1)
    path = put(tmp_path, text_of(lying, [str(n % 26 + 1) for n in range(52)], header=False), "emnist-letters-train.csv")
    found = parts(path)
    np.testing.assert_array_equal(found.splits["all"].images[..., 0], pictures)
    assert found.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert any("upright" in note for note in found.notes)


def test_words_of_the_user(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train", "test.csv": "test"})
    found = parts(tmp_path, classes=("3", "1"))
    assert found.classes == ("3", "1")
    assert found.notes == ("36 pictures of classes not asked for ignored",)
    keep = [n for n in range(40) if LABELS[n] in ("3", "1")]
    np.testing.assert_array_equal(found.splits["train"].images.reshape(len(keep), -1), TRAIN[keep])
    assert [found.classes[n] for n in found.splits["train"].labels] == [LABELS[n] for n in keep]
    assert parts(tmp_path, names=(("3", "three"),)).classes == ("0", "1", "2", "4", "three")
    assert "there is no class '9'" in refusal(tmp_path, classes=("9",))
    assert parts(tmp_path, shape=(4, 16)).splits["train"].shape == (4, 16, 1)
    assert "`label_from={label}_.png`" in refusal(tmp_path, label_from="{label}_.png", layout=NAME)
    assert "no label column 'zzz'" in refusal(tmp_path, label="zzz", layout=NAME)
    check_splits(parts(tmp_path, layout=NAME, list="train.csv"), {"train"})


def test_a_label_that_only_one_table_has_is_no_mistake(tmp_path: Path) -> None:
    put(tmp_path, text_of(TRAIN, LABELS, label="what"), "train.csv")
    put(tmp_path, "\n".join(text.partition(",")[2] for text in text_of(TEST, LABELS[:20]).splitlines()), "test.csv")
    found = parts(tmp_path, label="what")
    check_splits(found, {"train"})
    assert found.notes == (
        "train.csv: `what` is taken for the label",
        "test.csv has no labels; `sightlab predict RUN test.csv` answers it",
    )


def test_a_split_column_by_name(tmp_path: Path) -> None:
    lines = [",".join(map(str, [n % 5, *row, ("train", "test")[n % 2]])) for n, row in enumerate(TRAIN)]
    path = put(tmp_path, "\n".join([",".join(["label", *(f"p{n}" for n in range(64)), "part"]), *lines]))
    assert {split: len(own) for split, own in parts(path, split="part").splits.items()} == {"train": 20, "test": 20}
    assert "`p3` does not say train, validation or test" in refusal(path, split="p3")
    assert "no split column 'zzz'" in refusal(path, split="zzz")


def test_columns_are_told_in_notes(tmp_path: Path) -> None:
    lines = [",".join(map(str, [n, n % 5, n % 3, *row])) + "," for n, row in enumerate(TRAIN)]
    path = put(tmp_path, "\n".join([",".join(["", "label", "age", *(f"p{n}" for n in range(64)), ""]), *lines]))
    assert parts(path).notes == (
        "a.csv: column 0 (from 0) left out (an id)",
        "a.csv: column 67 (from 0) left out (empty)",
        "a.csv: `age` left out",
    )
    assert claim(path).labels == "`label` of a.csv"


def test_what_cannot_be_read_does_not_hide_what_can(tmp_path: Path) -> None:
    put_splits(tmp_path, {"train.csv": "train"})
    put(tmp_path, "readmé\n".encode("latin-1"), "notes.txt")
    check_splits(parts(tmp_path), {"train"})
    put(tmp_path, text_of(TEST, ["é"] * 20).encode("latin-1"), "test.csv")
    assert "test.csv: line 2 is not UTF-8 text" in refusal(tmp_path)
    assert "holds the label 'é', which train" in refusal(tmp_path, encoding="latin-1")


def put_apart(folder: Path, images: str, labels: str, count: int, heading: str, seed: int = 0) -> None:
    """A table of pixels alone, and a text of labels."""
    rows = [",".join(map(str, row)) for row in drawn(count, seed=seed).tolist()]
    numbers = ",".join(map(str, range(64)))
    put(folder, "\n".join([numbers, *rows] if heading == "0" else rows), images)
    put(folder, "\n".join([*filter(None, [heading]), *LABELS[:count]]), labels)


@pytest.mark.parametrize(
    "names",
    [
        ("X_train.csv", "y_train.csv", "X_test.csv", "y_test.csv"),
        ("csvTrainImages 40x64.csv", "csvTrainLabel 40x1.csv", "csvTestImages 20x64.csv", "csvTestLabel 20x1.csv"),
        ("train.csv", "train_labels.csv", "test.csv", "test_labels.csv"),
        ("train/images.csv", "train/labels.txt", "test/images.csv", "test/labels.txt"),
    ],
    ids=lambda names: names[0],
)
@pytest.mark.parametrize("heading", ["", "label", "0"])
def test_labels_in_a_text_of_their_own(tmp_path: Path, names: tuple[str, ...], heading: str) -> None:
    put_apart(tmp_path, names[0], names[1], 40, heading, 1)
    put_apart(tmp_path, names[2], names[3], 20, heading, 2)
    found = parts(tmp_path)
    for split, count, seed in (("train", 40, 1), ("test", 20, 2)):
        images = found.splits[split]
        np.testing.assert_array_equal(images.images.reshape(count, -1), drawn(count, seed=seed))
        assert [images.classes[n] for n in images.labels] == LABELS[:count]
    alone = claim(tmp_path / names[0])
    assert names[1].rpartition("/")[2] in alone.beside
    assert len(alone.read(in_memory, None).splits["all"]) == 40
    put(tmp_path, "\n".join(LABELS[:39]), names[1])
    assert "holds 39 labels, " in refusal(tmp_path)


def test_labels_of_their_own_go_by_ids(tmp_path: Path) -> None:
    ids = [f"{7 * n % 40:03}" for n in range(40)]
    put(tmp_path, text_of(TRAIN, ids, label="id"), "train.csv")
    label_of = {own: LABELS[n] for n, own in enumerate(ids)}
    put(tmp_path, "\n".join(["id,label", *(f"{own},{label_of[own]}" for own in sorted(ids))]), "train_labels.csv")
    check_splits(parts(tmp_path), {"train"})
    put(tmp_path, "\n".join(["id,label", *(f"{own},{label_of[own]}" for own in ids[1:]), "999,1"]), "train_labels.csv")
    assert "has no label for the picture '000'" in refusal(tmp_path)
    put(tmp_path, "\n".join(["id,label", *(f"{own},1" for own in ids[1:])]), "train_labels.csv")
    assert "holds 39 labels, train.csv 40 pictures; each needs one" in refusal(tmp_path)
