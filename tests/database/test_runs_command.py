"""`sightlab runs`: lists, filters, one run, tags, notes, the bin, rebuilding, exporting."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sightlab.store.annotations import read_labels
from sightlab.store.database.engine import VARIABLE
from sightlab.store.database.query_fields import FIELDS
from sightlab.store.liveness import this_process
from tests.conftest import Cli, refused_with
from tests.database.run_folders import FINISHED, TEST_KEY, write_run


@pytest.fixture
def three(home: Path) -> Path:
    """A home of three runs: one finished, one tested twice, one that failed."""
    return filled(home)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same three runs for tests that only read: what they find is on record once the first has looked."""
    return filled(tmp_path_factory.mktemp("kept"))


def filled(home: Path) -> Path:
    write_run(home, "aaaaaa-cnn", accuracies=(0.7, 0.8), changes={"seed": 1, "epochs": 2})
    later = {"started": "2026-01-02T09:00:00+00:00"}
    twice = (TEST_KEY, TEST_KEY)
    write_run(home, "bbbbbb-cnn", accuracies=(0.9,), changes={"lr": 0.25, "epochs": 1}, openings=twice, extra=later)
    failed = {"started": "2026-01-03T09:00:00+00:00", "reason": "the loss is nan", "flops": None, "git": None}
    write_run(home, "cccccc-cnn", status="failed", accuracies=(), test=None, openings=(), extra=failed)
    return home


def names(result: tuple[int, str, str]) -> list[str]:
    """The ids of a listing."""
    status, out, err = result
    assert status == 0, err
    return [line.split()[0] for line in out.splitlines()[1:]]


def facts(result: tuple[int, str, str]) -> Any:
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def test_runs_are_listed_the_newest_last_and_count_openings_beside_the_score(cli: Cli, three: Path) -> None:
    status, out, err = cli("runs", "--home", three)
    assert status == 0
    assert "3 run folders were not yet in" in err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines == [
        "run status model seed epochs validation test (95 %, opened) time tags",
        "aaaaaa-cnn finished cnn 1 2 80.00% 90.00% (88.0 to 91.7, 1x) 4 s",
        "bbbbbb-cnn finished cnn 42 1 90.00% 90.00% (88.0 to 91.7, 2x) 4 s",
        "cccccc-cnn failed cnn 42 0/10 - - 4 s",
    ]
    assert cli("runs", "--home", three)[2] == ""


def test_a_list_of_long_names_fits_into_120_columns(cli: Cli, home: Path) -> None:
    process = {"process": this_process()}
    write_run(home, "3fa2c1-mini-resnet-v4", status="interrupted", changes={"model": "mini-resnet-v4"}, extra=process)
    out = cli("runs", "--home", home)[1]
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--where", "model = 'cnn' and validation_accuracy > 85%"], ["bbbbbb-cnn"]),
        (["--where", "lr = 0.25 or status = 'failed'"], ["bbbbbb-cnn", "cccccc-cnn"]),
        (["--where", "started < '2026-01-02'"], ["aaaaaa-cnn"]),
        (["--where", "openings > 1"], ["bbbbbb-cnn"]),
        (["--sort", "validation_accuracy"], ["cccccc-cnn", "aaaaaa-cnn", "bbbbbb-cnn"]),
        (["--sort", "-validation_accuracy"], ["bbbbbb-cnn", "aaaaaa-cnn", "cccccc-cnn"]),
        (["--sort", "-validation_accuracy", "--limit", 1], ["bbbbbb-cnn"]),
        (["--sort=-lr", "--limit", 1], ["bbbbbb-cnn"]),
        (["--limit", 2], ["bbbbbb-cnn", "cccccc-cnn"]),
    ],
    ids=str,
)
def test_runs_are_filtered_sorted_and_limited(cli: Cli, kept: Path, words: list[Any], found: list[str]) -> None:
    assert names(cli("runs", "--home", kept, *words)) == found
    assert [run["run"] for run in facts(cli("runs", *words, "--home", kept, "--json"))["runs"]] == found


def test_json_has_every_field_of_every_run(cli: Cli, kept: Path) -> None:
    found = facts(cli("runs", "--home", kept, "--json", "--where", "seed == 1 OR seed<>1"))
    assert found["where"] == "seed = 1 or seed != 1"
    assert found["notes"] == []
    assert [set(run) for run in found["runs"]] == [set(found["runs"][0])] * 3
    single = {field.name for field in FIELDS.values() if not field.many}
    assert set(found["runs"][0]) >= single | {"folder", "settings", "machine", "versions", "tags", "notes", "studies"}


def test_csv_has_a_column_a_field_and_a_line_a_run(cli: Cli, three: Path) -> None:
    cli("runs", "tag", "aaaa", "x", "y", "--home", three)
    rows = list(csv.DictReader(io.StringIO(cli("runs", "--home", three, "--csv")[1])))
    assert [row["run"] for row in rows] == ["aaaaaa-cnn", "bbbbbb-cnn", "cccccc-cnn"]
    assert rows[0]["tags"] == "x, y"
    assert float(rows[1]["test_accuracy"]) == FINISHED.accuracy
    assert rows[2]["test_accuracy"] == ""
    assert {field.name for field in FIELDS.values() if not field.many} <= set(rows[0])


@pytest.mark.parametrize(
    "words", [["--sort", "-test_accuracy"], ["--where", "seed = 1 and not test_loss > 1"]], ids=str
)
def test_choosing_by_test_scores_is_said_to_be_that(cli: Cli, kept: Path, words: list[str]) -> None:
    cli("runs", "--home", kept)
    status, _, err = cli("runs", "--home", kept, *words)
    field = "test_accuracy" if "--sort" in words else "test_loss"
    instead = field.replace("test", "validation")
    assert status == 0
    assert err.startswith(f"{field}: this is selection on the test split")
    assert f"choose by {instead}" in err
    assert facts(cli("runs", "--home", kept, *words, "--json"))["notes"] == [err.strip()]


def test_choosing_by_validation_or_by_a_recipes_test_flips_is_not(cli: Cli, kept: Path) -> None:
    cli("runs", "--home", kept)
    words = ["--sort", "-validation_accuracy", "--where", "recipe.test_flips = false and test_images > 1"]
    assert cli("runs", "--home", kept, *words)[2] == ""


def test_one_run_is_shown_with_all_that_is_on_record(cli: Cli, three: Path) -> None:
    cli("runs", "tag", "bbbb", "baseline", "--home", three)
    cli("runs", "note", "bbbb", "a note on it", "--home", three)
    status, out, _ = cli("runs", "show", "bbbb", "--home", three)
    assert status == 0
    for text in (
        "90.00% (95 % interval 87.99% to 91.71%, n = 1,000); loss 0.3100, top 5 99.00%; opened twice",
        "889,354 parameters, 12.3 MFLOP an image",
        "fashion-mini: 8,000 train, 2,000 validation, 2,000 test images",
        "started 2026-01-02 09:00",
        "abababab" * 5 + ", with changes",
        "sightlab 0.1.0, python 3.11.7, torch 2.14.1",
        "a cpu",
        "optimizer.lr = 0.25",
        "epoch 1/1",
        "2026-01-02 10:00  fashion-mini  its test split  reason 2",
        "baseline",
        "a note on it",
        str(three / "bbbbbb-cnn"),
    ):
        assert text in out
    assert "the loss is nan" in cli("runs", "show", "cccc", "--home", three)[1]


@pytest.mark.parametrize("run", ["a", "b", "c"])
def test_show_prints_json_alike_for_every_run(cli: Cli, kept: Path, run: str) -> None:
    found = facts(cli("runs", "show", run, "--home", kept, "--json"))
    assert {"history", "opened", "notes", "tags", "settings", "machine", *FIELDS} - {"tag", "note", "study"} <= set(
        found
    )


def test_a_run_is_named_by_beginning_last_or_folder(cli: Cli, kept: Path) -> None:
    for word in ("cccccc", "last", kept / "cccccc-cnn", "cccccc-cnn"):
        assert facts(cli("runs", "show", word, "--home", kept, "--json"))["run"] == "cccccc-cnn"
    assert facts(cli("runs", "show", kept / "cccccc-cnn", "--json"))["run"] == "cccccc-cnn"


def test_home_and_json_may_stand_before_the_command_or_after_it(cli: Cli, kept: Path) -> None:
    before = facts(cli("runs", "--home", kept, "--json", "show", "a"))
    assert before == facts(cli("runs", "show", "a", "--home", kept, "--json"))
    assert before == facts(cli("runs", "show", "--json", "--home", kept, "a"))


def test_tags_and_notes_are_in_the_folder_and_found(cli: Cli, three: Path) -> None:
    assert cli("runs", "tag", "aaaa", "first", " base line ", "--home", three)[1] == "aaaaaa-cnn: base line, first\n"
    assert names(cli("runs", "--where", "tag = 'base line'", "--home", three)) == ["aaaaaa-cnn"]
    assert cli("runs", "tag", "aaaa", "first", "--remove", "--home", three)[1] == "aaaaaa-cnn: base line\n"
    assert facts(cli("runs", "tag", "aaaa", "x", "--json", "--home", three)) == {
        "run": "aaaaaa-cnn", "tags": ["base line", "x"]
    }  # fmt: skip
    assert cli("runs", "note", "aaaa", "too", "high a rate", "--home", three)[0] == 0
    assert names(cli("runs", "--where", "note like '%rate'", "--home", three)) == ["aaaaaa-cnn"]
    labels = read_labels(three / "aaaaaa-cnn")
    assert (labels.tags, [note.text for note in labels.notes]) == (("base line", "x"), ["too high a rate"])
    assert facts(cli("runs", "note", "aaaa", "more", "--json", "--home", three))["notes"][1]["text"] == "more"


def test_the_bin_takes_runs_and_gives_them_back(cli: Cli, three: Path) -> None:
    status, out, _ = cli("runs", "rm", "aaaa", "bbbb", "aaaaaa", "--home", three)
    assert status == 0
    assert out.splitlines()[0] == "aaaaaa-cnn: in the bin; `sightlab runs restore aaaaaa` takes it back"
    assert names(cli("runs", "--home", three)) == ["cccccc-cnn"]
    assert names(cli("runs", "--all", "--home", three)) == ["aaaaaa-cnn", "bbbbbb-cnn", "cccccc-cnn"]
    assert "in the bin" in cli("runs", "--all", "--home", three)[1]
    assert "in the bin since" in cli("runs", "show", "aaaa", "--home", three)[1]
    assert cli("runs", "restore", "aaaa", "--home", three)[1] == f"aaaaaa-cnn: back in {three / 'aaaaaa-cnn'}/\n"
    assert names(cli("runs", "--home", three)) == ["aaaaaa-cnn", "cccccc-cnn"]
    assert facts(cli("runs", "rm", "bbbb", "--purge", "--yes", "--json", "--home", three)) == {"purged": ["bbbbbb-cnn"]}
    assert list((three / ".bin").iterdir()) == []
    refused_with(cli("runs", "show", "bbbb", "--home", three), "no run 'bbbb'")


def test_a_run_whose_folder_is_gone_can_be_purged(cli: Cli, three: Path) -> None:
    cli("runs", "--home", three)
    (three / "aaaaaa-cnn").rename(three.parent / "elsewhere")
    refused_with(cli("runs", "tag", "aaaa", "x", "--home", three), "not here; it was trained on elsewhere")
    assert cli("runs", "rm", "aaaa", "--purge", "--yes", "--home", three)[0] == 0
    assert cli("runs", "--home", three)[2] == ""


def answered(home: Path, answer: str) -> tuple[int, str]:
    """`runs rm --purge` at a terminal, and what a person types there."""
    own, theirs = pty.openpty()
    command = [sys.executable, "-m", "sightlab", "runs", "rm", "aaaa", "--purge", "--home", str(home)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as process:
        os.close(theirs)
        os.write(own, answer.encode())
        seen = b""
        while True:
            try:
                part = os.read(own, 65536)
            except OSError:  # the other end is closed
                break
            seen += part
            if not part:
                break
    os.close(own)
    return process.returncode, seen.decode()


def test_a_person_is_asked_before_anything_is_deleted(cli: Cli, three: Path) -> None:
    cli("runs", "--home", three)
    status, seen = answered(three, "n\n")
    assert (status, "Delete aaaaaa-cnn permanently?" in seen) == (130, True)
    assert (three / "aaaaaa-cnn").is_dir()
    status, seen = answered(three, "y\n")
    assert status == 0, seen
    assert not (three / "aaaaaa-cnn").exists()


def test_rebuild_says_how_many_and_which_could_not_be_read(cli: Cli, three: Path) -> None:
    (three / "bbbbbb-cnn" / "run.json").write_text("{")
    status, out, err = cli("runs", "rebuild", "--home", three)
    assert (status, out) == (0, f"2 runs in {three / 'sightlab.db'}\n")
    assert f"{three / 'bbbbbb-cnn' / 'run.json'}: damaged" in err
    found = facts(cli("runs", "rebuild", "--home", three, "--json"))
    assert (found["recorded"], len(found["problems"])) == (2, 1)


def test_export_writes_everything_as_json_and_a_table_as_csv(cli: Cli, kept: Path, tmp_path: Path) -> None:
    exported = facts(cli("runs", "export", "aaaa", "bbbb", "--home", kept))["runs"]
    assert [len(run["history"]) for run in exported] == [2, 1]
    assert exported[1] == facts(cli("runs", "show", "bbbb", "--home", kept, "--json"))
    target = tmp_path / "out.csv"
    assert cli("runs", "export", "aaaa", "--to", "csv", "-o", target, "--home", kept)[1] == f"written: {target}\n"
    (row,) = csv.DictReader(target.read_text().splitlines())
    assert row["run"] == "aaaaaa-cnn"
    target = tmp_path / "out.json"
    said = facts(cli("runs", "export", "aaaa", "--json", "-o", target, "--home", kept))
    assert said == {"runs": ["aaaaaa-cnn"], "format": "json", "written": str(target)}
    assert json.loads(target.read_text())["runs"] == exported[:1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--where", "test_acuracy > 1"],
            "--where: position 1: unknown field 'test_acuracy'; did you mean test_accuracy?",
        ),
        (["--sort", "speed"], "--sort: unknown field 'speed'; did you mean"),
        (["--sort", "tag"], "--sort: a run may have several of tag"),
        (["--limit", "0"], "Invalid value for '--limit'"),
        (["--csv", "--json"], "--csv and --json: give one of them"),
        (["--where", "seed = 1", "show", "aaaa"], "--where is for the list of runs; leave it out of `runs show`"),
        (["--csv", "tag", "aaaa", "x"], "--csv is for the list of runs"),
        (["shwo", "aaaa"], "No such command 'shwo'"),
        (["show", "zzzz"], "no run 'zzzz' in"),
        (["tag", "aaaa", "a,b"], "a tag is 1 to 80 printable characters"),
        (["tag", "aaaa"], "Missing argument"),
        (["tag", "aaaa", "x", "--remove"], "aaaaaa-cnn has no tag 'x'; it has no tags"),
        (["note", "aaaa", " "], "the note is empty"),
        (["rm", "aaaa", "zzzz"], "no run 'zzzz'"),
        (["rm", "aaaa", "--purge"], "cannot ask for confirmation here; add --yes"),
        (["restore", "aaaa"], "its bin is empty"),
        (["export", "aaaa", "--to", "xml"], "--to xml: unknown format; known: csv, json"),
        (["export", "aaaa", "--to", "csv", "--json"], "--json with --to csv: stdout cannot hold both"),
        (["export", "aaaa", "-o", "/proc/nowhere/x.json"], "/proc/nowhere/x.json: cannot be written"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_changes_nothing(
    cli: Cli, kept: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.setenv("SIGHTLAB_HOME", str(kept))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    cli("runs")
    refused_with(cli("runs", *words), says)
    assert names(cli("runs")) == ["aaaaaa-cnn", "bbbbbb-cnn", "cccccc-cnn"]
    assert all(read_labels(folder).tags == () for folder in kept.iterdir() if folder.is_dir())


def test_an_empty_home_says_so_and_is_left_empty(cli: Cli, home: Path) -> None:
    assert cli("runs", "--home", home)[1] == f"no runs in {home}/; `sightlab train` starts one\n"
    assert facts(cli("runs", "--home", home, "--json"))["runs"] == []
    assert list(home.iterdir()) == []
    refused_with(cli("runs", "show", "last", "--home", home), "there are none; `sightlab train` makes one")
    refused_with(cli("runs", "rebuild", "--home", home / "nowhere"), "no such folder")


def test_a_filter_that_finds_nothing_says_so(cli: Cli, kept: Path) -> None:
    assert cli("runs", "--home", kept, "--where", "seed = 77")[1] == "no run matches\n"


@pytest.mark.xdist_group("postgres")
def test_a_team_sees_the_runs_of_all_homes_on_its_server(cli: Cli, tmp_path: Path, on_postgres: str) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / name, f"{name}-cnn")
        assert names(cli("runs", "--home", tmp_path / name)) == [f"{name}-cnn"]
    assert names(cli("runs")) == ["one-cnn", "two-cnn"]
    assert cli("runs", "tag", "two", "ours")[0] == 0
    assert names(cli("runs", "--where", "tag = 'ours'")) == ["two-cnn"]
    assert read_labels(tmp_path / "two" / "two-cnn").tags == ("ours",)


def test_a_server_that_is_gone_is_one_line(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.database.postgres import free_port

    monkeypatch.setenv(VARIABLE, f"postgresql://me:hunter2@127.0.0.1:{free_port()}/runs")
    refused_with(cli("runs", "--home", home), "no answer")


def test_help_names_every_command_and_an_example(cli: Cli) -> None:
    status, out, _ = cli("runs", "--help")
    assert status == 0
    for word in ("show", "tag", "note", "rm", "restore", "rebuild", "export", "--where", "--sort", "Examples:"):
        assert word in out


def test_a_training_is_on_record_as_it_was_kept(small_run: Path, cli: Cli) -> None:
    """The one test here with a real training in it: its folder and the database say the same."""
    found = facts(cli("runs", "show", small_run, "--json"))
    kept = json.loads((small_run / "run.json").read_text())
    assert found["history"] == kept["history"]
    assert found["test_accuracy"] == kept["test"]["accuracy"]
    assert found["test_key"] == found["opened"][0]["split"]
    assert found["flops"] == kept["flops"]
    assert found["status"] == "finished"
