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

from sightlab.callbacks.run_logger import RunLogger
from sightlab.callbacks.run_values import epoch_figures, final_figures, pictures_of, recipe_values
from sightlab.errors import RunError, one_line
from sightlab.records import Epoch, Run

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

Given = TypeVar("Given")

EXPERIMENT = "sightlab"
RUN_TAG = "sightlab.run"
STATES = {"finished": "FINISHED", "trained": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
PARAMS_AT_ONCE = 100  # MLflow's limit for a batch of parameters
PARAM_LENGTH = 6000  # and for the text of one


class MLflowLogger(RunLogger):
    """Logs a run through MLflow's client. A resumed run continues in the same MLflow run."""

    folder: Path
    uri: str
    client: MlflowClient
    run_id: str

    def start(self, folder: Path) -> None:
        """Connect, and find this run in MLflow or create it."""
        self.folder = folder
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder.parent / 'mlflow.db').resolve()}"
        self.where = re.sub(r"//[^@/]*@", "//...@", self.uri)  # without the password that an address may hold
        self.client = self.attempt(self.connected)
        self.run_id = self.attempt(self.found_or_created)

    def connected(self) -> MlflowClient:
        """The client, quiet about the tables of its own that it creates."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing is sent anywhere unless the user asks
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    def found_or_created(self) -> str:
        """The id of this run in MLflow: found by its tag, else created, with its recipe as parameters."""
        from mlflow.entities import Param

        known = self.client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else self.new_experiment()
        found = self.client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{self.folder.name}'")
        if found:
            return str(found[0].info.run_id)
        run = self.client.create_run(experiment, run_name=self.folder.name, tags={RUN_TAG: self.folder.name})
        params = [Param(key, value[:PARAM_LENGTH]) for key, value in recipe_values(self.folder).items()]
        for start in range(0, len(params), PARAMS_AT_ONCE):
            self.client.log_batch(run.info.run_id, params=params[start : start + PARAMS_AT_ONCE])
        return str(run.info.run_id)

    def new_experiment(self) -> str:
        """A new experiment; where its database lies beside the runs, its files do, too."""
        local = None if os.environ.get("MLFLOW_TRACKING_URI") else (self.folder.parent / "mlflow").resolve().as_uri()
        return str(self.client.create_experiment(EXPERIMENT, artifact_location=local))

    def log_epoch(self, epoch: Epoch) -> None:
        """Log an epoch's figures."""
        self.log_figures(epoch_figures(epoch), epoch.epoch)

    def finish(self, run: Run, status: str) -> None:
        """Log the final figures, recipe, pictures and report, and set the MLflow run's status."""
        self.log_figures(final_figures(run), len(run.epochs))
        files = [*pictures_of(self.folder).values(), self.folder / "recipe.yaml", self.folder / "report.html"]
        for path in files:
            if path.is_file():
                self.attempt(partial(self.client.log_artifact, self.run_id, str(path)))
        self.attempt(partial(self.client.set_tag, self.run_id, "sightlab.status", status))
        if status in STATES:
            self.attempt(partial(self.client.set_terminated, self.run_id, STATES[status]))

    def log_figures(self, values: Mapping[str, float], step: int) -> None:
        """Log several numbers of one step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self.attempt(lambda: self.client.log_batch(self.run_id, metrics=metrics))

    def attempt(self, call: Callable[[], Given]) -> Given:
        """What a call returns. Raises RunError where MLflow cannot be reached or written."""
        from mlflow.exceptions import MlflowException

        try:
            return call()
        except (MlflowException, OSError) as error:
            raise RunError(f"MLflow at {self.where}: {one_line(error)[:300]}") from error
