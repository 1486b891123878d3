"""Which picture has which label and is of which split: told from the folders the pictures lie in, or from lists."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from sightlab.data.imageset import SPLITS, UNDIVIDED, classes_of, natural_key, split_name
from sightlab.data.pictures.containers import Container, parents
from sightlab.errors import DataError, one_line

PICTURE_SUFFIXES = re.compile(r"apng|avifs?|bmp|gif|j2[ck]|jfif|jp[2cfx]|jpe?g?|p[bgnpf]m|png|tiff?|webp")
# Files that often lie beside pictures: not opened to see whether they are pictures.
OTHER_SUFFIXES = re.compile(
    r"bz2|csv|db|docx?|gz|html?|ipynb|jsonl?|lst|list|labels|m?js|md|mat|np[yz]|parquet|pdf|pkl|pth?|py|rst|sh|svg|tar"
    r"|tex|tfrecord|tgz|tsv|txt|url|xlsx?|xml|xz|ya?ml|zip"
)
HEAD_BYTES = 16
SHOWN = 3


@dataclass(frozen=True)
class Layout:
    """A container's pictures in the order of their image sets.

    classes: names in natural order. splits: (file name, class number) of every picture, by split, then class, then
    natural order of names. notes: a line each on what was left aside.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[tuple[str, int]]]
    notes: tuple[str, ...] = ()

    @property
    def numbered(self) -> bool:
        """Whether the classes are exactly 0, 1, 2, ..."""
        return self.classes == tuple(str(n) for n in range(len(self.classes)))


def is_picture_head(head: bytes) -> bool:
    """Whether a file's first bytes are those of a kind of picture.

    >>> is_picture_head(b"\\x89PNG\\r\\n\\x1a\\n"), is_picture_head(b"BMW is a car")
    (True, False)
    """
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"))
        or (head[:2] == b"BM" and head[6:10] == bytes(4))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace())
        or head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"))
        or head[4:12] in (b"ftypavif", b"ftypavis")
    )


def suffix_of(name: str) -> str:
    """The part of a file's name after its last dot, in small letters; empty where there is none."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return suffix.casefold() if dot and stem else ""


def pictures_in(container: Container) -> tuple[list[str], list[str]]:
    """The files that are pictures, by suffix or, where that says nothing, by their first bytes; and the others."""
    pictures, others, unknown = [], [], []
    for name in container.files:
        suffix = suffix_of(name)
        if PICTURE_SUFFIXES.fullmatch(suffix):
            pictures.append(name)
        elif OTHER_SUFFIXES.fullmatch(suffix):
            others.append(name)
        else:
            unknown.append(name)
    for name, head in container.stream(unknown, HEAD_BYTES) if unknown else ():
        (pictures if is_picture_head(head) else others).append(name)
    return pictures, others


def counted(names: Iterable[str], one: str, many: str) -> str:
    """`3 files (a, b, c)`: how many, and the first three in natural order."""
    ordered = sorted(names, key=natural_key)
    more = ", ..." if len(ordered) > SHOWN else ""
    return f"{len(ordered):,} {one if len(ordered) == 1 else many} ({', '.join(islice(ordered, SHOWN))}{more})"


def arrange(label: str, labelled: Mapping[str, Sequence[tuple[str, str]]], notes: Iterable[str]) -> Layout:
    """(file name, class name) by split, put in order. Raises DataError for fewer than two classes."""
    classes = classes_of(text for pairs in labelled.values() for _, text in pairs)
    for text in classes:
        if not text.isprintable():
            raise DataError(f"{label}: the class name {text!r} cannot be printed; rename it (UTF-8, no control signs)")
    if len(classes) < 2:
        raise DataError(
            f"{label}: all pictures are of one class, `{classes[0]}`; a classifier needs at least two class folders, "
            "as in cat/1.png and dog/1.png"
        )
    number = {text: i for i, text in enumerate(classes)}
    splits = {
        split: sorted(((name, number[text]) for name, text in labelled[split]), key=lambda s: (s[1], natural_key(s[0])))
        for split in (*SPLITS, UNDIVIDED)
        if split in labelled
    }
    return Layout(classes, splits, tuple(notes))


def by_folders(container: Container, pictures: Sequence[str]) -> Layout:
    """The labels that folders give: `train/ val/ test/` with class folders, or class folders alone, at any depth.

    Raises DataError when the folders say no labels: none, one, an empty one, one that train lacks.
    """
    tree = _Tree(container, pictures)
    roots = tree.split_roots()
    if roots:
        labelled = {split: tree.labelled(root) for split, root in roots.items()}
        _check_known(container, labelled, roots)
    else:
        labelled = {UNDIVIDED: tree.labelled(tree.top)}
    used = {name for pairs in labelled.values() for name, _ in pairs}
    loose = [name for name in pictures if name not in used]
    notes = [f"{counted(loose, 'picture', 'pictures')} in no class folder left aside"] if loose else []
    return arrange(container.label, labelled, notes)


def _check_known(
    container: Container, labelled: Mapping[str, Sequence[tuple[str, str]]], roots: Mapping[str, str]
) -> None:
    if "train" not in labelled:
        return
    known = {text for _, text in labelled["train"]}
    for split, pairs in labelled.items():
        new = classes_of(text for _, text in pairs if text not in known)
        if new:
            raise DataError(
                f"{container.shown(roots[split])}: class folder `{new[0]}` has no counterpart in "
                f"{container.shown(roots['train'])}; every class needs training pictures"
            )


class _Tree:
    """The folders of a container that hold pictures, each by its full path."""

    def __init__(self, container: Container, pictures: Sequence[str]) -> None:
        self.container = container
        self.pictures = pictures
        self.within = Counter(folder for name in pictures for folder in parents(name))
        self.children: dict[str, list[str]] = defaultdict(list)
        for folder in self.within:
            self.children[folder.rpartition("/")[0]].append(folder)
        self.top = self._unwrapped()

    def _unwrapped(self) -> str:
        """Goes down while there is one folder, with folders in it: to the splits, else to the classes of one split."""
        chain = [""]
        while len(self.children[chain[-1]]) == 1 and self.children[self.children[chain[-1]][0]]:
            chain.append(self.children[chain[-1]][0])
        if not self._are_splits(chain[-1]):
            for above, folder in pairwise(chain):
                if split_name(_last(folder)):
                    return above
        return chain[-1]

    def _are_splits(self, folder: str) -> bool:
        inner = self.children[folder]
        return bool(inner) and all(split_name(_last(name)) for name in inner)

    def split_roots(self) -> dict[str, str]:
        """The folder of each split; none when the folders at the top are classes."""
        roots: dict[str, str] = {}
        named = {folder: split_name(_last(folder)) for folder in self.children[self.top]}
        divided = {split for folder, split in named.items() if split and self.children[folder]}
        if not (len(divided) > 1 or (divided and all(named.values()))):
            if named and all(named.values()):
                raise DataError(
                    f"{self.container.shown(next(iter(named)))}: pictures lie in it directly; a split needs class "
                    "folders, as in train/cat/1.png, or a list of `<file> <label>` lines"
                )
            return {}
        for folder, split in sorted(named.items()):
            if split is None:
                raise DataError(
                    f"{self.container.shown(folder)}: a folder of pictures beside {', '.join(sorted(divided))} "
                    "folders that is none of train, val, test; remove or rename it"
                )
            if split in roots:
                raise DataError(
                    f"{self.container.shown(folder)}: means the {split} split, and so does "
                    f"{self.container.shown(roots[split])}; keep one"
                )
            roots[split] = folder
        return {split: self._below(root) for split, root in roots.items()}

    def _below(self, root: str) -> str:
        """A split's class folders may have one more folder around them, as in train/images/cat/1.png."""
        while len(self.children[root]) == 1 and self.children[self.children[root][0]]:
            root = self.children[root][0]
        return root

    def labelled(self, root: str) -> list[tuple[str, str]]:
        """(file name, class folder) of every picture in a class folder of `root`, at any depth."""
        start = f"{root}/" if root else ""
        for folder in sorted(self.container.folders, key=natural_key):
            if folder.startswith(start) and "/" not in folder[len(start) :] and not self.within[folder]:
                raise DataError(
                    f"{self.container.shown(folder)}: the class folder holds no pictures; fill or remove it"
                )
        pairs = []
        for name in self.pictures:
            first, slash, _ = name[len(start) :].partition("/")
            if slash and name.startswith(start):
                pairs.append((name, first))
        if not pairs:
            raise DataError(
                f"{self.container.shown(root) if root else self.container.label}: its pictures have no labels; put "
                "them in class folders, as in cat/1.png, or list them in a text file of `<file> <label>` lines"
            )
        return pairs


def _last(folder: str) -> str:
    return one_line(folder.rpartition("/")[2])
