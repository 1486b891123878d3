"""A bundle and unlabelled pictures: what the model takes each for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightlab.data.detect import holds_table
from sightlab.data.formats.csv import read_unlabelled_csv
from sightlab.data.pictures.decode import Decoding, fit
from sightlab.data.pictures.read import read_unlabelled
from sightlab.errors import DataError
from sightlab.metrics import probabilities
from sightlab.records import Answer, Run
from sightlab.store.bundle import Bundle, Facts, open_model
from sightlab.testing import bundle_of
from sightlab.training.workers import choose_device, own_process

BATCH = 256
Named = tuple[str, NDArray[np.uint8]]


def predict(
    run: Run | Bundle | str | Path,
    files: Sequence[str | Path],
    *,
    top: int = 3,
    model: nn.Module | None = None,
    skip_broken: bool = False,
    on_broken: Callable[[DataError], None] | None = None,
    device: str = "auto",
) -> list[Answer]:
    """What a run's model takes pictures for.

    files: pictures, folders or archives of them, or CSV files of pixel columns without labels. Pictures of another
    size are resized (shorter side, then centre crop) and brought to the model's channels. top: classes an answer
    names. skip_broken: go on without pictures that cannot be decoded; on_broken is told of each. Raises
    SightlabError: no such file, no pictures, a CSV of another size, a bundle that cannot be opened.

    >>> import sightlab, tempfile
    >>> from PIL import Image
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder)
    ...     Image.new("L", (28, 28)).save(f"{folder}/black.png")
    ...     answers = sightlab.predict(run, [f"{folder}/black.png"])
    >>> len(answers), len(answers[0].top)
    (1, 3)
    """
    bundle = bundle_of(run)
    chosen = choose_device(device)
    named = pictures_of([Path(f).expanduser() for f in files], bundle.facts, skip_broken, on_broken)
    with own_process():
        classifier = open_model(bundle, model).to(chosen)
        return [
            answer
            for batch in batched(named, BATCH)
            for answer in answers_of(batch, logits_of(classifier, batch, chosen), bundle.facts.classes, top)
        ]


def pictures_of(
    files: Sequence[Path], facts: Facts, skip_broken: bool, on_broken: Callable[[DataError], None] | None
) -> Iterator[Named]:
    """Every picture as the model takes it, with its name. uint8 [height, width, channels] each."""
    shape = (facts.height, facts.width, facts.channels)
    for file in files:
        if not file.exists():
            raise DataError(f"{file}: no such file or folder")
        if file.is_file() and holds_table(file):
            rows = read_unlabelled_csv(file, shape)
            yield from ((f"{file}:{number}", row) for number, row in enumerate(rows, 1))
        else:
            decoding = Decoding(channels=facts.channels if facts.channels in (1, 3) else None, skip_broken=skip_broken)
            for name, picture in read_unlabelled([file], decoding, on_broken):
                yield name, fitted(name, picture, facts)


def fitted(name: str, picture: NDArray[np.uint8], facts: Facts) -> NDArray[np.uint8]:
    """The picture at the model's size. Raises DataError where its channels, or the model's size, do not allow it."""
    shape = (facts.height, facts.width, facts.channels)
    if picture.shape == shape:
        return picture
    if picture.shape[2] != facts.channels:
        raise DataError(f"{name}: has {picture.shape[2]} channels; the model was trained on {facts.channels}")
    if facts.height != facts.width:
        needs = f"{facts.height} x {facts.width}"
        raise DataError(f"{name}: is {picture.shape[0]} x {picture.shape[1]} pixels; the model takes {needs} alone")
    return fit(picture, facts.height)


def batched(named: Iterable[Named], size: int) -> Iterator[list[Named]]:
    """The pictures in lists of at most this many."""
    stream = iter(named)
    while batch := list(islice(stream, size)):
        yield batch


def logits_of(classifier: nn.Module, batch: list[Named], device: torch.device) -> NDArray[np.float32]:
    """The logits of a list of pictures. float32 [B, classes]."""
    images = torch.from_numpy(np.stack([picture for _, picture in batch])).to(device)
    with torch.inference_mode():
        logits: NDArray[np.float32] = classifier(images).float().cpu().numpy()
    return logits


def answers_of(batch: list[Named], logits: NDArray[np.float32], classes: tuple[str, ...], top: int) -> Iterator[Answer]:
    """Each picture's answer from its row of logits."""
    for (name, _), shares in zip(batch, probabilities(logits), strict=True):
        order = np.argsort(-shares, kind="stable")[: max(1, top)]
        best = tuple((classes[place], round(float(shares[place]), 6)) for place in order)
        yield Answer(name, best[0][0], best[0][1], best)
