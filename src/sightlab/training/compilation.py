"""torch.compile where it pays: measured on a few steps, weighed against the work left, and remembered.

Only the network's pass over full shares of training batches is compiled. Evaluation and a smaller last batch run
uncompiled: another shape would be compiled again, for half a minute.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from statistics import median

import torch
from torch import Tensor, nn

from sightlab.data.contents import cache_folder
from sightlab.errors import RecipeError, one_line
from sightlab.files import write_text
from sightlab.models.classifier import Classifier
from sightlab.records import duration
from sightlab.training.device import cpu_name, seconds_of, threads
from sightlab.training.prepare import Prepared, Say
from sightlab.training.step import forward_backward, share_bounds

COMPILERS = ("g++", "c++", "clang++")
C_COMPILERS = ("cc", "gcc", "clang")
# Small residual networks take 30 to 60 s to compile on two cores; 1.35 times the speed is the best that was measured.
COMPILE_SECONDS = 60.0
BEST_GAIN = 1.35
# A gain below this is within the noise of timing a few steps.
LEAST_GAIN = 1.05
STEPS = 7


@dataclass(frozen=True)
class Decision:
    """Whether a training is compiled, and the line that says why, with the figures."""

    compiled: bool
    line: str


def choose(prepared: Prepared, seconds_left: float, say: Say, earlier: bool | None = None) -> bool:
    """Compile the training's network if the recipe asks for it or if it pays; returns whether it was compiled.

    seconds_left: of training, as forecast. earlier: the decision when the run began; a resumed run repeats it, since
    compiled kernels round differently. A decision of compile=auto is remembered for the recipe on this machine, so that
    two runs of it end with the same bits. Raises RecipeError for compile=on where nothing can be compiled.
    """
    asked = prepared.recipe.compile
    if asked == "off":
        return False
    if asked == "on":
        if why := obstacle(prepared.training.device):
            raise RecipeError(f"compile: on, but {why}; compile=off works")
        decision = Decision(True, "compiled: compile=on; the first step takes half a minute or more")
    elif earlier is not None:
        decision = Decision(earlier, f"{'compiled' if earlier else 'not compiled'}: as when the run began")
    else:
        decision = remembered(prepared, seconds_left)
    say(decision.line)
    if decision.compiled:
        compile_network(prepared, prepared.training.classifier)
    return decision.compiled


def obstacle(device: torch.device) -> str:
    """Why nothing can be compiled for this device, "" if it can."""
    if device.type == "cpu" and not any(shutil.which(name) for name in COMPILERS):
        return f"there is no C++ compiler ({', '.join(COMPILERS)}) on this machine"
    if device.type == "cuda" and find_spec("triton") is None:
        return "triton, which compiles for CUDA devices, is not installed"
    if device.type == "cuda" and not any(shutil.which(name) for name in C_COMPILERS):
        return f"there is no C compiler ({', '.join(C_COMPILERS)}) on this machine, which triton needs"
    return ""


def remembered(prepared: Prepared, seconds_left: float) -> Decision:
    """The decision of an earlier run of the same recipe on the same machine, or a new one."""
    file = cache_folder() / "compile" / f"{situation(prepared)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Decision(bool(kept["compiled"]), f"{kept['line']} (decided when this recipe first ran here)")
    decision = decide(prepared, seconds_left)
    with suppress(OSError):  # the run does not depend on it
        write_text(file, json.dumps({"compiled": decision.compiled, "line": decision.line}))
    return decision


def situation(prepared: Prepared) -> str:
    """What the decision depends on, as a hash: recipe, data, processes and machine."""
    device = prepared.training.device
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    software = (torch.__version__, obstacle(device))
    facts = (prepared.identity.key, prepared.processes, torch.get_num_threads(), *software, str(device), place)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def decide(prepared: Prepared, seconds_left: float) -> Decision:
    """Compile if the work left is long enough to try it, and if a compiled copy then proves fast enough."""
    least = COMPILE_SECONDS / (1 - 1 / BEST_GAIN)
    if seconds_left < least:
        left, pays = duration(seconds_left), duration(least)
        return Decision(False, f"not compiled: about {left} of work; compiling can pay from {pays} on")
    if prepared.place.processes > 1:
        return Decision(False, "not compiled: torchrun's processes would each have to try it; compile=on does it")
    if why := obstacle(prepared.training.device):
        return Decision(False, f"not compiled: {why}")
    try:
        plain, compiled, compiling = probe(prepared)
    except Exception as error:  # noqa: BLE001 - any failure of the compiler is a reason not to compile
        return Decision(False, f"not compiled: torch.compile fails on this network ({one_line(error)})")
    figures = (
        f"a compiled step takes {1000 * compiled:.0f} ms, a plain one {1000 * plain:.0f} ms "
        f"(medians of {STEPS}), compiling {duration(compiling)}"
    )
    saved = seconds_left * (1 - compiled / plain)
    if plain / compiled < LEAST_GAIN or saved < compiling:
        return Decision(False, f"not compiled: {figures}")
    return Decision(True, f"compiled: {figures}; about {duration(saved)} of {duration(seconds_left)} saved")


def probe(prepared: Prepared) -> tuple[float, float, float]:
    """Seconds of an uncompiled step, of a compiled step and of compiling, measured on copies of the network."""
    training = prepared.training
    share = partial(forward_backward, prepared.config, training.device, Tensor.backward)
    with threads(1 if prepared.recipe.processes > 1 else torch.get_num_threads()):
        sides: list[Callable[[], object]] = []
        for compiled in (False, True):
            network = copy.deepcopy(training.classifier).train()
            if compiled:
                compile_network(prepared, network)
            sides.append(partial(share, network, 1, 0, rank=0, processes=prepared.processes))
        started = time.perf_counter()
        sides[1]()
        compiling = time.perf_counter() - started
        sides[0]()
        # In turns, so that a machine that slows down meanwhile is slower for both.
        times = [[seconds_of(side) for side in sides] for _ in range(STEPS)]
    plain, compiled_step = (median(column) for column in zip(*times, strict=True))
    return plain, compiled_step, compiling


def compile_network(prepared: Prepared, classifier: nn.Module) -> None:
    """Make the classifier pass full shares of training batches through its network compiled."""
    assert isinstance(classifier, Classifier)
    many = prepared.processes
    bounds = (share_bounds(prepared.recipe.batch_size, rank, many) for rank in range(many))
    rows = {stop - start for start, stop in bounds}
    net = classifier.net
    # It warns of missing CUDA even when kernels for a CPU are compiled.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    if prepared.recipe.processes > 1:
        # Forked processes compile for themselves: the threads of the parent's compiling pool are not in them.
        torch._inductor.config.compile_threads = 1
    compiled = torch.compile(net, dynamic=False)

    def forward(batch: Tensor) -> Tensor:
        logits: Tensor = compiled(batch) if len(batch) in rows else net(batch)
        return logits

    classifier.net_in_training = forward
