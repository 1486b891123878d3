"""A model from a file of the user's own: found, hashed, called with what it takes; its faults told in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from torch import nn

from sightlab.errors import ModelError
from sightlab.models import build, parameter_count
from sightlab.parts.user_code import code_reference

NET = """
from dataclasses import dataclass
import torch
from torch import nn

HIDDEN = 5

class Net(nn.Module):
    def __init__(self, channels, classes, *, hidden=HIDDEN):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, hidden, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                    nn.Linear(hidden, classes))

    def forward(self, x):
        return self.layers(x)

def flat(classes, height, width, **rest):
    assert rest == {"channels": 2}
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * height * width, classes))

def needy(depth): return nn.Identity()
def wrong(): return [1]
def fails(): raise ValueError("two\\nlines")
def leaves(): raise SystemExit(3)
made = flat(3, 4, 4, channels=2)
"""


def own(path: Path, name: str, **changes: object) -> nn.Module:
    given = {"channels": 2, "classes": 3, "height": 6, "width": 5} | changes
    return build(f"{path}:{name}", **given)


def test_a_model_comes_from_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(NET)
    said: list[str] = []
    net = own(path, "Net", options={"hidden": 9}, say=said.append)
    assert parameter_count(net) == 2 * 9 * 9 + 9 + 9 * 3 + 3
    assert len(said) == 1
    assert re.fullmatch(r"model code: net\.py:Net \(sha256 [0-9a-f]{8}\.\.\.\)", said[0])
    assert parameter_count(own(path, "flat")) == 2 * 6 * 5 * 3 + 3


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(NET)
    first = own(path, "Net")
    path.write_text(NET.replace("HIDDEN = 5", "HIDDEN = 6"))
    assert parameter_count(own(path, "Net")) > parameter_count(first)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("Nett", {}, "has no 'Nett'; it defines: Net, fails, flat, leaves, needy, wrong"),
        ("HIDDEN", {}, "net.py:HIDDEN is a int; it must be a class or a function"),
        ("made", {}, "net.py:made is a model that is built already"),
        ("needy", {}, "model net.py:needy needs 'depth', which is none of channels, classes, height, width"),
        ("wrong", {}, "net.py:wrong gave a value of type list; it must give a torch.nn.Module"),
        ("fails", {}, "net.py:fails failed: ValueError: two lines"),
        ("leaves", {}, "net.py:leaves failed: SystemExit: 3"),
        ("Net", {"options": {"hiden": 1}}, "unknown option 'hiden' for model net.py:Net; did you mean hidden?"),
        ("Net", {"options": {"hidden": -1}}, "net.py:Net failed: RuntimeError: "),
        ("Net", {"height": 2}, "does not work on 2 x 2 x 5 images: RuntimeError: "),
    ],
)
def test_own_code_that_gives_no_model_is_told_in_one_line(
    tmp_path: Path, name: str, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "net.py"
    path.write_text(NET)
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        own(path, name, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("def f(:", "SyntaxError: "),
        ("raise SystemExit", "failed: SystemExit"),
        ("\0", "failed: SyntaxError"),
    ],
)
def test_a_file_that_does_not_run_is_told_in_one_line(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "net.py"
    path.write_text(source)
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        own(path, "Net")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model code .*/none\.py cannot be read: No such file or directory"):
        own(tmp_path / "none.py", "Net")


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("a/b.py:Net", (Path("a/b.py"), "Net")),
        ("C:/nets/b.py:Net", (Path("C:/nets/b.py"), "Net")),
        ("resnet18", None),
        ("timm/resnet18.a1_in1k", None),
    ],
)
def test_a_code_reference_is_a_file_and_a_name(name: str, reference: tuple[Path, str] | None) -> None:
    assert code_reference(name) == reference
