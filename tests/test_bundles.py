"""Bundles: what is checked before one is trusted, and labelled data matched to its classes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.data.load import load_parts
from sightlab.data.named_sets import FASHION
from sightlab.errors import DataError, RunError
from sightlab.evaluation import matched
from sightlab.files import sha256_of
from sightlab.store.bundle import read_bundle


@pytest.fixture
def bundle(small_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run's bundle, to be damaged."""
    return Path(shutil.copytree(small_run / "bundle", tmp_path / "bundle"))


def edit(bundle: Path, change: Callable[[dict[str, object]], object]) -> None:
    file = bundle / "bundle.json"
    facts = json.loads(file.read_text())
    change(facts)
    file.write_text(json.dumps(facts))


def cut_weights(bundle: Path) -> None:
    file = bundle / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def other_weights(bundle: Path) -> None:
    """Weights of another shape, under the right checksum."""
    file = bundle / "weights.safetensors"
    weights = load_file(file)
    name = next(iter(weights))
    save_file({**weights, name: weights[name][..., :1].contiguous()}, file)
    edit(bundle, lambda facts: facts.update(weights_sha256=sha256_of(file)))


def no_weights(bundle: Path) -> None:
    (bundle / "weights.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_weights, "cut short or changed"),
        (other_weights, "does not fit cnn: size mismatch"),
        (no_weights, "weights.safetensors: cannot be read"),
        (lambda b: edit(b, lambda f: f.update(format=99)), "from a newer sightlab"),
        (lambda b: edit(b, lambda f: f.pop("classes")), "damaged: classes"),
        (lambda b: edit(b, lambda f: f.update(height=-1)), "damaged: height"),
        (lambda b: edit(b, lambda f: f.update(mean=[0.5, 0.5])), "mean and std are 2 and 1 long"),
        (lambda b: edit(b, lambda f: f.update(model="no-such-net")), "unknown model"),
        (lambda b: (b / "bundle.json").write_text("{"), "damaged"),
        (lambda b: (b / "bundle.json").write_text("[1]"), "damaged"),
        (lambda b: (b / "bundle.json").unlink(), "no bundle.json"),
    ],
)
def test_a_damaged_bundle_is_one_line(bundle: Path, damage: Callable[[Path], object], says: str) -> None:
    damage(bundle)
    with pytest.raises(sightlab.SightlabError) as caught:
        sightlab.evaluate(str(bundle), "fashion-mini:test", open_test="a test")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bundle_never_runs_code_that_it_names(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    edit(bundle, lambda facts: facts.update(model="evil.py:Net"))
    with pytest.raises(RunError, match="which a bundle does not run"):
        sightlab.evaluate(str(bundle), "fashion-mini:test", open_test="a test")


def test_a_bundle_moves_by_itself(bundle: Path) -> None:
    assert sightlab.evaluate(str(bundle), "fashion-mini:test", open_test="a test").score.count == 2000


def test_openings_are_counted_by_content_not_by_name(bundle: Path, small_data: str) -> None:
    (bundle / "openings.jsonl").unlink()
    images = load_parts(f"{small_data}:test").parts.splits["all"]
    assert sightlab.evaluate(str(bundle), f"{small_data}:test", open_test="a test").score.openings == 1
    assert sightlab.evaluate(str(bundle), images, open_test="a test").score.openings == 2
    assert sightlab.evaluate(str(bundle), images.take(np.arange(50)), open_test="a test").score.openings == 1


def test_images_it_was_trained_on_are_counted(bundle: Path, small_data: str) -> None:
    train = load_parts("fashion-mini").parts.splits["train"]
    drawn = sightlab.load_data("fashion-mini", limit_per_class=100)  # all that the run has trained or was selected on
    theirs = {image.tobytes() for part in (drawn.train, drawn.validation) for image in part.images}
    assert len(theirs) == 1000
    some = train.take(np.arange(0, len(train), 20))
    seen = sum(image.tobytes() in theirs for image in some.images)
    assert 20 < seen < 100
    assert sightlab.evaluate(str(bundle), some).seen == seen
    assert sightlab.evaluate(str(bundle), f"{small_data}:test", open_test="a test").seen == 0


def images(classes: tuple[str, ...], labels: list[int], shape: tuple[int, int, int] = (28, 28, 1)) -> ImageSet:
    return ImageSet(np.zeros((len(labels), *shape), np.uint8), np.array(labels, np.int64), classes)


def test_classes_are_matched_by_name_whatever_their_order(bundle: Path) -> None:
    found = matched(images(("Bag", "Coat", "Dress"), [0, 1, 2, 0]), read_bundle(bundle), "x", [])
    assert [FASHION[label] for label in found.labels] == ["Bag", "Coat", "Dress", "Bag"]
    assert found.classes == FASHION


def test_numbers_stand_for_classes_by_their_place_and_it_is_said(bundle: Path) -> None:
    notes: list[str] = []
    found = matched(images(("3", "7"), [0, 1]), read_bundle(bundle), "hidden.csv", notes)
    assert found.labels.tolist() == [3, 7]
    assert "matched by number" in notes[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (images(("Bag", "Hat"), [0, 1]), "class 'Hat' is not one the model knows"),
        (images(("10", "11"), [0, 1]), "class '10' is not one"),
        (images(("Hat", "Bag"), [0, 0]), "all pictures are of one class, 'Hat'"),
        (images(("Bag", "Coat"), [0, 1], (28, 28, 4)), "28 x 28 x 4 (height x width x channels); the model was"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_the_reason(bundle: Path, given: ImageSet, says: str) -> None:
    with pytest.raises(DataError) as caught:
        sightlab.evaluate(str(bundle), given)
    assert says in str(caught.value)


def test_a_class_name_without_images_does_not_matter(bundle: Path) -> None:
    found = matched(images(("Bag", "Hat"), [0, 0]), read_bundle(bundle), "x", [])
    assert [FASHION[label] for label in found.labels] == ["Bag", "Bag"]
