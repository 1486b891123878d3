"""A run in MLflow: experiment `sightlab`, at MLFLOW_TRACKING_URI, else in HOME/mlflow.db."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sightlab.errors import RunError, one_line
from sightlab.records import Epoch, Run
from sightlab.trackers.facts import epoch_figures, final_figures, pictures_of, recipe_values

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

Given = TypeVar("Given")

EXPERIMENT = "sightlab"
OWN_TAG = "sightlab.run"
STATES = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
PARAMS_AT_ONCE = 100  # MLflow's limit for a batch of parameters


class MlflowTracker:
    """Writes through MLflow's client. folder: the run's; a run that was resumed goes on in the same MLflow run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder.parent / 'mlflow.db').resolve()}"
        self.where = re.sub(r"//[^@/]*@", "//...@", self.uri)  # without the password that an address may hold
        self.client: MlflowClient = self.attempt(self.opened)
        self.run_id = self.attempt(self.run_of_ours)

    def opened(self) -> MlflowClient:
        """The client. What MLflow says of its own tables while it makes them is no news to the user."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent anywhere unless the user asks
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    def run_of_ours(self) -> str:
        """The id of this run in MLflow: found by its tag, else begun, its recipe as parameters."""
        from mlflow.entities import Param

        known = self.client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else self.begun()
        found = self.client.search_runs([experiment], f"tags.`{OWN_TAG}` = '{self.folder.name}'")
        if found:
            return str(found[0].info.run_id)
        run = self.client.create_run(experiment, run_name=self.folder.name, tags={OWN_TAG: self.folder.name})
        params = [Param(key, value[:6000]) for key, value in recipe_values(self.folder).items()]
        for start in range(0, len(params), PARAMS_AT_ONCE):
            self.client.log_batch(run.info.run_id, params=params[start : start + PARAMS_AT_ONCE])
        return str(run.info.run_id)

    def begun(self) -> str:
        """A new experiment; of a database beside the runs, with its files beside it too."""
        local = None if os.environ.get("MLFLOW_TRACKING_URI") else (self.folder.parent / "mlflow").resolve().as_uri()
        return str(self.client.create_experiment(EXPERIMENT, artifact_location=local))

    def epoch(self, epoch: Epoch) -> None:
        """Write an epoch's figures, its number as the step."""
        self.figures(epoch_figures(epoch), epoch.epoch)

    def end(self, run: Run, status: str) -> None:
        """Write the final figures, recipe, pictures and report, and say how the run ended."""
        self.figures(final_figures(run), len(run.epochs))
        files = [*pictures_of(self.folder).values(), self.folder / "recipe.yaml", self.folder / "report.html"]
        for path in files:
            if path.is_file():
                self.attempt(partial(self.client.log_artifact, self.run_id, str(path)))
        self.attempt(lambda: self.client.set_tag(self.run_id, "sightlab.status", status))
        if status in STATES:
            self.attempt(lambda: self.client.set_terminated(self.run_id, STATES[status]))

    def figures(self, values: Mapping[str, float], step: int) -> None:
        """Several numbers of one step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self.attempt(lambda: self.client.log_batch(self.run_id, metrics=metrics))

    def attempt(self, call: Callable[[], Given]) -> Given:
        """What a call gives. Raises RunError where MLflow cannot be reached or written."""
        from mlflow.exceptions import MlflowException

        try:
            return call()
        except (MlflowException, OSError) as error:
            raise RunError(f"MLflow at {self.where}: {one_line(error)[:300]}") from error
