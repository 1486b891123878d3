"""What `sightlab predict` prints and writes: tables, CSV, JSON and submissions, whatever files are called."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightlab.cli import main
from tests.conftest import Cli, refused_with
from tests.picture_files import zipped


def grey(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (28, 28), value).save(path, "PNG")
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    """A table of three pictures with ids of its own, as competitions give it."""
    lines = [",".join(["image_id", *(f"pixel{n}" for n in range(784))])]
    lines += [",".join([name, *["200"] * 784]) for name in ("x7", "a2", "m5")]
    (tmp_path / "test.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "test.csv"


def test_ids_of_a_table_come_back_in_every_form(cli: Cli, small_run: Path, pixels: Path) -> None:
    _, out, _ = cli("predict", small_run, pixels)
    assert [line.split()[:2] for line in out.splitlines()[:2]] == [["file", "id"], [f"{pixels}:1", "x7"]]
    _, out, _ = cli("predict", small_run, pixels, "--format", "csv")
    assert [(row["file"], row["id"]) for row in rows(out)] == [
        (f"{pixels}:{n}", name) for n, name in enumerate(("x7", "a2", "m5"), 1)
    ]
    _, out, _ = cli("predict", small_run, pixels, "--json")
    assert [one["id"] for one in json.loads(out)["predictions"]] == ["x7", "a2", "m5"]


def test_a_submission_is_ids_and_classes(cli: Cli, small_run: Path, pixels: Path, tmp_path: Path) -> None:
    status, out, err = cli("predict", small_run, pixels, "--format", "submission")
    assert (status, err) == (0, "")
    assert [list(row) for row in rows(out)] == [["id", "label"]] * 3
    assert [row["id"] for row in rows(out)] == ["x7", "a2", "m5"]
    grey(tmp_path / "test" / "10.png")
    grey(tmp_path / "test" / "9.png")
    assert cli("predict", small_run, tmp_path / "test", "--format", "submission", "-o", "s.csv")[0] == 0
    written = rows(Path("s.csv").read_text())
    assert [row["id"] for row in written] == ["9", "10"]


@pytest.mark.parametrize(
    ("sample", "ids"),
    [
        ("image_id,answer\n9.png,0\n10.png,0\n", ["9.png", "10.png"]),
        ("image_id,answer\n9,0\n10,0\n", ["9", "10"]),
    ],
)
def test_a_sample_submission_gives_headings_and_the_spelling_of_ids(
    cli: Cli, small_run: Path, tmp_path: Path, sample: str, ids: list[str]
) -> None:
    for name in ("9.png", "10.png"):
        grey(tmp_path / "test" / name)
    (tmp_path / "sampleSubmission.csv").write_text(sample)
    _, out, err = cli("predict", small_run, tmp_path / "test", "--format", "submission")
    assert [(list(row), row["image_id"]) for row in rows(out)] == [(["image_id", "answer"], name) for name in ids]
    assert "headings image_id, answer as in" in err and "no answer" not in err


def test_rows_without_ids_take_those_of_the_sample_by_their_order(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "test.csv", np.full((3, 784), 200), fmt="%d", delimiter=",")
    _, out, _ = cli("predict", small_run, tmp_path / "test.csv", "--format", "submission")
    assert [row["id"] for row in rows(out)] == ["1", "2", "3"]
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n0,0\n1,0\n2,0\n")
    _, out, _ = cli("predict", small_run, tmp_path / "test.csv", "--format", "submission")
    assert [row["ImageId"] for row in rows(out)] == ["0", "1", "2"]


def test_what_a_sample_lacks_is_told(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    grey(tmp_path / "test" / "1.png")
    (tmp_path / "sample_submission.csv").write_text("id,label\n2,0\n3,0\n")
    _, _, err = cli("predict", small_run, tmp_path / "test", "--format", "submission")
    assert "2 of its 2 ids have no answer, 1 answers are not in it" in err
    (tmp_path / "sample_submission.csv").write_text("id,cat,dog\n1,0,0\n")
    _, out, err = cli("predict", small_run, tmp_path / "test", "--format", "submission")
    assert list(rows(out)[0]) == ["id", "label"] and "has 3 columns" in err


def test_two_pictures_of_one_id_make_no_submission(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    grey(tmp_path / "in" / "a" / "1.png")
    grey(tmp_path / "in" / "b" / "1.png")
    refused_with(cli("predict", small_run, tmp_path / "in", "--format", "submission"), "have the same id `1`")


def test_no_cell_is_run_by_a_spreadsheet(cli: Cli, small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("=cmd|' C calc'!A0.png", "+1.png", "-2", "@x.png", "a.png"):
        grey(Path("in") / name)
    monkeypatch.chdir("in")
    files = sorted(path.name for path in Path().iterdir())
    _, out, _ = cli("predict", small_run, "--format", "csv", "--", *files)
    assert [row["file"] for row in rows(out)] == [
        {"-2": "-2", "a.png": "a.png"}.get(name, f"'{name}") for name in files
    ]


def lone_byte() -> Path:
    """A picture whose name is no UTF-8."""
    return grey(Path("in") / os.fsdecode(b"caf\xe9.png")).parent


@pytest.mark.parametrize("form", ["csv", "submission"])
def test_names_that_no_utf_8_holds_are_written_byte_for_byte(
    small_run: Path, capfdbinary: pytest.CaptureFixture[bytes], form: str
) -> None:
    words = ["predict", str(small_run), str(lone_byte()), "--format", form]
    assert main([*words, "-o", "answers.csv"]) == 0
    assert b"caf\xe9" in Path("answers.csv").read_bytes()
    assert main(words) == 0
    assert b"caf\xe9" in capfdbinary.readouterr().out


def test_json_carries_such_names_as_escapes_that_python_reads_back(small_run: Path) -> None:
    assert main(["predict", str(small_run), str(lone_byte()), "--json", "-o", "answers.json"]) == 0
    (one,) = json.loads(Path("answers.json").read_text())["predictions"]
    assert os.fsencode(one["file"]) == b"in/caf\xe9.png"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_answers_are_printed_in_every_locale(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, form: str
) -> None:
    grey(Path("in") / "\u732b\u202e\x1b[31m.png")
    lone_byte()
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream, encoding=encoding))
    assert main(["predict", str(small_run), "in", "--format", form]) == 0
    sys.stdout.flush()
    written = stream.getvalue()
    if form == "table":
        assert "caf\\xe9.png" in written.decode(encoding) and "\\u202e\\x1b[31m.png" in written.decode(encoding)
    elif form == "json":
        assert "\u732b" in written.decode() and "\u202e" not in written.decode()
        assert any("\u732b\u202e\x1b[31m" in one["file"] for one in json.loads(written)["predictions"])
    else:
        assert "\u732b\u202e".encode() in written and b"caf\xe9" in written


def test_what_is_decided_about_pictures_is_said_once(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (56, 56)).save(grey(tmp_path / "in" / f"{number}.png"))
    (tmp_path / "in" / "notes.csv").write_text("a,b\n")
    status, out, err = cli("predict", small_run, tmp_path / "in", "--format", "csv")
    assert (status, len(rows(out))) == (0, 3)
    assert err.splitlines() == [
        f"{tmp_path}/in: 1 file (notes.csv) beside the pictures ignored",
        "3 pictures resized from 56 x 56 to the model's 28 x 28",
        "3 colour pictures turned to grey, which the model takes",
    ]


def test_hints_are_what_this_command_takes(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    grey(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"broken")
    refused_with(cli("predict", small_run, tmp_path / "in"), "`--skip-broken` goes on without it")
    status, _, err = cli("predict", small_run, tmp_path / "in", "--skip-broken")
    assert status == 0
    assert "left out: " in err and "b.png cannot be decoded" in err and "skip" not in err


def test_a_zip_without_pictures_names_what_it_holds(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "d.zip", {"train.csv": b"1,2\n3,4\n", "test.csv": b"1,2\n3,4\n"})
    refused_with(
        cli("predict", small_run, archive), "2 tables or arrays (test.csv, train.csv); unpack it, and name the one"
    )


def test_sets_of_classes_come_in_every_form(cli: Cli, small_run: Path, pixels: Path) -> None:
    words = ("predict", small_run, pixels, "--coverage", "0.9")
    status, out, err = cli(*words, "--json")
    assert status == 0
    sets = [one["set"] for one in json.loads(out)["predictions"]]
    assert err.count("hold the true class with a probability of at least 90 %") == 1
    _, out, _ = cli(*words, "--format", "csv")
    assert [json.loads(row["set"]) for row in rows(out)] == sets
    assert [int(row["set_size"]) for row in rows(out)] == [len(one) for one in sets]
    _, out, err = cli(*words, "--sets", "raps")
    assert out.splitlines()[0].split()[-1] == "set"
    assert "sets (raps)" in err
    _, out, _ = cli("predict", small_run, pixels, "--format", "csv")
    assert "set" not in rows(out)[0]


def test_a_submission_takes_no_sets(cli: Cli, small_run: Path, pixels: Path) -> None:
    words = ("predict", small_run, pixels, "--format", "submission", "--coverage", "0.9")
    refused_with(cli(*words), "a submission has no place for sets of classes; use --format csv or json")


def test_a_coverage_that_is_none_is_refused_by_the_command(cli: Cli, small_run: Path, pixels: Path) -> None:
    refused_with(cli("predict", small_run, pixels, "--coverage", "95"), "must lie between 0 and 1, such as 0.95")
    refused_with(cli("predict", small_run, pixels, "--sets", "aps"), "give --coverage 0.95 too")
