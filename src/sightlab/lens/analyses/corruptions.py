"""How much of a network's accuracy is left under common corruptions."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sightlab.charts.corruptions import BY_CORRUPTION, BY_SEVERITY, CLEAN, CORRUPTED, label_of
from sightlab.comparison.mean_interval import mean_of
from sightlab.data.batches import images_at, in_turn, labels_at
from sightlab.data.imageset import ImageSet
from sightlab.errors import DataError
from sightlab.lens.answers import batch_size, right, silent, unanswered
from sightlab.lens.corruptions.severities import LARGE, SMALL, position
from sightlab.lens.corruptions.table import CORRUPTIONS, SEVERITIES, SMALLEST, corrupt, known, too_small
from sightlab.lens.estimates import share_of
from sightlab.lens.subject import Subject, Tick
from sightlab.models.classifier import Classifier
from sightlab.records.analyses import AnalysisResult, Estimate
from sightlab.records.phrases import counted

CPU = torch.device("cpu")


def unfit(subject: Subject) -> str:
    """Why the analysis does not fit, "" where it does."""
    height, width, _ = subject.images.shape
    if min(height, width) < SMALLEST:
        return too_small(height, width)
    return unanswered(subject)


def corruptions(
    subject: Subject,
    tick: Tick = silent,
    *,
    names: Sequence[str] = tuple(CORRUPTIONS),
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
) -> AnalysisResult:
    """Accuracy on the images as they are, and under each corruption at each severity.

    Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations",
    section 4, without the division by AlexNet's error. An accuracy under corruptions is the mean over the images of the
    share of each image's answers that are right, with the interval of Student's t; that on the images as they are has
    Wilson's. The relative loss is 1 - accuracy under all / accuracy as they are: a ratio of means, with the interval of
    its linearisation (Cochran 1977, "Sampling techniques", chapter 6). names: of CORRUPTIONS. severities: from 1 to 5.
    seed: of what is random in the corruptions; every network gets the same images.

    Raises DataError for a corruption or a severity that there is not, and where none is named.
    """
    started = time.perf_counter()
    for name in names:
        for severity in severities:
            known(name, severity)
    if not names or not severities:
        raise DataError(f"no corruption or no severity is named; there are {', '.join(CORRUPTIONS)}, and 1 to 5")
    clean, hits = answers(subject.classifier, subject.images, subject.device, names, severities, seed, tick)
    per_image = {CORRUPTED: hits.mean((1, 2)), CLEAN: clean}
    per_image |= {BY_CORRUPTION + name: hits[:, place].mean(1) for place, name in enumerate(names)}
    per_image |= {f"{BY_SEVERITY}{severity}": hits[:, :, place].mean(1) for place, severity in enumerate(severities)}
    estimates = {
        name: share_of(values) if name == CLEAN else mean_of(values, share=True) for name, values in per_image.items()
    }
    notes = remarks(subject.images.shape, names)
    if clean.any():
        first = {CORRUPTED: estimates.pop(CORRUPTED), "relative_loss": relative_loss(clean, per_image[CORRUPTED])}
        estimates = first | estimates
    else:
        notes = (*notes, "No image is answered rightly as it is, so there is no accuracy to lose.")
    return AnalysisResult(
        "corruptions",
        subject.name,
        estimates=estimates,
        per_image=per_image,
        arrays={"accuracy": hits.mean(0), "severities": np.asarray(severities, np.float64)},
        tables={"Accuracy by corruption and severity (%)": table(estimates, hits.mean(0), names, severities)},
        sentences=said(estimates, names, severities),
        notes=notes,
        seconds=time.perf_counter() - started,
    )


def answers(
    classifier: Classifier,
    images: ImageSet,
    device: torch.device,
    names: Sequence[str],
    severities: Sequence[int],
    seed: int,
    tick: Tick,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 for each right answer: to the images as they are, float64 [N], and corrupted, [N, names, severities]."""
    clean = np.empty(len(images))
    hits = np.empty((len(images), len(names), len(severities)))
    total, done = len(images) * (1 + len(names) * len(severities)), 0
    for rows in in_turn(len(images), batch_size(*images.shape[:2])):
        plain, labels = images_at(images, rows, CPU), labels_at(images, rows, device)
        clean[rows] = right(classifier, plain.to(device), labels)
        done += len(rows)
        for row, name in enumerate(names):
            for column, severity in enumerate(severities):
                # A function of the images' place and of what is done to them, whatever else is asked for.
                words = [seed, int(rows[0]), list(CORRUPTIONS).index(name), severity]
                state = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)
                changed = corrupt(plain, name, severity, torch.Generator().manual_seed(state))
                hits[rows, row, column] = right(classifier, changed.to(device), labels)
                done += len(rows)
                tick(done, total)
    return clean, hits


def relative_loss(clean: NDArray[np.float64], corrupted: NDArray[np.float64]) -> Estimate:
    """The share of the accuracy that is lost: 1 - mean(corrupted) / mean(clean), both [N] over the same images."""
    from scipy.special import stdtrit

    count = len(clean)
    kept = float(corrupted.mean() / clean.mean())
    if count == 1:
        return Estimate(1 - kept, count=1, share=True)
    residuals = (corrupted - kept * clean) / clean.mean()
    half = float(stdtrit(count - 1, 0.975) * residuals.std(ddof=1) / math.sqrt(count))
    return Estimate(1 - kept, 1 - kept - half, 1 - kept + half, count, share=True)


def table(
    estimates: Mapping[str, Estimate], accuracy: NDArray[np.float64], names: Sequence[str], severities: Sequence[int]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and rows: a corruption each, its accuracy at each severity, their mean and its interval, in per cent."""
    header = ("corruption", *(f"severity {severity}" for severity in severities), "mean", "95 % interval")
    rows = []
    for name, values in zip(names, accuracy, strict=True):
        one = estimates[BY_CORRUPTION + name]
        interval = "" if one.low is None or one.high is None else f"{100 * one.low:.1f} to {100 * one.high:.1f}"
        rows.append((label_of(name), *(f"{100 * value:.1f}" for value in values), f"{100 * one.value:.1f}", interval))
    return header, tuple(rows)


def said(estimates: Mapping[str, Estimate], names: Sequence[str], severities: Sequence[int]) -> tuple[str, ...]:
    """What it comes to, in words."""
    over = counted(len(names), "corruption") + f" at {counted(len(severities), 'severity', 'severities')}"
    lost = estimates.get("relative_loss")
    share = "" if lost is None else f"; {lost.value:.1%} of the accuracy is lost"
    found = [
        f"Accuracy is {estimates[CLEAN].value:.1%} on the images as they are and {estimates[CORRUPTED].value:.1%} on "
        f"average over {over}{share}."
    ]
    if len(names) > 1:
        ranked = sorted(names, key=lambda name: estimates[BY_CORRUPTION + name].value)
        worst, best = (f"{label_of(n)} ({estimates[BY_CORRUPTION + n].value:.1%})" for n in (ranked[0], ranked[-1]))
        found.append(f"It is lowest under {worst} and highest under {best}.")
    return tuple(found)


def remarks(shape: tuple[int, int, int], names: Sequence[str]) -> tuple[str, ...]:
    """What a reader must know of how it was measured."""
    height, width, channels = shape
    share = position(min(height, width))
    if share == 0:
        constants = f"those published for images of {SMALL} pixels (CIFAR-10-C)"
    elif share == 1:
        constants = f"those published for images of {LARGE} pixels (ImageNet-C)"
    else:
        constants = (
            f"{share:.0%} of the way, on a logarithmic scale of the size, from those published for images of {SMALL} "
            f"pixels (CIFAR-10-C) to those for {LARGE} (ImageNet-C)"
        )
    notes = [f"Images of {height} x {width} pixels; the corruptions' constants are {constants}."]
    if "frost" in names:
        notes.append("Frost is drawn with computed textures, not with the published photographs.")
    if channels not in (1, 3):
        notes.append(f"The corruptions are published for colour; images of {channels} channels are treated alike.")
    return tuple(notes)
