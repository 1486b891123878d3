"""Training beside busy processes, MiniResNet-v4, batch 64, a thread a core: images a second, share of the idle rate.

`threads that spin` is the same training without what `sightlab.training.spin` does. A busy process is a loop in Python
without end. A fair share is the system's to give: of three threads that want two cores, two get 2/3 of both; of two
processes, one gets 1/2.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from measure import Row, faster, in_turn
from training import our_rate

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.training import spin
from sightlab.training.device import own_process, physical_cores

ROUNDS, SECONDS, WARM = 3, 8.0, 10
MODEL, BATCH = "mini-resnet-v4", 64
BUSY = (0, 1, 3)


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that never sleep, until the block ends."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def rate(images: ImageSet, busy: int, monitored: bool) -> float:
    """Images a second beside so many busy processes."""
    with busy_processes(busy), own_process():
        if not monitored:
            spin.MONITOR.leave()
        return our_rate(images, MODEL, BATCH, 1, SECONDS, WARM)


def share_row(busy: int, share: float, cores: int) -> Row:
    """What is left of the idle machine's rate, against the share that is fair by threads."""
    by_thread, by_process = min(1.0, cores / (cores + busy)), min(1.0, 1 / (1 + busy))
    target = f"at least {by_process:.0%}"
    what = f"share of the idle rate beside {busy} busy"
    return Row(
        *("beside", what, "sightlab", 100 * share, "fair by threads", 100 * by_thread, "%", share / by_thread),
        *(target, share >= by_process),
    )


def rows() -> tuple[list[Row], dict[str, object]]:
    """Beside no, one and three busy processes: both sides in turn, then the shares."""
    images = sightlab.load_data("fashion-mini", validation=0.01).train
    cores = physical_cores()
    sides = {
        f"{name} {busy}": partial(rate, images, busy, name == "sightlab")
        for busy in BUSY
        for name in ("sightlab", "threads that spin")
    }
    found = in_turn(sides, ROUNDS)
    table = []
    for busy in BUSY:
        pair = {name: found[f"{name} {busy}"] for name in ("sightlab", "threads that spin")}
        what = f"{MODEL}, batch {BATCH}, beside {busy} busy" if busy else f"{MODEL}, batch {BATCH}, idle machine"
        table.append(faster("beside", what, pair, "sightlab", "threads that spin", "images/s", 1 if busy else 0.97))
    idle = median(found["sightlab 0"])
    table += [share_row(busy, median(found[f"sightlab {busy}"]) / idle, cores) for busy in BUSY if busy]
    return table, {"n": ROUNDS, "seconds a round": SECONDS, "threads": cores}
