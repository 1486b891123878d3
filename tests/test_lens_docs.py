"""The commands of docs/explain.md and docs/analyze.md, one after the other in one folder, as a reader types them."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightlab.lens.analyses.table import ANALYSES, PAIRS
from sightlab.lens.saliency.methods import METHODS
from tests.conftest import ROOT, Cli

# The demo, but on a smaller set and for an epoch.
SMALLER = ("model=lenet", "limit_per_class=50", "epochs=1", "compile=off", "report=off")


def commands(page: str) -> list[list[str]]:
    """The words of each command of a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("page", ["explain.md", "analyze.md"])
def test_the_commands_of_the_page_work_in_their_order(page: str, cli: Cli) -> None:
    Path("photos").mkdir()
    Image.fromarray(np.full((28, 28), 90, np.uint8)).save("photos/a.png")
    for program, command, *words in commands(page):
        assert program == "sightlab"
        fewer = SMALLER if command == "train" else ()
        status, out, err = cli(command, *(re.sub("^[12]00$", "40", word) for word in words), *fewer)
        assert status == 0, f"{command} {words}: {err}"
        assert out


def test_the_tables_of_the_pages_are_those_of_the_code() -> None:
    explain, analyze = ((ROOT / "docs" / page).read_text() for page in ("explain.md", "analyze.md"))
    listed = {
        name: (needs, about)
        for name, needs, about in re.findall(r"^\| `([a-z]\S*)` \| (\w+) \| (.*) \|$", explain, re.M)
    }
    assert listed == {name: (one.needs, f"{one.purpose}; {one.source}") for name, one in METHODS.items()}
    assert re.findall(r"^\| `(\w+)` \|", analyze, re.M) == [*ANALYSES, *PAIRS]
