"""Writer of image sets as numpy .npz files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from sightlab.data.formats.stored import Array
from sightlab.data.imageset import UNDIVIDED, ImageSet, Parts
from sightlab.errors import DataError
from sightlab.files import whole


def write_npz(splits: Mapping[str, ImageSet], path: Path) -> None:
    """Write `<split>_images`, `<split>_labels` (plain `images`, `labels` for an undivided set) and `classes`.

    The file is there whole or not at all. Raises DataError when it cannot be written.
    """
    arrays: dict[str, Array] = {}
    for split, images in splits.items():
        prefix = "" if split == UNDIVIDED else f"{split}_"
        arrays |= {f"{prefix}images": images.images, f"{prefix}labels": images.labels}
    arrays["classes"] = np.array(Parts(splits).classes, dtype=np.str_)
    try:
        with whole(path) as temporary, temporary.open("wb") as stream:
            cast(Any, np.savez_compressed)(stream, **arrays)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
