"""A run in TensorBoard: `tensorboard --logdir HOME/tensorboard`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from sightlab.callbacks.run_logger import RunLogger
from sightlab.callbacks.run_values import epoch_figures, final_figures, pictures_of, recipe_values
from sightlab.errors import RunError, one_line
from sightlab.records import Epoch, Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Given = TypeVar("Given")

# TensorBoard groups tags by what stands before the slash: train and validation curves share a section.
PANELS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "train_accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
}


class TensorBoardLogger(RunLogger):
    """Logs a run to HOME/tensorboard/RUN, through torch's own writer. A resumed run adds a file to its folder."""

    folder: Path
    writer: SummaryWriter

    def start(self, folder: Path) -> None:
        """Open the writer, and log the recipe as a table."""
        self.folder = folder
        self.where = str(folder.parent / "tensorboard" / folder.name)
        self.writer = self.attempt(self.opened)
        rows = "\n".join(f"| {key} | `{value}` |" for key, value in recipe_values(folder).items())
        self.attempt(partial(self.writer.add_text, "recipe", f"| key | value |\n| --- | --- |\n{rows}", 0))

    def opened(self) -> SummaryWriter:
        """Torch's writer."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(self.where)

    def log_epoch(self, epoch: Epoch) -> None:
        """Log an epoch's figures."""
        for name, value in epoch_figures(epoch).items():
            self.attempt(partial(self.writer.add_scalar, PANELS.get(name, f"training/{name}"), value, epoch.epoch))

    def finish(self, run: Run, status: str) -> None:
        """Log the final figures and the pictures, and close the file."""
        self.attempt(partial(self.log_end, run, status))

    def log_end(self, run: Run, status: str) -> None:
        """The final figures, the pictures and the status, at the step of the last epoch."""
        step = len(run.epochs)
        for name, value in final_figures(run).items():
            self.writer.add_scalar(f"final/{name}", value, step)
        for name, path in pictures_of(self.folder).items():
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self.writer.add_image(name, pixels, step, dataformats="HWC")
        self.writer.add_text("status", status, step)
        self.writer.close()

    def attempt(self, write: Callable[[], Given]) -> Given:
        """What the writer returns. Raises RunError where it cannot write."""
        try:
            return write()
        except OSError as error:
            reason = error.strerror or one_line(error)
            raise RunError(f"{error.filename or self.where}: cannot be written for TensorBoard: {reason}") from error
