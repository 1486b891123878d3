"""What makes two trainings the same: parts by their code and values, data by their content, seeds as replicates."""

import functools
import json
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sightlab
from sightlab.data.content_hash import content_of, contents_of
from sightlab.data.imageset import ImageSet
from sightlab.data.splits import Sealed, Splits
from sightlab.errors import RunError
from sightlab.parts.fingerprint import file_fingerprint, fingerprint, weights_fingerprint
from sightlab.parts.user_code import load_user_code
from sightlab.recipes.overrides import changed
from sightlab.records.identity import Identity
from sightlab.training.identity import check_network, check_resumable, identity_of

RECIPE = sightlab.recipe("cnn")
SCALE = 2.0


class Net(nn.Module):
    """A network whose width shows in no name, and whose scale shows in no parameter."""

    def __init__(self, width: int = 4, scale: float = 1.0) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 2))
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.body(images) * self.scale
        return out


class Normed(Net):
    """The same with a batch norm in front."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2d(1), *self.body)


def drawn(seed: int, kind: Callable[[], nn.Module] = Net) -> nn.Module:
    torch.manual_seed(seed)
    return kind()


def images(count: int = 8, seed: int = 0, classes: tuple[str, ...] = ("a", "b"), side: int = 8) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, side, side, 1), np.uint8)
    return ImageSet(pixels, np.arange(count, dtype=np.int64) % 2, classes)


def splits(**other: Any) -> Splits:
    return Splits(**({"train": images(8, 1), "validation": images(4, 2), "test": Sealed(images(4, 3))} | other))


def identity(seed: int = 42, data: Splits | None = None, processes: int = 1, **parts: object) -> Identity:
    return identity_of(changed(RECIPE, {"seed": seed}), data or splits(), parts, processes)


def closure(factor: float) -> Callable[[float], float]:
    return lambda value: factor * value


def scaled(value: float, by: float = 1.0) -> float:
    return value * by * SCALE


def scaled_otherwise(value: float, by: float = 2.0) -> float:
    return value * by * SCALE


def code(text: str) -> Callable[..., object]:
    """A function that has no source on any disk."""
    space: dict[str, Any] = {}
    exec(textwrap.dedent(text), space)
    found: Callable[..., object] = space["f"]
    return found


DIFFERENT: dict[str, tuple[object, object]] = {
    "constants": (code("def f(x): return x * 2"), code("def f(x): return x * 3")),
    "instructions": (code("def f(x): return x * 2"), code("def f(x): return x + 2")),
    "names": (code("def f(x): return x.sin()"), code("def f(x): return x.cos()")),
    "an inner function": (code("def f(x): return (lambda y: y * 2)(x)"), code("def f(x): return (lambda y: y * 3)(x)")),
    "a global": (code("W = 1\ndef f(x): return W * x"), code("W = 2\ndef f(x): return W * x")),
    "a function called": (
        code("def g(x): return x\ndef f(x): return g(x)"),
        code("def g(x): return -x\ndef f(x): return g(x)"),
    ),
    "closures": (closure(1.0), closure(2.0)),
    "defaults": (code("def f(x, w=1): return w * x"), code("def f(x, w=2): return w * x")),
    "keyword defaults": (code("def f(x, *, w=1): return w * x"), code("def f(x, *, w=2): return w * x")),
    "arguments of a partial": (functools.partial(scaled, by=2.0), functools.partial(scaled, by=3.0)),
    "what is cached": (functools.cache(closure(1.0)), functools.cache(closure(2.0))),
    "two lambdas of one line": (lambda x: x, lambda x: -x),
    "widths": (Net(4), Net(8)),
    "attributes": (Net(scale=1.0), Net(scale=2.0)),
    "modules without parameters": (nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh())),
    "options of modules": (nn.Sequential(nn.Dropout(0.1)), nn.Sequential(nn.Dropout(0.2))),
    "heads, which no extra_repr tells": (nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 4)),
    "classes": (Net(), Normed()),
    "dtypes": (nn.Linear(2, 2), nn.Linear(2, 2, dtype=torch.float64)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_parts_that_differ_have_other_fingerprints(name: str) -> None:
    one, other = DIFFERENT[name]
    (first, whole), (second, whole_too) = (fingerprint(part, values=False) for part in (one, other))
    assert first != second
    assert whole
    assert whole_too
    assert fingerprint(one, values=False) == (first, True)


def test_the_values_of_a_part_count_unless_they_are_left_out() -> None:
    one, other = nn.CrossEntropyLoss(torch.tensor([1.0, 2.0])), nn.CrossEntropyLoss(torch.tensor([1.0, 3.0]))
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(drawn(1)) != fingerprint(drawn(2))
    assert fingerprint(drawn(1), values=False) == fingerprint(drawn(2), values=False)
    assert weights_fingerprint(drawn(1)) == weights_fingerprint(drawn(1)) != weights_fingerprint(drawn(2))


def test_an_optimizer_is_its_settings_and_not_the_weights_it_moves() -> None:
    one, same, other = (torch.optim.SGD(drawn(seed).parameters(), lr=lr) for seed, lr in ((1, 0.1), (2, 0.1), (1, 0.2)))
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


def test_the_same_code_in_another_process_has_the_same_fingerprint(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys, types; sys.path.insert(0, sys.argv[1])\n"
        "import own\nfrom sightlab.parts.fingerprint import fingerprint\n"
        "assert 'torch' not in sys.modules\nprint(fingerprint(own.f))"
    )
    body = "return x in NAMES, x in {'d', 'e'}, y"
    (tmp_path / "own.py").write_text(f"NAMES = {{'b', 'a', 'c'}}\ndef f(x, *, y=(1, 2)): {body}")
    words = [sys.executable, "-c", program, str(tmp_path)]
    found = {subprocess.run(words, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(found) == 1
    assert "True" in found.pop()


def test_the_same_code_under_another_module_name_is_the_same(tmp_path: Path) -> None:
    text = "from torch import nn\nW = 2\nclass Own(nn.Module):\n    def forward(self, x): return x * W\n"
    (tmp_path / "own.py").write_text(text)
    run_as_file = load_user_code(tmp_path / "own.py", "Own", "model")
    script: dict[str, Any] = {"__name__": "__main__"}
    exec(text, script)
    assert fingerprint(run_as_file()) == fingerprint(script["Own"]())  # type: ignore[operator]
    (tmp_path / "own.py").write_text(text.replace("W = 2", "W = 3"))
    changed_code = load_user_code(tmp_path / "own.py", "Own", "model")
    assert fingerprint(changed_code()) != fingerprint(script["Own"]())  # type: ignore[operator]


def test_what_cannot_be_pinned_down_is_said() -> None:
    import threading

    class Locked:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    _, whole = fingerprint(Locked())
    assert not whole
    assert not identity(loss=Locked()).same_training(identity(loss=Locked()))
    one = identity(loss=Locked())
    assert not one.same_training(one)
    assert not one.same_but_seed(one)


def test_a_file_is_its_content_and_the_name_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class Net: ...")
    (tmp_path / "b.py").write_text("class Net: ...")
    (tmp_path / "c.py").write_text("class Net: ...  # otherwise")
    one, two, three = (file_fingerprint(tmp_path / f"{name}.py", "Net") for name in "abc")
    assert one == two != three
    assert file_fingerprint(tmp_path / "a.py", "Other") != one
    with pytest.raises(RunError, match=r"nothing\.py: cannot be read: No such file"):
        file_fingerprint(tmp_path / "nothing.py", "Net")


def test_seeds_of_one_training_differ_in_the_seed_alone() -> None:
    one, two = identity(1), identity(2)
    assert one.whole
    assert one.same_training(identity(1))
    assert not one.same_training(two)
    assert one.same_but_seed(two)
    assert one.differing(two) == ("seed",)
    assert (one.key, one.key_but_seed) == (identity(1).key, two.key_but_seed)


def test_an_identity_is_read_back_from_json() -> None:
    one = identity(1, model=drawn(1))
    again = Identity.from_json(json.loads(json.dumps(one.to_json())))
    assert again == one
    assert hash(again) == hash(one)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"train": images(8, 9)}, ("train",)),
        ({"validation": images(4, 9)}, ("validation",)),
        ({"test": Sealed(images(4, 9))}, ("test",)),
        ({name: images(4, 1, ("a", "c")) for name in ("train", "validation")}, ("train", "validation", "test")),
        ({name: images(4, 1, side=4) for name in ("train", "validation")}, ("train", "validation", "test")),
    ],
    ids=["train", "validation", "test", "class names", "shape"],
)
def test_data_count_by_their_content(other: dict[str, Any], what: tuple[str, ...]) -> None:
    plain, changed_ = identity(), identity(data=splits(**other))
    assert plain.differing(changed_) == what
    assert not plain.same_but_seed(changed_)


def test_where_data_come_from_does_not_count() -> None:
    moved = changed(RECIPE, {"data": "somewhere/else", "limit_per_class": 7})
    assert identity_of(moved, splits(source="somewhere/else", key="f0"), {}, 1) == identity()
    assert all(identity().data.values())
    assert contents_of(splits())["train"] != content_of(splits().train)


def test_the_order_of_classes_counts() -> None:
    one = images(4, 1, ("a", "b"))
    turned = ImageSet(one.images, 1 - one.labels, ("b", "a"))
    first, second = (contents_of(splits(train=each, validation=each)) for each in (one, turned))
    assert first["train"] != second["train"]


def test_a_network_from_python_is_no_network_of_the_recipe() -> None:
    own = identity(model=drawn(1))
    assert not own.same_but_seed(identity())
    small, wide = identity(1, model=Net(4)), identity(2, model=Net(8))
    assert not small.same_but_seed(wide)
    assert "model" in small.differing(wide)


def test_seeds_of_a_network_from_python_start_from_weights_of_their_own() -> None:
    one, two = identity(1, model=drawn(1)), identity(2, model=drawn(2))
    assert one.same_but_seed(two)
    assert one.same_training(identity(1, model=drawn(1)))
    assert not one.same_training(identity(1, model=drawn(2)))


def test_weights_that_were_trained_before_are_part_of_the_training() -> None:
    def trained(seed: int) -> nn.Module:
        net = drawn(seed, Normed)
        net.train()(torch.rand(8, 1, 8, 8))
        return net

    assert not identity(1, model=trained(1)).same_but_seed(identity(2, model=trained(2)))
    assert identity(1, model=drawn(1, Normed)).same_but_seed(identity(2, model=drawn(2, Normed)))


def test_what_is_frozen_counts() -> None:
    net = drawn(1)
    net.body[1].requires_grad_(False)  # type: ignore[index, union-attr]
    assert not identity(1, model=net).same_but_seed(identity(2, model=drawn(2)))
    assert "frozen" in identity(model=net).differing(identity(model=drawn(1)))


def test_keys_of_the_recipe_that_a_network_from_python_does_not_read_do_not_count() -> None:
    net = drawn(1)
    of_cnn, of_other = (
        identity_of(sightlab.recipe("cnn", model=name), splits(), {"model": net}, 1) for name in ("cnn", "resnet18")
    )
    assert of_cnn.same_training(of_other)


def test_processes_count() -> None:
    assert identity(processes=1).differing(identity(processes=2)) == ("processes",)
    shared = identity_of(changed(RECIPE, {"processes": 2}), splits(), {}, 2)
    assert shared.same_training(identity(processes=2))


def test_a_callback_counts_unless_it_changes_nothing() -> None:
    class Callback:
        changes_training = True

    class Logger(Callback):
        changes_training = False

    assert identity(callback=[Logger()]).same_training(identity(callback=[]))
    assert not identity(callback=[Callback()]).same_training(identity())


def test_a_metric_counts_if_it_selects_the_epoch() -> None:
    one, other = code("def f(predictions): return 1.0"), code("def f(predictions): return 2.0")
    assert identity(metric=[one]).same_training(identity(metric=[other]))
    chosen = RECIPE.model_copy(update={"select_by": "f"})
    first, second = (identity_of(chosen, splits(), {"metric": [each]}, 1) for each in (one, other))
    assert first.differing(second) == ("metric",)


def test_files_of_weights_and_teachers_count_by_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "c").write_bytes(b"2")
    one, two, three = (
        identity_of(sightlab.recipe("cnn", weights=str(tmp_path / name)), splits(), {}, 1) for name in "abc"
    )
    assert one.same_training(two)
    assert one.differing(three) == ("weights",)
    taught = changed(RECIPE, {"teacher": "runs/a"})
    first, moved = (identity_of(changed(taught, {"teacher": name}), splits(), {}, 1, "f0" * 32) for name in ("a", "b"))
    assert first.same_training(moved)
    assert first.differing(identity_of(taught, splits(), {}, 1, "e0" * 32)) == ("teacher",)


def test_a_resumed_run_must_be_what_was_started() -> None:
    kept = identity(model=drawn(1))
    check_resumable(kept, identity(model=drawn(2)))  # the checkpoint's weights take the place of those
    check_resumable(None, kept)
    assert kept.key == identity(model=drawn(2)).key
    versioned = replace(identity(), parts={**identity().parts, "loss": "loss:cross-entropy@7"})
    with pytest.raises(RunError, match=r"\(loss:cross-entropy@7 then, loss:cross-entropy@1 now\)"):
        check_resumable(versioned, identity())
    with pytest.raises(
        RunError, match=r"^network: not what the run was started with \(.*Net sha256:\w+ then, "
    ) as raised:
        check_resumable(kept, identity(model=Net(8)))
    assert "\n" not in str(raised.value)
    with pytest.raises(RunError, match=r"^training data: not what"):
        check_resumable(kept, identity(model=drawn(1), data=splits(train=images(8, 9))))
    with pytest.raises(RunError, match=r"^number of processes: .*\(1 then, 2 now\)"):
        check_resumable(kept, identity(model=drawn(1), processes=2))
    with pytest.raises(RunError, match=r"^loss: not what"):
        check_resumable(identity(), identity(loss=scaled))


def test_a_network_that_is_tested_must_have_the_code_that_was_trained() -> None:
    kept = identity(model=drawn(1))
    check_network(kept, drawn(2))
    check_network(identity(), Net(8))  # a shipped one is built from its name
    check_network(None, Net(8))
    frozen = drawn(1)
    frozen.requires_grad_(False)
    check_network(kept, frozen)
    with pytest.raises(RunError, match="network: its code, options or attributes are not those"):
        check_network(kept, Net(scale=2.0))
