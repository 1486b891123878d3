"""Pictures for a report: which ones, kept in the run's folder, so that no split has to be opened to show them again."""

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
from sightlab.records import Predictions

if TYPE_CHECKING:
    from sightlab.data.imageset import ImageSet

FILE = "galleries.safetensors"
FORMAT = 1
MOST = 24  # pictures of a gallery
LONGEST_SIDE = 160  # pixels of a picture that is kept; larger ones are reduced
EXACT_SIDE = 64  # pixels up to which a picture goes into a page as PNG, every pixel as it is; larger ones as JPEG

ERRORS, HITS, SUSPECTS = "errors", "hits", "suspects"


@dataclass(frozen=True)
class Exhibit:
    """One picture of a gallery. row: its place in its split. probability: of the predicted class, in [0, 1]."""

    row: int
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures that were chosen for one reason.

    kind: errors, hits or suspects. split: test or validation. exhibits: N facts. pixels: uint8 [N, H, W, 1 or 3].
    found: how many images of the split there were to choose from.
    """

    kind: str
    split: str
    exhibits: tuple[Exhibit, ...]
    pixels: NDArray[np.uint8]
    found: int


def most_confident_errors(said: Predictions, most: int = MOST) -> NDArray[np.int64]:
    """Rows that were taken wrongly, the answer of the greatest probability first. int64 [at most `most`]."""
    trust, right = _trust(said)
    rows = np.flatnonzero(~right)
    return rows[np.argsort(-trust[rows], kind="stable")][:most]


def least_confident_hits(said: Predictions, most: int = MOST) -> NDArray[np.int64]:
    """Rows that were taken rightly, the answer of the least probability first. int64 [at most `most`]."""
    trust, right = _trust(said)
    rows = np.flatnonzero(right)
    return rows[np.argsort(trust[rows], kind="stable")][:most]


def galleries_of(
    test: Predictions, test_images: ImageSet, validation: Predictions, validation_images: ImageSet
) -> list[Gallery]:
    """The galleries of a run: mistakes it is surest of, hits it doubts most, labels that confident learning doubts.

    Row n of the predictions is image n of its set. A gallery without pictures is left out.
    """
    wrong = int((test.logits.argmax(axis=1) != test.labels).sum())
    doubtful, held_out = metrics.find_label_issues(test), metrics.find_label_issues(validation)
    chosen = [
        (ERRORS, "test", most_confident_errors(test), wrong),
        (HITS, "test", least_confident_hits(test), len(test) - wrong),
        (SUSPECTS, "test", doubtful[:MOST], len(doubtful)),
        (SUSPECTS, "validation", held_out[:MOST], len(held_out)),
    ]
    sets = {"test": (test, test_images), "validation": (validation, validation_images)}
    return [_gallery(kind, split, rows, found, *sets[split]) for kind, split, rows, found in chosen if len(rows)]


def save_galleries(folder: Path, galleries: Sequence[Gallery]) -> None:
    """Keep the galleries in a run's folder, whole. Raises OSError as writing does."""
    from safetensors.numpy import save as serialised

    facts = [
        {"kind": one.kind, "split": one.split, "found": one.found, "exhibits": [asdict(e) for e in one.exhibits]}
        for one in galleries
    ]
    pixels = {f"{one.kind}-{one.split}": np.ascontiguousarray(one.pixels) for one in galleries}
    metadata = {"galleries": json.dumps({"format": FORMAT, "galleries": facts}, ensure_ascii=False)}
    write_bytes(folder / FILE, serialised(pixels, metadata=metadata))


def read_galleries(folder: Path) -> list[Gallery] | None:
    """The galleries that a run's folder keeps; None where it keeps none. Raises RunError for a damaged file."""
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
        raise RunError(f"{path}: no pictures can be read: {one_line(error)}; delete it to do without") from error


def encoded(pixels: NDArray[np.uint8]) -> tuple[str, bytes]:
    """One picture for a page: its media type and its bytes.

    pixels: uint8 [H, W, 1 or 3]. Small ones keep every pixel; larger ones were reduced, and lose nothing one can see.

    >>> encoded(np.zeros((8, 8, 1), np.uint8))[0]
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


def _trust(said: Predictions) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Each row's probability of its answer, float32 [N], and whether that is right, bool [N]."""
    answers = said.logits.argmax(axis=1)
    return metrics.probabilities(said.logits).max(axis=1), answers == said.labels


def _gallery(
    kind: str, split: str, rows: NDArray[np.int64], found: int, said: Predictions, images: ImageSet
) -> Gallery:
    logits = said.logits[rows]
    trust, answers = metrics.probabilities(logits).max(axis=1), logits.argmax(axis=1)
    exhibits = tuple(
        Exhibit(int(said.index[row]), said.classes[said.labels[row]], said.classes[answer], float(share))
        for row, answer, share in zip(rows, answers, trust, strict=True)
    )
    pixels = np.stack([_reduced(image) for image in images.gather(rows)])
    return Gallery(kind, split, exhibits, pixels, found)


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture in grey or colour, at most LONGEST_SIDE pixels long. Takes uint8 [H, W, C], gives [h, w, 1 or 3]."""
    from PIL import Image

    from sightlab.pictures import rgb

    picture = rgb(image)
    if max(picture.size) > LONGEST_SIDE:
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    shown = np.asarray(picture)
    return shown if image.shape[2] >= 3 else shown[:, :, :1]


def _read(facts: Mapping[str, Any], pixels: NDArray[np.uint8]) -> Gallery:
    """One gallery of what was kept. Raises KeyError, TypeError or ValueError where it is not one."""
    exhibits = tuple(
        Exhibit(int(e["row"]), str(e["label"]), str(e["predicted"]), float(e["probability"])) for e in facts["exhibits"]
    )
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or len(pixels) != len(exhibits) or pixels.shape[3] not in (1, 3):
        raise ValueError(f"{len(exhibits)} pictures have pixels {pixels.dtype} {list(pixels.shape)}")
    return Gallery(str(facts["kind"]), str(facts["split"]), exhibits, pixels, int(facts["found"]))
