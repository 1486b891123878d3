"""A text beside each picture names its class; captions and boxes of detectors do not."""

from pathlib import Path

import pytest

from tests.picture_files import flat, spread
from tests.reading import decision, read


def photos(texts: list[str], folder: str = "photos/") -> dict[str, bytes]:
    pictures = {f"{folder}{n}.jpg": flat(n) for n in range(len(texts))}
    return pictures | {f"{folder}{n}.txt": text.encode() for n, text in enumerate(texts)}


def test_the_text_beside_a_picture_is_its_class(tmp_path: Path) -> None:
    images = read(spread(tmp_path, photos(["cat", "dog\n", "\ufeffcat", "dog"]))).splits["all"]
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [0, 0, 1, 1]
    assert [int(image.flat[0]) for image in images.images] == [0, 2, 1, 3]


def test_splits_come_from_the_folders(tmp_path: Path) -> None:
    files = photos(["cat", "dog", "cat", "dog"], "train/") | photos(["dog", "cat", "dog", "cat"], "test/")
    parts = read(spread(tmp_path, files))
    assert list(parts.splits) == ["train", "test"] and parts.splits["test"].labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "texts",
    [
        ["a cat on a mat", "a dog", "two cats", "a dog in the rain"],
        ["0 0.5 0.5 0.1 0.1", "1 0.5 0.5 0.1 0.1"] * 2,
        ["cat\ndog", "dog", "cat", "dog"],
        ["x" * 200, "dog", "dog", "x" * 200],
        ["cat"] * 4,
    ],
)
def test_other_texts_are_no_classes(tmp_path: Path, texts: list[str]) -> None:
    found = decision(spread(tmp_path, photos(texts)))
    assert found.chosen is None and "text-beside" not in [claim.layout for claim in found.claims]
