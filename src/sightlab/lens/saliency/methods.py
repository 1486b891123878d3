"""The table of explanation methods: what each takes from the network, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from sightlab.lens.saliency.cam import grad_cam, grad_cam_plus_plus, layer_cam
from sightlab.lens.saliency.gradients import completeness_gap, integrated_gradients, smoothgrad
from sightlab.lens.saliency.perturbation import occlusion, rise, score_cam
from sightlab.lens.saliency.target import Target
from sightlab.lens.saliency.transformers import attention_rollout, legrad
from sightlab.lens.subject import Tick

Needs = Literal["maps", "attention", "gradient", "logits"]


class Run(Protocol):
    """A method: gives maps float32 [N, H, W], see `Target`."""

    def __call__(self, target: Target, *, tick: Tick | None = None) -> Tensor:
        """tick: called with parts done and in all."""
        ...


@dataclass(frozen=True)
class ExplanationMethod:
    """A method of the table.

    needs: of the network, maps (a stage on a grid), attention (among all tokens, once a block), gradient (of the logits
    by the pixels), or logits, which any has. purpose: one line. source: the paper. by_class: whether it explains a
    given class, rather than the network's look at the image. completeness: gives the error of maps that must add up,
    float [N], where they must.
    """

    run: Run
    needs: Needs
    purpose: str
    source: str
    by_class: bool = True
    completeness: Callable[[Target, Tensor], Tensor] | None = None


METHODS: dict[str, ExplanationMethod] = {
    "grad-cam": ExplanationMethod(
        grad_cam, "maps", "the last maps, weighted by their mean gradient", "Selvaraju et al. 2017"
    ),
    "grad-cam++": ExplanationMethod(
        grad_cam_plus_plus, "maps", "Grad-CAM that finds several objects of a class", "Chattopadhay et al. 2018"
    ),
    "layer-cam": ExplanationMethod(
        layer_cam, "maps", "maps weighted position by position, finer stages included", "Jiang et al. 2021"
    ),
    "score-cam": ExplanationMethod(
        score_cam, "maps", "maps weighted by what the network makes of the image through them", "Wang et al. 2020"
    ),
    "legrad": ExplanationMethod(
        legrad, "attention", "the gradient by the attention of every block", "Bousselham et al. 2024"
    ),
    "attention-rollout": ExplanationMethod(
        attention_rollout,
        "attention",
        "attention multiplied through the blocks; the same for every class",
        "Abnar and Zuidema 2020",
        by_class=False,
    ),
    "integrated-gradients": ExplanationMethod(
        integrated_gradients,
        "gradient",
        "what each pixel adds to the logit; sums to the whole",
        "Sundararajan et al. 2017",
        completeness=completeness_gap,
    ),
    "smoothgrad": ExplanationMethod(
        smoothgrad, "gradient", "the mean gradient over noisy copies of the image", "Smilkov et al. 2017"
    ),
    "occlusion": ExplanationMethod(
        occlusion, "logits", "the logit without each square of the image", "Zeiler and Fergus 2014"
    ),
    "rise": ExplanationMethod(rise, "logits", "the logit under random masks", "Petsiuk et al. 2018"),
}
