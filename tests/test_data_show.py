"""`sightlab data show`: how a source is read, every other way it could be, and the words that choose."""

import json
from pathlib import Path

import pytest

from sightlab.cli.app import as_typed
from tests.conftest import Cli
from tests.picture_files import flat, spread


def variants(root: Path) -> Path:
    names = [f"{v}/{c}/{n}.png" for v in ("color", "gray") for c in ("rust", "scab") for n in range(5)]
    return spread(root, {name: flat(place) for place, name in enumerate(names)})


def test_a_refused_folder_is_read_by_the_words_that_the_refusal_gives(cli: Cli, tmp_path: Path) -> None:
    root = variants(tmp_path / "leaves")
    status, _, said = cli("data", "show", root)
    assert status == 2 and said.count("\n") == 1 and "`config=color`" in said
    sheet = tmp_path / "sheet.png"
    status, shown, _ = cli("data", "show", root, "config=color", "--sheet", sheet)
    assert status == 0 and "read as class-folders, classes from the folders' names" in shown
    assert "10 images, 4 x 4 x 3, 2 classes" in shown and sheet.is_file()
    facts = json.loads(cli("data", "show", root, "config=color", "--sheet", sheet, "--json")[1])
    assert facts["reading"] == {"layout": "class-folders", "labels": "the folders' names", "unused": []}


def test_explain_shows_every_claim_and_decodes_nothing(cli: Cli, tmp_path: Path) -> None:
    root = spread(tmp_path / "pets", {f"{c}/{n}.png": b"no picture" for c in ("cat", "dog") for n in range(3)})
    (root / "labels.csv").write_text("file,label\n" + "".join(f"cat/{n}.png,{n % 2}\n" for n in range(3)))
    _, told, _ = cli("data", "show", root, "--explain", "--json")
    claims = {one["layout"]: one for one in json.loads(told)["claims"]}
    assert {"class-folders", "list"} <= set(claims) and claims["class-folders"]["splits"] == "all 6"
    status, told, _ = cli("data", "show", root, "layout=class-folders", "--explain")
    assert status == 0 and "class-folders  read" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["epochs=3"], "epochs does not say how data are read"),
        (["layuot=list"], "layuot"),
        (["size=8", "--size", "9"], "size is given twice, as a word and as an option; keep one"),
        (["layout=folders"], "unknown layout 'folders'"),
        (["shape=28"], "shape is '28'; it takes height x width"),
        (["bit_depth=99"], "bit_depth"),
        (["encoding=klingon"], "unknown encoding 'klingon'; `encoding=latin-1`"),
    ],
)
def test_words_that_cannot_be_meant_are_one_line(cli: Cli, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "notes.txt").write_text("cats\n")
    status, _, line = cli("data", "show", tmp_path, *words)
    assert status == 2 and said in line and line.count("\n") == 1


def test_hints_have_the_form_that_the_typed_command_takes() -> None:
    line = "a.jpg cannot be decoded; `skip_broken=true` goes on without it, `layout=list` does not"
    assert as_typed(line, ["train", "cnn", "data=a"]) == line
    assert as_typed(line, ["predict", "last", "a"]) == line.replace("skip_broken=true", "--skip-broken")
    assert as_typed("`bit_depth=16` takes all", ["predict", "last"]) == "`--bit-depth 16` takes all"


def test_pictures_under_two_classes_are_told(cli: Cli, tmp_path: Path) -> None:
    files = {f"{c}/{n}.png": flat(n) for c in ("cat", "dog") for n in range(6)}
    _, shown, _ = cli("data", "show", spread(tmp_path / "pets", files), "--sheet", tmp_path / "sheet.png")
    assert "contradicted: 12 images are there under two classes, pixel for pixel" in shown
