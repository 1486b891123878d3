"""The page of an analysis: what each analysis found of one network or of several, side by side."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sightlab import charts
from sightlab.charts.attention import attention_charts
from sightlab.charts.calibration import calibration_charts
from sightlab.charts.corruptions import corruptions_charts
from sightlab.charts.embedding import cka_charts, embedding_charts
from sightlab.charts.frequency import frequency_charts
from sightlab.charts.landscape import landscape_charts
from sightlab.charts.patches import patches_charts
from sightlab.charts.shape import shape_charts
from sightlab.charts.spectrum import spectrum_charts
from sightlab.comparison.paired_values import paired_difference
from sightlab.records import duration
from sightlab.records.analyses import AnalysisResult, Estimate
from sightlab.report.article import Article, Block, Bullets, Picture, Section, Table, Text, rows_of
from sightlab.report.phrases import counted, listed

Charts = Callable[[Sequence[AnalysisResult]], Mapping[str, Any]]
MOST_FIGURES = 10  # that a table shows unfolded
# The charts of each analysis, by its name; altair is imported when one is drawn.
CHARTS: dict[str, Charts] = {
    "spectrum": spectrum_charts,
    "frequency": frequency_charts,
    "shape": shape_charts,
    "patches": patches_charts,
    "corruptions": corruptions_charts,
    "landscape": landscape_charts,
    "embedding": embedding_charts,
    "calibration": calibration_charts,
    "attention": attention_charts,
    "cka": cka_charts,
}


def analysis_article(
    found: Mapping[str, Sequence[AnalysisResult]],
    titles: Mapping[str, str],
    drawn: Mapping[str, Charts],
    source: str,
    left_out: Mapping[str, str],
    subjects: Sequence[str],
) -> Article:
    """The page of some analyses.

    found: the results of each analysis, a network each, in the same order throughout. titles: of the analyses. drawn:
    the charts of each. source: the images, in words. left_out: analyses that were not made, and why. subjects: what the
    networks are called.
    """
    made = {name: results for name, results in found.items() if results}
    sections = [Section(titles[name], tuple(blocks_of(name, results, drawn[name]))) for name, results in made.items()]
    if left_out:
        lines = tuple(f"{titles.get(name, name)}: {reason}." for name, reason in left_out.items())
        sections.append(Section("Left out", (Bullets(lines),)))
    title = f"How {listed(list(subjects))} see" if len(subjects) > 1 else f"How {subjects[0]} sees"
    return Article(title, "Analysis", f"{counted(len(made), 'analysis', 'analyses')} on {source}", tuple(sections))


def blocks_of(name: str, results: Sequence[AnalysisResult], draw: Charts) -> list[Block]:
    """One analysis: what it says, its figures, how the networks differ, its charts and tables, and its notes."""
    several = len(results) > 1
    blocks: list[Block] = []
    for result in results:
        lead = f"{result.subject}: " if several else ""
        blocks += [Text(lead + " ".join(result.sentences))] if result.sentences else []
    if several:
        blocks += differences(results)
    for number, (title, chart) in enumerate(draw(results).items(), 1):
        blocks.append(Picture(f"{name}-{number}", charts.svg_of(chart), title))
    blocks.append(figures(results))
    for result in results:
        for title, (header, rows) in result.tables.items():
            caption = f"{title}, {result.subject}" if several else title
            folded = caption if len(rows) > 20 else ""
            blocks.append(Table(header, rows, right=numeric(rows), caption=caption, folded=folded))
    notes = dict.fromkeys(note for result in results for note in result.notes)
    seconds = sum(result.seconds for result in results)
    blocks.append(Bullets((*notes, f"It took {duration(seconds)}.")))
    return blocks


def figures(results: Sequence[AnalysisResult]) -> Table:
    """The figures of an analysis, a column for each network."""
    names = list(dict.fromkeys(name for result in results for name in result.estimates))
    lines = [
        (words(name), *(str(one.estimates[name]) if name in one.estimates else "" for one in results)) for name in names
    ]
    header = ("figure", *(one.subject for one in results)) if len(results) > 1 else ("figure", "value")
    return Table(header, rows_of(lines), folded="All figures" if len(lines) > MOST_FIGURES else "")


def differences(results: Sequence[AnalysisResult]) -> list[Block]:
    """Every pair of networks on the same images: the difference of each figure that is a mean over them."""
    lines = []
    for first, second in itertools.combinations(results, 2):
        for name in first.per_image.keys() & second.per_image.keys():
            if len(first.per_image[name]) != len(second.per_image[name]):
                continue
            share = name in first.estimates and first.estimates[name].share
            found = paired_difference(first.per_image[name], second.per_image[name], share)
            if found is not None:
                lines.append((words(name), f"{second.subject} less {first.subject}", shown(found), apart(found)))
    if not lines:
        return []
    caption = "Differences on the same images, image by image: mean and Student's 95 % interval."
    return [Table(("figure", "networks", "difference", "beyond noise"), rows_of(sorted(lines)), caption=caption)]


def shown(one: Estimate) -> str:
    """A difference with its interval: of shares in points."""
    assert one.low is not None
    assert one.high is not None
    scale, unit = (100, " points") if one.share else (1, "")
    value, low, high = (scale * part for part in (one.value, one.low, one.high))
    return f"{value:+.3g}{unit} ({low:+.3g} to {high:+.3g}, n = {one.count:,})"


def apart(one: Estimate) -> str:
    """Whether the interval of a difference leaves out 0."""
    assert one.low is not None
    assert one.high is not None
    return "yes" if one.low > 0 or one.high < 0 else "no"


def words(name: str) -> str:
    """The name of a figure in words.

    >>> words("shape_bias")
    'shape bias'
    """
    return name.replace("_", " ")


def numeric(rows: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The columns whose cells are numbers."""
    columns = range(len(rows[0]) if rows else 0)
    return tuple(c for c in columns if all(NUMBER.fullmatch(row[c]) for row in rows))


NUMBER = re.compile(r"[-+]?[\d,.]+ ?%?|")
