"""Searches on a Ray cluster of two nodes: the bits of this machine alone, through the death of a node."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from sightlab.errors import RunError, StudyError
from sightlab.runs.run_archive import RunArchive, pack, unpack, with_status
from sightlab.store.run_folder import read_facts, read_run, run_folders, status_of
from tests.conftest import ROOT, Cli, refused_with

PATIENCE = 90.0  # seconds for a node to join, or for a search to come so far

on_cluster = pytest.mark.xdist_group("ray")


@dataclass(frozen=True)
class Nodes:
    """A cluster of two nodes of one CPU each.

    address: of its client server. own: the one by which its nodes know each other. second: the node that is not the
    head.
    """

    address: str
    own: str
    second: "subprocess.Popen[bytes]"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def node(folder: Path, *words: str, path: str = "") -> "Iterator[subprocess.Popen[bytes]]":
    """A node of one CPU, whose processes are a group of their own and end with the block.

    It has none of the tests' pictures: neither their folder nor the cache of decoded ones. path: a folder whose
    programs it finds before all others.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGHTLAB_")}
    environment |= {"SIGHTLAB_CACHE": str(folder / "empty-cache"), "RAY_USAGE_STATS_ENABLED": "0"}
    # Half a minute is what Ray takes by itself until it holds a node for dead.
    environment |= {"RAY_health_check_period_ms": "500", "RAY_health_check_initial_delay_ms": "500"}
    environment |= {"RAY_health_check_timeout_ms": "5000", "RAY_health_check_failure_threshold": "3"}
    environment |= {"GRPC_ENABLE_FORK_SUPPORT": "0"}  # as docs/clusters.md has it
    environment |= {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else {}
    ray = Path(sys.executable).with_name("ray")
    command = [ray, "start", "--num-cpus=1", "--node-ip-address=127.0.0.1", "--disable-usage-stats", "--block"]
    command += ["--object-store-memory=200000000", *words]
    with (folder / f"{len(words)}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def head_node(folder: Path, path: str = "") -> Iterator[tuple[int, int]]:
    """The first node of a cluster: the port of the cluster, and that of its client server."""
    port, client = free_port(), free_port()
    words = ("--head", f"--port={port}", f"--ray-client-server-port={client}", f"--temp-dir={folder}")
    with node(folder, *words, "--include-dashboard=false", path=path):
        until = time.monotonic() + PATIENCE
        while not answers(port) or not answers(client):
            assert time.monotonic() < until, (folder / "5.log").read_text()
            time.sleep(0.2)
        yield port, client


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    with (
        short_folder() as folder,
        head_node(folder) as (port, client),
        node(folder, f"--address=127.0.0.1:{port}") as second,
    ):
        yield Nodes(f"ray://127.0.0.1:{client}", f"127.0.0.1:{port}", second)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for Ray, whose sockets lie in it and want short paths."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with two_nodes() as found:
        yield found


def newest_weights(folder: Path) -> dict[str, torch.Tensor]:
    newest = sorted((folder / "checkpoints").glob("*.safetensors"))[-1]
    return load_file(newest)


@on_cluster
@pytest.mark.slow
def test_a_search_outlives_a_node_and_has_the_bits_of_this_machine(
    cluster: Nodes, real_data: Path, cli: Cli, tmp_path: Path
) -> None:
    words = ("data=kmnist", "limit_per_class=30", "model=lenet", "compile=off", "epochs=15", "schedule=constant")
    # Two batch sizes are measured, one on each node: both have a process by then, and begin their trials together.
    words += ("lr=0.01,0.03,0.1", "batch_size=16,32", "--json", "--method", "grid")
    environment = {**os.environ, "SIGHTLAB_DATA": str(real_data)}
    command = [sys.executable, "-m", "sightlab", "tune", "demo", *words, "--on", cluster.address, "--home", "far"]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        tuner = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=err)
    try:
        until = time.monotonic() + PATIENCE
        while len(under_way(tmp_path / "far")) < 2:  # one on each node
            assert tuner.poll() is None, (tmp_path / "err").read_text()
            assert time.monotonic() < until, (tmp_path / "err").read_text()
            time.sleep(0.02)
        os.killpg(cluster.second.pid, signal.SIGKILL)
        assert tuner.wait(PATIENCE) == 0, (tmp_path / "err").read_text()
    finally:
        tuner.kill()
    far = json.loads((tmp_path / "out").read_text())
    said = (tmp_path / "err").read_text()
    assert "its process died" in said
    assert [(one["state"], one["epochs"]) for one in far["trials"]] == [("complete", 15)] * 6

    # A run whose node died is gone on with, not begun anew, and what it lost is trained again.
    folders = run_folders(tmp_path / "far")
    assert len(folders) == 6
    lines = (tmp_path / "far" / "tune" / far["study"] / "events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    epochs = [(event["run"], event["epoch"]) for event in told if event["event"] == "epoch"]
    assert len(epochs) - len(set(epochs)) <= 1

    # The winner alone has been tested, once, on the cluster, and every file of it has come home.
    best = far["trials"][far["best"] - 1]["runs"][0]
    assert {folder.name: status_of(read_facts(folder)) for folder in folders} == {
        folder.name: "finished" if folder.name == best else "trained" for folder in folders
    }
    assert [len(read_facts(folder)["openings"]) for folder in folders if folder.name == best] == [1]
    assert (tmp_path / "far" / best / "report.html").is_file()
    status, output, _ = cli("runs", "--home", "far", "--json")
    assert sorted(one["status"] for one in json.loads(output)["runs"]) == ["finished", *["trained"] * 5]

    # Where nothing died, and no cluster was, the same figures and weights come out.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLAB_DATA", str(real_data))
        status, output, errors = cli("tune", "demo", *words, "--jobs", 2, "--home", "near")
    assert status == 0, errors
    near = json.loads(output)
    assert [one["value"] for one in near["trials"]] == [one["value"] for one in far["trials"]]
    assert near["tested"][0]["test"] == far["tested"][0]["test"]
    for here, there in zip(near["trials"], far["trials"], strict=True):
        ours = newest_weights(tmp_path / "near" / here["runs"][0])
        theirs = newest_weights(tmp_path / "far" / there["runs"][0])
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def under_way(home: Path) -> list[Path]:
    """Runs of which an epoch has come back, and that are not at their end."""
    found = []
    for folder in run_folders(home):
        with suppress(RunError):
            if status_of(read_facts(folder)) == "running" and read_run(folder).epochs:
                found.append(folder)
    return found


def test_the_command_of_the_page_is_one(cli: Cli) -> None:
    page = (ROOT / "docs" / "clusters.md").read_text()
    (command,) = re.findall(r"^    sightlab (tune .*)$", page, re.MULTILINE)
    words = command.replace("ray://HEAD:10001", f"ray://127.0.0.1:{free_port()}").split()
    refused_with(cli(*words, "limit_per_class=20"), "nothing answers at 127.0.0.1:")


@pytest.mark.slow
@on_cluster
def test_pictures_are_put_into_the_store_once(cluster: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here as on a node of the cluster, without its client server."""
    monkeypatch.setenv("RAY_ADDRESS", cluster.own)
    from sightlab.recipes.schema import Recipe
    from sightlab.runs.ray_client import connect
    from sightlab.runs.ray_executor import RayExecutor
    from sightlab.runs.tasks import Channel, Result, Task, TaskContext

    def held(_channel: Channel, context: TaskContext) -> Any:
        assert context.data is not None
        pixels = context.data.train._pixels.array  # type: ignore[attr-defined]
        return bool(pixels.flags.owndata), int(pixels.sum(dtype=np.int64))

    recipe = Recipe.model_validate({"data": {"source": "fashion-mini"}})
    with RayExecutor(connect("ray")) as executor:
        first = executor.data_of(recipe)
        assert executor.data_of(recipe) is first
        found = []
        for number in range(2):
            executor.submit(number, Task(held, TaskContext(recipe, Path())))
            while executor.busy:
                found += executor.events(1.0)
    assert all(isinstance(one, Result) for one in found), found
    owned, total = found[0].result
    assert not owned  # it is the store's own memory, shared by all tasks of a node
    assert found[1].result == (owned, total)
    assert total > 0


def test_a_task_larger_than_every_node_is_one_line() -> None:
    """The nodes as Ray lists them; on a cluster the test of a client server that dies sees the same line."""
    from sightlab.runs.ray_client import Cluster

    cluster = Cluster("ray", None)
    cluster.alive = [{"Resources": {"CPU": 8.0}}, {"Resources": {"CPU": 4.0, "GPU": 2.0}}]
    cluster.listed_at = float("inf")  # the list stays as it is
    assert [cluster.room(*share) for share in ((1, 0), (1, 0.5), (3, 0))] == [12, 4, 3]
    for cpus, gpus in ((64, 0), (8, 1), (0.5, 3)):
        says = rf"--on ray: no node has --cpus {cpus:g} --gpus {gpus:g}; the largest has 8 CPUs, .* with most GPUs 2;"
        with pytest.raises(StudyError, match=says):
            cluster.check_room(cpus, gpus)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--on", "ray://127.0.0.1:1"), "--on ray://127.0.0.1:1: nothing answers at 127.0.0.1:1 (Connection refused)"),
        (("--on", "slurm"), "--on slurm: not the address of a cluster; use ray, or ray://HOST:10001"),
        (("--on", "ray://"), "--on ray://: not the address of a cluster"),
        (("--cpus", "2"), "--cpus 2 is for a cluster; add --on ray"),
        (("--on", "ray", "--gpus", "-1"), "--gpus -1: give a number from 0 up"),
        (("--on", "ray", "--cpus", "0"), "--cpus 0: a trial needs a CPU or a share of a GPU"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(cli: Cli, words: tuple[str, ...], says: str) -> None:
    refused_with(cli("tune", "lr=0.1,0.2", *words), says)


def test_a_cluster_that_is_not_there_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    refused_with(cli("tune", "lr=0.1,0.2", "--on", "ray"), "nothing answers at 127.0.0.1:")


@pytest.mark.slow
def test_a_client_server_that_dies_as_it_starts_is_tried_again(cli: Cli, tmp_path: Path) -> None:
    """Ray starts it through bash: the first of them does not live."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "bash").write_text(
        f"""#!/bin/sh
case "$*" in *--mode=specific-server*)
    echo started >>{tmp_path}/started
    test $(wc -l <{tmp_path}/started) -gt 1 || exit 1
esac
exec {shutil.which("bash")} "$@"
"""
    )
    (programs / "bash").chmod(0o755)
    with short_folder() as folder, head_node(folder, str(programs)) as (_, client):
        words = ("tune", "lr=0.1,0.2", "--on", f"ray://127.0.0.1:{client}", "--cpus", 64)
        refused_with(cli(*words), "no node has --cpus 64 --gpus 0")
    assert (tmp_path / "started").read_text().count("started") == 2


names = st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?\.(json|bin)", fullmatch=True)


@given(st.lists(st.dictionaries(names, st.binary(max_size=40), max_size=5), min_size=1, max_size=4))
def test_parcels_bring_a_folder_to_what_it_was(states: list[dict[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        here, there, sent = Path(place) / "here" / "run", Path(place) / "there", {}
        for state in states:
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir(parents=True)
            for name, content in state.items():
                file = here / name
                if not file.parent.is_file() and not file.is_dir():
                    file.parent.mkdir(exist_ok=True)
                    file.write_bytes(content)
            arrived = unpack(pack(here, sent), there)
            assert content_of(arrived) == content_of(here)


def content_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../b"])
def test_a_parcel_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="leads out of the run's folder"):
        unpack(RunArchive("run", {name: b"x"}), tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_a_record_that_says_running_says_what_is_true_where_it_goes() -> None:
    running = RunArchive("run", {"run.json": json.dumps({"status": "running", "process": {"pid": 1}}).encode()})
    kept = with_status(running, "interrupted", None)
    assert json.loads(kept.files["run.json"] or b"") == {"status": "interrupted", "process": None}
    ended = RunArchive("run", {"run.json": json.dumps({"status": "finished"}).encode(), "other": None})
    assert with_status(ended, "interrupted", None) == ended
