"""The little of Ray that sightlab asks for, and what is said when a cluster does not do it."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightlab.errors import RunError, StudyError, one_line

CLIENT_PORT = 10001  # of Ray's client server, as `ray start --head` has it
PATIENCE = 5.0  # seconds for an address to answer
ROOM_SECONDS = 1.0  # for which what is known of the nodes is taken for true
# Ray's client server starts a process for each client, which dies now and then before it begins: a fork beside the
# threads of gRPC (ray-project/ray, issue 63202; seen in 2 of 67 connections). Another try succeeds.
TRIES = 3
DIED_STARTING = ("Starting Ray client server failed", "Proxy failed to Connect to backend")
START = "start one with `ray start --head`, or name the address of one, ray://HOST:10001"


@dataclass(frozen=True)
class Lost:
    """A task whose process has died. why: in words. blameless: its node died with it."""

    why: str
    blameless: bool


class Cluster:
    """A Ray cluster that this process is connected to until it leaves."""

    def __init__(self, name: str, ray: Any) -> None:
        self.name, self.ray = name, ray
        self.looked = -ROOM_SECONDS
        self.known: list[dict[str, Any]] = []

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Turns what Ray raises when the cluster has gone into one line. Raises RunError."""
        try:
            yield
        except (self.ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError) as error:
            raise RunError(
                f"--on {self.name}: the Ray cluster does not answer any more ({one_line(error)[:160]}); what was "
                "trained is kept, and the same command goes on"
            ) from error

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that are alive, as Ray tells of them."""
        if time.monotonic() - self.looked > ROOM_SECONDS:
            with self.asked():
                self.known = [node for node in self.ray.nodes() if node["Alive"]]
            self.looked = time.monotonic()
        return self.known

    def room(self, cpus: float, gpus: float) -> int:
        """How many tasks of this size the nodes that are alive hold at once."""
        return sum(fits(node["Resources"], cpus, gpus) for node in self.nodes())

    def check_room(self, cpus: float, gpus: float) -> None:
        """Raise StudyError where no node is as large as one task."""
        if self.room(cpus, gpus):
            return
        held = [(node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)) for node in self.nodes()]
        most = [f"{max(one):g}" for one in zip(*held, strict=True)] if held else ["0", "0"]
        raise StudyError(
            f"--on {self.name}: no node has --cpus {cpus:g} --gpus {gpus:g}; the largest has {most[0]} CPUs, and the "
            f"one with most GPUs {most[1]}; ask for less"
        )

    def actor(self, kind: type) -> Any:
        """An object of this class on the head node: it lives as long as the cluster does."""
        with self.asked():
            return self.ray.remote(kind).options(num_cpus=0, resources={"node:__internal_head__": 0.001}).remote()

    def task(self, work: Callable[..., Any], cpus: float, gpus: float, *values: Any) -> Any:
        """Give a function to the cluster; gives what its result can be asked for by. It is not tried again by Ray."""
        with self.asked():
            return self.ray.remote(work).options(num_cpus=cpus, num_gpus=gpus, max_retries=0).remote(*values)

    def put(self, value: Any) -> Any:
        """Put a value into the object store, from which a node fetches it once."""
        with self.asked():
            return self.ray.put(value)

    def ask(self, method: Any, *values: Any) -> Any:
        """What a method of an actor gives."""
        with self.asked():
            return self.ray.get(method.remote(*values))

    def ended(self, answers: list[Any], seconds: float) -> list[Any]:
        """Which of these tasks have ended; waits so long for the first."""
        if not answers:
            return []
        with self.asked():
            done, _ = self.ray.wait(answers, num_returns=len(answers), timeout=seconds)
            return list(done)

    def answer(self, answer: Any, node: str) -> Any:
        """What a task that has ended gave; Lost where its process died. node: where it was."""
        problems = self.ray.exceptions
        try:
            return self.ray.get(answer)
        except problems.OutOfMemoryError:
            return Lost(f"out of memory on node {node}", blameless=False)
        except problems.WorkerCrashedError as error:
            return Lost(one_line(error)[:160], blameless=not self.is_alive(node))
        except problems.RayTaskError as error:  # before the task itself: sightlab is not there, or not the same
            raise RunError(
                f"--on {self.name}: a node cannot do a task ({one_line(error)[-160:]}); install the same sightlab, Ray "
                "and Python on every node"
            ) from error
        except (problems.NodeDiedError, problems.LocalRayletDiedError, problems.ObjectLostError) as error:
            return Lost(f"node {node} has died: {one_line(error)[:160]}", blameless=True)
        except (problems.RayError, ConnectionError) as error:
            raise RunError(f"--on {self.name}: {one_line(error)[:200]}; what was trained is kept") from error

    def is_alive(self, node: str) -> bool:
        """Whether the cluster takes a node for alive, once it has had the time to notice that it is not."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self.looked = -ROOM_SECONDS
            if all(one["NodeID"] != node for one in self.nodes()):
                return False
            time.sleep(ROOM_SECONDS)
        return True

    def leave(self) -> None:
        """Close the connection; the cluster goes on."""
        self.ray.shutdown()


def fits(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """How many tasks of this size a node's resources hold.

    >>> fits({"CPU": 8.0, "GPU": 1.0}, 1, 0.25), fits({"CPU": 8.0}, 3, 0), fits({"CPU": 8.0}, 1, 1)
    (4, 2, 0)
    """
    held = [int(resources.get(name, 0.0) / asked + 1e-6) for name, asked in (("CPU", cpus), ("GPU", gpus)) if asked]
    return min(held, default=0)


def connect(on: str) -> Cluster:
    """Connect to a cluster. on: `ray`, the one of this machine or of RAY_ADDRESS, or ray://HOST:PORT, of Ray's client.

    Raises StudyError where Ray is not installed or nothing answers.
    """
    address = address_of(on)
    try:
        import ray
    except ImportError as error:
        raise StudyError(
            f'--on {on}: needs {error.name}, which is not installed; pip install "sightlab[cluster]"'
        ) from error
    for tried in range(1, TRIES + 1):
        try:
            ray.init(address, logging_level="ERROR", log_to_driver=False)
            break
        except ImportError as error:
            raise StudyError(f'--on {on}: {error.name} is not installed; pip install "ray[client]"') from error
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
            if tried == TRIES or not any(said in str(error) for said in DIED_STARTING):
                raise StudyError(f"--on {on}: no Ray cluster answers ({why(error)}); {START}") from error
    return Cluster(on, ray)


def why(error: Exception) -> str:
    """What Ray says, short: of a traceback that it hands on, the line that tells.

    >>> why(ConnectionError("Initialization failure from server:\\nTraceback (most recent call last):\\nOSError: no"))
    'OSError: no'
    """
    text = str(error).strip()
    return one_line(text.splitlines()[-1] if "Traceback (most recent call last)" in text else text)[:160]


def address_of(on: str) -> str:
    """What Ray calls an address, once something answers there. Raises StudyError.

    >>> address_of("slurm")
    Traceback (most recent call last):
    sightlab.errors.StudyError: --on slurm: not the address of a cluster; ray, or ray://HOST:10001 would be one
    """
    if on == "ray":
        asked = os.environ.get("RAY_ADDRESS", "").strip()
        # Ray itself would wait minutes for one that it has on record and that has gone.
        place = asked.removeprefix("ray://") if asked not in ("", "auto") else recorded()
        if place:
            reach(f"{on} ({f'RAY_ADDRESS={asked}' if asked else 'of this machine'})", place)
        return asked or "auto"
    found = re.fullmatch(r"ray://(\[[0-9A-Fa-f:]+\]|[^:/\s]+)(?::(\d{1,5}))?/?", on)
    if found is None:
        raise StudyError(f"--on {on}: not the address of a cluster; ray, or ray://HOST:{CLIENT_PORT} would be one")
    place = f"{found[1]}:{found[2] or CLIENT_PORT}"
    reach(on, place)
    return f"ray://{place}"


def recorded() -> str:
    """The address of the cluster that was last started on this machine, as Ray has it on record; "" for none."""
    try:
        return Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster").read_text().strip()  # noqa: S108
    except OSError:
        return ""


def reach(on: str, place: str) -> None:
    """Raise StudyError where nothing takes a connection. place: HOST:PORT."""
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE):
            pass
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise StudyError(f"--on {on}: nothing answers at {place} ({reason}); {START}") from error


def node_here() -> str:
    """The id of the node on which this process works."""
    import ray

    return str(ray.get_runtime_context().get_node_id())
