"""Pictures without labels, for prediction, come from files, folders and archives."""

from pathlib import Path

import pytest

from sightlab.data.pictures.decode import Decoding
from sightlab.data.pictures.read import read_unlabelled
from sightlab.errors import DataError
from tests.picture_files import flat, spread, zipped


def test_unlabelled_pictures_come_from_files_folders_and_below_in_natural_order(tmp_path: Path) -> None:
    root = spread(tmp_path, {"10.png": flat(10), "9.png": flat(9, size=6), "a/b/1.png": flat(1, channels=1)})
    found = list(read_unlabelled([root, root / "9.png"]))
    assert [name for name, _ in found] == [str(root / name) for name in ("9.png", "10.png", "a/b/1.png", "9.png")]
    assert [image.shape for _, image in found] == [(6, 6, 3), (4, 4, 3), (4, 4, 1), (6, 6, 3)]
    fitted = dict(read_unlabelled([root], Decoding(size=5, channels=3)))
    assert {image.shape for image in fitted.values()} == {(5, 5, 3)}


def test_an_unlabelled_broken_picture_is_an_error_or_told(tmp_path: Path) -> None:
    root = spread(tmp_path, {"1.png": b"broken", "2.png": flat(2)})
    with pytest.raises(DataError, match=r"1\.png cannot be decoded"):
        list(read_unlabelled([root]))
    told: list[DataError] = []
    assert [name for name, _ in read_unlabelled([root], Decoding(skip_broken=True), told.append)] == [f"{root}/2.png"]
    assert len(told) == 1 and "1.png" in str(told[0])


def test_nothing_to_predict_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        list(read_unlabelled([tmp_path]))
    with pytest.raises(DataError, match="gone"):
        list(read_unlabelled([tmp_path / "gone.png"]))


def test_unlabelled_pictures_come_from_archives(tmp_path: Path) -> None:
    found = dict(read_unlabelled([zipped(tmp_path / "x.zip", {"b.png": flat(2), "a/a.png": flat(1)})]))
    assert [(name, int(image.flat[0])) for name, image in found.items()] == [
        (f"{tmp_path}/x.zip: b.png", 2),
        (f"{tmp_path}/x.zip: a/a.png", 1),
    ]
