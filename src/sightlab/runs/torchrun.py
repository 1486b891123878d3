"""One training by several processes of this machine, started by torchrun: over gloo on CPUs, NCCL on GPUs."""

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
from sightlab.training.loop import Paused

LOOK_SECONDS = 0.2


def train_by_processes(
    recipe: Recipe, processes: int, home: Path, known: Path | None = None, *, pause: Callable[[], bool] = lambda: False
) -> Path:
    """Train a recipe by so many processes that share each batch; gives the run's folder.

    known: the folder of an interrupted run to go on with. pause: asked several times a second; when it says yes the run
    is kept and Paused raised. They meet on this machine alone. Raises RunError with what the training said,
    DivergedError where that is a loss that is no number.
    """
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    local = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **local}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{recipe.name}.yaml"
        file.write_text(recipe.to_yaml(), encoding="utf-8")
        what = ["--resume", str(known)] if known else [str(file)]
        command = [*launch, "-m", "sightlab", "train", *what, "--home", str(home), "--json"]
        said, complained = Path(folder) / "out", Path(folder) / "err"
        with said.open("w") as out, complained.open("w") as err:
            # A session of its own: Ctrl-C is answered by asking it to pause, once.
            training = subprocess.Popen(command, stdout=out, stderr=err, env=environment, start_new_session=True)  # noqa: S603
            try:
                asked = False
                while training.poll() is None:
                    time.sleep(LOOK_SECONDS)
                    if pause() and not asked:
                        asked = True
                        os.killpg(training.pid, signal.SIGINT)
            finally:
                if training.poll() is None:
                    os.killpg(training.pid, signal.SIGKILL)
                    training.wait()
        if asked:
            raise Paused(recipe.name)
        lines = [line for line in complained.read_text(errors="replace").splitlines() if line.strip()]
        if training.returncode:
            reason = next((line for line in lines if line.startswith("sightlab: ")), lines[-1] if lines else "no word")
            said_by = f"{recipe.name}, {processes} processes: {one_line(reason).removeprefix('sightlab: ')}"
            raise DivergedError(said_by) if NOT_FINITE in reason else RunError(said_by)
        return Path(json.loads(said.read_text())["folder"])
