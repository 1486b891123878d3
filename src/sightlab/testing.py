"""A trained model on labelled data it never saw: matched by class name, opened on the record, scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sightlab import metrics
from sightlab.data.imageset import UNDIVIDED, ImageSet, Progress
from sightlab.data.load import load_parts
from sightlab.data.splits import fingerprints
from sightlab.errors import DataError, RunError
from sightlab.evaluation import predictions
from sightlab.records import ClassScore, Predictions, Run, Score
from sightlab.store.bundle import Bundle, open_model, read_bundle, record_opening, sealed_images, seen_images
from sightlab.store.database.writing import record
from sightlab.store.folder import locate
from sightlab.training.workers import choose_device, own_process

SEALED_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Tested:
    """What a test found. seen: how many of its images the model was trained or selected on. notes: a line each.

    >>> said = Predictions(np.eye(2, dtype=np.float32), np.arange(2), np.arange(2), ("cat", "dog"))
    >>> Tested(metrics.score(said), tuple(metrics.class_scores(said)), said, seen=0, notes=()).score.correct
    2
    """

    score: Score
    classes: tuple[ClassScore, ...]
    predictions: Predictions
    seen: int
    notes: tuple[str, ...]

    def _repr_html_(self) -> str:
        return self.score._repr_html_()


def bundle_of(run: Run | Bundle | str | Path, home: Path | None = None) -> Bundle:
    """The bundle of a run, in whatever form it is named; ids are looked for in `home`. Raises RunError."""
    if isinstance(run, Bundle):
        return run
    return read_bundle(run.folder if isinstance(run, Run) else locate(str(run), home))


def test(
    run: Run | Bundle | str | Path,
    data: ImageSet | str | Path,
    *,
    open_test: str | None = None,
    model: nn.Module | None = None,
    label: str | None = None,
    skip_broken: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    tick: Callable[[int, int], None] | None = None,
) -> Tested:
    """Score a run's model on labelled data, and put the opening on record beside its bundle.

    data: an ImageSet, or a source; of a source that is divided, its test split. Classes are matched by name, or by
    number where one side has numbers for names. open_test: why the run's own test split is opened once more; without
    a reason it stays sealed. Raises DataError when classes, size or channels do not fit, RunError for a sealed split.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tested = sightlab.test(sightlab.train(tiny, home=folder), "fashion-mini:test", open_test="an example")
    >>> tested.score.count, [one.name for one in tested.classes][:2], tested.seen
    (2000, ['T-shirt/top', 'Trouser'], 0)
    """
    bundle = bundle_of(run)
    chosen = choose_device(device)
    notes: list[str] = []
    if isinstance(data, ImageSet):
        images, source = data, "arrays"
    else:
        images, source = labelled(bundle, data, label, skip_broken, progress, notes), str(data)
    images = matched(images, bundle, source, notes)
    prints = fingerprints(images)
    refuse_sealed(prints, bundle, source, open_test)
    with own_process():
        classifier = open_model(bundle, model).to(chosen)
        said = predictions(classifier, images, chosen, tick=tick)
    openings = record_opening(bundle, content_of(images), source, open_test or "data of the user's own")
    notes += on_record(bundle)
    seen = int(np.isin(prints, seen_images(bundle)).sum())
    return Tested(metrics.score(said, openings=openings), tuple(metrics.class_scores(said)), said, seen, tuple(notes))


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


def evaluate(
    run: Run | Bundle | str | Path,
    data: ImageSet | str | Path,
    model: nn.Module | None = None,
    *,
    open_test: str | None = None,
) -> Score:
    """The score of a run's model on labelled data; `test` gives more and says what its arguments are.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=20, epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     score = sightlab.evaluate(sightlab.train(tiny, home=folder), "fashion-mini:test", open_test="an example")
    >>> score.count, score.openings
    (2000, 2)
    """
    return test(run, data, model=model, open_test=open_test).score


def labelled(
    bundle: Bundle,
    source: str | Path,
    label: str | None,
    skip_broken: bool,
    progress: Progress | None,
    notes: list[str],
) -> ImageSet:
    """The labelled images of a source, resized or recoloured only where the model's recipe did so in training."""
    asked = bundle.facts.recipe.get("data", {})
    loaded = load_parts(
        source,
        size=asked.get("size"),
        channels=asked.get("channels"),
        label=label,
        skip_broken=skip_broken,
        progress=progress,
    )
    parts = loaded.parts
    notes.extend(parts.notes)
    name = next(n for n in ("test", UNDIVIDED, "validation", "train") if n in parts.splits)
    if name != UNDIVIDED:
        notes.append(f"{source}: its {name} split is used ({len(parts.splits[name]):,} images)")
    return parts.splits[name]


def matched(images: ImageSet, bundle: Bundle, source: str, notes: list[str]) -> ImageSet:
    """The images under the bundle's class numbers. Raises DataError where they do not fit."""
    facts = bundle.facts
    wanted = (facts.height, facts.width, facts.channels)
    if images.shape != wanted:
        shown, needs = (" x ".join(str(n) for n in shape) for shape in (images.shape, wanted))
        raise DataError(f"{source}: images are {shown} (height x width x channels); the model was trained on {needs}")
    present = [images.classes[n] for n in np.flatnonzero(images.counts())]
    places = class_places(images, facts.classes)
    strangers = [name for name in present if name not in places]
    if strangers:
        raise DataError(
            f"{source}: class {strangers[0]!r} is not one the model knows ({shortened(facts.classes)}); "
            "a model can only be tested on its own classes"
        )
    if any(facts.classes[place] != name for name, place in places.items() if name in present):
        notes.append(f"{source}: classes are matched by number: {numbers_shown(facts.classes, images.classes)}")
    missing = len(facts.classes) - len(present)
    if missing:
        notes.append(f"{source}: {missing} of the model's {len(facts.classes)} classes have no image here")
    table = np.array([places.get(name, 0) for name in images.classes], np.int64)
    return images.relabelled(table[images.labels], facts.classes)


def class_places(images: ImageSet, known: tuple[str, ...]) -> dict[str, int]:
    """Each class name's place among the known ones: by name, else by number where one side's names are numbers."""
    by_name = {name: known.index(name) for name in images.classes if name in known}
    if by_name:
        return by_name
    numbers = tuple(str(n) for n in range(len(known)))
    if set(images.classes) <= set(numbers):
        return {name: int(name) for name in images.classes}
    if images.numbered and known == numbers[: len(known)] and len(images.classes) == len(known):
        return {name: place for place, name in enumerate(images.classes)}
    return {}


def numbers_shown(known: tuple[str, ...], found: tuple[str, ...]) -> str:
    """The first pairs of a match by number, for the user to check."""
    names = known if set(found) <= {str(n) for n in range(len(known))} else found
    return ", ".join(f"{number} is {name!r}" for number, name in enumerate(names[:3])) + (", ..." if names[3:] else "")


def shortened(names: tuple[str, ...], most: int = 12) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def content_of(images: ImageSet) -> str:
    """The content of a split as a hash: the same split is the same whatever file it came in."""
    digest = hashlib.sha256(images.labels.tobytes())
    prints: NDArray[np.uint64] = fingerprints(images)
    digest.update(prints.tobytes())
    return digest.hexdigest()[:32]
