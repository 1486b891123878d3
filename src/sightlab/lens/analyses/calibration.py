"""Whether a network's probabilities are right, what scaling them brings, and sets of classes that hold the true one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison.mean_interval import mean_of
from sightlab.inference import predictions
from sightlab.lens.answers import batch_size, silent, unanswered
from sightlab.lens.estimates import share_of
from sightlab.lens.subject import Subject, Tick
from sightlab.metrics import calibration_error, calibration_interval, probabilities, reliability
from sightlab.metrics.conformal import SETS, ConformalSets, calibrated_sets, least_count
from sightlab.metrics.scaling import temperature, vector_scaling
from sightlab.records import Predictions
from sightlab.records.analyses import AnalysisResult, Estimate

FEWEST = 20  # images: two halves of ten
BINS = 15
COVERAGE = 0.95
NAMES = {"plain": "as it is", "temperature": "temperature", "vector": "vector"}
Floats = NDArray[np.float64]


def unfit(subject: Subject) -> str:
    """Why probabilities cannot be judged, "" where they can."""
    if len(subject.images) < FEWEST:
        return f"{len(subject.images)} images are too few to calibrate on one half and judge on the other; {FEWEST} do"
    return unanswered(subject)


def calibration(
    subject: Subject, tick: Tick = silent, *, coverage: float = COVERAGE, bins: int = BINS, seed: int = 0
) -> AnalysisResult:
    """Calibration as the network is, with temperature and vector scaling, and conformal sets at a coverage.

    Guo et al. 2017 for scaling, `metrics.conformal` for the sets. The images are split in two halves at random;
    whatever is fitted on one half is judged on the other, so that no figure is of the images it was fitted on, except
    the temperature itself. coverage: that the sets should have, in (0, 1). bins: of confidence. seed: of the halves and
    of the resampling. Raises ValueError for a coverage outside (0, 1).
    """
    started = time.perf_counter()
    rows = batch_size(*subject.images.shape[:2])
    plain = predictions(subject.classifier, subject.images, subject.device, rows, tick)
    halves = halves_of(len(plain), seed)
    scaled, factors, notes = cross_scaled(plain, halves)
    sets = cross_sets(plain, halves, coverage, seed, notes)
    per_image: dict[str, Floats] = {}
    estimates: dict[str, Estimate] = {}
    arrays: dict[str, Floats] = {"coverage": np.array([coverage])}
    for name, logits in scaled.items():
        found = replace(plain, logits=logits)
        end = "" if name == "plain" else f"_{name}"
        low, high = calibration_interval(found, bins, seed=seed)
        estimates[f"calibration_error{end}"] = Estimate(
            calibration_error(found, bins), low, high, len(found), share=True
        )
        per_image |= {f"{figure}{end}": values for figure, values in scores_of(found).items()}
        arrays[f"reliability_{name}"] = bins_of(found, bins)
    for name, one in sets.items():
        per_image |= {f"coverage_{name}": one.hits, f"set_size_{name}": one.sizes}
        sizes = np.bincount(one.sizes.astype(np.int64), minlength=plain.logits.shape[1] + 1)
        arrays[f"sizes_{name}"] = sizes.astype(np.float64)
    shares = ("accuracy", "coverage")
    estimates |= {
        name: share_of(values) if name.startswith(shares) else mean_of(values) for name, values in per_image.items()
    }
    whole = temperature(plain.logits, plain.labels)
    if whole is not None:
        ends = (whole.low, whole.high) if np.isfinite(whole.high) else (None, None)
        estimates["temperature"] = Estimate(whole.value, ends[0], ends[1], len(plain))
    return AnalysisResult(
        "calibration",
        subject.name,
        estimates=estimates,
        per_image=per_image,
        arrays=arrays,
        tables=tables_of(estimates, scaled, sets),
        sentences=said(estimates, scaled, sets, coverage),
        notes=(*remarks(halves, factors), *notes),
        seconds=time.perf_counter() - started,
    )


def halves_of(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of two halves of the images, drawn at random, in order. int64 [count // 2] and the rest."""
    shuffled = np.random.default_rng(seed).permutation(count)
    return np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])


def cross_scaled(
    plain: Predictions, halves: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[dict[str, NDArray[np.float32]], list[float], list[str]]:
    """The logits of all images by scaling, each scaled as the other half says; the temperatures; and notes.

    Vector scaling is left out where a half has fewer images than it has parameters.
    """
    logits = {"plain": plain.logits, "temperature": np.empty_like(plain.logits)}
    factors, notes = [], []
    parameters = 2 * plain.logits.shape[1]
    if parameters <= len(halves[0]):
        logits["vector"] = np.empty_like(plain.logits)
    else:
        notes.append(
            f"Vector scaling is left out: {parameters:,} parameters cannot be told from {len(halves[0]):,} images."
        )
    for fitted, judged in (halves, halves[::-1]):
        own, labels = plain.logits[fitted], plain.labels[fitted]
        found = temperature(own, labels)
        if found is None:
            notes.append(
                "Of one half of the images no temperature is best (all of them are right, or as good as none), so it "
                "stays 1 there."
            )
        factors.append(found.value if found else 1.0)
        logits["temperature"][judged] = plain.logits[judged] / factors[-1]
        if "vector" in logits:
            factor, bias = vector_scaling(own, labels)
            logits["vector"][judged] = plain.logits[judged] * factor + bias
    return logits, factors, notes


class Judged(NamedTuple):
    """Sets of all images, float64 [N] each. hits: 1 where the set holds the true class. sizes: classes in it."""

    hits: Floats
    sizes: Floats
    halves: tuple[ConformalSets, ...]


def cross_sets(
    plain: Predictions,
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
    coverage: float,
    seed: int,
    notes: list[str],
) -> dict[str, Judged]:
    """Each image's set by method, its threshold from the other half; methods that need more images are noted."""
    shares = probabilities(plain.logits.astype(np.float64))
    sets = {}
    for method in SETS:
        least = least_count(method, coverage)
        if least > len(halves[0]):
            notes.append(
                f"{method.upper()} sets of {100 * coverage:.4g} % coverage are left out: they need {2 * least} images."
            )
            continue
        hits, sizes = np.empty(len(plain)), np.empty(len(plain))
        rules = []
        for fitted, judged in (halves, halves[::-1]):
            rule = calibrated_sets(method, shares[fitted], plain.labels[fitted], coverage, seed)
            members = rule.members(shares[judged])
            hits[judged] = members[np.arange(len(judged)), plain.labels[judged]]
            sizes[judged] = members.sum(axis=1)
            rules.append(rule)
        sets[method] = Judged(hits, sizes, tuple(rules))
        if rules[0].about:
            notes.append(f"{method.upper()}: {'; '.join(rule.about for rule in rules)}.")
    return sets


def scores_of(found: Predictions) -> dict[str, Floats]:
    """Whether each image is right, its cross-entropy in nats and its Brier score, float64 [N] each."""
    shares = probabilities(found.logits.astype(np.float64))
    rows = np.arange(len(found))
    own = shares[rows, found.labels]
    above = found.logits.astype(np.float64) - found.logits[rows, found.labels].astype(np.float64)[:, None]
    return {
        "accuracy": (found.logits.argmax(axis=1) == found.labels).astype(np.float64),
        "nll": np.logaddexp.reduce(above, axis=1),
        "brier": (shares**2).sum(axis=1) - 2 * own + 1,
    }


def bins_of(found: Predictions, bins: int) -> Floats:
    """The reliability diagram, a row for each bin that holds predictions: count, confidence, accuracy, low, high."""
    rows = [
        (one.count, one.confidence, one.accuracy, *one.interval)
        for one in reliability(found, bins)
        if one.interval is not None
    ]
    return np.array(rows, np.float64)


Table = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]


def tables_of(
    estimates: Mapping[str, Estimate], scaled: Mapping[str, object], sets: Mapping[str, Judged]
) -> dict[str, Table]:
    """Calibration by scaling, and sets by method."""
    lines = []
    for name in scaled:
        end = "" if name == "plain" else f"_{name}"
        shown = [f"{estimates[f'calibration_error{end}'].value:.2%}"]
        shown += [f"{estimates[f'{figure}{end}'].value:.4f}" for figure in ("nll", "brier")]
        lines.append((NAMES[name], *shown, f"{estimates[f'accuracy{end}'].value:.2%}"))
    header = ("scaling", "calibration error", "negative log-likelihood (nats)", "Brier score", "accuracy")
    tables: dict[str, Table] = {"Calibration before and after": (header, tuple(lines))}
    if sets:
        rows = tuple(
            (
                name.upper(),
                f"{estimates[f'coverage_{name}'].value:.2%}",
                f"{one.sizes.mean():.2f}",
                f"{int(np.median(one.sizes))}",
                f"{int(one.sizes.max())}",
                f"{(one.sizes == 1).mean():.1%}",
            )
            for name, one in sets.items()
        )
        heads = ("sets", "hold the true class", "classes on average", "median", "largest", "a single class")
        tables["Sets of classes"] = (heads, rows)
    return tables


def said(
    estimates: Mapping[str, Estimate], scaled: Mapping[str, object], sets: Mapping[str, Judged], coverage: float
) -> tuple[str, ...]:
    """What it comes to, in words."""
    error, after = estimates["calibration_error"], estimates["calibration_error_temperature"]
    lines = [
        f"The expected calibration error is {error.value:.1%} (95 % interval {error.low:.1%} to {error.high:.1%}); "
        f"with temperature scaling it is {after.value:.1%} ({after.low:.1%} to {after.high:.1%})."
    ]
    best = min(scaled, key=lambda name: estimates["nll" if name == "plain" else f"nll_{name}"].value)
    lines.append(
        {
            "plain": "No scaling lowers the negative log-likelihood.",
            "temperature": "Temperature scaling has the lowest negative log-likelihood.",
            "vector": "Vector scaling has the lowest negative log-likelihood.",
        }[best]
    )
    if sets:
        small = min(sets, key=lambda name: sets[name].sizes.mean())
        lines.append(
            f"Sets meant to hold the true class of {100 * coverage:.4g} % of the images have "
            f"{sets[small].sizes.mean():.2f} classes on average ({small.upper()}, the smallest) and hold it for "
            f"{estimates[f'coverage_{small}'].value:.1%}."
        )
    return tuple(lines)


def remarks(halves: tuple[NDArray[np.int64], NDArray[np.int64]], factors: Sequence[float]) -> tuple[str, ...]:
    """What a reader must know of how it was measured."""
    sizes = " and ".join(f"{len(half):,}" for half in halves)
    return (
        f"Scaling and sets are fitted on one half of the images and judged on the other, both ways ({sizes} images; "
        f"temperatures {factors[0]:.3f} and {factors[1]:.3f}). The figure `temperature` is fitted on all of them.",
        "Intervals: calibration error, resampling; shares, Wilson; the others, Student's t; temperature, sandwich "
        "variance. They hold for the thresholds and temperatures that were found.",
        "Images that a run's best epoch was chosen by are a little easier for it than new ones.",
    )
