"""A run as TensorBoard reads it: `tensorboard --logdir HOME/tensorboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sightlab.errors import RunError, one_line
from sightlab.records import Epoch, Run
from sightlab.trackers.facts import epoch_figures, final_figures, pictures_of, recipe_values

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# TensorBoard draws what stands after the last stroke in one panel: train and validation of a figure belong together.
PANELS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "train_accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
}


class TensorBoardTracker:
    """Writes to HOME/tensorboard/RUN, through torch's own writer. folder: the run's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = folder.parent / "tensorboard" / folder.name
        self.where = str(self.place)
        self.writer: SummaryWriter = self.attempt(self.opened)
        values = recipe_values(folder)
        rows = "\n".join(f"| {key} | `{value}` |" for key, value in values.items())
        self.attempt(lambda: self.writer.add_text("recipe", f"| key | value |\n| --- | --- |\n{rows}", 0))

    def opened(self) -> SummaryWriter:
        """Torch's writer."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.place))

    def epoch(self, epoch: Epoch) -> None:
        """Write an epoch's figures, its number as the step."""
        figures = epoch_figures(epoch)

        def write() -> None:
            for name, value in figures.items():
                self.scalar(PANELS.get(name, f"training/{name}"), value, epoch.epoch)

        self.attempt(write)

    def end(self, run: Run, status: str) -> None:
        """Write the final figures and the pictures, and close the file."""
        step = len(run.epochs)

        def write() -> None:
            for name, value in final_figures(run).items():
                self.scalar(f"final/{name}", value, step)
            for name, path in pictures_of(self.folder).items():
                with Image.open(path) as picture:
                    pixels = np.asarray(picture.convert("RGB"))
                self.writer.add_image(name, pixels, step, dataformats="HWC")
            self.writer.add_text("status", status, step)
            self.writer.close()

        self.attempt(write)

    def scalar(self, name: str, value: float, step: int) -> None:
        """One number."""
        self.writer.add_scalar(name, value, step)

    def attempt(self, write: Any) -> Any:
        """What the writer gives. Raises RunError where it cannot write."""
        try:
            return write()
        except OSError as error:
            where = error.filename or self.place
            raise RunError(
                f"{where}: cannot be written for TensorBoard: {error.strerror or one_line(error)}"
            ) from error
