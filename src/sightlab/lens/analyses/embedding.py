"""A map of the images as a network sees them: its penultimate features in two dimensions."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.mean_interval import mean_of
from sightlab.errors import ModelError, suggestion
from sightlab.lens.answers import silent
from sightlab.lens.estimates import share_of
from sightlab.lens.penultimate import feature_layer, penultimate_features
from sightlab.lens.subject import Subject, Tick, evenly
from sightlab.lens.thumbnails import thumbnails
from sightlab.records.analyses import AnalysisResult, Curve

NEIGHBOURS = 5
FEWEST = 10  # images of a map
PICTURES, PICTURE_SIDE = 120, 24  # that are shown on the map at most; pixels of the longer side
APART = 0.045  # of the map's sides: two pictures are at least as far apart
CHUNK = 512  # images whose distances to all others are held at once
Map = tuple[NDArray[np.float64], NDArray[np.float64]]
EXTRA = "pip install 'sightlab[embedding]'"


def unfit(subject: Subject) -> str:
    """Why the analysis does not fit, "" where it does."""
    if len(subject.images) < FEWEST:
        return f"a map of {len(subject.images)} images shows nothing; it takes {FEWEST} or more"
    try:
        feature_layer(subject)
    except ModelError as error:
        return str(error)
    return ""


def embedding(subject: Subject, tick: Tick = silent, *, method: str = "pca", seed: int = 0) -> AnalysisResult:
    """The penultimate features on a map, and how well they keep the classes apart.

    Features: the input of the last linear layer or convolution that runs, averaged over places; the outputs of a
    network that gives features. Figures are of the features themselves, by Euclidean distance, not of the map:
    `neighbour_accuracy`, the share of images whose class is that of most of their 5 nearest other images (ties go to
    the nearest among them), and `silhouette` (Rousseeuw 1987, equations 1 to 3; images alone in their class count 0),
    averaged over images.

    method: pca (the two directions of most variance), or tsne (van der Maaten & Hinton 2008, by openTSNE with its
    defaults). seed: of tsne. Raises ModelError for another method, and for tsne without openTSNE.
    """
    started = time.perf_counter()
    if method not in MAPS:
        raise ModelError(f"unknown method {method!r}; {suggestion(method, MAPS)}")
    make, layer = MAPS[method], feature_layer(subject)
    features = penultimate_features(subject, layer, tick)
    labels = subject.images.labels
    positions, variance = make(features, seed)
    order, silhouettes = neighbours_and_silhouettes(features, labels)
    right = (voted(labels[order]) == labels).astype(np.float64)
    per_image = {"neighbour_accuracy": right, "silhouette": silhouettes}
    present = np.unique(labels)
    estimates = {"neighbour_accuracy": share_of(right)}
    if len(present) > 1:
        estimates["silhouette"] = mean_of(silhouettes)
    shown = spread_out(positions, labels)
    where = f"the input of {layer}" if layer else "the network's outputs"
    classes = tuple(
        Curve(subject.classes[label], *(tuple(axis.tolist()) for axis in positions[labels == label].T))
        for label in present
    )
    return AnalysisResult(
        "embedding",
        subject.name,
        estimates=estimates,
        curves={"map": classes},
        per_image={name: values for name, values in per_image.items() if name in estimates},
        arrays={
            "variance": variance,
            "pictures": thumbnails(subject.images, shown, PICTURE_SIDE),
            "picture_positions": positions[shown],
            "picture_classes": np.searchsorted(present, labels[shown]).astype(np.float64),
        },
        sentences=(
            f"{right.mean():.1%} of the images have the class of most of their {NEIGHBOURS} nearest neighbours among "
            "its features.",
        ),
        notes=(
            f"Features of {subject.name}: {where}, {features.shape[1]:,} numbers an image. The figures are of them, "
            "not of the map.",
            *(() if variance.size else ("t-SNE keeps neighbours together; distances between groups mean little.",)),
        ),
        seconds=time.perf_counter() - started,
    )


def pca(features: NDArray[np.float32], _seed: int = 0) -> Map:
    """The first two principal components, float64 [N, 2], and the share of the variance that each holds, [2].

    features: [N, D]. A component's sign is such that its largest value is above 0. Where there is but one, the second
    is 0.
    """
    from scipy.linalg import eigh

    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    wide = centred.shape[1] > centred.shape[0]
    products = centred @ centred.T if wide else centred.T @ centred
    size = len(products)
    values, vectors = eigh(products, subset_by_index=[max(0, size - 2), size - 1])
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    scores = vectors * np.sqrt(values) if wide else centred @ vectors
    largest = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    scores = scores * np.where(largest < 0, -1.0, 1.0)
    positions = np.zeros((len(centred), 2))
    positions[:, : scores.shape[1]] = scores
    shares = np.zeros(2)
    shares[: len(values)] = values / max(float(np.trace(products)), np.finfo(float).tiny)
    return positions, shares


def tsne(features: NDArray[np.float32], seed: int = 0) -> Map:
    """The map of t-SNE, float64 [N, 2], whose axes hold no share of the variance. features: [N, D].

    The perplexity is openTSNE's 30, less for fewer than 91 images. Raises ModelError without openTSNE.
    """
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise ModelError(f"t-SNE needs the package openTSNE; {EXTRA}") from error
    perplexity = min(30.0, (len(features) - 1) / 3)
    found = TSNE(perplexity=perplexity, random_state=seed, neighbors="exact").fit(features.astype(np.float64))
    return np.asarray(found, np.float64), np.empty(0)


MAPS: dict[str, Callable[[NDArray[np.float32], int], Map]] = {"pca": pca, "tsne": tsne}


def neighbours_and_silhouettes(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest other images, the nearest first, int64 [N, 5 or N - 1], and silhouettes, float64 [N].

    features: [N, D]. labels: int64 [N]. Distances are Euclidean; of equal ones the earlier image is nearer.
    """
    values = features.astype(np.float64)
    values -= values.mean(axis=0)
    squares = (values**2).sum(axis=1)
    _, own = np.unique(labels, return_inverse=True)
    counts = np.bincount(own)
    members = np.eye(len(counts))[own]
    nearest = np.empty((len(values), min(NEIGHBOURS, len(values) - 1)), np.int64)
    silhouettes = np.zeros(len(values))
    for start in range(0, len(values), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(values)))
        squared = squares[rows, None] + squares - 2 * values[rows] @ values.T
        squared[np.arange(len(rows)), rows] = 0
        apart = np.sqrt(squared.clip(0))
        sums = apart @ members
        if len(counts) > 1:
            inside = sums[np.arange(len(rows)), own[rows]] / np.maximum(counts[own[rows]] - 1, 1)
            means = sums / counts
            means[np.arange(len(rows)), own[rows]] = np.inf
            outside = means.min(axis=1)
            larger = np.maximum(np.maximum(inside, outside), np.finfo(float).tiny)
            silhouettes[rows] = np.where(counts[own[rows]] > 1, (outside - inside) / larger, 0.0)
        apart[np.arange(len(rows)), rows] = np.inf
        nearest[rows] = np.argsort(apart, axis=1, kind="stable")[:, : nearest.shape[1]]
    return nearest, silhouettes


def voted(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The label that most of each row have, of several the one that comes first: int64 [N]. labels: int64 [N, k].

    >>> voted(np.array([[2, 1, 1, 2, 0]]))
    array([2])
    """
    votes = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    chosen: NDArray[np.int64] = labels[np.arange(len(labels)), votes.argmax(axis=1)]
    return chosen


def spread_out(positions: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Images to show on the map, int64 [n]: even over the classes, none of them over another, at most 120."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scaled = (positions - low) / np.where(high > low, high - low, 1)
    chosen: list[int] = []
    for place in dict.fromkeys([*evenly(labels, min(PICTURES, len(labels))), *range(len(labels))]):
        if len(chosen) == PICTURES:
            break
        if not chosen or np.abs(scaled[chosen] - scaled[place]).max(axis=1).min() >= APART:
            chosen.append(int(place))
    return np.array(chosen, np.int64)
