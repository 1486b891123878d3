"""`sightlab report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sightlab.cli.output import JSON_OPTION, Home, as_json, out, plain_name
from sightlab.errors import RunError

EXAMPLES = """\b
Examples:
  sightlab report last
  sightlab report 3fa2 -o report.html
  sightlab report 3fa2 91bc -o comparison.html
  sightlab report learning-rates
"""


def report(
    words: Annotated[list[str], typer.Argument(metavar="RUN|STUDY...", help="A run, several runs, or a study.")],
    target: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="File to write; default: report.html in the run folder."),
    ] = None,
    home: Home = None,
    json: bool = JSON_OPTION,
) -> None:
    """Write a self-contained HTML report of runs or of a study.

    For one run it is report.html in its folder, as written when the run finished; for several runs or a study, a
    comparison in the current folder. It is made from the run folders; no test split is opened.
    """
    from sightlab.store.run_folder import home_folder

    written = written_report(words, target, home or home_folder())
    if json:
        as_json({"report": str(written)})
    else:
        out(str(written))


def written_report(words: Sequence[str], target: Path | None, home: Path) -> Path:
    """Write the report of these runs, or of a study; gives its path."""
    from sightlab.comparison.grouping import chosen, study_runs
    from sightlab.report import write_report
    from sightlab.store.run_folder import locate

    studies = [word for word in words if study_runs(word, home)]
    if len(studies) > 1:
        raise RunError(f"{studies[0]!r} and {studies[1]!r}: two studies; name one study, or runs")
    if len(words) == 1 and not studies:
        return write_report(locate(words[0], home), target)
    folders = chosen(words, home)
    if len(folders) == 1:
        return write_report(folders[0], target)
    from sightlab.comparison.compare_runs import compare_runs
    from sightlab.report.comparison_page import FILE, write_comparison

    default = Path(f"{plain_name(studies[0])}.html" if studies else FILE)
    title = studies[0] if studies else None
    return write_comparison(compare_runs(folders), target or default, title)
