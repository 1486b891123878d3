"""A run in Weights & Biases: written to HOME/wandb, and uploaded only where WANDB_MODE or WANDB_API_KEY is set."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sightlab.callbacks.run_logger import RunLogger
from sightlab.callbacks.run_values import epoch_figures, final_figures, pictures_of
from sightlab.errors import RunError, one_line
from sightlab.records import Epoch, Run
from sightlab.store.run_folder import recipe_in

if TYPE_CHECKING:
    from wandb import Run as WandbRun

Given = TypeVar("Given")

PROJECT = "sightlab"
# The user's own settings are kept: what these variables say is not given again.
VARIABLES = {"project": "WANDB_PROJECT", "dir": "WANDB_DIR"}


class WandbLogger(RunLogger):
    """Logs a run to W&B, offline unless the user has set WANDB_MODE or WANDB_API_KEY.

    `wandb sync HOME/wandb/offline-run-*` uploads offline runs. A resumed run has the same W&B id: online it continues
    there, and offline parts are joined when they are synced.
    """

    folder: Path
    run: WandbRun

    def start(self, folder: Path) -> None:
        """Start the W&B run, with the recipe as its config."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when wandb is imported
        self.folder = folder
        self.where = str(folder.parent / "wandb")
        self.run = self.attempt(self.started)
        self.where = str(self.run.settings.sync_dir)
        self.attempt(partial(self.run.define_metric, "*", step_metric="epoch"))

    def started(self) -> WandbRun:
        """The W&B run. Of the machine and its surroundings nothing is collected; sightlab's own record has those."""
        import wandb

        asked = any(os.environ.get(name) for name in ("WANDB_MODE", "WANDB_API_KEY"))
        settings = wandb.Settings(
            reinit="create_new",  # `sightlab compare` trains several runs in one process
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        if not asked:
            settings.mode = "offline"
        (self.folder.parent / "wandb").mkdir(exist_ok=True)  # wandb itself would fall back to a temporary folder
        own: dict[str, Any] = {"project": PROJECT, "dir": str(self.folder.parent)}
        given = {key: value for key, value in own.items() if not os.environ.get(VARIABLES[key])}
        recipe, _ = recipe_in(self.folder)
        config = recipe.model_dump(mode="json")
        name = self.folder.name
        return wandb.init(id=name, name=name, config=config, resume="allow", settings=settings, **given)

    def log_epoch(self, epoch: Epoch) -> None:
        """Log an epoch's figures."""
        figures = epoch_figures(epoch) | {"epoch": float(epoch.epoch)}
        self.attempt(partial(self.run.log, figures, step=epoch.epoch))

    def finish(self, run: Run, status: str) -> None:
        """Put the final figures and the status into the summary, log the pictures, and end the W&B run."""
        self.attempt(partial(self.log_end, run, status))
        self.attempt(partial(self.run.finish, exit_code=0 if status in ("finished", "trained") else 1))

    def log_end(self, run: Run, status: str) -> None:
        """The final figures, status and pictures."""
        import wandb

        self.run.summary.update({**final_figures(run), "status": status})
        pictures = {name: wandb.Image(str(path)) for name, path in pictures_of(self.folder).items()}
        if pictures:
            self.run.log(pictures, step=len(run.epochs))

    def attempt(self, call: Callable[[], Given]) -> Given:
        """What a call returns. Raises RunError where W&B cannot be reached or written."""
        import wandb

        try:
            return call()
        except (wandb.Error, OSError) as error:
            raise RunError(f"W&B in {self.where}: {one_line(error)[:300]}") from error
