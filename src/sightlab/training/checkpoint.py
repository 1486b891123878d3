"""Checkpoints: all that a training is, kept so that a torn one is never picked up.

A checkpoint is `NAME.safetensors` (weights, best weights, optimizer) and `NAME.json` (position, sums, history, and the
sha256 of the tensors). Each is written to a temporary name, flushed and renamed, the JSON last: it is what makes the
checkpoint count. The one before is kept; a checkpoint whose tensors do not have their sha256 is passed over.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor

from sightlab.errors import RunError
from sightlab.files import sha256_of, write_bytes, write_text
from sightlab.records import Epoch
from sightlab.training.loop import Training

KEPT = 2


def save(folder: Path, training: Training, identity: str) -> None:
    """Keep the training as it stands between two steps. identity: what a resume must have again to fit.

    Raises OSError as writing does; the checkpoints before are then still there.
    """
    name = f"epoch-{training.epoch:05d}-step-{training.step:07d}"
    tensors = tensors_of(training)
    optimizer_tensors, optimizer_facts = flattened(training.optimizer.state_dict())
    tensors |= {f"optimizer.{key}": value for key, value in optimizer_tensors.items()}
    # Serialised in memory first: safetensors' own writer does not say what the system refused.
    packed = serialised({key: plain(value) for key, value in tensors.items()})
    digest = write_bytes(folder / f"{name}.safetensors", packed)
    facts = {
        "identity": identity,
        "sha256": digest,
        "epoch": training.epoch,
        "step": training.step,
        "seconds": training.seconds,
        "loss_sum": float(training.loss_sum),
        "correct": int(training.correct),
        "history": [epoch.to_json() for epoch in training.history],
        "optimizer": optimizer_facts,
        "scaler": training.scaler.state_dict(),
    }
    write_text(folder / f"{name}.json", json.dumps(facts))
    remove_old(folder)


def restore(folder: Path, training: Training, identity: str) -> bool:
    """Bring a fresh training to where the newest whole checkpoint stands. False where there is none.

    Raises RunError when the checkpoint belongs to another recipe or other data, or has another teacher.
    """
    for record in newest_first(folder):
        found = read(record)
        if found is None:
            continue
        facts, tensors = found
        if facts["identity"] != identity:
            raise RunError(
                f"{record}: belongs to another recipe or other data, or has another teacher (its identity is "
                f"{facts['identity']}, this training's {identity}); resume with what it was started with, or start a "
                "new run"
            )
        put_back(training, facts, tensors)
        return True
    return False


def put_back(training: Training, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Set every part of the training to what the checkpoint holds."""
    part = {
        prefix: {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        for prefix in ("weights.", "best.", "average.", "optimizer.")
    }
    training.classifier.load_state_dict(part["weights."])
    training.best = {key: value.to(training.device) for key, value in part["best."].items()}
    if training.averages:
        training.averages.load_state_tensors(part["average."])
    training.scaler.load_state_dict(facts["scaler"])
    training.optimizer.load_state_dict(unflattened(part["optimizer."], facts["optimizer"]))
    match_layouts(training.optimizer)
    training.start_epoch(facts["epoch"])
    training.step, training.seconds = facts["step"], facts["seconds"]
    training.loss_sum += facts["loss_sum"]
    training.correct += facts["correct"]
    training.history = [Epoch.from_json(epoch) for epoch in facts["history"]]


def tensors_of(training: Training) -> dict[str, Tensor]:
    """The weights now and at the best epoch, and their averages."""
    averages = training.averages.state_tensors() if training.averages else {}
    parts = {"weights": training.classifier.state_dict(), "best": training.best, "average": averages}
    return {f"{part}.{key}": value for part, tensors in parts.items() for key, value in tensors.items()}


def plain(tensor: Tensor) -> Tensor:
    """The tensor as safetensors takes it: on the CPU, in row-major order, with memory of its own."""
    return tensor.detach().cpu().contiguous().clone()


def match_layouts(optimizer: torch.optim.Optimizer) -> None:
    """Give each state tensor the memory order of its weight: files are row-major, weights are channels_last."""
    for weight, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                state[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def flattened(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as tensors with names, and the rest as plain values."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        values[str(index)] = {key: value for key, value in entries.items() if not isinstance(value, Tensor)}
        tensors |= {f"{index}.{key}": value for key, value in entries.items() if isinstance(value, Tensor)}
    return tensors, {"values": values, "groups": state["param_groups"]}


def unflattened(tensors: dict[str, Tensor], facts: dict[str, Any]) -> dict[str, Any]:
    """What `flattened` took apart."""
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in facts["values"].items()}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        state[int(index)][key] = value
    return {"state": state, "param_groups": facts["groups"]}


def newest_first(folder: Path) -> list[Path]:
    """The records of the checkpoints, newest first; their names sort by position."""
    return sorted(folder.glob("epoch-*.json"), reverse=True)


def read(record: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """A checkpoint's facts and tensors, None when it is torn or damaged."""
    tensors_file = record.with_suffix(".safetensors")
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        if sha256_of(tensors_file) != facts["sha256"]:
            return None
        return facts, load_file(tensors_file)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None


def remove_old(folder: Path) -> None:
    """Remove all but the newest checkpoints, records first, and whatever a killed process left half-written."""
    for record in newest_first(folder)[KEPT:]:
        record.unlink(missing_ok=True)
    named = {record.stem for record in newest_first(folder)}
    for file in folder.iterdir():
        if file.stem not in named:
            file.unlink(missing_ok=True)
