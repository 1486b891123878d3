"""docs/runs.md says what is so: its commands are run, its table of fields is that of the code."""

import re
import shlex
from pathlib import Path

import pytest

from sightlab.store.database.query_fields import FIELDS
from tests.conftest import ROOT, Cli
from tests.database.run_folders import write_run

PAGE = (ROOT / "docs" / "runs.md").read_text()
WORDS = {"text": "text", "number": "number", "time": "time", "truth": "true, false"}


def table_of_fields() -> str:
    """The table as the page should have it; a run may have several of those with a star."""
    rows = [
        f"| `{field.name}` | {WORDS[field.kind]}{' *' if field.many else ''} | {field.help} |"
        for field in FIELDS.values()
    ]
    return "\n".join(rows)


def test_the_table_of_fields_is_that_of_the_code() -> None:
    assert table_of_fields() in PAGE


def test_every_command_of_the_page_works_in_its_order(cli: Cli, own_folder: Path) -> None:
    """In one folder, as a reader types them."""
    for n in (1, 2):
        write_run(own_folder / "runs", f"{n:06}-cnn", changes={"seed": n})
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) > 15
    for command in commands:
        words = shlex.split(command.partition(" > run.json")[0])
        assert words.pop(0) == "sightlab"
        status, out, err = cli(*words)
        assert status == 0, f"{command}: {err}"
        assert out, command


@pytest.mark.parametrize("command", ["show", "tag", "note", "rm", "restore", "rebuild", "export"])
def test_the_page_has_every_command(command: str) -> None:
    assert f"sightlab runs {command}" in PAGE
