"""Several processes over gloo: what they agree on, at which step, and how rarely they ask each other."""

import json
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist

from sightlab.training.distributed import AGREE_EVERY_SECONDS, AgreementClock, DistributedStep, Place
from sightlab.training.prepare import Prepared, prepare
from tests.test_training import tiny

EPOCHS, REQUESTED_AT, PAUSE = 3, 30, 2


def test_the_next_step_to_ask_at_is_about_a_second_away() -> None:
    clock = AgreementClock()
    assert clock.is_due(1)
    clock.restart(1, seconds_per_step=AGREE_EVERY_SECONDS / 10)
    assert [clock.is_due(step) for step in (2, 10, 11)] == [False, False, True]
    clock.restart(11, seconds_per_step=3 * AGREE_EVERY_SECONDS)
    assert clock.is_due(12)


def rank_of(prepared: Prepared, rank: int, folder: Path) -> None:
    """One process: three epochs of agreements; the second asks for a pause in the middle of an epoch, and is slower."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    training, device = prepared.training, torch.device("cpu")
    step = DistributedStep(prepared.config, training.classifier, device, Place(rank, rank, 2), training.scaler)
    reduced = 0
    reduce = dist.all_reduce

    def counted(*asked: object, **named: object) -> object:
        nonlocal reduced
        reduced += 1
        return reduce(*asked, **named)

    dist.all_reduce = counted
    found = []
    for number in range(EPOCHS * step.steps):
        time.sleep(0.004 * rank)
        request = PAUSE if rank == 1 and number >= REQUESTED_AT else 0
        found.append(step.agreed(request, number % step.steps + 1))
    (folder / f"{rank}.json").write_text(json.dumps({"found": found, "reduced": reduced, "steps": step.steps}))
    dist.barrier()


def test_all_processes_pause_at_the_same_step_and_seldom_ask(tmp_path: Path) -> None:
    prepared = prepare(tiny(limit_per_class=100, batch_size=50))
    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            status = 1
            try:
                rank_of(prepared, rank, tmp_path)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert one == two
    steps = one["steps"]
    assert one["found"][:REQUESTED_AT] == [0] * REQUESTED_AT
    end = -(-REQUESTED_AT // steps) * steps - 1
    assert one["found"][end] == PAUSE
    # Of each epoch the first two steps, its end, and what a busy machine adds: not every step.
    assert one["reduced"] <= len(one["found"]) / 2
