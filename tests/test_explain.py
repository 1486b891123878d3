"""`sightlab explain`: which images, which class, in which form, and what cannot be explained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

import sightlab
from sightlab.data.imageset import ImageSet
from sightlab.errors import RunError
from sightlab.lens.saliency.explain import MISTAKES, TYPICAL, UNCERTAIN
from sightlab.lens.saliency.overlay import overlay, scaled, side_by_side
from sightlab.report import write_report
from sightlab.report.explanations import read_explanations, save_explanations
from tests.conftest import Cli, refused_with


@pytest.fixture(scope="module")
def run(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network's run, with a report."""
    recipe = sightlab.recipe("cnn", model="lenet", data=small_data, epochs=2, compile="off")
    return sightlab.train(recipe, home=tmp_path_factory.mktemp("explained")).folder


@pytest.fixture(scope="module")
def found(run: Path) -> sightlab.Explanations:
    return sightlab.explain(run)


def test_it_shows_mistakes_uncertain_hits_and_a_sure_hit_a_class_of_the_validation_split(
    run: Path, found: sightlab.Explanations
) -> None:
    groups = {group: [one for one in found.images if one.group == group] for group in (MISTAKES, UNCERTAIN, TYPICAL)}
    assert all(one.label != one.predicted for one in groups[MISTAKES])
    assert all(one.label == one.predicted for one in (*groups[UNCERTAIN], *groups[TYPICAL]))
    shares = [one.probability for one in groups[MISTAKES]]
    assert shares == sorted(shares, reverse=True)
    assert [one.probability for one in groups[UNCERTAIN]] == sorted(one.probability for one in groups[UNCERTAIN])
    typical = [one.label for one in groups[TYPICAL]]
    assert len(set(typical)) == len(typical)
    validation = sightlab.prepare(sightlab.open_run(run) and recipe_of(run)).splits.validation
    known = {image.tobytes() for image in validation.images}
    assert all(one.pixels.tobytes() in known for one in found.images)


def recipe_of(run: Path) -> sightlab.Recipe:
    from sightlab.store.run_folder import recipe_in

    return recipe_in(run)[0]


def test_the_check_says_whether_the_method_may_be_believed(found: sightlab.Explanations) -> None:
    assert found.method == "grad-cam"
    assert found.layer == "conv2"
    assert found.check
    assert found.check["images"] == 24
    assert found.verdict.startswith("grad-cam ")
    assert "believed for this model" in found.verdict


def test_another_class_than_the_predicted_one_is_explained(run: Path, cli: Cli, tmp_path: Path) -> None:
    """Why not 9? The maps are of the asked class, and its probability stands beside the predicted one's."""
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save("diagonal.png")
    words = ("explain", run, "diagonal.png", "--class", "9", "--no-check", "--json", "-o", tmp_path / "why.html")
    status, out, _ = cli(*words)
    facts = json.loads(out)
    assert (status, facts["images"][0]["explained"], facts["images"][0]["group"]) == (0, "9", "given")
    plain = sightlab.explain(run, "diagonal.png", check=False).images[0]
    asked = sightlab.explain(run, "diagonal.png", class_name="9", check=False).images[0]
    assert plain.explained == plain.predicted == asked.predicted != "9"
    assert facts["images"][0]["share"] == pytest.approx(asked.share)
    assert not np.array_equal(plain.values, asked.values)


@pytest.mark.parametrize("form", ["png", "svg", "html"])
def test_it_is_written_as_a_page_or_a_picture(run: Path, cli: Cli, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"why.{form}"
    status, out, err = cli("explain", run, "--no-check", "--method", "occlusion", "-o", file)
    assert status == 0, err
    assert f"page: {file}" in out
    if form == "png":
        with Image.open(file) as picture:
            assert picture.size[0] > 500
    else:
        assert "data:image/png;base64," in file.read_text()


def test_the_report_of_a_run_says_what_it_looks_at_on_what_it_kept_of_its_test_images(run: Path) -> None:
    kept = read_explanations(run)
    assert kept
    assert {one.group for one in kept.images} == {MISTAKES, TYPICAL}
    assert all(one.name.startswith("test image ") for one in kept.images)
    page = (run / "report.html").read_text()
    assert "What it looks at" in page
    assert kept.verdict in page or "was not checked" in page
    openings = (run / "bundle" / "openings.jsonl").read_text().splitlines()
    sightlab.explain(run, check=False)
    assert (run / "bundle" / "openings.jsonl").read_text().splitlines() == openings


def test_explanations_read_back_and_damaged_ones_are_one_line(run: Path, found: sightlab.Explanations) -> None:
    folder = shutil.copytree(run, Path("copy") / run.name)
    save_explanations(folder, found)
    again = read_explanations(folder)
    assert again
    assert again.to_json() == {**found.to_json(), "images": again.to_json()["images"]}
    np.testing.assert_allclose(again.images[0].values, found.images[0].values, rtol=2e-3, atol=1e-3)
    (folder / "explanations.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match=r"explanations\.safetensors: cannot be read"):
        write_report(folder)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--class", "cat"], "--class cat: the run has no such class"),
        (["--method", "gradcam"], "did you mean grad-cam?"),
        (["--method", "legrad"], "needs blocks that each attend once"),
        (["-o", "why.pdf"], "a page is .html, a picture .png or .svg"),
        (["nowhere.png"], "nowhere.png"),
        (["--data", "fashion-mini:test"], "nothing"),
    ],
)
def test_what_cannot_be_explained_is_one_line(run: Path, cli: Cli, words: list[str], says: str) -> None:
    if words[0] == "--data":  # another set with the same classes is taken
        assert cli("explain", run, *words, "--no-check", "-o", "page.html")[0] == 0
        return
    refused_with(cli("explain", run, *words), says)
    assert not list(Path().glob("*.html"))


def test_a_perceptron_is_explained_without_maps_and_refuses_methods_that_need_them(small_data: str) -> None:
    images = sightlab.load_data(small_data).train
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    recipe = sightlab.recipe("cnn", epochs=1, report=False, compile="off")
    run = sightlab.train(recipe, net, ImageSet(images.images, images.labels, images.classes), home="home")
    fresh = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    found = sightlab.explain(run, images.images[:2], model=fresh, check=False)
    assert found.method == "integrated-gradients"
    assert any("no module of this network gives maps" in note for note in found.notes)
    with pytest.raises(sightlab.SightlabError, match="grad-cam needs maps over the image"):
        sightlab.explain(run, images.images[:2], model=fresh, method="grad-cam", check=False)
    with pytest.raises(RunError, match=r"were given from Python and are not kept; name --data SOURCE"):
        sightlab.explain(run, model=fresh)


def test_maps_are_drawn_by_their_sign_and_strength() -> None:
    """On black, what speaks for is red, against is blue, and 0 leaves the image as it is."""
    values = np.zeros((4, 4), np.float32)
    values[0, 0], values[3, 3] = 1.0, -1.0
    drawn = overlay(np.zeros((4, 4, 1), np.uint8), values, 4).astype(int)
    assert drawn[0, 0, 0] > drawn[0, 0, 2] + 100
    assert drawn[3, 3, 2] > drawn[3, 3, 0] + 100
    assert drawn[0, 3].tolist() == [0, 0, 0]
    assert np.abs(scaled(values)).max() == 1
    assert scaled(np.zeros((2, 2), np.float32)).tolist() == [[0, 0], [0, 0]]
    assert side_by_side(np.zeros((4, 4, 3), np.uint8), values, 8).shape == (8, 20, 3)
