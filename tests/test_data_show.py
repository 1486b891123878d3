"""`sightlab data show`: how a source is read, every other way it could be, and the words that choose."""

import json
import os
import shutil
from pathlib import Path

import pytest

from sightlab.cli.hints import with_options
from sightlab.data.contents import content_key
from tests.conftest import Cli, refused_with
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
        (["epochs=3"], "epochs is not a key of how data are read"),
        (["layuot=list"], "layuot"),
        (["size=8", "--size", "9"], "size is given twice, as KEY=VALUE and as an option; keep one"),
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
    assert with_options(line, "train") == line
    assert with_options(line, "predict") == line.replace("skip_broken=true", "--skip-broken")
    assert with_options("`bit_depth=16` takes all", "predict") == "`--bit-depth 16` takes all"


def test_pictures_under_two_classes_are_told(cli: Cli, tmp_path: Path) -> None:
    files = {f"{c}/{n}.png": flat(n) for c in ("cat", "dog") for n in range(6)}
    _, shown, _ = cli("data", "show", spread(tmp_path / "pets", files), "--sheet", tmp_path / "sheet.png")
    assert "contradicted: 12 images are there under two classes, pixel for pixel" in shown


def pets(root: Path) -> Path:
    return spread(
        root, {f"{c}/{n}.png": flat(6 * place + n) for place, c in enumerate(("cat", "dog")) for n in range(6)}
    )


@pytest.mark.parametrize("place", [".", "cat"])
def test_no_contact_sheet_is_written_into_the_data(cli: Cli, tmp_path: Path, place: str) -> None:
    root = pets(tmp_path / "pets")
    before = sorted(root.rglob("*"))
    os.chdir(root / place)
    facts = json.loads(cli("data", "show", root, "--json")[1])
    assert sorted(root.rglob("*")) == before and Path(facts["sheet"]).is_file()
    refused_with(cli("data", "show", root, "--sheet", root / "cat" / "all.png"), "inside the data")
    refused_with(cli("data", "import", root, "--to", "npz", "--out", "x.npz"), "inside the data")
    assert sorted(root.rglob("*")) == before


def test_contact_sheets_of_other_data_are_not_read_as_pictures(cli: Cli, tmp_path: Path) -> None:
    root, other = pets(tmp_path / "pets"), pets(tmp_path / "others")
    key = content_key([root], {})
    os.chdir(root)
    sheet = json.loads(cli("data", "show", other, "--json")[1])["sheet"]
    assert Path(sheet).resolve().parent == root
    assert cli("data", "show", root)[1].startswith(f"{root}: 12 images")
    assert content_key([root], {}) == key
    shutil.copy(root / "cat" / "0.png", root / "cat" / "contact-sheet-3.png")  # a picture of this name is one
    assert "13 images" in cli("data", "show", root)[1]
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    assert "13 images" in cli("data", "show", archive)[1]


def test_runs_that_are_kept_inside_the_data_are_not_read_as_pictures(cli: Cli, tmp_path: Path) -> None:
    root = pets(tmp_path / "pets")
    key = content_key([root], {})
    run = {f"runs/3f2a-cnn/{name}": b"{}" for name in ("run.json", "recipe.yaml")}
    spread(root, {**run, "runs/sightlab.db": b"x", "runs/3f2a-cnn/predictions.png": flat(99), "runs/new.png": flat(98)})
    spread(root, {f"9b1c/{name}": b"{}" for name in ("run.json", "recipe.yaml")} | {"9b1c/predictions.png": flat(97)})
    assert "12 images, 4 x 4 x 3, 2 classes" in cli("data", "show", root, "--sheet", tmp_path / "sheet.png")[1]
    assert content_key([root], {}) == key
