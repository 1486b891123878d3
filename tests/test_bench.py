"""The benchmarks' table in the docs is the one that the figures kept give."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """bench/run.py with such words, in this process."""

    def run(*words: str) -> None:
        monkeypatch.syspath_prepend(str(ROOT / "bench"))
        monkeypatch.setattr(sys, "argv", ["run.py", *words])
        runpy.run_path(str(ROOT / "bench" / "run.py"), run_name="__main__")

    return run


def test_the_docs_show_the_figures_that_are_kept(
    bench: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    bench("--show")
    shown = [line.rstrip() for line in capsys.readouterr().out.strip("\n").splitlines()]
    documented = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    start = documented.index("```") + 1
    assert documented[start : documented.index("```", start)] == shown


def test_a_section_that_is_none_is_refused(bench: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench("speed")
    assert ended.value.code == 2
    assert "unknown section 'speed'; known: training, step, data-path" in capsys.readouterr().err
