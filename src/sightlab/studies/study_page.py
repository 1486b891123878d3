"""The page of a study: question, table, figures, what was wrong and how it shows, cost, and how to repeat it."""

from __future__ import annotations

import json
import math
from pathlib import Path

from sightlab.comparison import sentence
from sightlab.comparison.power import MOST_SEEDS
from sightlab.errors import StudyError, suggestion
from sightlab.records import duration
from sightlab.report.article import Article, Block, Bullets, Code, Section, Table, Text, rows_of
from sightlab.report.gather import environment_in
from sightlab.report.phrases import counted, listed, moment
from sightlab.report.reproduce import command
from sightlab.studies.analysis_sections import analysis_sections
from sightlab.studies.claims_table import claims_found
from sightlab.studies.parts import PARTS
from sightlab.studies.parts.dead_outputs import dead_at_end
from sightlab.studies.study_charts import curve_pictures, grid_blocks, network_sections
from sightlab.studies.study_power import read_power
from sightlab.studies.study_results import FORMS, Results, RowResult, is_named_in, percent
from sightlab.studies.study_schema import Row


def page_of(results: Results) -> Article:
    """The page of a study from its finished runs; no test split is opened for it. Raises StudyError."""
    study, plan = results.plan.study, results.plan
    for name in study.shows:
        if name not in PARTS:
            raise StudyError(f"study {study.name}: shows {name!r}; {suggestion(name, PARTS)}")
    own = [Section(PARTS[name][0], blocks) for name in study.shows if (blocks := PARTS[name][1](results))]
    grids = tuple(block for grid in results.grids if grid.cells for block in grid_blocks(grid))
    sections = [
        Section("Question", (Text(oneline(study.question)), Text(oneline(study.source)), *scale_words(results))),
        Section("Result", (table(results), *verdicts(results), *unreached(results))),
        Section("The claims", claims_found(results)),
        Section("How large the study had to be", power_words(results)),
        Section("Learning curves", curve_pictures(results)),
        *([Section("The grid", grids)] if grids else []),
        *analysis_sections(results),
        Section("What was wrong, and how it shows", (faults(results), *contradictions(results))),
        *own,
        *network_sections(study.networks),
        Section("Cost", cost(results)),
        Section("What the published figures would take", (Text(oneline(study.full)),)),
        Section("Repeating it", (repeating(results),)),
    ]
    about = f"Study {study.name}, scale {plan.scale}: {counted(len(results.trained), 'run')} on {plan.data}"
    return Article(study.title, "Report of a study", about, tuple(one for one in sections if one.blocks))


def oneline(text: str) -> str:
    """A text of several lines in YAML as a paragraph."""
    return " ".join(text.split())


def scale_words(results: Results) -> tuple[Block, ...]:
    """What this scale does, and what it leaves out."""
    plan = results.plan
    words = [Text(f"At the scale “{plan.scale}”: {oneline(plan.says)}")]
    left_out = list(dict.fromkeys(plan.left_out))
    if left_out:
        words.append(Text(f"Left out at this scale: {listed(left_out)}."))
    if results.missing:
        words.append(Text(f"Not finished when this page was written: {listed(list(dict.fromkeys(results.missing)))}."))
    words += [Text(f"Diverged: {line}.") for line in results.diverged]
    unmade = [line for looked in results.analyses for line in looked.missing]
    if unmade:
        words.append(Text(f"Analyses not made when this page was written: {listed(unmade)}."))
    return tuple(words)


def table(results: Results) -> Table:
    """The table: published figures and those reached here, with intervals and cost."""
    with_top5 = any(row.planned.row.figures.top5 is not None for row in results.rows)
    header = ["network", "form", "published", "here", "95 % interval", "seeds", "epochs"]
    header += [*(["top 5 published", "top 5 here"] if with_top5 else []), "parameters", "time of one", "published time"]
    here = {row.planned.row.id: row for row in results.rows}
    lines = [
        line(here[row.id], with_top5)
        if row.id in here and here[row.id].runs
        else unrun(row, why_not(results, here.get(row.id)), with_top5)
        for row in results.plan.study.rows
        if row.id in here or row.figures.accuracy is not None
    ]
    several_forms = len({one[1] for one in lines}) > 1
    columns = [n for n, name in enumerate(header) if any(one[n] for one in lines) and (several_forms or name != "form")]
    header, lines = [header[n] for n in columns], [[one[n] for n in columns] for one in lines]
    published = " Published figures are of the study's own images and epochs." if "published" in header else ""
    images = {len(row.runs[0].result.labels) for row in results.rows if row.runs}
    counts = " or ".join(f"{count:,}" for count in sorted(images))
    caption = (
        f"Test accuracy on {counts} images: the mean over the seeds, and its interval (Wilson's for one seed, "
        f"Student's over several).{published}"
    )
    right = tuple(n for n, name in enumerate(header) if name not in ("network", "form"))
    return Table(tuple(header), rows_of(lines), right=right, caption=caption)


def line(row: RowResult, with_top5: bool) -> list[str]:
    """A row of the table."""
    planned, figures = row.planned.row, row.planned.row.figures
    low, high = row.interval
    spread = f" ± {100 * row.accuracy.deviation:.2f}" if row.accuracy.deviation is not None else ""
    cells = [
        planned.name,
        FORMS[planned.form],
        percent(figures.accuracy),
        f"{row.accuracy.mean:.2%}{spread}",
        f"{low:.2%} to {high:.2%}",
        str(len(row.runs)),
        str(len(row.runs[0].run.epochs)),
    ]
    here5 = percent(row.top5.mean if row.top5 else None)
    parameters = f"{row.runs[0].run.parameters:,}" + (
        f" ({figures.parameters} published)" if figures.parameters else ""
    )
    return [
        *cells,
        *([percent(figures.top5), here5] if with_top5 else []),
        parameters,
        duration(row.seconds),
        figures.time,
    ]


def why_not(results: Results, row: RowResult | None) -> str:
    """Why a row has no run, in words."""
    if row is None:
        return "left out"
    return "diverged" if is_named_in(row.name, results.diverged) else "not run"


def unrun(row: Row, why: str, with_top5: bool) -> list[str]:
    """A row that has a published figure, and no run."""
    figures = row.figures
    cells = [row.name, FORMS[row.form], percent(figures.accuracy), why, "", "0", ""]
    return [*cells, *([percent(figures.top5), ""] if with_top5 else []), figures.parameters, "", figures.time]


def verdicts(results: Results) -> tuple[Block, ...]:
    """Each row compared with its twin, in words, and the notes of the rows."""
    sentences = [f"{sentence(one)}." for one in results.differences.values()]
    notes = [f"{row.name}: {row.planned.note}" for row in results.rows if row.planned.note]
    if any(row.planned.row.figures.of != "test" for row in results.rows):
        notes += [
            f"The published figure of {row.planned.row.name} is of {row.planned.row.figures.of}."
            for row in results.rows
            if row.planned.row.figures.of != "test"
        ]
    blocks: list[Block] = []
    if sentences:
        blocks += [Text("Compared on the same test images:"), Bullets(tuple(sentences))]
    if notes:
        blocks += [Text("Notes on the rows:"), Bullets(tuple(dict.fromkeys(notes)))]
    return tuple(blocks)


def unreached(results: Results) -> tuple[Block, ...]:
    """Which published figures lie above the interval reached here."""
    below = [
        f"{row.planned.row.name} ({row.accuracy.mean:.1%} of {row.planned.row.figures.accuracy:.1%}{dead(row)})"
        for row in results.rows
        if row.runs and (row.planned.row.figures.accuracy or 0.0) > row.interval[1]
    ]
    if not below:
        return ()
    why = "This scale trains on fewer images, for fewer epochs, or both." if results.plan.scale != "full" else ""
    return (Text(f"The published figure is not reached by {listed(below)}. {why}".strip()),)


def dead(row: RowResult) -> str:
    """The number of dead outputs of a row's first run in words, "" for none."""
    count = dead_at_end(row.runs[0])
    return f", {count} of its outputs dead" if count else ""


def power_words(results: Results) -> tuple[Block, ...]:
    """The plan of the study's size; nothing where none was made."""
    plan = read_power(results.plan, results.home)
    if plan is None:
        return ()
    pilots = listed([f"{name} ({counted(seeds, 'seed')})" for name, seeds in plan.pilots])
    answer = f"{plan.seeds} seeds" if plan.seeds else f"more test images: no number of seeds up to {MOST_SEEDS}"
    words = (
        f"Planned {moment(plan.made)}, from the spread of runs at hand: {pilots}. To see a difference of "
        f"{plan.detect:g} points in four of five studies, at 5 % shared by {counted(plan.comparisons, 'comparison')}, "
        f"takes {answer} on {plan.images:,} test images. The standard deviation over seeds is "
        f"{100 * plan.noise.seeds**0.5:.2f} points."
    )
    header = ("seeds a row", "points that are seen", f"hours, {counted(plan.jobs, 'training')} at once")
    lines = [(str(seeds), f"{points:.2f}", f"{hours:.1f}") for seeds, points, hours in plan.table]
    return Text(words), Table(header, rows_of(lines), right=(0, 1, 2))


def faults(results: Results) -> Bullets:
    """What was wrong, and how each mistake shows."""
    return Bullets(tuple(f"{oneline(one.what)} {oneline(one.shows)}" for one in results.plan.study.faults))


def contradictions(results: Results) -> tuple[Block, ...]:
    """Where the study's own text is silent or contradicts itself."""
    found = results.plan.study.contradictions
    return (
        (Text("Where the study's text is silent, or contradicts itself:"), Bullets(tuple(map(oneline, found))))
        if found
        else ()
    )


def cost(results: Results) -> tuple[Block, ...]:
    """What the runs took, what was predicted, and on which processors."""
    runs = results.trained
    total = sum(one.result.seconds for one in runs)
    machines = sorted({str(environment_in(one.folder).get("cpu", "an unknown processor")) for one in runs})
    text = f"{counted(len(runs), 'run')}, {duration(total)} of training and validation in all, on {listed(machines)}."
    costs = last_costs(results)
    if costs and math.isfinite(costs["predicted"]):
        text += (
            f" The last time the study ran, {costs['trained']} of them were trained in {duration(costs['wall'])}: "
            f"{duration(costs['real'])} of core time, {duration(costs['predicted'])} predicted."
        )
    text += " Times are of one thread for each run, while another run had the other core; they are not a benchmark."
    return (Text(text),)


def last_costs(results: Results) -> dict[str, float] | None:
    """What the last `sightlab study run` took; None where it is not known."""
    file = results.home / "studies" / f"{results.plan.study.name}-{results.plan.scale}.json"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        return {name: float(facts[name]) for name in ("predicted", "real", "wall")} | {"trained": int(facts["trained"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def repeating(results: Results) -> Code:
    """The commands that repeat the study."""
    plan = results.plan
    words = ["sightlab", "study", "run", plan.study.name, "--scale", plan.scale]
    source = plan.study.scales[plan.scale].data or plan.study.data  # type: ignore[index]
    if plan.data != source:
        words += ["--data", plan.data]
    report = ["sightlab", "study", "report", *words[3:], "--out", str(Path(f"{plan.study.name}.html"))]
    return Code((command(words), command(report)))
