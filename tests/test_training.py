"""The loop: exact sums, best epochs, a pause that changes no bit, a loss that is no number."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import sightlab
from sightlab.data.batches import Batches, epoch_order
from sightlab.errors import DeviceError, DivergedError, RunError
from sightlab.inference import predictions
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.training import checkpoint, loop
from sightlab.training.callbacks import Callback, Callbacks, Paused, TrainingContext, Watch
from sightlab.training.device import choose_device
from sightlab.training.prepare import GivenParts, Prepared, prepare
from sightlab.training.state import Plan


def tiny(**changes: object) -> Recipe:
    """A training of a tenth of a second: a small network, 400 images, three epochs, no report."""
    data = {"data": "fashion-mini", "limit_per_class": 50, "report": False}
    defaults: dict[str, object] = {**data, "model": "lenet", "epochs": 3, "lr": 0.02}
    return sightlab.recipe("cnn", **{**defaults, **changes})


def run_loop(prepared: Prepared, pause_after: int | None = None) -> list[Epoch]:
    """Train to the end, or until so many steps were done."""
    steps = 0

    def pause() -> bool:
        nonlocal steps
        steps += 1
        return steps == pause_after

    return list(epochs_of(prepared, Watch(pause=pause)))


def epochs_of(prepared: Prepared, *callbacks: Callback) -> Iterator[Epoch]:
    """The loop alone, without a run folder."""
    context = TrainingContext(prepared.training, prepared.plan, prepared.recipe)
    with closing(prepared.gradient_step()) as step:
        yield from loop.epochs(context, step, prepared.validation, Callbacks(callbacks))


def weights(prepared: Prepared) -> dict[str, torch.Tensor]:
    return prepared.training.classifier.state_dict()


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def without_times(history: list[Epoch]) -> list[tuple[object, ...]]:
    return [(e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.lr) for e in history]


def test_two_runs_of_one_recipe_are_equal_to_the_bit() -> None:
    one, two = prepare(tiny()), prepare(tiny())
    assert without_times(run_loop(one)) == without_times(run_loop(two))
    assert same(weights(one), weights(two))


def test_another_seed_gives_other_weights() -> None:
    one, two = prepare(tiny(epochs=1)), prepare(tiny(epochs=1, seed=7))
    run_loop(one), run_loop(two)
    assert not same(weights(one), weights(two))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("step", [1, 6, 7, 8, 15])
def test_a_pause_at_any_step_changes_no_bit(tmp_path: Path, step: int, optimizer: str) -> None:
    less = {"limit_per_class": 25, "batch_size": 32}  # an epoch has seven steps
    recipe = tiny(optimizer=optimizer, lr=0.002, flip=0.5, crop_padding=2, options={"dropout": 0.2}, **less)
    whole = prepare(recipe)
    history = run_loop(whole)
    first = prepare(recipe)
    with pytest.raises(Paused):
        run_loop(first, pause_after=step)
    checkpoint.save(tmp_path, first.training, first.identity.key)
    second = prepare(recipe)
    assert checkpoint.restore(tmp_path, second.training, second.identity.key)
    run_loop(second)
    assert without_times(second.training.history) == without_times(history)
    assert same(weights(second), weights(whole))
    assert same(second.training.best, whole.training.best)


def test_the_epochs_figures_are_exact_over_the_whole_split() -> None:
    """With a learning rate too small to move a weight, an epoch's sums are those of one pass over the split."""
    recipe = tiny(epochs=1, lr=1e-30, nesterov=False, momentum=0, weight_decay=0, crop_padding=0, flip=0, batch_size=37)
    prepared = prepare(recipe)
    (facts,) = run_loop(prepared)
    said = predictions(prepared.training.classifier, prepared.splits.train, torch.device("cpu"))
    logits, labels = torch.from_numpy(said.logits), torch.from_numpy(said.labels)
    assert facts.train_loss == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-6)
    assert facts.train_accuracy == float((logits.argmax(1) == labels).double().mean())


def test_label_smoothing_reaches_the_loss() -> None:
    plain, smooth = (run_loop(prepare(tiny(epochs=1, label_smoothing=s)))[0] for s in (0.0, 0.3))
    assert smooth.train_loss > plain.train_loss


def test_clipping_bounds_the_gradients() -> None:
    prepared = prepare(tiny(epochs=1, clip_norm=1e-3, nesterov=False, momentum=0, weight_decay=0))
    run_loop(prepared)
    norms = [p.grad.norm() for p in prepared.training.classifier.parameters() if p.grad is not None]
    assert float(torch.stack(norms).norm()) <= 1e-3 * (1 + 1e-4)


@pytest.mark.parametrize(("count", "batch"), [(10, 4), (9, 4), (8, 4), (1, 4), (3, 1), (5, 100)])
def test_an_epoch_sees_every_image_once(count: int, batch: int) -> None:
    batches = Batches(count, batch, seed=3)
    seen = [batches.indices(1, step) for step in range(batches.steps)]
    assert sorted(np.concatenate(seen).tolist()) == list(range(count))
    assert count == 1 or batch == 1 or min(len(places) for places in seen) > 1


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert (epoch_order(100, 1, 1) == epoch_order(100, 1, 1)).all()
    assert (epoch_order(100, 1, 1) != epoch_order(100, 1, 2)).any()
    assert (epoch_order(100, 1, 1) != epoch_order(100, 2, 1)).any()


def epoch(number: int, accuracy: float, loss: float, best: bool) -> Epoch:
    return Epoch(number, 1.0, 0.5, loss, accuracy, 0.1, 1.0, 100.0, best)


def test_the_best_epoch_is_the_first_of_the_highest_accuracy_ties_broken_by_loss() -> None:
    history = [epoch(1, 0.5, 1.0, best=True)]
    plan = Plan(5, 100, 10, 10, lambda _step: 1.0)
    assert plan.is_best(epoch(2, 0.6, 2.0, best=False), history)
    assert plan.is_best(epoch(2, 0.5, 0.9, best=False), history)
    assert not plan.is_best(epoch(2, 0.5, 1.0, best=False), history)
    assert not plan.is_best(epoch(2, 0.4, 0.1, best=False), history)


def test_patience_ends_a_training_that_no_longer_gets_better() -> None:
    history = [epoch(1, 0.5, 1.0, best=True), epoch(2, 0.4, 1.0, best=False), epoch(3, 0.4, 1.0, best=False)]
    assert loop.out_of_patience(history, 2)
    assert not loop.out_of_patience(history, 3)
    assert not loop.out_of_patience(history, None)
    assert not loop.out_of_patience([], 1)


def test_a_loss_that_is_no_number_names_epoch_step_and_learning_rate() -> None:
    prepared = prepare(tiny(lr=1e20, schedule="constant", clip_norm=None))
    with pytest.raises(DivergedError, match=r"epoch 1, step \d+, learning rate 1e\+20"):
        run_loop(prepared)


def test_the_first_bad_step_is_the_one_named() -> None:
    """A network whose output is no number once its weight has passed a bound that the third step passes."""

    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0
            self.linear = nn.Linear(784, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count += self.training
            broken = float("nan") if self.count >= 3 else 1.0
            return self.linear(x.flatten(1)) * broken

    with pytest.raises(DivergedError, match="epoch 1, step 3,"):
        run_loop(prepare(tiny(), parts=GivenParts(model=Breaks())))


def test_evaluation_leaves_the_mode_and_the_batch_size_does_not_matter() -> None:
    prepared = prepare(tiny())
    classifier, images = prepared.training.classifier, prepared.splits.validation
    classifier.train()
    one = predictions(classifier, images, torch.device("cpu"), batch_size=7)
    two = predictions(classifier, images, torch.device("cpu"))
    assert classifier.training
    np.testing.assert_allclose(one.logits, two.logits, atol=1e-5)
    assert one.index.tolist() == list(range(len(images)))


def test_no_augmentation_reaches_validation() -> None:
    plain, augmented = prepare(tiny(flip=0, crop_padding=0)), prepare(tiny(flip=1.0, crop_padding=4))
    said = [predictions(p.training.classifier, p.splits.validation, torch.device("cpu")) for p in (plain, augmented)]
    assert (said[0].logits == said[1].logits).all()


def test_input_channels_and_normalisation_follow_the_data() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 5), dtype=np.uint8)
    data = sightlab.ImageSet(pixels, np.tile(np.arange(3), 20).astype(np.int64), ("a", "b", "c"))
    prepared = prepare(sightlab.recipe("mini-resnet-v1", epochs=1), data=data)
    assert len(prepared.mean) == len(prepared.std) == 5
    assert len(run_loop(prepared)) == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cuda:99", "usable CUDA devices on this machine: "),
        ("gpu0", "unknown device 'gpu0'; use auto, cpu, cuda, cuda:N or mps"),
        ("cuda:x", "unknown device"),
        ("", "unknown device"),
    ],
)
def test_a_device_that_is_not_here_is_refused(name: str, says: str) -> None:
    with pytest.raises(DeviceError) as caught:
        choose_device(name)
    assert says in str(caught.value)


def test_the_callers_randomness_and_arithmetic_are_left_alone(tmp_path: Path, small_data: str) -> None:
    torch.manual_seed(5)
    torch.set_num_threads(1)
    before = torch.get_rng_state()
    recipe = tiny(data=small_data, limit_per_class=5, epochs=1, deterministic=True, report=True)
    sightlab.train(recipe, home=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 1
    assert torch.tensor(1e-40) * 1 > 0
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.fixture
def two_checkpoints(tmp_path: Path) -> Iterator[tuple[Path, Prepared]]:
    """A folder with the checkpoints of the first and the second epoch."""
    prepared = prepare(tiny())
    for facts in epochs_of(prepared):
        checkpoint.save(tmp_path, prepared.training, prepared.identity.key)
        if facts.epoch == 2:
            break
    yield tmp_path, prepared


def torn_json(folder: Path) -> None:
    newest = checkpoint.newest_first(folder)[0]
    newest.write_text(newest.read_text()[:-20])


def torn_tensors(folder: Path) -> None:
    newest = checkpoint.newest_first(folder)[0].with_suffix(".safetensors")
    newest.write_bytes(newest.read_bytes()[:-1])


def flipped_bit(folder: Path) -> None:
    newest = checkpoint.newest_first(folder)[0].with_suffix(".safetensors")
    content = bytearray(newest.read_bytes())
    content[-7] ^= 1
    newest.write_bytes(bytes(content))


def missing_tensors(folder: Path) -> None:
    checkpoint.newest_first(folder)[0].with_suffix(".safetensors").unlink()


@pytest.mark.parametrize("damage", [torn_json, torn_tensors, flipped_bit, missing_tensors])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(two_checkpoints: object, damage: object) -> None:
    folder, _ = two_checkpoints  # type: ignore[misc]
    damage(folder)  # type: ignore[operator]
    fresh = prepare(tiny())
    assert checkpoint.restore(folder, fresh.training, fresh.identity.key)
    assert (fresh.training.epoch, fresh.training.step) == (2, 0)


def test_a_checkpoint_of_another_recipe_is_refused(two_checkpoints: tuple[Path, Prepared]) -> None:
    folder, _ = two_checkpoints
    other = prepare(tiny(lr=0.3))
    with pytest.raises(RunError, match="another recipe or other data"):
        checkpoint.restore(folder, other.training, other.identity.key)


def test_what_a_killed_process_left_is_cleared_away(two_checkpoints: tuple[Path, Prepared]) -> None:
    folder, prepared = two_checkpoints
    (folder / ".epoch-00002-step-0000000-xyz.safetensors").write_bytes(b"half")
    (folder / "epoch-00000-step-0000003.safetensors").write_bytes(b"tensors without a record")
    checkpoint.save(folder, prepared.training, prepared.identity.key)
    assert len(list(folder.iterdir())) == 2 * checkpoint.KEPT


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    prepared = prepare(tiny())
    assert not checkpoint.restore(tmp_path / "nothing", prepared.training, prepared.identity.key)
