"""Well-known public picture sets as they unpack: pictures, labels, splits, order; or one line with the way out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sightlab.data.imageset import Parts
from tests import public_forms as forms
from tests.public_forms import Made
from tests.reading import claim, read

# layout that must be chosen, and the classes in their order
READ: list[tuple[Callable[[], Made], str, tuple[str, ...]]] = [
    (forms.tiny_imagenet, "split-labels", tuple(sorted(forms.WNIDS))),
    (forms.tiny_imagenet_train, "class-folders", tuple(sorted(forms.WNIDS))),
    (forms.imagenet_kaggle, "split-labels", tuple(sorted(forms.WNIDS))),
    (forms.imagenet_kaggle_whole, "split-labels", tuple(sorted(forms.WNIDS))),
    (forms.imagenet_flat_val, "split-labels", tuple(sorted(forms.WNIDS))),
    (forms.imagenet_caffe, "split-labels", tuple(sorted(forms.WNIDS))),
    (forms.imagenet_devkit, "imagenet", tuple(sorted(forms.WNIDS))),
    (forms.places365, "letter-folders", ("airfield", "apartment_building/outdoor", "barn", "beach")),
    (forms.sun397, "letter-folders", ("abbey", "bakery/shop", "barn")),
    (forms.gtsrb_kaggle, "split-labels", tuple(str(n) for n in range(12))),
    (forms.gtsrb_original, "split-labels", ("00000", "00001", "00002", "00003")),
    (forms.gtsrb_torchvision, "split-labels", ("00000", "00001", "00002", "00003")),
    (forms.cub, "cub", ("001.Black_footed_Albatross", "002.Laysan_Albatross")),
    (forms.nabirds, "cub", ("Common Eider (Adult male)", "Oak Titmouse")),
    (forms.oxford_pets, "oxford-pets", ("Abyssinian", "american_bulldog", "Bengal")),
    (forms.oxford_flowers, "oxford-flowers", ("2", "77", "102")),
    (forms.food101, "split-lists", ("apple_pie", "ramen")),
    (forms.dtd, "split-lists", ("banded", "dotted")),
    (forms.indoor67, "split-lists", ("airport_inside", "living room")),
    (forms.stanford_dogs, "stanford-dogs", ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")),
    (forms.stanford_cars, "stanford-cars", ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")),
    (forms.stanford_cars_one_list, "stanford-cars", ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")),
    (forms.fgvc_aircraft, "fgvc-aircraft", ("Boeing 707-320", "F/A-18", "C-47")),
    (forms.caltech101, "caltech", ("accordion", "BACKGROUND_Google", "Faces")),
]


def values(parts: Parts) -> dict[str, dict[str, list[int]]]:
    """The one value of each picture, by split and class."""
    found: dict[str, dict[str, list[int]]] = {}
    for split, images in parts.splits.items():
        flat = images.images.reshape(len(images), -1)
        assert (flat == flat[:, :1]).all()
        own = found[split] = {}
        for label in np.unique(images.labels):
            own[images.classes[label]] = sorted(int(v) for v in flat[images.labels == label, 0])
    return found


@pytest.mark.parametrize(("form", "layout", "classes"), READ, ids=[form.__name__ for form, *_ in READ])
def test_pictures_labels_splits_and_order_are_right(
    form: Callable[[], Made], layout: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    made = form()
    source = made.at(tmp_path)
    chosen = claim(source)
    parts = read(source)
    assert chosen.layout == layout
    assert (parts.classes, chosen.classes) == (classes, classes)
    assert values(parts) == {split: {c: sorted(v) for c, v in own.items()} for split, own in made.expected.items()}
    assert chosen.splits == {split: sum(map(len, own.values())) for split, own in made.expected.items()}
    assert all(str(tmp_path) not in note for note in parts.notes)
