"""Runs the tests of what has changed, for about a minute: python tools/changed_tests.py [--list] [--seconds 45] [BASE]

BASE is a commit; without one it is where this branch left its upstream, else the commit before the last one. A test
file stands for the modules that it imports, and for the public names (`sightlab.train`) that it uses. The files that
say most about the changes come first; those for which no time is left are named at the end.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

import sightlab

ROOT = Path(__file__).parents[1]
SOURCE, TESTS = ROOT / "src", ROOT / "tests"
MOST_FILES = 16  # to collect more takes longer than to run them


def git(*words: str) -> str:
    """What git prints, "" where it fails."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def changed_files(base: str) -> list[Path]:
    """Files that differ from the base, those that git does not know yet too."""
    base = base or git("merge-base", "HEAD", "@{upstream}") or "HEAD~1"
    names = git("diff", "--name-only", base) + "\n" + git("ls-files", "--others", "--exclude-standard")
    return sorted({ROOT / name for name in names.split("\n") if name and (ROOT / name).exists()})


def module_of(path: Path) -> str:
    """A file's module: `sightlab.data.load`, `tests.conftest`."""
    inside = path.relative_to(SOURCE if SOURCE in path.parents else ROOT).with_suffix("")
    return ".".join(inside.parts).removesuffix(".__init__")


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The modules that a file imports itself; of a public name its module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sightlab":
            home = sightlab.HOMES.get(node.attr, "").partition(":")[0]
            found |= {f"sightlab.{home}"} if home else set()
    return frozenset(name for name in found if name.startswith(("sightlab.", "tests.")))


def closer(changed: set[str], files: list[Path]) -> list[Path]:
    """Test files that import something of this, those first of whose imports it is the largest part."""
    shares = {file: len(imports_of(file) & changed) / max(1, len(imports_of(file))) for file in files}
    return sorted((file for file, share in shares.items() if share), key=lambda file: -shares[file])


def chosen(changed: list[Path]) -> list[Path]:
    """The test files for these changes, the most telling first."""
    files = sorted(file for file in TESTS.rglob("test_*.py") if file.parent.name != "gpu")
    own = [file for file in files if file in changed]
    modules = {module_of(file) for file in changed if file.suffix == ".py" and {SOURCE, TESTS} & set(file.parents)}
    direct = closer(modules, files)
    # A module that no test imports is tested through those that import it.
    told = {name for file in direct for name in imports_of(file)}
    sources = list(SOURCE.rglob("*.py"))
    untold = {name for name in modules if name.startswith("sightlab.") and name not in told}
    users = {module_of(file) for file in sources if imports_of(file) & untold}
    house = [TESTS / "test_house.py"] if modules else []
    return list(dict.fromkeys([*own, *house, *direct, *closer(users, files)]))


class TimeLimit:
    """Leaves out the tests that would begin after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.left_out: dict[str, None] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if time.monotonic() < self.until:
            return None
        self.left_out[item.path.name] = None
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default="", metavar="BASE")
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--list", action="store_true", help="print the test files and run nothing")
    asked = parser.parse_args()
    files = [str(file.relative_to(ROOT)) for file in chosen(changed_files(asked.base))]
    if asked.list or not files:
        print("\n".join(files) or "no test concerns what has changed")
        return 0
    limit = TimeLimit(asked.seconds)
    status = int(pytest.main(["-q", "-m", "not slow", "-n0", *files[:MOST_FILES]], plugins=[limit]))
    left_out = [*limit.left_out, *(Path(file).name for file in files[MOST_FILES:])]
    if left_out:
        print(f"after {asked.seconds:g} s left out, all or in part: {', '.join(left_out)}; `make test` runs all tests")
    return status


if __name__ == "__main__":
    sys.exit(main())
