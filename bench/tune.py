"""Searches with early stopping on all cores against the whole grid, one cell after the other: time, and what is found.

The grid is study 1's: 25 pairs of batch size and learning rate for MiniResNet-v4 on KMNIST. Each has a home of its own,
so that none finds the other's runs. About fifty minutes on two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from measure import Row

import sightlab
from sightlab.recipes.loader import parse_recipe
from sightlab.recipes.overrides import changed
from sightlab.training.device import physical_cores

EPOCHS, SHORT = 27, 4
SEARCHES = (1, 2, 3)  # seeds of the searches with early stopping
SEEDS = (11, 12, 13)  # of the trainings that winners are held to: none that picked them
GRID = {"lr": (0.01, 0.03, 0.06, 0.09, 0.12), "batch_size": (16, 32, 64, 128, 256)}
IMAGES = 1500
BASE = f"""
name: study-1
model: mini-resnet-v4
optimizer: sgd
schedule: constant
epochs: {EPOCHS}
compile: "off"
data: {{source: kmnist, limit_per_class: {IMAGES // 10}}}
"""


def searched(
    home: Path, epochs: int, method: str, jobs: int, threads: int = 0, seed: int = 42
) -> tuple[float, dict[str, Any]]:
    """Seconds of a search by the command line, and what it found.

    threads: of each process, 0 for as usual. seed: of its trainings, and of the order of its trials.
    """
    recipe = home.with_suffix(".yaml")
    recipe.write_text(BASE)
    words = [
        str(recipe),
        f"epochs={epochs}",
        f"seed={seed}",
        *(f"{key}={','.join(map(str, one))}" for key, one in GRID.items()),
    ]
    options = ["--method", method, "--jobs", str(jobs), "--metric", "validation_loss", "--no-test", "--json"]
    command = [sys.executable, "-m", "sightlab", "tune", *words, *options, "--home", str(home)]
    environment = dict(os.environ) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return time.perf_counter() - started, json.loads(done.stdout)


def best_cell(found: dict[str, Any]) -> dict[str, Any]:
    """The values of a search's winner."""
    values: dict[str, Any] = found["trials"][found["best"] - 1]["values"]
    return values


def loss_of(values: dict[str, Any], seed: int) -> float:
    """Validation loss of a cell with another seed, at its best epoch."""
    recipe = changed(parse_recipe(BASE, "study 1"), values | {"seed": seed})
    best = max(sightlab.epochs(recipe), key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss))
    return best.validation_loss


def losses(cells: list[dict[str, Any]]) -> list[list[float]]:
    """Validation losses of each cell, a seed each, in a process of one thread a core."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(physical_cores(), get_context("spawn")) as pool:
        waiting = [[pool.submit(loss_of, cell, seed) for seed in SEEDS] for cell in cells]
        return [[one.result() for one in row] for row in waiting]


def words_of(values: dict[str, Any]) -> str:
    """A cell in words."""
    return f"lr {values['optimizer.lr']:g}, batch {values['batch_size']}"


def winner_row(cell: dict[str, Any], loss: list[float], other: str, best: list[float]) -> Row:
    """A winner against the cell that is best by the whole grid: at most a standard error of its mean worse."""
    gap, error = mean(loss) - mean(best), stdev(best) / len(best) ** 0.5
    what = f"winner, {words_of(cell)}"
    asked = f"at most {error:.4f}"
    return Row("tune", what, "val loss", mean(loss), other, mean(best), "", gap, asked, gap <= error, loss, best)


def rows() -> tuple[list[Row], dict[str, object]]:
    """Seconds of whole commands, mean validation losses, shares in percent."""
    os.environ.setdefault("SIGHTLAB_DATA", str(Path("../shared/data").absolute()))
    cores = physical_cores()
    with tempfile.TemporaryDirectory() as folder:
        homes = Path(folder)
        slow, grid = searched(homes / "grid", EPOCHS, "grid", 1)
        halved = [searched(homes / f"asha-{seed}", EPOCHS, "asha", cores, seed=seed) for seed in SEARCHES]
        _, one = searched(homes / "one", SHORT, "grid", 1, threads=1)
        _, several = searched(homes / "several", SHORT, "grid", cores)
    winners = [best_cell(found) for _, found in halved]
    every = [best_cell(grid), *winners]
    cells = [cell for place, cell in enumerate(every) if cell not in every[:place]]
    known = losses(cells)
    best, *chosen = (known[cells.index(cell)] for cell in every)
    times = [seconds for seconds, _ in halved]
    epochs = [found["cost"]["epochs"] for _, found in halved]
    fast = mean(times)
    efficiency = 100 * one["cost"]["wall"] / several["cost"]["wall"] / cores
    spent = grid["cost"]["wall"] + grid["cost"]["measuring"]
    overhead = 100 * (spent - grid["cost"]["real"]) / spent
    peer = "every cell, one after the other"
    side = f"asha, {cores} processes"
    found = [
        Row(
            "tune",
            "25 cells",
            side,
            fast,
            peer,
            slow,
            "s",
            slow / fast,
            "at least 5 x",
            slow / fast >= 5,
            times,
            [slow],
        ),
        Row("tune", "25 cells", side, mean(epochs), peer, grid["cost"]["epochs"], "epochs", None, "", None, epochs),
        *(winner_row(cell, loss, words_of(best_cell(grid)), best) for cell, loss in zip(winners, chosen, strict=True)),
        Row(
            "tune",
            f"efficiency of the grid on {cores} cores",
            f"{SHORT} epochs",
            efficiency,
            "",
            None,
            "%",
            None,
            "at least 90 %",
            efficiency >= 90,
        ),
        Row("tune", "overhead of the tuner", "grid", overhead, "", None, "%", None, "at most 2 %", overhead <= 2),
    ]
    facts: dict[str, object] = {
        "epochs": EPOCHS,
        "images": IMAGES,
        "searches": len(SEARCHES),
        "grids": 1,
        "seeds of a winner": len(SEEDS),
    }
    return found, facts
