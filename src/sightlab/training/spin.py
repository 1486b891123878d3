"""Threads that wait for each other beside busy processes: they do not spin while this process queues for its CPUs.

The threads of a parallel operation wait for each other at its end, hundreds of times a step. libgomp spins there for
some milliseconds before it sleeps. On idle CPUs that is the fastest way to wait; beside a busy process it is the
slowest, since a thread that spins keeps the CPU from the one that it waits for (docs/benchmarks.md has figures).

libgomp spins only for an instant while a program has more OpenMP threads than there are CPUs. So while the kernel
reports that threads of this process queue for a CPU, one more thread holds a pool of sleeping OpenMP threads. How many
threads share an operation does not change, so every result keeps its bits.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from sightlab.machine import cores

LOOK_SECONDS = 0.25
BUSY, CALM = 0.10, 0.02  # shares of the time that a thread was ready to run and had no CPU
CALM_LOOKS = 8
SET_BY_THE_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


class Decision:
    """Whether to stop spinning: at once when a thread queues, until none has queued for two seconds."""

    def __init__(self) -> None:
        self.sleeping = False
        self.calm_looks = 0

    def after(self, share: float) -> bool:
        """The decision after one more look. share: of the time since the last one, queued, from 0 to 1."""
        self.calm_looks = self.calm_looks + 1 if share < CALM else 0
        if share > BUSY:
            self.sleeping = True
        elif self.calm_looks >= CALM_LOOKS:
            self.sleeping = False
        return self.sleeping


class SleepingPool:
    """A thread with a pool of OpenMP threads that do nothing; they are gone after `end`.

    threads: how many OpenMP threads train; with the pool's there is one more than CPUs.
    """

    def __init__(self, threads: int) -> None:
        self.ended, begun = threading.Event(), threading.Event()

        def hold() -> None:
            try:
                for path in libgomps():
                    gomp = ctypes.CDLL(path)
                    nothing = ctypes.cast(gomp.omp_get_thread_num, ctypes.c_void_p)
                    # What `#pragma omp parallel num_threads(...)` compiles to; this thread is the first of them.
                    gomp.GOMP_parallel(nothing, None, ctypes.c_uint(max(2, cores() + 2 - threads)), ctypes.c_uint(0))
            finally:
                begun.set()
            self.ended.wait()

        self.thread = threading.Thread(target=hold, name="sightlab: sleeping pool", daemon=True)
        self.thread.start()
        begun.wait()

    def end(self) -> None:
        """Let the thread end, and its pool with it."""
        self.ended.set()
        self.thread.join()


class SpinMonitor:
    """Looks four times a second whether threads of this process queue for a CPU, while any block asks for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blocks = 0
        self.threads = 2
        self.decision = Decision()
        self.thread: threading.Thread | None = None
        self.ended = threading.Event()

    def enter(self, threads: int) -> None:
        """Begin to look, unless another block has. threads: how many train."""
        with self.lock:
            self.blocks += 1
            if self.thread is None:
                self.threads = threads
                self.start()

    def leave(self) -> None:
        """Stop looking, unless another block goes on."""
        with self.lock:
            self.blocks = max(0, self.blocks - 1)
            if not self.blocks:
                self.stop()

    def start(self) -> None:
        """Start the thread that looks."""
        self.ended.clear()
        self.thread = threading.Thread(target=self.look, name="sightlab: spin monitor", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the thread that looks, and the pool if there is one."""
        if self.thread is not None:
            self.ended.set()
            self.thread.join()
            self.thread = None

    def look(self) -> None:
        """What the thread does. A decision outlives it: a training is suspended and resumed between its epochs."""
        pool = SleepingPool(self.threads) if self.decision.sleeping else None
        before, started = queued_seconds(), time.perf_counter()
        while not self.ended.wait(LOOK_SECONDS):
            queued, now = queued_seconds(), time.perf_counter()
            longest = max((seconds - before.get(thread, seconds) for thread, seconds in queued.items()), default=0.0)
            sleeping = self.decision.after(longest / (now - started))
            before, started = queued, now
            if sleeping and pool is None:
                pool = SleepingPool(self.threads)
            elif pool is not None and not sleeping:
                pool.end()
                pool = None
        if pool is not None:
            pool.end()

    def before_fork(self) -> None:
        """Stop: a child has none of its parent's threads."""
        self.lock.acquire()
        self.stop()

    def after_fork(self) -> None:
        """Resume in the parent."""
        if self.blocks:
            self.start()
        self.lock.release()

    def in_child(self) -> None:
        """Look at nothing in the child until it enters a block of its own."""
        self.blocks = 0
        self.lock.release()


def queued_seconds() -> dict[str, float]:
    """For each thread of this process, how long it has been ready to run without a CPU."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            found[task.name] = int((task / "schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return found


def libgomps() -> set[str]:
    """The files of GNU's OpenMP library that this process has loaded; none if torch uses another one."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    files = {line.split(maxsplit=5)[-1] for line in maps.splitlines()}
    return {file for file in files if Path(file).name.startswith("libgomp")}


def can_be_stopped(threads: int) -> bool:
    """Whether there is spinning to stop: several threads, Linux, libgomp, and no setting by the user."""
    if threads < 2 or any(name in os.environ for name in SET_BY_THE_USER):
        return False
    return Path("/proc/self/schedstat").exists() and bool(libgomps())


MONITOR = SpinMonitor()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=MONITOR.before_fork, after_in_parent=MONITOR.after_fork, after_in_child=MONITOR.in_child)
