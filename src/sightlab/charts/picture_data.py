"""Pictures inside charts."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def picture_uri(picture: NDArray[np.float64]) -> str:
    """A picture as a data URI of PNG. picture: [h, w, 1 or 3], values from 0 to 255."""
    import numpy as np
    from PIL import Image

    values = picture.clip(0, 255).round().astype(np.uint8)
    image = Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
