"""One training shared by several processes of this machine, started by torchrun: gloo on CPUs, NCCL on GPUs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sightlab.errors import DivergedError, RunError, one_line
from sightlab.recipes.schema import Recipe
from sightlab.runs.index import NOT_FINITE
from sightlab.training.callbacks import Paused

POLL_SECONDS = 0.2


def train_by_processes(
    recipe: Recipe,
    processes: int,
    home: Path,
    folder: Path | None = None,
    *,
    should_pause: Callable[[], bool] = lambda: False,
) -> Path:
    """Train a recipe with several processes that share each batch; returns the run's folder.

    folder: of an interrupted run to resume. should_pause: asked several times a second; once it says yes the run is
    saved and Paused is raised. The processes connect to each other on this machine only. Raises RunError with the
    training's own message, DivergedError where its loss is not finite.
    """
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    local = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **local}
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / f"{recipe.name}.yaml"
        file.write_text(recipe.to_yaml(), encoding="utf-8")
        what = ["--resume", str(folder)] if folder else [str(file)]
        command = [*launch, "-m", "sightlab", "train", *what, "--home", str(home), "--json"]
        output, errors = Path(temporary) / "out", Path(temporary) / "err"
        with output.open("w") as out, errors.open("w") as err:
            # A session of its own: on Ctrl-C this process asks it to pause, once.
            training = subprocess.Popen(command, stdout=out, stderr=err, env=environment, start_new_session=True)  # noqa: S603
            try:
                stopping = False
                while training.poll() is None:
                    time.sleep(POLL_SECONDS)
                    if should_pause() and not stopping:
                        stopping = True
                        os.killpg(training.pid, signal.SIGINT)
            finally:
                if training.poll() is None:
                    os.killpg(training.pid, signal.SIGKILL)
                    training.wait()
        if stopping:
            raise Paused(recipe.name)
        lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
        if training.returncode:
            reason = next(
                (line for line in lines if line.startswith("sightlab: ")), lines[-1] if lines else "no message"
            )
            message = f"{recipe.name}, {processes} processes: {one_line(reason).removeprefix('sightlab: ')}"
            raise DivergedError(message) if NOT_FINITE in reason else RunError(message)
        return Path(json.loads(output.read_text())["folder"])
