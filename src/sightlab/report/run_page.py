"""A run's report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sightlab.pictures import shown_size
from sightlab.records import ClassScore, duration
from sightlab.report import run_text
from sightlab.report.figures import Drawing
from sightlab.report.galleries import EXACT_SIDE, Gallery, encoded
from sightlab.report.gather import RunPage
from sightlab.report.phrases import counted, flops, moment, percent
from sightlab.report.reproduce import base_of, changes_of, command, training_command
from sightlab.store.bundle import is_own_code
from sightlab.version import __version__

FEW_CLASSES = 20  # up to which the table of classes is open
MOST_MISTAKES = 12  # kinds of mistakes in their table
CELL = 96  # pixels of a picture in a gallery, at most

SECTIONS = {
    "result": "Result",
    "data": "Data and model",
    "training": "Training",
    "mistakes": "Mistakes",
    "classes": "Classes",
    "confidence": "Confidence",
    "pictures": "Pictures",
    "cost": "Cost",
    "recipe": "Recipe",
    "seal": "The seal",
    "environment": "Environment",
    "repeating": "Repeating it",
    "numbers": "How the numbers are made",
}
HEADINGS = {
    "errors": "Mistakes it is surest of",
    "hits": "Right answers it is least sure of",
    "suspects": "Labels in doubt",
}


SURROUNDINGS = {
    "sightlab": "sightlab",
    "python": "Python",
    "torch": "torch",
    "system": "system",
    "cpu": "processor",
    "cores": "cores",
    "threads": "threads",
    "processes": "processes",
    "device": "device",
    "gpu": "GPU",
}


@dataclass(frozen=True)
class Cell:
    """One picture of a gallery on the page. source: a data URI. width, height: CSS pixels."""

    source: str
    width: int
    height: int
    exact: bool
    alt: str
    label: str
    predicted: str
    probability: float
    row: int


@dataclass(frozen=True)
class Bar:
    """A class's recall on the line from `start` to 1, as places in [0, 1] along it."""

    low: float
    dot: float
    high: float


@cache
def environment() -> Environment:
    """The templates of this room; everything that is put into them is escaped."""
    made = Environment(
        loader=PackageLoader("sightlab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": percent,
        "counted": counted,
        "duration": duration,
        "moment": moment,
        "flops": flops,
        "number": lambda value: f"{value:,}",
        "value": value_text,
        "svg": lambda drawing: Markup(drawing.svg),  # noqa: S704 - drawn by vl-convert, which escapes names
    }
    return made


def run_html(page: RunPage, drawings: Mapping[str, Drawing]) -> str:
    """The report of a run. drawings: curves, reliability and, up to `MOST_CLASSES` classes, confusion."""
    again = training_again(page)
    return (
        environment()
        .get_template("run.html.jinja")
        .render(
            page=page,
            sections={id_: (number, name) for number, (id_, name) in enumerate(SECTIONS.items(), 1)},
            run=page.run,
            facts=page.facts,
            data=page.facts.get("data", {}),
            drawings=drawings,
            title=title_of(page),
            said=sentences(page),
            classes=class_rows(page.card.classes),
            few_classes=FEW_CLASSES,
            galleries=[(one, HEADINGS[one.kind], cells(one)) for one in page.galleries or ()],
            mistakes=page.mistakes[:MOST_MISTAKES],
            shape=" x ".join(f"{side:,}" for side in page.shape) + " (height x width x channels)",
            surroundings=surroundings(page),
            repeats=run_text.repeats(again[0], page.environment, page.recipe),
            changes=changes_of(page.recipe),
            base=base_of(page.recipe)[0],
            commands=[
                again[1],
                command(["sightlab", "test", page.run.id, "--data", "SOURCE"]),
                command(["sightlab", "report", page.run.id]),
            ],
            version=__version__,
            written=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def title_of(page: RunPage) -> str:
    """What the report is called: the network and the data, each by the last part of its name."""
    source = str(page.facts.get("data", {}).get("source", "data"))
    model = page.run.model
    if is_own_code(model):
        model = model.rpartition(":")[2].rpartition(".")[2]
    return f"{model} on {'data of its own' if source == 'arrays' else Path(source).name or source}"


def sentences(page: RunPage) -> dict[str, list[str]]:
    """The report's sentences, by its sections."""
    run, images = page.run, page.images
    assert run.test is not None
    assert run.validation is not None
    planned = int(page.facts.get("planned_epochs", len(run.epochs)))
    wrong = run.test.count - run.test.correct
    epochs = len(run.epochs)
    best = run_text.choice(page.best, epochs, planned, run.validation.count)
    top = [run_text.top_five(run.test.top5)] if run.test.top5 is not None else []
    seed = int(page.facts.get("seed", page.recipe.seed))
    mistakes = run_text.confusions(page.mistakes, wrong)
    trust = run_text.calibration(page.confidence, run.test.accuracy)
    return {
        "summary": [run_text.result(run.test), run_text.chance(run.test, page.card.classes), *top],
        "choice": [best, run_text.against_validation(run.validation, run.test)],
        "sure": [run_text.one_seed(seed)],
        "training": [run_text.ending(page.best, epochs, planned), run_text.overfitting(page.best)],
        "mistakes": mistakes,
        "first_mistake": mistakes[:1],
        "classes": [*run_text.class_reading(page.card.classes), run_text.averages(page.card)],
        "trust": [trust],
        "calibration": [trust, run_text.calibration_error(page.card.calibration_error, page.confidence)],
        "seal": [run_text.seal(len(page.openings), moment(page.openings[0].at) if page.openings else "")],
        "suspects": [run_text.suspects(name, page.doubts[name], images[name]) for name in ("test", "validation")],
    }


def class_rows(classes: Sequence[ClassScore]) -> dict[str, Any]:
    """The table of classes: {start: where the bars' line begins, rows: each class and its bar, None without images}."""
    ends = [one.interval for one in classes if one.interval]
    start = max(0.0, int(10 * min(low for low, _ in ends)) / 10) if ends else 0.0
    start = min(start, 0.9)

    def bar(one: ClassScore) -> Bar | None:
        if one.interval is None:
            return None
        low, dot, high = ((value - start) / (1 - start) for value in (one.interval[0], one.recall, one.interval[1]))
        return Bar(low, dot, high)

    return {"start": start, "rows": [(one, bar(one)) for one in classes]}


def cells(gallery: Gallery) -> list[Cell]:
    """A gallery's pictures, ready for the page."""
    found = []
    width, height = shown_size(gallery.pixels.shape[2], gallery.pixels.shape[1], CELL)
    exact = max(gallery.pixels.shape[1:3]) <= EXACT_SIDE
    for exhibit, pixels in zip(gallery.exhibits, gallery.pixels, strict=True):
        kind, content = encoded(pixels)
        shown = f"{gallery.split} image {exhibit.row}: labelled {exhibit.label}, taken for {exhibit.predicted}"
        source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        facts = (exhibit.label, exhibit.predicted, exhibit.probability, exhibit.row)
        found.append(Cell(source, width, height, exact, shown, *facts))
    return found


def training_again(page: RunPage) -> tuple[str, str]:
    """What trains the model again: in words with what it needs, and as it is typed."""
    source = page.facts.get("data", {}).get("source")
    if page.run.model.startswith("module ") or source == "arrays":
        given = {"model": page.run.model.startswith("module "), "data": source == "arrays"}
        names = ", ".join(f"{name}={name}" for name, was in given.items() if was)
        needs = "This, with what it was given in Python, and with the recipe above saved as recipe.yaml,"
        return needs, f'sightlab.train(sightlab.recipe("recipe.yaml"), {names})'
    train = training_command(page.recipe)
    needs = "This command" if train else "This command, with the recipe above saved as recipe.yaml,"
    if ".py:" in page.run.model:
        needs += " and with the network's own code"
    threads = page.environment.get("threads")
    alone = page.environment.get("processes") == 1 and threads
    typed = train or "sightlab train recipe.yaml"
    return needs, f"OMP_NUM_THREADS={threads} {typed}" if alone else typed


def surroundings(page: RunPage) -> list[tuple[str, str]]:
    """What is known of the machine, its software and the user's own revision, ready for a table."""
    known = page.environment
    rows = [(name, str(known[key])) for key, name in SURROUNDINGS.items() if known.get(key) is not None]
    git = page.facts.get("git")
    if git:
        rows.append(("revision (git)", git["revision"] + (", with changes not committed" if git.get("dirty") else "")))
    times = (("started", "started"), ("ended", "ended"))
    return rows + [(name, moment(str(page.facts[key]))) for key, name in times if page.facts.get(key)]


def value_text(value: object) -> str:
    """A recipe's value as its YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
