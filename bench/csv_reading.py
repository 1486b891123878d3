"""Reads a CSV file of 60,000 pictures of 28 x 28 pixels with sightlab and with pandas, in turn, and prints both times.

    python bench/csv_reading.py [FILE.csv]

Without a file it writes one to a temporary folder (133 MB, random pixels with as many digits as Fashion-MNIST's).
Needs pandas. Times are medians of 5 after one reading of each that is not counted; on a shared machine they vary.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from sightlab.data.formats.csv import read_csv

ROWS, PIXELS, REPEATS = 60_000, 784, 5


def write_sample(path: Path) -> None:
    """Half of the pixels are 0, as in Fashion-MNIST; the others are even over 1 to 255."""
    generator = np.random.default_rng(0)
    with path.open("w") as stream:
        stream.write("label," + ",".join(f"pixel{n}" for n in range(PIXELS)) + "\n")
        for _ in range(ROWS // 1000):
            pixels = generator.integers(1, 256, (1000, PIXELS)) * generator.integers(0, 2, (1000, PIXELS))
            labels = generator.integers(0, 10, (1000, 1))
            stream.writelines(",".join(map(str, row)) + "\n" for row in np.hstack([labels, pixels]).tolist())


def seconds(read: Callable[[], object]) -> float:
    start = time.perf_counter()
    read()
    return time.perf_counter() - start


def compare(path: Path) -> None:
    ours, theirs = [], []
    for turn in range(REPEATS + 1):
        mine, other = seconds(lambda: read_csv(path)), seconds(lambda: pd.read_csv(path))
        if turn:
            ours.append(mine)
            theirs.append(other)
    mine, other = statistics.median(ours), statistics.median(theirs)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{path.name}, {path.stat().st_size / 1e6:.0f} MB, {cores} cores, medians of {REPEATS}")
    print(f"sightlab  {mine:.3f} s  ({min(ours):.3f} to {max(ours):.3f})")
    print(f"pandas    {other:.3f} s  ({min(theirs):.3f} to {max(theirs):.3f})")
    print(f"ratio     {mine / other:.3f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compare(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_sample(Path(folder) / "sample.csv")
            compare(Path(folder) / "sample.csv")
