"""Random sources as people make them, each with the reading that its maker means: folders, lists, junk, archives.

Every picture has a colour of its own, by which it is known again: a source is read right when each colour has the split
and the class that were meant, and nothing else was read.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from sightlab.data.imageset import Parts
from tests.picture_files import encoded, spread, tarred, zipped

CLASSES = (
    *("cat", "dog", "Golden Retriever", "café", "кошка", "猫", "0", "1", "2", "10", "n02085620", "n02123045"),
    *("freight train", "passenger train", "test_tube", "valid", "invalid", "contest", "train", "bus", "testing ground"),
    *("class 1", "class 2", "A", "a", "images", "original", "dev kit", "No Entry (30)", "it's", "dog#1", "evaluated"),
)
SPLIT_SPELLINGS = {
    "train": (
        "train",
        "Train",
        "training",
        "train2017",
        "trainset",
        "TrainingData",
        "Xtrain",
        "train_images",
        "01_train",
    ),
    "validation": ("val", "Valid", "validation", "val2017", "valset", "ValidationData", "Xval", "val_images", "02_dev"),
    "test": ("test", "Test", "testing", "test2017", "testset", "TestData", "Xtest", "test_images", "03_holdout"),
}
WRAPS = ("", "pets/", "data/pets-v1/", "Dataset/", "my test data/", "archive (1)/x/")
JUNK = {
    ".DS_Store": b"\0\0\0\1Bud1", "Thumbs.db": b"\xd0\xcf\x11\xe0", "desktop.ini": b"[x]", "LICENSE": b"MIT",
    "README.md": b"# pets\ncat 1\n", "notes.txt": b"remember to label the dogs\n", "weights.pt": b"PK\3\4x",
    "sizes.csv": b"name,width\nx,3\ny,4\n", "__MACOSX/._1.png": b"\0\5\x16\7", "empty.jpg": b"", "labels.docx": b"PK",
    ".ipynb_checkpoints/1-checkpoint.png": b"x", "@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg": b"x",
    "train.py": b"import torch\n", "classes.json": b'{"a": 1}',
}  # fmt: skip


@dataclass
class Source:
    """files: bytes by name. meant: split (`all` where it is not divided) and class by colour; None where two readings
    are equally good, so that only a refusal is right.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    meant: dict[int, tuple[str, str]] | None = field(default_factory=dict)
    story: list[str] = field(default_factory=list)


def picture(colour: int, kind: str = "PNG") -> bytes:
    """A 2 x 2 picture of one colour, which is a number."""
    pixels = np.empty((2, 2, 3), np.uint8)
    pixels[:] = (colour >> 8, colour & 255, 77)
    return encoded(pixels, kind)


def colours_of(parts: Parts) -> dict[int, tuple[str, str]]:
    """Split and class by colour of all that was read. Fails where a picture was read twice."""
    found: dict[int, tuple[str, str]] = {}
    for split, images in parts.splits.items():
        for image, label in zip(images.images, images.labels, strict=True):
            colour = int(image[0, 0, 0]) << 8 | int(image[0, 0, 1])
            assert colour not in found, f"picture {colour} was read twice"
            found[colour] = (split, images.classes[label])
    return found


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """A source of any of the forms below, with junk."""
    made = draw(st.one_of(class_folders(), split_folders(), class_first(), listed(), two_truths(), variants()))
    for name in draw(st.lists(st.sampled_from(sorted(JUNK)), max_size=3, unique=True)):
        made.files.setdefault(name, JUNK[name])
    return made


def class_names(draw: st.DrawFn) -> list[str]:
    return draw(st.lists(st.sampled_from(CLASSES), min_size=2, max_size=4, unique=True))


def add(made: Source, name: str, split: str, label: str) -> None:
    """A new picture under a name, with what is meant by it."""
    colour = len([n for n in made.files if n.endswith((".png", ".bmp"))]) + 1
    made.files[name] = picture(colour, "BMP" if name.endswith(".bmp") else "PNG")
    assert made.meant is not None
    made.meant[colour] = (split, label)


def fill(draw: st.DrawFn, made: Source, folder: str, split: str, label: str) -> None:
    deep = draw(st.sampled_from(["", "", "", "images/", "2023/batch/"]))
    for n in range(draw(st.integers(1, 3))):
        add(made, f"{folder}/{deep}{n}{draw(st.sampled_from(['.png', '.bmp']))}", split, label)


@st.composite
def class_folders(draw: st.DrawFn) -> Source:
    made, wrap = Source(story=["class folders"]), draw(st.sampled_from(WRAPS))
    for label in class_names(draw):
        fill(draw, made, f"{wrap}{label}", "all", label)
    return made


@st.composite
def split_folders(draw: st.DrawFn) -> Source:
    made, wrap = Source(story=["split folders"]), draw(st.sampled_from(WRAPS))
    spelling = draw(st.integers(0, 8))
    around = draw(st.sampled_from(["", "", "images/"]))
    labels = class_names(draw)
    for split in draw(st.sampled_from([("train", "test"), ("train", "validation"), ("train", "validation", "test")])):
        for label in labels:
            fill(draw, made, f"{wrap}{SPLIT_SPELLINGS[split][spelling]}/{around}{label}", split, label)
    return made


@st.composite
def class_first(draw: st.DrawFn) -> Source:
    made, wrap = Source(story=["class first"]), draw(st.sampled_from(WRAPS))
    for label in class_names(draw):
        for split in ("train", "test"):
            add(made, f"{wrap}{label}/{split}/{len(made.files)}.png", split, label)
    return made


@st.composite
def listed(draw: st.DrawFn) -> Source:
    """Pictures in one folder or at the root, and a table of names and labels with other columns around them."""
    made = Source(story=["a list"])
    folder = draw(st.sampled_from(["", "images/", "train_images/", "img/all/"]))
    labels, rows = class_names(draw), []
    with_split = draw(st.booleans())
    for n in range(draw(st.integers(6, 12))):
        label = labels[n % len(labels)]
        split = ("train" if n // len(labels) % 2 == 0 else "test") if with_split else "all"
        name = f"{draw(st.sampled_from(['img', 'photo']))}_{n:03}.png"
        add(made, folder + name, split, label)
        rows.append((name, label, split))
    made.files[
        f"{draw(st.sampled_from(['labels', 'annotations', 'data', 'train_labels' if not with_split else 'list']))}.csv"
    ] = table(draw, rows, with_split)
    return made


def table(draw: st.DrawFn, rows: list[tuple[str, str, str]], with_split: bool) -> bytes:
    """The list in a dialect of its own: columns in any order, with a heading, an index, ids without suffix, quotes."""
    stem = draw(st.booleans())
    columns: dict[str, list[str]] = {
        draw(st.sampled_from(["image", "image_id", "filename", "id"])): [
            n.removesuffix(".png") if stem else n for n, _, _ in rows
        ],
        draw(st.sampled_from(["label", "class", "target", "breed"])): [label for _, label, _ in rows],
    }
    if with_split:
        columns[draw(st.sampled_from(["split", "Usage", "set"]))] = [split for _, _, split in rows]
    if draw(st.booleans()):
        columns["width"] = [str(30 + n * 7 % 11) for n in range(len(rows))]
    order = draw(st.permutations(list(columns)))
    separator = draw(st.sampled_from([",", ";", "\t"]))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=separator,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    with_index = draw(st.booleans())
    writer.writerow([*([""] if with_index else []), *order])
    for n in range(len(rows)):
        writer.writerow([*([n] if with_index else []), *(columns[name][n] for name in order)])
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))


@st.composite
def two_truths(draw: st.DrawFn) -> Source:
    """Class folders, and beside them a list that puts the same pictures into other classes: nobody can know."""
    made = draw(class_folders())
    names = [name for name in made.files if name.endswith((".png", ".bmp"))]
    if len(names) < 4:
        return made
    labels = ["healthy", "sick"]
    rows = "".join(f"{name},{labels[n % 2]}\n" for n, name in enumerate(names))
    made.files["labels.csv"] = ("file,label\n" + rows).encode()
    folders = {name: label for name, (_, label) in zip(names, (made.meant or {}).values(), strict=True)}
    same = {(folders[name], labels[n % 2]) for n, name in enumerate(names)}
    if len(folders) == len(set(folders.values())):  # folders of one picture each are no classes: the list is meant
        made.meant = {n + 1: ("all", labels[n % 2]) for n in range(len(names))}
    elif len(same) > len({a for a, _ in same}) or len(same) > len({b for _, b in same}):
        made.meant = None
    return Source(made.files, made.meant, ["class folders", "a list that says otherwise"])


@st.composite
def variants(draw: st.DrawFn) -> Source:
    """The same class folders under several variants: which one is meant is not written anywhere."""
    made = Source(story=["variants"])
    labels = [label for label in class_names(draw) if label not in ("train", "valid")]  # else it is class first
    labels = labels if len(labels) > 1 else ["mug", "pen"]
    for variant in draw(
        st.sampled_from([("color", "gray"), ("original", "augmented"), ("amazon", "dslr", "webcam"), ("v1", "v2")])
    ):
        for label in labels:
            add(made, f"{variant}/{label}/{len(made.files)}.png", "all", label)
    return Source(made.files, None, made.story)


PACKINGS = ("folder", "zip", "tar", "tar.gz")


def packed(root: Path, files: Mapping[str, bytes], how: str) -> Path:
    """The files as a folder or an archive. Gives its path."""
    if how == "folder":
        return spread(root / "source", files)
    if how == "zip":
        return zipped(root / "source.zip", files)
    return tarred(root / f"source.{how}", files, "w:gz" if how == "tar.gz" else "w")
