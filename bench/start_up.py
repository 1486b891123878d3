"""Start-up: from a command to the first optimizer step on cached data, and to the end of `sightlab --help`. Seconds."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from measure import ROUNDS, Row, in_turn

import sightlab

# Each ends itself at its first step and says when that was.
OURS = """
import os, sys, time
from sightlab.training.state import Training
def first(*asked):
    print("first step at", time.time(), flush=True)
    os._exit(0)
Training.add_step = first
from sightlab.cli import main
main(["train", "mini-resnet-v4", "data=fashion-mini", "--home", sys.argv[1]])
"""
PLAIN = """
import os, sys, time
import numpy as np
import peers
from torch import nn
from torchvision.models import resnet18
arrays = np.load(sys.argv[1] + "/pictures.npz")
network = resnet18(num_classes=10)
network.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
pictures = peers.Pictures(arrays["images"], arrays["labels"])
"""
FIRST_STEP = {
    "plain loop": PLAIN + "next(peers.plain_loop(network, pictures, 64))\n",
    "Lightning": PLAIN + "peers.lightning_rate(network, pictures, 64, 0.0, 1)\n",
}
SAY = 'print("first step at", time.time(), flush=True)\nos._exit(0)\n'
HELP = "from sightlab.cli import main; main(['--help'])"


def until_first_step(script: str, folder: str) -> float:
    """Seconds from the start of a Python process to its first step."""
    started = time.time()
    command = [sys.executable, "-c", script, folder]
    here = Path(__file__).parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=here)
    said = next(line for line in done.stdout.splitlines() if line.startswith("first step at"))
    return float(said.rpartition(" ")[2]) - started


def whole(script: str) -> float:
    """Seconds that a Python process takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    return time.perf_counter() - started


def rows() -> tuple[list[Row], dict[str, object]]:
    """First step against the plain loop and Lightning; help against a Python that does nothing."""
    images = sightlab.load_data("fashion-mini", validation=0.1).train
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "pictures.npz", images=images.images, labels=images.labels)
        sides = {"sightlab": partial(until_first_step, OURS, folder)}
        sides |= {peer: partial(until_first_step, script + SAY, folder) for peer, script in FIRST_STEP.items()}
        sides |= {"help": partial(whole, HELP), "python": partial(whole, "pass")}
        in_turn(sides, rounds=1)
        found = in_turn(sides)
    ours = median(found["sightlab"])
    what = "to the first step"
    made = [
        Row("start-up", what, "sightlab", ours, peer, median(found[peer]), "s", ours / median(found[peer]))
        for peer in FIRST_STEP
    ]
    shown = median(found["help"])
    bare = median(found["python"])
    made.append(
        Row(
            "start-up",
            "sightlab --help",
            "sightlab",
            shown,
            "python -c pass",
            bare,
            "s",
            None,
            "at most 0.3 s",
            shown <= 0.3,
        )
    )
    return made, {"n": ROUNDS}
