"""The Fourier heat map (Yin et al. 2019) of 1,000 KMNIST images with MiniResNet-v4: all frequencies of 28 x 28.

KMNIST is looked for as training does (SIGHTLAB_DATA, cache, download). The network's weights are random: what an answer
costs does not depend on them. Beside it, the same number of plain answers to unchanged images: what nothing that asks
the network can be below.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median

import torch
from measure import ROUNDS, Row, in_turn

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.lens.answers import batches, right
from sightlab.lens.fourier_map import PER_VECTOR, fourier_map
from sightlab.models import build
from sightlab.models.classifier import Classifier
from sightlab.training.device import own_process, physical_cores

MODEL, IMAGES, MOST_SECONDS = "mini-resnet-v4", 1000, 60.0
CPU = torch.device("cpu")


def network(images: ImageSet) -> Classifier:
    """An untrained network for these images."""
    height, width, channels = images.shape
    net = build(MODEL, channels=channels, classes=len(images.classes), height=height, width=width)
    return Classifier(net, *images.moments()).eval().to(memory_format=torch.channels_last)


def map_seconds(classifier: Classifier, images: ImageSet) -> float:
    """How long the map takes."""
    started = time.perf_counter()
    with own_process():
        fourier_map(classifier, images, CPU)
    return time.perf_counter() - started


def answer_seconds(classifier: Classifier, images: ImageSet, answers: int) -> float:
    """How long so many answers to the images as they are take, from a tenth of them."""
    rounds = max(1, round(answers / len(images) / 10))
    started = time.perf_counter()
    with own_process():
        for _ in range(rounds):
            for _, batch, labels in batches(images, CPU):
                right(classifier, batch.float(), labels)
    return (time.perf_counter() - started) * answers / (rounds * len(images))


def rows() -> tuple[list[Row], dict[str, object]]:
    """The map beside bare answers."""
    splits = sightlab.load_data("kmnist", validation=0.5)
    images = splits.validation.take(torch.arange(IMAGES).numpy())
    classifier = network(images)
    made = fourier_map(classifier, images.take(torch.arange(8).numpy()), CPU, per_vector=1)  # warms up
    answers = len(made.frequencies) * PER_VECTOR
    sides = {
        "map": partial(map_seconds, classifier, images),
        "answers": partial(answer_seconds, classifier, images, answers),
    }
    found = in_turn(sides)
    mine, other = median(found["map"]), median(found["answers"])
    what = f"Fourier map of {IMAGES:,} KMNIST images, {MODEL}"
    row = Row(
        *("frequency", what, "sightlab", mine, "bare answers", other, "s", mine / other),
        *(f"at most {MOST_SECONDS:g} s", mine <= MOST_SECONDS, found["map"], found["answers"]),
    )
    facts = {"n": ROUNDS, "frequencies": len(made.frequencies), "images each": PER_VECTOR, "threads": physical_cores()}
    return [row], facts
