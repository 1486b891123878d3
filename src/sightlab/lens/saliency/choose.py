"""Which method explains a network, and from which stage: the rule.

Method, the first that applies:

1. `legrad` where each block attends once among all tokens, with a grid of at least 4 x 4 patches: ViT, DeiT, DINO,
   BEiT. Its gradient is taken block by block, so that the dead end of the last block does not matter to it.
2. `grad-cam` where the network's last stage has at least 4 x 4 places: most CNNs, Swin, mixers, hybrids.
3. `layer-cam` at the last stage that does, where later ones are smaller, as in networks for large images that are given
   small ones. The mean gradient of Grad-CAM stands for a whole map, which holds for the last maps only (Jiang et al.
   2021, section III-B); the choice has a note.
4. `integrated-gradients` where no stage does, as in a perceptron.

Stage, of the methods that need one: the last on the network's trunk, not within a block, that has at least 4 x 4
places. That is after a CNN's last block or convolution, and after the final norm of Swin and of mixers, whose head
reads the mean of all places; the first norm within Swin's last block, often used, weighs background. Where class or
register tokens lie before those of the patches, the head may read the class token alone, and then nothing after the
last attention gives the patches a gradient: the stage is the last before the last layer of attention, the input of
the last block. Of modules that give the same tensor it is the outermost.
"""

from __future__ import annotations

from dataclasses import dataclass

from sightlab.errors import ModelError, suggestion
from sightlab.lens.anatomy import Anatomy, Stage
from sightlab.lens.saliency.methods import METHODS
from sightlab.lens.saliency.transformers import attends_among_all

SMALLEST = 4  # places along each side: fewer say no more than which quarter of an image counts
ANYWHERE = ", ".join(name for name, method in METHODS.items() if method.needs in ("gradient", "logits"))


@dataclass(frozen=True)
class Choice:
    """A method for a network: its name in METHODS, its stage where it needs one, and what a reader must know."""

    method: str
    stage: Stage | None = None
    notes: tuple[str, ...] = ()


def choose(anatomy: Anatomy, method: str | None = None) -> Choice:
    """The method that the rule above gives a network, or the named one with its stage.

    method: a name of METHODS. Raises ModelError for a name that is not, and for a method that the network does not have
    what it needs for.
    """
    if method is None:
        method = suited(anatomy)
        notes = (
            () if method != "integrated-gradients" else (f"{nothing_to_see(anatomy)}: integrated-gradients is used",)
        )
        return with_stage(anatomy, method, notes)
    if method not in METHODS:
        raise ModelError(f"unknown explanation method '{method}'; {suggestion(method, METHODS)}")
    needs = METHODS[method].needs
    if needs == "maps" and stage_of(anatomy) is None:
        raise ModelError(f"{method} needs maps over the image, and {nothing_to_see(anatomy)}; {ANYWHERE} work")
    if needs == "attention" and not attends_among_all(anatomy):
        others = f"{suited(anatomy)} suits it" if stage_of(anatomy) else f"{ANYWHERE} work"
        raise ModelError(
            f"{method} needs blocks that each attend once among all tokens of the image, as in a ViT, and this network "
            f"has none; {others}"
        )
    notes = () if METHODS[method].by_class else (f"{method} is the same for every class",)
    return with_stage(anatomy, method, notes)


def suited(anatomy: Anatomy) -> str:
    """The method that the rule gives a network."""
    if attends_among_all(anatomy) and min(anatomy.blocks[-1].grid) >= SMALLEST:
        return "legrad"
    stage = stage_of(anatomy)
    if stage is None:
        return "integrated-gradients"
    return "layer-cam" if later(anatomy, stage) else "grad-cam"


def with_stage(anatomy: Anatomy, method: str, notes: tuple[str, ...]) -> Choice:
    """The choice of a method, with its stage and a note where that is not the network's last."""
    if METHODS[method].needs != "maps":
        return Choice(method, None, notes)
    stage = stage_of(anatomy)
    assert stage is not None
    smaller = later(anatomy, stage)
    if smaller is not None:
        notes += (
            f"{stage.module} gives the last maps with at least {SMALLEST} x {SMALLEST} places ({sides(stage)}); those "
            f"of {smaller.module} have {sides(smaller)}",
        )
    return Choice(method, stage, notes)


def stage_of(anatomy: Anatomy) -> Stage | None:
    """The stage that the rule gives a network; None where none has at least 4 x 4 places."""
    large = [stage for stage in reached(anatomy) if min(stage.grid) >= SMALLEST]
    return max(large, key=lambda stage: (stage.layer, -len(stage.module)), default=None)


def later(anatomy: Anatomy, stage: Stage) -> Stage | None:
    """The last stage, where it comes after a given one and has fewer than 4 x 4 places."""
    last = max(reached(anatomy), key=lambda one: (one.layer, -len(one.module)))
    return last if last.layer > stage.layer and min(last.grid) < SMALLEST else None


def reached(anatomy: Anatomy) -> list[Stage]:
    """The stages of the trunk whose places all can count: those with class tokens end before the last attention."""
    return [stage for stage in anatomy.trunk if not stage.prefix or stage.layer < anatomy.attended]


def sides(stage: Stage) -> str:
    """A stage's grid in words."""
    return f"{stage.grid[0]} x {stage.grid[1]}"


def nothing_to_see(anatomy: Anatomy) -> str:
    """Why a network has no stage to explain by."""
    if anatomy.family == "none":
        return "no module of this network gives maps (a perceptron, or layers run as plain functions)"
    return f"no stage of this network has {SMALLEST} x {SMALLEST} places or more"
