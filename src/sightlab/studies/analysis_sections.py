"""How the networks of a study see: the sections of its page, one for each analysis of each group."""

from __future__ import annotations

import itertools
from dataclasses import replace

from sightlab.records.analyses import Estimate
from sightlab.report.analysis_page import CHARTS, apart, blocks_of, words
from sightlab.report.article import Block, Bullets, Picture, Section, Table, Text, rows_of
from sightlab.report.phrases import counted
from sightlab.studies.claims_table import shown
from sightlab.studies.seeds_together import figure_difference, together
from sightlab.studies.study_analyses import Analyzed, Looked
from sightlab.studies.study_plan import PlannedRow
from sightlab.studies.study_results import Results


def analysis_sections(results: Results) -> list[Section]:
    """A section for each analysis of each group that has results."""
    return [section for looked in results.analyses for section in sections_of(looked)]


def sections_of(looked: Looked) -> list[Section]:
    """The sections of one group; its networks and images are said in the first."""
    from sightlab.lens.analyses.table import ANALYSES

    group = looked.planned.looks
    sections: list[Section] = []
    for name in group.only:
        found = [together(one.name, one.results[name]) for one in looked.networks if one.results.get(name)]
        if not found:
            continue
        if len(found) == 1 and len(looked.networks) > 1:  # `blocks_of` names the networks only where there are several
            found = [replace(found[0], sentences=(f"{found[0].subject}:", *found[0].sentences))]
        blocks = differences(looked, name)
        blocks += [prefixed(block, group.id) for block in blocks_of(name, found, CHARTS[name])]
        unfit = tuple(f"{one.name}: {one.unfit[name]}." for one in looked.networks if name in one.unfit)
        blocks += [Bullets(unfit)] if unfit else []
        lead = () if sections else introduction(looked)
        sections.append(Section(f"{group.name}: {lower(ANALYSES[name].title)}", (*lead, *blocks)))
    return sections


def introduction(looked: Looked) -> tuple[Block, ...]:
    """Which networks a group looks at, and with which images."""
    several = any(seeds_of(one) > 1 for one in looked.networks)
    words = f"Images: {looked.source}, {looked.planned.images:,} at most."
    if several:
        counts = ", ".join(f"{one.name} {counted(seeds_of(one), 'seed')}" for one in looked.networks)
        words += f" Figures are means over seeds ({counts}), with Student's 95 % intervals over them."
    notes = tuple(
        f"{one.name}: {one.note}" for one in looked.planned.of if not isinstance(one, PlannedRow) and one.note
    )
    return (Text(words), *([Bullets(notes)] if notes else []))


def differences(looked: Looked, name: str) -> list[Block]:
    """Every pair of rows of several seeds: the difference of each figure that is a mean over the same images."""
    several = [one for one in looked.networks if len(one.results.get(name, ())) > 1]
    lines = []
    for first, second in itertools.combinations(several, 2):
        a, b = first.results[name], second.results[name]
        for figure in sorted(a[0].per_image.keys() & b[0].per_image.keys() & a[0].estimates.keys()):
            found = figure_difference(figure, None, b, a)
            if found.interval is not None:
                estimate = Estimate(found.difference, *found.interval, a[0].estimates[figure].count)
                told = replace(estimate, share=a[0].estimates[figure].share)
                lines.append((words(figure), f"{second.name} less {first.name}", *shown(told), apart(told)))
    if not lines:
        return []
    caption = "Differences over seeds and the same images together; shares are in points."
    header = ("figure", "networks", "difference", "95 % interval", "beyond noise")
    return [Table(header, rows_of(lines), right=(2, 3), caption=caption)]


def seeds_of(one: Analyzed) -> int:
    """How many seeds of a row were analyzed."""
    return max((len(found) for found in one.results.values()), default=0)


def prefixed(block: Block, group: str) -> Block:
    """A block whose pictures have the group in their names, as two groups may have the same analysis."""
    return replace(block, name=f"{group}-{block.name}") if isinstance(block, Picture) else block


def lower(title: str) -> str:
    """A title within another: its first letter small."""
    return title[:1].lower() + title[1:]
