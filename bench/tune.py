"""A search with early stopping on all cores against its grid, one cell after the other: time, and what is found.

    python bench/tune.py [--scale smoke]

Both search the same cells of KMNIST, with runs of their own: the grid trains every cell whole in one process, ASHA
draws the cells in a random order and ends most of them early, in a process a core. What counts is the ratio of the
times, and that the winner of ASHA is as good on validation as the grid's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sightlab.records import duration
from sightlab.training.workers import cpu_name, physical_cores

SCALES = {
    "full": ["kmnist-fast", "data=kmnist", "model=mini-resnet-v1,mini-resnet-v4", "epochs=9", "limit_per_class=1000"],
    "smoke": ["epochs=3"],
}
GRID = ["lr=0.003,0.01,0.03,0.1,0.3", "batch_size=32,64,128"]
SMOKE = "{model: lenet, compile: 'off', data: {source: fashion-mini, limit_per_class: 20}}"


def searched(words: list[str], home: Path) -> tuple[float, dict[str, Any]]:
    """Seconds of a search by the command line, and what it found."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "sightlab", "tune", *words, "--no-test", "--json", "--home", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, json.loads(done.stdout)


def told(name: str, seconds: float, found: dict[str, Any]) -> str:
    """A search in a line."""
    best = found["trials"][found["best"] - 1]
    epochs, trials = found["cost"]["epochs"], len(found["trials"])
    return f"{name:<32} {duration(seconds):>10}  {epochs:>5} epochs  {trials:>3} trials  best {best['value']:.2%}"


def main() -> None:
    """Run both searches and print three lines."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=list(SCALES), default="full")
    scale = parser.parse_args().scale
    cores = physical_cores()
    with tempfile.TemporaryDirectory() as folder:
        smoke = Path(folder) / "smoke.yaml"
        smoke.write_text(SMOKE)
        words = [*([str(smoke)] if scale == "smoke" else []), *SCALES[scale], *GRID]
        grid = searched([*words, "--method", "grid", "--workers", "1"], Path(folder) / "grid")
        asha = searched([*words, "--method", "asha", "--workers", str(cores)], Path(folder) / "asha")
    print(f"{cpu_name()}, {cores} cores, n 1, scale {scale}")
    print(told("grid, one after the other", *grid))
    print(told(f"asha, {cores} processes", *asha))
    print(f"{'ratio of the times':<32} {grid[0] / asha[0]:>10.2f}")


if __name__ == "__main__":
    main()
