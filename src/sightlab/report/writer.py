"""Writes reports, atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sightlab.errors import RunError, one_line
from sightlab.files import write_text
from sightlab.records import Run
from sightlab.report import figures
from sightlab.report.gather import RunPage, gather
from sightlab.report.run_page import run_html
from sightlab.store.run_folder import locate

FILE = "report.html"


def write_report(
    run: Run | str | Path, path: Path | str | None = None, *, drawn: Mapping[str, str] | None = None
) -> Path:
    """Write a run's report, one self-contained HTML file; returns its path.

    run: a run, or what names one: an id's beginning, `last`, a run folder. path: report.html in the run's folder if
    None. drawn: charts that are rendered already, as SVG: `learning-curves` and `confusion`.
    Raises RunError for a run that has not finished, files that are missing or damaged, or a path that cannot be
    written.

    >>> import sightlab, tempfile
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_report(sightlab.train(tiny, home=folder))
    >>> written.name
    'report.html'
    """
    folder = run.folder if isinstance(run, Run) else locate(str(run))
    page = gather(folder)
    target = folder / FILE if path is None else Path(path)
    write_page(target, run_html(page, drawings_of(page, drawn or {})))
    return target


def drawings_of(page: RunPage, drawn: Mapping[str, str]) -> dict[str, figures.Drawing]:
    """A run's charts, ready for its page; those that are rendered already are not rendered again."""
    svgs = {
        "curves": drawn.get("learning-curves") or figures.curves(page.run.epochs),
        "reliability": figures.reliability(page.reliability, page.card.calibration_error),
    }
    if len(page.classes) <= figures.MOST_CLASSES:
        svgs["confusion"] = drawn.get("confusion") or figures.confusion(page.matrix, page.classes)
    return {name: figures.embed(svg, LABELS[name]) for name, svg in svgs.items()}


LABELS = {
    "curves": "Loss, accuracy and metrics by epoch, for training and validation; the values are in the table below",
    "confusion": "Confusion matrix as a heat map; the most frequent mistakes are in the table below",
    "reliability": "Reliability diagram: accuracy against confidence, with the number of predictions below",
}


def write_page(target: Path, text: str) -> None:
    """Write a report atomically. Raises RunError naming the file."""
    if target.is_dir():
        raise RunError(f"{target}: is a folder; name a file, such as {target / FILE}")
    try:
        write_text(target, text)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise RunError(f"{target}: cannot be written: {reason}; name another file with -o") from error
