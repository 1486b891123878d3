"""The machine that trains: device, cores, and what of it is written down with a run."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from sightlab.errors import DeviceError
from sightlab.machine import cpus
from sightlab.version import __version__


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of this name; `auto` takes cuda, then mps, then cpu, whichever this machine has first.

    local_rank: which of torchrun's processes on this machine this is; each takes a CUDA device of its own.

    Raises DeviceError for a name that is no device, or a device that is not here.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", local_rank)
    if name == "auto":
        return torch.device("mps" if has_mps() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise DeviceError(f"device {name!r} is not a name that is known; auto, cpu, cuda, cuda:0 or mps would be")
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= count:
            raise DeviceError(
                f"device {name!r}: this machine has {count} usable CUDA devices; device=cpu works anywhere"
            )
    if name == "mps" and not has_mps():
        raise DeviceError("device 'mps': not available on this machine; device=cpu works anywhere")
    return torch.device(name)


def has_mps() -> bool:
    """Whether Apple's GPU can be used."""
    return torch.backends.mps.is_available()


@contextmanager
def own_process(deterministic: bool = False) -> Iterator[None]:
    """Set this process up for training or testing in the block; afterwards it is as the caller had it.

    Denormal numbers are flushed to zero (they make a step tens of times slower on some processors), and threads are
    as many as OMP_NUM_THREADS says, else as physical cores: two threads of one core share its arithmetic units. Torch's
    generators are the caller's own again, though training seeds them at every step. Enter it before the first
    parallel operation: threads keep the arithmetic they started with.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    flushed = bool(torch.tensor(1e-40) * 1 == 0)
    strict = torch.are_deterministic_algorithms_enabled()
    torch.set_flush_denormal(True)
    # Only where it changes something: the call loads torch's compiler, for two seconds.
    if deterministic and not strict:
        torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(), threads(int(asked) if asked.isdecimal() and int(asked) else physical_cores()):
            yield
    finally:
        torch.set_flush_denormal(flushed)
        if deterministic and not strict:
            torch.use_deterministic_algorithms(False)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads in the block, then as many as before: worker processes sleep while their parent evaluates."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds_of(work: Callable[[], object]) -> float:
    """How long a call takes, its results arrived."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def physical_cores() -> int:
    """Physical cores that this process may use; as many as logical ones where the system does not tell."""
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
    """How many trainings do best side by side on this machine: one a core, but a single one where there is a GPU."""
    return 1 if torch.cuda.is_available() or has_mps() else physical_cores()


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def environment(device: torch.device, processes: int = 1) -> dict[str, object]:
    """What of this machine and its software a result may depend on."""
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
