"""Loggers of experiments: TensorBoard, MLflow and Weights & Biases. The run folder stays the record."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from sightlab.callbacks.mlflow import MLflowLogger
from sightlab.callbacks.run_logger import RunLogger
from sightlab.callbacks.tensorboard import TensorBoardLogger
from sightlab.callbacks.wandb import WandbLogger
from sightlab.errors import RecipeError, suggestion
from sightlab.records import Run

# The callbacks that ship, by the name that a recipe's `callbacks` gives them; the name is that of the library, too.
CALLBACKS: dict[str, type[RunLogger]] = {
    "mlflow": MLflowLogger,
    "tensorboard": TensorBoardLogger,
    "wandb": WandbLogger,
}


def check_installed(names: Sequence[str]) -> None:
    """Raise RecipeError for a logger whose library is not installed; names of other callbacks are left alone."""
    for name in names:
        if name in CALLBACKS and find_spec(name) is None:
            raise RecipeError(f"callbacks: {name} is not installed; pip install 'sightlab[{name}]'")


def export(run: Run, status: str, name: str) -> str:
    """Write a run from its folder to a logger; gives the folder or address it is in.

    status: of the run: finished, trained, interrupted or failed. Raises RecipeError for a logger that is unknown or not
    installed, RunError where it cannot write.
    """
    if name not in CALLBACKS:
        raise RecipeError(f"unknown logger {name!r}; {suggestion(name, CALLBACKS)}")
    check_installed([name])
    logger = CALLBACKS[name]()
    logger.start(run.folder)
    for epoch in run.epochs:
        logger.log_epoch(epoch)
    logger.finish(run, status)
    return logger.where
