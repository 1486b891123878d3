"""The cache knows a reading by the content of what was read and how: nothing stale, and no two readings are one."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from sightlab.data import contents
from sightlab.data.load import load_parts
from tests.picture_files import flat, spread

PICTURES = {f"images/{n}.png": flat(n) for n in range(6)}


def lines(labels: str, folder: str = "images/") -> bytes:
    return "".join(f"{folder}{n}.png {label}\n" for n, label in enumerate(labels)).encode()


def values(path: Path, **words: str) -> list[tuple[int, str]]:
    """What is read: each flat picture's value with its class."""
    images = load_parts(path, **words).parts.splits["all"]  # type: ignore[arg-type]
    return [
        (int(image.flat[0]), images.classes[label]) for image, label in zip(images.images, images.labels, strict=True)
    ]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files made a moment ago are remembered as well, as those of an hour ago are."""
    monkeypatch.setattr(contents, "RACY_NANOSECONDS", 0)
    time.sleep(0.01)


def test_each_list_of_a_folder_is_a_reading_of_its_own(tmp_path: Path) -> None:
    root = spread(tmp_path, PICTURES | {"pets.txt": lines("ababab"), "sizes.txt": lines("xxxyyy")})
    for _ in range(2):
        assert values(root / "pets.txt") == [(0, "a"), (2, "a"), (4, "a"), (1, "b"), (3, "b"), (5, "b")]
        assert values(root / "sizes.txt") == [(0, "x"), (1, "x"), (2, "x"), (3, "y"), (4, "y"), (5, "y")]
        assert values(root, list="sizes.txt") == values(root / "sizes.txt")
    assert load_parts(root / "pets.txt").key != load_parts(root / "sizes.txt").key


@pytest.mark.parametrize("where", ["labels.txt", "meta/labels.txt"])
def test_a_picture_that_a_list_names_may_change(tmp_path: Path, where: str) -> None:
    root = spread(tmp_path, PICTURES | {where: lines("ababab")})
    assert (0, "a") in values(root / where)
    (root / "images/0.png").write_bytes(flat(77))
    assert (77, "a") in values(root / where)
    (root / where).write_bytes(lines("bababa"))
    assert (77, "b") in values(root / where)


def test_labels_beside_a_lone_array_may_change(tmp_path: Path) -> None:
    pixels = np.arange(6, dtype=np.uint8)[:, None, None] + np.zeros((6, 4, 4), np.uint8)
    np.savez(tmp_path / "pets-imgs.npz", arr_0=pixels)
    np.savez(tmp_path / "pets-labels.npz", arr_0=np.array([0, 1, 0, 1, 0, 1]))
    assert values(tmp_path / "pets-imgs.npz")[0] == (0, "0")
    np.savez(tmp_path / "pets-labels.npz", arr_0=np.array([1, 0, 1, 0, 1, 0]))
    assert values(tmp_path / "pets-imgs.npz")[0] == (0, "1")


def test_class_names_may_come_to_lie_beside_a_lone_array(tmp_path: Path) -> None:
    pixels = np.arange(6, dtype=np.uint8)[:, None, None] + np.zeros((6, 4, 4), np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    np.save(tmp_path / "labels.npy", np.array([0, 1, 0, 1, 0, 1]))
    assert values(tmp_path / "images.npy")[0] == (0, "0")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert values(tmp_path / "images.npy")[0] == (0, "cat")


def test_an_unchanged_source_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = spread(tmp_path, {f"{pet}/{n}.png": flat(n) for pet in ("cat", "dog") for n in range(3)})
    first = load_parts(root)

    def looked(*_: object) -> None:
        raise AssertionError("looked at again")

    monkeypatch.setattr("sightlab.data.load.look", looked)
    assert load_parts(root).key == first.key and load_parts(root).layout == "class-folders"
    os.rename(root / "cat", root / "lynx")  # noqa: PTH104 (a folder's name alone)
    with pytest.raises(AssertionError, match="looked at again"):
        load_parts(root)
