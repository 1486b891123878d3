"""Several lists in one folder: those for the splits of one set are read together, others are named and chosen."""

from pathlib import Path
from typing import Any

import pytest

from sightlab.errors import DataError
from tests.picture_files import flat, spread
from tests.reading import claim

TWELVE = {f"{n}.png": flat(n) for n in range(1, 13)}
ANIMALS = b"1.png cat\n2.png dog\n3.png cat\n4.png dog"
VEHICLES = b"5.png car\n6.png bus\n7.png car\n8.png bus"
COARSE = b"1.png animal\n2.png animal\n5.png vehicle\n6.png vehicle"


def splits(
    root: Path, lists: dict[str, bytes], pictures: dict[str, bytes] | None = None, **words: Any
) -> dict[str, list[str]]:
    """`picture=label` of each split."""
    found = claim(spread(root, (TWELVE if pictures is None else pictures) | lists), **words).pairs
    assert found is not None
    return {split: sorted(f"{name}={label}" for name, label in pairs) for split, pairs in found.items()}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.txt", "test.txt"),
        ("Train.csv", "Test.csv"),
        ("meta/train.txt", "meta/val.txt"),
        ("train_labels.csv", "test_annotations.csv"),
        ("trainLabels.csv", "valLabels.csv"),
        ("train2017.txt", "val2017.txt"),
        ("pets_train.txt", "pets_test.txt"),
        ("train/labels.csv", "test/labels.csv"),
        ("Petstrain.csv", "Petsval.csv"),
        ("a/list_train.txt", "a/list_dev.txt"),
    ],
)
def test_lists_named_for_splits_are_read_together(tmp_path: Path, train: str, test: str) -> None:
    found = splits(tmp_path, {train: b"1.png a\n2.png b\n3.png a\n", test: b"4.png a\n5.png b\n"})
    assert found.pop("train") == ["1.png=a", "2.png=b", "3.png=a"]
    assert list(found.values()) == [["4.png=a", "5.png=b"]] and set(found) <= {"validation", "test"}


@pytest.mark.parametrize("name", ["latest.csv", "contest.txt", "strained.csv", "labels.csv", "all.txt", "trains.lst"])
def test_a_word_in_a_word_is_no_split(tmp_path: Path, name: str) -> None:
    assert list(splits(tmp_path, {name: ANIMALS})) == ["all"]


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (
            {"animals.txt": ANIMALS, "vehicles.txt": VEHICLES},
            r"animals\.txt and vehicles\.txt both .*`list=animals\.txt` reads the first, .*vehicles\.txt` both",
        ),
        (
            {"animals.txt": ANIMALS, "coarse.txt": COARSE},
            r"animals\.txt and coarse\.txt both list pictures.*`list=animals\.txt` reads the first$",
        ),
        ({"train.txt": ANIMALS, "training.txt": VEHICLES}, r"train\.txt and training\.txt both list"),
        ({"train.txt": ANIMALS, "more.txt": VEHICLES}, r"more\.txt and train\.txt both list"),
        ({"fold0_train.txt": ANIMALS, "fold1_test.txt": VEHICLES}, r"fold0_train\.txt and fold1_test\.txt both list"),
    ],
)
def test_lists_that_are_not_one_set_are_refused_by_name(tmp_path: Path, lists: dict[str, bytes], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        splits(tmp_path, lists)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("animals.txt", {"all": ["1.png=cat", "2.png=dog", "3.png=cat", "4.png=dog"]}),
        ("animals", {"all": ["1.png=cat", "2.png=dog", "3.png=cat", "4.png=dog"]}),
        ("coarse*", {"all": ["1.png=animal", "2.png=animal", "5.png=vehicle", "6.png=vehicle"]}),
        ("x/fold1_*", {"train": ["1.png=cat", "2.png=dog"], "test": ["3.png=cat", "4.png=dog"]}),
        ("fold0_train,fold0_test", {"train": ["3.png=cat", "4.png=dog"], "test": ["1.png=cat", "2.png=dog"]}),
    ],
)
def test_the_user_names_the_list_or_lists(tmp_path: Path, asked: str, found: dict[str, list[str]]) -> None:
    one, two = b"1.png cat\n2.png dog", b"3.png cat\n4.png dog"
    folds = {"x/fold0_train.txt": two, "x/fold0_test.txt": one, "x/fold1_train.txt": one, "x/fold1_test.txt": two}
    lists = {"animals.txt": ANIMALS, "coarse.txt": COARSE, **folds}
    assert splits(tmp_path, lists, list=asked) == found
    with pytest.raises(DataError, match="list=dogs: there is no such list; texts here: animals"):
        claim(tmp_path, list="dogs")


def test_folds_are_refused_by_a_pattern_that_reads_one(tmp_path: Path) -> None:
    one, two = b"1.png cat\n2.png dog", b"3.png cat\n4.png dog"
    lists = {"fold0_train.txt": two, "fold0_test.txt": one, "fold1_train.txt": one, "fold1_test.txt": two}
    with pytest.raises(
        DataError, match=r"fold0_test\.txt and fold1_test\.txt both .*`list='fold0_\*'` reads the first"
    ):
        splits(tmp_path, lists)
    assert set(splits(tmp_path, {}, list="fold0_*")) == {"train", "test"}


def test_lists_that_say_the_same_are_one(tmp_path: Path) -> None:
    lists = {"a.txt": ANIMALS, "b.csv": ANIMALS.replace(b" ", b",")}
    assert splits(tmp_path, lists)["all"] == ["1.png=cat", "2.png=dog", "3.png=cat", "4.png=dog"]
    assert "1 list (a.txt) ignored: says what b.csv says" in claim(tmp_path).notes


def test_a_list_of_all_pictures_beside_those_of_the_splits_is_left_aside(tmp_path: Path) -> None:
    lists = {"all.txt": ANIMALS, "train.txt": b"1.png cat\n2.png dog", "test.txt": b"3.png cat\n4.png dog"}
    assert splits(tmp_path, lists) == {"train": ["1.png=cat", "2.png=dog"], "test": ["3.png=cat", "4.png=dog"]}
    with pytest.raises(DataError, match=r"all\.txt and test\.txt both list|all\.txt and train\.txt both list"):
        splits(tmp_path, {"all.txt": ANIMALS.replace(b"cat", b"cow")})


def test_trainval_beside_train_and_val_is_left_aside(tmp_path: Path) -> None:
    lists = {"train.txt": b"1.png a\n2.png b", "val.txt": b"3.png a", "trainval.txt": b"1.png a\n2.png b\n3.png a"}
    assert splits(tmp_path, lists) == {"train": ["1.png=a", "2.png=b"], "validation": ["3.png=a"]}


def test_answers_to_be_handed_in_and_lists_without_labels_are_left_aside(tmp_path: Path) -> None:
    pictures = {f"train/{n}.png": flat(n) for n in range(1, 5)} | {f"test/{n}.png": flat(n) for n in range(5, 9)}
    lists = {
        "train.csv": b"id,sex,label\n1,f,a\n2,m,b\n3,f,a\n4,m,b",
        "test.csv": b"id,sex\n5,f\n6,m\n7,m\n8,f",
        "sample_submission.csv": b"id,label\n5,a\n6,b\n7,a\n8,a",
        "baseline.csv": b"id,label\n5,a\n6,a\n7,a\n8,a",
    }
    found = splits(tmp_path, lists, pictures)
    assert found == {"train": ["train/1.png=a", "train/2.png=b", "train/3.png=a", "train/4.png=b"]}
    notes = claim(tmp_path).notes
    assert "1 list (sample_submission.csv) ignored: answers to be handed in" in notes
    assert "4 pictures (test/5.png, test/6.png, test/7.png, ...) in no list ignored" in notes


def test_a_sample_of_answers_with_the_ids_of_training_pictures_stops_nothing(tmp_path: Path) -> None:
    """As in CIFAR-10's competition: pictures 1, 2, ... are in train and in test."""
    pictures = {f"{split}/{n}.png": flat(n) for split in ("train", "test") for n in range(1, 5)}
    lists = {
        "trainLabels.csv": b"id,label\n1,frog\n2,cat\n3,frog\n4,cat",
        "sampleSubmission.csv": b"id,label\n1,cat\n2,cat\n3,cat\n4,cat",
    }
    found = splits(tmp_path, lists, pictures)
    assert found == {"train": ["train/1.png=frog", "train/2.png=cat", "train/3.png=frog", "train/4.png=cat"]}


@pytest.mark.parametrize("label", ["-1", "?", ""])
def test_a_test_list_whose_labels_are_kept_secret_is_left_aside(tmp_path: Path, label: str) -> None:
    lists = {"train.csv": b"1.png,0\n2.png,1\n3.png,0", "test.csv": f"4.png,{label}\n5.png,{label}\n".encode()}
    assert splits(tmp_path, lists) == {"train": ["1.png=0", "2.png=1", "3.png=0"]}


def test_a_picture_in_two_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1\.png: is listed for test in test\.txt and for train in train\.txt"):
        splits(tmp_path, {"train.txt": b"1.png a\n2.png b", "test.txt": b"1.png a\n3.png b"})
    with pytest.raises(DataError, match=r"1\.png: is `a` in b\.txt and `b` in c\.txt; correct one of them"):
        splits(tmp_path, {"b.txt": b"1.png a\n2.png b", "c.txt": b"1.png b\n3.png b"}, list="b.txt,c.txt")


def test_lists_of_names_divide_a_list_of_labels(tmp_path: Path) -> None:
    lists = {"labels.csv": ANIMALS.replace(b" ", b","), "train.txt": b"1.png\n2", "test.txt": b"3.png\n4.png"}
    assert splits(tmp_path, lists) == {"train": ["1.png=cat", "2.png=dog"], "test": ["3.png=cat", "4.png=dog"]}
    assert "splits are those of 2 lists (test.txt, train.txt)" in claim(tmp_path).notes
    with pytest.raises(DataError, match=r"2\.png is listed for test and, in train\.txt, for train"):
        splits(tmp_path, {"test.txt": b"2.png\n3.png\n4.png"})


def test_a_table_of_splits_divides_a_list_of_labels(tmp_path: Path) -> None:
    lists = {"labels.csv": ANIMALS.replace(b" ", b","), "parts.csv": b"file,split\n1,train\n2,train\n3,test\n4,test"}
    assert splits(tmp_path, lists) == {"train": ["1.png=cat", "2.png=dog"], "test": ["3.png=cat", "4.png=dog"]}


def test_the_same_name_in_two_folders_is_told_by_the_lists_split(tmp_path: Path) -> None:
    pictures = {f"{split}/{n}.png": flat(n) for split in ("train", "val") for n in range(4)}
    lists = {f"meta/{split}.txt": b"0.png 0\n1.png 1\n2.png 0\n3.png 1" for split in ("train", "val")}
    found = splits(tmp_path, lists, pictures)
    assert found["train"] == ["train/0.png=0", "train/1.png=1", "train/2.png=0", "train/3.png=1"]
    assert found["validation"] == [text.replace("train", "val") for text in found["train"]]


@pytest.mark.parametrize("written", ["{folder}/{n}.png", "{n}.png"])
def test_one_list_over_folders_of_splits_is_divided_by_them(tmp_path: Path, written: str) -> None:
    pictures = {f"{'train' if n < 6 else 'test'}/{n}.png": flat(n) for n in range(1, 10)}
    rows = [written.format(folder=name.partition("/")[0], n=name.partition("/")[2][:-4]) for name in pictures]
    text = "file_name,label\n" + "\n".join(f"{row},{'ab'[n % 2]}" for n, row in enumerate(rows))
    found = splits(tmp_path, {"metadata.csv": text.encode()}, pictures)
    assert {split: len(own) for split, own in found.items()} == {"train": 5, "test": 4}


def test_one_list_over_a_test_folder_and_another_is_refused_with_the_words(tmp_path: Path) -> None:
    pictures = {f"{'images' if n < 6 else 'test'}/{n}.png": flat(n) for n in range(1, 10)}
    text = "file_name,label\n" + "\n".join(f"{name},{'ab'[n % 2]}" for n, name in enumerate(pictures))
    with pytest.raises(
        DataError, match=r"lie in `test`, a test split, and others in `images`; .*`split=train:images,test:test`"
    ):
        splits(tmp_path, {"metadata.csv": text.encode()}, pictures, layout="list")
    found = splits(tmp_path, {}, {}, split="train:images,test:test", layout="list")
    assert {split: len(own) for split, own in found.items()} == {"train": 5, "test": 4}


def test_class_folders_called_by_a_split_are_no_split_where_the_list_calls_them_so(tmp_path: Path) -> None:
    pictures = {f"{name}/{n}.png": flat(n) for n, name in enumerate(("bus", "train", "tram") * 2)}
    text = "\n".join(f"{name},{name.partition('/')[0]}" for name in pictures)
    assert list(splits(tmp_path, {"labels.csv": text.encode()}, pictures, layout="list")) == ["all"]


def test_the_user_says_the_lists_of_the_splits(tmp_path: Path) -> None:
    found = splits(tmp_path, {"a.txt": ANIMALS, "b.txt": b"5.png cat\n6.png dog"}, split="train:a.txt,test:b.txt")
    assert {split: len(own) for split, own in found.items()} == {"train": 4, "test": 2}


def test_parts_of_a_list_in_folders_of_their_own_are_one(tmp_path: Path) -> None:
    pictures = {f"{part}/{part}{n}.png": flat(n) for part in "xy" for n in range(4)}
    lists = {
        f"{part}/labels.csv": "\n".join(f"{part}{n}.png,{'ab'[n % 2]}" for n in range(4)).encode() for part in "xy"
    }
    assert len(splits(tmp_path, lists, pictures, layout="list")["all"]) == 8


def test_a_key_of_one_picture_a_class_is_left_aside(tmp_path: Path) -> None:
    lists = {"train.csv": b"1.png,0\n2.png,1\n3.png,0\n4.png,1", "meta.csv": b"path,ClassId\n5.png,0\n6.png,1"}
    assert splits(tmp_path, lists) == {"train": ["1.png=0", "2.png=1", "3.png=0", "4.png=1"]}


def test_a_list_for_testing_alone_is_doubted_where_other_pictures_lie(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"val\.txt labels validation pictures alone, and 10 others are there; `layout=list`"
    ):
        splits(tmp_path, {"val.txt": b"1.png a\n2.png b"})
    assert splits(tmp_path, {}, layout="list") == {"validation": ["1.png=a", "2.png=b"]}


def test_one_list_that_cannot_be_read_stops_the_others(tmp_path: Path) -> None:
    lists = {"train.csv": b"1.png,a\n2.png,b", "test.csv": b"3.png,a\n4.png,b\ngone.png,a"}
    with pytest.raises(
        DataError, match=r"test\.csv, line 3: there is no picture `gone\.png`.*`list=train\.csv` reads another"
    ):
        splits(tmp_path, lists)
    assert list(splits(tmp_path, {}, list="train.csv")) == ["train"]


def test_a_text_in_an_unknown_encoding_does_not_hide_the_list(tmp_path: Path) -> None:
    lists = {"labels.csv": ANIMALS.replace(b" ", b","), "notes.txt": "für mich\n".encode("latin-1")}
    assert list(splits(tmp_path, lists)) == ["all"]


def test_words_for_other_forms_are_not_passed_over(tmp_path: Path) -> None:
    spread(tmp_path, {**TWELVE, "labels.csv": ANIMALS.replace(b" ", b",")})
    for words in ({"shape": "4x4"}, {"config": "small"}, {"label": "7"}, {"split": "official"}):
        with pytest.raises(DataError):
            claim(tmp_path, **words)
