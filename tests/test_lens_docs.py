"""The commands of docs/explain.md and docs/analyze.md, one after the other in one folder, as a reader types them."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tools.make_explain_page import BEGIN, END, explainable

from sightlab.lens.analyses.table import ANALYSES, PAIRS
from sightlab.lens.saliency.methods import METHODS
from sightlab.models import MODELS
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
    methods = explain.partition(BEGIN)[0]
    listed = {
        name: (needs, about)
        for name, needs, about in re.findall(r"^\| `([a-z]\S*)` \| (\w+) \| (.*) \|$", methods, re.M)
    }
    assert listed == {name: (one.needs, f"{one.purpose}; {one.source}") for name, one in METHODS.items()}
    assert re.findall(r"^\| `(\w+)` \|", analyze, re.M) == [*ANALYSES, *PAIRS]


def rows_of_models() -> dict[str, list[str]]:
    """The cells of the table of models in docs/explain.md, by model."""
    table = (ROOT / "docs" / "explain.md").read_text().partition(BEGIN)[2].partition(END)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:3] == "| `"]
    return {cells[0].strip("`"): cells for cells in lines}


def test_the_table_of_models_has_every_model() -> None:
    assert list(rows_of_models()) == list(MODELS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("cnn", "mini-resnet-v4", "vit-tiny") else pytest.mark.slow)
        for name in MODELS
    ],
)
def test_a_model_gets_the_method_and_the_layer_that_the_page_says(name: str) -> None:
    assert rows_of_models()[name][:5] == explainable(name).cells
