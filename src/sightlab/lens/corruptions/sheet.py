"""A contact sheet of one image through every corruption at every severity."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sightlab.charts.corruptions import label_of
from sightlab.lens.corruptions.table import CORRUPTIONS, SEVERITIES, corrupt
from sightlab.pictures import contact_sheet


def corruption_sheet(image: NDArray[np.uint8], cell: int | None = None) -> Image.Image:
    """A row for each severity and a column for each corruption, the image itself at the left; RGB.

    image: uint8 [H, W, C], from 28 x 28 pixels on. cell: the longer side of the images on the sheet. Raises DataError
    for an image that is too small.
    """
    generator = torch.Generator().manual_seed(0)
    single = torch.from_numpy(np.ascontiguousarray(image))[None]
    found, captions = [], []
    for severity in SEVERITIES:
        found += [single, *(corrupt(single, name, severity, generator) for name in CORRUPTIONS)]
        captions += [f"severity {severity}:\nunchanged", *(label_of(name).replace(" ", "\n") for name in CORRUPTIONS)]
    return contact_sheet(torch.cat(found).numpy(), captions, columns=1 + len(CORRUPTIONS), cell=cell)
