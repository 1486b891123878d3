"""Folders as people have them: splits in any spelling, variants, parts of a store, class first: right or refused."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from sightlab.data.layouts.split_words import parsed, split_family
from sightlab.data.load import load_parts
from sightlab.errors import DataError
from tests.picture_files import flat, spread, tarred, zipped
from tests.reading import claim, decision, read

PETS = ("cat", "dog")


def pictures(*folders: str, first: int = 0, count: int = 2) -> dict[str, bytes]:
    """Flat pictures in each folder, no two alike."""
    names = [f"{folder}/{n}.png" for folder in folders for n in range(count)]
    return {name: flat(first + place) for place, name in enumerate(names)}


def classes_by_split(path: Path, **words: str) -> dict[str, list[str]]:
    parts = read(path, **words)  # type: ignore[arg-type]
    return {split: [images.classes[label] for label in images.labels] for split, images in parts.splits.items()}


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("training", "validation", "testing"),
        ("train2017", "val2017", "test2017"),
        ("trainset", "valset", "testset"),
        ("trainingSet", "validationSet", "testSet"),
        ("TrainingData", "ValidationData", "TestData"),
        ("Bananatrain", "Bananavalid", "Bananatest"),
        ("train_images", "val_images", "test_images"),
        ("asl_alphabet_train", "asl_alphabet_dev", "asl_alphabet_test"),
        ("01-train", "02-eval", "03-holdout"),
        ("Train", "Validate", "Test"),
        ("Training", "PublicTest", "PrivateTest"),
    ],
)
def test_split_words_in_any_spelling(tmp_path: Path, names: tuple[str, str, str]) -> None:
    files = pictures(*(f"{name}/{pet}" for name in names for pet in PETS))
    assert classes_by_split(spread(tmp_path, files)) == {
        split: ["cat", "cat", "dog", "dog"] for split in ("train", "validation", "test")
    }


@pytest.mark.parametrize(
    "names",
    [
        ("freight train", "passenger train"),
        ("test_negative", "test_positive"),
        ("bus", "train", "tram"),
        ("valid", "invalid"),
        ("contest", "protest"),
        ("latest", "greatest"),
    ],
)
def test_class_names_that_hold_a_split_word_are_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = claim(spread(tmp_path, pictures(*names)))
    assert found.layout == "class-folders" and set(found.classes) == set(names)


def test_two_folders_called_by_splits_with_no_classes_are_refused_and_may_be_taken_for_classes(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures("valid", "test"))
    with pytest.raises(DataError, match=r"`test` and `valid` are splits by their names .*`layout=class-folders`"):
        claim(root)
    assert claim(root, layout="class-folders").classes == ("test", "valid")


def test_class_first(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures(*(f"{pet}/{split}" for pet in PETS for split in ("train", "test"))))
    assert claim(root).layout == "class-first"
    assert classes_by_split(root) == {"train": ["cat", "cat", "dog", "dog"], "test": ["cat", "cat", "dog", "dog"]}


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (("color", "grayscale", "segmented"), ("apple scab", "apple healthy")),
        (("Original Dataset", "Augmented Dataset"), ("mild", "severe")),
        (("amazon", "webcam"), ("mug", "pen", "ruler")),
    ],
)
def test_variants_are_refused_and_one_is_read_by_config(
    tmp_path: Path, outer: tuple[str, ...], inner: tuple[str, ...]
) -> None:
    root = spread(tmp_path, pictures(*(f"{o}/{i}" for o in outer for i in inner)))
    refusal = decision(root).refusal
    assert "hold folders of the same names" in refusal and "`layout=class-folders`" in refusal
    assert f"config={sorted(outer)[0]}" in refusal or f"config='{sorted(outer)[0]}'" in refusal
    assert set(claim(root, config=outer[0]).classes) == set(inner)
    assert set(claim(root, layout="class-folders").classes) == set(outer)


@pytest.mark.parametrize(
    "names",
    [
        ("images_part_1", "images_part_2"),
        ("batch1", "batch2", "batch3"),
        ("fold_0", "fold_1"),
        ("images_001", "images_002"),
    ],
)
def test_parts_of_a_store_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = spread(tmp_path, pictures(*names))
    assert "differ by a number alone, as parts of a store do" in decision(root).refusal
    assert claim(root, layout="class-folders").classes == names


@pytest.mark.parametrize(
    "names", [("class 1", "class 2"), ("Type_1", "Type_2"), ("c0", "c1"), ("3", "4"), ("n02085620", "n02123045")]
)
def test_numbered_classes_are_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert claim(spread(tmp_path, pictures(*names))).classes == names


def test_a_folder_beside_the_splits_is_refused_and_left_aside_by_its_words(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures("train/cat", "train/dog", "val/cat", "val/dog", "runs/predict"))
    refusal = decision(root).refusal
    assert "the folder `runs` lies beside train, val" in refusal
    words = refusal.partition("`split=")[2].partition("`")[0]
    assert list(read(root, split=words).splits) == ["train", "validation"]


def test_pictures_to_be_predicted_beside_the_splits_are_left_aside(tmp_path: Path) -> None:
    files = pictures(
        "seg_train/seg_train/sea", "seg_train/seg_train/street", "seg_test/seg_test/sea", "seg_pred/seg_pred"
    )
    parts = read(spread(tmp_path, files | pictures("seg_test/seg_test/street", first=50)))
    assert list(parts.splits) == ["train", "test"] and parts.classes == ("sea", "street")
    assert "2 pictures in seg_pred have no labels: ignored (`sightlab predict` takes them)" in parts.notes


def test_a_label_for_each_picture_is_no_class(tmp_path: Path) -> None:
    lines = "".join(f"{n}.png,a picture of thing {n}\n" for n in range(5))
    root = spread(tmp_path, pictures(".", count=5) | {"captions.csv": ("file,label\n" + lines).encode()})
    assert "each of its 5 pictures has a label of its own, as 'a picture of thing 0'" in decision(root).refusal


def test_arrays_beside_class_folders_are_other_pictures(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures("cat", "dog"))
    np.savez(root / "more.npz", images=np.zeros((8, 4, 4), np.uint8), labels=np.arange(8) % 2)
    assert "can be read in two ways" in decision(root).refusal
    assert claim(root, layout="class-folders").classes == ("cat", "dog")
    assert len(read(root, layout="arrays").splits["all"]) == 8


def test_a_table_of_measurements_beside_class_folders_is_no_list(tmp_path: Path) -> None:
    files = pictures("cat", "dog", count=3)
    lines = "".join(f"{name},{n * 1.37:.2f},{n + 7}\n" for n, name in enumerate(files))
    root = spread(tmp_path, files | {"features.csv": ("file,area,perimeter\n" + lines).encode()})
    assert claim(root).layout == "class-folders"


def test_a_split_in_front_of_a_label_in_a_name_is_offered(tmp_path: Path) -> None:
    names = [f"{split}_{tree}_{n}.png" for split in ("train", "test") for tree in ("elm", "oak") for n in range(3)]
    root = spread(tmp_path, {name: flat(n) for n, name in enumerate(names)})
    assert "`label_from='{split}_{label}_{number}.png'` reads 2 classes (elm, oak)" in decision(root).refusal
    parts = read(root, label_from="{split}_{label}_{number}.png")
    assert list(parts.splits) == ["train", "test"] and parts.splits["test"].labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_every_folder_may_be_named_by_its_split(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures(*(f"{part}/{pet}" for part in ("2023", "2024") for pet in PETS)))
    assert "`config=2023`" in decision(root).refusal
    assert list(read(root, split="train:2023,test:2024").splits) == ["train", "test"]


def test_an_unknown_place_of_a_split_is_one_line(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures("a/cat", "a/dog"))
    with pytest.raises(DataError, match="no folder `b` with pictures; found"):
        claim(root, split="train:b")
    with pytest.raises(DataError, match="expected a column's name, or places as in `split=train:DIR,test:DIR`"):
        claim(root, split="train:a,lunch:b")


def test_two_unicode_forms_of_a_name_are_one_class(tmp_path: Path) -> None:
    both = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    root = spread(tmp_path, pictures(*both, "dog"))
    assert sorted(p.name for p in root.iterdir()) == sorted([*both, "dog"])  # two folders on this disk
    parts = read(root)
    assert parts.classes == ("café", "dog") and parts.splits["all"].counts().tolist() == [4, 2]
    assert any("two Unicode forms" in note for note in parts.notes)


def test_a_class_of_another_spelling_in_test_is_the_one_of_train(tmp_path: Path) -> None:
    files = pictures("train/Cat", "train/Dog", "test/cat", "test/dog ")
    parts = read(spread(tmp_path, files))
    assert parts.classes == ("Cat", "Dog") and parts.splits["test"].labels.tolist() == [0, 0, 1, 1]
    assert any("`cat` of the test split is taken for `Cat` of train" in note for note in parts.notes)


GROUPS = pictures("mammals/cat", "mammals/dog", "birds/owl", "birds/gull")


def test_classes_in_groups_are_refused_and_read_as_said(tmp_path: Path) -> None:
    root = spread(tmp_path, GROUPS)
    refusal = decision(root).refusal
    assert "`layout=class-folders` takes the outer folders for classes, `layout=leaf-folders` the inner" in refusal
    assert claim(root, layout="class-folders").classes == ("birds", "mammals")
    assert claim(root, layout="leaf-folders").classes == ("cat", "dog", "gull", "owl")


def test_classes_in_groups_in_splits(tmp_path: Path) -> None:
    root = spread(tmp_path, {f"{split}/{name}": data for split in ("train", "test") for name, data in GROUPS.items()})
    assert "`layout=split-folders` takes the outer folders" in decision(root).refusal
    parts = read(root, layout="leaf-folders")
    assert list(parts.splits) == ["train", "test"] and parts.classes == ("cat", "dog", "gull", "owl")
    assert read(root, layout="split-folders").classes == ("birds", "mammals")


def test_folders_by_date_in_class_folders_are_no_classes(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures("cat/2019-05", "cat/2020-06", "dog/2021", "dog/batch 2"))
    assert claim(root).classes == ("cat", "dog")


def test_masks_are_told_and_left_aside_by_ignore(tmp_path: Path) -> None:
    files = pictures("benign", "malignant") | {f"{c}/0_mask.png": flat(99) for c in ("benign", "malignant")}
    root = spread(tmp_path, files)
    assert any("named like masks of others" in note for note in read(root).notes)
    parts = read(root, ignore="*_mask*")
    assert len(parts.splits["all"]) == 4 and "2 files that `ignore` names ignored" in parts.notes
    with pytest.raises(DataError, match=r"`ignore=\*\.tif` fits none of its 6 files"):
        read(root, ignore="*.tif")


@pytest.mark.parametrize("page", ["gbk", "cp932", "cp866", "cp1252"])
def test_names_of_an_old_code_page_are_read_and_said(tmp_path: Path, page: str) -> None:
    names = {
        "gbk": ("猫猫", "狗狗"),
        "cp932": ("ねこ", "いぬ"),
        "cp866": ("кошка", "собака"),
        "cp1252": ("chèvre", "bœuf"),
    }[page]
    path = tmp_path / "old.zip"
    raw = [name.encode(page) for name in names]
    stand_in = ["a" * len(raw[0]), "b" * len(raw[1])]  # zipfile itself marks every foreign name as UTF-8
    packed = zipped(path, {f"{name}/1.png": flat(place) for place, name in enumerate(stand_in)}).read_bytes()
    for name, own in zip(stand_in, raw, strict=True):
        packed = packed.replace(f"{name}/1.png".encode(), own + b"/1.png")
    path.write_bytes(packed)
    parts = read(path)
    assert set(parts.classes) == set(names) and any("not marked as UTF-8" in note for note in parts.notes)
    assert set(read(path, encoding=page).classes) == set(names)


def test_archives_inside_are_the_folders_they_would_unpack_to(tmp_path: Path) -> None:
    inner = {name: zipped(tmp_path / f"{name}.zip", pictures(name)).read_bytes() for name in PETS}
    assert read(zipped(tmp_path / "pets.zip", {f"{name}.zip": data for name, data in inner.items()})).classes == PETS
    tars = {f"{name}.tar": tarred(tmp_path / f"{name}.tar", {"1.png": flat(3)}).read_bytes() for name in PETS}
    assert read(spread(tmp_path / "bare", tars)).classes == PETS


def test_the_same_answer_whatever_was_read_before(tmp_path: Path) -> None:
    plain = spread(tmp_path / "plain", pictures("cat", "dog"))
    with_empty = spread(tmp_path / "with-empty", pictures("cat", "dog"))
    (with_empty / "notes").mkdir()
    for _ in range(2):
        assert load_parts(plain).parts.classes == PETS
        with pytest.raises(DataError, match="notes: the class folder holds no pictures"):
            load_parts(with_empty)
    first, second = load_parts(with_empty, classes="cat,dog"), load_parts(with_empty, classes="dog,cat")
    assert first.key != second.key and second.parts.classes == ("dog", "cat")


def test_two_readings_of_a_folder_never_meet(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures(*(f"{o}/{i}" for o in ("rgb", "gray") for i in PETS)))
    keys = {
        load_parts(root, **words).key for words in ({"config": "rgb"}, {"config": "gray"}, {"layout": "class-folders"})
    }  # type: ignore[arg-type]
    assert len(keys) == 3


def test_notes_of_a_cached_reading_name_no_path(tmp_path: Path) -> None:
    for name in ("first", "second"):
        root = spread(tmp_path / name, pictures("cat", "dog") | {"cat/9.png": b"broken"})
        loaded = load_parts(root, skip_broken=True)
        assert loaded.parts.notes == ("1 broken picture left out (cat/9.png)",)


def test_what_a_word_cannot_mean_is_one_line(tmp_path: Path) -> None:
    root = spread(tmp_path, pictures("cat", "dog"))
    for words, said in (
        ({"layout": "class-folder"}, "unknown layout 'class-folder'; did you mean class-folders"),
        ({"layout": "class-first"}, "does not look like class-first .*`layout=class-folders` would"),
        ({"classes": "cat,eel"}, "there is no class 'eel'; found cat, dog"),
        ({"config": "color"}, "config=color: there is no folder of this name"),
        ({"shape": "28"}, "it takes height x width"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            claim(root, **words)  # type: ignore[arg-type]
        assert len(str(caught.value)) - len(str(tmp_path)) <= 300 and "\n" not in str(caught.value)


def test_words_of_splits_by_themselves() -> None:
    assert parsed("valley") == ("validation", "ley") and split_family(["valley", "hill"]) is None
    assert split_family(["train", "test1"]) == {"train": "train", "test1": "test"}
