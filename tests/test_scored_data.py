"""What `sightlab test` scores: data of one class, of other sizes, channels and spellings; and what it refuses."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import sightlab
from sightlab.data.class_mapping import map_classes, stranger_line
from sightlab.data.imageset import ImageSet
from sightlab.data.load import load_parts
from sightlab.data.named_sets import FASHION
from sightlab.errors import DataError, RunError
from sightlab.evaluation import recipe_words
from sightlab.records import Predictions
from sightlab.store.bundle import read_bundle
from sightlab.store.predictions import write_predictions_csv
from tests.conftest import Cli, refused_with

CLASSES = ("Bag", "Coat", "Ankle boot")


@pytest.fixture(scope="module")
def pictures() -> dict[str, NDArray[np.uint8]]:
    """Four training images of three classes, uint8 [4, 28, 28, 1] each."""
    train = load_parts("fashion-mini:train").parts.splits["all"]
    places = {name: np.flatnonzero(train.labels == FASHION.index(name))[-4:] for name in CLASSES}
    return {name: train.gather(own) for name, own in places.items()}


def folder(root: Path, pictures: dict[str, NDArray[np.uint8]], names: Sequence[str], **resized: Any) -> Path:
    """Class folders of these names with the pictures of the classes in their order."""
    for name, own in zip(names, pictures.values(), strict=False):
        (root / name).mkdir(parents=True)
        for number, pixels in enumerate(own):
            changed(Image.fromarray(pixels[..., 0]), number, **resized).save(root / name / f"{number}.png")
    return root


def changed(picture: Image.Image, number: int, *, mode: str = "L", sides: Sequence[int] = (28,)) -> Image.Image:
    side = sides[number % len(sides)]
    return picture.convert(mode).resize((side, side), Image.Resampling.NEAREST)


def test_data_of_one_class_is_scored(own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    tested = sightlab.evaluate(own_run, folder(tmp_path / "one", pictures, ["Bag"]))
    assert tested.score.count == 4
    assert [one.support for one in tested.classes if one.support] == [4]
    assert tested.notes == (f"{tmp_path}/one: 9 of the model's 10 classes have no image here",)


@pytest.mark.parametrize("names", [("bag", "COAT", "ankle_boot"), (" Bag", "Coat ", "ANKLE  BOOT")])
def test_classes_may_be_spelled_otherwise(
    own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path, names: tuple[str, ...]
) -> None:
    right = sightlab.evaluate(own_run, folder(tmp_path / "right", pictures, CLASSES))
    other = sightlab.evaluate(own_run, folder(tmp_path / "other", pictures, names))
    assert sorted(other.predictions.labels) == sorted(right.predictions.labels)
    assert other.score.correct == right.score.correct
    assert any("is taken for `" in note and "2 more by their spelling" in note for note in other.notes)
    assert not any("is taken for" in note for note in right.notes)


def named(*classes: str) -> ImageSet:
    return ImageSet(np.zeros((len(classes), 2, 2, 1), np.uint8), np.arange(len(classes)), classes)


def test_unicode_forms_and_ambiguous_spellings() -> None:
    assert map_classes(named("cafe\u0301", "dog"), ("caf\u00e9", "dog")).indices == {"cafe\u0301": 0, "dog": 1}
    # Which of the two known classes would CAT be?
    assert map_classes(named("CAT", "dog"), ("cat", "Cat", "dog")).indices == {"dog": 2}


@pytest.mark.parametrize(
    ("resized", "says"),
    [
        ({"sides": (56,)}, "12 images resized from 56 x 56 to the model's 28 x 28"),
        ({"mode": "RGB"}, "12 colour images turned to grey, which the model takes"),
        ({"sides": (56, 84)}, "images of different sizes resized and cropped to the model's 28 x 28"),
    ],
)
def test_images_are_brought_to_the_models_form_as_predict_does(
    own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path, resized: dict[str, object], says: str
) -> None:
    source = folder(tmp_path / "x", pictures, CLASSES, **resized)
    tested = sightlab.evaluate(own_run, source)
    answers = sightlab.predict(own_run, source)
    # Labels are in the order of the folders, as predict's answers are.
    right = sum(answer.predicted == Path(answer.file).parent.name for answer in answers)
    assert (tested.score.count, tested.score.correct) == (len(answers), right)
    assert [note for note in tested.notes if "no image here" not in note] == [f"{source}: {says}"]


def test_arrays_from_python_are_brought_to_the_models_form(
    own_run: Path, pictures: dict[str, NDArray[np.uint8]]
) -> None:
    grey = np.concatenate(list(pictures.values()))
    colour = np.repeat(grey.repeat(2, axis=1).repeat(2, axis=2), 3, axis=3)
    labels = np.repeat(np.arange(3), 4)
    one = sightlab.evaluate(own_run, ImageSet(grey, labels, CLASSES))
    two = sightlab.evaluate(own_run, ImageSet(colour, labels, CLASSES))
    assert one.score.correct == two.score.correct
    assert any("resized from 56 x 56" in note for note in two.notes)


def test_words_say_how_the_data_are_read(
    cli: Cli, own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    source = folder(tmp_path / "x", pictures, ["Bag", "Coat", "Hat"])
    refused_with(cli("test", own_run, "--data", source), "`classes=Bag,Coat` tests on those alone")
    status, out, _ = cli("test", own_run, "--data", source, "classes=Bag,Coat", "--json")
    assert (status, json.loads(out)["count"]) == (0, 8)
    assert sightlab.evaluate(own_run, source, classes=["Bag", "Coat"]).score.count == 8
    refused_with(cli("test", own_run, "--data", source, "epochs=3"), "is not a key of how data are read")


def test_data_without_labels_name_predict(
    own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    source = folder(tmp_path / "flat", pictures, ["x"])
    for given, says in (
        (source / "x", "its 4 pictures have no labels; `sightlab predict` answers"),
        (source, "all pictures are of one class, 'x', and the model knows T-shirt/top, Trouser"),
    ):
        with pytest.raises(DataError) as caught:
            sightlab.evaluate(own_run, given)
        assert says in str(caught.value) and "sightlab predict" in str(caught.value)
        assert len(str(caught.value)) <= 300


def test_arrays_without_labels_name_predict(own_run: Path, tmp_path: Path) -> None:
    for name in ("x.npy", "inbox.npy"):
        np.save(tmp_path / name, np.zeros((3, 28, 28), np.uint8))
        with pytest.raises(DataError, match="`sightlab predict`"):
            sightlab.evaluate(own_run, tmp_path / name)
    (tmp_path / "y.npy").write_bytes(b"no array")
    with pytest.raises(DataError) as caught:
        sightlab.evaluate(own_run, tmp_path / "y.npy")
    assert "predict" not in str(caught.value)


def test_numbers_that_may_count_from_another_one_are_not_thinned_out() -> None:
    images = named("1", "2", "3")
    line = stranger_line("x", images, map_classes(images, ("0", "1", "2")), ("0", "1", "2"))
    assert "class '3' is not one the model knows" in line and "classes=" not in line


def test_the_words_of_a_damaged_bundle_are_refused(own_run: Path) -> None:
    file = own_run / "bundle" / "bundle.json"
    for data, says in (({"size": "big"}, "recipe.data.size is 'big'"), ({"shape": 3}, "recipe.data.shape is '3'")):
        facts = json.loads(file.read_text())
        facts["recipe"]["data"] = data
        file.write_text(json.dumps(facts))
        with pytest.raises(RunError) as caught:
            recipe_words(read_bundle(own_run))
        assert says in str(caught.value)
    facts["recipe"]["data"] = 0.5
    file.write_text(json.dumps(facts))
    assert recipe_words(read_bundle(own_run)) == {}


def test_a_damaged_record_of_openings_is_one_line(
    cli: Cli, own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    (own_run / "bundle" / "openings.jsonl").write_bytes(b"\xff\xfe\x00\n")
    source = folder(tmp_path / "x", pictures, CLASSES)
    refused_with(cli("test", own_run, "--data", source), "openings.jsonl: damaged, so openings cannot be counted")


def test_weights_that_answer_no_numbers_are_one_line(
    cli: Cli, own_run: Path, pictures: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    from sightlab.files import sha256_of

    file = own_run / "bundle" / "weights.safetensors"
    save_file({key: value * float("nan") for key, value in load_file(file).items()}, file)
    facts = json.loads((own_run / "bundle" / "bundle.json").read_text())
    (own_run / "bundle" / "bundle.json").write_text(json.dumps(facts | {"weights_sha256": sha256_of(file)}))
    Image.new("L", (28, 28)).save(tmp_path / "x.png")
    refused_with(cli("predict", own_run, tmp_path / "x.png"), "its model answers NaN or infinity")
    source = folder(tmp_path / "in", pictures, CLASSES)
    refused_with(cli("test", own_run, "--data", source), "its model answers NaN or infinity")


def test_no_cell_of_the_predictions_is_run_by_a_spreadsheet(tmp_path: Path) -> None:
    names = ("=cmd|' /C calc'!A0", "@SUM(1)", "-1", "+a", "\tx")
    said = Predictions(np.eye(5, dtype=np.float32), np.arange(5), np.arange(5), names)
    write_predictions_csv(tmp_path / "p.csv", said, np.eye(5, dtype=np.float32))
    with (tmp_path / "p.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["'=cmd|' /C calc'!A0", "'@SUM(1)", "-1", "'+a", "'\tx"]
    assert [row["predicted"] for row in rows] == [row["label"] for row in rows]
