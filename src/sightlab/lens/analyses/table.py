"""The table of analyses: what each asks, and what runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sightlab.lens.analyses import (
    attention,
    calibration,
    corruptions,
    embedding,
    frequency,
    landscape,
    patches,
    shape,
    spectrum,
)
from sightlab.lens.cka import layer_cka
from sightlab.lens.cue_conflict import is_imagenet
from sightlab.lens.subject import Subject, Tick
from sightlab.records.analyses import AnalysisResult


def cues(subject: Subject) -> str | Path | None:
    """The source of cue-conflict images: what was named for a network of ImageNet's classes that are not its labels."""
    return subject.data if is_imagenet(subject.outputs) and not subject.labelled else None


def shape_or_texture(subject: Subject, tick: Tick) -> AnalysisResult:
    """The analysis of shape on the images of Geirhos et al. where they are named, else on the subject's own."""
    return shape.shape(subject, tick, data=cues(subject))


def shape_unfit(subject: Subject) -> str:
    """Why the analysis of shape does not fit a subject, "" where it does."""
    return shape.unfit(subject, cues(subject))


@dataclass(frozen=True)
class Analysis:
    """One analysis. run: what it finds of a subject. unfit: "" where it fits a subject, else why not and what would.

    by_default: whether it is made where no analysis is named.
    """

    title: str
    run: Callable[[Subject, Tick], AnalysisResult]
    unfit: Callable[[Subject], str]
    by_default: bool = True


ANALYSES: dict[str, Analysis] = {
    "spectrum": Analysis("Spectrum of feature maps by depth", spectrum.spectrum, spectrum.unfit),
    "frequency": Analysis("Which frequencies count", frequency.frequency, frequency.unfit),
    "shape": Analysis("Shape or texture", shape_or_texture, shape_unfit),
    "patches": Analysis("Shuffled and dropped patches", patches.patches, patches.unfit),
    "corruptions": Analysis("Corrupted images", corruptions.corruptions, corruptions.unfit),
    "landscape": Analysis("Loss landscape and curvature", landscape.landscape, landscape.unfit, by_default=False),
    "embedding": Analysis("Map of the features", embedding.embedding, embedding.unfit),
    "calibration": Analysis("Calibration and sets of answers", calibration.calibration, calibration.unfit),
    "attention": Analysis("How far heads attend", attention.attention, attention.unfit),
}


@dataclass(frozen=True)
class PairAnalysis:
    """An analysis of two networks together. run: what it finds of the first and another, on the same images."""

    title: str
    run: Callable[[Subject, Subject, Tick], AnalysisResult]


PAIRS: dict[str, PairAnalysis] = {"cka": PairAnalysis("Which layers of two networks are alike", layer_cka)}
