"""What a person sees while a network trains: a bar in a terminal, a line an epoch everywhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sightlab.records import duration, epoch_line
from sightlab.training.callbacks import Callback, Tick, TrainingContext

if TYPE_CHECKING:
    from rich.progress import Progress


class TrainingProgress(Callback):
    """Shows images decoded, the epoch under way, and a line for each epoch that ended; all of it on stderr.

    The bar is there for a person alone; where stderr is no terminal, the lines are. Use it as a context, so that no bar
    outlives an error.
    """

    changes_training = False

    def __init__(self) -> None:
        self.state = {}
        self.in_terminal = sys.stderr.isatty()
        self.bar: Progress | None = None
        self.label = ""
        self.last_shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def on_message(self, text: str) -> None:
        """See Callback."""
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def on_data_progress(self, done: int, total: int) -> None:
        """See Callback."""
        if self.in_terminal:
            self.show("reading images", done, total or None, f"{done:,} of {total:,}" if total else f"{done:,}")
            if done == total:
                self.stop()

    def on_step_end(self, context: TrainingContext) -> None:
        """See Callback."""
        if not self.in_terminal or not context.may_look:
            return
        now = time.monotonic()
        if now - self.last_shown < 0.1 and context.step < context.plan.steps_per_epoch:
            return
        self.last_shown = now
        tick, epochs = context.progress(), context.plan.epochs
        self.show(f"epoch {tick.epoch}/{epochs}", tick.done, tick.total, tick_line(tick, epochs))

    def on_epoch_end(self, context: TrainingContext) -> None:
        """See Callback."""
        assert context.record is not None
        self.on_message(epoch_line(context.record, context.plan.epochs))

    def on_train_end(self, context: TrainingContext) -> None:  # noqa: ARG002 - see Callback
        """See Callback."""
        self.stop()

    def show(self, label: str, done: int, total: int | None, text: str) -> None:
        """Move the bar to where the work is. It is not there before the first call."""
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.fields[label]}"), BarColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.add_task("", total=None, label=label)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=done, total=total, description=text, label=label)

    def stop(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def tick_line(tick: Tick, epochs: int) -> str:
    """How far an epoch is: loss, accuracy, speed, and the time that is left of the whole training."""
    left = tick.total - tick.done + (epochs - tick.epoch) * tick.total
    return (
        f"loss {tick.loss:.4f}  accuracy {tick.accuracy:.2%}  {tick.images_per_second:,.0f} images/s  "
        f"{duration(left / max(tick.images_per_second, 1e-9))} left"
    )
