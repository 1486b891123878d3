"""Whether the process that trains a run is still running."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PATIENCE = timedelta(minutes=15)  # an older heartbeat, from a machine that cannot be asked, means that the process died


def this_process() -> dict[str, Any]:
    """What identifies this process, now and later: kept in run.json of the run it trains.

    host: the machine's name. boot: the kernel's id of this boot, "" where there is none. namespace: of process ids
    (containers on one machine share its boot but not their ids), "" where there is none. pid: the process id.
    started: ticks from the boot to the process's start, since ids are given anew; None where the system does not say.

    >>> from datetime import UTC, datetime
    >>> alive(this_process(), "", datetime.now(UTC))
    True
    """
    return {**_machine(), "pid": os.getpid(), "started": _start_ticks(os.getpid())}


def alive(process: Mapping[str, Any], heartbeat: str, now: datetime) -> bool:
    """Whether this process is still running.

    process: what `this_process` gave; keys that an older sightlab did not write may be missing. On this machine the
    system is asked; on another machine only the heartbeat is known (ISO 8601, UTC), which has to be younger than 15
    minutes at `now`.
    """
    pid = process.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    if same_machine(process):
        return process.get("boot") == _machine()["boot"] and _running(pid, process.get("started"))
    try:
        beat = datetime.fromisoformat(heartbeat)
    except (TypeError, ValueError):
        return False
    if beat.tzinfo is None:
        beat = beat.replace(tzinfo=UTC)
    return now - beat < PATIENCE


def same_machine(process: Mapping[str, Any]) -> bool:
    """Whether this process was on this machine, so that the system can be asked for it."""
    here = _machine()
    return process.get("host") == here["host"] and process.get("namespace", here["namespace"]) == here["namespace"]


@functools.cache
def _machine() -> dict[str, str]:
    """Which machine, boot and namespace of process ids this is."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return {"host": socket.gethostname(), "boot": boot, "namespace": namespace}


def _running(pid: int, started: object) -> bool:
    """Whether the process of this id is running, and is the one that was started then."""
    if Path("/proc/self/stat").exists():
        ticks = _start_ticks(pid)
        return ticks is not None and started in (None, ticks)
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's, but running
    except (OSError, OverflowError):
        return False
    return True


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc(5)); None without such a process, or one that is dead but not yet collected."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the second field, the program's name in brackets, may hold anything
    return None if fields[0] in ("Z", "X") else int(fields[19])
