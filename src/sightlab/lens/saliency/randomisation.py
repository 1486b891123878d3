"""The weight-randomisation test: an explanation that stays when the weights go does not explain the network.

Adebayo et al. 2018, "Sanity checks for saliency maps", section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightlab.errors import ModelError
from sightlab.lens.saliency.target import Method, Target
from sightlab.lens.subject import Tick

LEVELS = 5


@dataclass(frozen=True)
class Level:
    """Modules whose weights are drawn anew together, and what follows them is already.

    modules: their qualified names, from the head down. share: of all modules with weights that are drawn anew by now.
    """

    modules: tuple[str, ...]
    share: float


@dataclass(frozen=True, eq=False)
class Randomised:
    """Rank correlations of maps with those of the trained network, float64 [levels, N]: signed, and of their sizes."""

    levels: tuple[Level, ...]
    signed: NDArray[np.float64]
    magnitude: NDArray[np.float64]


def randomisation(
    target: Target, method: Method, maps: Tensor, *, levels: int = LEVELS, seed: int = 0, tick: Tick | None = None
) -> Randomised:
    """How much of a method's maps is left while the network's weights are drawn anew, from the head down.

    Cascading randomisation: at each level the weights of the next modules in depth are drawn too. The first level is
    the last layer alone, the last level the whole network. Costs one call of the method a level. The network is put
    back to the bit, also where the method fails.

    maps: float32 [N, H, W], the method's on the trained network. levels: at most so many.
    """
    net, generator = target.classifier.net, torch.Generator().manual_seed(seed)
    cascade = cascade_of(target, levels)
    named = dict(net.named_modules())
    correlations = np.empty((2, len(cascade), len(maps)))
    with restored(net):
        for place, level in enumerate(cascade):
            for name in level.modules:
                draw_anew(named[name], generator)
            other = maps_of(target, method)
            correlations[0, place] = rank_correlation(maps, other)
            correlations[1, place] = rank_correlation(maps.abs(), other.abs())
            if tick:
                tick(place + 1, len(cascade))
    return Randomised(cascade, correlations[0], correlations[1])


def maps_of(target: Target, method: Method) -> Tensor:
    """A method's maps, float32 [N, H, W]; zeros where it finds nothing to explain, as in a network that has died.

    Weights drawn anew may leave a network without a gradient, which methods refuse to explain.
    """
    try:
        return method(target)
    except ModelError:
        return torch.zeros(target.images.shape[:3], device=target.images.device)


def cascade_of(target: Target, levels: int) -> tuple[Level, ...]:
    """A network's modules with weights of their own, in the order opposite to that in which they run, in levels.

    The first level ends with the last layer that has a matrix or kernels; the others are equally many modules each.
    """
    order = modules_with_weights(target)[::-1]
    named = dict(target.classifier.net.named_modules())
    heads = (place for place, name in enumerate(order) if any(p.ndim > 1 for p in weights_of(named[name])))
    head = next(heads, 0) + 1
    groups = [order[:head], *(list(group) for group in np.array_split(np.array(order[head:]), max(1, levels - 1)))]
    found: list[Level] = []
    done = 0
    for group in groups:
        done += len(group)
        if group:
            found.append(Level(tuple(str(name) for name in group), done / len(order)))
    return tuple(found)


def modules_with_weights(target: Target) -> list[str]:
    """The qualified names of modules with weights of their own, in the order in which they first run.

    A module that is used without being called, such as the projection inside torch's attention, comes where the module
    that holds it runs; the network's own weights, such as a class token, come first.
    """
    net = target.classifier.net
    called: dict[str, int] = {"": 0}

    def notes(name: str) -> Callable[[nn.Module, object], None]:
        def note(_module: nn.Module, _inputs: object) -> None:
            called.setdefault(name, len(called))

        return note

    hooks = [module.register_forward_pre_hook(notes(name)) for name, module in net.named_modules() if name]
    try:
        with torch.inference_mode():
            target.classifier(target.images[:1])
    finally:
        for hook in hooks:
            hook.remove()

    def place(name: str) -> int:
        return called[name] if name in called else place(name.rpartition(".")[0])

    return sorted((name for name, module in net.named_modules() if weights_of(module)), key=place)


def weights_of(module: nn.Module) -> list[nn.Parameter]:
    """A module's own floating-point parameters, without those of the modules in it."""
    return [p for p in module.parameters(recurse=False) if p.is_floating_point()]


def draw_anew(module: nn.Module, generator: torch.Generator) -> None:
    """Replace a module's own weights by normal numbers of the same scale, so that activations keep theirs.

    Matrices and kernels get mean 0 and their root mean square; vectors, as those of norms, their own mean and
    deviation. What holds equal values only, as a norm before training does, stays.
    """
    with torch.no_grad():
        for weights in weights_of(module):
            mean = weights.mean() if weights.ndim < 2 else torch.zeros((), device=weights.device)
            deviation = (weights - mean).square().mean().sqrt()
            drawn = torch.randn(weights.shape, generator=generator).to(weights)
            weights.copy_(drawn * deviation + mean)


@contextmanager
def restored(net: nn.Module) -> Iterator[None]:
    """At the context's end, every parameter and buffer of the network has its bits again."""
    with torch.no_grad():
        before = [(tensor, tensor.detach().clone()) for tensor in (*net.parameters(), *net.buffers())]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, values in before:
                tensor.copy_(values)


def rank_correlation(maps: Tensor, others: Tensor) -> NDArray[np.float64]:
    """Spearman's rank correlation of each map with its other, float64 [N]; ties get their mean rank.

    Of a map that is the same everywhere there is none: NaN. If only the other is, nothing of the map is left in it: 0.
    maps, others: float [N, H, W].
    """
    from scipy.stats import rankdata

    ranks, other_ranks = (centred(rankdata(m.detach().cpu().flatten(1).numpy(), axis=1)) for m in (maps, others))
    norms = np.sqrt((ranks**2).sum(1) * (other_ranks**2).sum(1))
    with np.errstate(invalid="ignore"):
        correlations: NDArray[np.float64] = (ranks * other_ranks).sum(1) / norms
    correlations[~other_ranks.any(1)] = 0
    correlations[~ranks.any(1)] = np.nan
    return correlations


def centred(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row less its mean."""
    less: NDArray[np.float64] = rows - rows.mean(1, keepdims=True)
    return less


def level_names(levels: Sequence[Level]) -> tuple[str, ...]:
    """The deepest module of each level, which says how far down the weights are drawn anew."""
    return tuple(level.modules[-1] or "the network's own weights" for level in levels)
