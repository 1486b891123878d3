"""The README and the docs say what is so: their commands and examples are run, their tables compared with the code."""

import doctest
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import typer.main

import sightlab
from sightlab.cli.app import app
from sightlab.recipes.keys import full_key
from sightlab.report.run_page import SECTIONS
from tests.conftest import ROOT, Cli
from tests.test_cli import commands
from tests.test_house import ROOMS

README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def test_the_commands_of_the_readme_work_in_their_order(cli: Cli, small_data: str) -> None:
    """In one folder and one test: a reader types them one after the other, and later ones need what others left."""
    # Of the demo a little, as the whole takes minutes on one thread; a slow test runs it to its end (`make demo`).
    less = {
        "sightlab train": [f"data={small_data}", "epochs=1"],
        "sightlab train cnn": ["limit_per_class=20", "report=off"],
        "sightlab compare": ["model=lenet,cnn", f"data={small_data}", "limit_per_class=20", "report=off"],
    }
    for command in [line for block in blocks("sh") for line in block.splitlines()]:
        program, *words = shlex.split(command)
        assert program == "sightlab"
        changes = less.get(command.partition(" data=")[0].partition(" model=")[0], [])
        changed = {change.partition("=")[0] for change in changes}
        words = [word for word in words if word.partition("=")[0] not in changed]
        status, _, err = cli(*words, *changes)
        assert status == 0, f"{command}: {err}"


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_readme_works(code: str) -> None:
    less = code.replace("limit_per_class=50, epochs=2", 'model="lenet", limit_per_class=20, epochs=1, report=False')
    exec(compile(less, "README.md", "exec"), {"__name__": "__main__"})


def test_the_table_of_commands_has_them_all() -> None:
    table = README.split("## Commands")[1]
    for words in commands():
        group = re.escape(words[0])
        assert re.search(rf"`sightlab {group}[ `]", table)
    assert {words[1] for words in commands() if words[0] == "data"} == {"show", "import", "list"}


def test_what_else_the_readme_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"`make ([a-z-]+)`", README))
    assert targets == {"bench", "check", "demo", "examples", "studies", "test", "test-gpu", "test-slow"}
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_architecture_page_names_every_room_in_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    named = [name.strip("`/").removesuffix(".py") for row in rows for name in re.findall(r"`[a-z_]+(?:\.py|/)`", row)]
    assert named == [room for room in ROOMS if room not in ("version", "__init__", "__main__")]


def test_all_is_sorted_and_every_public_docstring_has_an_example() -> None:
    assert sightlab.__all__ == sorted(sightlab.__all__)
    for name in set(sightlab.__all__) - {"__version__"}:
        doc = inspect.getdoc(getattr(sightlab, name)) or ""
        assert doctest.DocTestParser().get_examples(doc), f"sightlab.{name} has no example"


def python_modules() -> list[str]:
    source = ROOT / "src"
    paths = [p.relative_to(source).with_suffix("") for p in sorted(source.rglob("*.py"))]
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


@pytest.mark.parametrize("name", python_modules())
def test_the_examples_of_a_module_work(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.slow
def test_a_clean_clone_makes_its_demo(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    done = subprocess.run(["make", "demo"], cwd=tmp_path / "clone", capture_output=True, text=True, check=True)
    accuracy = re.search(r"test accuracy +([\d.]+)%", done.stdout)
    assert accuracy is not None
    assert float(accuracy.group(1)) >= 88


@pytest.mark.slow
def test_a_wheel_works_in_an_empty_folder(tmp_path: Path) -> None:
    """As a user would: the wheel alone, in an environment of its own that sees this one's libraries."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        check=True,
    )
    (wheel,) = tmp_path.glob("sightlab-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    command = [tmp_path / "venv" / "bin" / "sightlab", "train", "cnn", "epochs=1", "limit_per_class=50"]
    # PYTHONPATH lends this environment's libraries, but not its editable sightlab: that is known by a .pth file alone.
    lent = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(command, cwd=tmp_path, env=lent, capture_output=True, text=True, check=True)
    assert "test accuracy" in done.stdout


def test_the_glossary_is_sorted_and_names_modules_that_exist() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text()
    for section in page.split("\n## ")[1:]:
        rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines() if row[:2] == "| "]
        words = [word for word, *_ in rows[2:]]
        assert words == sorted(words, key=str.casefold)
        for word, meaning, module, _ in rows[2:]:
            assert meaning.endswith("."), word
            assert (ROOT / "src" / "sightlab" / module.strip("`")).exists(), f"{word}: {module}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_and_modules_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (page.parent / target).exists(), target
    for path in re.findall(r"`((?:bench|tests|tools|src)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def commands_of_the_docs() -> list[str]:
    """Every line of README and docs that a reader may type; placeholders in capitals stay."""
    pages = [README, *(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))]
    lines = [line.strip() for page in pages for line in page.replace("\\\n", " ").splitlines()]
    names = {words[0] for words in commands()}
    return sorted({line for line in lines if re.match(r"sightlab [a-z]", line) and line.split()[1] in names})


@pytest.mark.parametrize("line", commands_of_the_docs())
def test_a_command_of_the_docs_has_options_and_keys_that_exist(line: str) -> None:
    """Nothing is run: those that are quick enough are run by the tests of their pages."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: words.index(">")] if ">" in words else words
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        name, *words = words
        command = command.commands[name]
    command.make_context("sightlab", list(words))
    if line.split()[1] in ("train", "tune", "compare", "lr"):
        for word in words:
            if re.match(r"[a-z_.]+=", word):
                full_key(word.partition("=")[0])


def test_the_page_of_reports_has_their_sections_in_order() -> None:
    page = (ROOT / "docs" / "reports.md").read_text()
    rows = page.split("| section |")[1].split("\n\n")[0].splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == list(SECTIONS.values())
