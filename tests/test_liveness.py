"""Whether a process is still there: asked of the system on this machine, of heartbeats elsewhere."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sightlab.store.liveness import alive, this_process

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_this_process_is_alive_whatever_its_heartbeat() -> None:
    assert alive(this_process(), "", NOW)
    assert alive(this_process(), "2001-01-01T00:00:00+00:00", NOW)


def test_the_start_is_that_of_proc() -> None:
    """Field 22 of /proc/PID/stat, here as `ps` and the like read it: after the bracket of the name."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert this_process()["started"] == int(fields[22 - 3])


def test_a_process_that_was_killed_is_dead_before_it_is_collected() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        theirs = {**this_process(), "pid": process.pid, "started": None}
        assert alive(theirs, "", NOW)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
        assert not alive(theirs, NOW.isoformat(), NOW)
        process.wait()
        assert not alive(theirs, NOW.isoformat(), NOW)


def test_another_process_of_the_same_number_is_not_it() -> None:
    assert not alive({**this_process(), "started": 1}, NOW.isoformat(), NOW)


def test_no_process_outlives_a_boot() -> None:
    assert not alive({**this_process(), "boot": "another"}, NOW.isoformat(), NOW)


@pytest.mark.parametrize("where", [{"host": "elsewhere"}, {"namespace": "pid:[1]"}])
@pytest.mark.parametrize(("minutes", "lives"), [(0, True), (14.9, True), (15.1, False), (-5, True)])
def test_elsewhere_a_heartbeat_counts_for_fifteen_minutes(where: dict[str, str], minutes: float, lives: bool) -> None:
    theirs = {**this_process(), **where}
    assert alive(theirs, (NOW - timedelta(minutes=minutes)).isoformat(), NOW) is lives


@pytest.mark.parametrize("heartbeat", ["", "soon", "2026-01-31T12:00:00"])
def test_a_heartbeat_without_a_zone_is_utc_and_one_that_is_no_time_is_none(heartbeat: str) -> None:
    assert alive({"host": "elsewhere", "pid": 1}, heartbeat, NOW) is heartbeat.startswith("2026")


@pytest.mark.parametrize("process", [{}, {"pid": None}, {"pid": "7"}, {"pid": -1}, {"host": "elsewhere"}], ids=str)
def test_an_identity_that_is_not_whole_is_nobody(process: dict[str, object]) -> None:
    assert not alive(process, NOW.isoformat(), NOW)
