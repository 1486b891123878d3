"""The 15 corruptions against the package imagecorruptions: the same picture, the same random numbers, the same result.

The package is for older versions of numpy, scikit-image and setuptools; three names that these have dropped are put
back while it runs, so that its own code is what is compared with.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import poisson

from sightlab.charts.corruptions import corruptions_charts, dot_rows, heat_rows
from sightlab.data.imageset import ImageSet
from sightlab.errors import DataError
from sightlab.lens.analyses.corruptions import corruptions, relative_loss, unfit
from sightlab.lens.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corruption_sheet
from sightlab.lens.corruptions.blur import motion_blur
from sightlab.lens.corruptions.frost_textures import textures
from sightlab.lens.corruptions.severities import constants
from sightlab.lens.subject import Subject, subject_of
from sightlab.models.classifier import Classifier

CIFAR_QUALITIES, CIFAR_SHARES = (80, 65, 58, 50, 40), (0.95, 0.9, 0.85, 0.75, 0.65)  # make_cifar_c.py of the authors
CIFAR_DISCS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))


@pytest.fixture(scope="module")
def package() -> Iterator[Any]:
    """The module with their functions, runnable with today's libraries."""
    spec = importlib.util.find_spec("imagecorruptions")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    resources = ModuleType("pkg_resources")
    resources.__dict__["resource_filename"] = lambda _, name: str(folder / name)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setitem(sys.modules, "pkg_resources", resources)
        patch.setattr(np, "float_", np.float64, raising=False)
        module = importlib.import_module("imagecorruptions.corruptions")
        gaussian = module.gaussian

        def blurred(image: np.ndarray, *args: Any, multichannel: bool = False, **options: Any) -> np.ndarray:
            return gaussian(image, *args, channel_axis=-1 if multichannel else None, **options)

        patch.setattr(module, "gaussian", blurred)
        yield module


@pytest.fixture
def drawn(package: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[Any]], None]:
    """Make a function of np.random, as the package sees it, give these values, one a call."""
    random = SimpleNamespace()
    view = SimpleNamespace(**{name: getattr(np, name) for name in dir(np) if name != "random"}, random=random)
    view.float_ = np.float64
    monkeypatch.setattr(package, "np", view)

    def give(name: str, values: list[Any]) -> None:
        left = iter(values)
        setattr(random, name, lambda *_args, **_options: next(left))

    return give


def picture(side: int = 224) -> np.ndarray:
    """Edges, a gradient, a texture, black and white, and strong colours."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[0:side, 0:side] / side
    image = np.stack([255 * rows, 255 * columns, 127 + 120 * np.sin(40 * rows * columns)], 2)
    image[side // 4 : side // 2, side // 3 : side // 2] = (250, 10, 30)
    image[side // 2 :, : side // 8] = rng.integers(0, 256, (side - side // 2, side // 8, 3))
    image[: side // 10, : side // 10] = 0
    image[-side // 10 :, -side // 10 :] = 255
    return image.astype(np.uint8)


def ours(image: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    return corrupt(torch.from_numpy(image)[None], name, severity, torch.Generator().manual_seed(seed))[0].numpy()


def theirs_of(package: Any, image: np.ndarray, name: str, severity: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.uint8(np.asarray(getattr(package, name)(Image.fromarray(image), severity)))


def assert_equal_to_a_level(one: np.ndarray, other: np.ndarray, share: float = 0.02) -> None:
    """No value differs by more than a grey level, and few do by that.

    share: of the values, at most. The package cuts off what its float32 sums leave a hair below a whole level, and does
    so on every even surface where the weights add up to 0.9999999.
    """
    apart = np.abs(one.astype(int) - other.astype(int))
    assert apart.max() <= 1, (apart.max(), (apart > 1).mean(), np.argwhere(apart > 1)[:5])
    assert (apart > 0).mean() <= share


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(
    "name", ["contrast", "brightness", "defocus_blur", "zoom_blur", "pixelate", "jpeg_compression"]
)
def test_at_224_pixels_what_is_not_random_equals_the_package(package: Any, name: str, severity: int) -> None:
    image = picture()
    share = 0.2 if name == "defocus_blur" else 0.03
    assert_equal_to_a_level(ours(image, name, severity), theirs_of(package, image, name, severity), share)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise_equals_the_package_for_the_same_numbers(package: Any, drawn: Any, severity: int) -> None:
    image = picture()
    sigma = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    drawn("normal", [sigma * torch.randn(1, 224, 224, 3, generator=torch.Generator().manual_seed(0))[0].numpy()])
    assert_equal_to_a_level(
        ours(image, "gaussian_noise", severity), theirs_of(package, image, "gaussian_noise", severity)
    )


@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_blur_equals_the_package_for_the_same_angle(package: Any, drawn: Any, severity: int) -> None:
    image = picture()
    angle = float(torch.rand(1, generator=torch.Generator().manual_seed(severity)) * 90 - 45)
    drawn("uniform", [angle])
    found = ours(image, "motion_blur", severity, seed=severity)
    assert_equal_to_a_level(found, theirs_of(package, image, "motion_blur", severity), share=0.1)


def test_glass_blur_equals_the_package_for_the_same_moves(package: Any, drawn: Any) -> None:
    """Severity 2: one round, pixels from up to two pixels away."""
    image = picture()
    down, across = torch.randint(-2, 2, (2, 1, 224, 224), generator=torch.Generator().manual_seed(0))[:, 0].tolist()
    order = [(row, column) for row in range(222, 2, -1) for column in range(222, 2, -1)]
    drawn("randint", [(across[row][column], down[row][column]) for row, column in order])
    assert_equal_to_a_level(ours(image, "glass_blur", 2), theirs_of(package, image, "glass_blur", 2), share=0.05)


@pytest.mark.parametrize("severity", [1, 5])
def test_fog_equals_the_package_for_the_same_numbers(package: Any, drawn: Any, severity: int) -> None:
    image, generator = picture(), torch.Generator().manual_seed(0)
    decay = (2, 2, 1.7, 1.5, 1.4)[severity - 1]
    given, cells, swing = [], 1, 100.0
    while cells < 256:
        given += [swing * (2 * torch.rand(1, cells, cells, generator=generator)[0].numpy() - 1.0) for _ in range(3)]
        cells, swing = 2 * cells, swing / decay
    drawn("uniform", given)
    assert_equal_to_a_level(ours(image, "fog", severity), theirs_of(package, image, "fog", severity))


@pytest.mark.parametrize("severity", [1, 5])
def test_elastic_transform_equals_the_package_for_the_same_moves(package: Any, drawn: Any, severity: int) -> None:
    image = picture()
    moves = torch.rand(2, 1, 224, 224, generator=torch.Generator().manual_seed(0))[:, 0].double().numpy()
    drawn("uniform", [0.005 * 224 * (2 * move - 1) for move in moves])
    found = ours(image, "elastic_transform", severity)
    assert_equal_to_a_level(found, theirs_of(package, image, "elastic_transform", severity))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow_equals_the_package_for_the_same_flakes(package: Any, drawn: Any, severity: int) -> None:
    """Away from the edges, where the trails of flakes outside come in, of which the package has a pixel or two more."""
    image, generator = picture(), torch.Generator().manual_seed(1)
    mean, sigma = ((0.1, 0.3), (0.2, 0.3), (0.55, 0.3), (0.55, 0.3), (0.55, 0.3))[severity - 1]
    drawn("normal", [mean + sigma * torch.randn(1, 224, 224, generator=generator)[0].double().numpy()])
    drawn("uniform", [float(torch.rand(1, generator=generator) * 90 - 135)])
    inside = np.s_[30:-30, 30:-30]
    found = ours(image, "snow", severity, seed=1)
    assert_equal_to_a_level(found[inside], theirs_of(package, image, "snow", severity)[inside], share=0.1)


@pytest.mark.parametrize(("side", "photons"), [(224, (60, 25, 12, 5, 3)), (32, (500, 250, 100, 75, 50))])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_has_the_probabilities_of_a_poisson_distribution(side: int, photons: Any, severity: int) -> None:
    count = photons[severity - 1]
    for level in (0, 90, 230):
        found = ours(np.full((side, side, 3), level, np.uint8), "shot_noise", severity, seed=level)
        levels, seen = np.unique(found, return_counts=True)
        shares = dict(zip(levels.tolist(), (seen / found.size).tolist(), strict=True))
        photon_counts = np.arange(count + 1)
        expected = dict.fromkeys(range(256), 0.0)
        for number in photon_counts:
            expected[int(number * 255 / count + 1e-6)] += float(poisson.pmf(number, level * count / 255))
        expected[255] += float(poisson.sf(count, level * count / 255))
        for value, probability in expected.items():
            deviation = np.sqrt(probability * (1 - probability) / found.size)
            assert abs(shares.get(value, 0.0) - probability) < 5 * deviation + 2 / found.size + 1e-4


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_makes_the_published_share_black_and_white(severity: int) -> None:
    for side, shares in ((224, (0.03, 0.06, 0.09, 0.17, 0.27)), (32, (0.01, 0.02, 0.03, 0.05, 0.07))):
        found = corrupt(
            torch.full((50, side, side, 1), 90, dtype=torch.uint8), "impulse_noise", severity, torch.Generator()
        ).numpy()
        assert set(np.unique(found)) == {0, 90, 255}
        for value in (0, 255):
            deviation = np.sqrt(shares[severity - 1] / 2 / found.size)
            assert abs((found == value).mean() - shares[severity - 1] / 2) < 5 * deviation + 2**-16


def test_frost_textures_have_the_colour_and_the_contrast_of_the_published_ones(package: Any) -> None:
    folder = Path(package.__file__).parent / "frost"
    names = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"]  # the sixth is never drawn
    for name, texture in zip(names, textures(480), strict=True):
        photograph = cv2.imread(str(folder / name))[..., ::-1]
        np.testing.assert_allclose(texture.mean((0, 1)), photograph.mean((0, 1)), atol=6)
        np.testing.assert_allclose(texture.std((0, 1)).mean(), photograph.std((0, 1)).mean(), rtol=0.25)


def test_frost_is_a_weighted_sum_of_the_image_and_a_texture() -> None:
    black, grey = (ours(np.full((224, 224, 3), level, np.uint8), "frost", 3).astype(int) for level in (0, 100))
    unclipped = grey < 255
    assert abs((grey - black)[unclipped] - 70).max() <= 1  # 0.7 of the image at severity 3


@pytest.mark.parametrize("severity", SEVERITIES)
def test_at_32_pixels_the_constants_are_those_of_cifar_10_c(package: Any, severity: int) -> None:
    image = picture(32)
    kernel = package.disk(*CIFAR_DISCS[severity - 1]).astype(np.float64)
    defocused = np.clip(cv2.filter2D(image / 255.0, -1, kernel), 0, 1) * 255
    assert_equal_to_a_level(ours(image, "defocus_blur", severity), np.uint8(defocused), share=0.2)
    factors = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[severity - 1], 0.01)
    values = image.astype(np.float32) / 255
    zoomed = sum(package.clipped_zoom(values, factor)[:32, :32] for factor in factors)
    expected = np.clip((values + zoomed) / (len(factors) + 1), 0, 1) * 255
    assert_equal_to_a_level(ours(image, "zoom_blur", severity), np.uint8(expected))
    small = int(32 * CIFAR_SHARES[severity - 1])
    box = Image.fromarray(image).resize((small, small), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
    assert_equal_to_a_level(ours(image, "pixelate", severity), np.asarray(box))
    quality = CIFAR_QUALITIES[severity - 1]
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(ours(image, "jpeg_compression", severity).astype(int) - decoded).mean() < 0.5


def test_between_32_and_224_pixels_constants_move_with_the_logarithm_of_the_shorter_side() -> None:
    halfway = torch.zeros(1, 85, 200, 3, dtype=torch.uint8)  # 84.66 is the geometric mean
    flat = torch.full((20, 85, 85, 3), 128, dtype=torch.uint8)
    found = corrupt(flat, "gaussian_noise", 1, torch.Generator()).double()
    assert found.std().item() == pytest.approx(255 * (0.04 + 0.08) / 2, rel=0.01)
    small, large = ((1.0,),) * 5, ((3.0,),) * 5
    assert constants(halfway, 1, small, large)[0] == pytest.approx(2, abs=0.01)
    assert constants(halfway[:, :28, :28], 1, small, large) == (1.0,)
    assert constants(torch.zeros(1, 512, 300, 3), 1, small, large) == (3.0,)


@pytest.mark.parametrize("severity", [2, 3, 4, 5])
def test_at_64_pixels_noise_is_about_as_strong_as_in_tiny_imagenet_c(severity: int) -> None:
    """Whose constants for 64 pixels are published too, and are not used."""
    sigma, photons = ((0.08, 100), (0.12, 50), (0.15, 30), (0.18, 15))[severity - 2]
    flat = torch.full((4, 64, 64, 3), 64, dtype=torch.uint8)
    found = corrupt(2 * flat, "gaussian_noise", severity, torch.Generator()).double().std()
    assert found.item() == pytest.approx(255 * sigma, rel=0.15)
    found = corrupt(flat, "shot_noise", severity, torch.Generator()).double().std()
    assert found.item() == pytest.approx(255 * np.sqrt(64 / 255 / photons), rel=0.15)


@pytest.mark.parametrize("shape", [(28, 28, 1), (40, 29, 3), (33, 48, 2)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_keeps_the_shape_and_its_input_and_follows_the_generator(name: str, shape: Any) -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8))
    before = images.clone()
    for severity in SEVERITIES:
        first, second = (corrupt(images, name, severity, torch.Generator().manual_seed(3)) for _ in range(2))
        assert first.dtype == torch.uint8
        assert first.shape == images.shape
        assert torch.equal(first, second)
        assert not torch.equal(first, images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_grey_picture_is_corrupted_as_a_colour_picture_of_greys(name: str) -> None:
    """Noise is drawn for every value by itself, and frost has a colour; the others know no difference."""
    if name.endswith("noise") or name == "frost":
        return
    grey = picture(48)[..., 1:2]
    for severity in (1, 5):
        found, colour = ours(grey, name, severity), ours(np.repeat(grey, 3, axis=2), name, severity)
        assert np.abs(found.astype(int) - colour.astype(int)).max() <= 1


@pytest.mark.parametrize(
    "name",
    sorted(set(CORRUPTIONS) - {"contrast", "brightness", "defocus_blur", "zoom_blur", "pixelate", "jpeg_compression"}),
)
def test_each_image_of_a_batch_gets_random_numbers_of_its_own(name: str) -> None:
    images = torch.from_numpy(picture(32))[None].repeat(2, 1, 1, 1)
    first, second = corrupt(images, name, 5, torch.Generator().manual_seed(0))
    assert not torch.equal(first, second)


def test_torch_s_global_random_state_is_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for name in CORRUPTIONS:
        ours(picture(32), name, 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(DataError, match="unknown corruption 'gausian_noise'; did you mean gaussian_noise"):
        ours(picture(32), "gausian_noise", 1)
    with pytest.raises(DataError, match="severity 6 of snow; severities are 1 to 5"):
        ours(picture(32), "snow", 6)
    with pytest.raises(DataError, match="images of 27 x 32 pixels; the corruptions are for images from 28 x 28"):
        ours(picture(32)[:27], "snow", 1)


def test_the_sheet_shows_every_corruption_at_every_severity() -> None:
    sheet = corruption_sheet(picture(32)[..., :1])
    assert sheet.mode == "RGB"
    assert sheet.width > 16 * 84
    assert sheet.height > 5 * 84


def test_a_motion_blur_s_weights_add_up_to_one() -> None:
    flat = torch.full((4, 32, 32, 1), 200, dtype=torch.uint8)
    for severity in SEVERITIES:
        assert (motion_blur(flat, severity, torch.Generator()) >= 199).all()


class Brightness(torch.nn.Module):
    """Tells dark from bright pictures: the side of 128 on which the mean of the pixels is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        above = x.mean((1, 2, 3)) - 128 / 255
        return torch.stack([-above, above], 1)


def judge(levels: list[int], side: int = 32, channels: int = 3) -> Subject:
    """The network above with even images of these grey levels, dark or bright."""
    pixels = np.stack([np.full((side, side, channels), level, np.uint8) for level in levels])
    images = ImageSet(pixels, np.array([int(level > 128) for level in levels]), ("dark", "bright"))
    classifier = Classifier(Brightness(), [0.0] * channels, [1.0] * channels).eval()
    return Subject("judge", classifier, images, torch.device("cpu"), "even images", images.classes)


def test_accuracy_by_corruption_and_severity_of_a_network_that_is_known() -> None:
    """At 32 pixels brightness adds 12.75, 25.5, 38.25, 51 and 76.5 levels: 100 passes 128 from the third on."""
    found = corruptions(judge([100, 100, 100, 200]), names=["brightness", "contrast"])
    np.testing.assert_allclose(found.arrays["accuracy"], [[1, 1, 0.25, 0.25, 0.25], [1, 1, 1, 1, 1]])
    assert found.per_image["corrupted_accuracy"].tolist() == pytest.approx([0.7, 0.7, 0.7, 1.0])
    value = found.estimates["corrupted_accuracy"]
    assert value.value == pytest.approx(0.775)
    assert value.low == pytest.approx(0.775 - 3.182446 * 0.15 / 2)  # Student's t of 3 degrees; deviation 0.15
    assert found.estimates["accuracy"].value == 1.0
    assert found.estimates["relative_loss"].value == pytest.approx(0.225)
    assert found.estimates["corrupted_accuracy_brightness"].value == pytest.approx(0.55)
    assert found.estimates["severity_accuracy_3"].value == pytest.approx(0.625)
    assert list(found.estimates)[:2] == ["corrupted_accuracy", "relative_loss"]
    assert found.sentences[0] == (
        "Accuracy is 100.0% on the images as they are and 77.5% on average over 2 corruptions at 5 severities; "
        "22.5% of the accuracy is lost."
    )
    ((header, rows),) = found.tables.values()
    assert header[1] == "severity 1"
    assert rows[0][:4] == ("brightness", "100.0", "100.0", "25.0")


def test_every_estimate_but_the_loss_is_the_mean_of_its_values_over_images() -> None:
    found = corruptions(judge([90, 120, 140, 250]), severities=[1, 5])
    for name, values in found.per_image.items():
        assert found.estimates[name].value == pytest.approx(values.mean())
    assert set(found.estimates) - set(found.per_image) == {"relative_loss"}


def test_the_interval_of_the_relative_loss_covers_the_truth() -> None:
    """In 19 of 20 draws of images, from pairs of answers that depend on each other."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        clean = (rng.random(300) < 0.8).astype(float)
        kept = np.where(clean == 1, rng.binomial(75, 0.7, 300), rng.binomial(75, 0.1, 300)) / 75
        one = relative_loss(clean, kept)
        assert one.low is not None
        assert one.high is not None
        covered += one.low <= 1 - (0.8 * 0.7 + 0.2 * 0.1) / 0.8 <= one.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_a_corruption_s_images_do_not_depend_on_what_else_is_asked_for() -> None:
    subject = judge([110, 120, 126, 130, 140])
    whole = corruptions(subject, names=["gaussian_noise", "fog", "snow"])
    alone = corruptions(subject, names=["snow"], severities=[2])
    assert whole.arrays["accuracy"][2, 1] == alone.arrays["accuracy"][0, 0]


def test_what_does_not_fit_is_said_and_what_is_unknown_refused() -> None:
    small = judge([10, 200], side=27)
    assert unfit(small) == "images of 27 x 27 pixels; the corruptions are for images from 28 x 28 on"
    assert not unfit(judge([10, 200], side=28, channels=1))
    with pytest.raises(DataError, match="unknown corruption 'fogg'; did you mean fog"):
        corruptions(judge([10]), names=["fogg"])
    with pytest.raises(DataError, match="severity 0 of snow"):
        corruptions(judge([10]), names=["snow"], severities=[0])
    with pytest.raises(DataError, match="no corruption or no severity is named"):
        corruptions(judge([10]), names=[])


def test_without_a_right_answer_there_is_no_loss() -> None:
    wrong = judge([10, 200])
    wrong.images.labels[:] = 1 - wrong.images.labels
    found = corruptions(wrong, names=["contrast"])
    assert "relative_loss" not in found.estimates
    assert found.notes[-1] == "No image is answered rightly as it is, so there is no accuracy to lose."


def test_a_trained_network_is_left_as_it_was_and_loses_accuracy(small_run: Path) -> None:
    subject = subject_of(small_run, limit=60)
    ticks: list[tuple[int, int]] = []
    found = corruptions(subject, lambda *done: ticks.append(done), severities=[1, 5])
    assert not subject.classifier.training
    assert ticks[-1] == (60 * 31, 60 * 31)
    assert found.estimates["severity_accuracy_5"].value < found.estimates["severity_accuracy_1"].value
    assert found.notes[0] == (
        "Images of 28 x 28 pixels; the corruptions' constants are those published for images of 32 pixels (CIFAR-10-C)."
    )
    assert "computed textures" in found.notes[1]


def test_the_charts_draw_one_network_and_several() -> None:
    first, second = corruptions(judge([100, 100, 200])), corruptions(judge([120, 140, 200]))
    (heat,) = corruptions_charts([first]).values()
    assert heat.to_dict()["height"] > 0
    cells = heat_rows(first)
    assert len(cells) == 15 * 6
    fog = [cell["accuracy"] for cell in cells if cell["corruption"] == "fog"]
    assert fog[5] == pytest.approx(np.mean(fog[:5]))
    (several,) = corruptions_charts([first, second]).values()
    rows = dot_rows([first, second])
    assert len(rows) == 2 * 17
    assert [row["corruption"] for row in rows[:3]] == ["unchanged images", "all corruptions", "Gaussian noise"]
    assert several.to_dict()["height"] > 0
    with pytest.raises(ValueError, match="at least one result"):
        corruptions_charts([])
