"""The spectrum of feature maps: known gratings, a fixed band-pass filter, the paper's own definition by numpy."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sightlab.charts import svg_of
from sightlab.charts.spectrum import spectrum_charts, spectrum_rows
from sightlab.lens.analyses.spectrum import EPSILON, relative_log_amplitude, spectrum, unfit
from sightlab.lens.subject import subject_of
from sightlab.models import build
from tests.small_transformer import SmallTransformer, subject_with


class BandPass(nn.Module):
    """A convolution with a fixed kernel whose borders wrap around, and a linear layer."""

    def __init__(self, kernel: Tensor) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False)
        self.conv.weight = nn.Parameter(kernel.view(1, 1, 3, 3))
        self.head = nn.Linear(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(images).mean((2, 3)))
        return logits


@given(side=st.integers(6, 20), data=st.data())
def test_a_grating_has_its_amplitude_at_its_own_frequency_alone(side: int, data: st.DataObject) -> None:
    """a + b cos(2 pi k (x + y) / n) has |F| of a n^2 at 0, b n^2 / 2 at (k, k), and none elsewhere on the diagonal."""
    cycles = data.draw(st.integers(1, (side - 1) // 2))
    place = torch.arange(side, dtype=torch.float64)
    wave = 3 + 0.5 * torch.cos(2 * torch.pi * cycles * (place[:, None] + place) / side)
    found = relative_log_amplitude(wave[None, None])[0]
    assert found[0] == 0
    assert found[cycles].item() == pytest.approx(np.log(0.25 / 3), abs=1e-4)
    others = [k for k in range(1, len(found)) if k != cycles]
    assert all(found[k] < -8 for k in others)


def test_it_is_the_papers_definition() -> None:
    """log(|fft2| + 1e-6), shifted, mean over channels, from the centre along the diagonal, minus the first value."""
    for side in (7, 14):
        maps = np.random.default_rng(side).normal(size=(3, 5, side, side))
        log = np.log(np.abs(np.fft.fft2(maps)) + EPSILON)
        shifted = np.fft.fftshift(log, axes=(2, 3)).mean(1)
        diagonal = np.stack([np.diag(one)[side // 2 :] for one in shifted])
        found = relative_log_amplitude(torch.from_numpy(maps)).numpy()
        np.testing.assert_allclose(found, diagonal - diagonal[:, :1], atol=2e-5)


def test_maps_that_are_not_square_go_to_the_nearest_frequencies() -> None:
    place = torch.arange(8.0)[:, None], torch.arange(12.0)
    wave = 1 + torch.cos(2 * torch.pi * (3 * place[0] / 8 + 5 * place[1] / 12))
    found = relative_log_amplitude(wave[None, None])[0]
    assert found.tolist()[3] == pytest.approx(np.log(0.5), abs=1e-5)


def test_a_network_that_is_a_band_pass_filter_adds_its_gain() -> None:
    """Its map's log amplitude is the image's plus log |H|, where H is the kernel's own transform."""
    kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 4.5, -1.0], [0.0, -1.0, 0.0]])
    subject = subject_with(BandPass(kernel), 16)
    assert unfit(subject) == ""
    found = spectrum(subject)
    images = torch.from_numpy(subject.images.gather(np.arange(6))).permute(0, 3, 1, 2).double()
    own = relative_log_amplitude(images).double().numpy()
    angle = 2 * np.pi * np.arange(8) / 16
    gain = 4.5 - 4 * np.cos(angle)
    (curve,) = found.curves["spectra"]
    np.testing.assert_allclose(curve.y, (own + np.log(np.abs(gain)) - np.log(0.5)).mean(0), atol=1e-4)
    assert curve.x == pytest.approx(np.arange(8) / 8)
    assert found.per_image["high_frequency"] == pytest.approx(own[:, -1] + np.log(gain[-1] / 0.5), abs=1e-4)


def test_figures_are_means_over_blocks_and_images() -> None:
    torch.manual_seed(0)
    net = build("mini-resnet-v4", channels=3, classes=2, height=16, width=16)
    subject = subject_with(net, 16, channels=3, count=5)
    found = spectrum(subject, lines=3)
    by_depth = found.curves["depth"][0]
    assert found.estimates["high_frequency"].value == pytest.approx(np.mean(by_depth.y))
    assert found.estimates["high_frequency_rise"].value == pytest.approx(by_depth.y[-1] - by_depth.y[0])
    assert next(iter(found.estimates)) == "high_frequency"
    for name, values in found.per_image.items():
        assert values.mean() == pytest.approx(found.estimates[name].value)
    assert all(low <= y <= high for low, y, high in zip(by_depth.low, by_depth.y, by_depth.high, strict=True))
    assert len(found.curves["spectra"]) <= 3
    last = [curve.x[-1] for curve in found.curves["spectra"]]
    assert all(end < limit <= 1 for end, limit in zip(last, found.arrays["nyquist"], strict=True))


def test_tokens_lie_on_their_grid_without_class_and_register_tokens() -> None:
    net = SmallTransformer(28, prefix=3).eval()
    subject = subject_with(net, 28, count=3)
    kept: list[Tensor] = []
    hook = net.blocks[-1].register_forward_hook(lambda _m, _i, output: kept.append(output))
    found = spectrum(subject)
    hook.remove()
    tokens = kept[-1].detach()
    maps = tokens[:, 3:].reshape(3, 7, 7, -1).permute(0, 3, 1, 2)
    assert found.per_image["high_frequency_last"] == pytest.approx(
        relative_log_amplitude(maps)[:, -1].numpy(), abs=1e-5
    )


def test_the_network_is_left_as_it_was() -> None:
    net = BandPass(torch.ones(3, 3))
    subject = subject_with(net, 8)
    before = torch.random.get_rng_state()
    spectrum(subject)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(module._forward_hooks for module in net.modules())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_what_does_not_fit_is_said() -> None:
    flat = subject_with(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), 8)
    assert "convolutional networks" in unfit(flat)
    other = subject_with(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)), 8)
    assert "does not work on 1 x 8 x 8 images" in unfit(other)


def test_a_trained_run_is_analysed_and_drawn(small_run: Path) -> None:
    found = spectrum(subject_of(small_run, limit=20))
    json.dumps(found.to_json(), allow_nan=False)
    assert found.estimates["high_frequency"].count == 20
    assert found.sentences
    rows = spectrum_rows(found)
    assert sum(row["last"] for row in rows) == len(found.curves["spectra"])
    drawn = spectrum_charts([found, found])
    assert list(drawn) == ["Spectra of feature maps", "Highest frequency by depth"]
    assert "Nyquist" in svg_of(drawn["Spectra of feature maps"])


def test_charts_need_results() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spectrum_charts([])
