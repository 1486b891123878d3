"""Unlabelled pictures in, answers out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightlab
from sightlab.data.load import load_parts
from sightlab.errors import DataError, RunError
from sightlab.metrics import probabilities
from sightlab.prediction import validation_sets
from sightlab.records import Predictions
from sightlab.store.bundle import read_bundle
from sightlab.store.predictions import read_predictions, save_predictions


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 30 test images as PNG files, in two folders, and as CSV without labels."""
    folder = tmp_path_factory.mktemp("pictures")
    test = load_parts("fashion-mini:test").parts.splits["all"].images[:30]
    for number, image in enumerate(test):
        place = folder / ("a" if number < 15 else "b")
        place.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(place / f"{number:02}.png")
    np.savetxt(folder / "pixels.csv", test.reshape(30, -1), fmt="%d", delimiter=",")
    return folder


def expected(small_run: Path) -> list[str]:
    said = read_predictions(small_run / "predictions-test.safetensors")
    return [said.classes[guess] for guess in said.logits[:30].argmax(1)]


@pytest.mark.parametrize("files", [["a", "b"], ["pixels.csv"], [f"a/{n:02}.png" for n in range(15)] + ["b"]])
def test_pictures_and_csv_get_the_answers_of_the_test_split(small_run: Path, pictures: Path, files: list[str]) -> None:
    answers = sightlab.predict(small_run, [pictures / file for file in files])
    assert [answer.predicted for answer in answers] == expected(small_run)


def test_arrays_and_images_get_the_answers_of_their_files(small_run: Path, pictures: Path) -> None:
    images = [Image.open(path) for path in sorted((pictures / "a").glob("*.png"))]
    array = np.stack([np.asarray(image) for image in images])[..., None]
    files = sightlab.predict(small_run, pictures / "a")
    for given in (images, array, list(array)):
        assert [answer.top for answer in sightlab.predict(small_run, given)] == [answer.top for answer in files]


def test_an_answer_names_the_file_and_probabilities_that_fall(small_run: Path, pictures: Path) -> None:
    (answer,) = sightlab.predict(small_run, [pictures / "a" / "00.png"], top=10)
    assert answer.file.endswith("00.png")
    shares = [share for _, share in answer.top]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert answer.top[0] == (answer.predicted, answer.probability)


def test_rows_of_a_csv_are_numbered(small_run: Path, pictures: Path) -> None:
    answers = sightlab.predict(small_run, [pictures / "pixels.csv"])
    assert answers[0].file.endswith("pixels.csv:1")
    assert answers[29].file.endswith("pixels.csv:30")


def test_colour_and_larger_pictures_are_brought_to_the_models_form(small_run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (120, 90), "white").save(tmp_path / "large.jpg")
    (answer,) = sightlab.predict(small_run, [tmp_path / "large.jpg"])
    assert 0 < answer.probability <= 1


def test_a_broken_picture_is_named_or_left_out(small_run: Path, pictures: Path, tmp_path: Path) -> None:
    whole = (pictures / "a" / "00.png").read_bytes()
    (tmp_path / "whole.png").write_bytes(whole)
    (tmp_path / "broken.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"broken\.png"):
        sightlab.predict(small_run, [tmp_path])
    told: list[DataError] = []
    answers = sightlab.predict(small_run, [tmp_path], skip_broken=True, on_broken=told.append)
    assert len(answers) == len(told) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("labelled.csv", ",".join(["1"] * 785) + "\n", "sightlab test"),
        ("short.csv", ",".join(["1"] * 783) + "\n", "783"),
        ("missing.png", None, "no such file"),
        ("not-a-picture.png", "hello, no picture\x00", "not-a-picture.png"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    small_run: Path, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        sightlab.predict(small_run, [tmp_path / name])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_coverage_there_is_no_set(small_run: Path, pictures: Path) -> None:
    (answer,) = sightlab.predict(small_run, pictures / "a" / "00.png")
    assert answer.set is None
    assert "set" not in answer.to_json()


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
def test_sets_hold_the_answer_and_are_the_same_for_each_picture_alone(
    small_run: Path, pictures: Path, method: str
) -> None:
    told: list[str] = []
    answers = sightlab.predict(small_run, pictures / "a", coverage=0.9, sets=method, on_note=told.append)
    assert all(answer.set is not None and answer.set[0] == answer.predicted for answer in answers)
    assert any(len(answer.set or ()) > 1 for answer in answers)
    (alone,) = sightlab.predict(small_run, pictures / "a" / "07.png", coverage=0.9, sets=method)
    assert alone.set == answers[7].set
    assert alone.set is not None and alone.to_json()["set"] == list(alone.set)
    assert len([line for line in told if "hold the true class with a probability of at least 90 %" in line]) == 1


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
def test_sets_hold_the_true_class_of_the_test_split_as_often_as_asked(small_run: Path, method: str) -> None:
    rule = validation_sets(read_bundle(small_run), 0.9, method)
    assert rule is not None
    test = read_predictions(small_run / "predictions-test.safetensors")
    members = rule.members(probabilities(test.logits.astype(np.float64)))
    held = members[np.arange(len(test)), test.labels].mean()
    spread = (0.9 * 0.1 / (rule.count + 2) + 0.9 * 0.1 / len(test)) ** 0.5  # of the calibration and of the test images
    assert held == pytest.approx(0.9, abs=4 * spread)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"coverage": 95}, "--coverage is 95; must lie between 0 and 1, such as 0.95"),
        ({"coverage": 0.0}, "must lie between 0 and 1"),
        ({"coverage": float("nan")}, "must lie between 0 and 1"),
        ({"coverage": 0.9999}, "needs 9,999 validation images"),
        ({"coverage": 0.9, "sets": "lca"}, "--sets lca: unknown; did you mean lac?"),
        ({"sets": "aps"}, "give --coverage 0.95 too"),
    ],
)
def test_sets_that_cannot_be_made_are_one_line(
    small_run: Path, pictures: Path, words: dict[str, object], says: str
) -> None:
    with pytest.raises(RunError) as caught:
        sightlab.predict(small_run, pictures / "a", **words)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_coverage_that_a_refusal_names_works(own_run: Path, pictures: Path) -> None:
    file = own_run / "predictions-validation.safetensors"
    kept = read_predictions(file)
    save_predictions(file, Predictions(kept.logits[:18], kept.labels[:18], kept.index[:18], kept.classes))
    with pytest.raises(RunError, match=r"needs 19 validation images, and the run has 18; --coverage 0\.94 or less"):
        sightlab.predict(own_run, pictures / "a", coverage=0.95)
    assert len(sightlab.predict(own_run, pictures / "a", coverage=0.94)) == 15


def test_a_bundle_alone_gives_no_sets(own_run: Path, pictures: Path, tmp_path: Path) -> None:
    alone = (own_run / "bundle").rename(tmp_path / "alone")
    assert len(sightlab.predict(alone, pictures / "a")) == 15
    with pytest.raises(RunError, match=r"predictions-validation\.safetensors .* not beside this bundle; name the run"):
        sightlab.predict(alone, pictures / "a", coverage=0.9)


def test_predictions_that_are_not_the_runs_are_refused(own_run: Path, pictures: Path) -> None:
    file = own_run / "predictions-validation.safetensors"
    kept = read_predictions(file)
    others = tuple(f"class {n}" for n in range(10))
    for changed, says in (
        (replace(kept, classes=others), "its classes are not the model's"),
        (replace(kept, logits=kept.logits * np.float32(np.nan)), "damaged: logits of row 0"),
        (replace(kept, labels=kept.labels + 5), "damaged: labels run from 5 to 14"),
    ):
        save_predictions(file, changed)
        with pytest.raises(RunError, match=says):
            sightlab.predict(own_run, pictures / "a", coverage=0.9)
