"""The 75 corruptions of 1,000 images of 32 x 32 against the package imagecorruptions, which takes one image at a time.

The package is measured on 20 of the images, and its time counts for as many as there are. Two of its functions call
what numpy and scikit-image have dropped; both are put back, at no cost, as is setuptools' pkg_resources.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from functools import partial
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import torch
from measure import ROUNDS, Row, in_turn, seconds_of
from numpy.typing import NDArray
from pictures import pictures

from sightlab.lens.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from sightlab.training.device import own_process, physical_cores

IMAGES, THEIR_IMAGES = 1000, 20
LEAST, MOST_SECONDS = 20.0, 30.0


def package() -> Any:
    """imagecorruptions, runnable with today's libraries."""
    spec = importlib.util.find_spec("imagecorruptions")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    resources = ModuleType("pkg_resources")
    resources.__dict__["resource_filename"] = lambda _, name: str(folder / name)
    sys.modules.setdefault("pkg_resources", resources)
    np.__dict__.setdefault("float_", np.float64)
    module = importlib.import_module("imagecorruptions.corruptions")
    gaussian = module.gaussian

    def blurred(image: NDArray[Any], *words: Any, multichannel: bool = False, **options: Any) -> Any:
        return gaussian(image, *words, channel_axis=-1 if multichannel else None, **options)

    module.__dict__["gaussian"] = blurred
    return importlib.import_module("imagecorruptions")


def ours(images: torch.Tensor) -> None:
    """Every corruption at every severity."""
    generator = torch.Generator().manual_seed(0)
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            corrupt(images, name, severity, generator)


def theirs(module: Any, images: NDArray[np.uint8]) -> None:
    """The same of theirs."""
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            for image in images:
                module.corrupt(image, severity, name)


def rows() -> tuple[list[Row], dict[str, object]]:
    """How long both take, and how many times as fast ours are."""
    found, name = pictures()
    images = found.images[:IMAGES]
    with own_process(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = package()
        whole, few = torch.from_numpy(np.ascontiguousarray(images)), np.ascontiguousarray(images[:THEIR_IMAGES])
        ours(whole[:10])
        scale = len(images) / len(few)
        sides = {
            "sightlab": partial(seconds_of, partial(ours, whole)),
            "imagecorruptions": lambda: scale * seconds_of(partial(theirs, module, few)),
        }
        measured = in_turn(sides)
    mine, other = median(measured["sightlab"]), median(measured["imagecorruptions"])
    what = f"75 corruptions of {len(images):,} images 32 x 32"
    common = ("corruptions", what, "sightlab", mine, "imagecorruptions", other, "s", other / mine)
    reached = other / mine >= LEAST and mine <= MOST_SECONDS
    row = Row(*common, f">= {LEAST:g} x, <= {MOST_SECONDS:g} s", reached, *measured.values())
    return [row], {"n": ROUNDS, "images": name, "threads": physical_cores()}
