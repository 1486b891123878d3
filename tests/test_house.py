"""The house: imports go one way and never in a circle, and light rooms import neither torch nor altair."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sightlab

SOURCE = Path(sightlab.__file__).parent

# Each room imports only from rooms above it (docs/architecture.md shows the same order).
ROOMS = [
    "version",
    "errors",
    "files",
    "machine",
    "fonts",
    "records",
    "parts",
    "recipes",
    "data",
    "augment",
    "models",
    "optim",
    "metrics",
    "inference",
    "training",
    "store",
    "comparison",
    "evaluation",
    "prediction",
    "charts",
    "pictures",
    "lens",
    "report",
    "callbacks",
    "runs",
    "studies",
    "tune",
    "cli",
    "__init__",
    "__main__",
]
# What `sightlab --help` imports: none of it may import torch or altair.
LIGHT = [
    *("errors", "files", "machine", "fonts", "records", "parts.registry", "parts.user_code"),
    *("recipes", "store", "charts", "report", "cli"),
]


def module_name(path: Path) -> str:
    names = ["sightlab", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def room_of(module: str) -> str:
    return "__init__" if module == "sightlab" else module.split(".")[1]


def imports_of(path: Path) -> set[str]:
    """The modules of sightlab that a module imports, wherever the statement is: in a function or for types alone too.

    A name that is imported from a package is a module of it, or else comes from the package's `__init__`. That every
    module's package is imported before it does not count.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the room in full"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found & set(MODULES)


IMPORTS = {module: imports_of(path) - {module} for module, path in MODULES.items()}


def test_every_module_belongs_to_a_room() -> None:
    assert {room_of(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    here = ROOMS.index(room_of(module))
    for room in {room_of(other) for other in IMPORTS[module] - {"sightlab"}} - {room_of(module)}:
        assert ROOMS.index(room) < here, f"{module} imports {room}, a room below its own"


def test_no_module_imports_itself_through_others() -> None:
    """Within a room too: a module that needs another that needs it is one module, or three."""
    order = TopologicalSorter(IMPORTS)
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' <- '.join(error.args[1])}")


def test_light_rooms_import_neither_torch_nor_altair() -> None:
    """In one interpreter, module by module, so that the first that does is named."""
    light = [m for m in MODULES if any(f"{m}.".startswith(f"sightlab.{room}.") for room in LIGHT)]
    code = (
        "import importlib, sys\n"
        f"for module in {light}:\n"
        "    importlib.import_module(module)\n"
        "    heavy = sorted({'torch', 'altair'} & set(sys.modules))\n"
        "    if heavy: sys.exit(f'{module} imports {heavy}')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
