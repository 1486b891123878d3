"""What only a GPU can show: the same training as on a CPU to rounding, in every precision, alone and with torchrun."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

import sightlab
from sightlab.augment.counter_rng import CounterRNG
from sightlab.data.batches import images_at
from sightlab.errors import RecipeError
from sightlab.optim.optimizers import OPTIMIZERS
from sightlab.recipes.schema import Recipe
from sightlab.records import Run
from sightlab.store.run_folder import read_facts, run_folders
from sightlab.training import checkpoint
from sightlab.training.callbacks import Paused
from sightlab.training.compilation import obstacle
from sightlab.training.device import choose_device, own_process
from sightlab.training.distributed import DistributedStep, Place
from sightlab.training.lr_finder import find_lr
from sightlab.training.prepare import Prepared, prepare
from tests.gpu.conftest import gpus
from tests.test_training import run_loop, same, weights, without_times

on_cuda = pytest.mark.parametrize(
    "device", ["cuda"] if gpus() != ["mps"] else [pytest.param("cuda", marks=pytest.mark.skip(reason="CUDA alone"))]
)
TEST = "fashion-mini:test"
AUGMENTED = {"flip": 0.5, "crop_padding": 2}


def tiny(device: str, **changes: object) -> Recipe:
    """A training of about a second: 1,000 images, three epochs."""
    defaults: dict[str, object] = {"data": "fashion-mini", "limit_per_class": 100, "epochs": 3, "lr": 0.02}
    return sightlab.recipe("cnn", **{**defaults, "device": device, **changes})


@cache
def accuracy_on_cpu(model: str = "cnn") -> float:
    """Validation accuracy of the last epoch on a CPU."""
    with own_process():
        return run_loop(prepare(tiny("cpu", model=model, **AUGMENTED)))[-1].validation_accuracy


def first_gradients(recipe: Recipe) -> Tensor:
    """All gradients of the first step, one after the other, on the CPU."""
    prepared = prepare(recipe)
    steps = prepared.gradient_step()
    prepared.training.classifier.train()
    steps.gradients(prepared.training.classifier, 1, 0)
    steps.close()
    return flat_gradients(prepared)


def flat_gradients(prepared: Prepared) -> Tensor:
    found = [weight.grad for weight in prepared.training.classifier.parameters() if weight.grad is not None]
    return torch.cat([gradient.detach().float().cpu().flatten() for gradient in found])


def apart(one: Tensor, two: Tensor) -> float:
    """How far two vectors are from each other, relative to the first one's length."""
    return float((one - two).norm() / one.norm())


def test_auto_takes_the_gpu(device: str) -> None:
    assert choose_device("auto").type == gpus()[0]
    assert choose_device(device).type == device


@pytest.mark.parametrize("model", ["cnn", "mini-resnet-v4", "resnet18"])
@pytest.mark.parametrize(
    "changes", [AUGMENTED, {"mixup": 0.4, "cutmix": 1.0, "loss": "bce"}, {"policy": "randaugment"}], ids=str
)
def test_the_gradient_is_that_of_a_cpu(device: str, model: str, changes: dict[str, object]) -> None:
    """To rounding: convolutions are in TensorFloat-32 on newer GPUs, which has 10 bits of mantissa."""
    asked = {"model": model, "precision": "float32", **changes}
    assert apart(first_gradients(tiny("cpu", **asked)), first_gradients(tiny(device, **asked))) < 0.02


@pytest.mark.parametrize("changes", [AUGMENTED, {"policy": "trivialaugment"}, {"policy": "randaugment"}], ids=str)
def test_augmented_images_are_those_of_a_cpu(device: str, changes: dict[str, object]) -> None:
    found = []
    for name in ("cpu", device):
        config = prepare(tiny(name, **changes)).config
        indices = config.batches.indices(1, 0)
        batch = config.augment(images_at(config.images, indices, choose_device(name)), CounterRNG(1, 1, indices))
        found.append(batch.float().cpu())
    assert float((found[0] - found[1]).abs().mean()) < 0.05  # of 255


def test_a_run_trains_tests_and_reports(device: str, tmp_path: Path) -> None:
    run = sightlab.train(tiny(device, **AUGMENTED), home=tmp_path)
    assert run.test is not None and run.test.count == 2000
    assert run.epochs[-1].validation_accuracy == pytest.approx(accuracy_on_cpu(), abs=0.1)
    assert (run.folder / "report.html").stat().st_size > 10_000


@on_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_precision_learns_as_much(device: str, precision: str) -> None:
    with own_process():
        prepared = prepare(tiny(device, precision=precision, **AUGMENTED))
        history = run_loop(prepared)
    assert history[-1].validation_accuracy == pytest.approx(accuracy_on_cpu(), abs=0.1)
    assert history[-1].train_loss < history[0].train_loss
    assert prepared.training.scaler.is_enabled() == (precision == "float16")
    assert {weight.dtype for weight in prepared.training.classifier.parameters()} == {torch.float32}


@on_cuda
def test_gradients_too_large_for_float16_only_skip_steps(device: str) -> None:
    """The scale falls until the gradients fit; the weights stay finite."""
    prepared = prepare(tiny(device, precision="float16", epochs=1, clip_norm=1.0))
    prepared.training.scaler.load_state_dict(prepared.training.scaler.state_dict() | {"scale": 2.0**40})
    run_loop(prepared)
    assert prepared.training.scaler.get_scale() < 2.0**40
    assert all(bool(value.isfinite().all()) for value in weights(prepared).values())


@on_cuda
def test_a_network_is_compiled(device: str, tmp_path: Path) -> None:
    recipe = tiny(device, model="mini-resnet-v1", epochs=1, compile="on")
    if why := obstacle(torch.device(device)):
        with pytest.raises(RecipeError, match=why):
            sightlab.train(recipe, home=tmp_path)
        return
    run = sightlab.train(recipe, home=tmp_path)
    plain = sightlab.train(tiny(device, model="mini-resnet-v1", epochs=1), home=tmp_path)
    assert read_facts(run.folder)["compiled"] is True
    assert run.epochs[0].train_loss == pytest.approx(plain.epochs[0].train_loss, rel=0.05)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_steps(device: str, name: str) -> None:
    prepared = prepare(tiny(device, optimizer=name, lr=0.001, epochs=1, limit_per_class=20))
    (epoch,) = run_loop(prepared)
    assert np.isfinite(epoch.train_loss)
    assert all(bool(value.isfinite().all()) for value in weights(prepared).values())


@pytest.mark.parametrize("averaging", ["ema", "lookahead"])
def test_averaged_weights_are_what_is_kept(device: str, averaging: str) -> None:
    prepared = prepare(tiny(device, averaging=averaging, epochs=1, limit_per_class=20))
    run_loop(prepared)
    assert {value.device.type for value in prepared.training.best.values()} == {device}


def test_a_deterministic_training_is_repeated_and_resumed_to_the_bit(device: str, tmp_path: Path) -> None:
    recipe = tiny(device, deterministic=True, options={"dropout": 0.2}, **AUGMENTED)
    with own_process(deterministic=True):
        whole, again, first, second = (prepare(recipe) for _ in range(4))
        history = run_loop(whole)
        assert without_times(run_loop(again)) == without_times(history)
        assert same(weights(again), weights(whole))
        with pytest.raises(Paused):
            run_loop(first, pause_after=9)
        checkpoint.save(tmp_path, first.training, "key")
        assert checkpoint.restore(tmp_path, second.training, "key")
        run_loop(second)
    assert without_times(second.training.history) == without_times(history)
    assert same(weights(second), weights(whole))


@pytest.mark.parametrize("precision", ["auto", "float16"])
def test_a_resumed_training_learns_as_much(device: str, precision: str, tmp_path: Path) -> None:
    recipe = tiny(device, precision=precision if device == "cuda" else "auto", **AUGMENTED)
    first, second = prepare(recipe), prepare(recipe)
    with pytest.raises(Paused):
        run_loop(first, pause_after=9)
    checkpoint.save(tmp_path, first.training, "key")
    assert checkpoint.restore(tmp_path, second.training, "key")
    assert second.training.scaler.state_dict() == first.training.scaler.state_dict()
    assert run_loop(second)[-1].validation_accuracy == pytest.approx(accuracy_on_cpu(), abs=0.1)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_learning_rate_is_found(device: str, precision: str) -> None:
    changes = {"precision": precision} if device == "cuda" else {}
    found = find_lr(prepare(tiny(device, momentum=0, nesterov=False, **changes)), low=1e-4, high=1e6, steps=60)
    assert 1e-4 <= found.suggestion < 10
    assert found.losses[-1] > min(found.losses)


@pytest.fixture(scope="module")
def gpu_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    yield sightlab.train(tiny(gpus()[0]), home=tmp_path_factory.mktemp("gpu"))


def test_a_model_answers_on_a_cpu_as_on_the_gpu(device: str, gpu_run: Run) -> None:
    found = [sightlab.evaluate(gpu_run, TEST, open_test="parity", device=name) for name in ("cpu", device)]
    logits = [one.predictions.logits for one in found]
    assert apart(*map(torch.from_numpy, logits)) < 0.01
    assert float((logits[0].argmax(1) == logits[1].argmax(1)).mean()) > 0.99
    assert found[0].score.accuracy == pytest.approx(found[1].score.accuracy, abs=0.005)


def test_predictions_on_a_cpu_are_those_on_the_gpu(device: str, gpu_run: Run) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    one, two = (sightlab.predict(gpu_run, images, top=1, device=name) for name in ("cpu", device))
    same_class = [a.top[0][0] == b.top[0][0] for a, b in zip(one, two, strict=True)]
    assert sum(same_class) >= 38


def test_the_callers_randomness_is_left_alone(device: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    backend = getattr(torch, device)
    before = torch.get_rng_state(), backend.get_rng_state()
    sightlab.train(tiny(device, epochs=1, limit_per_class=5, deterministic=True), home=tmp_path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(backend.get_rng_state(), before[1])


@on_cuda
def test_a_distributed_step_over_nccl_has_the_gradients_of_one_process(device: str, tmp_path: Path) -> None:
    recipe = tiny(device, precision="float32", **AUGMENTED)
    alone = first_gradients(recipe)
    prepared = prepare(recipe)
    training = prepared.training
    dist.init_process_group("nccl", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        step = DistributedStep(prepared.config, training.classifier, training.device, Place(), training.scaler)
        training.classifier.train()
        step.gradients(training.classifier, 1, 0)
        assert step.agreed(2, 1) == 2
    finally:
        dist.destroy_process_group()
    assert apart(alone, flat_gradients(prepared)) < 1e-3


@on_cuda
def test_torchrun_trains_on_every_gpu(device: str, tmp_path: Path) -> None:
    """As many processes as there are GPUs, on a network without batch norm: the losses of one process, to rounding."""
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net(channels, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(784 * channels, 32), nn.ReLU(), nn.Linear(32, classes))\n"
    )
    words = ["train", "cnn", "model=net.py:net", "limit_per_class=50", "epochs=2", "batch_size=48", "precision=float32"]
    alone = [sys.executable, "-m", "sightlab", *words, "--home", "one"]
    count = torch.cuda.device_count()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    for command in (alone, [*launcher, "-m", "sightlab", *words, "--home", "all"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stderr
    one, every = (sightlab.open_run(only) for name in ("one", "all") for only in run_folders(tmp_path / name))
    for expected, found in zip(one.epochs, every.epochs, strict=True):
        assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-2)
        assert found.validation_loss == pytest.approx(expected.validation_loss, rel=1e-2)
    assert every.test is not None and every.test.count == 2000
