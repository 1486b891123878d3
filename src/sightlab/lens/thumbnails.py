"""Small pictures that travel with what an analysis found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightlab.data.imageset import ImageSet
from sightlab.pictures import rgb


def thumbnails(images: ImageSet, rows: NDArray[np.int64], side: int) -> NDArray[np.float64]:
    """Some of the images with sides of at most `side` pixels: float64 [n, h, w, 1 or 3], whole values from 0 to 255.

    One and two channels become a grey one, of more the first three are kept. Smaller images keep their size.
    """
    height, width, channels = images.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    kept = 1 if channels < 3 else 3
    shown = [np.asarray(rgb(image).resize(size, Image.Resampling.BOX))[:, :, :kept] for image in images.gather(rows)]
    return np.stack(shown).astype(np.float64)
