"""How answers are shown: JSON or text on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from sightlab.records import Epoch


def home_path(text: str) -> Path:
    """The folder of --home, with `~` expanded: a shell leaves it alone in --home=~/runs."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise typer.BadParameter(f"{text!r} names no user's home; give the folder's path") from error


Home = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", parser=home_path, help="Folder of runs; default: SIGHTLAB_HOME, else ./runs."),
]
JSON_OPTION = typer.Option(False, "--json", help="Print one JSON object on stdout, everything else on stderr.")


def say(text: str) -> None:
    """A line for the person who waits, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def out(text: str) -> None:
    """A line of the answer, on stdout."""
    print(text)  # noqa: T201


def as_json(values: Any) -> None:
    """The answer as one JSON object. Numbers that are no numbers become null, as JSON has none."""
    out(json.dumps(without_nan(values), ensure_ascii=False, allow_nan=False))


def without_nan(value: Any) -> Any:
    """The values with NaN and infinities replaced by None."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not -float("inf") < value < float("inf") else value


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A table of columns as wide as their widest cell. right: the columns whose cells end, not begin, in line."""
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        shown = (c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
        out("  ".join(shown).rstrip())


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for a person, from the first call with (done, total) until all is done."""
    bar = WorkBar(label)
    try:
        yield bar.update if sys.stderr.isatty() else lambda _done, _total: None
    finally:
        bar.stop()


class WorkBar:
    """The bar of one piece of work. It is not there before the work begins: most pictures are in the cache already."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.bar: Progress | None = None

    def update(self, done: int, total: int) -> None:
        """Show how far the work is. total: 0 where it is not known."""
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn(self.label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.add_task(self.label, total=None)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=done, total=total or None)
        if done == total:
            self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class RunsBar:
    """The bar of many trainings: how many are done, and the last epoch that ended."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("", total=total)

    def epoch(self, title: str, epoch: Epoch) -> None:
        """Show an epoch that has ended."""
        said = f"{title}: epoch {epoch.epoch}, validation {epoch.validation_accuracy:.2%}"
        self.bar.update(self.task, description=said)

    def ended(self, done: int, total: int) -> None:
        """Show how many trainings are done."""
        self.bar.update(self.task, completed=done, total=total)

    def say(self, text: str) -> None:
        """A line above the bar."""
        self.bar.console.print(text, markup=False, highlight=False)


def plain_name(source: str) -> str:
    """A source's name as part of a file's name.

    >>> plain_name("../data/kmnist:test")
    'kmnist-test'
    """
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(source).name or "data")
