"""Writes the models of docs/explain.md between its two markers: python tools/make_explain_page.py, about ten minutes.

Each model of the table, untrained, on 8 images of fashion-mini in colour at 32 x 32 or the smallest size that it takes:
the method and the layer that the rule gives it, and the weight-randomisation test: the rank correlation of its maps
with those of the same network with all weights drawn anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

import sightlab
from sightlab.errors import ModelError
from sightlab.lens.anatomy import anatomy_of
from sightlab.lens.saliency.choose import Choice, choose
from sightlab.lens.saliency.methods import METHODS
from sightlab.lens.saliency.randomisation import randomisation
from sightlab.lens.saliency.target import Target, predicted
from sightlab.models import MODELS, build
from sightlab.models.classifier import Classifier
from sightlab.records.explanations import SAME_WITHOUT_WEIGHTS

PAGE = Path(__file__).parents[1] / "docs" / "explain.md"
BEGIN, END = "<!-- models: written by tools/make_explain_page.py -->\n", "<!-- end of models -->\n"
SIZES, IMAGES, SEED = (32, 64, 227), 8, 0


@dataclass(frozen=True, eq=False)
class Explainable:
    """A model, untrained, and what the rule gives it at a size."""

    name: str
    size: int
    classifier: Classifier
    choice: Choice

    @property
    def cells(self) -> list[str]:
        """What the table says of it but for the test: model, size, method, layer, grid."""
        stage = self.choice.stage
        place = [f"`{stage.module}`", f"{stage.grid[0]} x {stage.grid[1]}"] if stage else ["", ""]
        return [f"`{self.name}`", str(self.size), f"`{self.choice.method}`", *place]


def explainable(name: str) -> Explainable:
    """A model at the first of SIZES that it takes, its weights drawn from SEED."""
    for size in SIZES:
        torch.manual_seed(SEED)
        try:
            net = build(name, channels=3, classes=10, height=size, width=size)
        except ModelError:
            continue
        classifier = Classifier(net, (0.5,) * 3, (0.25,) * 3).eval()
        return Explainable(name, size, classifier, choose(anatomy_of(net, (3, size, size))))
    raise ModelError(f"{name} takes none of {SIZES}")


def images_of(size: int) -> Tensor:
    """Images of fashion-mini in colour at this size: uint8 [IMAGES, size, size, 3]."""
    images = sightlab.load_data("fashion-mini").validation.gather(np.arange(IMAGES))
    resized = F.interpolate(torch.from_numpy(images).permute(0, 3, 1, 2).float(), (size, size), mode="bilinear")
    return resized.round().to(torch.uint8).permute(0, 2, 3, 1).expand(-1, -1, -1, 3).contiguous()


def correlation(one: Explainable) -> float:
    """The mean rank correlation of a model's maps with those of all weights drawn anew."""
    images = images_of(one.size)
    net = one.classifier.net
    anatomy = anatomy_of(net, (3, one.size, one.size))
    target = Target(one.classifier, images, predicted(one.classifier, images), anatomy, one.choice.stage)
    method = METHODS[one.choice.method].run
    signed = randomisation(target, method, method(target), levels=2, seed=SEED).signed[-1]
    return float(np.nanmean(signed)) if not np.isnan(signed).all() else float("nan")


def rows() -> Iterator[str]:
    """The table of models, a line each."""
    yield "| model | pixels | method | layer | places | rank correlation, weights anew |"
    yield "| --- | ---: | --- | --- | --- | ---: |"
    for name in MODELS:
        one = explainable(name)
        found = correlation(one)
        said = "no map to compare" if np.isnan(found) else f"{found:.2f}"
        doubt = " (too much)" if abs(found) >= SAME_WITHOUT_WEIGHTS else ""
        print(name, one.choice.method, said, flush=True)
        yield f"| {' | '.join([*one.cells, said + doubt])} |"


def page(text: str, table: str) -> str:
    """The page with the table between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    made = "\n".join(rows())
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
