"""Explanations that a run keeps in its folder, so that its report needs neither network nor images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightlab.errors import RunError, one_line
from sightlab.files import write_bytes
from sightlab.records.explained import Explained, Explanations

FILE = "explanations.safetensors"
FORMAT = 1
FACTS = ("name", "group", "label", "predicted", "probability", "explained", "share")


def save_explanations(folder: Path, found: Explanations) -> None:
    """Save explanations in a run's folder, atomically. Raises OSError as writing does."""
    from safetensors.numpy import save as serialise

    facts = {
        "format": FORMAT,
        "subject": found.subject,
        "method": found.method,
        "layer": found.layer,
        "notes": list(found.notes),
        "check": None if found.check is None else dict(found.check),
        "verdict": found.verdict,
        "images": [{key: getattr(one, key) for key in FACTS} for one in found.images],
    }
    arrays: dict[str, NDArray[Any]] = {
        "pixels": np.ascontiguousarray(np.stack([one.pixels for one in found.images])),
        "values": np.ascontiguousarray(np.stack([one.values for one in found.images]).astype(np.float16)),
    }
    metadata = {"explanations": json.dumps(facts, ensure_ascii=False)}
    write_bytes(folder / FILE, serialise(arrays, metadata=metadata))


def read_explanations(folder: Path) -> Explanations | None:
    """The explanations saved in a run's folder; None if there are none. Raises RunError for a damaged file."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["explanations"])
            if facts["format"] > FORMAT:
                raise RunError(f"{path}: format {facts['format']} is from a newer sightlab; upgrade")
            pixels, values = file.get_tensor("pixels"), file.get_tensor("values").astype(np.float32)
        images = tuple(
            Explained(pixels=shown, values=weights, **{key: one[key] for key in FACTS})
            for one, shown, weights in zip(facts["images"], pixels, values, strict=True)
        )
        return Explanations(
            str(facts["subject"]),
            str(facts["method"]),
            str(facts["layer"]),
            images,
            tuple(map(str, facts["notes"])),
            facts["check"],
            str(facts["verdict"]),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {one_line(error)}; delete it for a report without maps") from error
