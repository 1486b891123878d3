"""Processors are counted on every system, those without an affinity mask (macOS, Windows) too."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightlab
from sightlab.data.load import load_parts
from sightlab.data.pictures.decode_pipeline import THREADS_FROM_PIXELS
from sightlab.machine import cores, cpus


@pytest.fixture
def no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")


def test_the_affinity_mask_counts_where_there_is_one() -> None:
    assert cpus() == os.sched_getaffinity(0)
    assert cores() == len(cpus()) >= 1


def test_without_an_affinity_mask_every_cpu_counts(no_affinity: None) -> None:
    assert cpus() == set(range(os.cpu_count() or 1))
    assert cores() == os.cpu_count()


def test_large_pictures_are_decoded_without_an_affinity_mask(no_affinity: None, tmp_path: Path) -> None:
    """Pictures of 128 pixels and more are decoded on all cores."""
    side = 128
    assert side * side >= THREADS_FROM_PIXELS
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            content = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (side, side), np.uint8)).save(content, "PNG")
            (tmp_path / "pets" / name / f"{number}.png").write_bytes(content.getvalue())
    images = load_parts(tmp_path / "pets").parts.splits["all"]
    assert images.shape == (side, side, 1)
    assert len(images) == 6


def test_only_one_module_asks_the_system_for_its_cpus() -> None:
    source = Path(sightlab.__file__).parent
    asking = [path.name for path in source.rglob("*.py") if "sched_getaffinity" in path.read_text()]
    assert asking == ["machine.py"]
