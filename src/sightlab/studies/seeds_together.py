"""What an analysis found of several seeds of one training, as one result; and differences between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightlab.comparison import spread
from sightlab.comparison.crossed_values import ValueDifference, crossed_values, linearised, seed_difference
from sightlab.records.analyses import AnalysisResult, Curve, Estimate

# Analyses whose curves and arrays mean the same in every seed. Heads and features are others in each.
AVERAGED = ("spectrum", "frequency", "shape", "patches", "corruptions")


def together(name: str, results: Sequence[AnalysisResult]) -> AnalysisResult:
    """The results of several seeds as one, under the name of their row, for charts and tables.

    Figures and curves are means over the seeds with Student's 95 % interval over them. Of an analysis whose curves mean
    another thing in each seed, the first seed's result stands for all.
    """
    first = results[0]
    if len(results) == 1:
        return named(first, name)
    if first.analysis not in AVERAGED:
        return replace(named(first, name), notes=(*first.notes, f"{name}: the first of {len(results)} seeds is shown."))
    same = [key for key in first.estimates if all(key in one.estimates for one in results)]
    return AnalysisResult(
        first.analysis,
        name,
        estimates={key: over_seeds([one.estimates[key] for one in results]) for key in same},
        curves={
            title: tuple(
                mean_curve([one.curves[title][place] for one in results], name if line.name == first.subject else "")
                for place, line in enumerate(lines)
            )
            for title, lines in first.curves.items()
            if all(len(one.curves.get(title, ())) == len(lines) for one in results)
        },
        arrays={
            key: np.mean([one.arrays[key] for one in results], axis=0)
            for key, values in first.arrays.items()
            if all(key in one.arrays and one.arrays[key].shape == values.shape for one in results)
        },
        notes=tuple(dict.fromkeys(note for one in results for note in one.notes)),
        seconds=sum(one.seconds for one in results),
    )


def named(result: AnalysisResult, name: str) -> AnalysisResult:
    """A result under another name of its network."""
    old = result.subject
    return replace(
        result,
        subject=name,
        curves={
            title: tuple(replace(line, name=name) if line.name == old else line for line in lines)
            for title, lines in result.curves.items()
        },
        sentences=tuple(one.replace(old, name) for one in result.sentences),
        notes=tuple(one.replace(old, name) for one in result.notes),
    )


def over_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """A figure's mean over the seeds and its interval; shares stay between 0 and 1."""
    share = estimates[0].share
    found = spread([one.value for one in estimates], *((0.0, 1.0) if share else ()))
    low, high = found.interval or (None, None)
    return Estimate(found.mean, low, high, min(one.count for one in estimates), share)


def mean_curve(curves: Sequence[Curve], name: str) -> Curve:
    """The mean of some curves where all of them have a point. name: of the line, "" for that of the first."""
    known = [dict(zip(one.x, one.y, strict=True)) for one in curves]
    x = tuple(place for place in curves[0].x if all(place in one for one in known))
    shares = all(0 <= value <= 1 for one in curves for value in one.y)
    found = [over_seeds([Estimate(one[place], share=shares) for one in known]) for place in x]
    return Curve(
        name or curves[0].name,
        x,
        tuple(one.value for one in found),
        tuple(one.value if one.low is None else one.low for one in found),
        tuple(one.value if one.high is None else one.high for one in found),
    )


def figure_difference(
    figure: str,
    change_from: str | None,
    a: Sequence[AnalysisResult],
    b: Sequence[AnalysisResult] | float,
) -> ValueDifference:
    """How much larger a figure is of `a` than of `b`, networks on the same images, or than the published figure `b`.

    Over seeds and images together where the figure is a mean over images (`crossed_values`), else over seeds alone.
    What a published figure varies by is not known, and not counted. change_from: another figure of the same analysis
    that is taken from it first. Raises KeyError for a figure that the analysis does not have.
    """
    ours = [per_image(one, figure, change_from) for one in a]
    if isinstance(b, float | int):
        theirs: list[NDArray[np.float64] | None] = [None if one is None else np.full_like(one, b) for one in ours[:1]]
        values = [float(b)]
    else:
        theirs = [per_image(one, figure, change_from) for one in b]
        values = [value_of(one, figure, change_from) for one in b]
    known = [one for one in (*ours, *theirs) if one is not None]
    if len(known) == len(ours) + len(theirs) and len({len(one) for one in known}) == 1 and len(known[0]) > 1:
        return crossed_values(np.stack(known[len(ours) :]), np.stack(known[: len(ours)]))
    return seed_difference(values, [value_of(one, figure, change_from) for one in a])


def value_of(result: AnalysisResult, figure: str, change_from: str | None) -> float:
    """A figure of an analysis, less another where there is one to take from it."""
    taken = 0.0 if change_from is None else result.estimates[change_from].value
    return result.estimates[figure].value - taken


def per_image(result: AnalysisResult, figure: str, change_from: str | None) -> NDArray[np.float64] | None:
    """A figure's values of the images, float64 [N], whose mean is the figure; None where it has none."""
    names = [figure] if change_from is None else [figure, change_from]
    if any(name not in result.per_image or np.isnan(result.per_image[name]).all() for name in names):
        return None
    first, *others = (linearised(result.per_image[name]) for name in names)
    return first - others[0] if others else first
