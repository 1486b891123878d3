"""torch.compile: where it pays, what it must not touch, and that a decision once made is kept."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import sightlab
from sightlab.errors import RecipeError
from sightlab.store.run_folder import read_facts
from sightlab.training import compilation
from sightlab.training.callbacks import Paused, Watch
from sightlab.training.prepare import GivenParts, prepare
from tests.test_training import run_loop, same, tiny, weights

has_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in compilation.COMPILERS), reason="no C++ compiler on this machine"
)


def silent(_: str) -> None:
    """Nobody listens."""


def test_work_too_short_to_pay_is_not_even_tried() -> None:
    decision = compilation.decide(prepare(tiny()), seconds_left=30)
    assert not decision.compiled
    assert decision.line == "not compiled: about 30 s of work; compiling can pay from 3:51 min on"


def test_without_a_compiler_auto_goes_without_and_on_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no C++ compiler" in compilation.decide(prepare(tiny()), seconds_left=1e6).line
    with pytest.raises(RecipeError, match=r"compile: on, but there is no C\+\+ compiler .*; compile=off works"):
        compilation.choose(prepare(tiny(compile="on")), 10, silent)


def test_a_decision_is_kept_for_the_same_recipe_and_not_for_another() -> None:
    said: list[str] = []
    assert not compilation.choose(prepare(tiny(seed=77)), 10, said.append)
    # So long a training would be tried, had nothing been decided before.
    assert not compilation.choose(prepare(tiny(seed=77)), 1e6, said.append)
    assert said[1] == f"{said[0]} (decided when this recipe first ran here)"
    assert compilation.situation(prepare(tiny(seed=77))) != compilation.situation(prepare(tiny(seed=78)))


def test_a_kept_decision_that_is_torn_is_made_anew(own_cache: Path) -> None:
    prepared = prepare(tiny(seed=79))
    file = own_cache / "compile" / f"{compilation.situation(prepared)}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"compiled": tr')
    assert not compilation.choose(prepared, 10, silent)
    assert json.loads(file.read_text())["compiled"] is False


def test_a_resumed_run_repeats_what_was_decided(tmp_path: Path, small_data: str) -> None:
    said: list[str] = []
    with pytest.raises(Paused) as paused:
        sightlab.train(tiny(data=small_data, seed=80), home=tmp_path, callbacks=[Watch(pause=lambda: True)])
    folder = tmp_path / str(paused.value)
    assert read_facts(folder)["compiled"] is False
    sightlab.resume(folder, callbacks=[Watch(say=said.append)])
    assert "not compiled: as when the run began" in said


@has_compiler
def test_a_network_is_compiled_and_stays_the_same_network() -> None:
    """The same weights but for rounding, the same names in the state, and a plain network where it is evaluated."""
    trained = {}
    for compile_ in ("off", "on"):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 10))
        recipe = tiny(limit_per_class=20, epochs=1, lr=0.01, compile=compile_)
        prepared = prepare(recipe, parts=GivenParts(model=net))
        assert compilation.choose(prepared, 10, silent) == (compile_ == "on")
        run_loop(prepared)
        trained[compile_] = weights(prepared)
    assert list(trained["on"]) == list(trained["off"])
    assert not same(trained["on"], trained["off"])
    for name, value in trained["off"].items():
        torch.testing.assert_close(trained["on"][name], value, rtol=1e-3, atol=1e-4)


@has_compiler
@pytest.mark.slow
def test_the_probe_measures_and_leaves_the_training_as_it_is() -> None:
    prepared = prepare(tiny(limit_per_class=20, batch_size=64))
    before = {name: value.clone() for name, value in prepared.training.classifier.state_dict().items()}
    decision = compilation.decide(prepared, seconds_left=1e6)
    assert "a compiled step takes" in decision.line and "a plain one" in decision.line
    assert decision.compiled == decision.line.startswith("compiled: ")
    assert same(before, prepared.training.classifier.state_dict())
    assert prepared.training.classifier.net_in_training is None


@pytest.mark.parametrize(
    ("programs", "says"),
    [((), "there is no C compiler (cc, gcc, clang) on this machine, which triton needs"), (("gcc",), "")],
)
def test_a_cuda_device_needs_triton_and_a_c_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: tuple[str, ...], says: str
) -> None:
    for name in programs:
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "triton").mkdir()
    (tmp_path / "triton" / "__init__.py").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    assert compilation.obstacle(torch.device("cuda")) == says
