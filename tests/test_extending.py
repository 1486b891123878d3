"""docs/extending.md says what is so: its files are written, its Python and its commands are run, in their order."""

import re
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sightlab.parts import registry
from tests.conftest import ROOT, Cli

PAGE = (ROOT / "docs" / "extending.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"```(python|sh|toml)\n(.*?)```", re.DOTALL)


@pytest.fixture
def page_folder(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, as a reader's: its modules can be imported, and W&B hears of no settings of the developer's."""
    monkeypatch.syspath_prepend(own_folder)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(own_folder / "wandb-cache"))
    yield own_folder
    registry.installed.cache_clear()


def installed_here(folder: Path) -> None:
    """Do what `pip install .` does, without its processes: build the wheel and unpack it where modules are found."""
    from hatchling.build import build_wheel

    with zipfile.ZipFile(folder / build_wheel(str(folder))) as wheel:
        wheel.extractall(folder)
    registry.installed.cache_clear()


@pytest.mark.parametrize("title", SECTIONS)
def test_the_blocks_of_a_section_work_in_their_order(cli: Cli, page_folder: Path, small_data: str, title: str) -> None:
    """As they stand, but on fewer images and without charts; with a smaller network where the recipe is cnn's own."""
    for kind, code in BLOCK.findall(SECTIONS[title]):
        file = re.match(r"# (\S+\.(?:py|toml))\n", code)
        if file:
            (page_folder / file[1]).write_text(code)
            if kind == "python" and (page_folder / "pyproject.toml").exists():
                installed_here(page_folder)
        elif kind == "python":
            code = code.replace('recipe("cnn", ', f'recipe("cnn", data={small_data!r}, model="lenet", report=False, ')
            exec(compile(code, f"{title} of docs/extending.md", "exec"), {"__name__": "__main__"})
        else:
            for line in code.splitlines():
                program, *words = shlex.split(line)
                assert program == "sightlab"
                if words[0] == "train":
                    words = [*(word for word in words if word[:5] != "data="), f"data={small_data}", "report=off"]
                status, _, err = cli(*words)
                assert status == 0, f"{line}: {err}"


def part_of(title: str, name: str) -> object:
    """What a section's file defines under this name."""
    (code,) = [code for _, code in BLOCK.findall(SECTIONS[title]) if f"class {name}" in code or f"def {name}" in code]
    space: dict[str, object] = {}
    exec(compile(code, title, "exec"), space)
    return space[name]


def test_the_focal_loss_of_the_page_is_cross_entropy_at_gamma_0_and_its_formula_elsewhere() -> None:
    make = part_of("A loss", "Focal")
    assert callable(make)
    logits, labels = torch.tensor([[2.0, 0.0], [0.5, -1.0]]), torch.tensor([0, 1])
    p = logits.softmax(1)[torch.arange(2), labels]
    torch.testing.assert_close(
        make(gamma=0)(logits, labels), torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    )
    torch.testing.assert_close(make(gamma=2)(logits, labels), -((1 - p) ** 2) * p.log())


def test_the_schedule_of_the_page_peaks_at_its_share_and_ends_near_zero() -> None:
    triangle = part_of("An optimizer and a schedule", "triangle")
    assert callable(triangle)
    factors = [triangle(step, 99, peak=0.3) for step in range(99)]
    assert max(factors) == pytest.approx(1)
    assert factors.index(max(factors)) == 29
    assert factors[-1] == pytest.approx(0.01 / 0.7)
