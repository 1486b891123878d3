"""A bundle and unlabelled pictures: what the model takes each for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightlab.data.fit_shape import Fitting
from sightlab.data.pictures.decode import Decoding
from sightlab.data.read_options import shape_of
from sightlab.data.unlabelled.given_images import Given, given_pictures
from sightlab.data.unlabelled.picture_input import Picture, Wanted, silent
from sightlab.errors import DataError
from sightlab.evaluation import bundle_of, check_logits, recipe_words
from sightlab.metrics import probabilities
from sightlab.records import Answer, Run
from sightlab.store.bundle import Bundle, Metadata, open_model
from sightlab.training.device import choose_device, own_process

BATCH = 256


def predict(
    run: Run | Bundle | str | Path,
    files: Given | Sequence[Given],
    *,
    top: int = 3,
    model: nn.Module | None = None,
    skip_broken: bool = False,
    on_broken: Callable[[DataError], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    bit_depth: int | None = None,
    shape: str | Sequence[int] | None = None,
    encoding: str | None = None,
    device: str = "auto",
) -> list[Answer]:
    """What a run's model takes pictures for.

    files: one of these, or a list: pictures, folders or archives of them, lists that name them, tables and arrays of
    pixels, all by path; uint8 arrays [N, H, W, C] or [H, W, C]; PIL images. Pictures of another size are resized
    (shorter side, then centre crop) and brought to the model's channels. top: classes an answer names. skip_broken: go
    on without pictures that cannot be decoded; on_broken is told of each. on_note: told what was left aside, changed
    or decided about the pictures, a line each. bit_depth: of 16-bit pictures, 8 to 16; None takes the run's own, else
    what their values need. shape: of flattened pictures in an array, as in `28x28`. encoding: of texts, and of names in
    old zips. Raises SightlabError: no such file, no pictures, a table of another size, a type that no picture can be
    had from, a bundle that cannot be opened.

    >>> import sightlab, tempfile
    >>> from PIL import Image
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = sightlab.train(tiny, home=folder)
    ...     Image.new("L", (28, 28)).save(f"{folder}/black.png")
    ...     answers = sightlab.predict(run, [f"{folder}/black.png", Image.new("RGB", (64, 48))])
    >>> len(answers), len(answers[0].top), answers[1].file
    (2, 3, 'image:1')
    """
    bundle = bundle_of(run)
    facts = bundle.facts
    chosen = choose_device(device)
    tell = on_note or silent
    fitting = Fitting((facts.height, facts.width, facts.channels))
    decoding = Decoding(skip_broken=skip_broken, bit_depth=bit_depth or recipe_words(bundle).get("bit_depth"))
    wanted = Wanted(fitting.shape, decoding, on_broken, tell, shape_of(shape or ()), encoding)
    pictures = (one._replace(pixels=fitting.fitted(one.name, one.pixels)) for one in given_pictures(files, wanted))
    with own_process():
        classifier = open_model(bundle, model).to(chosen)
        answers = [
            answer
            for batch in batched(pictures, BATCH)
            for answer in answers_of(batch, logits_of(classifier, batch, chosen, bundle), facts.classes, top)
        ]
    for note in fitting.notes():
        tell(note)
    return answers


def first_picture(file: Path, facts: Metadata) -> NDArray[np.uint8]:
    """The first picture of a source as a model takes it: uint8 [height, width, channels]. Raises DataError."""
    shape = (facts.height, facts.width, facts.channels)
    one = next(given_pictures(file, Wanted(shape)), None)
    if one is None:
        raise DataError(f"{file}: holds no pictures")
    return Fitting(shape).fitted(one.name, one.pixels)


def batched(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    """The pictures in lists of at most this many."""
    stream = iter(pictures)
    while batch := list(islice(stream, size)):
        yield batch


def logits_of(classifier: nn.Module, batch: list[Picture], device: torch.device, bundle: Bundle) -> NDArray[np.float32]:
    """The logits of a list of pictures. float32 [B, classes]. Raises RunError where they are no numbers."""
    images = torch.from_numpy(np.stack([one.pixels for one in batch])).to(device)
    with torch.inference_mode():
        logits: NDArray[np.float32] = classifier(images).float().cpu().numpy()
    check_logits(logits, bundle)
    return logits


def answers_of(
    batch: list[Picture], logits: NDArray[np.float32], classes: tuple[str, ...], top: int
) -> Iterator[Answer]:
    """Each picture's answer from its row of logits."""
    for one, shares in zip(batch, probabilities(logits), strict=True):
        order = np.argsort(-shares, kind="stable")[: max(1, top)]
        best = tuple((classes[place], round(float(shares[place]), 6)) for place in order)
        yield Answer(one.name, best[0][0], best[0][1], best, one.id, one.own_id)
