"""A run's report as one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sightlab.charts.learning_curves import metric_names
from sightlab.lens.saliency.overlay import side_by_side
from sightlab.pictures import shown_size
from sightlab.records import ClassScore, duration
from sightlab.records.explained import Explained, Explanations
from sightlab.records.identity import what_differs
from sightlab.report import run_text
from sightlab.report.figures import Drawing
from sightlab.report.galleries import EXACT_SIDE, Gallery, encode
from sightlab.report.gather import RunPage
from sightlab.report.phrases import counted, flops, moment, percent
from sightlab.report.reproduce import base_of, changes_of, command, training_command
from sightlab.store.bundle import is_own_code
from sightlab.store.run_folder import identity_in
from sightlab.version import __version__

FEW_CLASSES = 20  # up to which the table of classes is unfolded
MOST_MISTAKES = 12  # rows in the table of mistakes
CELL = 96  # pixels of an image in a gallery, at most

SECTIONS = {
    "result": "Result",
    "data": "Data and model",
    "training": "Training",
    "mistakes": "Mistakes",
    "classes": "Classes",
    "confidence": "Calibration",
    "pictures": "Images",
    "looks": "What it looks at",
    "cost": "Cost",
    "recipe": "Recipe",
    "seal": "Sealed test split",
    "environment": "Environment",
    "repeating": "Reproduction",
    "numbers": "Methods",
}
LOOKS = {
    "mistake": "The most confident mistakes",
    "uncertain": "The least confident hits",
    "typical": "The surest hit of a class",
}
HEADINGS = {
    "errors": "Most confident mistakes",
    "hits": "Least confident correct predictions",
    "suspects": "Label issues",
}
ENVIRONMENT = {
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
    """One image of a gallery on the page. source: a data URI. width, height: CSS pixels."""

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
class Look:
    """An explained image beside its map on the page. source: a data URI. width, height: CSS pixels."""

    source: str
    width: int
    height: int
    alt: str
    image: Explained


@dataclass(frozen=True)
class Bar:
    """A class's recall and its interval, as positions in [0, 1] on a line from `start` to 1."""

    low: float
    dot: float
    high: float


@cache
def environment() -> Environment:
    """The page templates; every value in them is escaped."""
    templates = Environment(
        loader=PackageLoader("sightlab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "percent": percent,
        "counted": counted,
        "duration": duration,
        "moment": moment,
        "flops": flops,
        "number": lambda value: f"{value:,}",
        "value": value_text,
        "svg": lambda drawing: Markup(drawing.svg),  # noqa: S704 - drawn by vl-convert, which escapes names
    }
    return templates


def run_html(page: RunPage, drawings: Mapping[str, Drawing]) -> str:
    """The report of a run. drawings: curves, reliability and, up to `MOST_CLASSES` classes, confusion."""
    needs, again = reproduction(page)
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
            text=sentences(page),
            classes=class_rows(page.card.classes),
            few_classes=FEW_CLASSES,
            galleries=[(one, HEADINGS[one.kind], cells(one)) for one in page.galleries or ()],
            looks=looks(page.explanations),
            mistakes=page.mistakes[:MOST_MISTAKES],
            shape=" x ".join(f"{side:,}" for side in page.shape) + " (height x width x channels)",
            environment=environment_rows(page),
            identity=identity_rows(page),
            metric_names=metric_names(page.run.epochs),
            repeats=run_text.repeats(needs, page.environment, page.recipe),
            changes=changes_of(page.recipe),
            base=base_of(page.recipe)[0],
            commands=[
                again,
                command(["sightlab", "test", page.run.id, "--data", "SOURCE"]),
                command(["sightlab", "report", page.run.id]),
            ],
            version=__version__,
            written=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )


def title_of(page: RunPage) -> str:
    """The report's title: the network and the data, each by the last part of its name."""
    source = str(page.facts.get("data", {}).get("source", "data"))
    model = page.run.model
    if is_own_code(model):
        model = model.rpartition(":")[2].rpartition(".")[2]
    return f"{model} on {'its own data' if source == 'arrays' else Path(source).name or source}"


def sentences(page: RunPage) -> dict[str, list[str]]:
    """The report's sentences, by section."""
    run, images = page.run, page.images
    assert run.test is not None
    assert run.validation is not None
    planned = int(page.facts.get("planned_epochs", len(run.epochs)))
    wrong = run.test.count - run.test.correct
    epochs = len(run.epochs)
    best = run_text.choice(page.best, epochs, planned, run.validation.count, page.recipe.select_by)
    top = [run_text.top_five(run.test.top5)] if run.test.top5 is not None else []
    seed = int(page.facts.get("seed", page.recipe.seed))
    mistakes = run_text.confusions(page.mistakes, wrong)
    calibration = run_text.calibration(page.confidence, run.test.accuracy)
    return {
        "summary": [run_text.result(run.test), run_text.chance(run.test, page.card.classes), *top],
        "choice": [best, run_text.against_validation(run.validation, run.test)],
        "seed": [run_text.one_seed(seed)],
        "training": [run_text.ending(page.best, epochs, planned), run_text.overfitting(page.best)],
        "mistakes": mistakes,
        "first_mistake": mistakes[:1],
        "classes": [*run_text.class_reading(page.card.classes), run_text.averages(page.card)],
        "confidence": [calibration],
        "calibration": [calibration, run_text.calibration_error(page.card.calibration_error, page.confidence)],
        "seal": [run_text.seal(len(page.openings), moment(page.openings[0].at) if page.openings else "")],
        "suspects": [run_text.suspects(name, page.label_issues[name], images[name]) for name in ("test", "validation")],
    }


def class_rows(classes: Sequence[ClassScore]) -> dict[str, Any]:
    """The table of classes: {start: of the bars' line, rows: each class and its bar, None without images}."""
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
    """A gallery's images, ready for the page."""
    found = []
    width, height = shown_size(gallery.pixels.shape[2], gallery.pixels.shape[1], CELL)
    exact = max(gallery.pixels.shape[1:3]) <= EXACT_SIDE
    for image, pixels in zip(gallery.images, gallery.pixels, strict=True):
        kind, content = encode(pixels)
        alt = f"{gallery.split} image {image.row}: labelled {image.label}, predicted {image.predicted}"
        source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        facts = (image.label, image.predicted, image.probability, image.row)
        found.append(Cell(source, width, height, exact, alt, *facts))
    return found


def looks(found: Explanations | None) -> list[tuple[str, list[Look]]]:
    """The explained images by group, ready for the page; empty where the run has none."""
    groups: dict[str, list[Look]] = {}
    for one in found.images if found else ():
        pair = side_by_side(one.pixels, one.values, CELL)
        content = io.BytesIO()
        Image.fromarray(pair).save(content, "PNG")
        about = f"labelled {one.label}, predicted {one.predicted}" if one.label else f"predicted {one.predicted}"
        alt = f"{one.name} and where its answer comes from: {about}"
        source = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
        groups.setdefault(one.group, []).append(Look(source, pair.shape[1], pair.shape[0], alt, one))
    return [(LOOKS[group], shown) for group, shown in groups.items()]


def reproduction(page: RunPage) -> tuple[str, str]:
    """What trains the model again: in words with what it needs, and as a command or as Python."""
    source = page.facts.get("data", {}).get("source")
    if page.run.model.startswith("module ") or source == "arrays":
        given = {"model": page.run.model.startswith("module "), "data": source == "arrays"}
        names = ", ".join(f"{name}={name}" for name, was in given.items() if was)
        needs = "This code, with the same objects and with the recipe above saved as recipe.yaml,"
        return needs, f'sightlab.train(sightlab.recipe("recipe.yaml"), {names})'
    train = training_command(page.recipe)
    needs = "This command" if train else "This command, with the recipe above saved as recipe.yaml,"
    if ".py:" in page.run.model:
        needs += " and with the network's code"
    threads = page.environment.get("threads")
    single = page.environment.get("processes") == 1 and threads
    line = train or "sightlab train recipe.yaml"
    return needs, f"OMP_NUM_THREADS={threads} {line}" if single else line


def identity_rows(page: RunPage) -> list[tuple[str, str]]:
    """What makes this training the one it is, ready for a table: how the epoch was chosen, its parts, its identity."""
    recipe = page.recipe
    rows = [("best epoch selected by", f"validation {recipe.select_by}")]
    rows += [("metrics", ", ".join(recipe.metrics))] if recipe.metrics else []
    callbacks = dict.fromkeys([*recipe.callbacks, *map(str, page.facts.get("callbacks") or ())])
    rows += [("callbacks", ", ".join(callbacks))] if callbacks else []
    identity = identity_in(page.facts)
    if identity is None:
        return [*rows, ("identity", "not recorded")]
    rows += [(what_differs(slot), part) for slot, part in sorted(identity.parts.items())]
    incomplete = "" if identity.whole else " (incomplete: not all of the code could be pinned down)"
    return [*rows, ("identity", identity.key + incomplete)]


def environment_rows(page: RunPage) -> list[tuple[str, str]]:
    """What is known of the machine, its software and the user's git revision, ready for a table."""
    known = page.environment
    rows = [(name, str(known[key])) for key, name in ENVIRONMENT.items() if known.get(key) is not None]
    git = page.facts.get("git")
    if git:
        rows.append(("revision (git)", git["revision"] + (", with uncommitted changes" if git.get("dirty") else "")))
    times = (("started", "started"), ("ended", "ended"))
    return rows + [(name, moment(str(page.facts[key]))) for key, name in times if page.facts.get(key)]


def value_text(value: object) -> str:
    """A recipe's value as in its YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return str(value)
