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
from sightlab.errors import DataError, RunError, suggestion
from sightlab.evaluation import bundle_of, check_logits, recipe_words
from sightlab.metrics import check_logits as check_predictions
from sightlab.metrics import probabilities
from sightlab.metrics.conformal import SETS, ConformalSets, calibrated_sets, least_count
from sightlab.records import Answer, Run
from sightlab.store.bundle import Bundle, Metadata, open_model
from sightlab.store.predictions import read_predictions
from sightlab.training.device import choose_device, own_process

BATCH = 256
VALIDATION_PREDICTIONS = "predictions-validation.safetensors"


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
    coverage: float | None = None,
    sets: str | None = None,
) -> list[Answer]:
    """What a run's model takes pictures for.

    files: one of these, or a list: pictures, folders or archives of them, lists that name them, tables and arrays of
    pixels, all by path; uint8 arrays [N, H, W, C] or [H, W, C]; PIL images. Pictures of another size are resized
    (shorter side, then centre crop) and brought to the model's channels. top: classes an answer names. skip_broken: go
    on without pictures that cannot be decoded; on_broken is told of each. on_note: told what was left aside, changed
    or decided about the pictures, a line each. bit_depth: of 16-bit pictures, 8 to 16; None takes the run's own, else
    what their values need. shape: of flattened pictures in an array, as in `28x28`. encoding: of texts, and of names in
    old zips. coverage: such as 0.95: each answer also has a set of classes that holds the true one with this
    probability, for pictures that are drawn as the run's validation images were (`metrics.conformal`); on_note is told.
    sets: how they are made, lac (the smallest on average, the default), aps or raps; nothing in them is drawn at
    random, so that a picture always gets the same set.

    Raises SightlabError: no such file, no pictures, a table of another size, a type that no picture can be had from, a
    bundle that cannot be opened; a coverage asked of a bundle without its run, or with too few validation images.

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
    rule = validation_sets(bundle, coverage, sets)
    fitting = Fitting((facts.height, facts.width, facts.channels))
    decoding = Decoding(skip_broken=skip_broken, bit_depth=bit_depth or recipe_words(bundle).get("bit_depth"))
    wanted = Wanted(fitting.shape, decoding, on_broken, tell, shape_of(shape or ()), encoding)
    pictures = (one._replace(pixels=fitting.fitted(one.name, one.pixels)) for one in given_pictures(files, wanted))
    with own_process():
        classifier = open_model(bundle, model).to(chosen)
        answers = [
            answer
            for batch in batched(pictures, BATCH)
            for answer in answers_of(batch, logits_of(classifier, batch, chosen, bundle), facts.classes, top, rule)
        ]
    for note in [*fitting.notes(), *([guarantee(rule)] if rule else [])]:
        tell(note)
    return answers


def validation_sets(bundle: Bundle, coverage: float | None, method: str | None) -> ConformalSets | None:
    """How sets of classes are made, calibrated on the predictions of the run's validation split; None without coverage.

    Raises RunError for a bundle without its run, a coverage that is none, an unknown method and too few images.
    """
    if coverage is None:
        if method is not None:
            raise RunError(f"--sets {method}: sets are made for a coverage; give --coverage 0.95 too")
        return None
    kind = method or "lac"
    try:
        if kind not in SETS:
            raise RunError(f"--sets {kind}: unknown; {suggestion(kind, SETS)}")
        least = least_count(kind, coverage)
    except ValueError as error:
        raise RunError(f"--{error}") from error
    file = bundle.folder.parent / VALIDATION_PREDICTIONS
    if not file.is_file():
        raise RunError(
            f"{bundle.folder}: --coverage needs {VALIDATION_PREDICTIONS} of the run, which is not beside this bundle; "
            "name the run by its id or its folder"
        )
    found = read_predictions(file)
    if found.classes != bundle.facts.classes:
        raise RunError(f"{file}: its classes are not the model's, so no sets can be made from it")
    if len(found) < least:
        raise RunError(
            f"{bundle.folder.parent.name}: --coverage {coverage:g} with {kind} needs {least:,} validation images, and "
            f"the run has {len(found):,}; {highest_coverage(kind, len(found))}"
        )
    try:
        check_predictions(found.logits, found.labels)
    except ValueError as error:
        raise RunError(f"{file}: damaged: {error}") from error
    return calibrated_sets(kind, probabilities(found.logits.astype(np.float64)), found.labels, coverage)


def highest_coverage(method: str, count: int) -> str:
    """The coverage that would work with so many validation images, in words."""
    works = [share / 100 for share in range(1, 100) if least_count(method, share / 100) <= count]
    return f"--coverage {works[-1]:g} or less works" if works else "train it with more"


def guarantee(rule: ConformalSets) -> str:
    """What the sets promise, and from how many images."""
    return (
        f"sets ({rule.method}) hold the true class with a probability of at least {100 * rule.coverage:g} %, for "
        f"pictures drawn as the run's validation images were; calibrated on {rule.count:,} of those"
    )


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
    batch: list[Picture],
    logits: NDArray[np.float32],
    classes: tuple[str, ...],
    top: int,
    rule: ConformalSets | None = None,
) -> Iterator[Answer]:
    """Each picture's answer from its row of logits, with a set of classes where there is a rule for it."""
    members = rule.members(probabilities(logits.astype(np.float64))) if rule else [None] * len(batch)
    for one, shares, inside in zip(batch, probabilities(logits), members, strict=True):
        order = np.argsort(-shares, kind="stable")
        best = tuple((classes[place], round(float(shares[place]), 6)) for place in order[: max(1, top)])
        several = None if inside is None else tuple(classes[place] for place in order if inside[place])
        yield Answer(one.name, best[0][0], best[0][1], best, one.id, one.own_id, several)
