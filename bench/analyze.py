"""`sightlab analyze` without the landscape on 1,000 KMNIST images, MiniResNet-v4: seconds and peak memory.

The whole command in a fresh process, imports and page included. The run is trained first, for one epoch on 20 images a
class: what an analysis costs does not depend on the weights.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import Row

import sightlab
from sightlab.training.device import physical_cores

MODEL, IMAGES, ROUNDS, MOST_SECONDS, MOST_GIGABYTES = "mini-resnet-v4", 1000, 5, 180.0, 1.5
COMMAND = """
import sys
from sightlab.cli import main
status = main(["analyze", sys.argv[1], "--images", sys.argv[2], "-o", sys.argv[3]])
from sightlab.training.forecast import peak_gigabytes
print(status, peak_gigabytes())
"""


def measured(run: Path, page: Path) -> tuple[float, float]:
    """Seconds of the command, and the most gigabytes that its process had."""
    started = time.perf_counter()
    words = [sys.executable, "-c", COMMAND, str(run), str(IMAGES), str(page)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    status, gigabytes = done.stdout.split()[-2:]
    assert status == "0"
    return time.perf_counter() - started, float(gigabytes)


def rows() -> tuple[list[Row], dict[str, object]]:
    """Time and memory of all analyses together, and the seconds of each."""
    recipe = sightlab.recipe("cnn", model=MODEL, data="kmnist", epochs=1, validation=0.5, report=False, compile="off")
    with tempfile.TemporaryDirectory() as folder:
        run = sightlab.train(recipe, home=folder).folder
        found = [measured(run, Path(folder) / "page.html") for _ in range(ROUNDS)]
        kept = json.loads((run / "analyses.json").read_text())["analyses"]
    seconds, gigabytes = ([one[place] for one in found] for place in (0, 1))
    what = f"all analyses but the landscape, {IMAGES:,} KMNIST images, {MODEL}"
    made = [
        Row(
            *("analyze", what, "sightlab", median(seconds), "", None, "s", None),
            *(f"at most {MOST_SECONDS:g} s", median(seconds) <= MOST_SECONDS, seconds),
        ),
        Row(
            *("analyze", f"{what}, peak memory", "sightlab", median(gigabytes), "", None, "GB", None),
            *(f"at most {MOST_GIGABYTES:g} GB", max(gigabytes) <= MOST_GIGABYTES, gigabytes),
        ),
    ]
    each = {name: f"{one['seconds']:.1f} s" for name, one in kept.items()}
    return made, {"n": ROUNDS, "threads": physical_cores(), **each}
