"""The machine: which processors this process may use."""

from __future__ import annotations

import os


def cpus() -> set[int]:
    """Numbers of the logical CPUs that this process may use: its affinity mask.

    All CPUs of the machine where the system has no such mask (macOS, Windows).
    """
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def cores() -> int:
    """How many logical CPUs this process may use, at least 1."""
    return max(1, len(cpus()))
