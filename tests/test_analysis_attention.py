"""Attention: weights read from any form of it, closed forms of distance and entropy, what is left out."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.charts import svg_of
from sightlab.charts.attention import attention_charts
from sightlab.lens.analyses.attention import (
    attention,
    attention_map,
    mean_distance,
    measured,
    patch_distances,
    relative_entropy,
    unfit,
)
from sightlab.lens.attention_weights import attention_weights
from tests.small_transformer import SmallTransformer, subject_with


class Fused(nn.Module):
    """Attention by torch's fused function. mask: as it takes one. grouped: half as many heads of keys as of queries."""

    def __init__(self, mask: Tensor | None = None, causal: bool = False, grouped: bool = False) -> None:
        super().__init__()
        self.mask, self.causal, self.grouped = mask, causal, grouped

    def forward(self, tokens: Tensor) -> Tensor:
        heads = tokens.unflatten(2, (4, 2)).transpose(1, 2)
        keys = heads[:, ::2] if self.grouped else heads
        found: Tensor = F.scaled_dot_product_attention(
            heads, keys, keys, attn_mask=self.mask, is_causal=self.causal, enable_gqa=self.grouped
        )
        return found.transpose(1, 2).flatten(2)


class Plain(nn.Module):
    """Attention as many write it: softmax of a product."""

    def forward(self, tokens: Tensor) -> Tensor:
        heads = tokens.unflatten(2, (4, 2)).transpose(1, 2)
        weights = F.dropout((heads @ heads.transpose(-2, -1) / 2**0.5).softmax(dim=-1), 0.5, training=self.training)
        return (weights @ heads).transpose(1, 2).flatten(2)


class Multi(nn.Module):
    """torch's own module. It is asked for its weights where `told`."""

    def __init__(self, told: bool, values: int | None = None, mask: Tensor | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.own = nn.MultiheadAttention(8, 4, batch_first=True, kdim=values, vdim=values)
        nn.init.normal_(self.own.in_proj_bias)
        self.told, self.mask, self.values = told, mask, values

    def forward(self, tokens: Tensor) -> Tensor:
        keys = tokens[..., : self.values]
        output, weights = self.own(tokens, keys, keys, need_weights=self.told, attn_mask=self.mask)
        assert (weights is not None) == self.told
        assert weights is None or weights.ndim == 3
        return torch.as_tensor(output)


GATE = torch.rand(5, 5, generator=torch.Generator().manual_seed(0)) < 0.5
GATE.fill_diagonal_(True)
FORMS = {
    "fused": Fused(),
    "fused, boolean mask": Fused(GATE),
    "fused, mask that is added": Fused(torch.randn(5, 5, generator=torch.Generator().manual_seed(1))),
    "fused, causal": Fused(causal=True),
    "fused, grouped queries": Fused(grouped=True),
    "softmax": Plain(),
    "torch's": Multi(told=True),
    "torch's without weights": Multi(told=False),
    "torch's with other values": Multi(told=False, values=6),
    "torch's with a mask": Multi(told=False, mask=~GATE),
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_any_form_sum_to_1_and_outputs_depend_on_them(form: str) -> None:
    net = nn.Sequential(FORMS[form]).eval()
    tokens = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = net(tokens)
    name = next((n for n, m in net.named_modules() if isinstance(m, nn.MultiheadAttention)), "0")
    with attention_weights(net, [name]) as found:
        output = net(tokens)
    weights = found[name]
    assert weights.shape == (3, 4, 5, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 5))
    torch.testing.assert_close(output, wanted)
    if output.requires_grad:
        (slope,) = torch.autograd.grad(output.square().sum(), weights)
        assert slope.abs().sum() > 0
    if "boolean" in form or "a mask" in form:
        assert (weights[:, :, ~GATE] == 0).all()


def test_weights_of_torchs_module_are_those_that_it_gives_itself() -> None:
    own = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    tokens = torch.randn(3, 5, 8)
    _, wanted = own(tokens, tokens, tokens, average_attn_weights=False)
    net = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)).eval()
    net[0].self_attn = own
    with attention_weights(net, ["0.self_attn"]) as found, torch.no_grad():
        net(tokens)
    torch.testing.assert_close(found["0.self_attn"], wanted)


def test_attention_to_itself_alone_has_distance_0_and_even_attention_the_mean_of_all_pairs() -> None:
    """Of 2 x 2 patches the mean over pairs is (0 + 1 + 1 + sqrt 2) / 4 patches."""
    apart = torch.from_numpy(patch_distances((2, 2), (28, 28)))
    itself, even = torch.eye(4)[None, None], torch.full((1, 1, 4, 4), 0.25)
    assert mean_distance(itself, apart, 0).item() == 0
    assert mean_distance(even, apart, 0).item() == pytest.approx(14 * (2 + 2**0.5) / 4)
    assert relative_entropy(itself, 0).item() == 0
    assert relative_entropy(even, 0).item() == pytest.approx(1)


@given(rows=st.integers(2, 5), columns=st.integers(2, 5), prefix=st.integers(0, 3), pitch=st.integers(1, 16))
def test_attention_to_a_neighbour_is_a_patch_far(rows: int, columns: int, prefix: int, pitch: int) -> None:
    """Each patch attends to the next in its row, the last of a row to itself; weights on other tokens do not count."""
    count = rows * columns
    apart = torch.from_numpy(patch_distances((rows, columns), (rows * pitch, columns * pitch)))
    weights = torch.zeros(1, 1, prefix + count, prefix + count)
    for place in range(count):
        following = place if place % columns == columns - 1 else place + 1
        weights[0, 0, prefix + place, prefix + following] = 0.25 if prefix else 1
        weights[0, 0, prefix + place, :prefix] = 0.75 / max(prefix, 1)
    wanted = pitch * (columns - 1) / columns
    assert mean_distance(weights, apart, prefix).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("prefix", "channels"), [(0, 1), (1, 3), (3, 1)])
def test_even_heads_of_a_network_have_the_distance_of_even_attention(prefix: int, channels: int) -> None:
    """Queries and keys of 0 attend evenly, whatever the image."""
    net = SmallTransformer(16, channels, prefix=prefix)
    for block in net.blocks:
        own = block.get_submodule("self_attn")
        assert isinstance(own, nn.MultiheadAttention)
        with torch.no_grad():
            own.in_proj_weight[:16] = 0
            own.in_proj_bias[:16] = 0
    subject = subject_with(net, 16, channels)
    layers, _ = measured(subject)
    assert [(one.grid, one.prefix, one.heads) for one in layers] == [((4, 4), prefix, 2)] * 2
    found = attention(subject)
    even = patch_distances((4, 4), (16, 16)).mean()
    assert found.estimates["attention_distance"].value == pytest.approx(even, rel=1e-5)
    assert found.estimates["attention_entropy"].value == pytest.approx(1, abs=1e-6)
    assert found.arrays["maps"] == pytest.approx(np.full((6, 4, 4), 1 / 16), abs=1e-6)
    assert found.arrays["pictures"].shape == (6, 16, 16, channels)


def test_a_map_is_where_the_class_token_attends() -> None:
    net = SmallTransformer(16, prefix=2)
    subject = subject_with(net, 16)
    layer = measured(subject)[0][-1]
    weights = torch.rand(2, 3, 18, 18, generator=torch.Generator().manual_seed(0)).softmax(-1)
    seen = weights[:, :, 0, 2:].mean(1)
    wanted = (seen / seen.sum(1, keepdim=True)).reshape(2, 4, 4)
    torch.testing.assert_close(attention_map(weights, layer), wanted)


def test_figures_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_with(SmallTransformer(16), 16, count=7)
    whole = attention(subject, pictures=3)
    monkeypatch.setattr("sightlab.lens.analyses.attention.MEMORY", 1)
    single = attention(subject, pictures=3)
    for name, values in whole.per_image.items():
        assert single.per_image[name] == pytest.approx(values, abs=1e-5)
    assert single.arrays["maps"] == pytest.approx(whole.arrays["maps"], abs=1e-6)


def test_layers_whose_places_are_not_known_are_left_out() -> None:
    """Of timm's Swin, windows; in its last two blocks the window holds the whole map."""
    import timm

    net = timm.create_model("swin_tiny_patch4_window7_224", img_size=56, num_classes=2, embed_dim=12, depths=(2, 1))
    subject = subject_with(net, 56, channels=3, count=2)
    found = attention(subject)
    assert "2 layers of attention left out" in found.notes[0]
    assert [row[0] for row in found.tables["Attention by layer"][1]] == ["layers.1.blocks.0.attn"]
    net = timm.create_model("swin_tiny_patch4_window7_224", img_size=56, num_classes=2, embed_dim=12, depths=(2,))
    assert "lets every patch attend to every patch" in unfit(subject_with(net, 56, channels=3, count=2))


def test_networks_without_attention_are_refused_with_what_works() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    assert unfit(subject_with(net, 8)) == "it has no attention; vision transformers such as vit-tiny have"
    assert unfit(subject_with(SmallTransformer(8), 8)) == ""


def test_the_network_is_left_as_it_was() -> None:
    net = SmallTransformer(16)
    subject = subject_with(net, 16)
    state = torch.random.get_rng_state()
    before = subject.classifier(torch.from_numpy(subject.images.gather(np.arange(2))))
    attention(subject)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    after = subject.classifier(torch.from_numpy(subject.images.gather(np.arange(2))))
    assert torch.equal(before, after)


def test_what_is_found_is_drawn() -> None:
    found = attention(subject_with(SmallTransformer(16), 16))
    json.dumps(found.to_json(), allow_nan=False)
    drawn = attention_charts([found, found])
    assert list(drawn) == ["Attention distance", "Attention entropy", "Attention maps"]
    assert "data:image/png" in svg_of(drawn["Attention maps"])
    with pytest.raises(ValueError, match="at least one"):
        attention_charts([])
