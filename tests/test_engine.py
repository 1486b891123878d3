"""The engine: work shared by processes, precision, averages, range test; the same bits whatever is asked of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from socket import socket

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sightlab
from sightlab.cli import main
from sightlab.data.imageset import ImageSet
from sightlab.errors import RecipeError, RunError
from sightlab.inference import WithMirror, predictions
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.store.run_folder import run_folders
from sightlab.training import checkpoint
from sightlab.training.callbacks import Paused
from sightlab.training.device import own_process
from sightlab.training.forecast import forecast
from sightlab.training.losses import binary_cross_entropy
from sightlab.training.lr_finder import find_lr
from sightlab.training.prepare import GivenParts, prepare
from sightlab.training.step import share_bounds, step_seed
from tests.conftest import Cli
from tests.forked import exit_status, forked
from tests.test_training import run_loop, same, tiny, weights, without_times

CPU = torch.device("cpu")


class Plain(nn.Module):
    """A network without batch norm: its gradients are sums over images."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 26**2, classes))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.body(x)
        return logits


def gradients(recipe: Recipe, step: int = 0) -> list[Tensor]:
    """The first epoch's gradients at a step, weights as they start."""
    prepared = prepare(recipe, parts=GivenParts(model=Plain()))
    stepper = prepared.gradient_step()
    try:
        prepared.training.classifier.train()
        stepper.gradients(prepared.training.classifier, 1, step)
        return [w.grad.clone() for w in prepared.training.classifier.parameters() if w.grad is not None]
    finally:
        stepper.close()


MIXED = {"mixup": 0.4, "cutmix": 1.0, "loss": "bce", "flip": 0.5, "crop_padding": 2}


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("extra", [{}, MIXED], ids=["plain", "mixed"])
@pytest.mark.parametrize("batch_size", [64, 50])
def test_the_gradient_of_several_processes_is_that_of_one(
    processes: int, extra: dict[str, object], batch_size: int
) -> None:
    """400 images: a batch of 50 leaves no rest, one of 64 a last batch of 16, shared 6, 5 and 5."""
    recipe = tiny(batch_size=batch_size, **extra)
    last = -(-400 // batch_size) - 1
    for step in (0, last):
        one = gradients(recipe, step)
        several = gradients(tiny(batch_size=batch_size, processes=processes, **extra), step)
        for alone, together in zip(one, several, strict=True):
            assert float((alone - together).abs().max()) <= 1e-6


def test_shares_cover_a_batch_once() -> None:
    for count in range(10):
        for processes in range(1, 5):
            bounds = [share_bounds(count, rank, processes) for rank in range(processes)]
            assert [b[0] for b in bounds[1:]] == [b[1] for b in bounds[:-1]]
            assert (bounds[0][0], bounds[-1][1]) == (0, count)


def test_a_batch_smaller_than_the_processes_leaves_the_gradient_right() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (18, 28, 28, 1), dtype=np.uint8)
    data = ImageSet(pixels, np.tile(np.arange(2), 9).astype(np.int64), ("a", "b"))
    found = []
    for workers in (1, 3):
        prepared = prepare(
            tiny(batch_size=2, processes=workers, limit_per_class=None), parts=GivenParts(model=Plain(2)), data=data
        )
        stepper = prepared.gradient_step()
        stepper.gradients(prepared.training.classifier, 1, 0)
        found.append([w.grad.clone() for w in prepared.training.classifier.parameters() if w.grad is not None])
        stepper.close()
    for alone, together in zip(*found, strict=True):
        assert float((alone - together).abs().max()) <= 1e-6


def test_two_runs_with_workers_are_equal_to_the_bit_and_resume_so(tmp_path: Path) -> None:
    recipe = tiny(processes=2, model="mini-resnet-v1", options={"dropout": 0.2}, flip=0.5, epochs=2)
    one, two = prepare(recipe), prepare(recipe)
    assert without_times(run_loop(one)) == without_times(run_loop(two))
    assert same(weights(one), weights(two))
    first = prepare(recipe)
    with pytest.raises(Paused):
        run_loop(first, pause_after=9)
    checkpoint.save(tmp_path, first.training, first.identity.key)
    second = prepare(recipe)
    assert checkpoint.restore(tmp_path, second.training, second.identity.key)
    run_loop(second)
    assert same(weights(second), weights(one))


def test_worker_processes_end_with_the_training() -> None:
    prepared = prepare(tiny(processes=3, epochs=1))
    stepper = prepared.gradient_step()
    children = [process for process, _ in stepper.children]  # type: ignore[attr-defined]
    stepper.close()
    for process in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(process, os.WNOHANG)


def test_a_worker_that_is_killed_is_one_line() -> None:
    prepared = prepare(tiny(processes=2, epochs=1))
    stepper = prepared.gradient_step()
    os.kill(stepper.children[0][0], 9)  # type: ignore[attr-defined]
    with pytest.raises(RunError, match="a process of this training is gone"):
        stepper.gradients(prepared.training.classifier, 1, 0)
    stepper.close()


def test_workers_of_a_killed_parent_end_by_themselves() -> None:
    read, write = os.pipe()

    def work() -> None:
        prepared = prepare(tiny(processes=2))
        with closing(prepared.gradient_step()) as stepper:
            stepper.gradients(prepared.training.classifier, 1, 0)
            workers = " ".join(str(worker) for worker, _ in stepper.children)  # type: ignore[attr-defined]
            os.write(write, f"{workers}\n".encode())
            time.sleep(100)

    parent = forked(work)
    os.close(write)
    with os.fdopen(read) as told:
        workers = told.readline().split()
    os.kill(parent, signal.SIGKILL)
    assert exit_status(parent) == -signal.SIGKILL
    assert len(workers) == 1
    for _ in range(100):
        if not Path(f"/proc/{workers[0]}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{workers[0]}").exists()


def by_torchrun(words: list[str]) -> None:
    """Two fresh processes, as a user starts them."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "sightlab"]
    done = subprocess.run([*run, *words], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr


def by_two_copies(words: list[str]) -> None:
    """Two copies of this process with the environment variables that torchrun sets."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def command(rank: str) -> int:
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2"}
        os.environ.update(place, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        return main(words)

    children = [forked(partial(command, rank)) for rank in "01"]
    assert [exit_status(child) for child in children] == [0, 0]


@pytest.mark.parametrize("start", [by_two_copies, pytest.param(by_torchrun, marks=pytest.mark.slow)])
def test_torchrun_trains_as_one_process_does(
    cli: Cli, tmp_path: Path, small_data: str, start: Callable[[list[str]], None]
) -> None:
    """Two processes over gloo, on a network without batch norm: the same losses to rounding, one run folder."""
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net(channels, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(784 * channels, 32), nn.ReLU(), nn.Linear(32, classes))\n"
    )
    words = ["train", "cnn", f"data={small_data}", "model=net.py:net", "epochs=2", "batch_size=48", "crop_padding=0"]
    words += ["compile=off", "report=off", "--home"]
    status, _, err = cli(*words, "one")
    assert status == 0, err
    start([*words, "two"])
    figures = [sightlab.open_run(only) for name in ("one", "two") for only in run_folders(tmp_path / name)]
    assert len(figures) == 2
    for alone, together in zip(figures[0].epochs, figures[1].epochs, strict=True):
        assert together.train_loss == pytest.approx(alone.train_loss, rel=1e-4)
        assert together.validation_loss == pytest.approx(alone.validation_loss, rel=1e-4)
    assert figures[0].test is not None and figures[1].test is not None
    assert figures[1].test.count == figures[0].test.count == 100


@pytest.mark.parametrize(
    "words",
    [
        {"averaging": "ema", "decay": 0.9},
        {"averaging": "lookahead"},
        {"optimizer": "muon"},
        MIXED,
        {"optimizer": "lion"},
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_every_way_of_training_resumes_to_the_bit(tmp_path: Path, words: dict[str, object]) -> None:
    recipe = tiny(lr=0.002, epochs=2, **words) if "lr" not in words else tiny(**words)
    whole, first, second = prepare(recipe), prepare(recipe), prepare(recipe)
    run_loop(whole)
    with pytest.raises(Paused):
        run_loop(first, pause_after=9)
    checkpoint.save(tmp_path, first.training, first.identity.key)
    assert checkpoint.restore(tmp_path, second.training, second.identity.key)
    run_loop(second)
    assert same(weights(second), weights(whole))
    assert same(second.training.best, whole.training.best)


def test_the_average_is_what_is_validated_and_kept() -> None:
    prepared = prepare(tiny(averaging="ema", decay=0.99, epochs=1))
    (facts,) = run_loop(prepared)
    assert prepared.training.averages is not None
    assert same(prepared.training.best, prepared.training.averages.state_tensors())
    assert not same(prepared.training.best, weights(prepared))
    prepared.training.classifier.load_state_dict(prepared.training.best)
    said = predictions(prepared.training.classifier, prepared.splits.validation, CPU)
    assert float((said.logits.argmax(1) == said.labels).mean()) == facts.validation_accuracy


def test_binary_cross_entropy_is_torchs_summed_over_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 5, generator=generator)
    soft = torch.rand(7, 5, generator=generator)
    labels = torch.arange(7) % 5
    theirs = nn.functional.multilabel_soft_margin_loss
    assert float(binary_cross_entropy(logits, soft).mean()) == pytest.approx(5 * float(theirs(logits, soft)), rel=1e-6)
    hot = nn.functional.one_hot(labels, 5).float()
    assert float(binary_cross_entropy(logits, labels).mean()) == pytest.approx(5 * float(theirs(logits, hot)), rel=1e-6)
    smooth = hot * 0.9 + 0.1 / 5
    assert float(binary_cross_entropy(logits, labels, label_smoothing=0.1).mean()) == pytest.approx(
        5 * float(theirs(logits, smooth)), rel=1e-6
    )


def test_flips_are_reported_beside_the_plain_score(tmp_path: Path, small_data: str) -> None:
    recipe = tiny(data=small_data, epochs=1)
    plain = sightlab.train(recipe, home=tmp_path)
    flips = sightlab.train(changed(recipe, {"test_flips": True}), home=tmp_path)
    assert plain.test == flips.test
    assert plain.test_flips is None
    assert flips.test_flips is not None
    assert flips.test_flips.count == 100
    assert sightlab.open_run(flips.folder).test_flips == flips.test_flips


def test_the_mirror_counts_as_much_as_the_image() -> None:
    images = torch.arange(2 * 4 * 4, dtype=torch.uint8).view(2, 4, 4, 1)
    first = nn.Sequential(nn.Flatten(), nn.Flatten())
    pixels = images.view(2, 16).float()
    mirrored = images.flip(2).reshape(2, 16).float()

    class AsFloat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            flat: Tensor = first(x.float())
            return flat

    assert torch.equal(WithMirror(AsFloat())(images), (pixels + mirrored) / 2)


def test_the_lr_finder_clips_gradients_as_the_recipe_does() -> None:
    clip = 1e-6
    prepared = prepare(
        tiny(clip_norm=clip, optimizer="sgd", momentum=0.0, nesterov=False, schedule="constant", weight_decay=0.0)
    )
    before = [weight.detach().clone() for weight in prepared.classifier.parameters()]
    found = find_lr(prepared, 1e-3, 1e-1, 10)
    moved = torch.cat(
        [(old - new.detach()).flatten() for old, new in zip(before, prepared.classifier.parameters(), strict=True)]
    )
    assert 0 < float(moved.norm()) <= 1.001 * clip * sum(found.lrs)  # each step is at most lr * clip_norm long


def test_a_range_test_finds_where_a_loss_breaks_away() -> None:
    prepared = prepare(tiny(nesterov=False, momentum=0))
    found = find_lr(prepared, low=1e-4, high=1e6, steps=60)
    assert 1e-4 <= found.suggestion < 10
    assert found.losses[-1] > min(found.losses)
    ratios = np.diff(np.log(found.lrs))
    assert np.allclose(ratios, ratios[0])


@pytest.mark.timeout(60)
def test_two_trainings_with_workers_at_once_end_in_any_order() -> None:
    one, two = (prepare(tiny(processes=2, seed=seed)).gradient_step() for seed in (1, 2))
    one.close()
    two.close()


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(RecipeError, match="are no range"):
        find_lr(prepare(tiny()), low=1.0, high=0.1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"precision": "float16"}, "is for CUDA devices"),
        ({"policy": "randaugmnt"}, "augment.policy"),
        ({"colour_jitter": [1, 1, 1, 0.9]}, "augment.colour_jitter"),
    ],
)
def test_what_cannot_be_had_is_refused(words: dict[str, object], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        prepare(tiny(**words))
    assert says in str(caught.value)


def test_step_seeds_differ_between_steps_epochs_ranks_and_seeds() -> None:
    seeds = {step_seed(s, e, t, r) for s in range(3) for e in range(1, 4) for t in range(50) for r in range(3)}
    assert len(seeds) == 3 * 3 * 50 * 3
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_step_has_no_hidden_copies_of_layout() -> None:
    """In a profile of a step of a residual net, no convolution's input is brought into another memory order."""
    with own_process():
        prepared = prepare(sightlab.recipe("mini-resnet-v4", data="fashion-mini", limit_per_class=20))
        stepper = prepared.gradient_step()
        prepared.training.classifier.train()
        stepper.gradients(prepared.training.classifier, 1, 0)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
            stepper.gradients(prepared.training.classifier, 1, 1)
    copies = [event for event in profile.events() if event.name in ("aten::contiguous", "aten::clone")]
    large = [e for e in copies if e.input_shapes and len(e.input_shapes[0]) == 4 and e.input_shapes[0][1] >= 32]
    assert large == []


def test_a_forecast_leaves_the_training_as_it_was() -> None:
    recipe = tiny(options={"dropout": 0.3}, flip=0.5)
    plain, probed = prepare(recipe), prepare(recipe)
    said = forecast(probed)
    assert said.epochs == 3
    assert said.steps == probed.plan.steps_per_epoch
    assert said.seconds > 0
    assert 0.05 < said.gigabytes < 20
    run_loop(plain)
    run_loop(probed)
    assert same(weights(plain), weights(probed))
    assert str(said).startswith("3 epochs of 7 steps, about ")


def test_a_forecast_is_of_the_right_size() -> None:
    """Of a training of a second or two, within a factor of three: the machine may be busy."""
    prepared = prepare(sightlab.recipe("mini-resnet-v1", data="fashion-mini", limit_per_class=80, epochs=2))
    said = forecast(prepared)
    spent = sum(epoch.seconds for epoch in run_loop(prepared))
    assert spent / 3 < said.seconds < spent * 3


@pytest.mark.slow
def test_a_large_parent_is_no_part_of_the_memory_forecast() -> None:
    """What a process had before it started another one is not counted as the other's."""
    script = "from sightlab.training.forecast import peak_gigabytes; print(peak_gigabytes())"
    becomes = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    code = f"import numpy as np; ballast = np.ones(2 * 10**8); {becomes}"  # 1.6 GB
    plain = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    heavy = subprocess.run([sys.executable, "-c", code, script], capture_output=True, text=True, check=True, timeout=60)
    assert abs(float(heavy.stdout) - float(plain.stdout)) < 0.2
