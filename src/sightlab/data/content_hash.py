"""The content of images as a hash: the same for the same images, wherever their files lie."""

from __future__ import annotations

import hashlib
import json

from sightlab.data.imageset import ImageSet
from sightlab.data.splits import Splits


def content_of(images: ImageSet) -> str:
    """Labels and pixels, in their order, as 32 hex digits: by this a split is known in records and openings.

    Neither class names nor the image shape count, so that a split is the same split under other names.
    """
    digest = hashlib.sha256(images.labels.tobytes())
    digest.update(images.fingerprints().tobytes())
    return digest.hexdigest()[:32]


def contents_of(splits: Splits) -> dict[str, str]:
    """What a training sees, {train, validation, test: 32 hex digits}: class names, image shape, labels and pixels.

    The order of the classes and of the images counts. The test split stays sealed: its hash is known without opening.
    """
    prints = {**splits.seen, "test": splits.sealed}  # computed once for the same splits
    sets = {"train": splits.train, "validation": splits.validation, "test": splits.test._images}
    frame = json.dumps([list(splits.classes), list(splits.shape)]).encode()
    found = {}
    for split, images in sets.items():
        digest = hashlib.sha256(frame)
        digest.update(images.labels.tobytes())
        digest.update(prints[split].tobytes())
        found[split] = digest.hexdigest()[:32]
    return found
