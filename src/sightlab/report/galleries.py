"""Image galleries of a report, saved in the run's folder, so that no split has to be opened to show them again."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightlab import metrics
from sightlab.errors import RunError, one_line
from sightlab.files import write_bytes
from sightlab.metrics.examples import confidence_of, least_confident_hits, most_confident_errors
from sightlab.records import Predictions

if TYPE_CHECKING:
    from sightlab.data.imageset import ImageSet

FILE = "galleries.safetensors"
FORMAT = 1
MOST = 24  # images of a gallery
LONGEST_SIDE = 160  # pixels; larger images are downscaled
EXACT_SIDE = 64  # pixels up to which an image is embedded as lossless PNG; larger ones as JPEG

ERRORS, HITS, SUSPECTS = "errors", "hits", "suspects"


@dataclass(frozen=True)
class GalleryImage:
    """One image of a gallery. row: its index in its split. probability: of the predicted class, in [0, 1]."""

    row: int
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images that were chosen for one reason.

    kind: errors, hits or suspects. split: test or validation. images: N. pixels: uint8 [N, H, W, 1 or 3].
    found: how many images of the split there were to choose from.
    """

    kind: str
    split: str
    images: tuple[GalleryImage, ...]
    pixels: NDArray[np.uint8]
    found: int


def galleries_of(
    test: Predictions, test_images: ImageSet, validation: Predictions, validation_images: ImageSet
) -> list[Gallery]:
    """The galleries of a run: most confident errors, least confident hits, labels that confident learning flags.

    Row n of the predictions is image n of its set. A gallery without images is left out.
    """
    wrong = int((test.logits.argmax(axis=1) != test.labels).sum())
    test_issues, validation_issues = metrics.find_label_issues(test), metrics.find_label_issues(validation)
    chosen = [
        (ERRORS, "test", most_confident_errors(test, MOST), wrong),
        (HITS, "test", least_confident_hits(test, MOST), len(test) - wrong),
        (SUSPECTS, "test", test_issues[:MOST], len(test_issues)),
        (SUSPECTS, "validation", validation_issues[:MOST], len(validation_issues)),
    ]
    sets = {"test": (test, test_images), "validation": (validation, validation_images)}
    return [_gallery(kind, split, rows, found, *sets[split]) for kind, split, rows, found in chosen if len(rows)]


def save_galleries(folder: Path, galleries: Sequence[Gallery]) -> None:
    """Save the galleries in a run's folder, atomically. Raises OSError as writing does."""
    from safetensors.numpy import save as serialise

    facts = [
        {"kind": one.kind, "split": one.split, "found": one.found, "exhibits": [asdict(e) for e in one.images]}
        for one in galleries
    ]
    pixels = {f"{one.kind}-{one.split}": np.ascontiguousarray(one.pixels) for one in galleries}
    metadata = {"galleries": json.dumps({"format": FORMAT, "galleries": facts}, ensure_ascii=False)}
    write_bytes(folder / FILE, serialise(pixels, metadata=metadata))


def read_galleries(folder: Path) -> list[Gallery] | None:
    """The galleries saved in a run's folder; None if there are none. Raises RunError for a damaged file."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            known = json.loads(file.metadata()["galleries"])
            if known["format"] > FORMAT:
                raise RunError(f"{path}: format {known['format']} is from a newer sightlab; upgrade")
            return [_read(facts, file.get_tensor(f"{facts['kind']}-{facts['split']}")) for facts in known["galleries"]]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {one_line(error)}; delete it for a report without images") from error


def encode(pixels: NDArray[np.uint8]) -> tuple[str, bytes]:
    """One image for a page: its media type and its bytes.

    pixels: uint8 [H, W, 1 or 3]. Small ones are lossless; larger ones were downscaled, and lose nothing visible.

    >>> encode(np.zeros((8, 8, 1), np.uint8))[0]
    'image/png'
    """
    from PIL import Image

    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    content = io.BytesIO()
    if max(image.size) <= EXACT_SIDE:
        image.save(content, "PNG")
        return "image/png", content.getvalue()
    image.save(content, "JPEG", quality=85)
    return "image/jpeg", content.getvalue()


def _gallery(
    kind: str, split: str, rows: NDArray[np.int64], found: int, predictions: Predictions, images: ImageSet
) -> Gallery:
    logits = predictions.logits[rows]
    confidence, predicted = confidence_of(predictions)[rows], logits.argmax(axis=1)
    classes, labels = predictions.classes, predictions.labels
    chosen = tuple(
        GalleryImage(int(predictions.index[row]), classes[labels[row]], classes[index], float(share))
        for row, index, share in zip(rows, predicted, confidence, strict=True)
    )
    pixels = np.stack([_downscaled(image) for image in images.gather(rows)])
    return Gallery(kind, split, chosen, pixels, found)


def _downscaled(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image in grey or colour, at most LONGEST_SIDE pixels long. Takes uint8 [H, W, C], returns [h, w, 1 or 3]."""
    from PIL import Image

    from sightlab.pictures import rgb

    picture = rgb(image)
    if max(picture.size) > LONGEST_SIDE:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    shown = np.asarray(picture)
    return shown if image.shape[2] >= 3 else shown[:, :, :1]


def _read(facts: Mapping[str, Any], pixels: NDArray[np.uint8]) -> Gallery:
    """One gallery of a saved file. Raises KeyError, TypeError or ValueError for anything else."""
    images = tuple(
        GalleryImage(int(one["row"]), str(one["label"]), str(one["predicted"]), float(one["probability"]))
        for one in facts["exhibits"]
    )
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or len(pixels) != len(images) or pixels.shape[3] not in (1, 3):
        raise ValueError(f"{len(images)} images have pixels {pixels.dtype} {list(pixels.shape)}")
    return Gallery(str(facts["kind"]), str(facts["split"]), images, pixels, int(facts["found"]))
