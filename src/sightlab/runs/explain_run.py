"""What a run looks at: explained at its end on test images that it keeps, checked on its validation split."""

from __future__ import annotations

import numpy as np
import torch

from sightlab.data.imageset import ImageSet
from sightlab.errors import ModelError
from sightlab.lens.anatomy import Anatomy, anatomy_of
from sightlab.lens.saliency.choose import Choice, choose
from sightlab.lens.saliency.explain import (
    CHECKED,
    MISTAKES,
    TYPICAL,
    Shown,
    checked_method,
    explained_images,
    found_of,
)
from sightlab.lens.saliency.methods import METHODS
from sightlab.lens.saliency.target import Target, predicted
from sightlab.lens.subject import evenly
from sightlab.metrics.examples import most_confident_errors, surest_hits
from sightlab.models.classifier import Classifier
from sightlab.records import Predictions
from sightlab.records.explained import Explanations
from sightlab.training.device import seconds_of

EACH = 8  # images of a group
BUDGET = 1.5  # seconds that the check may take
LEAST = 8  # images of a check
PASSES, CALLS = 58, 5  # forward passes, and calls of the method, that the check costs (`check_method`)


def explain_run(
    classifier: Classifier, test: Predictions, test_images: ImageSet, validation: ImageSet, name: str
) -> Explanations | None:
    """Explain a few test images of a finished run: confident mistakes and sure hits; None for a network without maps.

    The method is checked on as many validation images as the check can look at in its budget; fewer than LEAST leave
    it to `sightlab explain`, which a note says. name: the run's id.
    """
    height, width, channels = test_images.shape
    try:
        anatomy = anatomy_of(classifier.net, (channels, height, width))
        choice = choose(anatomy)
    except ModelError:  # a network that cannot be traced, as a scripted one
        return None
    rows = {MISTAKES: most_confident_errors(test, EACH), TYPICAL: surest_hits(test, EACH)}
    every = np.concatenate(list(rows.values()))
    if not len(every):
        return None
    shown = Shown(
        test_images.gather(every),
        tuple(f"test image {row}" for row in every),
        tuple(group for group, chosen in rows.items() for _ in chosen),
        tuple(test.classes[test.labels[row]] for row in every),
    )
    was_training = classifier.training
    classifier.eval()
    try:
        images = explained_images(classifier, shown, choice, anatomy, test.classes)
        count = affordable(classifier, validation, choice, anatomy)
        if not count:
            later = f"the method was not checked, which would take a while; `sightlab explain {name}` checks it"
            return found_of(name, choice, images, None, (*choice.notes, later))
        pixels = validation.gather(evenly(validation.labels, count))
        return found_of(name, choice, images, checked_method(classifier, pixels, choice, anatomy), choice.notes)
    finally:
        classifier.train(was_training)


def affordable(classifier: Classifier, validation: ImageSet, choice: Choice, anatomy: Anatomy) -> int:
    """How many images the check can look at within its budget: CHECKED, fewer, or none if not LEAST."""
    device = next(classifier.buffers()).device
    rows = evenly(validation.labels, min(LEAST, len(validation)))
    images = torch.from_numpy(validation.gather(rows)).to(device)
    target = Target(classifier, images, predicted(classifier, images), anatomy, choice.stage)
    METHODS[choice.method].run(target)  # warms up
    forward = seconds_of(lambda: predicted(classifier, images))
    method = seconds_of(lambda: METHODS[choice.method].run(target))
    each = (PASSES * forward + CALLS * method) / len(rows)
    count = min(CHECKED, len(validation), int(BUDGET / each))
    return count if count >= LEAST else 0
