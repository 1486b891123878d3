"""The cue-conflict images of Geirhos et al. 2019: the shape of one category with the texture of another."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.data.containers.base import Container
from sightlab.data.containers.open import open_container
from sightlab.data.fit_shape import Fitting
from sightlab.data.imageset import natural_key
from sightlab.data.named_sets import NAMED as NAMED_SETS
from sightlab.data.pictures.decode import decode
from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.sources import find
from sightlab.errors import DataError
from sightlab.records.phrases import counted

TABLE = Path(__file__).with_name("cue_conflict_categories.csv")
CLASSES = 1000
# What the first and the last class of ImageNet are called: its words, its WordNet number, or the class's number.
ENDS = (re.compile(r"tench\b|n01440764|0$"), re.compile(r"toilet[ _](tissue|paper)|n15075141|999$"))
NAMED = re.compile(r"([a-z]+)\d+-([a-z]+)\d+\.[a-z]+$")


@cache
def categories() -> Mapping[str, NDArray[np.int64]]:
    """The 16 categories in alphabetical order, and the indices of each one's classes among ImageNet's 1,000."""
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    rows = [(row["category"], int(row["imagenet_index"])) for row in csv.DictReader(lines)]
    return {name: np.array([index for own, index in rows if own == name]) for name in sorted({own for own, _ in rows})}


def is_imagenet(classes: tuple[str, ...]) -> bool:
    """Whether these are the 1,000 classes of ImageNet in their order: by their number and by the first and the last."""
    return len(classes) == CLASSES and all(
        end.match(name.casefold()) is not None for end, name in zip(ENDS, (classes[0], classes[-1]), strict=True)
    )


def category_probabilities(logits: Tensor) -> Tensor:
    """The mean probability of each category's classes, float [N, 16]. logits: float [N, 1000] in ImageNet's order."""
    chances = logits.float().softmax(dim=1)
    own = [chances[:, torch.from_numpy(indices).to(logits.device)].mean(dim=1) for indices in categories().values()]
    return torch.stack(own, dim=1)


@dataclass(frozen=True, eq=False)
class CueConflict:
    """Pictures whose shape and texture are of different categories.

    container: where they lie. names: of the pictures, in natural order. shapes, textures: int64 [N], places among
    `categories`. notes: what was left out, a line each.
    """

    container: Container
    names: tuple[str, ...]
    shapes: NDArray[np.int64]
    textures: NDArray[np.int64]
    notes: tuple[str, ...]

    def batches(self, shape: tuple[int, int, int], size: int) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """The pictures as they are stored, `size` at a time: places int64 [B], and pixels uint8 [B, H, W, C].

        shape: (H, W, C); pictures of another are resized, their shorter side first, and cut. Raises DataError for a
        picture that cannot be read.
        """
        place = {name: number for number, name in enumerate(self.names)}
        fitting = Fitting(shape)
        rows: list[int] = []
        pixels: list[NDArray[np.uint8]] = []
        for name, data in self.container.stream(self.names):
            shown = self.container.shown(name)
            rows.append(place[name])
            pixels.append(fitting.fitted(shown, decode(data, shown)))
            if len(rows) == size:
                yield np.array(rows), torch.from_numpy(np.stack(pixels))
                rows, pixels = [], []
        if rows:
            yield np.array(rows), torch.from_numpy(np.stack(pixels))


def read_cue_conflict(source: str | Path) -> CueConflict:
    """The cue-conflict pictures in a folder or an archive: `<shape><number>-<texture><number>.jpg`, in any folder.

    source: a path, or `cue-conflict` for the set of that name (`sources.find`). Those whose shape and texture agree are
    left out. Raises DataError where there is nothing of that kind.
    """
    path = find(str(source)).path if str(source) in NAMED_SETS else Path(source).expanduser()
    if not path.exists():
        raise DataError(f"{source}: no such folder or archive; name one that holds pictures such as cat1-dog2.jpg")
    container = open_container(path)
    if container is None:
        raise DataError(f"{source}: no folder and no archive; name one that holds pictures such as cat1-dog2.jpg")
    known = {name: place for place, name in enumerate(categories())}
    pictures = sorted(filter(is_picture_name, container.sizes), key=natural_key)
    found = {
        name: (known[cues[1]], known[cues[2]])
        for name in pictures
        if (cues := NAMED.match(name.rpartition("/")[2])) and cues[1] in known and cues[2] in known
    }
    kept = {name: (shape, texture) for name, (shape, texture) in found.items() if shape != texture}
    if not kept:
        raise DataError(
            f"{source}: {counted(len(pictures), 'picture')}, none named as cue-conflict images are, "
            "<shape><number>-<texture><number>, such as cat1-dog2.jpg"
        )
    notes = []
    if len(found) > len(kept):
        notes.append(f"{source}: {len(found) - len(kept):,} of {len(found):,} images left out: shape and texture agree")
    if len(pictures) > len(found):
        notes.append(f"{source}: {counted(len(pictures) - len(found), 'picture')} left out: other names")
    shapes, textures = np.array(list(kept.values()), np.int64).T
    return CueConflict(container, tuple(kept), shapes, textures, tuple(notes))
