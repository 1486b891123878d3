"""A trained model on labelled data it never saw: matched by class name, opened on the record, scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sightlab import metrics
from sightlab.data.class_mapping import map_classes, stranger_line
from sightlab.data.content_hash import content_of
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.labelled import in_shape, labelled_images
from sightlab.data.read_options import ReadWords
from sightlab.data.splits import fingerprints
from sightlab.errors import DataError, RunError, one_line
from sightlab.inference import predictions
from sightlab.records import ClassScore, Predictions, Run, Score
from sightlab.store.bundle import (
    OPENINGS,
    Bundle,
    open_model,
    read_bundle,
    record_opening,
    sealed_images,
    seen_images,
)
from sightlab.store.database.upsert import record
from sightlab.store.run_folder import locate
from sightlab.training.device import choose_device, own_process

SEALED_SHARE = 0.1
READ_AS_TRAINED = ("size", "channels", "bit_depth", "shape")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an evaluation. seen: how many of its images the model has trained on or was selected on. notes: a
    line each.

    >>> made = Predictions(np.eye(2, dtype=np.float32), np.arange(2), np.arange(2), ("cat", "dog"))
    >>> Evaluation(metrics.score(made), tuple(metrics.class_scores(made)), made, seen=0, notes=()).score.correct
    2
    """

    score: Score
    classes: tuple[ClassScore, ...]
    predictions: Predictions
    seen: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.score)

    def _repr_html_(self) -> str:
        return self.score._repr_html_()


def bundle_of(run: Run | Bundle | str | Path, home: Path | None = None) -> Bundle:
    """The bundle of a run, in whatever form it is named; ids are looked for in `home`. Raises RunError."""
    if isinstance(run, Bundle):
        return run
    try:
        return read_bundle(run.folder if isinstance(run, Run) else locate(str(run), home))
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, the folder of nobody, a NUL
        reason = getattr(error, "strerror", None) or one_line(error)
        raise RunError(f"no run {one_line(run)[:80]!r}: {reason}") from error


def evaluate(
    run: Run | Bundle | str | Path,
    data: ImageSet | str | Path,
    *,
    open_test: str | None = None,
    model: nn.Module | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    tick: Callable[[int, int], None] | None = None,
    **read: Unpack[ReadWords],
) -> Evaluation:
    """Score a run's model on labelled data, and put the opening on record beside its bundle.

    data: an ImageSet, or a source; of a source that is divided, its test split. Classes are matched by name, by a name
    that differs in case, blanks or Unicode form alone, or by number where one side has numbers for names; data of one
    class, and data that lack some classes, are scored. Images of another size are resized (shorter side, then centre
    crop) and brought to the model's channels. read: how the source is read, as `sightlab.load_data` takes it; size,
    channels, bit_depth and shape are the run's own unless given. open_test: why the run's own test split is opened once
    more; without a reason it stays sealed. Raises DataError for data without labels, and when classes, size or channels
    do not fit; RunError for a sealed split.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sightlab.evaluate(sightlab.train(tiny, home=folder), "fashion-mini:test", open_test="an example")
    >>> found.score.count, [one.name for one in found.classes][:2], found.seen
    (2000, ['T-shirt/top', 'Trouser'], 0)
    """
    bundle = bundle_of(run)
    chosen = choose_device(device)
    if isinstance(data, ImageSet):
        (images, remarks), source = in_shape(data, shape_of(bundle)), "arrays"
    else:
        images, remarks = labelled_images(data, shape_of(bundle), recipe_words(bundle), read, progress)
        source = str(data)
    notes = list(remarks)
    images = matched(images, bundle, source, notes)
    prints = fingerprints(images)
    refuse_sealed(prints, bundle, source, open_test)
    with own_process():
        classifier = open_model(bundle, model).to(chosen)
        found = predictions(classifier, images, chosen, tick=tick)
    check_logits(found.logits, bundle)
    openings = opened_once_more(bundle, images, source, open_test)
    notes += on_record(bundle)
    seen = int(np.isin(prints, seen_images(bundle)).sum())
    return Evaluation(
        metrics.score(found, openings=openings), tuple(metrics.class_scores(found)), found, seen, tuple(notes)
    )


def refuse_sealed(prints: NDArray[np.uint64], bundle: Bundle, source: str, reason: str | None) -> None:
    """Raises RunError where a tenth of the images or more are of the run's own test split, and no reason is given.

    Below that they are taken for data of its own: large sets do hold a few pictures of each other.
    """
    checked_reason(reason)
    sealed = int(np.isin(prints, sealed_images(bundle)).sum())
    if reason is None and sealed >= max(1, SEALED_SHARE * len(prints)):
        raise RunError(
            f"{source}: {sealed:,} of these {len(prints):,} images are the run's sealed test split, opened for "
            "its final score; test on other data, or say why it is opened again: --open-test 'the reason'"
        )


def checked_reason(reason: str | None) -> None:
    """Raises RunError for a reason that says nothing. None is none, and asks for nothing."""
    if reason is not None and not reason.strip():
        raise RunError("--open-test: give a reason, such as --open-test 'the reviewers asked for it'")


def on_record(bundle: Bundle) -> list[str]:
    """Put the new count of openings beside the run in the database, where the bundle lies in a run's folder.

    Gives a note where that cannot be done: the bundle's own record counts all the same.
    """
    if not (bundle.folder.parent / "run.json").is_file():
        return []
    try:
        record(bundle.folder.parent)
    except RunError as error:
        return [f"{error}; the opening is on record beside the model alone"]
    return []


def recipe_words(bundle: Bundle) -> ReadWords:
    """The words of the run's own recipe that say how its images were made. Raises RunError for a damaged bundle."""
    asked = bundle.facts.recipe.get("data")
    words = {key: asked.get(key) for key in READ_AS_TRAINED} if isinstance(asked, dict) else {}
    words["bit_depth"] = bundle.facts.bit_depth or words.get("bit_depth")
    for key, value in words.items():
        kind = str if key == "shape" else int
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise RunError(f"{bundle.folder / 'bundle.json'}: damaged: recipe.data.{key} is {str(value)[:40]!r}")
    return cast("ReadWords", {key: value for key, value in words.items() if value is not None})


def matched(images: ImageSet, bundle: Bundle, source: str, notes: list[str]) -> ImageSet:
    """The images under the bundle's class numbers. Raises DataError where they do not fit."""
    facts = bundle.facts
    wanted = shape_of(bundle)
    if images.shape != wanted:
        shown, needs = (" x ".join(str(n) for n in shape) for shape in (images.shape, wanted))
        raise DataError(f"{source}: images are {shown} (height x width x channels); the model was trained on {needs}")
    found = map_classes(images, facts.classes)
    if line := stranger_line(source, images, found, facts.classes):
        raise DataError(line)
    if found.note:
        notes.append(f"{source}: {found.note}")
    table = np.array([found.indices.get(name, 0) for name in images.classes], np.int64)
    relabelled = images.relabelled(table[images.labels], facts.classes)
    missing = int((relabelled.counts() == 0).sum())
    if missing:
        notes.append(f"{source}: {missing:,} of the model's {len(facts.classes):,} classes have no image here")
    return relabelled


def shape_of(bundle: Bundle) -> tuple[int, int, int]:
    """Height, width and channels of the images that a bundle's model takes."""
    return bundle.facts.height, bundle.facts.width, bundle.facts.channels


def check_logits(logits: NDArray[np.float32], bundle: Bundle) -> None:
    """Raises RunError for answers that are no numbers."""
    if not np.isfinite(logits).all():
        raise RunError(f"{bundle.folder}: its model answers NaN or infinity; the weights are damaged, or diverged")


def opened_once_more(bundle: Bundle, images: ImageSet, source: str, reason: str | None) -> int:
    """Put an opening on record. Gives how often these images have been opened. Raises RunError for a damaged record."""
    try:
        return record_opening(bundle, content_of(images), source, reason or "data of the user's own")
    except ValueError as error:
        file = bundle.folder / OPENINGS
        raise RunError(f"{file}: damaged, so openings cannot be counted: {one_line(error)[:80]}; restore it") from error
