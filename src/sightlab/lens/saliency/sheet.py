"""Explanations on one sheet: each image beside its map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from sightlab.lens.saliency.overlay import side_by_side
from sightlab.pictures import contact_sheet
from sightlab.records.explained import Explained

LONGEST = 112  # pixels of a drawn image's longer side
COLUMNS = 4


def explanation_sheet(images: Sequence[Explained], title: str, columns: int = COLUMNS) -> Image.Image:
    """A contact sheet of explained images, each beside its map, with what was predicted and the true class; RGB.

    Raises ValueError for no images.
    """
    pairs = [side_by_side(one.pixels, one.values, LONGEST) for one in images]
    width = pairs[0].shape[1]
    wrong = [bool(one.label) and one.label != one.predicted for one in images]
    return contact_sheet(
        np.stack(pairs), [caption(one) for one in images], wrong=wrong, columns=columns, cell=width, title=title
    )


def caption(one: Explained) -> str:
    """Two lines below an image: the answer and its probability; the true class, or another class that is explained."""
    second = f"true: {one.label}" if one.label and one.label != one.predicted else ""
    if one.explained != one.predicted:
        second = f"why {one.explained}? {one.share:.1%}"
    return f"{one.predicted} {one.probability:.1%}\n{second}"
