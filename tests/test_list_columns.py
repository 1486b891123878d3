"""Which columns of a list are the pictures, the labels and the splits; two that could be are named."""

from pathlib import Path
from typing import Any

import pytest

from sightlab.errors import DataError
from tests.picture_files import flat, spread
from tests.reading import claim

EIGHT = {f"{n}.png": flat(n) for n in range(1, 9)}
LABELS = ("cat", "dog", "cat", "dog", "cat", "cat", "dog", "dog")
NUMBERS = ("0", "1", "0", "1", "0", "0", "1", "1")


def table(*columns: tuple[str, ...], heading: str = "") -> bytes:
    rows = [",".join(row) for row in zip(*columns, strict=True)]
    return "\n".join([heading, *rows] if heading else rows).encode()


def labels(root: Path, data: bytes, **words: Any) -> list[str]:
    """The labels of the pictures 1 to 8, in this order."""
    found = claim(spread(root, {**EIGHT, "list.csv": data}), **words).pairs
    assert found is not None
    said = {name: text for pairs in found.values() for name, text in pairs}
    return [said[f"{n}.png"] for n in range(1, 9)]


PICTURES = tuple(EIGHT)
IDS = tuple(name.removesuffix(".png") for name in EIGHT)
SEX = ("f", "f", "m", "m", "f", "m", "f", "m")


@pytest.mark.parametrize(
    ("columns", "heading"),
    [
        ((PICTURES, LABELS, SEX), "image,label,sex"),
        ((SEX, LABELS, PICTURES), "sex,class,file"),
        ((IDS, SEX, LABELS), "image_id,sex,dx"),
        ((IDS, NUMBERS, LABELS), "id,label,label_name"),
        ((IDS, LABELS, NUMBERS), "image,species,category_id"),
        ((PICTURES, NUMBERS, LABELS), "image,label,common_name"),
        ((PICTURES, LABELS, ("32",) * 8, ("1", "2", "3", "1", "2", "3", "1", "2")), "path,kind,width,height"),
        ((PICTURES, LABELS, tuple(f"{n / 7:.3f}" for n in range(8))), "path,kind,score"),
        ((PICTURES, tuple(f"/data/{n}.png" for n in IDS), LABELS), "image,full_path,label"),
        ((PICTURES, NUMBERS, LABELS), ""),
        ((PICTURES, SEX, LABELS), "Image Index,Patient Gender,Finding Labels"),
        ((PICTURES, SEX, LABELS), "image,sex,bird species"),
        ((PICTURES, LABELS, SEX), "image,label,coarse_label"),
        ((tuple(f"https://host.example/{n}.png" for n in IDS), LABELS), "url,emotion"),
    ],
)
def test_the_label_is_told_by_its_heading_or_by_elimination(
    tmp_path: Path, columns: tuple[tuple[str, ...], ...], heading: str
) -> None:
    assert labels(tmp_path, table(*columns, heading=heading)) == list(LABELS)


def test_a_label_told_by_elimination_is_said(tmp_path: Path) -> None:
    data = table(PICTURES, LABELS, ("32",) * 8, heading="path,kind,width")
    assert labels(tmp_path, data) == list(LABELS)
    other = table(PICTURES, LABELS, tuple(f"{n / 7:.3f}" for n in range(8)), heading="path,kind,score")
    notes = claim(spread(tmp_path, {"list.csv": other})).notes
    assert notes == ("list.csv: labels are those of column `kind` (`label=` names another)",)


@pytest.mark.parametrize(
    ("columns", "heading", "said"),
    [
        (
            (PICTURES, LABELS, SEX),
            "image,kind,sex",
            "`kind` or `sex` could be the label; say which, as in `label=kind`",
        ),
        ((PICTURES, LABELS, SEX), "", "`1` or `2` could be the label; say which, as in `label=1`"),
        ((PICTURES, LABELS, SEX), "image,label,class", "`label` or `class` could be the label"),
        ((PICTURES, LABELS, SEX), "image,fine_label,coarse_label", "`fine_label` or `coarse_label` could be the label"),
        ((PICTURES, ("1",) * 8, ("0", "1") * 4), "image,sunny,warm", r"line 3: is of the classes `sunny` and `warm`"),
        ((PICTURES, ("a b", "b c") * 4), "image,tags", r"holds several labels in one cell, as `a b`.*`label=tags`"),
        (
            (PICTURES, ("a|b", "b") * 4),
            "image,label",
            r"holds several labels in one cell, as `a\|b`; sightlab reads one",
        ),
        ((PICTURES, ("a b", "b", "a", "b") * 2), "image,label", "holds several labels in one cell"),
    ],
)
def test_columns_that_could_both_be_meant_are_named(
    tmp_path: Path, columns: tuple[tuple[str, ...], ...], heading: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        labels(tmp_path, table(*columns, heading=heading))


@pytest.mark.parametrize(("label", "heading"), [("sex", "image,kind,sex"), ("SEX", "image,kind,sex"), ("2", "")])
def test_the_user_names_the_label_by_heading_or_number(tmp_path: Path, label: str, heading: str) -> None:
    assert labels(tmp_path, table(PICTURES, LABELS, SEX, heading=heading), label=label) == list(SEX)


def test_a_heading_is_known_by_the_label_that_the_user_names(tmp_path: Path) -> None:
    data = table(IDS, LABELS, heading="kitty,sort")
    assert labels(tmp_path, data, label="sort") == list(LABELS)


def test_a_first_row_that_may_be_a_heading_or_a_missing_picture_is_refused(tmp_path: Path) -> None:
    names = tuple(f"pic{n}" for n in "abcdefgh")
    files = {f"{name}.png": flat(1) for name in names}
    rows = table(names, LABELS).decode()
    spread(tmp_path, {**files, "list.csv": f"gone,zebra\n{rows}".encode()})
    with pytest.raises(DataError, match=r"line 1: `gone,zebra` may be a heading, or name a picture that is not there"):
        claim(tmp_path)
    spread(tmp_path, {"list.csv": f"gone,cat\n{rows}".encode()})
    with pytest.raises(DataError, match=r"line 1: there is no picture `gone`"):
        claim(tmp_path)


def test_a_column_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="label=dx: no such column; columns: `image`, `kind`"):
        labels(tmp_path, table(PICTURES, LABELS, heading="image,kind"), label="dx")
    with pytest.raises(DataError, match="label=image: this column names the pictures"):
        labels(tmp_path, table(PICTURES, LABELS, heading="image,kind"), label="image")


def test_columns_of_0_and_1_give_the_class_by_their_headings(tmp_path: Path) -> None:
    ones = tuple("1" if text == "cat" else "0" for text in LABELS)
    others = tuple("0.0" if text == "cat" else "1.0" for text in LABELS)
    assert labels(tmp_path, table(PICTURES, ones, others, heading="filename, cat, dog")) == list(LABELS)
    three = table(PICTURES, ones, others, NUMBERS, heading="filename,cat,dog,valid")
    with pytest.raises(DataError, match="is of the classes `dog` and `valid`"):
        labels(tmp_path, three)
    assert labels(tmp_path, three, label="cat,dog") == list(LABELS)
    with pytest.raises(DataError, match=r"line 2: `1\.png` has no label"):
        labels(tmp_path, table(PICTURES, ("0", *ones[1:]), others, heading="filename,cat,dog"))


def test_two_columns_of_pictures_are_told_apart_by_their_headings_or_refused(tmp_path: Path) -> None:
    masks = tuple(f"m/{name}" for name in PICTURES)
    spread(tmp_path, {name: flat(0) for name in masks})
    assert labels(tmp_path, table(PICTURES, masks, LABELS, heading="image,mask,label")) == list(LABELS)
    with pytest.raises(DataError, match="columns `before` and `after` both name pictures, and not the same ones"):
        labels(tmp_path, table(PICTURES, masks, LABELS, heading="before,after,label"))


@pytest.mark.parametrize(
    ("heading", "words", "split"),
    [
        ("split", ("train", "test"), ("train", "test")),
        ("set", ("Training", "Validation"), ("train", "validation")),
        ("Usage", ("Training", "PrivateTest"), ("train", "test")),
        ("is_valid", ("False", "True"), ("train", "validation")),
        ("is_test", ("0", "1"), ("train", "test")),
        ("is_training_image", ("1", "0"), ("train", "test")),
        ("phase", ("train", "val"), ("train", "validation")),
        ("anything", ("train", "test"), ("train", "test")),
        ("", ("train", "dev"), ("train", "validation")),
    ],
)
def test_a_column_says_the_splits(tmp_path: Path, heading: str, words: tuple[str, str], split: tuple[str, str]) -> None:
    column = tuple(words[n // 4] for n in range(8))
    data = table(PICTURES, LABELS, column, heading=f"image,label,{heading}" if heading else "")
    found = claim(spread(tmp_path, {**EIGHT, "list.csv": data})).splits
    assert found == {split[0]: 4, split[1]: 4}


def test_a_split_column_with_other_words_is_refused(tmp_path: Path) -> None:
    column = ("train", "test", "extra", "train") * 2
    data = table(PICTURES, LABELS, column, heading="image,label,split")
    with pytest.raises(DataError, match="column `split` says `extra`, `test`, `train`, which are no splits"):
        labels(tmp_path, data)


def test_folds_are_no_splits_until_one_is_chosen(tmp_path: Path) -> None:
    data = table(PICTURES, LABELS, ("0", "1", "2", "3") * 2, heading="image,label,fold")
    found = claim(spread(tmp_path, {**EIGHT, "list.csv": data}))
    assert found.splits == {"all": 8}
    assert "list.csv: column `fold` numbers folds, which are no splits: not used" in found.notes
    with pytest.raises(DataError, match="column `fold` says `0`, `1`, `2`, which are no splits"):
        claim(tmp_path, split="fold")


def test_the_user_names_the_column_of_splits(tmp_path: Path) -> None:
    one, two = ("train",) * 4 + ("test",) * 4, ("test", "train") * 4
    data = table(PICTURES, LABELS, one, two, heading="image,label,split,official")
    assert claim(spread(tmp_path, {**EIGHT, "list.csv": data}), split="official").pairs == {
        "train": [(f"{n}.png", LABELS[n - 1]) for n in (2, 4, 6, 8)],
        "test": [(f"{n}.png", LABELS[n - 1]) for n in (1, 3, 5, 7)],
    }


def test_a_heading_of_one_cell_less_is_that_of_r(tmp_path: Path) -> None:
    rows = "\n".join(f'"{n}" "{n}.png" "{LABELS[n - 1]}"' for n in range(1, 9))
    assert labels(tmp_path, f'"image" "label"\n{rows}'.encode()) == list(LABELS)
    with pytest.raises(DataError, match="line 1: the heading has 2 cells and the rows have 3"):
        labels(tmp_path, table(PICTURES, LABELS, SEX, heading="image,label"))


def test_rows_of_more_cells_are_refused_by_line(tmp_path: Path) -> None:
    data = table(PICTURES, LABELS, SEX, heading="image,label,sex") + b"\n1.png,cat,f,extra"
    with pytest.raises(DataError, match=r"list\.csv, line 10: has 4 cells where others have 3, as `extra`"):
        labels(tmp_path, data)


@pytest.mark.parametrize(
    ("name", "text", "classes"),
    [
        ("classes.txt", "kitten\npuppy\n", ("kitten", "puppy")),
        ("labels_map.csv", "id,name\n1,puppy\n0,kitten\n", ("kitten", "puppy")),
        ("synset_words.txt", "0 kitten, cat\n1 puppy\n", ("kitten, cat", "puppy")),
        ("label_map.txt", "puppy 1\nkitten 0\n", ("kitten", "puppy")),
        ("label_num_to_name.json", '{"1": "puppy", "0": "kitten"}', ("kitten", "puppy")),
        ("class_to_idx.json", '{"kitten": 0, "puppy": 1}', ("kitten", "puppy")),
        ("classes.json", '["kitten", "puppy"]', ("kitten", "puppy")),
        ("classes.txt", "kitten\npuppy\nhamster\n", ("kitten", "puppy")),
        ("names.txt", "Ada Lovelace\n" * 2, ("0", "1")),
        ("classes.txt", "kitten\n", ("0", "1")),
        ("words.txt", "".join(f"word{n}\n" for n in range(500)), ("0", "1")),
        ("notes.txt", "kitten\npuppy\n", ("0", "1")),
    ],
)
def test_numbers_have_the_names_that_a_text_gives_them_all(
    tmp_path: Path, name: str, text: str, classes: tuple[str, ...]
) -> None:
    data = table(PICTURES, NUMBERS, heading="image,label")
    found = claim(spread(tmp_path, {**EIGHT, "list.csv": data, name: text.encode()}))
    assert found.classes == classes
    assert (f"the classes' names are those of {name}" in found.notes) == (classes[0] != "0")


def test_names_counted_from_one_are_told_by_the_last_label(tmp_path: Path) -> None:
    data = table(PICTURES, tuple(str(int(n) + 1) for n in NUMBERS), heading="image,label")
    spread(tmp_path, {**EIGHT, "list.csv": data, "classes.txt": b"kitten\npuppy\n"})
    assert claim(tmp_path).classes == ("kitten", "puppy")
    (tmp_path / "classes.txt").write_text("hamster\nkitten\npuppy\n")
    assert claim(tmp_path).classes == ("1", "2")


def test_the_users_own_names_come_before_those_of_a_text(tmp_path: Path) -> None:
    data = table(PICTURES, NUMBERS, heading="image,label")
    spread(tmp_path, {**EIGHT, "list.csv": data, "classes.txt": b"kitten\npuppy\n"})
    assert claim(tmp_path, names={"0": "tom", "1": "rex"}).classes == ("rex", "tom")


def test_a_key_of_classes_is_no_list_of_pictures_called_by_numbers(tmp_path: Path) -> None:
    """`1,cat` may name 1.png or class 1; where no label recurs it is the class."""
    spread(tmp_path, {**EIGHT, "classes.csv": b"id,name\n1,cat\n2,dog\n3,cow\n"})
    with pytest.raises(DataError, match="nothing that says their classes"):
        claim(tmp_path)
