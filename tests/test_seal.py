"""The seal: a run's own test split is opened once; every opening after that needs a reason and is kept on record."""

import json
from pathlib import Path

import numpy as np
import pytest

import sightlab
from sightlab.data.load import load_parts
from sightlab.errors import RunError
from sightlab.store.run_folder import read_run
from tests.conftest import Cli, refused_with


def openings(run: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (run / "bundle" / "openings.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("form", ["name", "part", "folder", "one image"])
def test_the_test_split_stays_sealed_whatever_form_it_comes_in(
    cli: Cli, own_run: Path, tmp_path: Path, form: str
) -> None:
    images = load_parts("fashion-mini:test").parts.splits["all"]
    chosen = {"part": np.arange(0, 2000, 7), "one image": np.array([3])}.get(form, np.arange(2000))
    before = openings(own_run)
    if form == "name":
        refused_with(cli("test", own_run, "--data", "fashion-mini:test"), "the run's sealed test split")
    elif form == "folder":
        cli("data", "import", "fashion-mini:test", "--to", "parquet", "--out", tmp_path / "hidden")
        refused_with(cli("test", own_run, "--data", tmp_path / "hidden"), "--open-test 'the reason'")
    else:
        with pytest.raises(RunError, match=f"{len(chosen)} of these {len(chosen)} images"):
            sightlab.evaluate(own_run, images.take(chosen))
    assert openings(own_run) == before


def test_data_of_ones_own_with_a_few_of_its_pictures_is_not_the_sealed_split(own_run: Path) -> None:
    sealed = load_parts("fashion-mini:test").parts.splits["all"].take(np.arange(9))
    other = load_parts("fashion-mini:train").parts.splits["all"].take(np.arange(91))
    pixels = np.concatenate([sealed.images, other.images])
    mixed = sightlab.ImageSet(pixels, np.concatenate([sealed.labels, other.labels]), sealed.classes)
    assert sightlab.evaluate(own_run, mixed).score.count == 100


def test_an_opening_with_a_reason_is_on_record_and_counts_beside_the_score(cli: Cli, own_run: Path) -> None:
    status, out, _ = cli("test", own_run, "--data", "fashion-mini:test", "--open-test", "the reviewers asked", "--json")
    assert status == 0
    assert json.loads(out)["openings"] == 2
    first, second = openings(own_run)
    assert "final score" in first["reason"]
    assert (second["reason"], second["source"]) == ("the reviewers asked", "fashion-mini:test")
    assert second["at"] >= first["at"]
    test = read_run(own_run).test
    assert test is not None
    assert test.openings == 2


def test_other_data_is_no_opening_of_the_test_split(own_run: Path) -> None:
    sightlab.evaluate(own_run, load_parts("fashion-mini:train").parts.splits["all"].take(np.arange(50)))
    test = read_run(own_run).test
    assert test is not None
    assert test.openings == 1


def test_a_reason_of_nothing_is_refused(cli: Cli, own_run: Path) -> None:
    refused_with(cli("test", own_run, "--data", "fashion-mini:test", "--open-test", "  "), "--open-test: give a reason")
