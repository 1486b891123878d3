"""A trained network and the labelled images that it is looked at with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import nn

from sightlab.data.content_hash import content_of
from sightlab.data.imageset import ImageSet, Progress
from sightlab.data.labelled import labelled_images
from sightlab.data.read_options import ReadWords
from sightlab.data.splits import fingerprints
from sightlab.errors import RunError
from sightlab.evaluation import bundle_of, matched, recipe_words, refuse_sealed, shape_of
from sightlab.lens.anatomy import Anatomy, anatomy_of
from sightlab.models.classifier import Classifier
from sightlab.models.pretrained_networks import is_pretrained, pretrained_network
from sightlab.records import Run
from sightlab.store.bundle import Bundle, open_model
from sightlab.store.run_folder import read_facts, recipe_in
from sightlab.training.device import choose_device
from sightlab.training.prepare import splits_of

Tick = Callable[[int, int], None]
IMAGES = 1000  # that an analysis looks at, unless it is told another number


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and images of its own classes and shape.

    name: what to call it, a run's id or a model's name. classifier: in eval mode, on the device; takes uint8 or float
    [N, H, W, C] with values from 0 to 255. images: labelled with places in `classes`. source: what the images are, in
    words; data: the source that was named, None for the validation split. outputs: the names of what the network tells
    apart; () where it gives features and not logits. notes: what was left out or changed, a line each.
    """

    name: str
    classifier: Classifier
    images: ImageSet
    device: torch.device
    source: str
    outputs: tuple[str, ...]
    data: str | Path | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def net(self) -> nn.Module:
        """The network inside: takes normalised float32 [N, C, H, W]."""
        return self.classifier.net

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the images' classes."""
        return self.images.classes

    @property
    def labelled(self) -> bool:
        """Whether the labels are places among the network's outputs, so that answers can be right or wrong."""
        return self.outputs == self.images.classes

    @cached_property
    def anatomy(self) -> Anatomy:
        """Where its activations lie on a grid. Raises ModelError for a network that cannot be traced."""
        height, width, channels = self.images.shape
        return anatomy_of(self.net, (channels, height, width))


def subject_of(
    run: Run | Bundle | str | Path,
    data: str | Path | None = None,
    *,
    limit: int | None = IMAGES,
    model: nn.Module | None = None,
    device: str = "auto",
    home: Path | None = None,
    progress: Progress | None = None,
    **read: Unpack[ReadWords],
) -> Subject:
    """A run's network with images of its validation split, or with those of a labelled source.

    The test split stays sealed: a source that holds it is refused. run: a run, what names one, or a network that others
    trained (`pretrained/NAME`, `timm/NAME`), which needs `data`. data: a source, read as `sightlab test` reads it.
    limit: the most images, drawn evenly over the classes and always the same ones; None takes all. model: the network,
    where it is the user's own code. Raises SightlabError: validation images that are gone or are others now, a source
    of other classes or without labels.
    """
    if isinstance(run, str) and is_pretrained(run):
        return pretrained_subject(run, data, limit, device, progress, **read)
    bundle = bundle_of(run, home)
    chosen = choose_device(device)
    notes: list[str] = []
    if data is None:
        images, source = validation_of(bundle, progress)
    else:
        images, remarks = labelled_images(data, shape_of(bundle), recipe_words(bundle), read, progress)
        notes += remarks
        images, source = matched(images, bundle, str(data), notes), str(data)
        refuse_sealed(fingerprints(images), bundle, str(data), None)
    images = limited(images, limit, source, notes)
    classifier = open_model(bundle, model).to(chosen).to(memory_format=torch.channels_last)
    return Subject(bundle.name, classifier, images, chosen, source, bundle.facts.classes, data, tuple(notes))


def pretrained_subject(
    name: str,
    data: str | Path | None,
    limit: int | None,
    device: str,
    progress: Progress | None,
    **read: Unpack[ReadWords],
) -> Subject:
    """A network that others trained, with the images of a source at its size.

    Where each class of the source is one of the network's, by name, labels are places among its outputs; else they are
    the source's own, and no answer is right or wrong.
    """
    if data is None:
        raise RunError(f"{name}: has no validation split of its own; name labelled images with --data SOURCE")
    network = pretrained_network(name)
    chosen = choose_device(device)
    words: ReadWords = {"size": network.size, "channels": 3, **read}
    images, remarks = labelled_images(data, (network.size, network.size, 3), {}, words, progress)
    notes = [f"{name}: {network.about}; licence {network.licence}", *remarks]
    if set(images.classes) <= set(network.outputs):
        table = np.array([network.outputs.index(one) for one in images.classes], np.int64)
        images = images.relabelled(table[images.labels], network.outputs)
    elif network.outputs:
        notes.append(f"{data}: its classes are not the network's, so no answer is right or wrong")
    images = limited(images, limit, str(data), notes)
    classifier = network.classifier.to(chosen).to(memory_format=torch.channels_last)
    return Subject(name, classifier, images, chosen, str(data), network.outputs, data, tuple(notes))


def limited(images: ImageSet, limit: int | None, source: str, notes: list[str]) -> ImageSet:
    """At most so many of the images, even over the classes; a note says so."""
    if limit is None or len(images) <= limit:
        return images
    notes.append(f"{source}: {limit:,} of {len(images):,} images are looked at")
    return images.take(evenly(images.labels, limit))


def validation_of(bundle: Bundle, progress: Progress | None = None) -> tuple[ImageSet, str]:
    """The validation split that a run was selected on, and what to call it.

    Raises RunError for a bundle without its run, data given from Python, and images that are others now; DataError for
    a source that is gone.
    """
    folder = bundle.run_folder
    if folder is None:
        raise RunError(f"{bundle.folder}: a bundle without its run, which has no validation split; name --data SOURCE")
    facts = read_facts(folder)
    recipe, _ = recipe_in(folder)
    if facts.get("data", {}).get("source") == "arrays":
        raise RunError(f"{folder.name}: its images were given from Python and are not kept; name --data SOURCE")
    images = splits_of(recipe.data, progress=progress).validation
    if facts.get("validation_key") not in (None, content_of(images)):
        raise RunError(
            f"{recipe.data.source}: its images are no longer those that run {folder.name} was validated on; "
            "name other labelled images with --data SOURCE"
        )
    return images, f"validation split of {recipe.data.source}"


def evenly(labels: np.ndarray, count: int) -> np.ndarray:
    """Places of `count` images, as even over the classes as their numbers allow, in order; the same ones every time.

    labels: int64 [N]. Gives int64 [count].

    >>> evenly(np.array([0, 0, 0, 1, 1, 1]), 4).size
    4
    """
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(len(labels))
    order = np.argsort(labels[shuffled], kind="stable")
    ranked = labels[shuffled][order]
    rank = np.arange(len(labels)) - np.searchsorted(ranked, ranked)  # of each image within its class
    first = np.argsort(rank, kind="stable")[:count]
    return np.sort(shuffled[order][first])
