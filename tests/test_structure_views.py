"""How structures are shown: parts, drawings, rules, contact sheets, and `sightlab structure`."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from sightlab.lens.blocks import Block, blocks_of, repeated_blocks
from sightlab.lens.design_rules import compare_rules, design_rules
from sightlab.lens.diagram import PARAMETERS, diagram, side_by_side
from sightlab.lens.feature_maps import filter_images, map_images, stages
from sightlab.lens.structure import Structure, structure
from sightlab.models.cost import NoFirstWeights
from tests import drawings
from tests.conftest import ROOT, Cli, refused_with
from tests.test_structure import Again, There

PAGE = (ROOT / "docs" / "structure.md").read_text()


def shown(name: str, channels: int = 1, size: int = 28) -> Structure:
    return structure(name, (channels, size, size))


# --- parts ---


def kinds(found: Structure) -> list[tuple[str, str, int]]:
    """Of each stretch: the kinds of its parts, how the first is passed by, how often it stands there."""
    return [("+".join(p.kind for p in copies[0]), copies[0][0].skip, len(copies)) for copies in repeated_blocks(found)]


def test_resnet18_is_a_stem_eight_blocks_and_a_head() -> None:
    found = structure(torch_resnet(), (3, 64, 64))
    blocks = [("residual", "identity", 2)]
    for width in (128, 256, 512):
        blocks += [("residual", f"1x1/2 conv, {width}", 1), ("residual", "identity", 1)]
    assert kinds(found) == [("layer", "", 1), ("layer", "", 1), *blocks, ("layer", "", 1), ("layer", "", 1)]


def torch_resnet() -> nn.Module:
    """torchvision's own, in which blocks are other classes than ours."""
    from torchvision.models import resnet18

    with torch.device("meta"), NoFirstWeights():
        net: nn.Module = resnet18()
    return net


def test_a_dense_network_is_four_dense_blocks() -> None:
    from torchvision.models import densenet121

    with torch.device("meta"), NoFirstWeights():
        found = structure(densenet121(), (3, 64, 64))
    dense = [part for part in blocks_of(found) if part.kind == "dense"]
    assert [sum(repeat.count for repeat in part.rows) for part in dense] == [6, 12, 24, 16]
    assert [row.title for row in dense[0].rows[0].rows] == ["1x1 conv, 128", "3x3 conv, 32"]
    assert found.depth == 121


def test_there_and_back_is_one_nested_part_with_all_its_sizes() -> None:
    found = structure(There(), (1, 32, 32))
    assert kinds(found) == [("layer", "", 1), ("nested", "identity", 1)]
    rules = design_rules(found)
    assert rules["sizes"] == "32x32 > 16x16 > 8x8 > 16x16 > 32x32"
    assert rules["downsampling"] == "max_pool2d (2x2/2), avg_pool2d (2x2/2)"
    svg = drawings.read(diagram(found))
    assert {"2x2/2 transposed conv, 3", "concatenation, 6"} <= set(drawings.texts(svg))


def test_weights_used_again_are_marked_in_the_drawing() -> None:
    words = drawings.texts(drawings.read(diagram(structure(Again(), (1, 5, 5)))))
    assert words.count("ReLU") == 1
    assert words.count("shared weights, ReLU") == 1
    assert "x 2" in words


class Encoder(nn.Module):
    """Three blocks of attention and of two linear layers, before which stand norms."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.blocks = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return torch.as_tensor(self.head(self.blocks(tokens)[:, 0]))


def test_a_transformer_repeats_its_two_parts() -> None:
    assert kinds(structure(Encoder(), (1, 12, 12))) == [
        ("layer", "", 1),
        ("residual+residual", "identity", 3),
        ("layer", "", 1),
    ]


@pytest.mark.parametrize("name", ["cnn", "compact-resnet", "mini-resnet-v6", "resnet18", "resnet50"])
def test_every_layer_is_in_one_part(name: str) -> None:
    found = shown(name)
    places = [place for part in blocks_of(found) for place in part.layers]
    assert places == list(range(len(found.layers)))
    folded: list[Block] = [part for copies in repeated_blocks(found) for copy in copies for part in copy]
    assert folded == list(blocks_of(found))


# --- the drawing ---


@pytest.mark.parametrize("name", ["cnn", "compact-resnet", "mini-resnet-v4", "resnet18", "resnet50"])
def test_nothing_in_a_drawing_lies_over_anything_or_outside(name: str) -> None:
    svg = drawings.read(diagram(shown(name)))
    assert drawings.overlaps(svg, 0.02) == []
    assert drawings.outside(svg) == []


def test_a_drawing_names_layers_sizes_skips_and_sums() -> None:
    svg = drawings.read(diagram(shown("mini-resnet-v4")))
    words = drawings.texts(svg)
    assert {"mini-resnet-v4", "7x7/2 conv, 32", "3x3 max pool", "1x1/2 conv, 64", "identity", "x 4", "x 3"} <= set(
        words
    )
    assert {"x 4", "x 3", "28x28", "14x14", "7x7", "356,938", "28.4", "103", "layers.0.0 to 1.1"} <= set(words)
    assert {"identity skip", "projection skip"} <= set(words)


@pytest.mark.parametrize("name", ["cnn", "mini-resnet-v6", "resnet50"])
def test_the_columns_of_a_drawing_add_up_to_its_totals(name: str) -> None:
    found = shown(name)
    svg = ET.fromstring(diagram(found))
    words = {e.get("transform", ""): e.text or "" for e in svg.iter(f"{drawings.SVG}text")}
    column = [text for at, text in words.items() if at.startswith(f"translate({PARAMETERS},")]
    *rows, total = [int(text.replace(",", "")) for text in column if text[0].isdigit()]
    assert sum(rows) == total == found.parameters


def test_a_drawing_is_the_same_each_time_and_says_names_as_they_are() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    found = Structure("<b>&", (1, 2, 2), 2, structure(net, (1, 2, 2)).layers, 0, 10)
    assert diagram(found) == diagram(found)
    assert "<b>&" in drawings.texts(drawings.read(diagram(found)))


def test_two_drawings_stand_side_by_side() -> None:
    one, other = shown("cnn"), shown("mini-resnet-v1")
    svg = drawings.read(side_by_side(one, other))
    assert {"cnn", "mini-resnet-v1"} <= set(drawings.texts(svg))
    assert drawings.overlaps(svg, 0.02) == []
    assert drawings.outside(svg) == []


# --- rules ---


def test_the_rules_of_resnet18_are_those_of_its_paper() -> None:
    rules = design_rules(structure(torch_resnet(), (3, 224, 224)))
    assert rules["stem"] == "7x7/2 conv, 64, then 3x3/2 max pool"
    assert rules["depth"] == "18"
    assert rules["widths"] == "64, 128, 256, 512"
    assert rules["skips"] == "5 identity, 3 projection"
    assert rules["sizes"] == "224x224 > 112x112 > 56x56 > 28x28 > 14x14 > 7x7 > 1x1"
    assert [part.split(" ")[0] for part in rules["downsampling"].split(", ")] == [
        "conv1", "maxpool", "layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1"
    ]  # fmt: skip
    assert rules["kernels"] == "16 3x3, 3 1x1, 1 7x7"
    assert rules["head"] == "global average pool, then linear, 1000"
    assert rules["parameters"] == "11,689,512"


def test_what_differs_stands_before_what_does_not() -> None:
    rules = compare_rules(shown("mini-resnet-v2"), shown("mini-resnet-v4"))
    differs = [rule.differs for rule in rules]
    assert differs == sorted(differs, reverse=True)
    assert {"depth", "widths", "sizes", "skips", "parameters"} <= {rule.name for rule in rules if rule.differs}
    assert {"input", "stem", "head"} <= {rule.name for rule in rules if not rule.differs}
    assert not any(rule.differs for rule in compare_rules(shown("cnn"), shown("cnn")))


# --- filters and maps ---


def test_a_filters_zero_is_grey_and_its_largest_weight_black_or_white() -> None:
    weight = torch.tensor([[[[0.5, -0.25], [0.0, 0.125]]], [[[-3.0, 0.0], [1.5, 0.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    images = filter_images(weight)
    assert images.shape == (3, 2, 2, 1)
    assert images[:, :, :, 0].tolist() == [[[255, 64], [128, 160]], [[1, 128], [192, 128]], [[128, 128], [128, 128]]]


def test_filters_on_colours_are_in_colour_and_on_many_channels_grey() -> None:
    assert filter_images(torch.randn(2, 3, 5, 4)).shape == (2, 5, 4, 3)
    assert filter_images(torch.randn(2, 7, 5, 4)).shape == (2, 5, 4, 1)


def test_a_map_goes_from_black_to_white() -> None:
    images = map_images(torch.tensor([[[-1.0, 0.0, 1.0]], [[2.0, 2.0, 2.0]]]))
    assert images[:, :, :, 0].tolist() == [[[0, 128, 255]], [[0, 0, 0]]]


def test_maps_are_shown_after_the_first_layer_and_each_stage() -> None:
    found = shown("mini-resnet-v4")
    assert [found.layers[place].name for place in stages(found)] == [
        "relu",
        "layers.1.1.relu (2)",
        "layers.3.1.relu (2)",
    ]


# --- the command ---


def test_the_table_has_a_row_a_layer_and_the_rules(cli: Cli) -> None:
    status, out, err = cli("structure", "mini-resnet-v4", "-o", "net.svg")
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0].split() == [
        *("layer", "operation", "kernel", "stride", "padding", "channels", "output"),
        *("parameters", "mult-adds", "sees", "jump"),
    ]
    assert " ".join(lines[1].split()) == "conv1 convolution 7x7 2 3 1 > 32 32x14x14 1,600 307,328 7 2"
    assert any(re.fullmatch(r"depth +18", line) for line in lines)
    assert lines[-1] == "written: net.svg"
    ET.parse("net.svg")


def test_json_has_every_layer_and_what_was_written(cli: Cli) -> None:
    status, out, _ = cli("structure", "cnn", "--input", "3x32x32", "--classes", "7", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["input"] == [3, 32, 32]
    assert facts["layers"][-1]["output"] == [facts["classes"]] == [7]
    assert sum(layer["parameters"] for layer in facts["layers"]) == facts["parameters"]
    assert sum(layer["macs"] for layer in facts["layers"]) == facts["macs"]
    assert [Path(path).is_file() for path in facts["written"]] == [True]


def test_two_models_are_held_against_each_other(cli: Cli) -> None:
    status, out, _ = cli("structure", "mini-resnet-v2", "--against", "mini-resnet-v4", "-o", "two.svg")
    assert status == 0
    assert "depth\n  mini-resnet-v2: 10\n  mini-resnet-v4: 18\n" in out
    assert "the same: input 1x28x28; " in out
    facts = json.loads(cli("structure", "cnn", "--input", "3x32x32", "--against", "resnet18", "--json")[1])
    assert facts["against"]["input"] == [3, 32, 32]
    assert {"rule": "depth", "one": "5", "other": "18", "differs": True} in facts["rules"]


def test_a_run_shows_its_filters_and_what_it_makes_of_a_picture(cli: Cli, small_run: Path) -> None:
    gradient = np.tile(np.arange(0, 224, 4, dtype=np.uint8), (56, 1))
    Image.fromarray(gradient).save("photo.png")
    status, out, err = cli("structure", small_run, "--picture", "photo.png", "-o", "net.png", "--json")
    assert status == 0, err
    assert json.loads(out)["written"] == ["net.png", "net-filters.png", "net-maps.png"]
    assert all(Path(path).read_bytes()[1:4] == b"PNG" for path in json.loads(out)["written"])
    before = sorted(Path().iterdir())
    assert cli("structure", small_run, "--against", "resnet18", "-o", "net.svg")[0] == 0
    assert set(Path().iterdir()) - set(before) == {Path("net.svg")}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["mini-resnet-v7"],
            "begins with 'mini-resnet-v7', and unknown model 'mini-resnet-v7'; did you mean",
        ),
        (["last"], "no run 'last'"),
        (["cnn", "--against", "resnet81"], "unknown model 'resnet81'; did you mean resnet18?"),
        (["cnn", "--input", "28x28"], "--input '28x28': images are CHANNELSxHEIGHTxWIDTH"),
        (["cnn", "--input", "1x3x28"], "at least 4 x 4 pixels, not 3 x 28"),
        (["compact-resnet", "--input", "1x5x28"], "does not work on 1 x 5 x 28 images"),
        (["cnn", "--picture", "x.png"], "feature maps need a trained run, and cnn is a model"),
        (["cnn", "-o", "net.gif"], "net.gif: a drawing is saved as .png, .svg or .pdf, not .gif"),
        (["nets/none.py:Net"], "nets/none.py cannot be read"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_writes_nothing(cli: Cli, words: list[str], says: str) -> None:
    refused_with(cli("structure", *words), says)
    assert list(Path().iterdir()) == []


def test_a_run_is_refused_what_does_not_fit_it(cli: Cli, small_run: Path) -> None:
    refused_with(
        cli("structure", small_run, "--input", "1x28x28"), "is a trained run with its own image shape and classes"
    )
    refused_with(cli("structure", small_run, "--picture", "none.png"), "none.png: no such file")
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    refused_with(cli("structure", small_run, "--picture", "broken.png"), "broken.png cannot be decoded")
    Path("empty").mkdir()
    refused_with(cli("structure", "empty"), "neither a run folder nor a bundle")
    Path("half").mkdir()
    Path("half/run.json").write_text("{}")
    refused_with(cli("structure", "half"), "holds no bundle")
    assert sorted(path.name for path in Path().iterdir()) == ["broken.png", "empty", "half"]


# --- the page ---


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_commands_of_the_page_work_one_after_the_other(
    cli: Cli, small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLAB_HOME", str(small_run.parent))
    commands = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    Image.new("L", (40, 30), 90).save("photo.png")
    for program, *words in commands:
        assert program == "sightlab"
        status, _, err = cli(*words)
        assert status == 0, err
    written = {path.name for path in Path().iterdir()}
    assert {"resnet18.svg", "against.svg", "last-structure-filters.png", "photo-maps.png"} <= written


def test_the_python_of_the_page_works(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    exec(code, {})
    assert (
        capsys.readouterr().out == "18 11181642 1813566464 (435, 435)\n['conv1', 'layer1.0.conv1', 'layer1.0.conv2']\n"
    )
