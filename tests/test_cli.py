"""The command line: help with examples everywhere, JSON alone on stdout, one line for every mistake."""

import json
import os
import pty
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import typer.main

from sightlab.cli import main
from sightlab.cli.app import app
from tests.conftest import Cli, refused_with
from tests.forked import exit_status, forked

TINY = ["cnn", "model=lenet", "data=fashion-mini", "limit_per_class=20", "epochs=1", "report=off"]


def commands() -> list[list[str]]:
    """Every command's words, found in the command line itself."""
    found = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [[name, each] for each in inner] if inner else [[name]]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_examples_and_json(cli: Cli, words: list[str]) -> None:
    status, out, _ = cli(*words, "--help")
    assert status == 0
    assert "Examples:" in out
    assert f"sightlab {' '.join(words)}" in out.split("Examples:")[1]
    assert "--json" in out


def test_the_overview_says_what_each_command_does_in_a_whole_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ([], ["runs"], ["study"], ["data"]):
        assert "..." not in cli(*words, "--help")[1].split("Commands:")[1].split("\n\n")[0]


def test_help_answers_at_once() -> None:
    """It costs little more than the library that prints it: torch alone would be ten times as much.

    Processor time, held against typer's own in turn: this machine's other work, and its speed, are in neither.
    """

    def cost(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(cost("-m", "sightlab", "--help"), cost("-c", "import typer, rich.console")) for _ in range(2)]
    assert min(ours for ours, _ in pairs) < 3 * min(theirs for _, theirs in pairs)


def test_train_prints_one_json_object_with_the_promised_keys(cli: Cli) -> None:
    status, out, err = cli("train", *TINY, "--json")
    assert status == 0, err
    facts = json.loads(out)
    keys = "run folder recipe model parameters epochs best_epoch validation test seconds images_per_second"
    assert set(keys.split()) <= set(facts)
    assert set(facts["validation"]) == {"accuracy", "loss"}
    assert {"accuracy", "loss", "count", "interval"} <= set(facts["test"])
    assert Path(facts["folder"]).is_dir()
    assert "epoch 1/1" in err


def test_train_ends_with_accuracy_interval_folder_and_what_to_type_next(cli: Cli) -> None:
    status, out, err = cli("train", *TINY)
    assert status == 0
    assert "95 % interval" in out
    assert "n = 2,000" in out
    assert "runs/" in out
    assert "sightlab predict" in out
    assert "data.limit_per_class: None -> 20" in err


def test_test_prints_score_classes_and_writes_what_is_asked(cli: Cli, own_run: Path, tmp_path: Path) -> None:
    table = tmp_path / "out.csv"
    opening = ("--data", "fashion-mini:test", "--open-test", "a test")
    status, out, _ = cli("test", own_run, *opening, "--predictions", table)
    assert status == 0
    assert "Ankle boot" in out
    assert "top 5" in out
    assert len(table.read_text().splitlines()) == 2001
    status, out, _ = cli("test", own_run, *opening, "--json")
    facts = json.loads(out)
    assert {"accuracy", "interval", "top5", "loss", "classes", "confusion", "openings"} <= set(facts)
    assert Path(facts["confusion"]).is_file()


def test_predictions_are_printed_as_table_csv_and_json(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (28, 28), 200).save(tmp_path / "grey.png")
    status, out, _ = cli("predict", small_run, "grey.png")
    assert status == 0
    assert "grey.png" in out
    _, out, _ = cli("predict", small_run, "grey.png", "--format", "csv")
    assert out.splitlines()[0] == "file,class,probability,class_2,probability_2,class_3,probability_3"
    _, out, _ = cli("predict", small_run, "grey.png", "--json")
    (answer,) = json.loads(out)["predictions"]
    assert {"file", "class", "probability", "top"} == set(answer)
    assert len(answer["top"]) == 3


def test_data_show_counts_and_draws(cli: Cli) -> None:
    status, out, _ = cli("data", "show", "fashion-mini", "--json")
    assert status == 0
    facts = json.loads(out)
    assert {n: s["count"] for n, s in facts["splits"].items()} == {"train": 8000, "validation": 2000, "test": 2000}
    assert facts["shape"] == [28, 28, 1]
    assert facts["duplicates"] == {}
    assert Path(facts["sheet"]).is_file()
    status, out, _ = cli("data", "show", "fashion-mini")
    assert "T-shirt/top" in out
    assert "no image is in two splits" in out


@pytest.mark.parametrize("form", ["csv", "idx", "npz", "parquet"])
def test_data_import_writes_what_reads_back_the_same(cli: Cli, small_data: str, tmp_path: Path, form: str) -> None:
    from sightlab.data.load import load_parts

    target = tmp_path / ("copy.npz" if form == "npz" else "copy")
    status, _, err = cli("data", "import", small_data, "--to", form, "--out", target)
    assert status == 0, err
    before, after = load_parts(small_data).parts, load_parts(target).parts
    for name, images in before.splits.items():
        assert (after.splits[name].images == images.images).all()
        assert (after.splits[name].labels == images.labels).all()


def test_data_list_names_every_known_set(cli: Cli) -> None:
    status, out, _ = cli("data", "list", "--json")
    assert status == 0
    assert {one["name"] for one in json.loads(out)["sets"]} == {
        "fashion-mini", "fashion-mnist", "kmnist", "mnist", "mnist-m", "cifar10", "cifar100", "cue-conflict"
    }  # fmt: skip


def test_recipes_and_models_are_listed_and_shown(cli: Cli) -> None:
    assert "mini-resnet-v4" in cli("recipes")[1]
    assert "one-cycle" in cli("recipes", "demo")[1]
    assert json.loads(cli("recipes", "demo", "--json")[1])["recipe"]["name"] == "demo"
    # The whole list is for the tests of docs/models.md.
    (model,) = json.loads(cli("models", "mini-resnet-v4", "--json")[1])["models"]
    assert (model["name"], model["parameters"]) == ("mini-resnet-v4", 356_938)


def test_runs_are_listed_with_their_scores(cli: Cli, small_run: Path) -> None:
    status, out, _ = cli("runs", "--home", small_run.parent)
    assert status == 0
    assert small_run.name in out
    assert json.loads(cli("runs", "--home", small_run.parent, "--json")[1])["runs"][0]["status"] == "finished"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tain"], "No such command"),
        (["train", "--speed"], "No such option"),
        (["test", "last"], "Missing option '--data'"),
        (["train", "mini-resnet-v7"], "did you mean mini-resnet-v6?"),
        (["train", "model=mini-resnet-v7"], "did you mean mini-resnet-v6?"),
        (["train", "data=kmnst"], "did you mean kmnist?"),
        (["train", "batch_size=0"], "batch_size"),
        (["train", "lr=-0.1"], "optimizer.lr"),
        (["train", "lrr=0.1"], "did you mean"),
        (["train", "device=cuda:77"], "device 'cuda:77'"),
        (["train", "device=gpu"], "device 'gpu'"),
        (["train", "demo", "cnn"], "unexpected 'cnn': the recipe is already 'demo'; changes look like KEY=VALUE"),
        (["train", "--resume", "last"], "no run 'last'"),
        (["train", "--resume", "last", "lr=1"], "--resume takes a run's own recipe"),
        (["train", "nothing.yaml"], "nothing.yaml"),
        (["predict", "last", "x.png"], "no run 'last'"),
        (["recipes", "dmo"], "did you mean demo?"),
        (["data", "import", "fashion-mini", "--out", "x.npz"], "--out x.npz needs --to"),
        (["data", "show", "fashion-mini", "--sheet", "sheet.jpg"], "sheet.jpg"),
        (["data", "show", "fashion-mini", "--channels", "2"], "channels"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_status_two(cli: Cli, words: list[str], says: str) -> None:
    refused_with(cli(*words), says)
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_output_that_cannot_be_written_is_one_line(cli: Cli, small_run: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (28, 28)).save(tmp_path / "black.png")
    status, _, err = cli("predict", small_run, "black.png", "--output", "/proc/nowhere/answers.csv")
    assert status == 2
    assert "/proc/nowhere/answers.csv: cannot be written" in err


def test_a_reader_that_closes_the_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m sightlab recipes mini-resnet-v4 | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "format: 1\n"
    assert done.stderr == ""


def test_a_person_at_a_terminal_sees_a_bar_and_then_the_result_alone() -> None:
    """The command in a terminal of its own: escape codes while it works, every line of the result at the end."""
    own, theirs = pty.openpty()

    def in_terminal() -> int:
        os.close(own)
        with open(theirs, "w", closefd=False) as out, open(theirs, "w", closefd=False) as err:
            sys.stdout, sys.stderr = out, err
            return main(["train", *TINY, "seed=3"])

    process = forked(in_terminal)
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # the other end is closed
        while part := os.read(own, 65536):
            seen += part
    os.close(own)
    assert exit_status(process) == 0
    text = seen.decode()
    assert "images/s" in text
    assert "left" in text
    assert "\x1b[2K" in text
    last = text.split("test accuracy")[-1]
    assert "sightlab predict" in last
    assert "\x1b[2K" not in last
    assert text.count("reading images") == 0  # fashion-mini is read at once


def test_a_run_of_another_home_is_found_there_by_every_command_that_takes_one(cli: Cli, small_run: Path) -> None:
    from PIL import Image

    Image.new("L", (28, 28), 200).save("grey.png")
    home = ("--home", small_run.parent)
    assert cli("predict", "last", "grey.png", *home)[0] == 0
    refused_with(cli("test", "last", "--data", "fashion-mini:test", *home), "sealed test split")
    refused_with(cli("test", "last", "--data", "fashion-mini:test"), "there are no runs in runs/")


def test_an_option_of_the_release_before_works_and_says_its_new_name(cli: Cli) -> None:
    status, _, err = cli("study", "run", "no-such-study", "--workers=1")
    assert status == 2
    assert err.splitlines()[0] == "--workers is now --jobs; the old name works until the next release"
    assert "no-such-study" in err.splitlines()[-1]
    refused_with(cli("train", "--workers", 1), "No such option")
    _, _, err = cli("train", "no-such-recipe", "workers=2")
    assert (
        err.splitlines()[0] == "the key 'workers' is now called 'processes'; the old name works until the next release"
    )


def test_a_home_is_found_below_the_users_own_folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert json.loads(cli("runs", "--home=~/experiments", "--json")[1])["folder"] == str(tmp_path / "experiments")
    refused_with(cli("runs", "--home=~no-such-user/runs"), "~no-such-user")
