"""The spectrum of a network's feature maps by depth: whether its layers sharpen them or smooth them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightlab.comparison.mean_interval import mean_of
from sightlab.errors import ModelError
from sightlab.lens.anatomy import Stage
from sightlab.lens.answers import batches, silent
from sightlab.lens.stage_hooks import looking_at
from sightlab.lens.subject import Subject, Tick
from sightlab.records.analyses import AnalysisResult, Curve
from sightlab.records.phrases import counted

EPSILON = 1e-6  # added to amplitudes, as the paper's code does
SMALLEST = 3  # a side of a map with a frequency between 0 and the Nyquist frequency
LINES = 6  # blocks whose whole spectrum is kept, evenly over the depth
CHUNK = 2**23  # values of maps that are transformed at once


def unfit(subject: Subject) -> str:
    """Why the analysis does not fit, "" where it does."""
    try:
        blocks = subject.anatomy.blocks
    except ModelError as error:
        return str(error)
    if measured(blocks):
        return ""
    return "no block of it gives maps of 3 x 3 or more; convolutional networks and transformers on larger images do"


def measured(blocks: Sequence[Stage]) -> list[Stage]:
    """The blocks whose maps have a frequency between 0 and the Nyquist frequency."""
    return [stage for stage in blocks if min(stage.grid) >= SMALLEST]


def spectrum(subject: Subject, tick: Tick = silent, *, lines: int = LINES) -> AnalysisResult:
    """Relative log amplitude of the Fourier-transformed feature maps of each block.

    Park & Kim 2022, "How do vision transformers work?", section 3 and figures 2 and 8, as their code has it:
    log(|F| + 1e-6) of each channel's 2-D transform, averaged over the channels, along the diagonal from frequency 0,
    minus its value there. Natural logarithms. Tokens are put back on their grid, without class and register tokens.
    As theirs, the diagonal ends at the last frequency below the Nyquist frequency, whose amplitude has a distribution
    of its own. That of a map that is not square takes the nearest frequencies.

    The headline, `high_frequency`, is the value at the end of the diagonal, averaged over all blocks: the higher, the
    more of what the maps hold is fine detail. lines: of how many blocks, even over the depth, whole spectra are kept.
    """
    started = time.perf_counter()
    blocks, images = measured(subject.anatomy.blocks), subject.images
    spectra = {stage.module: np.empty((len(images), len(diagonal_of(*stage.grid)[0]))) for stage in blocks}
    found: dict[str, Tensor] = {}

    def look(stage: Stage, maps: Tensor) -> None:
        found[stage.module] = relative_log_amplitude(maps)

    with looking_at(subject.net, blocks, look), torch.inference_mode():
        for rows, batch, _labels in batches(images, subject.device):
            subject.classifier(batch)
            for module, values in found.items():
                spectra[module][rows] = values.cpu().numpy()
            tick(int(rows[-1]) + 1, len(images))
    return result_of(subject, blocks, spectra, lines, time.perf_counter() - started)


def relative_log_amplitude(maps: Tensor) -> Tensor:
    """Log amplitude along the diagonal minus that at frequency 0, averaged over channels: float32 [N, frequencies].

    maps: float [N, C, h, w]. The frequencies are those of `diagonal_of`.
    """
    rows, columns = (torch.from_numpy(places).to(maps.device) for places in diagonal_of(*maps.shape[2:]))
    parts = []
    for part in torch.split(maps, max(1, CHUNK // maps[0].numel())):
        amplitude = torch.fft.rfft2(part.float())[:, :, rows, columns].abs()
        parts.append((amplitude + EPSILON).log().mean(1))
    log = torch.cat(parts)
    return log - log[:, :1]


def diagonal_of(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frequencies along the diagonal of a map's spectrum, in cycles a map down and across.

    From 0 to the last below the Nyquist frequency. height, width: at least 3.

    >>> diagonal_of(4, 7)
    (array([0, 1]), array([0, 3]))
    """
    steps = (min(height, width) - 1) // 2
    shares = np.arange(steps + 1) / steps
    down, across = (np.rint(shares * ((side - 1) // 2)).astype(np.int64) for side in (height, width))
    return down, across


def result_of(
    subject: Subject,
    blocks: Sequence[Stage],
    spectra: Mapping[str, NDArray[np.float64]],
    lines: int,
    seconds: float,
) -> AnalysisResult:
    """Figures, curves and words. spectra: float64 [N, frequencies] by module."""
    ends = np.stack([spectra[stage.module][:, -1] for stage in blocks])
    per_image = {
        "high_frequency": ends.mean(0),
        "high_frequency_first": ends[0],
        "high_frequency_last": ends[-1],
        "high_frequency_rise": ends[-1] - ends[0],
    }
    estimates = {name: mean_of(values) for name, values in per_image.items()}
    drawn = [blocks[place] for place in evenly_spaced(len(blocks), lines)]
    found = [mean_of(values) for values in ends]
    by_depth = Curve(
        subject.name,
        tuple(stage.depth for stage in blocks),
        tuple(one.value for one in found),
        tuple(one.value if one.low is None else one.low for one in found),
        tuple(one.value if one.high is None else one.high for one in found),
    )
    rows = tuple(
        (stage.module, f"{stage.depth:.2f}", f"{stage.grid[0]} x {stage.grid[1]}", f"{one.value:.3f}")
        for stage, one in zip(blocks, found, strict=True)
    )
    return AnalysisResult(
        "spectrum",
        subject.name,
        estimates=estimates,
        curves={
            "spectra": tuple(spectrum_curve(stage, spectra[stage.module], subject.images.shape[0]) for stage in drawn),
            "depth": (by_depth,),
        },
        per_image=per_image,
        arrays={
            "depth": np.array([stage.depth for stage in drawn]),
            "nyquist": np.array([stage.grid[0] / subject.images.shape[0] for stage in drawn]),
        },
        tables={"Highest frequency by block": (("block", "depth", "map", "relative log amplitude"), rows)},
        sentences=said({name: one.value for name, one in estimates.items()}, blocks),
        notes=remarks(blocks),
        seconds=seconds,
    )


def spectrum_curve(stage: Stage, values: NDArray[np.float64], image_height: int) -> Curve:
    """A block's spectrum over the frequency as a share of the image's Nyquist frequency. values: [N, frequencies]."""
    down, _ = diagonal_of(*stage.grid)
    found = [mean_of(column) for column in values.T]
    return Curve(
        stage.module,
        tuple(float(2 * cycles / image_height) for cycles in down),
        tuple(one.value for one in found),
        tuple(one.value if one.low is None else one.low for one in found),
        tuple(one.value if one.high is None else one.high for one in found),
    )


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most so many of the places from 0 to count - 1, first and last among them.

    >>> evenly_spaced(12, 4), evenly_spaced(2, 4)
    ([0, 4, 7, 11], [0, 1])
    """
    return [round(place) for place in np.linspace(0, count - 1, min(count, most))]


def said(values: Mapping[str, float], blocks: Sequence[Stage]) -> tuple[str, ...]:
    """What it comes to, in words."""
    times = np.exp(values["high_frequency"])
    mean = f"At their highest frequency the feature maps have {times:.2g} times the amplitude that they have at "
    mean += f"frequency 0 (geometric mean over {counted(len(blocks), 'block')})."
    if len(blocks) == 1:
        return (mean,)
    first, last = values["high_frequency_first"], values["high_frequency_last"]
    if blocks[0].grid != blocks[-1].grid:
        return (mean,)
    way = "more" if last > first else "less"
    return (
        mean,
        f"From the first block to the last the relative log amplitude goes from {first:.2f} to {last:.2f}: the last "
        f"holds {way} fine detail.",
    )


def remarks(blocks: Sequence[Stage]) -> tuple[str, ...]:
    """What a reader must know of how it was measured."""
    notes = ["Each map's diagonal ends at its own highest frequency; maps of fewer places end at lower ones."]
    if len({stage.grid for stage in blocks}) > 1:
        notes.append(
            "Its maps shrink with depth, so the highest frequency of a late block is a lower one of the image: blocks "
            "of one size of maps may be compared, and others with care."
        )
    return tuple(notes)
