"""What every test stands on: a cache and a runs folder of its own, the real data where it is, one small trained run."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("SIGHTLAB_DATA", ROOT.parent / "shared" / "data"))
# Looked up before the tests, so that no data set of this machine changes what they find.
os.environ.pop("SIGHTLAB_DATA", None)
os.environ.pop("SIGHTLAB_HOME", None)

# How long an example takes depends on what else the machine does. HYPOTHESIS_PROFILE=thorough looks much longer.
CHECKS = ("too_slow", "data_too_large", "filter_too_much", "large_base_example")
SUPPRESSED = [HealthCheck[name] for name in CHECKS]
settings.register_profile("sightlab", deadline=None, max_examples=25, suppress_health_check=SUPPRESSED)
settings.register_profile("thorough", deadline=None, max_examples=1000, suppress_health_check=SUPPRESSED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "sightlab"))

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded pixels of the tests stay out of the user's cache. All workers of a test run share one."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["SIGHTLAB_CACHE"] = str(folder)
    yield folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """One thread a test process, as `make test` has it: two wait for each other when another process is busy."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in an empty folder: what a command writes by default lands there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIGHTLAB_HOME", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images: SIGHTLAB_DATA, else ../shared/data."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data in {REAL_DATA}; set SIGHTLAB_DATA to the folder that holds it")
    return REAL_DATA


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the command line in this process. Gives exit status, stdout, stderr."""
    from sightlab.cli import main

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of real images, from fashion-mini: 40 of each class to train on and 10 to test on, for quick trainings."""
    import numpy as np

    import sightlab

    splits = sightlab.load_data("fashion-mini", limit_per_class=50)
    file = tmp_path_factory.mktemp("data") / "small.npz"
    arrays: dict[str, Any] = {}
    for name, images, most in (("train", splits.train, 40), ("test", splits.test.open("a smaller set for tests"), 10)):
        rows = np.sort(np.concatenate([np.flatnonzero(images.labels == label)[:most] for label in range(10)]))
        arrays |= {f"x_{name}": images.gather(rows)[..., 0], f"y_{name}": images.labels[rows]}
    np.savez(file, **arrays)
    return str(file)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run: the small convolutional network, two epochs on a part of fashion-mini."""
    import sightlab

    recipe = sightlab.recipe("cnn", data="fashion-mini", limit_per_class=100, epochs=2)
    return sightlab.train(recipe, home=tmp_path_factory.mktemp("runs")).folder


@pytest.fixture
def own_run(small_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run as it was at its end, for tests that open its test split or write to its folder."""
    return shutil.copytree(small_run, tmp_path / "own-home" / small_run.name)


def refused_with(result: tuple[int, str, str], says: str) -> None:
    """Hold a command's result to what every mistake gets: status 2, nothing on stdout, one last line that says it."""
    status, out, err = result
    assert status == 2
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("sightlab: ")
    assert says in last
    assert "Traceback" not in err


def workers_of(process: int) -> list[int]:
    """The processes of a crew: the children of the server that it starts them by, whose command line they have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if b"multiprocessing.forkserver" in (stat.parent / "cmdline").read_bytes():
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return [child for child, parent in parents.items() if parents.get(parent) == process]
