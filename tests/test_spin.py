"""Threads that wait without spinning: when that is decided, that it happens, and that no bit changes."""

import os
import resource
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from sightlab.machine import cores
from sightlab.training import spin
from sightlab.training.spin import CALM_LOOKS, LOOK_SECONDS, Decision, SleepingPool, SpinMonitor

several_cores = pytest.mark.skipif(
    cores() < 2 or not spin.can_be_stopped(2), reason="one CPU, or no libgomp: there is no spinning to stop"
)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_busy_look_is_enough_and_two_calm_seconds_end_it() -> None:
    decision = Decision()
    assert not decision.after(0.05)
    assert decision.after(0.11)
    calm = [decision.after(0.0) for _ in range(CALM_LOOKS)]
    assert calm == [True] * (CALM_LOOKS - 1) + [False]
    assert CALM_LOOKS * LOOK_SECONDS == 2


def test_a_look_that_is_not_calm_starts_the_two_seconds_anew() -> None:
    decision = Decision()
    decision.after(0.5)
    for _ in range(3):
        assert all(decision.after(0.0) for _ in range(CALM_LOOKS - 1))
        assert decision.after(0.05)


def switches() -> int:
    """How often threads of this process have gone to sleep, those that have ended too."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def sleeps_of_operations() -> list[int]:
    """How often threads sleep while 100 parallel operations follow each other at once; several times over."""
    numbers = torch.ones(1 << 17)
    counts = [switches()]
    for _ in range(5):
        for _ in range(100):
            numbers.add_(1)
        counts.append(switches())
    return [after - before for before, after in pairwise(counts)]


@several_cores
def test_a_sleeping_pool_makes_threads_sleep_between_operations(two_threads: None) -> None:
    """On a machine that is busy meanwhile a thread may spin in vain and sleep then: the calmest moments count."""
    spinning = sleeps_of_operations()
    pool = SleepingPool(2)
    sleeping = sleeps_of_operations()
    pool.end()
    again = sleeps_of_operations()
    assert max(sleeping) > 30
    assert max(min(spinning), min(again)) < max(sleeping) / 4


def weights_after_steps() -> list[torch.Tensor]:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 26**2, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(net(torch.randn(64, 1, 28, 28)), torch.randint(0, 10, (64,))).backward()
        optimizer.step()
    return list(net.state_dict().values())


@several_cores
def test_no_bit_changes(two_threads: None) -> None:
    plain = weights_after_steps()
    pool = SleepingPool(2)
    sleeping = weights_after_steps()
    pool.end()
    assert all(map(torch.equal, plain, sleeping))


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sightlab: ")]


@several_cores
def test_the_monitor_stops_the_spinning_of_a_process_that_queues_for_its_cpus() -> None:
    """Twice as many busy threads of this process as it has CPUs: each is without one for about half of the time."""
    ended = threading.Event()
    big = torch.ones(1 << 15)

    def work() -> None:
        torch.set_num_threads(1)
        while not ended.is_set():
            for _ in range(100):
                big.sin()  # without Python's lock

    monitor = SpinMonitor()
    busy = [threading.Thread(target=work) for _ in range(2 * cores())]
    for thread in busy:
        thread.start()
    monitor.enter(2)
    try:
        until = time.monotonic() + 20
        while "sightlab: sleeping pool" not in names() and time.monotonic() < until:
            time.sleep(0.05)
        assert sorted(names()) == ["sightlab: sleeping pool", "sightlab: spin monitor"]
    finally:
        ended.set()
        monitor.leave()
        for thread in busy:
            thread.join()
    assert names() == []
    assert monitor.decision.sleeping  # and so it begins when it is entered again


@several_cores
def test_a_forked_process_has_none_of_the_threads_and_its_parent_keeps_them() -> None:
    spin.MONITOR.enter(2)
    try:
        child = os.fork()
        if not child:
            os._exit(len(list(Path("/proc/self/task").iterdir())) - 1 + spin.MONITOR.blocks)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert names() == ["sightlab: spin monitor"]
    finally:
        spin.MONITOR.leave()
    assert names() == []


def test_blocks_share_one_monitor() -> None:
    monitor = SpinMonitor()
    for _ in range(2):
        monitor.enter(2)
    assert names() == ["sightlab: spin monitor"]
    monitor.leave()
    assert names() == ["sightlab: spin monitor"]
    monitor.leave()
    assert names() == []


@pytest.mark.parametrize("name", spin.SET_BY_THE_USER)
def test_what_the_user_has_set_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "100")
    assert not spin.can_be_stopped(2)


def test_one_thread_waits_for_nobody() -> None:
    assert not spin.can_be_stopped(1)
