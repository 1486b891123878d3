"""What the loggers have in common: they copy a run from its records and leave its training alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from sightlab.records import Epoch, Run
from sightlab.store.run_folder import read_run
from sightlab.training.callbacks import Callback, TrainingContext


class RunLogger(Callback, ABC):
    """A copy of a run in an experiment tracker; one that cannot write is dropped, and the run continues without it.

    Where nothing is kept (`sightlab.epochs`) nothing is logged.

    where: the folder or address of the copy, known after `start`.
    """

    changes_training = False
    optional = True
    where: str = ""

    def on_train_start(self, context: TrainingContext) -> None:
        """Open the copy, or the one that an earlier session of a resumed run began."""
        if context.folder is not None:
            self.start(context.folder)

    def on_epoch_end(self, context: TrainingContext) -> None:
        """Log the epoch's losses, accuracies and metrics."""
        if context.folder is not None and context.record is not None:
            self.log_epoch(context.record)

    def on_train_end(self, context: TrainingContext) -> None:
        """Log what the run folder says of the end, and close."""
        if context.folder is not None:
            self.finish(read_run(context.folder), context.status)

    @abstractmethod
    def start(self, folder: Path) -> None:
        """Open the copy of the run in this folder. Raises RunError."""

    @abstractmethod
    def log_epoch(self, epoch: Epoch) -> None:
        """Log an epoch's figures, its number as the step. Raises RunError."""

    @abstractmethod
    def finish(self, run: Run, status: str) -> None:
        """Log the final scores, pictures and report that exist, and close. Raises RunError.

        status: finished, trained, interrupted or failed.
        """
