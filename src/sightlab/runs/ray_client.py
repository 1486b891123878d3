"""The part of Ray that sightlab uses, with errors in one line where a cluster does not respond."""

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
TIMEOUT = 5.0  # seconds for an address to answer
NODES_SECONDS = 1.0  # for which the list of nodes is cached
# Ray's client server starts a process for each client, which dies now and then before it begins: a fork beside the
# threads of gRPC (ray-project/ray, issue 63202; seen in 2 of 67 connections). A second attempt succeeds.
ATTEMPTS = 3
DIED_STARTING = ("Starting Ray client server failed", "Proxy failed to Connect to backend")
START = "start one with `ray start --head`, or name the address of one, ray://HOST:10001"


@dataclass(frozen=True)
class Lost:
    """A task whose process died. reason: in words. node_died: its whole node died with it."""

    reason: str
    node_died: bool


class Cluster:
    """A Ray cluster, connected until `leave`."""

    def __init__(self, name: str, ray: Any) -> None:
        self.name, self.ray = name, ray
        self.listed_at = -NODES_SECONDS
        self.alive: list[dict[str, Any]] = []

    @contextmanager
    def errors_in_one_line(self) -> Iterator[None]:
        """Turn what Ray raises when the cluster is gone into one line. Raises RunError."""
        try:
            yield
        except (self.ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError) as error:
            raise RunError(
                f"--on {self.name}: the Ray cluster no longer responds ({one_line(error)[:160]}); what was "
                "trained is kept, and the same command resumes"
            ) from error

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that are alive, as Ray describes them."""
        if time.monotonic() - self.listed_at > NODES_SECONDS:
            with self.errors_in_one_line():
                self.alive = [node for node in self.ray.nodes() if node["Alive"]]
            self.listed_at = time.monotonic()
        return self.alive

    def room(self, cpus: float, gpus: float) -> int:
        """How many tasks of this size fit on the living nodes at once."""
        return sum(fits(node["Resources"], cpus, gpus) for node in self.nodes())

    def check_room(self, cpus: float, gpus: float) -> None:
        """Raise StudyError where no node is large enough for one task."""
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
        with self.errors_in_one_line():
            return self.ray.remote(kind).options(num_cpus=0, resources={"node:__internal_head__": 0.001}).remote()

    def task(self, work: Callable[..., Any], cpus: float, gpus: float, *values: Any) -> Any:
        """Submit a function to the cluster; returns a reference to its result. Ray does not retry it."""
        with self.errors_in_one_line():
            return self.ray.remote(work).options(num_cpus=cpus, num_gpus=gpus, max_retries=0).remote(*values)

    def put(self, value: Any) -> Any:
        """Put a value into the object store, from which each node fetches it once."""
        with self.errors_in_one_line():
            return self.ray.put(value)

    def ask(self, method: Any, *values: Any) -> Any:
        """The result of an actor's method."""
        with self.errors_in_one_line():
            return self.ray.get(method.remote(*values))

    def ended(self, references: list[Any], seconds: float) -> list[Any]:
        """Which of these tasks have ended; waits at most so many seconds for the first."""
        if not references:
            return []
        with self.errors_in_one_line():
            done, _ = self.ray.wait(references, num_returns=len(references), timeout=seconds)
            return list(done)

    def result(self, reference: Any, node: str) -> Any:
        """What a task that has ended returned; Lost where its process died. node: where it ran."""
        problems = self.ray.exceptions
        try:
            return self.ray.get(reference)
        except problems.OutOfMemoryError:
            return Lost(f"out of memory on node {node}", node_died=False)
        except problems.WorkerCrashedError as error:
            return Lost(one_line(error)[:160], node_died=not self.is_alive(node))
        except problems.RayTaskError as error:  # before the task itself: sightlab is not there, or not the same
            raise RunError(
                f"--on {self.name}: a node cannot run a task ({one_line(error)[-160:]}); install the same "
                "sightlab, Ray and Python on every node"
            ) from error
        except (problems.NodeDiedError, problems.LocalRayletDiedError, problems.ObjectLostError) as error:
            return Lost(f"node {node} died: {one_line(error)[:160]}", node_died=True)
        except (problems.RayError, ConnectionError) as error:
            raise RunError(f"--on {self.name}: {one_line(error)[:200]}; what was trained is kept") from error

    def is_alive(self, node: str) -> bool:
        """Whether the cluster still considers a node alive, once it has had time to notice that it is not."""
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            self.listed_at = -NODES_SECONDS
            if all(one["NodeID"] != node for one in self.nodes()):
                return False
            time.sleep(NODES_SECONDS)
        return True

    def leave(self) -> None:
        """Close the connection; the cluster keeps running."""
        self.ray.shutdown()


def fits(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """How many tasks of this size fit into a node's resources.

    >>> fits({"CPU": 8.0, "GPU": 1.0}, 1, 0.25), fits({"CPU": 8.0}, 3, 0), fits({"CPU": 8.0}, 1, 1)
    (4, 2, 0)
    """
    counts = [int(resources.get(name, 0.0) / each + 1e-6) for name, each in (("CPU", cpus), ("GPU", gpus)) if each]
    return min(counts, default=0)


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
    for attempt in range(1, ATTEMPTS + 1):
        try:
            ray.init(address, logging_level="ERROR", log_to_driver=False)
            break
        except ImportError as error:
            raise StudyError(f'--on {on}: {error.name} is not installed; pip install "ray[client]"') from error
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
            if attempt == ATTEMPTS or not any(words in str(error) for words in DIED_STARTING):
                raise StudyError(f"--on {on}: no Ray cluster answers ({reason_of(error)}); {START}") from error
    return Cluster(on, ray)


def reason_of(error: Exception) -> str:
    """Ray's error in short: of a traceback that it passes on, the last line.

    >>> reason_of(ConnectionError("Initialization failed:\\nTraceback (most recent call last):\\nOSError: no"))
    'OSError: no'
    """
    text = str(error).strip()
    return one_line(text.splitlines()[-1] if "Traceback (most recent call last)" in text else text)[:160]


def address_of(on: str) -> str:
    """The address as Ray wants it, once something answers there. Raises StudyError.

    >>> address_of("slurm")
    Traceback (most recent call last):
    sightlab.errors.StudyError: --on slurm: not the address of a cluster; use ray, or ray://HOST:10001
    """
    if on == "ray":
        given = os.environ.get("RAY_ADDRESS", "").strip()
        # Ray itself would wait minutes for a recorded cluster that is gone.
        address = given.removeprefix("ray://") if given not in ("", "auto") else recorded_address()
        if address:
            check_reachable(f"{on} ({f'RAY_ADDRESS={given}' if given else 'of this machine'})", address)
        return given or "auto"
    found = re.fullmatch(r"ray://(\[[0-9A-Fa-f:]+\]|[^:/\s]+)(?::(\d{1,5}))?/?", on)
    if found is None:
        raise StudyError(f"--on {on}: not the address of a cluster; use ray, or ray://HOST:{CLIENT_PORT}")
    address = f"{found[1]}:{found[2] or CLIENT_PORT}"
    check_reachable(on, address)
    return f"ray://{address}"


def recorded_address() -> str:
    """The address of the cluster last started on this machine, from Ray's own record; "" for none."""
    try:
        return Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster").read_text().strip()  # noqa: S108
    except OSError:
        return ""


def check_reachable(on: str, address: str) -> None:
    """Raise StudyError where nothing accepts a connection. address: HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), TIMEOUT):
            pass
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise StudyError(f"--on {on}: nothing answers at {address} ({reason}); {START}") from error


def node_here() -> str:
    """The id of the node on which this process runs."""
    import ray

    return str(ray.get_runtime_context().get_node_id())
