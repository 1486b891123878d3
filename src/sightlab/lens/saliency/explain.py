"""Explains a trained network's answers, and checks whether the explanations may be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightlab.data.fit_shape import Fitting
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.pictures.decode import Decoding
from sightlab.data.read_options import ReadWords
from sightlab.data.unlabelled.given_images import Given, given_pictures
from sightlab.data.unlabelled.picture_input import Wanted
from sightlab.errors import DataError, suggestion
from sightlab.evaluation import bundle_of, recipe_words, shape_of
from sightlab.inference import predictions
from sightlab.lens.anatomy import Anatomy, anatomy_of
from sightlab.lens.saliency.checks import check_method
from sightlab.lens.saliency.choose import Choice, choose
from sightlab.lens.saliency.methods import METHODS
from sightlab.lens.saliency.target import Target, predicted
from sightlab.lens.subject import Subject, Tick, evenly, subject_of
from sightlab.metrics.examples import least_confident_hits, most_confident_errors, surest_hits
from sightlab.models.classifier import Classifier
from sightlab.records import Predictions, Run
from sightlab.records.explained import Explained, Explanations
from sightlab.records.explanations import Check
from sightlab.store.bundle import Bundle, open_model
from sightlab.training.device import choose_device, own_process

MISTAKES, UNCERTAIN, TYPICAL, GIVEN = "mistake", "uncertain", "typical", "given"
EACH = 8  # images of a group
MOST_CLASSES = 12  # of which a typical image is shown
BATCH = 32
CHECKED = 24  # images that the check looks at


@dataclass(frozen=True, eq=False)
class Shown:
    """Images to explain, as the network sees them. names, groups, labels: N each; a label is "" where not known."""

    pixels: NDArray[np.uint8]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[str, ...]


def explain(
    run: Run | Bundle | str | Path,
    pictures: Given | Sequence[Given] | None = None,
    *,
    data: str | Path | None = None,
    class_name: str | None = None,
    method: str | None = None,
    check: bool = True,
    model: nn.Module | None = None,
    device: str = "auto",
    home: Path | None = None,
    progress: Progress | None = None,
    tick: Tick | None = None,
    **read: Unpack[ReadWords],
) -> Explanations:
    """Where in images a run's answers come from, and whether the method may be believed for its network.

    pictures: as `sightlab.predict` takes them. Without pictures, images of the validation split, or of the labelled
    source `data`, are shown: the most confident mistakes, the least confident hits and the surest hit of each class;
    the test split stays sealed. class_name: explain this class instead of the predicted one. method: a name of METHODS;
    None takes the one that suits the network. check: hold the method against baselines on images of the validation
    split or of `data`; of a bundle alone, on the pictures. model: the network, where it is the user's own code.

    Raises SightlabError: a method that the network has no activations for, a class that it does not know, pictures that
    cannot be read.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sightlab.explain(sightlab.train(tiny, home=folder), check=False)
    >>> found.method, found.images[0].group, found.images[0].values.shape
    ('grad-cam', 'mistake', (28, 28))
    """
    bundle = bundle_of(run, home)
    chosen = choose_device(device)
    explained = None if class_name is None else class_number(class_name, bundle.facts.classes)
    notes: list[str] = []
    with own_process():
        subject = None
        if pictures is None or data is not None or (check and bundle.run_folder):
            subject = subject_of(bundle, data, limit=None, model=model, device=device, progress=progress, **read)
        classifier = subject.classifier if subject else opened(bundle, model, chosen)
        if pictures is not None:
            shown = given_images(bundle, pictures, notes)
        else:
            assert subject is not None
            shown = worth_a_look(subject)
        height, width, channels = shape_of(bundle)
        anatomy = subject.anatomy if subject else anatomy_of(classifier.net, (channels, height, width))
        choice = choose(anatomy, method)
        images = explained_images(classifier, shown, choice, anatomy, bundle.facts.classes, explained, tick)
        checked = None
        if check:
            looked_at = subject.images.gather(evenly(subject.images.labels, CHECKED)) if subject else shown.pixels
            checked = checked_method(classifier, looked_at[:CHECKED], choice, anatomy)
    return found_of(bundle.name, choice, images, checked, (*choice.notes, *notes))


def found_of(
    name: str, choice: Choice, images: Sequence[Explained], checked: Check | None, notes: Sequence[str]
) -> Explanations:
    """Explained images and the check of their method as one record."""
    return Explanations(
        subject=name,
        method=choice.method,
        layer=choice.stage.module if choice.stage else "",
        images=tuple(images),
        notes=(*notes, *(checked.notes if checked else ())),
        check=checked.to_json() if checked else None,
        verdict=checked.verdict if checked else "",
    )


def opened(bundle: Bundle, model: nn.Module | None, device: torch.device) -> Classifier:
    """A bundle's classifier on the device."""
    return open_model(bundle, model).to(device).to(memory_format=torch.channels_last)


def class_number(name: str, classes: Sequence[str]) -> int:
    """The number of a class by its name. Raises DataError for a name that is none."""
    if name not in classes:
        raise DataError(f"--class {name}: the run has no such class; {suggestion(name, classes)}")
    return list(classes).index(name)


def given_images(bundle: Bundle, pictures: Given | Sequence[Given], notes: list[str]) -> Shown:
    """The user's pictures as the network sees them. Raises DataError for none, or what cannot be read."""
    fitting = Fitting(shape_of(bundle))
    decoding = Decoding(bit_depth=recipe_words(bundle).get("bit_depth"))
    found = list(given_pictures(pictures, Wanted(fitting.shape, decoding, on_note=notes.append)))
    if not found:
        raise DataError("no pictures are given to explain")
    pixels = np.stack([fitting.fitted(one.name, one.pixels) for one in found])
    notes += fitting.notes()
    count = len(found)
    return Shown(pixels, tuple(one.name for one in found), (GIVEN,) * count, ("",) * count)


def worth_a_look(subject: Subject) -> Shown:
    """The images of a labelled set that say most: confident mistakes, uncertain hits, the surest hit of each class."""
    answers = predictions(subject.classifier, subject.images, subject.device)
    return shown_of(subject.images, answers, f"{subject.source.removeprefix('validation split of ')}")


def shown_of(images: ImageSet, answers: Predictions, source: str) -> Shown:
    """The images worth a look of a set, by the network's answers to it. source: what the images are called."""
    rows = {
        MISTAKES: most_confident_errors(answers, EACH),
        UNCERTAIN: least_confident_hits(answers, EACH),
        TYPICAL: surest_hits(answers, MOST_CLASSES),
    }
    every = np.concatenate(list(rows.values()))
    groups = tuple(group for group, chosen in rows.items() for _ in chosen)
    labels = tuple(answers.classes[answers.labels[row]] for row in every)
    return Shown(images.gather(every), tuple(f"{source} {row}" for row in every), groups, labels)


def explained_images(
    classifier: Classifier,
    shown: Shown,
    choice: Choice,
    anatomy: Anatomy,
    classes: Sequence[str],
    explained: int | None = None,
    tick: Tick | None = None,
) -> list[Explained]:
    """The explanation of each image's predicted class, or of the class `explained`."""
    device = next(classifier.buffers()).device
    found: list[Explained] = []
    for start in range(0, len(shown.pixels), BATCH):
        rows = slice(start, start + BATCH)
        pixels = torch.from_numpy(shown.pixels[rows]).to(device)
        with torch.inference_mode():
            shares = classifier(pixels).softmax(1).cpu().numpy()
        answers = shares.argmax(1)
        asked = answers if explained is None else np.full(len(answers), explained)
        target = Target(classifier, pixels, torch.from_numpy(asked).to(device), anatomy, choice.stage)
        maps = METHODS[choice.method].run(target).cpu().numpy().astype(np.float32)
        for place, values in enumerate(maps):
            row = start + place
            found.append(
                Explained(
                    name=shown.names[row],
                    group=shown.groups[row],
                    pixels=shown.pixels[row],
                    values=values,
                    label=shown.labels[row],
                    predicted=classes[answers[place]],
                    probability=float(shares[place, answers[place]]),
                    explained=classes[asked[place]],
                    share=float(shares[place, asked[place]]),
                )
            )
        if tick:
            tick(len(found), len(shown.pixels))
    return found


def checked_method(
    classifier: Classifier, pixels: NDArray[np.uint8], choice: Choice, anatomy: Anatomy, tick: Tick | None = None
) -> Check:
    """The check of a method on some images, for the classes that the network predicts. pixels: uint8 [N, H, W, C]."""
    device = next(classifier.buffers()).device
    images = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    target = Target(classifier, images, predicted(classifier, images), anatomy, choice.stage)
    method = METHODS[choice.method]
    return check_method(choice.method, method.run, target, completeness=method.completeness, tick=tick)
