"""Device, threads and process settings of a training, and the description of the machine that a run keeps."""

from __future__ import annotations

import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from sightlab.errors import DeviceError
from sightlab.machine import cpus
from sightlab.training import spin
from sightlab.version import __version__

T = TypeVar("T")


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of this name; `auto` is CUDA, else MPS, else the CPU.

    local_rank: this process's among torchrun's processes on this machine; each takes a CUDA device of its own.

    Raises DeviceError for an unknown name, and for a device that this machine does not have.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", local_rank)
    if name == "auto":
        return torch.device("mps" if has_mps() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise DeviceError(f"unknown device {name!r}; use auto, cpu, cuda, cuda:N or mps")
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= count:
            raise DeviceError(
                f"device {name!r}: usable CUDA devices on this machine: {count}; device=cpu works anywhere"
            )
    if name == "mps" and not has_mps():
        raise DeviceError("device 'mps': this machine has none that torch can use; device=cpu works anywhere")
    return torch.device(name)


def has_mps() -> bool:
    """Whether Apple's GPU (MPS) can be used."""
    return torch.backends.mps.is_available()


def own_process(deterministic: bool = False) -> ProcessSetup:
    """Set this process up for training or testing in a `with` block; afterwards it is as the caller had it.

    Denormal numbers are flushed to zero (they make a step tens of times slower on some processors), and there are as
    many threads as OMP_NUM_THREADS says, else as physical cores: two threads of one core share its arithmetic units.
    Threads that wait for each other do not spin while other processes keep the CPUs busy (see `spin`). Torch's random
    generators are the caller's own again, though training seeds them at every step. Enter it before the first parallel
    operation: threads keep the arithmetic they started with.

    Blocks may overlap and end in any order. A generator that trains between its items uses `around`: the caller then
    has the process as it was while the generator is suspended.
    """
    return ProcessSetup(deterministic)


class ProcessSetup:
    """See `own_process`. It may be entered several times, one after the other or nested."""

    def __init__(self, deterministic: bool) -> None:
        self.deterministic = deterministic
        self.blocks: list[Block] = []

    def __enter__(self) -> Self:
        self.blocks.append(Block(self.deterministic))
        return self

    def __exit__(self, *_: object) -> None:
        self.blocks.pop().leave()

    def around(self, items: Generator[T, None, None]) -> Generator[T, None, None]:
        """The items, each of them made inside the block; between them the process is as the caller has it."""
        try:
            while True:
                with self:
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                yield item
        finally:
            with self:
                items.close()


class Block:
    """One entered `with` block: what it has set, and in which thread."""

    def __init__(self, deterministic: bool) -> None:
        self.thread = threading.get_ident()
        asked = os.environ.get("OMP_NUM_THREADS", "")
        count = int(asked) if asked.isdecimal() and int(asked) else physical_cores()
        with SETTINGS_LOCK:
            RANDOM_STATE.enter(self)
            FLUSH_DENORMAL.enter(self, True)
            THREADS.enter(self, count)
            CUBLAS_WORKSPACE.enter(self, os.environ.get(CUBLAS, ":4096:8") if deterministic else None)
            DETERMINISTIC.enter(self, True if deterministic else None)
        self.monitored = spin.can_be_stopped(count)
        if self.monitored:
            spin.MONITOR.enter(count)

    def leave(self) -> None:
        """Put everything back."""
        if self.monitored:
            spin.MONITOR.leave()
        with SETTINGS_LOCK:
            for setting in (DETERMINISTIC, CUBLAS_WORKSPACE, THREADS, FLUSH_DENORMAL, RANDOM_STATE):
                setting.leave(self)


class Setting(Generic[T]):
    """A state of this process that blocks change, and that is right in whatever order they end.

    read, write: get and set it. Each block remembers what it found. A block that ends before one that was entered later
    leaves the state alone, and the later one puts back what the earlier one found. per_thread: each thread has a state
    of its own.
    """

    def __init__(self, read: Callable[[], T], write: Callable[[T], object], per_thread: bool = False) -> None:
        self.read, self.write, self.per_thread = read, write, per_thread
        self.found: dict[Block, T] = {}  # in the order in which the blocks were entered

    def enter(self, block: Block, value: T | None = None) -> None:
        """Remember the state, then set it to the value if there is one."""
        self.found[block] = self.read()
        if value is not None and value != self.found[block]:
            self.write(value)

    def leave(self, block: Block) -> None:
        """Put the state back, or leave that to the next block."""
        blocks = [other for other in self.found if not self.per_thread or other.thread == block.thread]
        later = blocks[blocks.index(block) + 1 :]
        state = self.found.pop(block)
        if later:
            self.found[later[0]] = state
        else:
            self.write(state)


def random_state() -> tuple[Tensor, list[Tensor] | None, Tensor | None]:
    """The states of torch's generators: the CPU's, CUDA's if it is in use, MPS's if there is one."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    return torch.get_rng_state(), cuda, torch.mps.get_rng_state() if has_mps() else None


def set_random_state(state: tuple[Tensor, list[Tensor] | None, Tensor | None]) -> None:
    """Set torch's generators."""
    cpu, cuda, mps = state
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)
    elif torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        # CUDA was started since; until then its generators had the seed of the CPU's, as torch.manual_seed gives it.
        torch.cuda.manual_seed_all(torch.initial_seed())
    if mps is not None:
        torch.mps.set_rng_state(mps)


def set_deterministic(on: bool) -> None:
    """Ask for deterministic algorithms, or no longer."""
    # Only where it changes something: the call loads torch's compiler, for two seconds.
    if on != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(on)


def set_cublas_workspace(value: str | None) -> None:
    """Set the environment variable without which cuBLAS has no deterministic algorithms; None removes it."""
    if value is None:
        os.environ.pop(CUBLAS, None)
    else:
        os.environ[CUBLAS] = value


def flushes_denormal() -> bool:
    """Whether this thread flushes denormal numbers to zero."""
    return bool(torch.tensor(1e-40) * 1 == 0)


CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
SETTINGS_LOCK = threading.Lock()
RANDOM_STATE = Setting(random_state, set_random_state)
FLUSH_DENORMAL = Setting(flushes_denormal, torch.set_flush_denormal, per_thread=True)
THREADS = Setting(torch.get_num_threads, torch.set_num_threads, per_thread=True)
CUBLAS_WORKSPACE = Setting(partial(os.environ.get, CUBLAS), set_cublas_workspace)
DETERMINISTIC = Setting(torch.are_deterministic_algorithms_enabled, set_deterministic)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads in the block, then as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds that a call takes until the device has its results."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif has_mps():
        torch.mps.synchronize()
    return time.perf_counter() - started


def physical_cores() -> int:
    """How many physical cores this process may use; the logical CPUs where the system does not say which share one."""
    allowed = cpus()
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text().strip())
        except OSError:
            return max(1, len(allowed))
    return max(1, len(cores))


def trainings_at_once() -> int:
    """How many trainings to run side by side on this machine: one per physical core, or one if there is a GPU."""
    return 1 if torch.cuda.is_available() or has_mps() else physical_cores()


def cpu_name() -> str:
    """The processor's name, as the system reports it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def environment(device: torch.device, processes: int = 1) -> dict[str, object]:
    """The parts of this machine and its software on which a result may depend."""
    return {
        "sightlab": __version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": physical_cores(),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }
