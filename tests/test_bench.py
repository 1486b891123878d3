"""The benchmarks' table in the docs is the one that the figures kept give."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / "run.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_the_docs_show_the_figures_that_are_kept() -> None:
    done = bench("--show")
    assert done.returncode == 0, done.stderr
    shown = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
    documented = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    start = documented.index("```") + 1
    assert documented[start : documented.index("```", start)] == shown


def test_a_section_that_is_none_is_refused() -> None:
    done = bench("speed")
    assert done.returncode == 2
    assert "unknown section 'speed'; known: training, step, data-path" in done.stderr
