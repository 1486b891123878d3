"""Peak memory of training on CIFAR-10's 60,000 colour images: `sightlab train` against a plain loop. Gigabytes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from measure import ROUNDS, Row, in_turn

import sightlab

PLAIN = """
import sys
import numpy as np
import torch
import peers
from sightlab.models import build
arrays = {name: np.load(f"{sys.argv[1]}/{name}.npy") for name in ("train", "test")}
pictures = peers.Pictures(arrays["train"], np.zeros(len(arrays["train"]), np.int64), padding=4)
network = build("mini-resnet-v4", channels=3, classes=10, height=32, width=32)
steps = peers.plain_loop(network, pictures, 64)
for _ in range(100):
    next(steps)
network.eval()
test = peers.Pictures(arrays["test"][:2560], np.zeros(2560, np.int64), padding=4)
with torch.no_grad():
    for batch, labels in torch.utils.data.DataLoader(test, batch_size=256):
        network(batch)
"""
# Not the ru_maxrss that a parent is told of: that counts in what the parent itself had when it started the process.
SAY = """
from sightlab.training.forecast import peak_gigabytes
print(peak_gigabytes())
"""
OURS = """
import sys
from sightlab.cli import main
changes = ["data=" + sys.argv[2], "epochs=1", "flip=0.5", "crop_padding=4"]
main(["train", "mini-resnet-v4", *changes, "--home", sys.argv[1]])
"""


def peak(script: str, *words: str) -> float:
    """The most memory a Python process had, in gigabytes."""
    done = subprocess.run(
        [sys.executable, "-c", script + SAY, *words],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=600,
    )
    return float(done.stdout.split()[-1])


def rows() -> tuple[list[Row], dict[str, object]]:
    """A whole run, its data cached already, against a plain loop's 100 steps and an evaluation, data in memory."""
    local = Path(os.environ.get("SIGHTLAB_DATA", "../shared/data")) / "cifar10-jpeg.tar"
    source = str(local.absolute()) if local.exists() else "cifar10"
    splits = sightlab.load_data(source, validation=0.01)
    with tempfile.TemporaryDirectory() as folder:
        whole = [splits.train.images, splits.validation.images]
        np.save(Path(folder) / "train.npy", np.concatenate(whole))
        np.save(Path(folder) / "test.npy", splits.test.open("memory benchmark").images)
        del whole, splits
        sides = {"sightlab": partial(peak, OURS, folder, source), "plain loop": partial(peak, PLAIN, folder)}
        found = in_turn(sides)
    ours, theirs = median(found["sightlab"]), median(found["plain loop"])
    row = Row(
        *("memory", "CIFAR-10, mini-resnet-v4, batch 64", "sightlab", ours, "plain loop", theirs, "GB", ours / theirs),
        *("at most 1.5", ours / theirs <= 1.5),
        *found.values(),
    )
    return [row], {"n": ROUNDS}
