"""The house: imports go one way, and the rooms that must answer at once import neither torch nor altair."""

import ast
import subprocess
import sys
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
LIGHT = ["errors", "files", "fonts", "records", "recipes", "store", "charts", "report", "cli"]


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imported_rooms(path: Path) -> set[str]:
    """The rooms of sightlab named by any import statement of a module, wherever it stands."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the room in full"
            if node.module == "sightlab":
                rooms.update(alias.name for alias in node.names)
            elif node.module and node.module.startswith("sightlab."):
                rooms.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            rooms.update(a.name.split(".")[1] for a in node.names if a.name.startswith("sightlab."))
    return rooms


def test_every_module_belongs_to_a_room() -> None:
    assert {room_of(path) for path in modules()} <= set(ROOMS)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    here = ROOMS.index(room_of(path))
    for room in imported_rooms(path) - {room_of(path)}:
        assert ROOMS.index(room) < here, f"{path.name} imports {room}, a room below its own"


@pytest.mark.parametrize("room", LIGHT)
def test_a_light_room_imports_neither_torch_nor_altair(room: str) -> None:
    code = (
        f"import sys, importlib, pkgutil; m = importlib.import_module('sightlab.{room}');"
        "inside = pkgutil.walk_packages(getattr(m, '__path__', []), m.__name__ + '.');"
        "[importlib.import_module(i.name) for i in inside];"
        "print(sorted({'torch', 'altair'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
